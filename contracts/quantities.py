"""A number with its unit, as people write it: `6.59 cent`, `900000 INR/cent`, `3 bigha 2 katha`.

Only the writing is judged here. Whether a unit exists, and what it is worth at a place, is for
`engine.units`, which turns what it cannot use into findings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

# Nothing in a valuation comes near these. What is within them, arithmetic of 34 digits holds to the
# last digit, and what arithmetic gives can be written into a contract again.
MAX_INTEGER_DIGITS = 24
MAX_DECIMALS = 40
MAX_DIGITS = 34

# A number written with several multipliers is not rounded on the way, whatever the caller's own
# arithmetic is.
_EXACT = Context(prec=400)

#: Words that multiply the number before them, and are then gone.
MULTIPLIERS = {"thousand": 1_000, "lakh": 100_000, "lac": 100_000, "crore": 10_000_000}

#: Spellings of the one currency that reports are written in.
RUPEE_WORDS = frozenset({"INR", "Rs", "Rs.", "₹", "rupees", "rupee"})

_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
_NUMBER_ONLY = re.compile(_NUMBER)
# A second term needs a blank before it, so that 1e3 is not read as 1 "e" and 3.
_TERM = re.compile(rf"({_NUMBER})\s*((?:[^\W\d_]|[%₹])[^\d]*?)?(?:\s+(?=[0-9])|\s*$)")


class QuantityError(ValueError):
    """The text is not a number with a unit."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One or more terms that add up, with the place whose units are meant, if not the property's.

    `terms` holds `(number, unit)`; a unit of `None` means that none was written.
    """

    terms: tuple[tuple[Decimal, str | None], ...]
    place: str | None = None

    @property
    def value(self) -> Decimal:
        """The number of a quantity of one term."""
        return self.terms[0][0]

    @property
    def unit(self) -> str | None:
        """The unit of a quantity of one term."""
        return self.terms[0][1]

    def __str__(self) -> str:
        if len(self.terms) == 1:
            number, unit = self.terms[0]
            return plain(number) if unit is None else f"{plain(number)} {unit}"
        return " ".join(
            plain(number) if unit is None else f"{plain(number)} {unit}"
            for number, unit in self.terms
        )

    def to_json(self) -> str | dict[str, str]:
        """The form written into a contract: text, or a mapping when a place is named."""
        if self.place is None:
            return str(self)
        if len(self.terms) == 1 and self.unit is not None:
            return {"value": plain(self.value), "unit": self.unit, "place": self.place}
        return {"value": str(self), "place": self.place}


def plain(number: Decimal) -> str:
    """A decimal written without exponent and without a minus zero.

    >>> plain(Decimal("1E+3")), plain(Decimal("-0.00"))
    ('1000', '0.00')
    """
    text = str(number)
    if "E" in text or text[0] == "-":
        text = format(number.copy_abs() if number.is_zero() else number, "f")
    return text


def check_number(number: Decimal, text: str) -> Decimal:
    """The same number, if it is within what a valuation can hold."""
    if not number.is_finite():
        raise QuantityError(f"'{text}' is not a number")
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # finite
    whole = len(digits) + exponent
    if whole > MAX_INTEGER_DIGITS or -exponent > MAX_DECIMALS or len(digits) > MAX_DIGITS:
        raise QuantityError(
            f"'{text}' has more than {MAX_INTEGER_DIGITS} digits before the point "
            f"or {MAX_DIGITS} in all"
        )
    return number


def parse_number(text: str) -> Decimal:
    """A plainly written decimal: no exponent, no grouping, no plus sign, no leading zeros."""
    if not _NUMBER_ONLY.fullmatch(text):
        raise QuantityError(f"'{text}' is not a plainly written number, such as 1250.50")
    return check_number(Decimal(text), text)


# A change of one field of a contract reads all the others again.
@lru_cache(maxsize=4_096)
def parse_quantity(text: str) -> Quantity:
    """The terms of a written quantity.

    >>> str(parse_quantity("5 crore INR")), parse_quantity("3 bigha 2 katha").terms[1]
    ('50000000 INR', (Decimal('2'), 'katha'))
    """
    text = text.strip()
    for symbol in ("₹", "Rs.", "Rs"):
        if text.startswith(symbol):
            # In "₹ 2000 per sqft" the money stands before its denominator, else at the end.
            text = re.sub(r"\s*(?=/|\bper\b|$)", " INR ", text[len(symbol) :].strip(), count=1)
            break
    if len(text) > 200:
        raise QuantityError("a quantity is written in at most 200 characters")
    terms: list[tuple[Decimal, str | None]] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None:
            raise QuantityError(
                f"'{text}' is not a number with a unit, such as 6.59 cent or 5 crore INR"
            )
        terms.append(_term(check_number(Decimal(match[1]), text), match[2] or ""))
        position = match.end()
    if not terms:
        raise QuantityError("a quantity needs a number, such as 6.59 cent")
    if len(terms) > 1 and any(unit is None for _, unit in terms):
        raise QuantityError(f"'{text}': each of several numbers needs its own unit")
    return Quantity(tuple(terms))


def _term(number: Decimal, words: str) -> tuple[Decimal, str | None]:
    rest = words.split()
    while rest and rest[0].lower() in MULTIPLIERS:
        number = _EXACT.multiply(number, MULTIPLIERS[rest.pop(0).lower()])
    unit = " ".join(rest)
    return check_number(number, f"{number} {unit}"), spelled(unit) or None


def spelled(unit: str) -> str:
    """A unit in the one spelling used inside: `%` becomes `percent`, `Rs per sqft` `INR/sqft`."""
    unit = unit.strip()
    if unit.lower() in {"%", "percent", "per cent"}:
        return "percent"
    # What is so much "per sqft" is money: nothing else here is counted per unit.
    unit = re.sub(r"^per\s+", "INR/", unit)
    unit = re.sub(r"\s*(?:/|\bper\b)\s*", "/", unit)
    head, slash, denominator = unit.partition("/")
    if head in RUPEE_WORDS:
        head = "INR"
    return head + slash + denominator


def quantity_from(raw: object, default_unit: str | None) -> Quantity:
    """A quantity from a contract's text, number or mapping.

    Raises:
        QuantityError: it is none of these.
    """
    if isinstance(raw, Quantity):
        return raw
    if isinstance(raw, str):
        quantity = parse_quantity(raw)
    elif isinstance(raw, bool):
        raise QuantityError("true and false are not numbers")
    elif isinstance(raw, int | Decimal):
        quantity = Quantity(((check_number(Decimal(raw), str(raw)), None),))
    elif isinstance(raw, Mapping):
        quantity = _from_mapping(raw)
    else:
        raise QuantityError(
            "a quantity is a number, a text such as '6.59 cent', or {value: '6.59', unit: cent}"
        )
    if default_unit is not None and len(quantity.terms) == 1 and quantity.unit is None:
        return Quantity(((quantity.value, default_unit),), quantity.place)
    return quantity


def _from_mapping(raw: Mapping[Any, Any]) -> Quantity:
    unknown = sorted(str(key) for key in raw if key not in {"value", "unit", "place"})
    if unknown or raw.get("value") is None:
        raise QuantityError(
            "a quantity is {value: '6.59', unit: cent}, with place if the unit is another place's"
            + (f"; it has no '{unknown[0]}'" if unknown else "")
        )
    unit, place = raw.get("unit"), raw.get("place")
    if not all(part is None or isinstance(part, str) for part in (unit, place)):
        raise QuantityError("unit and place are texts")
    inner = quantity_from(raw["value"], None)
    if unit is not None:
        if inner.unit is not None or len(inner.terms) > 1:
            raise QuantityError("the unit is written twice")
        inner = Quantity(((inner.value, spelled(unit) or None),))
    return Quantity(inner.terms, place)


@dataclass(frozen=True, slots=True)
class QuantityField:
    """What a contract field holds: the kind of measure, and the unit a bare number has there."""

    kind: str
    default_unit: str | None = None

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        default_unit = self.default_unit
        rate = self.kind == "rate"

        def validate(raw: Any) -> Quantity:
            try:
                quantity = quantity_from(raw, default_unit)
            except QuantityError as error:
                raise PydanticCustomError("quantity", "{reason}", {"reason": str(error)}) from None
            if rate and len(quantity.terms) > 1:
                raise PydanticCustomError(
                    "quantity", "{reason}", {"reason": "a rate is one number with its unit"}
                )
            if rate and quantity.unit is not None and "/" not in quantity.unit:
                # The original writes a rate as {value: 2000, unit: sqft}, meaning per square foot.
                unit = quantity.unit
                per = unit if unit == "INR" else f"INR/{unit}"
                return Quantity(((quantity.value, per),), quantity.place)
            return quantity

        return core_schema.no_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda quantity: quantity.to_json()
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        examples = {
            "money": "1250000 INR",
            "percent": "7.71 %",
            "area": "6.59 cent",
            "rate": "900000 INR/cent",
            "years": "6 year",
            "length": "9.5 ft",
            "measure": "5 crore INR",
        }
        bare = f"; a bare number is {self.default_unit}" if self.default_unit else ""
        text = {"type": "string", "maxLength": 200}
        number = {"type": "number"}
        unit = f" in {self.default_unit}" if self.default_unit else ""
        return {
            # The name under which contracts.json_schemas states it once.
            "title": f"measure:{self.kind}{unit}".replace(" ", "-").replace("/", "-"),
            "description": f"{self.kind}, such as {examples[self.kind]}{bare}",
            "anyOf": [
                text,
                number,
                {
                    "type": "object",
                    "properties": {
                        "value": {"anyOf": [text, number]},
                        "unit": {"type": "string"},
                        "place": {"type": "string"},
                    },
                    "required": ["value"],
                    "additionalProperties": False,
                },
            ],
        }


Money = Annotated[Quantity, QuantityField("money", "INR")]
Percent = Annotated[Quantity, QuantityField("percent", "percent")]
Area = Annotated[Quantity, QuantityField("area")]
Rate = Annotated[Quantity, QuantityField("rate")]
RatePerSqm = Annotated[Quantity, QuantityField("rate", "INR/sqm")]
Years = Annotated[Quantity, QuantityField("years", "year")]
Length = Annotated[Quantity, QuantityField("length")]
#: Any of these; a bare number has the unit of what it is set against.
Measure = Annotated[Quantity, QuantityField("measure")]
