"""The list of what may run: every name leads somewhere, and every limit makes sense."""

import inspect

import pytest

from service.jobs.registry import KINDS, load, resolve
from tests.chaos import work

SHIPPED = {name: kind for name, kind in KINDS.items() if name not in work.KINDS_OF_TESTS}


def test_tests_kinds_are_not_shipped():
    assert not [name for name in SHIPPED if name.startswith("test")]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_kind_runs_something(name):
    kind = SHIPPED[name]
    assert list(inspect.signature(resolve(kind.run)).parameters) == ["job"]
    for hook in (kind.on_dead, kind.on_retry):
        if hook is not None:
            assert list(inspect.signature(resolve(hook)).parameters) == ["connection", "operation"]
    assert 1 <= kind.max_attempts <= 10
    assert 1 <= kind.timeout_seconds <= 3600


def test_all_of_it_can_be_imported_beforehand():
    load()
