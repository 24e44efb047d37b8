"""How many valuers must sign, as the file beside this one says."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.quantities import Measure, QuantityError, parse_number
from contracts.strict_yaml import read_yaml
from contracts.validation import validate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Valuers = Annotated[Decimal, Field(ge=1, le=9)]


class Limit(BaseModel):
    """From which amount on how many valuers must sign, and who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_least: Measure
    valuers: Valuers
    source: str


class SignOffPolicy(BaseModel):
    """The whole of sign-off.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    figures: tuple[str, ...]
    zone: str
    otherwise: Valuers
    limits: tuple[Limit, ...]

    def valuers_for(self, value: Decimal | None) -> int:
        """How many valuers must sign a report of a value; None is one that states no value."""
        reached = [
            limit.valuers
            for limit in self.limits
            if value is not None and value >= limit.at_least.value
        ]
        return int(max([self.otherwise, *reached]))

    def value_in(self, trace: Iterable[Mapping[str, Any]]) -> Decimal | None:
        """The amount that decides, of an evaluation's trace as a bundle writes it."""
        found = [_number(entry["value"]) for entry in trace if entry["field"] in self.figures]
        return max((number for number in found if number is not None), default=None)


def _number(value: Any) -> Decimal | None:
    """A figure that is not known is null, or a word such as NA."""
    try:
        return parse_number(value) if isinstance(value, str) else None
    except QuantityError:
        return None


@cache
def the_policy() -> SignOffPolicy:
    """What sign-off.yaml says, read once.

    Raises:
        ValueError: the file has problems; they are named.
    """
    path = Path(__file__).with_name("sign-off.yaml")
    found, problems = validate(
        SignOffPolicy, read_yaml(path.read_text(encoding="utf-8"), path.name)
    )
    if found is None:
        raise ValueError("; ".join(f"{one.line}: {one.what}" for one in problems))
    return found
