"""Holds a finished report against its bundle: each tagged text, and each figure without a tag.

Figures are worked out again from the bundle's trace and printed anew; nothing of the document is
taken for granted. A text outside the content controls may hold a figure only where a template has
the very same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from contracts.problems import Problem, nearest, shown
from engine.indian_numbers import parse_rupee_words
from factory.bundle import ANNEXURES
from factory.rendering.tagging import tag_of
from factory.rendering.template_families import FAMILIES, family_of
from factory.rendering.template_files import find_template
from factory.report import printing
from factory.report.data import TABLES, fields_of, leaves_of, report_data
from factory.report.recomputation import recompute
from factory.report.text_model import read_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from factory.report.bundle_parts import BundleParts
    from factory.report.recomputation import Otherwise
    from factory.report.text_model import Control, Paragraph, TextModel

_ROW = re.compile(r"(.+)\[([^\[\]]+)\]\.([a-z0-9_]+)")
_WORDS = "words"
_TABLE_NAMES = {f"contract.{path}": name for name, (path, _) in TABLES.items()}
_LISTS = frozenset({"evidence", "findings", "land_units"})

# What reads like an amount, a rate or a percentage: ₹5, Rs. 5, 1,23,456, 2026, 5 lakh, 12 %.
_FIGURE = re.compile(
    r"(?:₹|\bRs\b\.?|\bINR\b)\s*-?\d[\d,]*(?:\.\d+)?(?:\s*(?:crores?|lakhs?|lacs?)\b)?"
    r"|\d[\d,]*(?:\.\d+)?\s*(?:crores?\b|lakhs?\b|lacs?\b|%|per\s?cent\b)"
    r"|\d{1,3}(?:,\d{2,3})+(?:\.\d+)?"
    r"|\d{4,}(?:\.\d+)?",
    re.IGNORECASE,
)
_AMOUNT_IN_WORDS = re.compile(
    r"\b(?:rupees|crore|lakh|thousand|hundred)\b[\w\s,-]*\bonly\b", re.IGNORECASE
)
# What changes the figure of a control that it touches: a digit, a sign, a unit.
_TOUCHING = re.compile(
    r"\ufffc[.,]?\d[\d,.]*|\d[\d,.]*\ufffc|[-\u2212]\ufffc"
    r"|\ufffc\s*(?:crores?|lakhs?|lacs?|thousand|hundred|million|%)",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_STATEMENT = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
# Stands in a text where a control, or an expression of a template, stands.
_HOLE = "\ufffc"
_FROM_THE_BUNDLE = "Render the report again from its bundle; figures are changed in the case."


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of holding a report against its bundle.

    `tagged` counts the texts that name their field, `figures` those of the trace among them.
    `is_document` is False for a file that is no DOCX at all.
    """

    problems: tuple[Problem, ...]
    tagged: int = 0
    figures: int = 0
    is_document: bool = True


def prove(
    parts: BundleParts, document: bytes, *, template: bytes | None = None
) -> tuple[Problem, ...]:
    """Everything in a finished report that is not what its bundle says; as `proof_of` finds it."""
    return proof_of(parts, document, template=template).problems


def proof_of(
    parts: BundleParts,
    document: bytes,
    *,
    template: bytes | None = None,
    name: str = "the report",
) -> Proof:
    """A finished report held against its bundle.

    Args:
        parts: of a sound bundle.
        document: the bytes of the DOCX.
        template: the file that the report was printed in, whose own words may stand in it; the one
            that ZenOps brings for the bundle's key, if left out.
        name: what to call the document in problems.

    Returns:
        Its problems: tagged texts in the order of the document first, then figures without a tag,
        then what is missing.
    """
    model, problems = read_text(document, name)
    if model is None:
        return Proof(problems, is_document=False)
    evaluation, otherwise = recompute(parts.evaluation)
    run = _Proof(replace(parts, evaluation=evaluation), model)
    if otherwise:
        # What was printed from a wrong figure is told once, with the figure.
        run.stored = fields_of(report_data(parts))
    found = [
        *(_unreadable(part, what) for part, what in model.unreadable),
        *map(_otherwise, otherwise),
        *run.of_the_controls(),
        *run.of_the_rest(_own_words(_templates(parts, template))),
        *run.of_what_must_be_there(),
    ]
    tagged = [run.fields[item.tag] for item in model.controls if item.tag in run.fields]
    figures = sum(field.partition(":")[0] in run.values for field in tagged)
    named = (replace(problem, file=shown(name)) for problem in found)
    return Proof(tuple(dict.fromkeys(named)), len(tagged), figures)


@dataclass(frozen=True, slots=True)
class _Word:
    """A figure in a template's own text, with the words before and behind it."""

    before: str
    figure: str
    behind: str


class _Proof:
    """One report against one bundle."""

    def __init__(self, parts: BundleParts, model: TextModel) -> None:
        data = report_data(parts)
        self.parts = parts
        self.model = model
        self.expected = fields_of(data)
        self.known = {item["field"] for item in leaves_of(data) if item["known"]}
        self.fields = {tag_of(field): field for field in self.expected}
        self.values: Mapping[str, Any] = {
            entry.field: entry.value for entry in parts.evaluation.trace
        }
        self.stored: Mapping[str, str] = self.expected
        self.printed: set[str] = set()

    # ---- tagged texts ---------------------------------------------------------------------------

    def of_the_controls(self) -> Iterator[Problem]:
        """Every tagged text that is not what its field prints."""
        for control in self.model.controls:
            if not control.tag:
                continue
            field = self.fields.get(control.tag)
            if field is None:
                yield self._unknown(control)
                continue
            self.printed.add(field)
            given = {_plainly(self.expected[field]), _plainly(self.stored[field])}
            if _plainly(control.text) not in given:
                yield self._differs(control, field)

    def _differs(self, control: Control, field: str) -> Problem:
        printed, expected = _quoted(control.text), _quoted(self.expected[field])
        where = f"It stands in {control.part}, {control.place}."
        base, _, variant = field.partition(":")
        if variant != _WORDS:
            return _problem(
                "E650", f"'{shown(base)}' reads {printed}, not {expected}", where, field
            )
        spoken = parse_rupee_words(control.text)
        said = "no amount" if spoken is None else printing.amount(spoken)
        return _problem(
            "E651",
            f"'{shown(base)}' in words says {said}, its figure is {self.expected[base]}",
            f"{where} It reads {printed}, not {expected}.",
            field,
        )

    def _unknown(self, control: Control) -> Problem:
        near = nearest(control.tag, self.fields)
        hint = f" The nearest is '{near}'." if near else ""
        return _problem(
            "E653",
            f"no field of the bundle is called '{shown(control.tag)}'",
            f"In {control.part}, {control.place}, it is the tag of {_quoted(control.text)}.{hint}",
            control.tag,
        )

    # ---- texts without a tag --------------------------------------------------------------------

    def of_the_rest(self, own: Mapping[str, list[_Word]]) -> Iterator[Problem]:
        """Every figure that stands in no control and in no template."""
        for paragraph in self.model.paragraphs:
            text = _outside(paragraph)
            for word in _figures_in(text):
                if not _is_own(word, own):
                    yield _problem(
                        "E652",
                        f"the figure '{shown(word.figure.replace(_HOLE, '...'))}' has no tag",
                        f"In {paragraph.part}, {paragraph.place}: "
                        f"{_quoted(text.replace(_HOLE, '...'))}.",
                        "",
                    )

    # ---- what must be there ---------------------------------------------------------------------

    def of_what_must_be_there(self) -> Iterator[Problem]:
        """Figures that the family must print, and rows that are left out of a table."""
        bases = {field.partition(":")[0] for field in self.printed}
        in_figures = {
            field.partition(":")[0] for field in self.printed if not field.endswith(f":{_WORDS}")
        }
        family = family_of(self.parts.template.key)
        for field in FAMILIES[family].must_print if family else ():
            if field in self.known and field not in in_figures:
                yield _problem(
                    "E654",
                    f"'{field}' is printed nowhere",
                    f"Every report of this kind says it; the bundle gives "
                    f"{_quoted(self.expected[field])}.",
                    field,
                )
        yield from self._rows_left_out(bases)

    def _rows_left_out(self, bases: set[str]) -> Iterator[Problem]:
        """A row is left out if other rows print a column that it has as well."""
        columns: dict[tuple[str, str], list[str]] = {}
        for field in self.known:
            match = _ROW.fullmatch(field)
            if match is not None and _is_table(match[1]):
                columns.setdefault((match[1], match[3]), []).append(match[2])
        missing: dict[str, list[str]] = {}
        for (table, column), rows in columns.items():
            absent = [row for row in rows if f"{table}[{row}].{column}" not in bases]
            if len(absent) < len(rows):
                for row in absent:
                    name = _TABLE_NAMES.get(table, table)
                    missing.setdefault(f"{name}[{row}]", []).append(f"{table}[{row}].{column}")
        for row, fields in sorted(missing.items()):
            names = sorted(field.rpartition(".")[2] for field in fields)
            first = min(fields)
            yield _problem(
                "E655",
                f"the row '{row}' is not printed",
                f"Other rows of its table are, with {', '.join(names)}; the bundle gives "
                f"{_quoted(self.expected[first])} for '{first}'.",
                row,
            )


def _is_table(name: str) -> bool:
    """Whether rows are those of a table whose every row counts; evidence and findings are not."""
    return name in _TABLE_NAMES or (
        re.fullmatch(r"[a-z0-9_]+", name) is not None and name not in _LISTS
    )


# ---- a template's own words ----------------------------------------------------------------------


def _templates(parts: BundleParts, own: bytes | None) -> Sequence[bytes]:
    """The files whose words may stand in the report: its template, and that of the pictures."""
    keys = (ANNEXURES,) if own is not None else (parts.template.key, ANNEXURES)
    found = [find_template(key) for key in keys]
    shipped = [file.path.read_bytes() for file in found if file is not None]
    return shipped if own is None else [own, *shipped]


def _own_words(templates: Sequence[bytes]) -> Mapping[str, list[_Word]]:
    """The figures in the templates' own texts, by the figure."""
    own: dict[str, list[_Word]] = {}
    for content in templates:
        model, _ = read_text(content, "the template")
        for paragraph in model.paragraphs if model is not None else ():
            text = _with_one_hole(_EXPRESSION.sub(_HOLE, _STATEMENT.sub("", paragraph.text)))
            for word in _figures_in(text):
                own.setdefault(word.figure, []).append(word)
    return own


def _outside(paragraph: Paragraph) -> str:
    """A paragraph's text with a hole for each tagged text."""
    pieces = [_HOLE if piece.tag else piece.text.replace(_HOLE, " ") for piece in paragraph.pieces]
    return _with_one_hole("".join(pieces))


def _with_one_hole(text: str) -> str:
    """The text with holes that touch made one."""
    return re.sub(f"{_HOLE}+", _HOLE, text)


def _figures_in(text: str) -> Iterator[_Word]:
    """The figures of a text, amounts in words too, with their neighbours."""
    text = text.replace(printing.NO_BREAK, " ")
    for pattern in (_FIGURE, _AMOUNT_IN_WORDS, _TOUCHING):
        for match in pattern.finditer(text):
            before = text[: match.start()].split(" ")
            behind = text[match.end() :].split(" ")
            # A word at the edge of the figure belongs to it: 12A/2018, ₹500/-.
            yield _Word(
                _neighbour(before[-1], before[:-1][-1:]),
                " ".join(match[0].split()),
                _neighbour(behind[0], behind[1:][:1]),
            )


def _neighbour(joined: str, beyond: list[str]) -> str:
    return joined or (beyond[0] if beyond else "")


def _is_own(word: _Word, own: Mapping[str, list[_Word]]) -> bool:
    return any(
        _fits(word.before, other.before) and _fits(word.behind, other.behind)
        for other in own.get(word.figure, ())
    )


def _fits(here: str, there: str) -> bool:
    """Whether a neighbour is that of the template; a condition may have taken it away."""
    return not here or not there or _HOLE in here + there or here.strip() == there.strip()


# ---- telling -------------------------------------------------------------------------------------


def _otherwise(found: Otherwise) -> Problem:
    return _problem(
        "E656",
        f"'{found.field}' is not what its own formula gives",
        f"The bundle holds {_value(found.stored, found.unit)}; worked out from its inputs it is "
        f"{_value(found.recomputed, found.unit)}.",
        found.field,
        "Tell whoever maintains the software, with the bundle; the report cannot be used.",
    )


def _unreadable(part: str, what: str) -> Problem:
    return _problem(
        "E657",
        f"the report holds {what}, which cannot be read",
        f"It is in {part}; a figure in it would stand there unseen.",
        "",
    )


def _problem(code: str, what: str, why: str, field: str, fix: str = _FROM_THE_BUNDLE) -> Problem:
    return Problem(code, what, why, fix, field=field)


def _quoted(text: str) -> str:
    return f"'{shown(_plainly(text), 200)}'"


def _plainly(text: str) -> str:
    return " ".join(text.split())


def _value(value: Any, unit: str | None) -> str:
    if value is None:
        return printing.NOT_KNOWN
    if isinstance(value, Decimal):
        return _quoted(printing.figure(value, unit))
    return _quoted(str(value))
