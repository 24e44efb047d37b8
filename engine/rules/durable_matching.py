"""Conditions of findings matched by durable-rules, beside the reference and never instead of it.

durable-rules is a C library of 2020 that can hang, crash the process or answer wrongly; each guard
here stands for one of these. It is given flat comparisons of whole numbers, texts and truth values
only, and what it cannot be trusted with is left out by name. `compare` runs both and tells where
they differ.

This module needs the extra `durable`, so nothing imports it until it is wanted.
"""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import durable_rules_engine

from contracts.ruleset import FindingRule
from engine.feel import nodes
from engine.feel.parser import parse_expression
from engine.feel.temporal import Date
from engine.rounding import ARITHMETIC
from engine.rules.compiled import CompiledRuleSet
from engine.rules.expressions import OWN_FUNCTIONS, as_condition
from engine.rules.inputs import Facts

#: Numbers are carried as whole millionths; what is finer or larger is left to the reference.
DECIMALS = 6
_SCALE: int = 10**DECIMALS
_LARGEST = 2**63 - 1  # beyond it durable-rules takes every number for this one
_LONGEST_TEXT = 60_000  # bytes: a text of 65,536 counts as empty
# A rule counts once for each way through its `or`, and above 64 that hold at once none is matched.
_MOST_BRANCHES = 60
_MOST_ATOMS = 400  # creating a set of more than about 510 never ends
_MOST_NAMES = 200  # a fact of more than 252 properties is refused
_MOST_HANDLES = 64  # rule sets are never deleted: deleting leaks

# The positive test that every rule begins with: one made only of "is not known" never ends.
_ANCHOR = "__fact"
_RESERVED = ("sid", "id", "$s", _ANCHOR)
_IDENTITY = {"sid": "0", "id": "1"}

_OPERATORS = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_EPOCH = dt.date(1970, 1, 1).toordinal()
_CARRIED_KINDS = frozenset({"number", "text", "boolean", "date"})

Condition = dict[str, Any]
Raised = tuple[int, int | None]


class DurableError(Exception):
    """durable-rules did something that the guards do not allow for; its answer is not used."""


class _LeftOut(Exception):  # noqa: N818 - not an error: it carries the reason
    """Why a condition is left to the reference."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Rules that fit into one set of durable-rules, all of one table or all of the whole case."""

    table: str | None
    rules: str
    #: Of each name a fact may have: the address of the figure.
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Matcher:
    """What of a rule set's findings durable-rules can match, and what not and why."""

    compiled: CompiledRuleSet
    shards: tuple[Shard, ...]
    #: For each finding that is matched, the addresses it reads.
    reads: Mapping[str, frozenset[str]]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """What durable-rules raises for one case, in declared order.

    `raised` has the form of `CompiledRuleSet.run`: number of the finding, number of the row.
    `left_out` names findings that this case's figures put beyond it, with the reason.
    """

    raised: tuple[Raised, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both results for one case; the reference is right where they differ."""

    reference: tuple[Raised, ...]
    match: Match
    #: Raised by the one and not by the other, findings left out not counted.
    differences: tuple[Raised, ...]


# ---- what can be matched ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rule:
    code: str
    table: str | None
    condition: Condition
    names: Mapping[str, str]
    atoms: frozenset[str]
    branches: int


def prepare(compiled: CompiledRuleSet) -> Matcher:
    """The findings of a rule set as rules of durable-rules, as far as it can be trusted."""
    names = {name for name in compiled.kinds if "." not in name}
    names |= compiled.plan_tables | OWN_FUNCTIONS | {"row"}
    taken = _Names(compiled)
    rules: list[_Rule] = []
    left_out: dict[str, str] = {}
    models = {code: model for code, model, _ in compiled.resolved.models("findings")}
    for finding in compiled.findings:
        model = models[finding.code]
        assert isinstance(model, FindingRule)
        try:
            translation = _Translation(compiled, finding.table, taken)
            condition = translation.condition(parse_expression(model.when, frozenset(names)))
            rules.append(_rule(finding.code, finding.table, condition, translation.names))
        except _LeftOut as reason:
            left_out[finding.code] = str(reason)
    reads = {rule.code: frozenset(rule.names.values()) for rule in rules}
    return Matcher(compiled, tuple(_shards(rules)), reads, left_out)


def _rule(code: str, table: str | None, condition: Condition, names: Mapping[str, str]) -> _Rule:
    whole = {"$and": [{_ANCHOR: table or "case"}, condition]}
    atoms = frozenset(_atoms(whole))
    branches = _branches(whole)
    if branches > _MOST_BRANCHES or len(atoms) > _MOST_ATOMS or len(names) > _MOST_NAMES:
        raise _LeftOut("it has more comparisons than one rule may have")
    return _Rule(code, table, whole, names, atoms, branches)


def _atoms(condition: Condition) -> Iterable[str]:
    for key, part in condition.items():
        if key in {"$and", "$or"}:
            for inner in part:
                yield from _atoms(inner)
        else:
            yield json.dumps({key: part}, ensure_ascii=False, sort_keys=True)


def _branches(condition: Condition) -> int:
    """The ways through the `or`s of a condition."""
    for key, part in condition.items():
        if key == "$or":
            return sum(_branches(inner) for inner in part)
        if key == "$and":
            ways = 1
            for inner in part:
                ways *= _branches(inner)
            return ways
    return 1


def _shards(rules: Sequence[_Rule]) -> Iterable[Shard]:
    """The rules in as few sets as their limits allow."""
    for table in sorted({rule.table for rule in rules}, key=lambda name: name or ""):
        group: list[_Rule] = []
        for rule in (rule for rule in rules if rule.table == table):
            if group and not _fit([*group, rule]):
                yield _shard(table, group)
                group = []
            group.append(rule)
        yield _shard(table, group)


def _fit(rules: Sequence[_Rule]) -> bool:
    atoms = frozenset[str]().union(*[rule.atoms for rule in rules])
    names = {name for rule in rules for name in rule.names}
    return (
        sum(rule.branches for rule in rules) <= _MOST_BRANCHES
        and len(atoms) <= _MOST_ATOMS
        and len(names) <= _MOST_NAMES
    )


def _shard(table: str | None, rules: Sequence[_Rule]) -> Shard:
    definition = {rule.code: {"all": [{"m": rule.condition}]} for rule in rules}
    names = {name: address for rule in rules for name, address in rule.names.items()}
    return Shard(table, json.dumps(definition, ensure_ascii=False), names)


def fnv1a(name: str) -> int:
    """The 32-bit hash by which durable-rules knows a name: it never compares the names themselves.

    >>> fnv1a("costarring") == fnv1a("liquid")
    True
    """
    number = 0x811C9DC5
    for byte in name.encode():
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    return number


class _Names:
    """The name of each figure inside durable-rules, where a dot would open a nested object."""

    def __init__(self, compiled: CompiledRuleSet) -> None:
        self.compiled = compiled
        self.by_hash = {fnv1a(name): name for name in _RESERVED}
        self.clash: dict[str, str] = {}
        for address in sorted(compiled.slots):
            name = self.name(address)
            other = self.by_hash.setdefault(fnv1a(name), name)
            if other != name or name in _RESERVED:
                self.clash[address] = other

    @staticmethod
    def name(address: str) -> str:
        """No name of a rule set has two underscores together, so two addresses never meet."""
        return address.replace(" ", "__").replace(".", "__")


@dataclass(slots=True)
class _Operand:
    """One side of a comparison: a figure by its name, or a literal."""

    kind: str
    name: str | None = None
    literal: Any = None


class _Translation:
    """One condition on its way; `names` grows by what it reads."""

    def __init__(self, compiled: CompiledRuleSet, table: str | None, taken: _Names) -> None:
        self.compiled = compiled
        self.table = table
        self.taken = taken
        self.names: dict[str, str] = {}

    def condition(self, node: nodes.Node) -> Condition:
        """A condition that holds when the expression is exactly true."""
        match node:
            case nodes.Conjunction():
                return {"$and": [self.condition(node.left), self.condition(node.right)]}
            case nodes.Disjunction():
                return {"$or": [self.condition(node.left), self.condition(node.right)]}
            case nodes.Between():
                low = nodes.Comparison(">=", node.operand, node.low)
                high = nodes.Comparison("<=", node.operand, node.high)
                return self.condition(nodes.Conjunction(low, high))
            case nodes.In():
                return self._in(node)
            case nodes.Comparison():
                return self._comparison(node)
            case nodes.Call(function=nodes.Name(name="differ"), arguments=(left, right)):
                return self._differ(left, right)
            case nodes.Name() | nodes.Path():
                operand = self._operand(node)
                if operand.kind != "boolean":
                    raise _LeftOut("it is not a comparison")
                return {str(operand.name): True}
        raise _LeftOut(_why_not(node))

    def _in(self, node: nodes.In) -> Condition:
        tests = [as_condition(test, node.operand) for test in node.tests]
        if not tests or None in tests:
            raise _LeftOut("it tests by more than comparisons")
        return {"$or": [self.condition(test) for test in tests if test is not None]}

    def _comparison(self, node: nodes.Comparison) -> Condition:
        left, right, operator = self._operand(node.left), self._operand(node.right), node.operator
        if left.name is None:
            left, right, operator = right, left, _MIRRORED[operator]
        if left.name is None:
            raise _LeftOut("it compares two literals")
        if right.name is None and right.literal is None:
            return self._known(left, operator)
        if left.kind != right.kind:
            # The library would compare them as texts: "10" is then less than 9.
            raise _LeftOut("it compares a figure with one of another kind")
        if operator in _OPERATORS and left.kind not in {"number", "date"}:
            # Its order of texts is wrong: "A" < "A B" is false there.
            raise _LeftOut(f"it asks for the order of two {left.kind}s")
        if right.name is not None:
            if operator == "!=":
                raise _LeftOut("'!=' between two figures is true when one of them is not known")
            return self._between_figures(left, operator, right)
        if operator == "=":
            return {left.name: right.literal}
        if operator == "!=":
            # FEEL's null != 5 is true; there, every comparison with what is missing is false.
            return {"$or": [{"$nex": {left.name: 1}}, {"$neq": {left.name: right.literal}}]}
        return {_OPERATORS[operator]: {left.name: right.literal}}

    def _known(self, operand: _Operand, operator: str) -> Condition:
        if operator not in {"=", "!="}:
            raise _LeftOut("it asks for the order of null")
        return {"$nex" if operator == "=" else "$ex": {operand.name: 1}}

    def _between_figures(self, left: _Operand, operator: str, right: _Operand) -> Condition:
        """Both must be known: a figure equal to a missing one is true there."""
        test: Condition = {left.name or "": {"$m": right.name}}
        if operator != "=":
            test = {_OPERATORS.get(operator, "$neq"): test}
        known = [{"$ex": {operand.name: 1}} for operand in (left, right)]
        return {"$and": [*known, test]}

    def _differ(self, left_node: nodes.Node, right_node: nodes.Node) -> Condition:
        left, right = self._operand(left_node), self._operand(right_node)
        if left.kind != right.kind or left.name is None or right.name is None:
            raise _LeftOut("'differ' stands between something else than two figures")
        return self._between_figures(left, "differ", right)

    def _operand(self, node: nodes.Node) -> _Operand:
        match node:
            case nodes.Literal():
                return _literal(node.value)
            case nodes.Negation(operand=nodes.Literal(value=Decimal() as number)):
                return _literal(-number)
        address = self._address(node)
        if address is None:
            raise _LeftOut(_why_not(node))
        kind = self.compiled.kinds.get(address.rpartition(" ")[2])
        if kind is None or kind.many or kind.type not in _CARRIED_KINDS:
            raise _LeftOut(f"'{address}' is not one number, text, date or truth value")
        clash = self.taken.clash.get(address)
        if clash is not None:
            raise _LeftOut(f"'{address}' and '{clash}' are one name to durable-rules")
        name = self.taken.name(address)
        self.names[name] = address
        return _Operand(kind.type, name)

    def _address(self, node: nodes.Node) -> str | None:
        match node:
            case nodes.Name():
                return node.name if node.name in self.compiled.slots else None
            case nodes.Path(operand=nodes.Name(name="row")):
                address = f"{self.table}.{node.name}"
                return address if address in self.compiled.slots else None
            case nodes.Call(
                function=nodes.Name(name="given" | "calculated" as which), arguments=(argument,)
            ):
                inner = self._address(argument)
                address = f"{which} {inner}"
                return address if address in self.compiled.slots else None
        return None


def _literal(value: Any) -> _Operand:
    if value is None:
        return _Operand("null")
    kind, carried = _carried(value)
    return _Operand(kind, None, carried)


def _why_not(node: nodes.Node) -> str:
    match node:
        case nodes.Call(function=nodes.Name(name="raised")):
            return "it follows from another finding"
        case nodes.Call(function=nodes.Name(name="differ")):
            return "it calculates (a difference against a tolerance)"
        case nodes.Call(function=nodes.Name(name=name)):
            return f"it calls '{name}'"
        case nodes.Arithmetic():
            return f"it calculates ('{node.operator}')"
        case nodes.Quantified():
            return "it walks through a list"
        case nodes.Path():
            return "it reads a part of something"
    return "it is more than a comparison"


def _carried(value: Any) -> tuple[str, Any]:
    """The kind of a value and how durable-rules gets it; dates are numbers of days."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, Decimal):
        return "number", _whole(value)
    if isinstance(value, str):
        try:
            size = len(json.dumps(value, ensure_ascii=False).encode())
        except UnicodeEncodeError:
            raise _LeftOut("a text has half of a character") from None
        if size > _LONGEST_TEXT:
            raise _LeftOut("a text is too long")
        return "text", value
    if isinstance(value, Date):
        return "date", value.number
    if type(value) is dt.date:
        return "date", value.toordinal() - _EPOCH
    raise _LeftOut("a value is none that durable-rules has")


def _whole(number: Decimal) -> int:
    if not number.is_finite() or (number and number.adjusted() > 19):
        raise _LeftOut("a number is too large")
    above, below = number.as_integer_ratio()
    whole, rest = divmod(above * _SCALE, below)
    if rest:
        raise _LeftOut(f"a number has more than {DECIMALS} decimals")
    if abs(whole) > _LARGEST:
        raise _LeftOut("a number is too large")
    return whole


# ---- matching -----------------------------------------------------------------------------------

# One handle for each set of rules, kept for the life of the process: rule sets that are made and
# deleted again leak. None where the library failed: nobody knows what such a set still holds.
# The lock stands for "one thread at a time", without which facts are lost.
_handles: dict[str, int | None] = {}
_lock = threading.Lock()


def match(matcher: Matcher, slots: Sequence[Any], rows: Mapping[str, list[str] | None]) -> Match:
    """The findings that durable-rules raises on figures that the reference has computed.

    Args:
        matcher: from `prepare`.
        slots: the first result of the compiled set's run.
        rows: the addresses of each table's rows, None where the table is not known.

    Raises:
        DurableError: the library refused a set or a fact, or raised what no rule has.
    """
    compiled = matcher.compiled
    numbers = {finding.code: number for number, finding in enumerate(compiled.findings)}
    unfit: dict[str, str] = {}
    raised: set[Raised] = set()
    for shard in matcher.shards:
        each: Sequence[int | None] = [None]
        if shard.table is not None:
            each = range(len(rows.get(shard.table) or ()))
        for row in each:
            fact: dict[str, Any] = {**_IDENTITY, _ANCHOR: shard.table or "case"}
            for name, address in shard.names.items():
                value = slots[compiled.slots[address]]
                if "." in address:
                    value = value[row]
                if value is None:
                    continue  # a null is "there" to the library: what is not known is left away
                try:
                    fact[name] = _carried(value)[1]
                except _LeftOut as reason:
                    unfit.setdefault(address, str(reason))
            raised |= {(numbers[code], row) for code in _fired(shard, fact)}
    left_out = {
        code: f"{address}: {unfit[address]}"
        for code, addresses in matcher.reads.items()
        for address in sorted(addresses)
        if address in unfit
    }
    beyond = {numbers[code] for code in left_out}
    kept = [item for item in raised if item[0] not in beyond]
    return Match(tuple(sorted(kept, key=_declared)), left_out)


def compare(
    matcher: Matcher,
    facts: Facts,
    parameters: Sequence[Decimal | None],
    as_of: dt.date | None,
) -> Comparison:
    """Runs the reference and durable-rules on one case, and tells where they differ."""
    compiled = matcher.compiled
    rows = [facts.rows[table.name] for table in compiled.plan.tables]
    with decimal.localcontext(ARITHMETIC):
        slots, found = compiled.run(facts.values, parameters, as_of, rows)
    reference = tuple(sorted(found, key=_declared))
    matched = match(matcher, slots, facts.rows)
    beyond = {*matcher.left_out, *matched.left_out}
    expected = {item for item in reference if compiled.findings[item[0]].code not in beyond}
    differences = expected.symmetric_difference(matched.raised)
    return Comparison(reference, matched, tuple(sorted(differences, key=_declared)))


def _declared(raised: Raised) -> tuple[int, int]:
    number, row = raised
    return number, -1 if row is None else row


def _fired(shard: Shard, fact: Mapping[str, Any]) -> set[str]:
    """The codes of the rules that hold for a fact; one with several true branches fires again."""
    text = json.dumps(fact, ensure_ascii=False)
    digest = hashlib.sha256(shard.rules.encode()).hexdigest()
    with _lock:
        handle = _handle(digest, shard.rules)
        try:
            try:
                return _raised(handle, text)
            finally:
                durable_rules_engine.retract_fact(handle, text)
        except DurableError:
            _handles[digest] = None
            raise
        except Exception as error:  # the library raises nothing more particular
            _handles[digest] = None
            raise DurableError(f"durable-rules failed: {error}") from error


def _raised(handle: int, text: str) -> set[str]:
    # 0 says that something matched, 1 that nothing did; another answer is a fault.
    answer, state = durable_rules_engine.assert_fact(handle, text)
    if answer not in {0, 1}:
        raise DurableError(f"durable-rules answered {answer} to a fact")
    fired: set[str] = set()
    action = durable_rules_engine.start_action_for_state(handle, state) if answer == 0 else None
    message = action[1] if action else None
    for _ in range(_MOST_BRANCHES + 1):
        if not message:
            return fired
        fired |= set(json.loads(message))
        message = durable_rules_engine.complete_and_start_action(handle, state)
    raise DurableError("durable-rules raised more than the rules have")


def _handle(digest: str, rules: str) -> int:
    if digest not in _handles:
        if len(_handles) >= _MOST_HANDLES:
            raise DurableError(f"this process has matched {_MOST_HANDLES} sets of rules already")
        made: int = durable_rules_engine.create_ruleset(digest, rules)
        _handles[digest] = made
    handle = _handles[digest]
    if handle is None:
        raise DurableError("durable-rules has failed on these rules before")
    return handle
