"""A template filled for its author's eyes: every field shaded, with an example in its place.

Without a bundle, examples are made from what each field holds, so that every field of the family
is there. With one, the template is filled with it as if it had been built with this template.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lxml import etree

from factory.folders import read_file
from factory.rendering.docx_package import (
    LARGEST_TEMPLATE,
    TEXT_TYPES,
    parse_part,
    read_package,
    write_package,
    written,
)
from factory.rendering.renderer import Piece, Renderer
from factory.rendering.template_families import FAMILIES
from factory.rendering.word_xml import w
from factory.report.bundle_parts import read_parts
from factory.whole_files import cannot_replace, cannot_write, replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from contracts.problems import Problem
    from factory.report.vocabulary import Name

#: How a field is marked: the colour of a text marker.
_SHADE = "FFF2CC"
_ROWS = 2
_MONEY = {
    "": "₹1,23,45,678",
    "words": (
        "Rupees One Crore Twenty Three Lakh Forty Five Thousand Six Hundred Seventy Eight Only"
    ),
    "plain": "1,23,45,678",
    "short": "₹1.2345678 crore",
}
_EXAMPLES = {
    "amount in rupees": "₹1,23,45,678",
    "percentage": "7.5 %",
    "area": "222.97 sq m",
    "area as entered": "2,400 sq ft",
    "rate": "₹48,437.60 per sq m",
    "rate as entered": "₹4,500 per sq ft",
    "years": "12 years",
    "length as entered": "40 ft",
    "number": "3",
    "yes or no": "Yes",
    "date": "12 November 2026",
}


def preview(
    template: Path,
    target: Path,
    names: Iterable[Name],
    *,
    family: str | None = None,
    bundle: Path | None = None,
) -> tuple[Problem, ...]:
    """Fill a template with examples, or with a bundle, and write it with its fields shaded.

    Args:
        template: a firm's own.
        target: where the document is to be; one that is there is replaced.
        names: every name that a template may write.
        family: whose figures there are; None for all.
        bundle: what to fill it with instead of examples.

    Returns:
        Why it cannot be filled; then nothing on disk has changed.
    """
    refusal = cannot_replace(target, "DOCX")
    if refusal is not None:
        return (refusal,)
    content, problems = read_file(template, str(template), limit=LARGEST_TEMPLATE)
    if content is None:
        return problems
    with Renderer() as renderer:
        if bundle is None:
            report, problems = renderer.fill(
                {
                    "name": template.name,
                    "furniture": None,
                    "data": example_data(names, family),
                    "pictures": [],
                    "plan": {"pages": []},
                    "properties": {"title": f"Preview of {template.name}"},
                },
                [Piece(len(content), [content])],
            )
        else:
            report, problems = _with_bundle(renderer, bundle, template, content)
    if report is None:
        return problems
    try:
        with replacing(target, settled=target.exists()) as file:
            file.write(_shaded(report))
    except OSError as error:
        return (cannot_write(target, error.strerror or "the disk refused"),)
    return ()


def example_data(names: Iterable[Name], family: str | None) -> dict[str, Any]:
    """An example for every field of a family, as a renderer takes them; tables have two rows."""
    own = None if family is None else set(FAMILIES[family].rule_sets)
    data: dict[str, Any] = {}
    for name in names:
        if own is not None and name.rule_sets and not own & set(name.rule_sets):
            continue
        for path, suffix in zip(name.paths, ("", *name.variants), strict=True):
            is_plain = name.plain or suffix == "code"
            example = _plain(name) if is_plain else _text(name, suffix)
            _put(data, path.split("."), path, example, is_plain=is_plain)
            if name.rule_sets and "." not in path:
                _put(data, ["figures", path], path, example, is_plain=is_plain)
    return data


def _put(
    data: dict[str, Any], steps: list[str], field: str, example: Any, *, is_plain: bool
) -> None:
    step, *rest = steps
    value = example if is_plain else {"text": example, "field": field, "known": True}
    if not step.endswith("[]"):
        if rest:
            inside = data.setdefault(step, {})
            if isinstance(inside, dict):
                _put(inside, rest, field, example, is_plain=is_plain)
        else:
            data.setdefault(step, value)
        return
    rows = data.setdefault(step.removesuffix("[]"), [{} for _ in range(_ROWS)] if rest else [])
    if not rest:
        rows += [value] * (_ROWS - len(rows))
    for number, row in enumerate(rows, 1) if rest else ():
        is_serial = rest == ["serial"]
        _put(row, rest, field, str(number) if is_serial else example, is_plain=is_plain)


def _plain(name: Name) -> Any:
    """What a condition is given: that there is a thing to print, where it asks for yes or no."""
    return True if name.holds in {"yes or no", "true or false"} else ""


def _text(name: Name, suffix: str) -> str:
    if name.holds == "amount in rupees":
        return _MONEY[suffix]
    example = _EXAMPLES.get(name.holds)
    if example is None:
        return name.label or name.path
    metric = _EXAMPLES.get(name.holds.removesuffix(" as entered"), "12.19 m")
    if suffix == "both" and metric != example:
        return f"{metric} ({example})"
    return metric if suffix in {"sqm", "m"} else example


def _with_bundle(
    renderer: Renderer, bundle: Path, template: Path, content: bytes
) -> tuple[bytes | None, tuple[Problem, ...]]:
    parts, problems = read_parts(bundle)
    if parts is None:
        return None, problems
    digest = hashlib.sha256(content).hexdigest()
    identity = parts.template.model_copy(update={"sha256": digest})
    return renderer.print_parts(replace(parts, template=identity), template=template)


def _shaded(report: bytes) -> bytes:
    """A report with a colour behind each of its fields."""
    package, problems = read_package(report, "preview")
    if package is None:
        raise ValueError(problems[0].what)
    for name, kind in package.kinds.items():
        if kind not in TEXT_TYPES:
            continue
        root = parse_part(package.parts[name])
        for control in root.iter(w("sdt")):
            if control.find(f"{w('sdtPr')}/{w('tag')}") is not None:
                for run in control.iter(w("r")):
                    _shade(run)
        package.parts[name] = written(root)
    return write_package(package, {"title": "Preview"})


def _shade(run: Any) -> None:
    look = run.find(w("rPr"))
    if look is None:
        look = etree.Element(w("rPr"))
        run.insert(0, look)
    for old in look.findall(w("shd")):
        look.remove(old)
    shade = etree.Element(w("shd"))
    shade.set(w("val"), "clear")
    shade.set(w("color"), "auto")
    shade.set(w("fill"), _SHADE)
    # Word wants the properties of a run in its own order.
    later = [element for element in look if element.tag in _AFTER_SHADE]
    if later:
        later[0].addprevious(shade)
    else:
        look.append(shade)


_AFTER_SHADE = frozenset(
    map(
        w,
        (
            *("fitText", "vertAlign", "rtl", "cs", "em", "lang", "eastAsianLayout", "specVanish"),
            "oMath",
        ),
    )
)
