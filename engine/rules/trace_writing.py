"""The part of a traced run that writes its trace: one entry for each figure, as Python syntax.

Everything that does not change from case to case (rule, source, formula, names, fixed units) is a
constant of the written function, so that an entry costs little more than its figure.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from decimal import Decimal, Overflow
from typing import TYPE_CHECKING, Any

from contracts.evaluation import NamedValue, TraceEntry
from engine.rules import python_syntax as py
from engine.rules.kinds import CASE_DECIDES, Kind, shown

if TYPE_CHECKING:
    from engine.rules.emission import Emission

#: A conversion that a fact went through: what was written, and what the conversion rests on.
Conversions = Mapping[tuple[str, str | None], tuple[str, str]]
NOTHING_MISSING: tuple[str, ...] = ()
#: Measures whose facts are never converted: plain numbers, percentages, rupees.
_NEVER_CONVERTED = frozenset({None, "1", "INR"})
#: The unit of a whole column whose rows may have different units.
BY_ROW = "as given"


def variable(prefix: str, address: str) -> str:
    """The Python variable of an address."""
    return prefix + address.replace(".", "__")


def percent(share: Decimal | None) -> Decimal | None:
    """A share of 0.0771 as 7.71."""
    try:
        return None if share is None else share.scaleb(2)
    except Overflow:
        # A hundredth of what no number holds: it cannot be written, and the run goes on as untraced.
        return None


def column_of(items: list[Any] | None) -> tuple[Any, ...] | None:
    """A column as the trace holds it."""
    return None if items is None else tuple(items)


def parts_of(outcome: Mapping[str, Any] | None) -> str | None:
    """The outcome of a decision with several parts, as the trace holds it."""
    if outcome is None:
        return None
    return "; ".join(f"{name}: {_part(value)}" for name, value in sorted(outcome.items()))


def _part(value: Any) -> str:
    if value is None:
        return "not known"
    return str(value).lower() if isinstance(value, bool) else str(value)


def percent_column(items: list[Decimal | None] | None) -> tuple[Decimal | None, ...] | None:
    """A column of shares as percentages."""
    return None if items is None else tuple([percent(item) for item in items])


def named(
    conversions: Conversions, key: tuple[str, str | None], name: str, value: Any, unit: str | None
) -> NamedValue:
    """A fact as a formula used it, with what the case says where a unit was converted."""
    found = conversions.get(key)
    if found is None:
        return NamedValue(name, value, unit)
    return NamedValue(name, value, unit, found[0], found[1])


def hit_text(policy: str, count: int, hits: int | list[int] | None) -> str:
    """Which rows of a decision were hit, as a trace's formula."""
    if hits is None or hits == []:
        return f"{policy} of {count} rows: none"
    numbers = [hits] if isinstance(hits, int) else hits
    return f"{policy} of {count} rows: row {', '.join(str(number + 1) for number in numbers)}"


def merged(*parts: tuple[str, ...]) -> tuple[str, ...]:
    """Missing fields of several inputs, each once, sorted."""
    some = [part for part in parts if part]
    if len(some) < 2:
        return some[0] if some else NOTHING_MISSING
    return tuple(sorted({path for part in some for path in part}))


def missing_in_column(
    values: list[Any] | None, missing: list[tuple[str, ...]] | None, table_path: str
) -> tuple[str, ...]:
    """What would make the unknown items of a computed column known."""
    if values is None or missing is None:
        return (table_path,)
    return merged(*[
        part for value, part in zip(values, missing, strict=True) if value is None
    ])  # fmt: skip


def missing_facts(
    values: list[Any] | None, rows: list[str] | None, table_path: str, path: str
) -> tuple[str, ...]:
    """The fields of a column that the case leaves open."""
    if values is None or rows is None:
        return (table_path,)
    return tuple([
        f"{table_path}[{row}].{path}"
        for row, value in zip(rows, values, strict=True)
        if value is None
    ])  # fmt: skip


SCOPE: Mapping[str, Any] = {
    "NamedValue": NamedValue,
    "TraceEntry": TraceEntry,
    "NOTHING_MISSING": NOTHING_MISSING,
    "column_of": column_of,
    "hit_text": hit_text,
    "merged": merged,
    "missing_facts": missing_facts,
    "missing_in_column": missing_in_column,
    "named": named,
    "parts_of": parts_of,
    "percent": percent,
    "percent_column": percent_column,
}


class TraceWriter:
    """Writes the entries of one run function; knows which values are already named."""

    def __init__(self, emission: Emission) -> None:
        self.emission = emission
        self.declared = emission.declared
        self._named: set[str] = set()

    def entry(
        self, address: str, table: str | None, kind: Kind, reads: Mapping[str, str], *,
        rule: str, source: str, formula: ast.expr, unrounded: ast.expr, rounding: str | None,
        given: ast.expr,
    ) -> tuple[list[ast.stmt], list[ast.stmt], set[str]]:  # fmt: skip
        """Statements that write the entry of a figure just computed.

        Returns:
            Statements to stand before the loop over the table's rows, statements to stand behind
            the figure, and further lists that the loop walks.
        """
        before: list[ast.stmt] = []
        behind: list[ast.stmt] = []
        lists: set[str] = set()
        prefix = "r_" if table else ""
        value = py.load(prefix + variable("v_", address))
        unit = self._unit(kind, in_row=bool(table), lists=lists)
        inputs = [
            self._input(name, read, table, before, behind, lists) for name, read in reads.items()
        ]
        missing = self._missing(reads, value, lists)
        behind.append(py.assign(prefix + variable("m_", address), missing))
        written = self._written(kind, many=kind.many)
        field: ast.expr = ast.Constant(address)
        if table:
            row = py.load(f"r_{variable('n_', table)}")
            lists.add(variable("n_", table))
            field = py.joined(f"{table}[", row, f"].{address.partition('.')[2]}")
        entry = py.call(
            "TraceEntry", field, written(value), unit, ast.Constant(rule),
            ast.Constant(source or None), formula, py.tuple_of(inputs), written(unrounded),
            ast.Constant(rounding), written(given), py.load(prefix + variable("m_", address)),
        )  # fmt: skip
        behind.append(ast.Expr(py.call("write", entry)))
        return before, behind, lists

    # ---- units and values ---------------------------------------------------------------------

    def _written(self, kind: Kind, *, many: bool = False) -> Any:
        if kind.type == "context":
            return lambda code: code if code is py.NONE else py.call("parts_of", code)
        if many:
            function = "percent_column" if kind.display == "percent" else "column_of"
            return lambda code: py.call(function, code)
        if kind.display != "percent" or kind.type != "number":
            return lambda code: code
        return lambda code: code if code is py.NONE else py.call("percent", code)

    def _unit(self, kind: Kind, *, in_row: bool, lists: set[str], many: bool = False) -> ast.expr:
        """The unit as the trace writes it."""
        if kind.type != "number":
            written = {"context": "text"}.get(kind.type, kind.type)
            return ast.Constant(written if written in {"text", "boolean", "date"} else None)
        if kind.display not in {"as given", "area of"}:
            return ast.Constant(kind.display or shown(kind.unit))
        owners = [name for name, _ in kind.unit if name.startswith(CASE_DECIDES)]
        decided: dict[str, ast.expr] = {}
        for symbol in owners:
            owner = symbol.removeprefix(CASE_DECIDES)
            name = variable("w_", owner)
            if "." in owner:
                if many or not in_row:
                    return ast.Constant(BY_ROW)
                lists.add(name)
                name = f"r_{name}"
            decided[symbol] = py.load(name)
        (owner,) = owners
        area = ast.BoolOp(ast.Or(), [decided[owner], ast.Constant("sqm")])
        if kind.unit == ((owner, 1),):
            return area
        return ast.BinOp(ast.Constant("INR/"), ast.Add(), area)

    # ---- inputs -------------------------------------------------------------------------------

    def _input(
        self, name: str, read: str, table: str | None, before: list[ast.stmt],
        behind: list[ast.stmt], lists: set[str],
    ) -> ast.expr:  # fmt: skip
        """The NamedValue of an input, made once and kept in a variable."""
        in_row = "row." in name
        kept = ("rz_" if in_row else "z_") + "".join(
            letter if letter.isalnum() else "_" for letter in name.replace(".", "__")
        )
        key = f"{table if in_row else ''} {kept}"
        if key not in self._named or (in_row and not self.emission.in_same_loop(kept)):
            self._named.add(key)
            code = self._named_value(name, read, in_row=in_row, lists=lists)
            if in_row:
                self.emission.note_in_loop(kept)
                behind.append(py.assign(kept, code))
            else:
                before.append(py.assign(kept, code))
        elif in_row:
            self._named_value(name, read, in_row=in_row, lists=lists)
        return py.load(kept)

    def _named_value(self, name: str, read: str, *, in_row: bool, lists: set[str]) -> ast.expr:
        declared = self.declared
        which, _, bare = read.rpartition(" ")
        if bare in declared.tables:
            called = py.call("column_of", py.load(variable("n_", bare)))
            return py.call("NamedValue", ast.Constant(name), called, ast.Constant("text"))
        for number, parameter in enumerate(declared.parameters):
            if parameter.name == read:
                return py.item(py.load("named_parameters"), number)
        kind = declared.kinds[bare]
        many = kind.many or ("." in bare and not in_row)
        prefix = {"": "v_", "given": "g_", "calculated": "k_"}[which]
        variable_name = variable(prefix, bare)
        code: ast.expr = py.load(f"r_{variable_name}" if in_row else variable_name)
        if read == "as_of":
            code = py.load("as_of")
        unit = self._unit(kind, in_row=in_row, lists=lists, many=many)
        value = self._written(kind, many=many)(code)
        used = py.call("NamedValue", ast.Constant(name), value, unit)
        fact = (declared.givens if which == "given" else declared.facts).get(bare)
        if fact is not None and not many and (fact.area_of or fact.measure not in _NEVER_CONVERTED):
            row: ast.expr = py.NONE
            if in_row:
                rows = variable("n_", bare.partition(".")[0])
                lists.add(rows)
                row = py.load(f"r_{rows}")
            key = py.tuple_of([ast.Constant(bare), row])
            used = py.call("named", py.load("conversions"), key, ast.Constant(name), value, unit)
        # What is not known is named alike in every case, so it is named once.
        unknown = py.call("NamedValue", ast.Constant(name), py.NONE, unit)
        if isinstance(unit, ast.Constant):
            unknown = self.emission.constant(
                NamedValue(name, None, None if unit.value is None else str(unit.value))
            )
        return py.choose(py.is_none(code), unknown, used)

    # ---- what is missing ----------------------------------------------------------------------

    def _missing(self, reads: Mapping[str, str], value: ast.expr, lists: set[str]) -> ast.expr:
        """The missing fields of a figure: none if it is known."""
        parts = [
            part
            for name, read in reads.items()
            if (part := self._missing_read(name, read, lists)) is not None
        ]
        found = py.call("merged", *parts) if parts else py.load("NOTHING_MISSING")
        return py.choose(py.is_none(value), found, py.load("NOTHING_MISSING"))

    def _missing_read(self, name: str, read: str, lists: set[str]) -> ast.expr | None:
        declared = self.declared
        which, _, bare = read.rpartition(" ")
        none = py.load("NOTHING_MISSING")
        in_row = "row." in name
        if bare == "as_of":
            return None
        if bare in declared.tables:
            absent = py.is_none(py.load(variable("n_", bare)))
            return py.choose(absent, self._path(declared.tables[bare][1]), none)
        if any(parameter.name == read for parameter in declared.parameters):
            absent = py.is_none(py.load(variable("v_", read)))
            return py.choose(absent, self._path(f"parameters.{read}"), none)
        fact = declared.givens.get(bare) if which == "given" else declared.facts.get(bare)
        prefix = {"": "v_", "given": "g_", "calculated": "v_"}[which]
        code = variable(prefix, bare)
        if fact is not None:
            return self._missing_fact(fact.path, bare, code, in_row=in_row, lists=lists)
        if "." in bare and not in_row:
            base = declared.tables[bare.partition(".")[0]][1]
            return py.call(
                "missing_in_column", py.load(code), py.load(variable("m_", bare)),
                ast.Constant(base),
            )  # fmt: skip
        kept = variable("m_", bare)
        if in_row:
            lists.add(kept)
            kept = f"r_{kept}"
        return py.load(kept)

    def _missing_fact(
        self, path: str, bare: str, code: str, *, in_row: bool, lists: set[str]
    ) -> ast.expr:
        none = py.load("NOTHING_MISSING")
        if "." not in bare:
            return py.choose(py.is_none(py.load(code)), self._path(path), none)
        table = bare.partition(".")[0]
        base, rows = self.declared.tables[table][1], variable("n_", table)
        if not in_row:
            return py.call(
                "missing_facts", py.load(code), py.load(rows), ast.Constant(base),
                ast.Constant(path),
            )  # fmt: skip
        lists.update({rows, code})
        one = py.tuple_of([py.joined(f"{base}[", py.load(f"r_{rows}"), f"].{path}")])
        return py.choose(py.is_none(py.load(f"r_{code}")), one, none)

    def _path(self, path: str) -> ast.expr:
        return self.emission.constant((path,))
