"""Types: what has one, what fits in the place of another, what is converted (DMN 1.5, 10.3.2.9)."""

from __future__ import annotations

from decimal import Decimal

from engine.feel import nodes
from engine.feel.nodes import TypeName
from engine.feel.run import Run
from engine.feel.temporal import Date, DateTime, Time
from engine.feel.values import FeelFunction, FeelRange, Value, article, kind

_SIMPLE = frozenset(
    {
        *("number", "string", "boolean", "date", "time", "date and time"),
        *("days and time duration", "years and months duration"),
        *("list", "context", "range", "function"),
    }
)
_OTHER_SPELLINGS = {
    "day and time duration": "days and time duration",
    "year and month duration": "years and months duration",
    "dateTime": "date and time",
    "dayTimeDuration": "days and time duration",
    "yearMonthDuration": "years and months duration",
}


def is_instance(run: Run, value: Value, wanted: TypeName) -> bool | None:
    """`value instance of wanted`; null for a type that is not known here."""
    name = spelled(wanted)
    if name == "Any":
        return value is not None
    if name == "Null":
        return value is None
    if name not in _SIMPLE:
        return run.null(f"the type '{name}' is not known", wanted.start, wanted.end)
    if kind(value) != name:
        return False
    return conforms(run, value, wanted)


def conforms(run: Run, value: Value, wanted: TypeName) -> bool:
    """Whether a value may stand where a type is asked for; null may stand everywhere."""
    name = spelled(wanted)
    if value is None or name == "Any" or name not in _SIMPLE:
        return name != "Null" or value is None
    if kind(value) != name:
        return False
    if not wanted.arguments:
        return True
    if isinstance(value, list):
        run.tick(len(value))
        return all(conforms(run, item, wanted.arguments[0]) for item in value)
    if isinstance(value, dict):
        fields = zip(wanted.fields, wanted.arguments, strict=True)
        return all(key in value and conforms(run, value[key], of) for key, of in fields)
    if isinstance(value, FeelRange):
        return all(conforms(run, end, wanted.arguments[0]) for end in (value.low, value.high))
    if isinstance(value, FeelFunction):
        return _function_fits(value, wanted.arguments[:-1], wanted.arguments[-1])
    return True


def _function_fits(
    function: FeelFunction, parameters: tuple[TypeName, ...], result: TypeName
) -> bool:
    """Whether a function takes at least what is asked for, and gives at most that."""
    if function.parameters is None:
        return True
    if len(function.parameters) != len(parameters):
        return False
    taken = zip(function.parameters, parameters, strict=True)
    if not all(of is None or fits(given, of) for (_, of), given in taken):
        return False
    return function.result is None or fits(function.result, result)


def fits(narrow: TypeName, wide: TypeName) -> bool:
    """Whether every value of one type is a value of another."""
    name = spelled(narrow)
    if spelled(wide) == "Any" or name == "Null":
        return True
    if name != spelled(wide):
        return False
    if not wide.arguments:
        return True
    if not narrow.arguments:
        return False
    if name == "context":
        own = dict(zip(narrow.fields, narrow.arguments, strict=True))
        others = zip(wide.fields, wide.arguments, strict=True)
        return all(key in own and fits(own[key], of) for key, of in others)
    if name == "function":
        inner, outer = narrow.arguments, wide.arguments
        if len(inner) != len(outer):
            return False
        taken = zip(inner[:-1], outer[:-1], strict=True)
        return fits(inner[-1], outer[-1]) and all(fits(b, a) for a, b in taken)
    return all(fits(a, b) for a, b in zip(narrow.arguments, wide.arguments, strict=True))


def known_type(node: nodes.Node) -> TypeName | None:
    """The type that an expression is seen to have without evaluating it, else None."""
    if isinstance(node, nodes.Literal):
        return nodes.TypeName("Null" if node.value is None else kind(node.value))
    if isinstance(node, nodes.ContextOf):
        types = [known_type(value) or nodes.TypeName("Any") for _, value in node.entries]
        return nodes.TypeName("context", tuple(types), tuple(key for key, _ in node.entries))
    if isinstance(node, nodes.ListOf) and node.items:
        first, *others = (known_type(item) for item in node.items)
        if first is not None and all(first == other for other in others):
            return nodes.TypeName("list", (first,))
    if isinstance(node, (nodes.Conjunction, nodes.Disjunction, nodes.Comparison, nodes.InstanceOf)):
        return nodes.TypeName("boolean")
    return None


def spelled(type_name: TypeName) -> str:
    """The name of a type in its usual spelling."""
    return _OTHER_SPELLINGS.get(type_name.name, type_name.name)


def coerced(run: Run, value: Value, wanted: TypeName) -> Value:
    """The value as the wanted type: itself, out of or into a list of one, or null.

    A date also becomes the date and time of its midnight UTC.
    """
    if conforms(run, value, wanted):
        return value
    if isinstance(value, Date) and spelled(wanted) == "date and time":
        return DateTime(value, Time(0, 0, Decimal(0), 0))
    if isinstance(value, list) and len(value) == 1 and conforms(run, value[0], wanted):
        return value[0]
    if wanted.name == "list" and conforms(run, [value], wanted):
        return [value]
    return run.null(f"{article(kind(value))} is given where {article(wanted.name)} is asked for")
