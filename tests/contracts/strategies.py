"""Hypothesis strategies for every model of the contracts, reusable by other pieces.

`instances(Contract)` draws a contract: of each part a few fields, of each table a few rows, so
that every field comes up in time while one example stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args, get_origin

from hypothesis import strategies as st

from contracts.case import Case
from contracts.contract import Contract
from contracts.document import FORBIDDEN
from contracts.evaluation import (
    Evaluation,
    EvidenceMinimum,
    Finding,
    NamedValue,
    ProfileIdentity,
    Readiness,
    RulesetIdentity,
    Suggestion,
    TraceEntry,
)
from contracts.quantities import Quantity, QuantityField, plain
from contracts.shapes import Shape, alternatives, is_model

UNITS: Mapping[str, tuple[str | None, ...]] = {
    "money": ("INR",),
    "percent": ("percent",),
    "area": (None, "sqft", "sqm", "cent", "decimal", "bigha", "sq yd"),
    "rate": (None, "INR/cent", "INR/sqft", "INR/sqm", "INR"),
    "years": ("year", "month"),
    "length": (None, "ft", "m"),
    "measure": (None, "INR", "percent", "sqm", "INR/sqm"),
}

#: Texts that may stand in a contract: no control characters, no halves of characters.
texts = st.text(
    st.characters(exclude_categories=("Cs",)).filter(lambda c: not FORBIDDEN.match(c)),
    max_size=20,
)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)
days = st.dates(date(1900, 1, 1), date(2200, 12, 31))
moments = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))]),
)


@st.composite
def numbers(draw: st.DrawFn, *, least: int | None = None) -> Decimal:
    """Decimals with a scale of their own, as people write them."""
    places = draw(st.integers(0, 12))
    digits = draw(st.integers(10**17 * (-1 if least is None else 0), 10**17))
    return Decimal(digits).scaleb(-places)


@st.composite
def quantities(draw: st.DrawFn, kind: str = "area", *, bare: bool = True) -> Quantity:
    """Quantities of a kind: one term, at times with a place; areas also in several terms.

    With `bare`, some have no unit; a field that gives bare numbers a unit never holds these.
    """
    place = draw(st.none() | st.just("Kerala")) if kind == "area" else None
    if kind == "area" and draw(st.booleans()):
        several = draw(st.lists(st.sampled_from(["bigha", "katha"]), min_size=2, max_size=3))
        return Quantity(tuple((draw(numbers(least=0)), unit) for unit in several), place)
    units = [unit for unit in UNITS[kind] if unit or bare]
    return Quantity(((draw(numbers()), draw(st.sampled_from(units))),), place)


def _of_type(base: Any, metadata: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    for item in metadata:
        if isinstance(item, QuantityField):
            return quantities(item.kind, bare=item.default_unit is None)
    pattern = next((p for item in metadata if (p := getattr(item, "pattern", None))), None)
    least = next((g for item in metadata if (g := getattr(item, "ge", None)) is not None), None)
    most = next((g for item in metadata if (g := getattr(item, "le", None)) is not None), None)
    if base is str:
        if pattern:
            return st.from_regex(pattern.strip("^$"), fullmatch=True).filter(
                lambda text: len(text) <= 64 and text.isascii()
            )
        shortest = next((m for i in metadata if (m := getattr(i, "min_length", None))), 0)
        if any(type(item).__name__ == "WithJsonSchema" for item in metadata):
            return st.sampled_from(["evidence/front.jpg", "deed.pdf", "a/b/ü 1.png"])
        return texts.filter(lambda text: len(text) >= shortest)
    if base is bool:
        return st.booleans()
    if base is int:
        return st.integers(0 if least is None else least, 10**6 if most is None else most)
    if base is Decimal:
        if most is not None:
            return st.decimals(least, most, places=3, allow_nan=False)
        return numbers()
    if base is date:
        return days
    if base is datetime:
        return moments
    raise AssertionError(f"no strategy for {base}")


def _of_shape(shape: Shape) -> st.SearchStrategy[Any]:
    base, metadata = shape
    origin: Any = get_origin(base)
    arguments = get_args(base)
    if is_model(base):
        return instances(base)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*(values(tuple(alternatives(entry))) for entry in arguments))
    if origin is tuple:
        entries = values(tuple(alternatives(arguments[0])))
        return st.lists(entries, max_size=3, unique_by=_name_of).map(tuple)
    if origin is dict and arguments[1] is Any:
        return st.dictionaries(
            texts, st.booleans() | texts | st.lists(texts, max_size=2), max_size=2
        )
    if origin is dict:
        return st.dictionaries(texts, values(tuple(alternatives(arguments[1]))), max_size=2)
    return _of_type(base, metadata)


def _name_of(entry: Any) -> Any:
    """What must differ between the entries of a list: the name of a row or of evidence."""
    name = getattr(entry, "id", None) or getattr(entry, "key", None)
    return id(entry) if name is None else name


def values(shapes: tuple[Shape, ...]) -> st.SearchStrategy[Any]:
    """Values of any of some shapes."""
    return st.one_of([_of_shape(shape) for shape in shapes])


@cache
def instances(model: Any) -> st.SearchStrategy[Any]:
    """Instances of a model, with a few of its optional fields."""
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        shapes = tuple(alternatives(field.annotation, tuple(field.metadata)))
        (required if field.is_required() else optional)[field.alias or name] = st.deferred(
            lambda shapes=shapes: values(shapes)
        )

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        some = draw(st.sets(st.sampled_from(sorted(optional)), max_size=4)) if optional else set()
        raw = {name: draw(strategy) for name, strategy in required.items()}
        raw |= {name: draw(optional[name]) for name in sorted(some)}
        return model.model_validate(raw)

    return drawn()


contracts = instances(Contract)
cases = instances(Case)

#: Values with the unit that says how to read them back.
valued = st.one_of(
    st.tuples(numbers(), st.sampled_from(["INR", "percent", "number", "INR/sqm"])),
    st.tuples(st.lists(st.none() | numbers(), max_size=3).map(tuple), st.just("INR")),
    st.tuples(days, st.just("date")),
    st.tuples(texts, st.sampled_from(["text", None])),
    st.tuples(st.booleans(), st.sampled_from(["boolean", None])),
    st.tuples(st.none(), st.sampled_from(["INR", "text", None])),
)


@st.composite
def named_values(draw: st.DrawFn) -> NamedValue:
    """Inputs of a trace entry, or values of a finding."""
    value, unit = draw(valued)
    return NamedValue(draw(texts), value, unit, draw(st.none() | texts), draw(st.none() | texts))


@st.composite
def trace_entries(draw: st.DrawFn) -> TraceEntry:
    """Entries whose value, unrounded value and given value have one unit."""
    value, unit = draw(valued)
    other = st.none() | st.just(value)
    return TraceEntry(
        field=draw(texts),
        value=value,
        unit=unit,
        rule=draw(texts),
        source=draw(st.none() | texts),
        formula=draw(st.none() | texts),
        inputs=tuple(draw(st.lists(named_values(), max_size=2))),
        unrounded=draw(other),
        rounding=draw(st.none() | texts),
        given=draw(other),
        missing=tuple(draw(st.lists(texts, max_size=2))),
    )


findings = st.builds(
    Finding,
    code=texts,
    name=texts,
    severity=st.sampled_from(["note", "warning", "error"]),
    outcome=st.sampled_from(["pass", "fail", "not_applicable", "review", "open", "informational"]),
    message=texts,
    remedy=st.none() | texts,
    fields=st.lists(texts, max_size=2).map(tuple),
    values=st.lists(named_values(), max_size=2).map(tuple),
    rule=st.none() | texts,
    source=st.none() | texts,
)
_some_texts = st.lists(texts, max_size=2).map(tuple)
readinesses = st.builds(
    Readiness,
    ready=st.booleans(),
    completeness_score=st.integers(0, 100),
    missing_fields=_some_texts,
    missing_evidence=_some_texts,
    missing_field_evidence_links=_some_texts,
    warnings=_some_texts,
    required_evidence_minimums=st.lists(
        st.builds(EvidenceMinimum, texts, texts, st.integers(0, 9), st.integers(0, 9)), max_size=2
    ).map(tuple),
    blocking_findings=_some_texts,
    suggestions=st.lists(st.builds(Suggestion, texts, texts, texts, _some_texts), max_size=2).map(
        tuple
    ),
)
evaluations = st.builds(
    Evaluation,
    as_of=st.none() | days,
    ruleset=st.builds(RulesetIdentity, texts, st.integers(1, 99), texts),
    profile=st.builds(ProfileIdentity, texts, st.integers(1, 99), texts, texts),
    contract=contracts,
    findings=st.lists(findings, max_size=2).map(tuple),
    readiness=readinesses,
    trace=st.lists(trace_entries(), max_size=2).map(tuple),
)

#: JSON values whose numbers are decimals, as the readers give them.
json_values = st.recursive(
    st.none() | st.booleans() | texts | numbers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def json_text(value: Any) -> str:
    """A JSON text of a value, decimals written as bare numbers."""
    import json

    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        members = ", ".join(f"{json.dumps(key)}: {json_text(v)}" for key, v in value.items())
        return f"{{{members}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(json_text, value))}]"
    return json.dumps(value)
