"""Breaks the money code on purpose, one small change at a time, and sees whether a test notices.

Each mutant is written over its module in a copy of this folder, and a pytest of its own runs there
until the first test that fails, as many at a time as there are processors. The tests that find most
in the least time come first, the long ones last, for what the others let live.

What is changed: comparisons, arithmetic, `and`/`or`, `not`, conditions, whole numbers, True/False,
words (codes, kinds, names of ledgers), what is returned, refusals and calls that are left out. SQL
and what is told to people are not.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs/mutation.md"
_LEDGER = (
    "tests/service/billing/test_money.py",
    "tests/service/billing/test_of_the_original.py",
    "tests/service/billing/test_journal.py",
    "tests/service/billing/test_bug_classes.py",
    "tests/service/billing/test_routes.py",
    "tests/service/billing/test_ledger_against_a_model.py",
)
_INVOICES = (
    "tests/service/invoices/test_gst.py",
    "tests/service/invoices/test_customers.py",
    "tests/service/invoices/test_numbering.py",
    "tests/service/invoices/test_of_the_original.py",
    "tests/service/invoices/test_settling.py",
    "tests/service/invoices/test_identities.py",
    "tests/service/invoices/test_printing.py",
    "tests/service/invoices/test_routes.py",
)
_PAYMENTS = (
    "tests/service/payments/test_settling.py",
    "tests/service/payments/test_bug_classes.py",
    "tests/service/payments/test_order_of_news.py",
    "tests/service/payments/test_refunds.py",
    "tests/service/payments/test_payment_routes.py",
)
_RELEASE = (
    "tests/service/release/test_gate.py",
    "tests/service/release/test_releasing.py",
    "tests/service/release/test_taken_back.py",
)
#: What is mutated, and the tests that have to notice.
MODULES = {
    "service.billing.money": _LEDGER,
    "service.billing.journal": _LEDGER,
    "service.billing.credits": _LEDGER,
    "service.invoices.totals": _INVOICES,
    "service.invoices.gst": _INVOICES,
    "service.invoices.customers": _INVOICES,
    "service.invoices.numbering": _INVOICES,
    "service.invoices.settling": _INVOICES,
    "service.payments.settling": _PAYMENTS,
    "service.release.gate": _RELEASE,
}
#: A mutant that takes so many times what the real code takes hangs; that is noticed.
PATIENCE = 5
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

    def text(self) -> str:
        """The module with the change made."""
        tree = ast.parse((ROOT / _file(self.module)).read_text(encoding="utf-8"))
        target = next(node for place, node in enumerate(ast.walk(tree)) if place == self.place)
        _, changed = list(_changes(target))[self.choice]
        _put(tree, target, changed)
        return ast.unparse(tree)

    def __str__(self) -> str:
        return f"{_file(self.module)}:{self.line}: {self.what}"


def _file(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def mutants_of(name: str) -> list[Mutant]:
    """Every mutant of a module."""
    whole = ast.parse((ROOT / _file(name)).read_text(encoding="utf-8"))
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


def copy_of_everything(folder: Path) -> Path:
    """The copy of this folder in which mutants are written and tested."""
    ignored = shutil.ignore_patterns(".*", "build", "node_modules")
    return Path(shutil.copytree(ROOT, folder, ignore=ignored))


def is_noticed(folder: Path, mutant: Mutant, patience: float) -> bool:
    """Whether a test fails, or all of them take too long, with the mutant in a copy."""
    path = folder / _file(mutant.module)
    path.write_text(mutant.text(), encoding="utf-8")
    try:
        # Twice, because a test may also fail for want of time beside others.
        tests = MODULES[mutant.module]
        return _fails(folder, tests, patience) and _fails(folder, tests, patience)
    finally:
        shutil.copy2(ROOT / _file(mutant.module), path)


def _fails(folder: Path, files: Sequence[str], patience: float | None = None) -> bool:
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *files]
    tests = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    # First as from the keyboard: the tests stop the servers that they have started.
    for stop in (signal.SIGINT, signal.SIGKILL):
        try:
            return tests.wait(patience) != 0
        except subprocess.TimeoutExpired:
            tests.send_signal(stop)
    return tests.wait() != 0


def try_all(mutants: list[Mutant], scratch: Path, until: float) -> Iterable[tuple[Mutant, bool]]:
    """Mutants and whether a test noticed, those that there was time for.

    Raises:
        SystemExit: the tests fail on the code as it is.
    """
    jobs = os.cpu_count() or 1
    folders: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        folders.put(copy_of_everything(scratch / str(number)))
    patience: dict[Sequence[str], float] = {}
    folder = folders.get()
    for files in {MODULES[mutant.module]: None for mutant in mutants}:
        began = time.monotonic()
        if _fails(folder, files):
            sys.exit(f"the tests fail on the code as it is: {' '.join(files)}")
        patience[files] = PATIENCE * (time.monotonic() - began)
    folders.put(folder)

    def attempt(mutant: Mutant) -> bool | None:
        if time.monotonic() > until:
            return None
        folder = folders.get()
        is_killed = is_noticed(folder, mutant, patience[MODULES[mutant.module]])
        folders.put(folder)
        print("killed" if is_killed else "ALIVE ", mutant, flush=True)
        return is_killed

    with ThreadPoolExecutor(jobs) as pool:
        for mutant, is_killed in zip(mutants, pool.map(attempt, mutants), strict=True):
            if is_killed is not None:
                yield mutant, is_killed


def report(tried: dict[Mutant, bool], wanted: int, seconds: float) -> str:
    """The page that tells how many mutants were noticed, and which were not."""
    rows = Counter((mutant.module, is_killed) for mutant, is_killed in tried.items())
    modules = sorted({module for module, _ in rows})
    killed = sum(tried.values())
    alive = sorted(str(mutant) for mutant, is_killed in tried.items() if not is_killed)
    drawn = "all were" if len(tried) == wanted else f"{len(tried)}, drawn at random, were"
    lines = [
        "<!-- Generated by `make mutate`. -->",
        "# Mutation of the money code",
        "",
        "The code is broken on purpose, one small change at a time; a mutant is killed if a test",
        "notices. `scripts/mutate.py` says what is changed and what is not.",
        "",
        (
            f"**{killed} of {len(tried)} mutants killed: {100 * killed / len(tried):.1f} %.** "
            f"There are {wanted}; {drawn} tried, in {seconds / 60:.0f} minutes."
        ),
        "",
        "| module | killed | alive |",
        "|---|---|---|",
        *(f"| `{one}` | {rows[one, True]} | {rows[one, False]} |" for one in modules),
        "",
        "## Alive",
        "",
        *(f"- `{mutant}`" for mutant in alive),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Mutate, write the page; 0 if at least nine of ten mutants were killed."""
    parser = argparse.ArgumentParser(description="Break the money code and see who notices.")
    parser.add_argument("--minutes", type=float, default=600, help="stop after so many")
    parser.add_argument("modules", nargs="*", help="only these")
    wanted = parser.parse_args()
    if unknown := set(wanted.modules) - set(MODULES):
        parser.error(f"not among {', '.join(MODULES)}: {', '.join(sorted(unknown))}")
    mutants = [mutant for name in wanted.modules or MODULES for mutant in mutants_of(name)]
    # In random order, so that a run that is stopped is a fair sample.
    random.Random(5).shuffle(mutants)  # noqa: S311
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        tried = dict(try_all(mutants, Path(scratch), began + wanted.minutes * 60))
    page = report(tried, len(mutants), time.monotonic() - began)
    REPORT.write_text(page, encoding="utf-8")
    print(page)
    return 0 if sum(tried.values()) >= 0.9 * len(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
