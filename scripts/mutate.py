"""Breaks the money code on purpose, one small change at a time, and sees whether a test notices.

One pytest session starts the servers; each mutant is a fork of it, in which the code of the mutated
functions is put in the place of the real one. Tests run in the order below until the first that
fails; the slow ones come last, for what the others let live.

What is changed: comparisons, arithmetic, `and`/`or`, `not`, conditions, whole numbers, True/False,
words (codes, kinds, names of ledgers), what is returned, refusals and calls that are left out. SQL
and what is told to people are not.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs/mutation.md"
#: What is mutated, and the tests that have to notice.
MODULES = ("service.billing.money", "service.billing.journal", "service.billing.credits")
TESTS = (
    "tests/service/billing/test_money.py",
    "tests/service/billing/test_of_the_original.py",
    "tests/service/billing/test_journal.py",
    "tests/service/billing/test_bug_classes.py",
    "tests/service/billing/test_ledger_against_a_model.py",
    "tests/service/billing/test_routes.py",
)
#: A mutant that is not through by then hangs, which a test would have seen too.
PATIENCE_S = 240
#: Who is changed into whom.
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
_WORD = re.compile(r"[A-Za-z_]+(:[a-z_]*)?")


@dataclass(frozen=True)
class Mutant:
    """One change: which node of a module, in the order of `ast.walk`, and which of its changes."""

    module: str
    place: int
    choice: int
    line: int
    what: str

    def tree(self) -> ast.Module:
        """The module with the change made."""
        tree = _read(self.module)
        target = next(node for place, node in enumerate(ast.walk(tree)) if place == self.place)
        _, changed = list(_changes(target))[self.choice]
        ast.copy_location(changed, target)
        _put(tree, target, changed)
        return ast.fix_missing_locations(tree)


def _read(name: str) -> ast.Module:
    return ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))


def mutants_of(name: str) -> list[Mutant]:
    """Every mutant of a module."""
    whole = _read(name)
    changeable = set(_changeable(whole))
    return [
        Mutant(name, place, choice, getattr(node, "lineno", 0), what)
        for place, node in enumerate(ast.walk(whole))
        if node in changeable
        for choice, (what, _) in enumerate(_changes(node))
    ]


def _changeable(whole: ast.Module) -> Iterator[ast.AST]:
    """What functions do, and whole numbers that have a name; not types, docstrings or SQL."""
    for top in whole.body:
        if isinstance(top, ast.FunctionDef):
            for statement in top.body:
                yield from ast.walk(statement)
        elif isinstance(top, ast.Assign | ast.AnnAssign):
            for node in ast.walk(top):
                if isinstance(node, ast.Constant) and type(node.value) is int:
                    yield node


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            other = _COMPARED[type(op)]
            yield f"{type(op).__name__} -> {other.__name__}", _with(node, ops=[other()])
        case ast.BinOp(op=op, left=left) if type(op) in _COMPUTED:
            if not (isinstance(left, ast.Constant) and isinstance(left.value, str)):
                other_op = _COMPUTED[type(op)]
                yield f"{type(op).__name__} -> {other_op.__name__}", _with(node, op=other_op())
        case ast.BoolOp(op=op):
            swapped = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{type(op).__name__} -> {type(swapped).__name__}", _with(node, op=swapped)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "sign or not left out", operand
        case ast.If(test=test) if not isinstance(test, ast.Compare | ast.UnaryOp):
            yield "condition turned", _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.IfExp(body=body, orelse=orelse):
            yield "branches exchanged", _with(node, body=orelse, orelse=body)
        case ast.Constant(value=bool() as value):
            yield f"{value} -> {not value}", ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield f"{value} -> {value + 1}", ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if _WORD.fullmatch(value):
            yield f"{value!r} -> another word", ast.Constant(f"{value}x")
        case ast.Return(value=value) if value is not None:
            yield "returns None", _with(node, value=ast.Constant(None))
        case ast.Raise():
            yield "refusal left out", ast.Pass()
        case ast.Expr(value=ast.Call()):
            yield "call left out", ast.Pass()


def _with(node: ast.AST, **changes: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def _put(tree: ast.AST, target: ast.AST, changed: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, changed)
                return
            if isinstance(value, list) and target in value:
                value[value.index(target)] = changed
                return


def put_in_place(mutant: Mutant) -> None:
    """Give the functions of the real module the mutant's code, and its numbers to who has them."""
    real = importlib.import_module(mutant.module)
    changed = ModuleType(mutant.module)
    changed.__file__ = real.__file__
    sys.modules[mutant.module] = changed
    try:
        exec(compile(mutant.tree(), str(real.__file__), "exec"), changed.__dict__)  # noqa: S102
    finally:
        sys.modules[mutant.module] = real
    for name, value in vars(changed).items():
        there = vars(real).get(name)
        if type(value) is int and value != there:
            for module in list(sys.modules.values()):
                if module is not None and vars(module).get(name) == there and name.isupper():
                    setattr(module, name, value)
        if isinstance(there, FunctionType) and there.__module__ == mutant.module:
            ours, theirs = _inner(there), _inner(value)
            ours.__code__, ours.__defaults__ = theirs.__code__, theirs.__defaults__
            ours.__kwdefaults__ = theirs.__kwdefaults__


def _inner(function: Any) -> Any:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


class Mutating:
    """The plugin: takes the place of pytest's own loop over the tests."""

    def __init__(self, mutants: list[Mutant], until: float) -> None:
        self.mutants, self.until = mutants, until
        self.killed: list[Mutant] = []
        self.alive: list[Mutant] = []
        self.failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a test has failed."""
        self.failed = self.failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All tests in a fork of the real code, then in a fork for each mutant."""
        items = session.items
        model: Any = next(
            item.module
            for item in items
            if isinstance(item, pytest.Function) and "model" in item.nodeid
        )
        model.SEQUENCES, model.STEPS, model.OUTCOMES = 15, 30, frozenset()
        # The servers are a session's; what comes next is said to be of another file, so they stay.
        needing = next(item for item in items if "of_the_original" in item.nodeid)
        needing.config.hook.pytest_runtest_protocol(item=needing, nextitem=items[0])
        if self.failed or self._try(None, items):
            raise pytest.UsageError("the tests fail on the code as it is")
        for number, mutant in enumerate(self.mutants, 1):
            if time.monotonic() > self.until:
                break
            is_killed = self._try(mutant, items)
            (self.killed if is_killed else self.alive).append(mutant)
            told = "killed" if is_killed else "ALIVE"
            print(f"{number}/{len(self.mutants)} {told:6} {_place(mutant)}", flush=True)
        session._setupstate.teardown_exact(None)  # noqa: SLF001 - no public way
        return True

    def _try(self, mutant: Mutant | None, items: list[pytest.Item]) -> bool:
        child = os.fork()
        if child == 0:
            os.setsid()
            # What a mutant's tests say is nobody's concern.
            items[0].config.pluginmanager.unregister(name="terminalreporter")
            try:
                os._exit(self._run(mutant, items))
            except BaseException:  # noqa: BLE001
                os._exit(1)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status != 0
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True

    def _run(self, mutant: Mutant | None, items: list[pytest.Item]) -> int:
        if mutant is not None:
            put_in_place(mutant)
        for item, following in zip(items, [*items[1:], items[0]], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                # Drop what the file has made, but leave the session's servers.
                other = next(one for one in items if one.path != item.path)
                item.session._setupstate.teardown_exact(other)  # noqa: SLF001
                return 1
        return 0


def _place(mutant: Mutant) -> str:
    return f"{mutant.module.replace('.', '/')}.py:{mutant.line}: {mutant.what}"


def report(plugin: Mutating, wanted: int, seconds: float) -> str:
    """The page that tells how many mutants were noticed, and which were not."""
    rows: Counter[tuple[str, bool]] = Counter()
    for is_killed, group in ((True, plugin.killed), (False, plugin.alive)):
        rows.update((mutant.module, is_killed) for mutant in group)
    modules = sorted({module for module, _ in rows})
    tried = len(plugin.killed) + len(plugin.alive)
    share = 100 * len(plugin.killed) / max(tried, 1)
    lines = [
        "<!-- Generated by `make mutate`. -->",
        "# Mutation of the money code",
        "",
        "The code is broken on purpose, one small change at a time; a mutant is killed if a test",
        "notices. `scripts/mutate.py` says what is changed and what is not.",
        "",
        (
            f"**{len(plugin.killed)} of {tried} mutants killed: {share:.1f} %.** "
            f"There are {wanted}; {'all were' if tried == wanted else f'{tried}, drawn at random, were'} "
            f"tried, in {seconds / 60:.0f} minutes."
        ),
        "",
        "| module | killed | alive |",
        "|---|---|---|",
        *(f"| `{one}` | {rows[one, True]} | {rows[one, False]} |" for one in modules),
        "",
        "## Alive",
        "",
        *(f"- `{_place(mutant)}`" for mutant in sorted(plugin.alive, key=_place)),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Mutate, write the page; 0 if at least nine of ten mutants were killed."""
    parser = argparse.ArgumentParser(description="Break the money code and see who notices.")
    parser.add_argument("--minutes", type=float, default=600, help="stop after so many")
    parser.add_argument("modules", nargs="*", default=MODULES)
    wanted = parser.parse_args()
    mutants = [mutant for name in wanted.modules for mutant in mutants_of(name)]
    # In random order, so that a run that is stopped is a fair sample.
    random.Random(5).shuffle(mutants)  # noqa: S311
    began = time.monotonic()
    plugin = Mutating(mutants, began + wanted.minutes * 60)
    os.chdir(ROOT)
    status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *TESTS], plugins=[plugin])
    if not plugin.killed:
        return int(status) or 1
    page = report(plugin, len(mutants), time.monotonic() - began)
    REPORT.write_text(page, encoding="utf-8")
    print(page)
    tried = len(plugin.killed) + len(plugin.alive)
    return 0 if len(plugin.killed) >= 0.9 * tried else 1


if __name__ == "__main__":
    sys.exit(main())
