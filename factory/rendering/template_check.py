"""Whether a Word document can be a template: what its tags name, do, and leave out.

A firm draws its form in Word and writes `{{ fmv }}` where the fair market value is to stand. Here
every mistake in it is told at once, with its place, before a report is ever printed from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, nodes

from contracts.problems import Problem, shown
from factory.rendering.docx_package import read_package
from factory.rendering.sandbox import TemplateEnvironment, check_tree
from factory.rendering.template_contents import check_contents
from factory.rendering.template_fields import Walk, expressions, paths
from factory.rendering.template_structure import broken_blocks
from factory.rendering.template_text import TemplateText, read_template

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from factory.rendering.template_fields import Shape
    from factory.rendering.template_text import Place


@dataclass(frozen=True, slots=True)
class TemplateCheck:
    """What a check found.

    `problems` stand in the order of the document. `printed` and `left_out` are fields of the
    family, the latter those that no tag prints. `is_document` is False for a file that is no Word
    document at all.
    """

    problems: tuple[Problem, ...]
    tags: int = 0
    printed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    is_document: bool = True

    @property
    def is_sound(self) -> bool:
        """Whether reports can be printed from it; warnings do not count."""
        return all(problem.severity != "error" for problem in self.problems)


def check_template(
    content: bytes,
    name: str,
    vocabulary: Mapping[str, Shape],
    required: Collection[str] = (),
) -> TemplateCheck:
    """Everything that is wrong with a template.

    Args:
        content: the bytes of the file.
        name: what to call it in problems.
        vocabulary: the fields that a report of its family has.
        required: those that every report of the family must print.
    """
    package, problems = read_package(content, name)
    if package is None:
        return TemplateCheck(problems, is_document=False)
    found = list(check_contents(package, name))
    walk = Walk(vocabulary)
    texts = read_template(package)
    for text in texts:
        found += _check_text(text, name, walk)
    if not any(problem.code == "E671" for problem in found):
        # What cannot be read may well print the figure.
        found += _left_out(walk.printed, required, name)
    known = list(paths(vocabulary))
    return TemplateCheck(
        tuple(dict.fromkeys(found)),
        tags=sum(len(text.tags) for text in texts),
        printed=tuple(path for path in known if path in walk.printed),
        left_out=tuple(path for path in known if path not in walk.printed),
    )


def _check_text(text: TemplateText, name: str, walk: Walk) -> Iterator[Problem]:
    unreadable = False
    for misplaced in text.misplaced:
        unreadable |= misplaced.is_unreadable
        code = "E671" if misplaced.is_unreadable else "E673"
        yield _problem(code, misplaced.what, misplaced.place, name, misplaced.why)
    if unreadable:
        return
    environment = TemplateEnvironment()
    try:
        tree = environment.parse(text.source)
    except TemplateSyntaxError as error:
        yield _unreadable(error, text, name)
        return
    except RecursionError:
        yield _problem("E671", "the tags are nested too deeply", text.at(0), name)
        return
    yield from _forbidden(tree, text, name)
    for line in broken_blocks(tree):
        yield _problem(
            "E673",
            "what stands between this tag and its end is no whole paragraphs, rows or words",
            text.at(line),
            name,
            "Left out or repeated, it would leave a damaged document.",
            "Write {%p ... %} around paragraphs and {%tr ... %} around rows, each tag in a "
            "paragraph or row of its own; {% ... %} begins and ends within one paragraph.",
        )
    before = len(walk.unknown)
    walk.read(tree)
    for unknown in walk.unknown[before:]:
        place = text.at(unknown.line)
        yield _problem("E672", unknown.what, place, name, unknown.why, unknown.fix)


def _forbidden(tree: nodes.Template, text: TemplateText, name: str) -> Iterator[Problem]:
    """What the renderer would refuse, tag by tag."""
    told = 0
    for node in expressions(tree.body):
        alone = nodes.Template([nodes.Output([node]) if isinstance(node, nodes.Expr) else node])
        for fault in check_tree(alone):
            told += 1
            yield _problem(fault.code, fault.what, text.at(node.lineno), name, fault.why, fault.fix)
    for fault in () if told else check_tree(tree):
        # Only of the whole can it be said that its tags are nested too deeply.
        yield _problem(fault.code, fault.what, text.at(0), name, fault.why, fault.fix)


def _unreadable(error: TemplateSyntaxError, text: TemplateText, name: str) -> Problem:
    message = (error.message or "").strip().rstrip(".")
    return _problem(
        "E671",
        "a tag cannot be read",
        text.at(error.lineno),
        name,
        f"{message}." if message else "",
        "Write {{ field }}, {% if field is known %} ... {% endif %} or "
        "{%tr for row in table %} ... {%tr endfor %}.",
    )


def _left_out(printed: set[str], required: Collection[str], name: str) -> Iterator[Problem]:
    for path in required:
        if not any(form == path or form.startswith(f"{path}_") for form in printed):
            yield Problem(
                "E670",
                f"the template never prints '{path}'",
                why="Reports of this family must say it, and fail their proof without it.",
                fix=f"Write {{{{ {path} }}}} where it is to stand.",
                file=shown(name),
                severity="warning",
            )


def _problem(
    code: str, what: str, place: Place, name: str, why: str = "", fix: str = ""
) -> Problem:
    whole = f"In {place}" + (f"\n  {why}" if why else "")
    return Problem(code, what, why=whole, fix=fix, file=shown(name))
