"""Whether a Word document can be a template: what its tags name, do, and leave out.

A firm draws its form in Word and writes `{{ fmv }}` where the fair market value is to stand. Here
every mistake in it is told at once, with its place, before a report is ever printed from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError

from contracts.problems import Problem, shown
from factory.rendering.docx_package import read_package
from factory.rendering.filling import load_template
from factory.rendering.sandbox import TemplateEnvironment, check_tree
from factory.rendering.template_fields import Walk, paths
from factory.rendering.template_structure import broken_blocks
from factory.rendering.template_text import TemplateText, read_template

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from jinja2 import nodes

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
    found: list[Problem] = []
    walk = Walk(vocabulary)
    texts = read_template(package)
    for text in texts:
        found += _check_text(text, name, walk)
    if not any(problem.code == "E644" for problem in found):
        # What cannot be read may well print the figure.
        found += _left_out(walk.printed, required, name)
    refused = load_template(content, name)[1]
    if not any(problem.severity == "error" for problem in found):
        # Whatever else the renderer finds; of what is told above, it would tell again.
        found += refused
    else:
        found += (problem for problem in refused if problem.code == "E642")
    known = list(paths(vocabulary))
    return TemplateCheck(
        tuple(dict.fromkeys(found)),
        tags=sum(len(text.tags) for text in texts),
        printed=tuple(path for path in known if path in walk.printed),
        left_out=tuple(path for path in known if path not in walk.printed),
    )


def _check_text(text: TemplateText, name: str, walk: Walk) -> Iterator[Problem]:
    for misplaced in text.misplaced:
        code = "E644" if misplaced.is_unreadable else "E648"
        yield _problem(code, misplaced.what, misplaced.place, name, misplaced.why)
    lines = text.source.split("\n")
    for number, what, why in _pair(lines, text):
        if not any(misplaced.is_lost for misplaced in text.misplaced):
            yield _problem("E644", what, text.at(number), name, why)
    tree = None
    for error, tree in _readings(lines):  # noqa: B007 - the last tree is what can be read
        if error is not None:
            yield _unreadable(error, text, name)
    if tree is None:
        return
    for fault, line in check_tree(tree):
        yield _problem(fault.code, fault.what, text.at(line), name, fault.why, fault.fix)
    # Of a tag in the wrong place it is told already what it would do.
    for line in () if text.misplaced else broken_blocks(tree):
        yield _problem(
            "E647",
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
        yield _problem(unknown.code, unknown.what, place, name, unknown.why, unknown.fix)


_BLOCK = re.compile(r"\{%[-+]?\s*(if|elif|else|endif|for|endfor)\b.*?%\}", re.DOTALL)


def _pair(lines: list[str], text: TemplateText) -> Iterator[tuple[int, str, str]]:
    """Blocks without their end and ends without their block, which are mended in the lines."""
    opened: list[tuple[str, int]] = []
    for index, line in enumerate(lines):
        match = _BLOCK.match(line)
        word = match[1] if match else ""
        if word in {"if", "for"}:
            opened.append((word, index))
        elif word.startswith("end") and opened and opened[-1][0] == word[3:]:
            opened.pop()
        elif word.startswith("end") or (word and not opened):
            why = ""
            if opened:
                why = f"The innermost that is open is in {text.at(opened[-1][1] + 1)}"
            yield index + 1, f"{word} stands where nothing is open that it belongs to", why
            lines[index] = _BLOCK.sub("", line, count=1)
    for word, index in reversed(opened):
        yield index + 1, f"this {word} has no end{word}", ""
        lines[-1] += f"{{% end{word} %}}"


#: Enough for a person to mend at once.
_MOST_UNREADABLE = 20


def _readings(
    lines: list[str],
) -> Iterator[tuple[TemplateSyntaxError | None, nodes.Template | None]]:
    """Each tag that cannot be read, and at the end what is left without them."""
    environment = TemplateEnvironment()
    for _ in range(_MOST_UNREADABLE):
        try:
            tree = environment.parse("\n".join(lines))
        except TemplateSyntaxError as error:
            yield error, None
            index = error.lineno - 1
            harmless = _TAG.sub(_without_fault, lines[index], count=1)
            if harmless == lines[index]:
                return
            lines[index] = harmless
        except RecursionError:
            yield TemplateSyntaxError("it is nested too deeply", 1), None
            return
        else:
            yield None, tree
            return


_TAG = re.compile(r"^\{(?:\{.*?\}|%[-+]?\s*(?:(for)\s+(\w+)|(if|elif)\b)?.*?%)\}", re.DOTALL)


def _without_fault(tag: re.Match[str]) -> str:
    """A tag that can be read in place of one that cannot; blocks stay blocks."""
    if tag[1]:
        return f"{{% for {tag[2]} in [] %}}"
    return f"{{% {tag[3]} true %}}" if tag[3] else ""


def _unreadable(error: TemplateSyntaxError, text: TemplateText, name: str) -> Problem:
    return _problem(
        "E644",
        f"this tag cannot be read: {shown((error.message or '').strip().rstrip('.'), 120)}",
        text.at(error.lineno),
        name,
        fix="Write {{ field }}, {% if field is known %} ... {% endif %} or "
        "{%tr for row in table %} ... {%tr endfor %}.",
    )


def _left_out(printed: set[str], required: Collection[str], name: str) -> Iterator[Problem]:
    forms = {path.removeprefix("figures.") for path in printed}
    for path in required:
        if not any(form == path or form.startswith(f"{path}_") for form in forms):
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
