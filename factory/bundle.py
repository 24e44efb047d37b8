"""Freezes one evaluation into a bundle: contract, figures, rules, evidence, and their digests.

Same case, same catalogue, same bytes: nothing here knows the time, the place or the user. The
bundle's digest is the sha256 of its manifest, which holds the sha256 of each file of the payload.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from contracts.bundle import BundledCase, Registers, TemplateIdentity
from contracts.canonical_json import canonical_json
from contracts.case import Case, Firm
from contracts.problems import Problem, shown
from engine.annexures import plan_pages
from factory.folders import open_file, state_of
from factory.photographs import CHUNK, LARGEST_FILE, ending_of
from factory.rendering.template_files import find_template
from factory.stored_zip import Writer
from factory.whole_files import cannot_replace, cannot_write, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

    from contracts.evaluation import Evaluation
    from contracts.evidence import Evidence, FileFacts
    from contracts.profile import Profile
    from factory.case_files import EvidenceFile
    from factory.catalogue import Library

MANIFEST = "manifest-sha256.txt"
INFO = "bundle-info.txt"
DECLARATION = "bagit.txt"
SIGNATURE = "signature.json"
DECLARED = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
#: What an evaluation calls a rule set, profile or template that it found none of.
NONE = "none"
#: The key of the template whose headers, footers and styles the pages of pictures get.
ANNEXURES = "ANNEXURES_V1"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written."""

    path: Path
    digest: str
    size: int
    files: int


class _ChangedError(Exception):
    """A file is no longer what it was when the case was read."""


def as_bundled(case: Case) -> Case:
    """The case as a bundle holds it, which is how it must be evaluated.

    Deleted evidence is gone, with its links; so is what says who wrote the contract, and when.
    """
    contract = case.contract.model_copy(update={"audit": None, "computed_values": None})
    evidence = tuple(piece for piece in case.evidence if piece.status != "deleted")
    kept = {piece.key for piece in evidence}
    links = tuple(link for link in case.links if link.evidence in kept)
    return case.model_copy(update={"contract": contract, "evidence": evidence, "links": links})


def write_bundle(
    case: Case,
    evaluation: Evaluation,
    library: Library,
    files: Mapping[str, EvidenceFile],
    path: Path,
    *,
    template: bytes | None = None,
) -> tuple[Bundle | None, tuple[Problem, ...]]:
    """Write the bundle of an evaluated case.

    Args:
        case: as `as_bundled` gives it, and as it was evaluated.
        evaluation: with its trace.
        library: what it was evaluated with.
        files: each piece of evidence by its key, and the logo under an empty key.
        path: where the bundle is to be; what is there is replaced once the new one is complete.
        template: a firm's own template, which the report must then be printed in.

    Returns:
        The bundle, or None and why there is none; then nothing on disk has changed.
    """
    refusal = _cannot_replace(path)
    if refusal is not None:
        return None, (refusal,)
    stored = {
        _stored_name(piece.facts): files[piece.key]
        for piece in case.evidence
        if piece.facts is not None
    }
    firm, logo = _firm(case.firm, files.get(""))
    stored |= logo
    payload = _payload(case, evaluation, library, firm, template_of(evaluation, template))
    manifest = b""
    try:
        # What is there is given up only for what is on disk. Where nothing is there, a power cut
        # in the next seconds may cost a bundle that the same case builds again, byte for byte.
        with replacing(path, settled=path.exists()) as file:
            archive = Writer(file)
            archive.add(DECLARATION, [DECLARED])
            archive.add(INFO, [bundle_info()])
            for name in sorted([*payload, *stored]):
                if name in payload:
                    archive.add(name, [payload[name]])
                    digest = hashlib.sha256(payload[name]).hexdigest()
                else:
                    _store(archive, name, stored[name])
                    digest = PurePosixPath(name).stem
                manifest += f"{digest}  {name}\n".encode()
            archive.add(MANIFEST, [manifest])
            archive.close()
            size = file.tell()
    except _ChangedError as error:
        return None, (_changed(str(error)),)
    except OSError as error:
        return None, (cannot_write(path, error.strerror or "the disk refused"),)
    digest = hashlib.sha256(manifest).hexdigest()
    return Bundle(path, digest, size, len(payload) + len(stored)), ()


def bundle_info() -> bytes:
    """What wrote the bundle; not part of its digest."""
    return f"Software: zenops\nVersion: {metadata.version('zenops')}\n".encode()


def template_of(evaluation: Evaluation, own: bytes | None = None) -> TemplateIdentity:
    """The template that the rule set chose, and which files the report is to be printed in.

    Args:
        evaluation: with its trace.
        own: the bytes of a firm's own template, to be used in place of the one that ZenOps brings.

    Returns:
        Its key, NONE if the rule set chose none; and digests, where there is such a file.
    """
    values = {entry.field: entry.value for entry in evaluation.trace}
    chosen = values.get("template_key") or values.get("template")
    key = chosen if isinstance(chosen, str) else NONE.upper()
    found, annexures = find_template(key), find_template(ANNEXURES)
    digest = found.sha256 if found else None
    return TemplateIdentity(
        key=key,
        sha256=digest if own is None else hashlib.sha256(own).hexdigest(),
        annexures_sha256=annexures.sha256 if annexures else None,
    )


def _payload(
    case: Case,
    evaluation: Evaluation,
    library: Library,
    firm: Firm | None,
    template: TemplateIdentity,
) -> dict[str, bytes]:
    catalogue = library.catalogue
    # There is an evaluation, so the library had no problems.
    assert catalogue is not None
    assert library.units is not None
    rules = evaluation.ruleset
    rule_set = catalogue.rule_sets.get(f"{rules.id}@{rules.version}")
    profile = _profile(library, evaluation)
    bundled = BundledCase(
        case=case.case,
        title=case.title,
        source=case.source,
        evidence=tuple(map(_with_stored_file, case.evidence)),
        links=case.links,
        parameters=case.parameters,
    )
    registers = Registers(
        units=library.units,
        banks=catalogue.banks,
        field_definitions=tuple(catalogue.field_definitions),
    )
    headings = None if profile is None else profile.headings
    parts: dict[str, Any] = {
        "annexures": plan_pages(case.evidence, case.contract, headings),
        "case": bundled,
        "contract": case.contract,
        "evaluation": evaluation,
        "firm": firm or {},
        "profile": profile or {},
        "registers": registers,
        "ruleset": {} if rule_set is None else rule_set.canonical,
        "template": template,
    }
    return {f"data/{name}.json": canonical_json(part) for name, part in parts.items()}


def _profile(library: Library, evaluation: Evaluation) -> Profile | None:
    assert library.catalogue is not None
    wanted = evaluation.profile
    for profile in library.catalogue.profiles:
        if (profile.profile, profile.version) == (wanted.id, wanted.version):
            return profile
    return None


def _with_stored_file(piece: Evidence) -> Evidence:
    file = None
    if piece.facts is not None:
        file = _stored_name(piece.facts).removeprefix("data/")
    return piece.model_copy(update={"file": file})


def _stored_name(facts: FileFacts) -> str:
    return f"data/evidence/{facts.sha256}.{ending_of(facts.media_type)}"


def _firm(
    firm: Firm | None, logo: EvidenceFile | None
) -> tuple[Firm | None, dict[str, EvidenceFile]]:
    """The letterhead with its logo named as the bundle stores it."""
    if firm is None or logo is None:
        return firm, {}
    name = _stored_name(logo.facts)
    return firm.model_copy(update={"logo": name.removeprefix("data/")}), {name: logo}


def _store(archive: Writer, name: str, file: EvidenceFile) -> None:
    """Store a file under the digest that it had when the case was read.

    Its state tells whether it has changed since. Whoever makes a change that the state does not
    show gets a bundle that fails its verification, never one that holds something else.
    """
    opened, problems = open_file(file.path, file.path.name, limit=LARGEST_FILE)
    if opened is None:
        raise _ChangedError(problems[0].what)
    with opened:
        archive.add(name, read_chunks(opened), file.crc)
        if state_of(opened) != file.state:
            raise _ChangedError(str(file.path))


def read_chunks(file: BufferedReader) -> Iterator[memoryview]:
    """The bytes of a file from where it stands, each piece gone when the next one comes."""
    room = memoryview(bytearray(CHUNK))
    while count := file.readinto(room):
        yield room[:count]


def _cannot_replace(path: Path) -> Problem | None:
    return cannot_replace(path, "bundle")


def _changed(name: str) -> Problem:
    return Problem(
        "E609",
        f"'{shown(name)}' changed after the case was read",
        why="The figures were computed with what it was; a bundle must hold what was evaluated.",
        fix="Build again when nothing writes to the evidence.",
        file=shown(name),
    )
