"""From values that were read to a model: what does not fit is said in the author's words.

A validator of our own may refuse a value with a code of its own: it raises
`PydanticCustomError("E207", "what is wrong", {"why": ..., "fix": ...})`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from contracts import shapes
from contracts.problems import Problem, in_order, nearest, shown
from contracts.quantities import QuantityError, plain, quantity_from

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from contracts.document import Document, Path

M = TypeVar("M")


def validate(
    model: type[M], document: Document, path: Path = ()
) -> tuple[M | None, tuple[Problem, ...]]:
    """The model that a document holds, or everything that is wrong with it.

    Args:
        model: what the values should be.
        document: read by `read_yaml` or `read_json`; its own problems are returned too.
        path: where in the document the model's values stand; it must be there.

    Returns:
        The model, or None when there is any problem; the problems in order.
    """
    if document.value is None and document.problems:
        return None, document.problems
    value = document.value
    for step in path:
        value = value[step]
    try:
        # mypy does not count a type variable among what can be hashed.
        key: Any = model
        result: M = _reader(key)(value)
    except ValidationError as error:
        # A place that could not be read has been reported; what follows from it is no news.
        known = {(problem.line, problem.column) for problem in document.problems if problem.line}
        found = [
            problem
            for problem in _problems(model, document, path, error)
            if (problem.line, problem.column) not in known
        ]
        return None, in_order((*document.problems, *found))
    return (None if document.problems else result), document.problems


@cache
def _reader(model: Any) -> Callable[[Any], Any]:
    """What turns values into the model: a model's own reader, or one made for a dataclass."""
    read = getattr(model, "model_validate", None)
    return read or TypeAdapter(model).validate_python


def _problems(
    model: type[Any], document: Document, base: Path, error: ValidationError
) -> Iterator[Problem]:
    tried = [_tried(document, base, details) for details in error.errors(include_url=False)]
    chosen: dict[Path, ErrorDetails] = {}
    for attempt in _nearest_shapes(tried, 0):
        chosen.setdefault(attempt.path, attempt.details)
    for path, details in chosen.items():
        yield _Fault(model, document, base, path, details).problem()


@dataclass(frozen=True, slots=True)
class _Tried:
    """An error, its path in the data, and which shape was tried at each value that has several."""

    path: Path
    shapes: tuple[tuple[Path, str], ...]
    details: ErrorDetails


def _tried(document: Document, base: Path, details: ErrorDetails) -> _Tried:
    """An error placed in the data: pydantic marks a tried shape by a step that is not in it."""
    value = document.value
    for step in base:
        value = value[step]
    path: Path = ()
    tried: tuple[tuple[Path, str], ...] = ()
    loc = details["loc"]
    for index, step in enumerate(loc):
        inside = (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        )
        if inside:
            value = value[step]
        elif details["type"] != "missing" or index < len(loc) - 1:
            tried = (*tried, (path, str(step)))
            continue
        path = (*path, step)
    return _Tried(path, tried, details)


def _nearest_shapes(errors: list[_Tried], level: int) -> Iterator[_Tried]:
    """Of the shapes that a value may have, the errors of the one that came nearest to fitting."""
    by_place: dict[Path, dict[str, list[_Tried]]] = {}
    for error in errors:
        if level < len(error.shapes):
            place, shape = error.shapes[level]
            by_place.setdefault(place, {}).setdefault(shape, []).append(error)
        else:
            yield error
    for by_shape in by_place.values():
        best = min(
            by_shape.values(),
            key=lambda tried: (-max(len(error.path) for error in tried), len(tried)),
        )
        yield from _nearest_shapes(best, level + 1)


class _Fault:
    """One thing that does not fit, about to be said."""

    def __init__(
        self, model: type[Any], document: Document, base: Path, path: Path, error: Any
    ) -> None:
        self.model: Any = model
        self.document = document
        self.inner = path
        self.path = (*base, *path)
        self.kind: str = error["type"]
        self.message: str = error["msg"]
        self.context: dict[str, Any] = error.get("ctx", {})
        self.input = error["input"]
        names = [step for step in self.path if isinstance(step, str)]
        last = self.path[-1] if self.path else None
        if isinstance(last, str):
            self.name = f"'{shown(last)}'"
        else:
            self.name = f"this row of '{shown(names[-1])}'" if names else "the file"
        self.fields = shapes.at(model, path)

    def problem(self) -> Problem:
        kind = self.kind
        if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
            return self._unknown()
        if kind == "missing":
            return self._missing()
        if kind == "literal_error":
            return self._not_one_of()
        if kind in {"quantity", "number"}:
            return self._not_a_figure()
        if kind == "day":
            return self._not_a_day()
        if kind == "file_path":
            return self._say(
                "E410",
                f"{self.name}: {self.context['reason']}",
                why="A case is a folder that can be moved; its files lie inside it.",
                fix="Write the path from the case's folder, such as evidence/front.jpg",
            )
        if re.fullmatch(r"E[0-9]{3}", kind):
            return self._say(
                kind,
                self.message,
                why=str(self.context.get("why", "")),
                fix=str(self.context.get("fix", "")),
            )
        if kind in _BOUNDS:
            return self._out_of_bounds()
        if kind == "string_type" and type(self.input) is Decimal:
            return self._say(
                "E405",
                f"{self.name} is a text, and {_written(self.input)} is written as a number",
                why="A number would lose the zeros in front of it, so digits that are a name, a "
                "PIN code or a survey number stand in quotes.",
                fix=f'Write: {self.name[1:-1]}: "{_written(self.input)}"',
            )
        return self._another_kind()

    def _say(
        self, code: str, what: str, *, why: str = "", fix: str = "", key: bool = False
    ) -> Problem:
        return self.document.problem(code, self.path, what, why=why, fix=fix, key=key)

    def _place(self) -> str:
        """What the field belongs to, in words."""
        outer = self.path[:-1]
        names = [step for step in outer if isinstance(step, str)]
        if not names:
            return f"a {self.model.__name__.lower()}"
        return (
            f"a row of '{shown(names[-1])}'"
            if isinstance(outer[-1], int)
            else (f"'{shown('.'.join(names))}'")
        )

    def _unknown(self) -> Problem:
        word = str(self.path[-1])
        names = shapes.field_names(shapes.at(self.model, self.inner[:-1]))
        near = nearest(word, names)
        homes = [home for home in shapes.homes(self.model).get(word, ()) if home]
        fixes = []
        if homes:
            fixes.append(f"'{shown(word)}' is a field of {' and of '.join(homes[:2])}: move it.")
        if near is not None and not (homes and near.lower() != word.lower()):
            fixes.append(f"Did you mean '{near}'?")
        if near is None and re.search(r"[()=<>+*/?\"'\]]", word):
            fixes = [
                "A comma ends a value inside { }: put quotes around the whole formula or text."
            ]
        if not fixes:
            listed = ", ".join(sorted(names)[:15]) + (", ..." if len(names) > 15 else "")
            fixes.append(f"Its fields are: {listed}." if names else "Take it out.")
        return self._say(
            "E401",
            f"{self.name} is not a field of {self._place()}",
            why="What no field holds would be lost without a word.",
            fix=" ".join(fixes),
            key=True,
        )

    def _missing(self) -> Problem:
        if isinstance(self.path[-1], int):
            return self._say(
                "E402",
                f"the list has fewer than {self.path[-1] + 1} entries",
                why="Each of its places has a meaning of its own.",
                fix="Write the entry that is missing.",
            )
        options = shapes.options(self.fields)
        name = self.path[-1]
        example = options[0] if options else shapes.example(self.fields)
        one_of = f" (one of {shapes.listed(options)})" if len(options) > 1 else ""
        return self._say(
            "E402",
            f"{self._place()} has no {self.name}",
            why="It cannot be read without.",
            fix=f"Add: {name}: {example}{one_of}",
        )

    def _not_one_of(self) -> Problem:
        options = shapes.options(self.fields)
        near = nearest(self.input, options) if isinstance(self.input, str) else None
        return self._say(
            "E403",
            f"{_written(self.input)} is not a word that {self.name} may have",
            why=f"It is {shapes.listed(options)}.",
            fix=f"Did you mean '{near}'?" if near else "Write one of these, in the same letters.",
        )

    def _not_a_figure(self) -> Problem:
        # A mapping is described at the whole, so that the reason stands for all of its parts.
        reason = str(self.context.get("reason", self.message))
        hint = shapes.hint(self.fields)
        fix = f"Write it like this: {self.name[1:-1]}: {shapes.example(self.fields)}"
        if isinstance(self.input, str) and re.search("[0-9],[0-9]", self.input):
            bare = self.input.replace(",", "")
            with contextlib.suppress(QuantityError):
                fix = f"Write it without commas: {quantity_from(bare, None)}"
        return self._say(
            "E404",
            f"{self.name} cannot be read: {shown(reason, 200)}",
            why=f"The field is {hint}." if hint else "",
            fix=fix,
        )

    def _not_a_day(self) -> Problem:
        hint, example = shapes.hint(self.fields), shapes.example(self.fields)
        reason = str(self.context["reason"])
        turned = re.fullmatch(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})", str(self.input))
        if turned:
            # The Indian order, day first.
            example = f"{turned[3]}-{turned[2]:0>2}-{turned[1]:0>2}"
        return self._say(
            "E406",
            f"{self.name} is {hint}, and {_written(self.input)} is none",
            why=reason[0].upper() + reason[1:] + ".",
            fix=f"Write it like this: {self.name[1:-1]}: {example}",
        )

    def _out_of_bounds(self) -> Problem:
        limit = next((value for key, value in self.context.items() if key != "pattern"), "")
        what = _BOUNDS[self.kind].format(name=self.name, written=_written(self.input), limit=limit)
        why, fix = "Nothing that a report holds lies beyond this bound.", ""
        if self.input == "":
            what, why = f"{self.name} is empty", "The field says nothing without a text."
        if self.kind == "string_pattern_mismatch":
            pattern = str(self.context["pattern"])
            why, fix = "The field has a fixed form.", ""
            near = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(self.input)).strip("-._")
            if near != self.input and re.fullmatch(pattern, near):
                why = "Other lines refer to it, so it is one word without blanks or other signs."
                fix = f"Write: {self.name[1:-1]}: {near}"
        return self._say("E407", what, why=why, fix=fix)

    def _another_kind(self) -> Problem:
        hint = shapes.hint(self.fields) or "of another kind"
        written = _written(self.input)
        if self.kind == "value_error":
            return self._say("E405", f"{self.name}: {shown(self.context.get('error', ''), 200)}")
        if not self.path:
            hint = "a mapping: lines of names and values"
        name = f"{self.name[1:-1]}: " if self.name.startswith("'") else ""
        return self._say(
            "E405",
            f"{self.name} is {hint}, and {written} is not",
            why="The value is of another kind than the field holds.",
            fix=f"Write it like this: {name}{shapes.example(self.fields)}" if self.path else "",
        )


_BOUNDS = {
    "greater_than_equal": "{name} is at least {limit}, and {written} is less",
    "greater_than": "{name} is more than {limit}, and {written} is not",
    "less_than_equal": "{name} is at most {limit}, and {written} is more",
    "less_than": "{name} is less than {limit}, and {written} is not",
    "string_too_long": "{name} is longer than {limit} characters",
    "string_too_short": "{name} is empty, or has fewer than {limit} characters",
    "string_pattern_mismatch": "{written} is not a form that {name} may have",
    "too_long": "{name} has more entries than may be",
    "too_short": "{name} has fewer entries than there must be",
}


def _written(value: Any) -> str:
    if isinstance(value, str):
        return f"'{shown(value)}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Decimal):
        return shown(plain(value))
    return "a mapping" if isinstance(value, dict) else "a list"
