"""Fills a template with data: docxtpl's way to write Jinja in Word, and nothing of its trust.

A template is read, checked and compiled once; it can then be filled many times. Whatever is wrong
with it, or with what it asks for, is a problem that names the expression and where it stands.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from docxtpl import DocxTemplate
from jinja2 import Template, TemplateError, TemplateSyntaxError, Undefined
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from lxml import etree

from contracts.problems import Problem, nearest, shown
from factory.rendering.docx_package import (
    DOCUMENT,
    SETTINGS_TYPE,
    TEXT_TYPES,
    Package,
    parse_part,
    read_package,
    written,
)
from factory.rendering.drawings import inline_picture
from factory.rendering.sandbox import (
    STATE,
    Fault,
    FaultError,
    Picture,
    Shown,
    State,
    TemplateEnvironment,
    check_tree,
    count_loops,
)
from factory.rendering.tagging import Spot, shown_run, tag_expressions
from factory.rendering.word_xml import (
    check_settings,
    check_text_part,
    mend,
    place_of,
    without_doubles,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A report of three hundred pages; beyond it, a template repeats itself without end.
LARGEST_TEXT = 40_000_000
MOST_FAULTS = 50

_ENVIRONMENT = TemplateEnvironment()
# Only its translation of Word's tags is used, which needs no document.
_WRITTEN_IN_WORD = DocxTemplate("")


@dataclass(frozen=True)
class TextPart:
    """A part with expressions, ready to be filled."""

    name: str
    root: Any
    template: Template
    spots: tuple[Spot, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class LoadedTemplate:
    """A template that says nothing it may not."""

    name: str
    package: Package
    texts: tuple[TextPart, ...]


@dataclass
class Filled:
    """A filled template: its package, whose document is still open to additions."""

    package: Package
    document: Any


def load_template(content: bytes, name: str) -> tuple[LoadedTemplate | None, tuple[Problem, ...]]:
    """A template, checked and compiled.

    Args:
        content: the bytes of the DOCX.
        name: what to call it in problems.

    Returns:
        The template, or None and everything in it that is refused.
    """
    package, problems = read_package(content, name)
    if package is None:
        return None, problems
    texts: list[TextPart] = []
    found: list[Problem] = []
    for part in sorted(package.parts):
        if package.kinds[part] == SETTINGS_TYPE:
            faults = check_settings(parse_part(package.parts[part]))
            found += [_problem(fault, name, part, None) for fault in faults]
        if package.kinds[part] in TEXT_TYPES:
            text = _load_text(package, part, name, found)
            texts += [text] if text is not None else []
    if found:
        return None, tuple(dict.fromkeys(found))[:MOST_FAULTS]
    return LoadedTemplate(name, package, tuple(texts)), ()


def fill_template(
    template: LoadedTemplate,
    data: Mapping[str, Any],
    pictures: Mapping[int, tuple[str, bytes]] | None = None,
) -> tuple[Filled | None, tuple[Problem, ...]]:
    """A template filled with data.

    Args:
        template: as `load_template` gives it.
        data: as `as_context` gives them.
        pictures: file name and bytes of each picture among the data, by its number.

    Returns:
        What came of it, or None and why; unknown names are all told at once.
    """
    package = template.package.copy()
    state = State()
    values = {**data, STATE: state}
    problems: list[Problem] = []
    document: Any = None
    size = 0
    for part in template.texts:
        runs = _Runs(package, part, state, data, pictures or {})
        state.print_run = runs.printed
        root: Any = None
        try:
            text = _generated(part, values, LARGEST_TEXT - size)
            size += len(text)
            root = mend(parse_part(text.encode("utf-8", "replace")))
        except FaultError as error:
            state.faults.append(replace(error.fault, about=_text_at(error, part)))
        except etree.XMLSyntaxError:
            state.faults.append(_TORN)
        except (TemplateError, *_MISUSE) as error:
            state.faults.append(_as_fault(error, part, data))
        problems += [_problem(fault, template.name, part.name, part.root) for fault in state.faults]
        state.faults.clear()
        if root is not None and part.name == DOCUMENT:
            document = root
        elif root is not None:
            package.parts[part.name] = written(root)
    if problems:
        return None, tuple(dict.fromkeys(problems))[:MOST_FAULTS]
    if document is None:
        document = mend(parse_part(package.parts[DOCUMENT]))
    return Filled(package, document), ()


def as_context(value: Any) -> Any:
    """Data as templates see them: leaves are texts that know their field.

    A leaf is `{"text": ..., "field": ...}`, with `"known": false` where there is nothing to show;
    a picture is `{"picture": number, "width": mm, "height": mm}`.
    """
    if isinstance(value, dict):
        if "text" in value and "field" in value:
            return Shown(
                str(value["text"]), str(value["field"]), known=bool(value.get("known", True))
            )
        if "picture" in value:
            return Picture(
                int(value["picture"]),
                float(value["width"]),
                float(value["height"]),
                str(value.get("label", "")),
            )
        return {str(key): as_context(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_context(inner) for inner in value]
    return value


# What expressions raise that are well written and ask for something that cannot be.
_MISUSE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
_TORN = Fault(
    "E647",
    "the filled template is no whole document",
    why="A loop or condition begins in one paragraph, row or cell and ends in another kind of place.",
    fix="Let {%p ... %} stand in paragraphs of their own, {%tr ... %} in rows of their own.",
)


def _load_text(package: Package, part: str, name: str, found: list[Problem]) -> TextPart | None:
    root = without_doubles(parse_part(package.parts[part]))
    faults = list(check_text_part(root))
    text = etree.tostring(root, encoding="unicode")
    tree_of_text: TextPart | None = None
    if re.search(r"\{\s*(?:<[^>]*>\s*)*[{%#]", text):
        try:
            tree_of_text = _compile(part, root, text, faults)
        except (RecursionError, MemoryError):
            faults.append(Fault("E644", "an expression is nested too deeply to be read"))
    else:
        package.parts[part] = written(root)
    found += [_problem(fault, name, part, root) for fault in faults]
    return tree_of_text


def _compile(part: str, root: Any, text: str, faults: list[Fault]) -> TextPart | None:
    patched = _WRITTEN_IN_WORD.patch_xml(text.replace("\n", " "))
    # A line for each paragraph, so that a fault's line leads to it.
    patched = re.sub(r"\n|\r", " ", patched)
    patched = re.sub(r"<w:p(?=[ >])", "\n<w:p", patched)
    lines = tuple(patched.split("\n"))
    # Reader and parser are called themselves: the environment would rewrite the traces of their
    # complaints, for which it makes code, and the process that this runs in has no right to.
    try:
        tokens = list(_ENVIRONMENT.lexer.tokeniter(patched, part))
        tree = Parser(_ENVIRONMENT, patched, part).parse()
    except TemplateSyntaxError as error:
        faults.append(_unreadable(error, lines))
        return None
    for fault, line in check_tree(tree):
        faults.append(_with_text(fault, lines, line))
    if faults:
        return None
    tagged = tag_expressions(tokens)
    faults += [
        Fault(
            "E643",
            f"{{{{ {shown(expression)} }}}} stands where no text can be",
            about=expression,
            why="{{p ...}} and {{r ...}} put pieces of Word's own language into a document.",
            fix="Write {{ ... }} in a text.",
        )
        for expression in tagged.outside
    ]
    tree = Parser(_ENVIRONMENT, tagged.source, part).parse()
    count_loops(tree)
    code = _ENVIRONMENT.compile(tree, part, part)
    template = Template.from_code(_ENVIRONMENT, code, dict(_ENVIRONMENT.globals))
    return TextPart(part, root, template, tagged.spots, lines)


def _generated(part: TextPart, values: Mapping[str, Any], room: int) -> str:
    pieces: list[str] = []
    context = part.template.new_context(dict(values))
    for piece in part.template.root_render_func(context):
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            raise FaultError(
                Fault("E646", f"the report would have more than {LARGEST_TEXT:,} characters")
            )
    return "".join(pieces).replace("\n<w:p", "<w:p")


class _Runs:
    """Prints the expressions of one part."""

    def __init__(
        self,
        package: Package,
        part: TextPart,
        state: State,
        data: Mapping[str, Any],
        pictures: Mapping[int, tuple[str, bytes]],
    ) -> None:
        self._package = package
        self._part = part
        self._state = state
        self._data = data
        self._pictures = pictures

    def printed(self, value: Any, number: int) -> str:
        """The run of a value, at the spot of this number."""
        spot = self._part.spots[number]
        if isinstance(value, Shown):
            return shown_run(value, spot.look, value.field)
        if isinstance(value, str) or type(value) is int:
            return shown_run(str(value), spot.look)
        if isinstance(value, Picture):
            return f"<w:r>{spot.look}{self._drawing(value)}</w:r>"
        if len(self._state.faults) < MOST_FAULTS:
            self._state.faults.append(self._unprintable(value, spot.expression))
        return ""

    def _drawing(self, picture: Picture) -> str:
        file, content = self._pictures[picture.number]
        target = f"word/media/{file}"
        self._package.parts[target] = content
        self._package.kinds[target] = "image/png" if file.endswith(".png") else "image/jpeg"
        relation = self._package.relate(self._part.name, "image", target)
        return inline_picture(relation, picture.width, picture.height, picture.label)

    def _unprintable(self, value: Any, expression: str) -> Fault:
        if isinstance(value, Undefined):
            return _unknown(value, expression, self._data)
        what = "is not known, and has no text to be printed"
        if isinstance(value, dict):
            what = f"has parts: {', '.join(list(value)[:6])}" if value else "has no parts"
        elif isinstance(value, list | tuple | range):
            what = "is a list"
        elif isinstance(value, bool):
            what = "is true or false"
        return Fault(
            "E645",
            f"'{shown(expression)}' cannot be printed: it {what}",
            about=expression,
            fix="Name one of its parts, go through it with {% for %}, or ask with {% if %}.",
        )


def _unknown(value: Undefined, expression: str, data: Mapping[str, Any]) -> Fault:
    name = str(value._undefined_name or expression)  # noqa: SLF001 - it has no public name
    owner = value._undefined_obj  # noqa: SLF001
    known = list(owner if isinstance(owner, dict) else data)
    near = nearest(name, known)
    return Fault(
        "E645",
        f"'{shown(expression)}' is not known: there is no '{shown(name)}'",
        about=expression,
        why="A template prints the fields of its family of reports.",
        fix=f"Did you mean '{near}'?" if near else "docs/templates.md lists the fields.",
    )


def _as_fault(error: BaseException, part: TextPart, data: Mapping[str, Any]) -> Fault:
    """What went wrong while a part was filled, with the text of its paragraph."""
    about = _text_at(error, part)
    if isinstance(error, MemoryError):
        return Fault("E646", "the report needs more memory than it may have", about=about)
    if isinstance(error, SecurityError):
        return Fault("E643", f"a template cannot do this: {shown(error)}", about=about)
    name = re.match(r"'([^']+)' is undefined|.* has no attribute '([^']+)'", str(error))
    if name:
        unknown = name[1] or name[2]
        near = nearest(unknown, list(data))
        return Fault(
            "E645",
            f"there is no '{shown(unknown)}'",
            about=about,
            fix=f"Did you mean '{near}'?" if near else "docs/templates.md lists the fields.",
        )
    return Fault("E645", "an expression asks for something that cannot be", about=about)


def _text_at(error: BaseException, part: TextPart) -> str:
    """The text of the paragraph that was being filled when something went wrong."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__jinja_template__") is part.template:
            line = part.template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return _readable(part.lines[line - 1]) if 0 < line <= len(part.lines) else ""


def _unreadable(error: TemplateSyntaxError, lines: tuple[str, ...]) -> Fault:
    about = _readable(lines[error.lineno - 1]) if 0 < error.lineno <= len(lines) else ""
    return Fault(
        "E644",
        f"an expression cannot be read: {shown(error.message or '', 120)}",
        about=about,
        fix="Write {{ field }}, {% for row in rows %} ... {% endfor %}, {% if field is known %} "
        "... {% endif %}.",
    )


def _with_text(fault: Fault, lines: tuple[str, ...], line: int) -> Fault:
    return replace(fault, about=_readable(lines[line - 1]) if 0 < line <= len(lines) else "")


def _readable(line: str) -> str:
    """The text of a line without its XML."""
    return " ".join(re.sub(r"<[^>]*>", "", line).split())


def _problem(fault: Fault, name: str, part: str, root: Any) -> Problem:
    place = "" if root is None else place_of(root, fault.about)
    where = f"In {_label(part)}{', ' + place if place else ''}"
    if fault.about:
        where += f": {shown(fault.about, 120)}"
    return Problem(
        fault.code,
        fault.what,
        why=f"{where}\n  {fault.why}" if fault.why else where,
        fix=fault.fix,
        file=shown(name),
    )


def _label(part: str) -> str:
    """What people call a part."""
    stem = posixpath.splitext(posixpath.basename(part))[0]
    return "the document" if part == DOCUMENT else stem
