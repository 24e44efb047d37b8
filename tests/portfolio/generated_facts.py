"""Facts for a compiled rule set, made up at random within what its inputs declare.

Numbers lean towards where mistakes would show: bounds, the set's own parameters, halves, zero and
negatives; a third of everything is not known.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal

from hypothesis import strategies as st

from engine.rules.compiled import CompiledRuleSet
from engine.rules.inputs import Fact, Facts

_TEXTS = ["", "x", "A", "A B", "true", "null", "10", 'a "quoted" \\ text', "दस\n☃"]
_DAYS = [date(2024, 2, 29), date(2020, 1, 1), date(1999, 12, 31)]


def seeds() -> st.SearchStrategy[random.Random]:
    """Sources of chance; one draw for a whole case keeps generation quick."""
    return st.integers(0, 2**64).map(random.Random)


def facts_of(
    compiled: CompiledRuleSet, chance: random.Random, *, most_rows: int = 3, decimals: int = 4
) -> Facts:
    """One case's facts as `read_facts` would give them; numbers have at most so many decimals."""
    pool = [value for value in _parameter_values(compiled) if value is not None]
    known = chance.choice([0.4, 0.7, 0.95])
    facts = Facts([], {}, {})
    for fact in compiled.plan.scalars:
        facts.values.append(_value(compiled, fact, chance, pool, known, decimals))
    for table in compiled.plan.tables:
        count = chance.randint(-1, most_rows)
        if count < 0 and not table.absent_is_empty:
            facts.rows[table.name] = None
            facts.values.extend([None] * len(table.columns))
            continue
        ids = facts.rows[table.name] = [f"row-{number}" for number in range(count)]
        for column in table.columns:
            facts.values.append(
                [_value(compiled, column, chance, pool, known, decimals) for _ in ids]
            )
    return facts


def parameters_of(compiled: CompiledRuleSet) -> list[Decimal | None]:
    """The latest value of each parameter."""
    return [
        entry.value if (entry := parameter.on(None)) is not None else None
        for parameter in compiled.parameters
    ]


def _parameter_values(compiled: CompiledRuleSet) -> Iterator[Decimal | None]:
    for parameter in compiled.parameters:
        yield from (entry.value for entry in parameter.entries)


def _value(compiled, fact: Fact, chance: random.Random, pool, known: float, decimals: int):
    if chance.random() > known:
        return None
    if fact.type in {"text", "unit"}:
        return chance.choice(compiled.kinds[fact.address].options or _TEXTS)
    if fact.type == "boolean":
        return chance.random() < 0.5
    if fact.type == "date":
        return _day(chance)
    if fact.type == "list of text":
        return [chance.choice(_TEXTS) for _ in range(chance.randint(0, 2))]
    if fact.type == "list of date":
        return [_day(chance) for _ in range(chance.randint(0, 2))]
    return number(fact, chance, pool, decimals)


def _day(chance: random.Random) -> date:
    return chance.choice(_DAYS) + timedelta(days=chance.randint(-1, 1))


def number(fact: Fact, chance: random.Random, pool, decimals: int) -> Decimal:
    """A number within the fact's bounds; without bounds, within ten million (shares within one)."""
    wide = Decimal(1) if fact.measure == "1" else Decimal(10) ** 7
    most = fact.most if fact.most is not None else wide
    least = fact.least if fact.least is not None else -most
    kind = chance.randint(0, 5)
    if kind == 0:
        found = chance.choice([least, most, Decimal(0), Decimal(1), Decimal("-0.5")])
    elif kind == 1 and pool:
        step = chance.choice([Decimal(0), Decimal("0.01"), Decimal("-0.01")])
        found = chance.choice(pool) + step
    elif kind == 2:
        found = Decimal(chance.randint(-200, 200)) / 2
    elif kind == 3:
        # A share of the range, with few decimals.
        share = Decimal(chance.randint(0, 1000)) / 1000
        found = (least + (most - least) * share).quantize(Decimal("0.01"))
    else:
        found = Decimal(chance.randint(1, 10**7)).scaleb(-chance.randint(0, decimals))
    found = min(max(found, least), most)
    step = Decimal(1).scaleb(-decimals)
    return found if kind == 0 else found.quantize(step, ROUND_DOWN)
