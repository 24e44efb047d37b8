"""A kind of thing has one name in the audit, so that one filter finds all that happened to it."""

from __future__ import annotations

import ast
from pathlib import Path

import service
from service.registers.records import BANKS, BRANCHES, PROPERTIES, VALUERS


def subject_types() -> set[str]:
    """The kinds of subjects that the service's code writes."""
    found = {register.kind for register in (BANKS, BRANCHES, VALUERS, PROPERTIES)}
    for path in Path(service.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.keyword(
                    arg="subject", value=ast.Tuple(elts=[ast.Constant(value=kind), _])
                ):
                    found.add(str(kind))
    return found


def names_of_one_thing(kinds: set[str]) -> list[list[str]]:
    """Names that differ in nothing but how their words are joined, or in number."""
    by_word: dict[str, list[str]] = {}
    for kind in sorted(kinds):
        word = kind.lower().replace("_", "").replace("-", "").removesuffix("s")
        by_word.setdefault(word, []).append(kind)
    return [names for names in by_word.values() if len(names) > 1]


def test_no_kind_of_subject_has_two_names():
    kinds = subject_types()

    assert {"work_order", "document", "pack", "user", "bank_branch"} <= kinds
    assert names_of_one_thing(kinds) == []


def test_two_names_of_one_thing_are_found():
    assert names_of_one_thing({"work_order", "workorder", "pack", "packs", "user"}) == [
        ["pack", "packs"],
        ["work_order", "workorder"],
    ]
