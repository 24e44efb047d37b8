"""Published rule sets are held to what they said when they were published."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from scripts.write_locks import locks_in, new_locks, text_of

ROOT = Path(__file__).parents[2]


def test_no_published_rule_set_has_changed():
    check = [sys.executable, "scripts/write_locks.py", "--check"]

    done = subprocess.run(check, cwd=ROOT, check=False, capture_output=True, text=True)

    assert (done.stdout, done.returncode) == ("", 0)


def published(shipped):
    return next(found for found in shipped.rule_sets.values() if found.status == "published")


def test_a_new_published_version_gets_a_lock(shipped):
    rule_set = published(shipped)

    assert new_locks([rule_set], {}) == ({rule_set.reference: rule_set.digest}, ())


def test_a_locked_version_that_changed_is_refused_and_keeps_its_lock(shipped):
    rule_set = published(shipped)
    locks = {rule_set.reference: "0" * 64}

    again, (fault,) = new_locks([rule_set], locks)

    assert again == locks
    assert fault.startswith(f"{rule_set.reference} was published and has changed")


def test_a_draft_may_change_and_a_retired_set_may_not(shipped):
    draft = replace(published(shipped), status="draft")
    retired = replace(draft, status="retired")

    assert new_locks([draft], {}) == ({}, ())
    assert new_locks([retired], {retired.reference: "0" * 64})[1] != ()
    assert new_locks([retired], {retired.reference: retired.digest})[1] == ()


def test_a_locked_version_must_not_vanish():
    assert new_locks([], {"psu@1": "0" * 64})[1] == (
        "psu@1 is locked, and there is no such rule set any more",
    )


def test_a_lock_file_is_read_as_it_is_written(shipped):
    locks, _ = new_locks(shipped.rule_sets.values(), {})

    assert locks_in(text_of(locks)) == locks
