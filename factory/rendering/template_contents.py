"""What a template carries beside its text that a report may not: fields of Word that do things.

Which parts a document may consist of is `docx_package`'s business; this looks into those it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.problems import Problem, nearest, shown
from factory.rendering.docx_package import TEXT_TYPES, parse_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from factory.rendering.docx_package import Package

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
#: Fields that say nothing but where things are in this very document.
FIELDS = frozenset(
    [
        "PAGE",
        "NUMPAGES",
        "SECTION",
        "SECTIONPAGES",
        "PAGEREF",
        "REF",
        "NOTEREF",
        "STYLEREF",
        "SEQ",
        "TOC",
        "TC",
        "HYPERLINK",
        "LISTNUM",
        "SYMBOL",
    ]
)
_WHY_NO_FIELD = (
    "Such fields compute, tell the time, read files or start programs. A report says what its "
    "bundle says, on any day."
)
_ELEMENTS = {
    "object": "an embedded object",
    "control": "an ActiveX control",
    "altChunk": "a document within the document",
    "subDoc": "a document within the document",
}


def check_contents(package: Package, name: str) -> tuple[Problem, ...]:
    """An E674 for each thing in a template's text that a report may not carry.

    Args:
        package: the template.
        name: what to call it in problems.
    """
    faults = [
        fault
        for part, content in sorted(package.parts.items())
        if package.kinds[part] in TEXT_TYPES
        for fault in _faults(part, parse_part(content))
    ]
    return tuple(
        Problem("E674", what, why=why, fix=fix, file=shown(name))
        for what, why, fix in dict.fromkeys(faults)
    )


def _faults(part: str, root: Any) -> Iterator[tuple[str, str, str]]:
    for tag, what in _ELEMENTS.items():
        if next(root.iter(f"{_WORD}{tag}"), None) is not None:
            yield (
                f"{shown(part)} holds {what}",
                "A report is paper: nothing in it runs, and nothing stands behind it.",
                "Take it out, or put a picture in its place.",
            )
    for instruction in _instructions(root):
        word = (instruction.split() or [""])[0].upper()
        if word in FIELDS:
            continue
        close = nearest(word, FIELDS)
        yield (
            f"{shown(part)} holds a field of Word: {shown(instruction)}",
            _WHY_NO_FIELD,
            f"Did you mean {close}? Else take it out, or write a tag in its place."
            if close
            else "Take it out, or write a tag in its place.",
        )


def _instructions(root: Any) -> Iterator[str]:
    """The instructions of Word's fields, each put together from the runs it is split into."""
    for simple in root.iter(f"{_WORD}fldSimple"):
        yield str(simple.get(f"{_WORD}instr", "")).strip()
    opened: list[list[str]] = []
    for element in root.iter(f"{_WORD}fldChar", f"{_WORD}instrText"):
        kind = element.get(f"{_WORD}fldCharType")
        if kind == "begin":
            opened.append([])
        elif kind == "end" and opened:
            yield "".join(opened.pop()).strip()
        elif kind is None and opened:
            opened[-1].append(element.text or "")
        elif kind is None:
            yield (element.text or "").strip()
    for texts in opened:
        yield "".join(texts).strip()
