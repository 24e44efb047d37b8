"""Figures of many cases at once: polars over scaled whole numbers, the reference where it must be.

`plan_portfolio` decides once for a rule set which figures can be carried, with a proof that no
step overflows or loses a digit, and names the others with the reason. `load_portfolio` turns the
facts of the cases into columns, `evaluate_portfolio` computes. A fact beyond what the proof rests on (too large,
too many decimals), and a figure that grows beyond what is kept between two steps, sends the
figures that read it in that case, and only those, to the reference. So every figure that comes
back is the one that the reference gives.

Nothing imports this module until a portfolio is evaluated: it loads polars.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import polars as pl

from engine.rounding import ARITHMETIC
from engine.rules import scaled_columns as scaled
from engine.rules.portfolio_plan import (
    MOST_ROWS,
    ColumnSum,
    ComputedColumn,
    FactColumn,
    PortfolioCase,
    PortfolioPlan,
    plan_portfolio,
    table_of,
)

__all__ = [
    "LoadedPortfolio",
    "PortfolioCase",
    "PortfolioFigures",
    "PortfolioPlan",
    "evaluate_portfolio",
    "load_portfolio",
    "plan_portfolio",
]

# Names that no rule set can have.
_CASE, _NULLS = "#case", "#nulls"


@dataclass(frozen=True, slots=True)
class LoadedPortfolio:
    """The facts of many cases as columns: one frame for the cases, one for each table's rows."""

    plan: PortfolioPlan
    cases: tuple[PortfolioCase, ...]
    frames: Mapping[str | None, pl.DataFrame] = field(repr=False)

    def with_parameters(self, changes: Mapping[str, Decimal | None]) -> LoadedPortfolio:
        """The same cases with other parameters, to see what a change would do.

        Raises:
            KeyError: the rule set has no such parameter.
        """
        positions = {item.name: i for i, item in enumerate(self.plan.compiled.parameters)}
        changed = {positions[name]: value for name, value in changes.items()}
        cases = tuple(
            replace(
                case,
                parameters=[changed.get(i, value) for i, value in enumerate(case.parameters)],
            )
            for case in self.cases
        )
        columns = [self.plan.loaded[name] for name in changes if name in self.plan.loaded]
        series = [
            part for column in columns for part in _series(column, [column.read(c) for c in cases])
        ]
        frame = self.frames[None].with_columns(series)
        return LoadedPortfolio(self.plan, cases, {**self.frames, None: frame})


@dataclass(frozen=True, slots=True)
class PortfolioFigures:
    """The figures asked for.

    `values` has for each figure one value per case, a list of them for a figure of a table;
    `by_reference` the numbers of the cases in which the reference had to compute it.
    """

    values: Mapping[str, Sequence[Any]]
    by_reference: Mapping[str, frozenset[int]]


# ---- loading ------------------------------------------------------------------------------------


def load_portfolio(plan: PortfolioPlan, cases: Sequence[PortfolioCase]) -> LoadedPortfolio:
    """The facts of the cases as columns: numbers scaled, or marked where the proof does not hold.

    This is what takes the time; once loaded, a portfolio is evaluated again and again.
    """
    tables = [table.name for table in plan.compiled.plan.tables]
    counts = {name: [_count(case, name) for case in cases] for name in tables}
    scalars = [pl.Series(_CASE, range(len(cases)), dtype=pl.Int64)]
    for name, found in counts.items():
        unfit = [count is not None and count > MOST_ROWS for count in found]
        scalars.append(pl.Series(f"count {name}", found, dtype=pl.Int64))
        scalars.append(pl.Series(_unfit(f"count {name}"), unfit, dtype=pl.Boolean))
    for column in plan.loaded.values():
        if table_of(column.name) is None:
            scalars += _series(column, [column.read(case) for case in cases])
    frames: dict[str | None, pl.DataFrame] = {None: pl.DataFrame(scalars)}
    for name in tables:
        rows = [number for number, count in enumerate(counts[name]) for _ in range(count or 0)]
        series = [pl.Series(_CASE, rows, dtype=pl.Int64)]
        for column in plan.loaded.values():
            if table_of(column.name) == name:
                series += _series(
                    column, [item for case in cases for item in column.read(case) or ()]
                )
        frames[name] = pl.DataFrame(series)
    return LoadedPortfolio(plan, tuple(cases), frames)


def _count(case: PortfolioCase, table: str) -> int | None:
    rows = case.facts.rows[table]
    return None if rows is None else len(rows)


def _series(column: FactColumn, values: Sequence[Any]) -> list[pl.Series]:
    """The values of a column, and where they are not fit for it."""
    kind = {"number": pl.Int64, "boolean": pl.Boolean, "date": pl.Date}.get(column.type, pl.String)
    unfit = [False] * len(values)
    if column.type == "number":
        carried: list[int | None] = []
        for position, value in enumerate(values):
            whole = None if value is None else scaled.scaled_exactly(value, column.scale)
            if whole is not None and abs(whole) > column.bound:
                whole = None
            unfit[position] = whole is None and value is not None
            carried.append(whole)
        values = carried
    return [
        pl.Series(column.name, values, dtype=kind),
        pl.Series(_unfit(column.name), unfit, dtype=pl.Boolean),
    ]


def _unfit(name: str) -> str:
    """The column that says where another one cannot be used."""
    return f"unfit {name}"


# ---- evaluating ---------------------------------------------------------------------------------


def evaluate_portfolio(
    loaded: LoadedPortfolio, figures: Iterable[str] | None = None
) -> PortfolioFigures:
    """The figures of all cases, each exactly as the reference gives it.

    Args:
        loaded: from `load_portfolio`.
        figures: which ones; without it, those that run in polars. One that the plan leaves out is
            computed by the reference in every case.

    Raises:
        KeyError: the rule set has no such figure.
    """
    wanted = list(loaded.plan.figures if figures is None else figures)
    run = _Run(loaded)
    for computed in _needed(loaded.plan, wanted):
        run.compute(computed)
    values: dict[str, Sequence[Any]] = {}
    by_reference: dict[str, frozenset[int]] = {}
    for name in wanted:
        values[name], by_reference[name] = run.figure(name)
    return PortfolioFigures(values, by_reference)


def _needed(plan: PortfolioPlan, wanted: Iterable[str]) -> list[ComputedColumn]:
    """What has to be computed for these figures, in order."""
    names = {name for name in wanted if name in plan.figures}
    found: list[ComputedColumn] = []
    for computed in reversed(plan.computed):
        if computed.name in names:
            names.update(computed.reads, [item.column for item in computed.sums])
            found.append(computed)
    return found[::-1]


class _Run:
    """The columns of a portfolio while they are computed: one frame for the cases, one a table."""

    def __init__(self, loaded: LoadedPortfolio) -> None:
        self.plan = loaded.plan
        self.cases = loaded.cases
        self.frames = dict(loaded.frames)
        self.references: dict[int, Sequence[Any]] = {}

    def compute(self, computed: ComputedColumn) -> None:
        """Add a figure's column, null and marked where it is beyond what is kept."""
        for item in computed.sums:
            self._add_up(item)
        frame = self.frames[computed.table]
        if computed.table is not None:
            frame = self._with_scalars(frame, computed.reads)
        name, number = computed.name, computed.number
        frame = frame.with_columns(number.over.alias(name))
        unfit = [pl.col(_unfit(read)) for read in computed.reads]
        value = pl.col(name)
        if number.bound > computed.kept:
            unfit.append((value.abs() > computed.kept).fill_null(value=False))
            value = pl.when(value.abs() <= computed.kept).then(value)
        beyond = pl.any_horizontal(unfit) if unfit else pl.lit(value=False)
        self.frames[computed.table] = frame.with_columns(
            value.cast(pl.Int64).alias(name), beyond.alias(_unfit(name))
        )

    def _with_scalars(self, frame: pl.DataFrame, reads: Iterable[str]) -> pl.DataFrame:
        """The frame of a table with what its formula reads of the case."""
        cases = self.frames[None]
        needed = [
            column
            for read in reads
            if table_of(read) is None
            for column in (read, _unfit(read))
            if column not in frame.columns
        ]
        return frame.with_columns([cases[column].gather(frame[_CASE]) for column in needed])

    def _add_up(self, item: ColumnSum) -> None:
        """The sum of a column per case: 0 without rows, null where a row or the table is."""
        cases = self.frames[None]
        if item.name in cases.columns:
            return
        count = pl.col(f"count {item.table}")
        sums = (
            self.frames[item.table]
            .group_by(_CASE)
            .agg(
                item.over.alias(item.name),
                pl.col(item.column).null_count().alias(_NULLS),
                pl.col(_unfit(item.column)).any().alias(_unfit(item.name)),
            )
        )
        unfit = pl.col(_unfit(item.name)).fill_null(value=False)
        total = pl.when(count == 0).then(0).when(pl.col(_NULLS) == 0).then(pl.col(item.name))
        self.frames[None] = (
            cases.join(sums, on=_CASE, how="left", maintain_order="left")
            .with_columns(
                total.alias(item.name),
                (unfit | pl.col(_unfit(f"count {item.table}"))).alias(_unfit(item.name)),
            )
            .drop(_NULLS)
        )

    def figure(self, name: str) -> tuple[list[Any], frozenset[int]]:
        """A figure of every case, and the cases that the reference computed."""
        slot = self.plan.compiled.slots[name]
        if name not in self.plan.figures:
            whole = [self._reference(number)[slot] for number in range(len(self.cases))]
            return whole, frozenset(range(len(self.cases)))
        table, scale = table_of(name), self.plan.figures[name]
        frame = self.frames[table]
        found: list[Any] = [
            None if value is None else Decimal(value).scaleb(-scale)
            for value in frame[name].to_list()
        ]
        if table is not None:
            rows = zip(frame[_CASE].to_list(), found, strict=True)
            found = [None if _count(case, table) is None else [] for case in self.cases]
            for number, value in rows:
                found[number].append(value)
        unfit = frozenset(frame.filter(pl.col(_unfit(name)))[_CASE].to_list())
        for number in unfit:
            found[number] = self._reference(number)[slot]
        return found, unfit

    def _reference(self, number: int) -> Sequence[Any]:
        """The slots of a case as the reference computes them."""
        slots = self.references.get(number)
        if slots is None:
            case, compiled = self.cases[number], self.plan.compiled
            rows = [case.facts.rows[table.name] for table in compiled.plan.tables]
            with decimal.localcontext(ARITHMETIC):
                slots, _ = compiled.run(case.facts.values, case.parameters, case.as_of, rows)
            self.references[number] = slots
        return slots
