"""Whether a filled template is still a document, whatever its data leaves out or repeats.

Between `if` and `endif`, or `for` and `endfor`, stands a piece of XML. Left out or repeated, it
must leave every element closed that was opened. What a piece does to the elements around it is how
many it closes that it did not open, and which it leaves open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ELEMENT = re.compile(r"<(/?)([\w:.-]+)[^<>]*?(/?)>")
#: Stands for what is printed.
_PRINTED = "x"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a piece of XML does to the elements around it."""

    closes: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()

    def then(self, other: Effect) -> Effect:
        """The effect of this piece and another behind it."""
        closes, opens = list(self.closes), list(self.opens)
        for name in other.closes:
            if not opens:
                closes.append(name)
            elif opens.pop() != name:
                # Elements that cross each other: never a document, so never neutral.
                return Effect((*closes, "?"), ("!",))
        return Effect(tuple(closes), (*opens, *other.opens)).settled()

    def settled(self) -> Effect:
        """Without elements that are closed and opened again, which is how paragraphs are joined."""
        closes, opens = list(self.closes), list(self.opens)
        while closes and opens and closes[-1] == opens[0]:
            closes.pop()
            opens.pop(0)
        return Effect(tuple(closes), tuple(opens))


def broken_blocks(template: nodes.Template) -> Iterator[int]:
    """The lines of the blocks that would leave elements open; 0 for the document as a whole."""
    broken: list[int] = []
    if _effect(template.body, broken) != Effect() and not broken:
        broken.append(0)
    yield from broken


def _effect(body: Sequence[nodes.Node], broken: list[int]) -> Effect:
    effect = Effect()
    text = ""
    for piece in _pieces(body):
        if isinstance(piece, str):
            text += piece
            continue
        if isinstance(piece, nodes.For):
            block = _effect(piece.body, broken)
            is_sound = block == Effect() == _effect(piece.else_, broken)
            block = Effect()
        else:
            ways = [_effect(way, broken) for way in _ways(piece)]
            block, is_sound = ways[0], len(set(ways)) == 1
        if not is_sound:
            broken.append(piece.lineno)
        effect = effect.then(_of_text(text)).then(block)
        text = ""
    return effect.then(_of_text(text))


def _of_text(text: str) -> Effect:
    closes: list[str] = []
    opens: list[str] = []
    for closing, name, empty in _ELEMENT.findall(text):
        if empty:
            continue
        if not closing:
            opens.append(name)
        elif not opens:
            closes.append(name)
        elif opens.pop() != name:
            return Effect(("?",), ("!",))
    return Effect(tuple(closes), tuple(opens)).settled()


def _pieces(body: Sequence[nodes.Node]) -> Iterator[str | nodes.If | nodes.For]:
    for node in body:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                yield part.data if isinstance(part, nodes.TemplateData) else _PRINTED
        elif isinstance(node, nodes.If):
            text = _plain_text(node)
            yield node if text is None else text
        elif isinstance(node, nodes.For):
            yield node


def _ways(node: nodes.If) -> list[Sequence[nodes.Node]]:
    """The bodies of which one is printed; the last is empty if there is no `else`."""
    return [node.body, *(branch.body for branch in node.elif_), node.else_]


def _plain_text(node: nodes.If) -> str | None:
    """What a condition prints if there are no elements in it; it may then stand inside one."""
    for way in _ways(node):
        for piece in _pieces(way):
            if not isinstance(piece, str) or "<" in piece or ">" in piece:
                return None
    return "".join(piece for piece in _pieces(node.body) if isinstance(piece, str))
