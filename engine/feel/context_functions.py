"""Built-in functions on contexts."""

from __future__ import annotations

from collections.abc import Callable

from engine.feel.invocation import BuiltIn, Parameter
from engine.feel.run import Run
from engine.feel.values import Value


def get_value(run: Run, context: dict[str, Value], key: Value) -> Value:
    """The entry of a context by its key, or by a list of keys that lead to it."""
    value: Value = context
    for step in key if isinstance(key, list) else [key]:
        if not isinstance(value, dict) or not isinstance(step, str) or step not in value:
            return run.null(f"there is no entry '{step}'")
        value = value[step]
    return value


def get_entries(_: Run, context: dict[str, Value]) -> Value:
    """The entries of a context, each as a context of key and value."""
    return [{"key": key, "value": value} for key, value in context.items()]


def context_of(run: Run, entries: list[Value]) -> Value:
    """A context from a list of contexts of key and value."""
    made: dict[str, Value] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not {"key", "value"} <= entry.keys():
            return run.null("an entry is a context of key and value")
        key = entry["key"]
        if not isinstance(key, str) or key in made:
            return run.null("the keys of a context are different strings")
        made[key] = entry["value"]
    return made


def context_put(run: Run, context: dict[str, Value], key: Value, value: Value) -> Value:
    """The context with an entry added or replaced, at a key or along a list of keys."""
    if not isinstance(key, list):
        return {**context, key: value}
    if not key or not all(isinstance(step, str) for step in key):
        return run.null("the keys must be strings, and at least one")
    if len(key) == 1:
        return {**context, key[0]: value}
    inner = context.get(key[0])
    if inner is not None and not isinstance(inner, dict):
        return run.null(f"the entry '{key[0]}' is not a context")
    run.tick(len(key))
    changed = context_put(run, inner or {}, key[1:], value)
    return None if changed is None else {**context, key[0]: changed}


def context_merge(run: Run, contexts: list[Value]) -> Value:
    """One context with the entries of several; the last of equal keys wins."""
    merged: dict[str, Value] = {}
    for context in contexts:
        if not isinstance(context, dict):
            return run.null("only contexts are merged")
        run.tick(len(context))
        merged.update(context)
    return merged


def _of(name: str, function: Callable[..., Value], *parameters: Parameter) -> BuiltIn:
    return BuiltIn(name, function, (parameters,))


_CONTEXT = Parameter("context", ("context",))

CONTEXT_FUNCTIONS = (
    BuiltIn(
        "get value",
        get_value,
        (
            (Parameter("m", ("context",)), Parameter("key", ("string",))),
            (Parameter("context", ("context",)), Parameter("keys", ("list",))),
        ),
    ),
    _of("get entries", get_entries, Parameter("m", ("context",))),
    _of("context", context_of, Parameter("entries", ("list",))),
    BuiltIn(
        "context put",
        context_put,
        (
            (_CONTEXT, Parameter("key", ("string",)), Parameter("value")),
            (_CONTEXT, Parameter("keys", ("list",)), Parameter("value")),
        ),
    ),
    _of("context merge", context_merge, Parameter("contexts", ("list",))),
)
