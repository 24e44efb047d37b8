"""Which figures of a rule set can be computed for many cases at once, and the proof that they can.

Every column's decimals and bound are worked out from what the rule set declares: bounds of inputs,
values of parameters, steps of roundings. What cannot be proved is named with the reason and left
to the reference. Loading and computing is in `portfolio`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from engine.feel import nodes
from engine.feel.parser import parse_expression
from engine.rounding import Rounding, parse_rounding
from engine.rules import scaled_columns as scaled
from engine.rules.compiled import CompiledParameter, CompiledRuleSet, Step
from engine.rules.expressions import OWN_FUNCTIONS, as_condition
from engine.rules.inputs import Fact, Facts
from engine.rules.kinds import Kind
from engine.rules.scaled_columns import NotProved, Number

#: Kept between two steps; it fits 64 bits, and leaves room to calculate on.
_KEPT = 10**18
#: What a fact without declared bounds may be, in its scaled whole numbers; and a share of one.
_UNDECLARED = 10**15
_LARGEST_SHARE = 100
#: A bound of an area or rate is declared by the square metre. In the case's own unit the number may
#: be larger: an area by 10.76 in square feet.
_OWN_UNIT = 11
#: A case with more rows in a table is the reference's.
MOST_ROWS = 1000
#: Decimals that a fact is carried with: a square foot is 0.09290304 square metres.
_MONEY, _SHARE, _SQUARE, _NUMBER, _OTHER = 2, 4, 8, 6, 4


@dataclass(frozen=True, slots=True)
class PortfolioCase:
    """What the reference would be given for one case; parameters in the set's order."""

    facts: Facts
    parameters: Sequence[Decimal | None]
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class FactColumn:
    """A fact, parameter or date to load; numbers with their scale and bound."""

    name: str
    type: str
    scale: int
    bound: int
    read: Callable[[PortfolioCase], Any]


@dataclass(frozen=True, slots=True)
class ColumnSum:
    """The sum of a column of a table, per case."""

    table: str
    column: str
    over: pl.Expr

    @property
    def name(self) -> str:
        """The column that holds it."""
        return f"total {self.column}"


@dataclass(frozen=True, slots=True)
class ComputedColumn:
    """A figure to compute, what must be at hand for it, and how large it may be to be kept."""

    name: str
    table: str | None
    number: Number
    kept: int
    reads: tuple[str, ...]
    sums: tuple[ColumnSum, ...]


@dataclass(frozen=True, slots=True)
class PortfolioPlan:
    """Which figures of a rule set run in polars, and why the others do not."""

    compiled: CompiledRuleSet
    #: The figures that run in polars, each with its decimals.
    figures: Mapping[str, int]
    #: The others, each with the reason.
    left_out: Mapping[str, str]
    loaded: Mapping[str, FactColumn] = field(repr=False)
    computed: tuple[ComputedColumn, ...] = field(repr=False)


def table_of(name: str) -> str | None:
    """The table of a column's name, with `given` or `calculated` before it or not."""
    table, dot, _ = name.rpartition(" ")[2].partition(".")
    return table if dot and not name.startswith(("total ", "count ")) else None


# ---- planning -----------------------------------------------------------------------------------


def plan_portfolio(compiled: CompiledRuleSet) -> PortfolioPlan:
    """What of a rule set can be computed in polars, proved from its bounds and roundings."""
    planning = _Planning(compiled)
    for step in compiled.steps:
        try:
            planning.step(step)
        except NotProved as reason:
            planning.left_out[step.address] = str(reason)
    figures = {name: planning.kept[name].scale for name in planning.figures}
    return PortfolioPlan(
        compiled, figures, planning.left_out, planning.loaded, tuple(planning.computed)
    )


class _Planning:
    """A plan while it grows, step by step in the order of computing."""

    def __init__(self, compiled: CompiledRuleSet) -> None:
        self.compiled = compiled
        self.names = frozenset(name for name in compiled.kinds if "." not in name)
        self.names |= compiled.plan_tables | OWN_FUNCTIONS | {"row"}
        self.sources = {column.name: column for column in _sources(compiled)}
        self.loaded: dict[str, FactColumn] = {}
        self.kept: dict[str, Number] = {}
        self.computed: list[ComputedColumn] = []
        self.figures: list[str] = []
        self.left_out: dict[str, str] = {}

    def step(self, step: Step) -> None:
        """Plan a figure.

        Raises:
            NotProved: it cannot be carried.
        """
        if step.is_decision:
            raise NotProved("it is a decision table")
        if step.kind.type != "number" or step.kind.many:
            raise NotProved("it is not a number")
        formula = _Formula(self, step.table)
        rounding, fault = parse_rounding(step.rounding)
        assert fault is None
        node = parse_expression(step.formula, self.names)
        number = (
            scaled.ended(formula.number(node))
            if rounding is None
            else formula.rounded(node, rounding)
        )
        if step.given_slot is not None:
            calculated = f"calculated {step.address}"
            self.keep(calculated, number, formula)
            formula = _Formula(self, step.table)
            given = formula.column(f"given {step.address}")
            assert isinstance(given, Number)
            own = formula.column(calculated)
            assert isinstance(own, Number)
            number = scaled.first_known([given, own])
        self.keep(step.address, number, formula)
        self.figures.append(step.address)

    def keep(self, name: str, number: Number, formula: _Formula) -> None:
        """Compute a number here, and let later formulas read it."""
        sums = tuple(formula.sums.values())
        most = _KEPT
        if self.compiled.kinds[name.rpartition(" ")[2]].display == "percent":
            most = min(most, _LARGEST_SHARE * 10**number.scale)
        kept = Number(pl.col(name), number.scale, min(number.bound, most))
        self.computed.append(
            ComputedColumn(name, formula.table, number, kept.bound, tuple(formula.reads), sums)
        )
        self.kept[name] = kept


def _sources(compiled: CompiledRuleSet) -> Iterable[FactColumn]:
    """Everything that a formula may read and no formula computes."""
    given = {step.address for step in compiled.steps if step.given_slot is not None}
    facts = [
        *compiled.plan.scalars,
        *(fact for table in compiled.plan.tables for fact in table.columns),
    ]
    for position, fact in enumerate(facts):
        name = f"given {fact.address}" if fact.address in given else fact.address
        kind = compiled.kinds[fact.address]
        if kind.many or fact.type not in {"number", "text", "unit", "boolean", "date"}:
            continue
        scale, bound = _range(fact, kind) if fact.type == "number" else (0, 0)
        yield FactColumn(name, fact.type, scale, bound, _fact_reader(position))
    for position, parameter in enumerate(compiled.parameters):
        scale, bound = _range_of_parameter(parameter)
        yield FactColumn(parameter.name, "number", scale, bound, _parameter_reader(position))
    yield FactColumn("as_of", "date", 0, 0, lambda case: case.as_of)


def _fact_reader(position: int) -> Callable[[PortfolioCase], Any]:
    return lambda case: case.facts.values[position]


def _parameter_reader(position: int) -> Callable[[PortfolioCase], Any]:
    return lambda case: case.parameters[position]


def _range(fact: Fact, kind: Kind) -> tuple[int, int]:
    """The decimals of a fact, and how large its scaled whole numbers may be."""
    units = dict(kind.unit)
    as_given = fact.as_given is not None or fact.area_of is not None
    scale = _OTHER
    if "INR" in units:
        scale = _MONEY
    elif kind.display == "percent":
        scale = _SHARE
    elif not units:
        scale = _NUMBER
    elif 2 in units.values() and not as_given:
        scale = _SQUARE
    if fact.most is None:
        return scale, _LARGEST_SHARE * 10**scale if kind.display == "percent" else _UNDECLARED
    most = max(abs(fact.most), abs(fact.least or fact.most))
    bound = int(most.scaleb(scale) * (_OWN_UNIT if as_given else 1)) + 1
    return scale, min(bound, _KEPT)


def _range_of_parameter(parameter: CompiledParameter) -> tuple[int, int]:
    """As its history has it, with room for what a case may state instead."""
    values = [entry.value for entry in parameter.entries if entry.value is not None]
    if not values:
        return _NUMBER, _UNDECLARED
    exponents = [value.as_tuple().exponent for value in values]
    scale = 2 + max(-exponent if isinstance(exponent, int) else 0 for exponent in [0, *exponents])
    whole_digits = max(0, *[value.adjusted() + 1 for value in values])
    return scale, min(10 ** (whole_digits + scale), _KEPT)


# ---- formulas -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Other:
    """A column that is no number: text, boolean, date; or null."""

    type: str
    column: pl.Expr


_ORDERS: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "=": lambda left, right: left.eq_missing(right),
    "!=": lambda left, right: left.ne_missing(right),
}


class _Formula:
    """One formula on its way to an expression of polars; notes the columns that it reads."""

    def __init__(self, planning: _Planning, table: str | None) -> None:
        self.planning = planning
        self.table = table
        self.reads: dict[str, None] = {}
        self.sums: dict[str, ColumnSum] = {}

    def number(self, node: nodes.Node) -> Number:
        """The expression as a number.

        Raises:
            NotProved: it is none, or cannot be carried.
        """
        found = self.value(node)
        if isinstance(found, Number):
            return found
        if found.type == "null":
            return scaled.unknown()
        raise NotProved(f"it uses a {found.type} as a number")

    def value(self, node: nodes.Node) -> Number | _Other:
        """The expression, whatever it is."""
        match node:
            case nodes.Literal():
                return _literal(node.value)
            case nodes.Name():
                return self.column(node.name)
            case nodes.Path(operand=nodes.Name(name="row")):
                return self.column(f"{self.table}.{node.name}")
            case nodes.Negation():
                return scaled.add(Number(scaled.whole(0), 0, 0), self.number(node.operand), -1)
            case nodes.Arithmetic():
                return self._arithmetic(node)
        chosen = self._chosen(node, self.number)
        if chosen is not None:
            return chosen
        if isinstance(node, nodes.Call) and isinstance(node.function, nodes.Name):
            return self._call(node.function.name, node)
        if isinstance(node, nodes.Path):
            raise NotProved("it reads a part of something")
        raise NotProved(f"it has what is not carried: {type(node).__name__}")

    def rounded(self, node: nodes.Node, rounding: Rounding) -> Number:
        """The expression, rounded.

        Rounding never turns an order around, so what is chosen among numbers may be rounded before
        it is chosen: then each may be a quotient.
        """
        chosen = self._chosen(node, lambda part: self.rounded(part, rounding))
        return scaled.rounded(self.number(node), rounding) if chosen is None else chosen

    def _chosen(self, node: nodes.Node, of: Callable[[nodes.Node], Number]) -> Number | None:
        """The expression if it only chooses among others, which `of` makes numbers."""
        match node:
            case nodes.If():
                test = self.condition(node.condition)
                return scaled.choose(test, of(node.consequent), of(node.alternative))
            case nodes.Call(function=nodes.Name(name="first known"), arguments=parts):
                return scaled.first_known([of(part) for part in parts])
            case nodes.Call(function=nodes.Name(name="least known"), arguments=parts):
                return scaled.extreme([of(part) for part in parts], least=True, known_only=True)
            case nodes.Call(function=nodes.Name(name="min" | "max" as name), arguments=parts):
                if len(parts) > 1:
                    numbers = [of(part) for part in parts]
                    return scaled.extreme(numbers, least=name == "min", known_only=False)
        return None

    def _arithmetic(self, node: nodes.Arithmetic) -> Number:
        if node.operator not in {"+", "-", "*", "/"}:
            raise NotProved(f"it calculates with '{node.operator}'")
        left, right = self.number(node.left), self.number(node.right)
        if node.operator == "*":
            return scaled.multiply(left, right)
        if node.operator == "/":
            return scaled.divide(left, right)
        return scaled.add(left, right, 1 if node.operator == "+" else -1)

    def _call(self, name: str, node: nodes.Call) -> Number | _Other:
        match name, node.arguments:
            case "given" | "calculated", (argument,):
                return self.column(f"{name} {self._address(argument)}")
            case "total", (nodes.Path(operand=nodes.Name(name=table)) as path,):
                return self._total(table, f"{table}.{path.name}")
            case "count", (nodes.Path(operand=nodes.Name(name=table)),):
                self._check_table(table)
                count = f"count {table}"
                self.reads[count] = None
                return Number(pl.col(count), 0, MOST_ROWS)
            case "abs", (argument,):
                return scaled.absolute(self.number(argument))
        raise NotProved(f"it calls '{name}'")

    def _total(self, table: str, column: str) -> Number:
        self._check_table(table)
        carried = self._carried(column)
        if not isinstance(carried, Number):
            raise NotProved(f"it adds up '{column}', which is not a number")
        over = scaled.total(carried, MOST_ROWS)
        found = ColumnSum(table, column, over.over)
        self.sums[found.name] = found
        self.reads[found.name] = None
        return Number(pl.col(found.name), over.scale, over.bound)

    def _check_table(self, table: str) -> None:
        if table not in self.planning.compiled.plan_tables:
            raise NotProved(f"it reads '{table}', which is no table")
        if self.table is not None:
            raise NotProved("it adds up a table for each row of one")

    def _address(self, node: nodes.Node) -> str:
        match node:
            case nodes.Name():
                return node.name
            case nodes.Path(operand=nodes.Name(name="row")):
                return f"{self.table}.{node.name}"
        raise NotProved("it reads a whole column")

    def column(self, name: str) -> Number | _Other:
        """A fact, parameter or figure by its name.

        Raises:
            NotProved: there is no such column.
        """
        found = self._carried(name)
        self.reads[name] = None
        return found

    def _carried(self, name: str) -> Number | _Other:
        planning = self.planning
        if name in planning.kept:
            return planning.kept[name]
        source = planning.sources.get(name)
        if source is None:
            raise NotProved(f"it reads '{name}', which is not carried")
        planning.loaded[name] = source
        if source.type == "number":
            return Number(pl.col(name), source.scale, source.bound)
        return _Other("text" if source.type == "unit" else source.type, pl.col(name))

    # ---- conditions ---------------------------------------------------------------------------

    def condition(self, node: nodes.Node) -> pl.Expr:
        """True, false or null, as in FEEL; polars has the same three-valued `and` and `or`."""
        match node:
            case nodes.Conjunction():
                return self.condition(node.left) & self.condition(node.right)
            case nodes.Disjunction():
                return self.condition(node.left) | self.condition(node.right)
            case nodes.Between():
                low = nodes.Comparison(">=", node.operand, node.low)
                high = nodes.Comparison("<=", node.operand, node.high)
                return self.condition(nodes.Conjunction(low, high))
            case nodes.Comparison():
                return self._comparison(node)
            case nodes.In():
                return self._in(node)
        found = self.value(node)
        if isinstance(found, Number) or found.type != "boolean":
            raise NotProved("its condition is not a comparison")
        return found.column

    def _in(self, node: nodes.In) -> pl.Expr:
        tests = [as_condition(test, node.operand) for test in node.tests]
        if not tests or None in tests:
            raise NotProved("it tests by more than comparisons")
        found = [self.condition(test) for test in tests if test is not None]
        whole = found[0]
        for test in found[1:]:
            whole = whole | test
        return whole

    def _comparison(self, node: nodes.Comparison) -> pl.Expr:
        left, right = self.value(node.left), self.value(node.right)
        for side, other in ((left, right), (right, left)):
            if isinstance(side, _Other) and side.type == "null":
                if node.operator not in {"=", "!="}:
                    raise NotProved("it asks for the order of null")
                known = other.known if isinstance(other, Number) else other.column.is_not_null()
                return known if node.operator == "!=" else ~known
        if isinstance(left, Number) and isinstance(right, Number):
            (first, second), _, _ = scaled.aligned([left, right])
            return _ORDERS[node.operator](first, second)
        if isinstance(left, Number) or isinstance(right, Number) or left.type != right.type:
            raise NotProved("it compares a figure with one of another kind")
        if node.operator not in {"=", "!="} and left.type != "date":
            raise NotProved(f"it asks for the order of two {left.type}s")
        return _ORDERS[node.operator](left.column, right.column)


def _literal(value: Any) -> Number | _Other:
    if value is None:
        return _Other("null", pl.lit(None))
    if isinstance(value, Decimal):
        return scaled.literal(value)
    if isinstance(value, bool):
        return _Other("boolean", pl.lit(value))
    if isinstance(value, str):
        return _Other("text", pl.lit(value))
    raise NotProved("it has a literal that is not carried")
