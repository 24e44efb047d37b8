"""What the pages of decisions claim of the code, where a test can hold it."""

import ast
import dataclasses
import dis
import re
import types

import pytest

from contracts import evaluation
from engine.rules import runtime, trace_writing
from factory.catalogue import read_catalogue
from tests.docs.pages import ROOT

#: What a compiled set is given beside the two scopes: constants, trees for the FEEL evaluator,
#: decisions and roundings.
MADE = re.compile(r"__builtins__|k\d+|feel\d+|decide_\d+|round_\w+")


@pytest.fixture(scope="module")
def functions():
    """The two functions of every shipped set."""
    catalogue = read_catalogue().catalogue
    sets = [each for each in catalogue.rule_sets.values() if not each.abstract]
    return [
        function
        for compiled in map(catalogue.compiled, sets)
        for function in (compiled.run, compiled.run_traced)
    ]


def instructions(code):
    """The instructions of a piece of code and of all code inside it."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from instructions(constant)


def names(functions, *kinds):
    """What the instructions of these kinds name."""
    return {
        step.argval
        for function in functions
        for step in instructions(function.__code__)
        if any(kind in step.opname for kind in kinds)
    }


def test_a_compiled_rule_set_sees_no_builtins_and_only_what_it_may_call(functions):
    for function in functions:
        given = set(function.__globals__) - {*runtime.SCOPE, *trace_writing.SCOPE}

        assert function.__globals__["__builtins__"] == {}
        assert {name for name in given if not MADE.fullmatch(name)} == set()


def test_a_compiled_rule_set_reads_no_attributes_but_append_and_get(functions):
    assert names(functions, "ATTR", "METHOD") == {"append", "get"}


def test_a_compiled_rule_set_imports_nothing_and_writes_no_globals(functions):
    assert names(functions, "IMPORT", "STORE_GLOBAL", "DELETE_GLOBAL", "STORE_NAME") == set()


def test_no_text_is_ever_run():
    calls = [
        (path.name, node.func.id)
        for folder in ("contracts", "engine", "factory", "service")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"eval", "exec", "compile", "__import__"}
    ]

    assert calls == [("python_syntax.py", "compile")]


def test_only_entries_of_the_trace_are_not_frozen():
    thawed = {
        name
        for name, kind in vars(evaluation).items()
        if getattr(kind, "__module__", "") == evaluation.__name__
        and dataclasses.is_dataclass(kind)
        and not kind.__dataclass_params__.frozen
    }

    assert thawed == {"TraceEntry", "NamedValue"}


def test_data_folders_hold_no_code():
    found = [
        path for name in ("rules", "profiles", "fixtures") for path in (ROOT / name).rglob("*.py")
    ]

    assert found == []
