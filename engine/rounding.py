"""Rounding to a step, as a rule set writes it: `none`, `floor 1000`, `nearest 0.01 %`, `ceil 500`.

Arithmetic has 34 digits. A division may leave 934999.99...98 where 935000 is meant, so rounding
first takes 28 significant digits and then the step (docs/writing-rules.md).
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from contracts.quantities import QuantityError, parse_quantity, plain

ARITHMETIC = decimal.Context(
    prec=34,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-6143,
    Emax=6144,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
_BEFORE_ROUNDING = decimal.Context(prec=28, rounding=decimal.ROUND_HALF_UP, traps=[])
_MODES = {
    "floor": decimal.ROUND_FLOOR,
    "nearest": decimal.ROUND_HALF_UP,  # half away from zero
    "ceil": decimal.ROUND_CEILING,
}
PERCENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Rounding:
    """A mode and a step, the step in the value's own terms (1 % is 0.01)."""

    mode: str
    step: Decimal
    text: str

    def apply(self, number: Decimal) -> Decimal | None:
        """The number at the step, written at the step's scale; None if 34 digits do not hold it.

        >>> parse_rounding("floor 1000")[0].apply(Decimal("11965843"))
        Decimal('11965000')
        >>> parse_rounding("nearest 0.01 %")[0].apply(Decimal("0.077142857"))
        Decimal('0.0771')
        """
        return self.function()(number)

    def function(self) -> Callable[[Decimal], Decimal | None]:
        """The rounding as a function for the hot path."""
        mode, step = _MODES[self.mode], self.step
        shorten = _BEFORE_ROUNDING.plus
        context = ARITHMETIC
        unit = Decimal(1).scaleb(step.as_tuple().exponent)  # type: ignore[arg-type]
        zero = unit - unit
        if step == unit:

            def to_digit(number: Decimal) -> Decimal | None:
                try:
                    rounded = shorten(number).quantize(unit, mode, context)
                except decimal.InvalidOperation:
                    return None
                return rounded or zero

            return to_digit

        def to_step(number: Decimal) -> Decimal | None:
            try:
                steps = context.divide(shorten(number), step).to_integral_value(mode)
                rounded = context.multiply(steps, step).quantize(unit, mode, context)
            except decimal.InvalidOperation:
                return None
            return rounded or zero

        return to_step


def parse_rounding(text: str) -> tuple[Rounding | None, str | None]:
    """The rounding that a text names, or why it names none; `none` is `(None, None)`."""
    words = text.split(maxsplit=1)
    if words == ["none"]:
        return None, None
    if len(words) != 2 or words[0] not in _MODES:
        return None, "write none, or floor, nearest or ceil with a step, such as ceil 500"
    try:
        quantity = parse_quantity(words[1])
    except QuantityError as error:
        return None, str(error)
    if len(quantity.terms) != 1 or quantity.unit not in {None, "percent"}:
        return None, "the step is a number in the value's own unit, such as floor 1000"
    if quantity.value <= 0:
        return None, "the step is more than zero"
    step = quantity.value
    if quantity.unit == "percent":
        step *= PERCENT
    unit = " %" if quantity.unit == "percent" else ""
    return Rounding(words[0], step, f"{words[0]} {plain(quantity.value)}{unit}"), None
