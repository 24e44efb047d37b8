"""Calling functions: arguments by position or name, checked against what the function takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.feel.conformance import coerced
from engine.feel.run import Run
from engine.feel.values import FeelFunction, Value, article, kind

# What an optional parameter gets when no argument is given.
MISSING: Any = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a built-in.

    Attributes:
        name: the name for calls with named arguments.
        kinds: FEEL types it takes; empty takes anything, null too.
        optional: the argument may be left out, or be null.
        nullable: the argument may be null.
    """

    name: str
    kinds: tuple[str, ...] = ()
    optional: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BuiltIn:
    """A built-in function: what it takes, and the Python function that does it.

    Attributes:
        name: its FEEL name.
        function: called with the run and one argument for each parameter.
        signatures: the lists of parameters it may be called with.
        variadic: "list" when the last parameter takes a list, or its items as separate arguments;
            "each" when it takes only separate arguments.
    """

    name: str
    function: Callable[..., Value]
    signatures: tuple[tuple[Parameter, ...], ...]
    variadic: str = ""

    def as_value(self) -> FeelFunction:
        """The function as a FEEL value, to be handed to another function."""
        parameters = tuple((parameter.name, None) for parameter in self.signatures[0])
        return FeelFunction(
            self.name, parameters, lambda run, values: call_built_in(run, self, values), self
        )

    @property
    def summary(self) -> str:
        """One line that says what the function gives."""
        return (self.function.__doc__ or "").splitlines()[0]


def call_function(
    run: Run, function: FeelFunction, arguments: list[Value], names: tuple[str, ...] | None = None
) -> Value:
    """Calls a function value; null when the arguments do not fit its parameters."""
    if function.built_in is not None:
        return call_built_in(run, function.built_in, arguments, names)
    parameters = function.parameters
    if parameters is None:
        if names is not None:
            return run.null(f"{function.name} takes its arguments by position")
        return function.body(run, arguments)
    if len(arguments) != len(parameters):
        return run.null(
            f"{function.name or 'the function'} takes {len(parameters)} arguments, "
            f"not {len(arguments)}"
        )
    if names is not None:
        given = dict(zip(names, arguments, strict=True))
        if given.keys() != {name for name, _ in parameters}:
            return run.null("the names of the arguments are not those of the parameters")
        arguments = [given[name] for name, _ in parameters]
    fitting: list[Value] = []
    for value, (_, wanted) in zip(arguments, parameters, strict=True):
        # What does not fit becomes null, and the function is called with that.
        fitting.append(value if wanted is None else coerced(run, value, wanted))
    return function.body(run, fitting)


def call_built_in(
    run: Run, built_in: BuiltIn, arguments: list[Value], names: tuple[str, ...] | None = None
) -> Value:
    """Calls a built-in; null when the arguments fit none of its signatures."""
    if names is not None:
        placed = _placed(built_in, arguments, names)
        if placed is None:
            return run.null(f"'{built_in.name}' does not take these named arguments")
        signature, values = placed
        if built_in.variadic == "each":
            values = [*values[:-1], [values[-1]]]
    elif built_in.variadic:
        signature = built_in.signatures[0]
        values = _gathered(signature, arguments, built_in.variadic)
    else:
        matching = _by_position(built_in, arguments)
        if matching is None:
            return run.null(f"'{built_in.name}' does not take {len(arguments)} arguments")
        signature, values = matching, arguments + [MISSING] * (len(matching) - len(arguments))
    fitting: list[Value] = []
    for value, parameter in zip(values, signature, strict=True):
        fitted = _fitted(run, value, parameter)
        if fitted is None and not (value is None and _allows_null(parameter)):
            return run.null(_misfit(built_in.name, value, parameter))
        fitting.append(fitted)
    result = built_in.function(run, *fitting)
    if isinstance(result, list):
        run.tick(run.items(len(result)))
    return run.string(result) if isinstance(result, str) else result


def _allows_null(parameter: Parameter) -> bool:
    return parameter.optional or parameter.nullable or not parameter.kinds


def _gathered(
    signature: tuple[Parameter, ...], arguments: list[Value], variadic: str
) -> list[Value]:
    """Separate arguments as the list that the last parameter takes."""
    fixed = len(signature) - 1
    rest = arguments[fixed:]
    if variadic == "list" and len(rest) == 1 and (rest[0] is None or isinstance(rest[0], list)):
        return arguments
    missing = [None] * (fixed - len(arguments))
    return [*arguments[:fixed], *missing, rest or None]


def _by_position(built_in: BuiltIn, arguments: list[Value]) -> tuple[Parameter, ...] | None:
    """The first signature whose number and types of parameters fit, else by number alone."""
    fitting = [
        signature
        for signature in built_in.signatures
        if sum(not parameter.optional for parameter in signature)
        <= len(arguments)
        <= len(signature)
    ]
    # The more arguments are of the right type already, the better a signature fits.
    return max(fitting, key=lambda signature: _fit(arguments, signature), default=None)


def _fit(arguments: list[Value], signature: tuple[Parameter, ...]) -> int:
    pairs = zip(arguments, signature, strict=False)
    return sum(not of.kinds or kind(value) in of.kinds for value, of in pairs)


def _placed(
    built_in: BuiltIn, arguments: list[Value], names: tuple[str, ...]
) -> tuple[tuple[Parameter, ...], list[Value]] | None:
    given = dict(zip(names, arguments, strict=True))
    if len(given) != len(names):
        return None
    for signature in built_in.signatures:
        known = {parameter.name for parameter in signature}
        needed = {parameter.name for parameter in signature if not parameter.optional}
        if needed <= given.keys() <= known:
            return signature, [given.get(parameter.name, MISSING) for parameter in signature]
    return None


def _fitted(run: Run, value: Value, parameter: Parameter) -> Value:
    """The argument, converted out of or into a list of one where the parameter needs it."""
    kinds = parameter.kinds
    if not kinds or value is None:
        return value
    if isinstance(value, list):
        run.tick(len(value))
    elif isinstance(value, str):
        run.tick(len(value) // 1000)
    if kind(value) in kinds:
        return value
    if "list" in kinds:
        return [value]
    if isinstance(value, list) and len(value) == 1 and kind(value[0]) in kinds:
        return value[0]
    return None


def _misfit(name: str, value: Value, parameter: Parameter) -> str:
    wanted = " or ".join(article(wanted) for wanted in parameter.kinds)
    return f"'{parameter.name}' of '{name}' must be {wanted}, not {article(kind(value))}"
