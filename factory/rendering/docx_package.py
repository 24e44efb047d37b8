"""DOCX files as parts: read with suspicion, written in one form.

A template comes from outside. What it may hold is listed here, kind by kind; whatever else a Word
file can carry - macros, embedded objects, links to other places - is refused by name. What is
written is decided by its parts alone, down to the last byte: no date, no order of chance.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lxml import etree

from contracts.problems import Problem, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPES = "[Content_Types].xml"
DOCUMENT = "word/document.xml"
CORE = "docProps/core.xml"
APP = "docProps/app.xml"

# A template of fifty pages with a letterhead is a fraction of this.
LARGEST_TEMPLATE = 32_000_000
LARGEST_PART = 20_000_000
LARGEST_UNPACKED = 64_000_000
MOST_PARTS = 500
MOST_ELEMENTS = 400_000

_OFFICE = "application/vnd.openxmlformats-officedocument."
_PACKAGE = "application/vnd.openxmlformats-package."
_WORD = _OFFICE + "wordprocessingml."
MAIN_TYPE = _WORD + "document.main+xml"
HEADER_TYPE = _WORD + "header+xml"
FOOTER_TYPE = _WORD + "footer+xml"
SETTINGS_TYPE = _WORD + "settings+xml"
RELATIONS_TYPE = _PACKAGE + "relationships+xml"
#: Parts whose text may hold expressions.
TEXT_TYPES = frozenset(
    {MAIN_TYPE, HEADER_TYPE, FOOTER_TYPE, _WORD + "footnotes+xml", _WORD + "endnotes+xml"}
)
#: What a template may consist of beside them.
_KEPT = frozenset(
    {
        _WORD + "styles+xml",
        SETTINGS_TYPE,
        _WORD + "webSettings+xml",
        _WORD + "fontTable+xml",
        _WORD + "numbering+xml",
        "application/vnd.ms-word.stylesWithEffects+xml",
        _OFFICE + "theme+xml",
        RELATIONS_TYPE,
        "image/png",
        "image/jpeg",
        "image/gif",
    }
)
#: Harmless, and of no use to a report: left behind, with what refers to it.
_LEFT_BEHIND = frozenset(
    {
        _PACKAGE + "core-properties+xml",
        _OFFICE + "extended-properties+xml",
        _OFFICE + "custom-properties+xml",
        _OFFICE + "customXmlProperties+xml",
        _WORD + "people+xml",
        "application/xml",
    }
)
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_CONTENT_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
OFFICE_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_CORE_RELATION = (
    "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
)
_NAME = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_\-.]*(?:/[A-Za-z0-9_\-][A-Za-z0-9_\-.]*)*")
_FILE_KINDS = {"png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg", "gif": "image/gif"}
_LINKS = ("http://", "https://", "mailto:")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Relation:
    """A line of a `.rels` part; `target` is the full name of a part, or an address outside."""

    id: str
    kind: str
    target: str
    outside: bool = False


@dataclass
class Package:
    """The parts of a DOCX by name, with the kind of each and what it refers to."""

    parts: dict[str, bytes]
    kinds: dict[str, str]
    relations: dict[str, list[Relation]] = field(default_factory=dict)

    def copy(self) -> Package:
        """A package that can be changed without changing this one."""
        relations = {name: list(lines) for name, lines in self.relations.items()}
        return Package(dict(self.parts), dict(self.kinds), relations)

    def relate(self, source: str, kind: str, target: str) -> str:
        """The id under which `source` now refers to `target`."""
        lines = self.relations.setdefault(source, [])
        taken = {line.id for line in lines}
        number = len(lines) + 1
        while (name := f"rId{number}") in taken:
            number += 1
        lines.append(Relation(name, OFFICE_RELATION + kind, target))
        return name


class _RefusedError(Exception):
    """The file cannot be a template."""


def read_package(content: bytes, name: str) -> tuple[Package | None, tuple[Problem, ...]]:
    """The parts of a DOCX that a template may have.

    Args:
        content: the file's bytes.
        name: what to call the file in problems.

    Returns:
        The package, without what no report needs, or None and why the file is refused.
    """
    try:
        return _read(content), ()
    except _RefusedError as refusal:
        what = str(refusal)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError):
        what = "it is no whole DOCX file"
    except (ValueError, LookupError, etree.XMLSyntaxError):
        what = "a part of it cannot be read"
    return None, (
        Problem(
            "E642",
            f"'{shown(name)}' cannot be a template: {what}",
            why="A template is a plain DOCX: text, styles, tables, headers, pictures of its own.",
            fix="Save it anew from Word as a DOCX without macros, objects and links.",
            file=shown(name),
        ),
    )


def write_package(package: Package, properties: dict[str, str]) -> bytes:
    """The DOCX of a package, decided by its parts alone.

    Args:
        package: what is not referred to is left out.
        properties: `title`, `author`, `subject` and `date` (as 2026-03-31) of the document.
    """
    package = package.copy()
    package.parts[CORE] = _core_properties(properties)
    package.parts[APP] = _APP_PROPERTIES
    package.kinds[CORE] = _PACKAGE + "core-properties+xml"
    package.kinds[APP] = _OFFICE + "extended-properties+xml"
    package.relations[""] = [
        Relation("rId1", OFFICE_RELATION + "officeDocument", DOCUMENT),
        Relation("rId2", _CORE_RELATION, CORE),
        Relation("rId3", OFFICE_RELATION + "extended-properties", APP),
    ]
    names = sorted(_referred(package))
    parts = {name: package.parts[name] for name in names}
    for source in ("", *names):
        if lines := package.relations.get(source):
            parts[relations_of(source)] = _relations_text(source, lines)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        _write(archive, TYPES, _types_text(package, names))
        for name in sorted(parts):
            _write(archive, name, parts[name])
    return out.getvalue()


def part_digests(docx: bytes) -> dict[str, str]:
    """The sha256 of each part of a DOCX by its name; equal on all platforms for parts of text."""
    with zipfile.ZipFile(io.BytesIO(docx)) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def parse_part(content: bytes) -> etree._Element:
    """The root of a part.

    Raises:
        XMLSyntaxError: it is not well-formed.
    """
    return etree.fromstring(content, _parser())


def relations_of(source: str) -> str:
    """The name of the part that holds what `source` refers to; of the package itself for ''."""
    folder, file = posixpath.split(source)
    return posixpath.join(folder, "_rels", f"{file}.rels")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip


def _read(content: bytes) -> Package:
    if len(content) > LARGEST_TEMPLATE:
        raise _RefusedError(f"it has {len(content):,} bytes, more than {LARGEST_TEMPLATE:,}")
    raw = _unpack(content)
    if TYPES not in raw:
        raise _RefusedError("it is an archive, but no Word document")
    kinds = _kinds(raw)
    roots = {name: _checked_xml(name, part) for name, part in raw.items() if _is_xml(name, kinds)}
    for name in sorted(raw):
        kind = kinds.get(name, "")
        if (
            name != TYPES
            and kind not in TEXT_TYPES | _KEPT | _LEFT_BEHIND
            and not (name.startswith("docProps/thumbnail."))
        ):
            raise _RefusedError(_not_allowed(name, kind))
    package = Package({}, {})
    for name, kind in kinds.items():
        if name in raw and kind != RELATIONS_TYPE and kind not in _LEFT_BEHIND:
            package.parts[name], package.kinds[name] = raw[name], kind
    for name in ("", *package.parts):
        if relations_of(name) in raw:
            package.relations[name] = list(
                _relations(name, roots[relations_of(name)], raw, package)
            )
    mains = [
        line.target
        for line in package.relations.get("", ())
        if line.kind == OFFICE_RELATION + "officeDocument"
    ]
    if mains != [DOCUMENT] or package.kinds.get(DOCUMENT) != MAIN_TYPE:
        raise _RefusedError("it is no Word document")
    referred = _referred(package)
    package.parts = {name: part for name, part in package.parts.items() if name in referred}
    return package


def _unpack(content: bytes) -> dict[str, bytes]:
    raw: dict[str, bytes] = {}
    left = LARGEST_UNPACKED
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_PARTS:
            raise _RefusedError(f"it has {len(entries)} parts, more than {MOST_PARTS}")
        for entry in entries:
            name = entry.filename
            if name.endswith("/"):
                continue
            if name != TYPES and not _NAME.fullmatch(name.replace("_rels/.rels", "_rels/rels")):
                raise _RefusedError(f"a part is called '{shown(name)}'")
            if name.lower() in {known.lower() for known in raw}:
                raise _RefusedError(f"the part '{shown(name)}' is there twice")
            if entry.flag_bits & 1:
                raise _RefusedError("it is encrypted")
            # The size is counted while it is unpacked: what the archive says may be a lie.
            with archive.open(entry) as file:
                raw[name] = file.read(min(LARGEST_PART, left) + 1)
            left -= len(raw[name])
            if len(raw[name]) > LARGEST_PART or left < 0:
                raise _RefusedError(f"the part '{shown(name)}' unpacks to more than it may")
    return raw


def _is_xml(name: str, kinds: dict[str, str]) -> bool:
    kind = kinds.get(name, "")
    return name == TYPES or kind.endswith(("+xml", "/xml"))


def _checked_xml(name: str, part: bytes) -> etree._Element:
    if part.count(b"<") > MOST_ELEMENTS:
        raise _RefusedError(f"the part '{shown(name)}' has too many elements")
    try:
        root = parse_part(part)
    except etree.XMLSyntaxError:
        raise _RefusedError(f"the part '{shown(name)}' is not well-formed") from None
    if root.getroottree().docinfo.doctype:
        raise _RefusedError(f"the part '{shown(name)}' declares a document type")
    return root


def _kinds(raw: dict[str, bytes]) -> dict[str, str]:
    root = _checked_xml(TYPES, raw[TYPES])
    endings: dict[str, str] = {}
    kinds: dict[str, str] = {}
    for line in root:
        if etree.QName(line).localname == "Default":
            endings[line.get("Extension", "").lower()] = line.get("ContentType", "")
        else:
            kinds[line.get("PartName", "").lstrip("/")] = line.get("ContentType", "")
    for name in raw:
        ending = name.rpartition(".")[2].lower()
        kinds.setdefault(name, endings.get(ending, ""))
    return kinds


def _not_allowed(name: str, kind: str) -> str:
    lowered = f"{name} {kind}".lower()
    for mark, what in (
        ("vbaproject", "macros"),
        ("macroenabled", "macros"),
        ("activex", "controls that run code"),
        ("oleobject", "an embedded object"),
        ("embeddings/", "an embedded object"),
        ("comments", "comments"),
        ("glossary", "building blocks"),
        ("template.main", "a template of Word's own kind (DOTX)"),
    ):
        if mark in lowered:
            return f"it holds {what} ('{shown(name)}')"
    return f"it holds '{shown(name)}', which is of no kind that a template may have"


def _relations(
    source: str, root: etree._Element, raw: dict[str, bytes], package: Package
) -> Iterator[Relation]:
    for line in root.iterfind(f"{{{_RELATIONS}}}Relationship"):
        kind, target = line.get("Type", ""), line.get("Target", "")
        if line.get("TargetMode") == "External":
            is_link = kind == OFFICE_RELATION + "hyperlink"
            if not is_link or not target.lower().startswith(_LINKS):
                raise _RefusedError(
                    f"it refers to something outside itself ('{shown(target)}', "
                    f"a {shown(kind.rpartition('/')[2])})"
                )
            yield Relation(line.get("Id", ""), kind, target, outside=True)
            continue
        if target.startswith("/"):
            full = target[1:]
        else:
            full = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if full not in raw:
            raise _RefusedError(f"it refers to a part that is not there ('{shown(target)}')")
        if full in package.parts and not full.startswith("docProps/"):
            yield Relation(line.get("Id", ""), kind, full)


def _referred(package: Package) -> set[str]:
    found: set[str] = set()
    waiting = [""]
    while waiting:
        for line in package.relations.get(waiting.pop(), ()):
            if not line.outside and line.target not in found and line.target in package.parts:
                found.add(line.target)
                waiting.append(line.target)
    return found


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    # Pictures are packed already; packing them again takes seconds and saves nothing.
    packed = name.endswith((".xml", ".rels"))
    entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    archive.writestr(entry, content, compresslevel=6)


def _types_text(package: Package, names: list[str]) -> bytes:
    root = etree.Element(f"{{{_CONTENT_TYPES}}}Types", nsmap={None: _CONTENT_TYPES})
    endings = {"rels": RELATIONS_TYPE, "xml": "application/xml"}
    for name in names:
        ending = name.rpartition(".")[2]
        if _FILE_KINDS.get(ending) == package.kinds[name]:
            endings[ending] = package.kinds[name]
    for ending in sorted(endings):
        etree.SubElement(
            root, f"{{{_CONTENT_TYPES}}}Default", Extension=ending, ContentType=endings[ending]
        )
    for name in names:
        if endings.get(name.rpartition(".")[2]) != package.kinds[name]:
            etree.SubElement(
                root,
                f"{{{_CONTENT_TYPES}}}Override",
                PartName=f"/{name}",
                ContentType=package.kinds[name],
            )
    return written(root)


def _relations_text(source: str, lines: list[Relation]) -> bytes:
    root = etree.Element(f"{{{_RELATIONS}}}Relationships", nsmap={None: _RELATIONS})
    folder = posixpath.dirname(source)
    for line in lines:
        element = etree.SubElement(root, f"{{{_RELATIONS}}}Relationship", Id=line.id)
        element.set("Type", line.kind)
        if line.outside:
            element.set("Target", line.target)
            element.set("TargetMode", "External")
        else:
            element.set("Target", posixpath.relpath(line.target, folder or "."))
    return written(root)


def written(root: etree._Element) -> bytes:
    """The bytes of a part."""
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return text


_DC = "http://purl.org/dc/elements/1.1/"
_TERMS = "http://purl.org/dc/terms/"
_CP = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_APP_PROPERTIES = (
    b"<?xml version='1.0' encoding='UTF-8' standalone='yes'?>\n"
    b'<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/'
    b'extended-properties"><Application>ZenOps</Application></Properties>'
)


def _core_properties(properties: dict[str, str]) -> bytes:
    """Title and author of the document; its dates are those of the valuation, not of a clock."""
    names = {"cp": _CP, "dc": _DC, "dcterms": _TERMS, "xsi": _XSI}
    root = etree.Element(f"{{{_CP}}}coreProperties", nsmap=names)
    for tag, key in (
        (f"{{{_DC}}}title", "title"),
        (f"{{{_DC}}}subject", "subject"),
        (f"{{{_DC}}}creator", "author"),
        (f"{{{_CP}}}lastModifiedBy", "author"),
    ):
        etree.SubElement(root, tag).text = properties.get(key, "")
    etree.SubElement(root, f"{{{_CP}}}revision").text = "1"
    for name in ("created", "modified"):
        moment = etree.SubElement(root, f"{{{_TERMS}}}{name}")
        moment.set(f"{{{_XSI}}}type", "dcterms:W3CDTF")
        moment.text = f"{properties.get('date') or '1980-01-01'}T00:00:00Z"
    return written(root)
