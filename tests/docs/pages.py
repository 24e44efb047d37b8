"""The Markdown pages: what they link to, what their headings are called, what code they show."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / "docs/README.md"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")],
    key=lambda page: page.relative_to(ROOT).as_posix(),
)

_FENCED = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def name_of(page):
    """How a page is called in the repository."""
    return page.relative_to(ROOT).as_posix()


def prose(page):
    """A page without its blocks of code and its code spans."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return _SPAN.sub("", _INDENTED.sub("", text))


def links(page):
    """What a page links to within the repository: (page or file, anchor or '')."""
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        yield (page.parent / path).resolve() if path else page, anchor


def anchors(page):
    """The anchors of a page's headings, as code hosts make them."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


def blocks(page, language="text"):
    """The fenced blocks of one language."""
    return [
        body
        for found, body in _FENCED.findall(page.read_text(encoding="utf-8"))
        if found == language
    ]


def code(page):
    """All code that a page shows, in blocks and in spans, line by line."""
    text = page.read_text(encoding="utf-8")
    lines = [line for _, body in _FENCED.findall(text) for line in body.splitlines()]
    rest = _FENCED.sub("", text)
    lines += [line for block in _INDENTED.findall(rest) for line in block.splitlines()]
    return [*lines, *_SPAN.findall(_INDENTED.sub("", rest))]
