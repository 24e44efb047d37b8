"""Where a figure comes from, in a sentence that a valuer would sign.

A formula is read aloud with the labels and values of what it used; what it did not use (the second
choice of a `first known`) is left out. A formula that cannot be read aloud is quoted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from engine.feel import Variables, evaluate_node, nodes, parse_expression
from engine.indian_numbers import printed
from engine.rules.runtime import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.evaluation import NamedValue, TraceEntry
    from engine.evaluation import Examination
    from engine.figures import Figures
    from engine.rules.compiled import Step

_SIGNS = {"+": "plus", "-": "less", "*": "times", "/": "divided by"}
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2}


class _NotReadableError(Exception):
    """The formula has a part that has no reading."""


def explain(examination: Examination, field: str) -> tuple[str | None, str]:
    """The derivation of a figure or decision.

    Args:
        examination: of the case.
        field: `fmv`, `floors[house].net`, or a whole column: `floors.net`.

    Returns:
        The explanation, or None and why there is none.
    """
    figures = examination.figures
    if figures is None:
        return None, "no rule set answers for this case, so it has no figures"
    address, row, fault = figures.locate(field)
    if fault is not None:
        return None, fault
    step = figures.compiled.steps_by_address.get(address)
    if step is None:
        return _entered(figures, address, row), ""
    rows: Sequence[int | None] = [row]
    if step.table is not None and row is None:
        rows = range(len(figures.rows_of(step.table)))
        if not rows:
            return f"{step.label}: the case has no {step.table}.", ""
    return "\n\n".join(_explained(figures, step, number) for number in rows), ""


def _explained(figures: Figures, step: Step, row: int | None) -> str:
    entry = figures.entry(step, row)
    name = _subject(figures, step, row)
    lines = [f"{name} {_stated(figures, step, entry, row)}"]
    for item in entry.inputs:
        if item.written:
            lines.append(
                f"{_label(figures, step, item)} was written as {item.written}: {item.source}."
            )
        elif item.source:
            lines.append(f"{_label(figures, step, item)} is {_value(item)} ({item.source}).")
    lines.append(f"Rule: {entry.rule}" + (f" ({entry.source})." if entry.source else "."))
    return "\n  ".join(lines)


def _stated(figures: Figures, step: Step, entry: TraceEntry, row: int | None) -> str:
    """What is said of the figure, after its name."""
    value = figures.printed(step.address, row)
    if entry.value is None:
        if not entry.missing:
            return "is not known, and nothing that the case could state would make it known."
        return f"is not known, because {_listed(entry.missing)} {_is(entry.missing)} missing."
    if step.is_decision:
        used = [f"{_lower(_label(figures, step, item))} {_value(item)}" for item in entry.inputs]
        return f"is {value}: {entry.formula}, with {_listed(used)}."
    if entry.given is not None:
        text = f"is {value}, as stated in the case"
        if entry.unrounded is None:
            return f"{text}."
        return f"{text}; its formula gives {_amount(entry.unrounded, entry.unit)}."
    text = f"is {value}: {_reading(figures, step, entry, row)}"
    if entry.unrounded != entry.value:
        exact = _amount(entry.unrounded, entry.unit)
        text += f", {_rounded(step)}" if exact == value else f", which is {exact}, {_rounded(step)}"
    return f"{text}."


def _reading(figures: Figures, step: Step, entry: TraceEntry, row: int | None) -> str:
    inputs = {item.name: item for item in entry.inputs}
    try:
        tree = parse_expression(step.formula, frozenset(FUNCTIONS))
        return _Reader(figures, step, inputs, row).read(tree)
    except _NotReadableError:
        used = [
            f"{_lower(_label(figures, step, item))} {_value(item)}"
            for item in entry.inputs
            if item.value is not None
        ]
        return f"by the formula {step.formula}" + (f", with {_listed(used)}" if used else "")


class _Reader:
    """Reads one formula aloud."""

    def __init__(
        self, figures: Figures, step: Step, inputs: dict[str, NamedValue], row: int | None
    ) -> None:
        self._figures = figures
        self._step = step
        self._inputs = inputs
        self._variables = Variables(_variables(figures, step, row))

    def read(self, node: nodes.Node) -> str:
        """The words of an expression."""
        item = self._inputs.get(_name_of(node))
        if item is not None:
            return f"{_lower(_label(self._figures, self._step, item))} ({_value(item)})"
        match node:
            case nodes.Literal(value=Decimal() as number):
                return printed(number)
            case nodes.Arithmetic(operator=sign, left=left, right=right) if sign in _SIGNS:
                return f"{self._inner(left, sign)} {_SIGNS[sign]} {self._inner(right, sign, 1)}"
            case nodes.If(condition=condition, consequent=consequent, alternative=alternative):
                return self.read(consequent if self._worth(condition) is True else alternative)
            case nodes.Call(function=nodes.Name(name=name), arguments=arguments):
                return self._call(name, arguments)
        raise _NotReadableError

    def _inner(self, node: nodes.Node, sign: str, right: int = 0) -> str:
        text = self.read(node)
        if isinstance(node, nodes.Arithmetic) and (
            _BINDING[node.operator] < _BINDING[sign] + right * (sign in {"-", "/"})
        ):
            return f"({text})"
        return text

    def _call(self, name: str, arguments: tuple[nodes.Node, ...]) -> str:
        if name == "total":
            return f"the sum of {self.read(arguments[0])}"
        if name == "first known":
            known = [argument for argument in arguments if self._worth(argument) is not None]
            return self.read((known or list(arguments))[0])
        if name in {"min", "max", "least known"}:
            words = [
                self.read(argument) for argument in arguments if self._worth(argument) is not None
            ]
            kind = "greatest" if name == "max" else "least"
            return words[0] if len(words) == 1 else f"the {kind} of {_listed(words)}"
        if name == "abs":
            return self.read(arguments[0])
        if name == "in words":
            return f"{self.read(arguments[0])} in words"
        raise _NotReadableError

    def _worth(self, node: nodes.Node) -> Any:
        """What a part of the formula comes to."""
        return evaluate_node(node, self._variables, functions=FUNCTIONS)


def _variables(figures: Figures, step: Step, row: int | None) -> dict[str, Any]:
    """What the names of a formula stand for: scalars, `row.<column>`, `<table>.<column>`."""
    found: dict[str, Any] = {}
    for name, address in step.reads:
        head, dot, column = name.partition(".")
        value = figures.raw(address, row if head == "row" else None)
        if dot:
            found.setdefault(head, {})[column] = value
        else:
            found[name] = value
    return found


def _name_of(node: nodes.Node) -> str:
    """The name that the trace has for a node: `fmv`, `row.rate`, `given(land_value)`."""
    match node:
        case nodes.Name(name=name):
            return name
        case nodes.Path(operand=nodes.Name(name=table), name=column):
            return f"{table}.{column}"
        case nodes.Call(
            function=nodes.Name(name="given" | "calculated" as how), arguments=(argument,)
        ):
            return f"{how}({_name_of(argument)})"
    return ""


def _subject(figures: Figures, step: Step, row: int | None) -> str:
    if step.table is None or row is None:
        return step.label
    return f"{step.label} of {figures.printed(f'{step.table}.label', row)}"


def _label(figures: Figures, step: Step, item: NamedValue) -> str:
    """What something used is called: a figure by its label, a parameter or fact likewise."""
    address = dict(step.reads).get(item.name, item.name)
    label = figures.compiled.labels.get(address.rpartition(" ")[2], item.name)
    if item.name.startswith("given("):
        return f"Stated {_lower(label)}"
    if item.name.startswith("calculated("):
        return f"Computed {_lower(label)}"
    return label


def _value(item: NamedValue) -> str:
    if isinstance(item.value, tuple):
        return _listed([_amount(value, item.unit) for value in item.value]) or "none"
    return _amount(item.value, item.unit)


def _amount(value: Any, unit: str | None) -> str:
    if value is None:
        return "not known"
    if isinstance(value, Decimal):
        return printed(value, None if unit == "number" else unit)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _rounded(step: Step) -> str:
    mode, _, text = step.rounding.partition(" ")
    money = step.unit_text == "INR"
    shown = printed(Decimal(text), "INR") if money else text
    if mode == "nearest" and money and text == "1":
        return "rounded to the nearest rupee"
    words = {"floor": "down to a full", "ceil": "up to the next", "nearest": "to the nearest"}
    return f"rounded {words[mode]} {shown}"


def _entered(figures: Figures, address: str, row: int | None) -> str:
    label = figures.compiled.labels.get(address, address)
    parameter = figures.parameters.get(address)
    if parameter is not None:
        where = "by the case itself" if parameter.overridden else "by the rule set"
        return f"{label} is {figures.printed(address)}, {where}: {parameter.source}."
    rows: Sequence[int | None] = [row]
    if "." in address and row is None:
        rows = range(len(figures.rows_of(address.partition(".")[0])))
    values = [figures.printed(address, number) for number in rows]
    return f"{label} is entered in the case: {_listed(values) or 'none'}."


def _lower(label: str) -> str:
    """A label inside a sentence; abbreviations keep their capitals."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def _is(items: Sequence[str]) -> str:
    return "is" if len(items) == 1 else "are"
