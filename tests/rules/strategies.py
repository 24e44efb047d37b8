"""Contracts that give a rule set something to compute: the paths it reads, filled in."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st

from contracts.case import Case
from contracts.contract import Contract
from contracts.quantities import Quantity
from engine.rules.compiled import CompiledRuleSet
from engine.rules.contract_paths import look_up
from tests.contracts.strategies import days, numbers

_WIDE = Context(prec=40)
_UNITS = {
    "money": ["INR"],
    "percent": ["percent"],
    "area": ["sqm", "sqft", "sqft", "cent", "acre", "hectare", "bigha", "sq yd", None],
    "rate": ["INR/sqm", "INR/sqft", "INR/sqft", "INR/cent", "INR/acre", "INR/bigha", "INR", None],
    "years": ["year", "month"],
    "length": ["ft", "m", None],
    "measure": ["INR", "percent", None],
}
#: What cases really hold, what lies at an edge, and what nobody would write.
figures = st.one_of(
    st.integers(0, 99).map(Decimal),
    st.integers(0, 10**8).map(lambda n: Decimal(n).scaleb(-2)),
    st.integers(0, 10**9).map(Decimal),
    st.sampled_from(["0", "0.00", "1", "49999999", "50000000", "50000001", "0.01"]).map(Decimal),
    numbers(),
    st.integers(-(10**34) + 1, 10**34 - 1).map(lambda n: Decimal(n).scaleb(-12, _WIDE)),
    st.integers(10**23, 10**24 - 1).map(Decimal),
)


@st.composite
def quantities(draw: st.DrawFn, kind: str) -> Quantity:
    """A figure with a unit of its kind, now and then one that does not fit or is missing."""
    return Quantity(((draw(figures), draw(st.sampled_from(_UNITS[kind]))),))


def _leaf(path: str, model: Any) -> st.SearchStrategy[Any]:
    leaf = look_up(path, model)
    if leaf.options:
        return st.sampled_from(leaf.options)
    if leaf.kind in _UNITS:
        return quantities(leaf.kind)
    return {
        "text": st.sampled_from(["land", "building", "A", " ", "SBI", "Canara Bank, Patna"]),
        "boolean": st.booleans(),
        "date": days,
        "number": st.integers(0, 60),
        "list of text": st.lists(st.sampled_from(["A", "B", ""]), max_size=3),
        "list of date": st.lists(days, max_size=3),
    }[leaf.kind]


def _put(tree: dict[str, Any], path: str, value: Any) -> None:
    *parts, last = path.split(".")
    for part in parts:
        tree = tree.setdefault(part, {})
    tree[last] = value


def contracts_for(compiled: CompiledRuleSet) -> st.SearchStrategy[Contract]:
    """Contracts in which some of the facts that a rule set reads are given."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Contract:
        return _contract(draw, compiled)

    return drawn()


def _contract(draw: st.DrawFn, compiled: CompiledRuleSet) -> Contract:
    paths = sorted({fact.path for fact in compiled.plan.scalars})
    raw: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(paths), max_size=14, unique=True)):
        _put(raw, path, draw(_leaf(path, Contract)))
    tables: dict[str, set[str]] = {}
    for table in compiled.plan.tables:
        tables.setdefault(table.path, set()).update(fact.path for fact in table.columns)
    some = (
        draw(st.lists(st.sampled_from(sorted(tables)), max_size=3, unique=True)) if tables else []
    )
    for path in some:
        row_model = look_up(path).row
        rows = []
        for number in range(draw(st.integers(0, 3))):
            row: dict[str, Any] = {} if draw(st.booleans()) else {"id": f"r{number}"}
            names = sorted(tables[path] - {"id"})
            needed = [n for n, f in row_model.model_fields.items() if f.is_required()]
            chosen = draw(st.lists(st.sampled_from(names), max_size=6, unique=True))
            for column in dict.fromkeys([*needed, *chosen]):
                _put(row, column, draw(_leaf(column, row_model)))
            rows.append(row)
        _put(raw, path, rows)
    place = draw(st.sampled_from([None, ("Kerala", None), ("Bihar", "Patna"), ("Nowhere", "X")]))
    if place is not None:
        raw.setdefault("property", {}).update(
            {key: text for key, text in zip(("state", "district"), place, strict=True) if text}
        )
    raw.setdefault("meta", {}).setdefault("report_type", "VALUATION")
    # As a file would say it: a field that names its unit gives it to bare numbers.
    written = Contract.model_validate(raw).model_dump(mode="json")
    return Contract.model_validate(written)


def cases_for(compiled: CompiledRuleSet) -> st.SearchStrategy[Case]:
    """Cases evaluated with one rule set, on any day or none."""
    return st.builds(
        lambda contract, as_of: Case(
            case="drawn", contract=contract, ruleset=compiled.resolved.reference, as_of=as_of
        ),
        contracts_for(compiled),
        st.none() | days,
    )
