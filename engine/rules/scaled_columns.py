"""Exact numbers as columns of scaled whole numbers, each with the proof that it cannot overflow.

A column carries `value * 10**scale` in whole numbers whose size is at most `bound`; every operation
works out the scale and bound of its result when it is planned, before there is any data. polars
wraps whole numbers around silently, so what cannot be proved to fit raises `NotProved` instead.

The reference computes with 34 significant digits. As long as an exact result has no more, both
give the same number; that, and not the width of a column, is the bound here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from engine.rounding import Rounding

#: Beyond 34 digits the reference rounds; below, it is exact.
MOST = 10**34 - 1
#: What fits a column of 64 bits; everything kept between two steps does.
LARGEST_64 = 2**63 - 1
#: Before it rounds to a step, the reference takes 28 significant digits.
_MOST_BEFORE_ROUNDING = 10**28 - 1
_MOST_128 = 2**127 - 1


class NotProved(Exception):  # noqa: N818 - the reason why a figure is left to the reference
    """Why a number cannot be carried."""


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers: 64 bits wide where `bound` fits, else 128.

    With `under`, the number is the quotient of the two, not divided yet; where `under` is zero
    there is no number. A quotient is only ever rounded: its digits never end.
    """

    over: pl.Expr
    scale: int
    bound: int
    under: Number | None = None

    @property
    def known(self) -> pl.Expr:
        """Whether there is a number, row by row; never null itself."""
        if self.under is None:
            return self.over.is_not_null()
        divides = (self.under.over != whole(0)).fill_null(value=False)
        return self.over.is_not_null() & divides


def whole(number: int) -> pl.Expr:
    """A literal, as wide as it has to be."""
    return pl.lit(number, dtype=_width(abs(number)))


def literal(number: Decimal) -> Number:
    """A number written in a formula.

    >>> literal(Decimal("0.95")).scale
    2
    """
    scale = max(0, -_exponent(number))
    scaled = _scaled(number, scale)
    return Number(whole(scaled), scale, _within(abs(scaled)))


def unknown() -> Number:
    """A number that is not known in any row."""
    return Number(pl.lit(None, dtype=pl.Int64), 0, 0)


def scaled_exactly(number: Decimal, scale: int) -> int | None:
    """`number * 10**scale` if that is a whole number.

    >>> scaled_exactly(Decimal("1.25"), 2), scaled_exactly(Decimal("1.255"), 2)
    (125, None)
    """
    if not number.is_finite() or (number and abs(number.adjusted()) > 60):
        return None
    above, below = number.as_integer_ratio()
    scaled, rest = divmod(above * _power(scale), below)
    return None if rest else scaled


def _scaled(number: Decimal, scale: int) -> int:
    scaled = scaled_exactly(number, scale)
    if scaled is None:
        raise NotProved("a number in it is too large or too fine")
    return scaled


def _power(exponent: int) -> int:
    power: int = 10**exponent
    return power


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _width(bound: int) -> type[pl.Int64 | pl.Int128]:
    return pl.Int64 if bound <= LARGEST_64 else pl.Int128


def _within(bound: int, most: int = MOST) -> int:
    if bound > most:
        raise NotProved(f"it may need {len(str(bound))} digits, more than can be carried exactly")
    return bound


def _wide(number: Number, bound: int) -> pl.Expr:
    """The column, wide enough for what is computed from it."""
    if _width(number.bound) == _width(bound):
        return number.over
    return number.over.cast(_width(bound))


def ended(number: Number) -> Number:
    """The number, if it is no quotient.

    Raises:
        NotProved: it is one.
    """
    if number.under is not None:
        raise NotProved("it calculates on with a quotient that is not rounded yet")
    return number


def at_scale(number: Number, scale: int) -> Number:
    """The same numbers with more decimals."""
    if number.scale == scale:
        return number
    assert scale > number.scale
    factor = _power(scale - number.scale)
    bound = _within(number.bound * factor)
    width = _within(max(bound, factor))  # the factor is there even where every number is zero
    return _narrow(_wide(number, width) * _lit(factor, width), width, scale, bound)


def _narrow(column: pl.Expr, width: int, scale: int, bound: int) -> Number:
    """A column computed in a width, in the width of its result."""
    if _width(width) != _width(bound):
        column = column.cast(_width(bound))
    return Number(column, scale, bound)


def _lit(number: int, bound: int) -> pl.Expr:
    return pl.lit(number, dtype=_width(bound))


# ---- arithmetic ---------------------------------------------------------------------------------


def add(left: Number, right: Number, sign: int = 1) -> Number:
    """The sums, or with sign -1 the differences."""
    left, right = _alike(ended(left), ended(right))
    bound = _within(left.bound + right.bound)
    first, second = _wide(left, bound), _wide(right, bound)
    return Number(first + second if sign > 0 else first - second, left.scale, bound)


def multiply(left: Number, right: Number) -> Number:
    """The products."""
    left, right = ended(left), ended(right)
    bound = _within(left.bound * right.bound)
    width = max(bound, left.bound, right.bound)
    product = _wide(left, width) * _wide(right, width)
    return _narrow(product, width, left.scale + right.scale, bound)


def divide(left: Number, right: Number) -> Number:
    """The quotients, yet to be rounded."""
    left, right = _alike(ended(left), ended(right))
    return Number(left.over, left.scale, left.bound, right)


def absolute(number: Number) -> Number:
    """The sizes."""
    number = ended(number)
    return Number(number.over.abs(), number.scale, number.bound)


def total(number: Number, most_rows: int) -> Number:
    """The sum over at most so many rows, to be taken in a grouped aggregation."""
    bound = _within(ended(number).bound * most_rows)
    return Number(_wide(number, bound).sum(), number.scale, bound)


# ---- choice and comparison ----------------------------------------------------------------------


def _alike(*numbers: Number) -> list[Number]:
    """The numbers with the same number of decimals."""
    scale = max(number.scale for number in numbers)
    return [at_scale(number, scale) for number in numbers]


def aligned(numbers: Sequence[Number]) -> tuple[list[pl.Expr], int, int]:
    """Columns of one scale and width, so that they may be compared or chosen from."""
    found = _alike(*[ended(number) for number in numbers])
    bound = max(number.bound for number in found)
    return [_wide(number, bound) for number in found], found[0].scale, bound


def choose(test: pl.Expr, consequent: Number, alternative: Number) -> Number:
    """One number where a test holds, another where it does not or is not known."""
    (first, second), scale, bound = aligned([consequent, alternative])
    return Number(pl.when(test).then(first).otherwise(second), scale, bound)


def first_known(numbers: Sequence[Number]) -> Number:
    """The first number that is known."""
    columns, scale, bound = aligned(numbers)
    return Number(pl.coalesce(columns), scale, bound)


def extreme(numbers: Sequence[Number], *, least: bool, known_only: bool) -> Number:
    """The least or greatest; null where one is not known, unless only the known ones count."""
    columns, scale, bound = aligned(numbers)
    found = pl.min_horizontal(columns) if least else pl.max_horizontal(columns)
    if not known_only:
        known = pl.all_horizontal([column.is_not_null() for column in columns])
        found = pl.when(known).then(found)
    return Number(found, scale, bound)


# ---- rounding -----------------------------------------------------------------------------------


def rounded(number: Number, rounding: Rounding) -> Number:
    """The numbers at the step of a rounding, exactly as the reference rounds them.

    The reference shortens to 28 significant digits first. Without a division nothing is lost by
    that when there are no more digits. With one, the shortened quotient is off by less than
    `0.51 * 10**-27` of itself, and a quotient `n / d` that is not on the border between two
    results is at least `1 / (2 * 10**decimals * d)` away from it: where
    `1.02 * n * 10**decimals < 10**27` it cannot come to lie on the other side, and one that is on
    the border has few digits and is not changed at all.
    """
    decimals = max(0, -_exponent(rounding.step))
    step = _scaled(rounding.step, decimals)
    _check_step(step)
    above, below, least_below = _fraction(number, decimals, step)
    bound = _within((above.bound // least_below + 1) * step)
    width = max(above.bound, 2 * below.bound, bound)
    assert width <= _MOST_128
    # Whole division goes towards minus infinity: sizes are divided, signs put back.
    size, by = _wide(above, width).abs(), _wide(below, width).abs()
    steps = size // by
    rest = size - steps * by
    negative = (above.over < 0) != (below.over < 0)
    if rounding.mode == "nearest":
        onwards = _lit(2, width) * rest >= by
    else:
        onwards = (rest > _lit(0, width)) & (negative if rounding.mode == "floor" else ~negative)
    result = (steps + onwards.cast(_width(width))) * _lit(step, width)
    signed = pl.when(negative).then(_lit(0, width) - result).otherwise(result)
    return _narrow(pl.when(number.known).then(signed), width, decimals, bound)


def _check_step(step: int) -> None:
    """The reference divides by the step: that must end within the six digits 34 has beyond 28."""
    rest, twos, fives = step, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1 or max(twos, fives) > 6:
        raise NotProved("dividing by the step of its rounding does not end soon enough")


def _fraction(number: Number, decimals: int, step: int) -> tuple[Number, Number, int]:
    """Whole numbers whose quotient is the number in steps, and the least size of the lower one."""
    if number.under is not None:
        if 2 * number.bound * _power(decimals) >= _power(27):
            raise NotProved("its quotient may have too many digits to be rounded exactly")
        above = at_scale(Number(number.over, number.scale, number.bound), number.scale + decimals)
        return above, multiply(number.under, Number(whole(step), 0, step)), step
    if number.bound > _MOST_BEFORE_ROUNDING:
        raise NotProved("it may have more than the 28 digits that rounding begins with")
    below = step * _power(max(0, number.scale - decimals))
    if 2 * below > _MOST_128:
        raise NotProved("its rounding may need more than 128 bits")
    above = at_scale(number, max(decimals, number.scale))
    return above, Number(whole(below), 0, below), below
