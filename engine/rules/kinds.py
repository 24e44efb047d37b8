"""What an expression yields: a number with its unit, a text, a truth value, a date, a list.

Units are monomials of unit names, so that `sqft * INR/sqft` is `INR` and adding square feet to
square metres is refused when a rule set is compiled. A unit that the case decides (`INR/area`) is
a symbol of its own, named after the fact that carries it, until the case is read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

#: Unit name -> exponent, sorted by name; empty for a plain number, a share or a percentage.
Unit = tuple[tuple[str, int], ...]

NO_UNIT: Unit = ()
_SQUARES = {"sqft": "ft", "sqm": "m", "sqyd": "yd", "sqcm": "cm", "sqin": "in", "sqkm": "km"}
_NAMES_OF_SQUARES = {length: square for square, length in _SQUARES.items()}
#: Begins the symbol of an area unit that the case decides.
CASE_DECIDES = "area of "


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a value, its unit when it is a number, and what is known about it.

    `type` is number, text, boolean, date, context, null or any; `many` marks a list (a whole
    column); `nonzero_literal` a number written in the formula, which has no unit of its own.
    """

    type: str
    unit: Unit = NO_UNIT
    display: str = ""
    many: bool = False
    options: tuple[str, ...] = ()
    literal: bool = False
    zero: bool = False
    fields: tuple[tuple[str, Kind], ...] = ()

    def of_one(self) -> Kind:
        """The kind of one element of this list."""
        return replace(self, many=False)

    def of_many(self) -> Kind:
        """The kind of a list of these."""
        return replace(self, many=True)

    @property
    def is_open(self) -> bool:
        """Whether nothing is known at compile time."""
        return self.type in {"any", "null"}


NUMBER = Kind("number")
TEXT = Kind("text")
BOOLEAN = Kind("boolean")
DATE = Kind("date")
ANY = Kind("any")
NULL = Kind("null")


def monomial(counts: Counter[str]) -> Unit:
    """The unit of these exponents, in order, zeros left out."""
    return tuple(sorted((name, power) for name, power in counts.items() if power))


def unit_named(name: str) -> Unit:
    """The unit of a canonical name; squares are squares of their lengths."""
    if name in {"", "percent", "number", "1"}:
        return NO_UNIT
    if name in _SQUARES:
        return ((_SQUARES[name], 2),)
    return ((name, 1),)


def times(left: Unit, right: Unit, power: int = 1) -> Unit:
    """The unit of a product, or of a quotient with power -1."""
    counts = Counter(dict(left))
    for name, exponent in right:
        counts[name] += exponent * power
    return monomial(counts)


def varies_by_row(unit: Unit) -> bool:
    """Whether rows of one table may have different units."""
    return any(name.startswith(CASE_DECIDES) and "." in name for name, _ in unit)


def shown(unit: Unit, names: dict[str, str] | None = None) -> str:
    """A unit as people write it: `INR/sqft`; `names` gives what the case decided.

    >>> shown((("INR", 1), ("ft", -2)))
    'INR/sqft'
    """
    above: list[str] = []
    below: list[str] = []
    for symbol, power in unit:
        name = (names or {}).get(symbol, symbol)
        times_written = abs(power)
        if times_written == 2 and name in _NAMES_OF_SQUARES:
            name, times_written = _NAMES_OF_SQUARES[name], 1
        (above if power > 0 else below).extend([name] * times_written)
    if not above and not below:
        return "number"
    return " ".join(above or ["1"]) + "".join(f"/{name}" for name in below)


def same_unit(left: Kind, right: Kind) -> bool:
    """Whether two numbers may be added or compared; a literal zero fits every unit."""
    if left.is_open or right.is_open or left.zero or right.zero:
        return True
    return left.unit == right.unit
