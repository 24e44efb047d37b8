"""Whether a value has a type, and the implicit conversions between a value and a list of one
(DMN 1.5, 10.3.2.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.feel.values import FeelFunction, FeelRange, Value, article, kind

if TYPE_CHECKING:
    from engine.feel.nodes import TypeName
    from engine.feel.run import Run

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
    name = _OTHER_SPELLINGS.get(wanted.name, wanted.name)
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
    name = _OTHER_SPELLINGS.get(wanted.name, wanted.name)
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
        return value.parameters is None or len(value.parameters) == len(wanted.arguments) - 1
    return True


def coerced(run: Run, value: Value, wanted: TypeName) -> Value:
    """The value as the wanted type: itself, out of or into a list of one, or null."""
    if conforms(run, value, wanted):
        return value
    if isinstance(value, list) and len(value) == 1 and conforms(run, value[0], wanted):
        return value[0]
    if wanted.name == "list" and conforms(run, [value], wanted):
        return [value]
    return run.null(f"{article(kind(value))} is given where {article(wanted.name)} is asked for")
