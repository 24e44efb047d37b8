"""Built-in functions on numbers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
)

from engine.feel.arithmetic import SLOW, calculate, negate
from engine.feel.invocation import BuiltIn, Parameter
from engine.feel.run import Run
from engine.feel.temporal import DaysTimeDuration
from engine.feel.values import Value

# Digits enough for any number of 34 digits with any exponent, so that rounding is exact.
_EXACT = Context(prec=13_000, Emax=999_999, Emin=-999_999)
_LARGEST_SCALE, _SMALLEST_SCALE = 6176, -6111
_WHOLE = Decimal(0)


def rounded(run: Run, number: Decimal, scale: Decimal, rounding: str) -> Decimal | None:
    """A number rounded to so many decimal places; null for a scale that no number has."""
    places = scale.to_integral_value(ROUND_DOWN)
    if not _SMALLEST_SCALE <= places <= _LARGEST_SCALE:
        return run.null(f"the scale {scale} is not between {_SMALLEST_SCALE} and {_LARGEST_SCALE}")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= places:
        return number
    result = number.quantize(Decimal(1).scaleb(-int(places), _EXACT), rounding, _EXACT)
    return run.numbers.plus(result) + 0


def _rounding(rounding: str, summary: str) -> Callable[..., Value]:
    def function(run: Run, number: Decimal, scale: Decimal = _WHOLE) -> Value:
        return rounded(run, number, scale, rounding)

    function.__doc__ = summary
    return function


def absolute(run: Run, value: Value) -> Value:
    """The number or duration without its sign."""
    if isinstance(value, Decimal):
        return value.copy_abs()
    length = value.seconds if isinstance(value, DaysTimeDuration) else value.months
    return negate(run, value) if length < 0 else value


def modulo(run: Run, dividend: Decimal, divisor: Decimal) -> Value:
    """What is left of a division, with the sign of the divisor."""
    if divisor == 0:
        return run.null("a number is divided by zero")
    rest = calculate(run, _EXACT.remainder, dividend, divisor)
    if rest is None:
        return None
    if rest and (rest < 0) != (divisor < 0):
        rest = _EXACT.add(rest, divisor)
    return run.numbers.plus(rest)


def square_root(run: Run, number: Decimal) -> Value:
    """The square root; null of a negative number."""
    run.tick(SLOW)
    return calculate(run, run.numbers.sqrt, number)


def logarithm(run: Run, number: Decimal) -> Value:
    """The natural logarithm; null of zero and below."""
    if number <= 0:
        return run.null("only positive numbers have a logarithm")
    run.tick(SLOW)
    return calculate(run, run.numbers.ln, number)


def exponential(run: Run, number: Decimal) -> Value:
    """Euler's number to this power."""
    run.tick(SLOW)
    return calculate(run, run.numbers.exp, number)


def odd(run: Run, number: Decimal) -> Value:
    """Whether a whole number is odd; null of a fraction."""
    rest = _parity(run, number)
    return None if rest is None else rest == 1


def even(run: Run, number: Decimal) -> Value:
    """Whether a whole number is even; null of a fraction."""
    rest = _parity(run, number)
    return None if rest is None else rest == 0


def _parity(run: Run, number: Decimal) -> Decimal | None:
    if number != number.to_integral_value():
        return run.null("only whole numbers are odd or even")
    return abs(_EXACT.remainder(number, Decimal(2)))


_NUMBER = ("number",)
_LENGTHS = ("number", "days and time duration", "years and months duration")
_SCALE = Parameter("scale", _NUMBER)


def _of(name: str, function: Callable[..., Value], *parameters: Parameter) -> BuiltIn:
    return BuiltIn(name, function, (parameters,))


_N = Parameter("n", _NUMBER)
_ANY_NUMBER = Parameter("number", _NUMBER)
_SHORT = ((_N,), (_N, _SCALE))

NUMBER_FUNCTIONS = (
    _of("decimal", _rounding(ROUND_HALF_EVEN, "The number rounded half to even."), _N, _SCALE),
    BuiltIn("floor", _rounding(ROUND_FLOOR, "The number rounded down, below zero too."), _SHORT),
    BuiltIn("ceiling", _rounding(ROUND_CEILING, "The number rounded up, below zero too."), _SHORT),
    _of("round up", _rounding(ROUND_UP, "The number rounded away from zero."), _N, _SCALE),
    _of("round down", _rounding(ROUND_DOWN, "The number rounded towards zero."), _N, _SCALE),
    _of(
        "round half up",
        _rounding(ROUND_HALF_UP, "The number rounded, halves away from zero."),
        _N,
        _SCALE,
    ),
    _of(
        "round half down",
        _rounding(ROUND_HALF_DOWN, "The number rounded, halves towards zero."),
        _N,
        _SCALE,
    ),
    _of("abs", absolute, Parameter("n", _LENGTHS)),
    _of("modulo", modulo, Parameter("dividend", _NUMBER), Parameter("divisor", _NUMBER)),
    _of("sqrt", square_root, _ANY_NUMBER),
    _of("log", logarithm, _ANY_NUMBER),
    _of("exp", exponential, _ANY_NUMBER),
    _of("odd", odd, _ANY_NUMBER),
    _of("even", even, _ANY_NUMBER),
)
