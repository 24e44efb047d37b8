"""Freezes one evaluation into a bundle: contract, figures, rules, evidence, and their digests.

Same case, same catalogue, same bytes: nothing here knows the time, the place or the user. The
bundle's digest is the sha256 of its manifest, which holds the sha256 of each file of the payload.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from importlib import metadata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from contracts.bundle import BundledCase, Registers, TemplateIdentity
from contracts.canonical_json import canonical_json
from contracts.case import Case
from contracts.problems import Problem, shown
from engine.annexures import plan_pages
from factory.folders import open_file, state_of
from factory.photographs import CHUNK, LARGEST_FILE, ending_of
from factory.rendering.template_files import find_template
from factory.stored_zip import Writer
from factory.whole_files import cannot_replace, cannot_write, replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

    from contracts.contract import Contract
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
NOTHING: Mapping[str, bytes] = MappingProxyType({})
#: The key of the template whose headers, footers and styles the pages of pictures get.
ANNEXURES = "ANNEXURES_V1"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written."""

    path: Path
    digest: str
    size: int
    files: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that goes into a bundle as it stands.

    `chunks` gives its bytes from the start each time it is called, and raises `ChangedError` if
    they are no longer what the file's name in the bundle says; `crc` is their checksum, if known.
    """

    chunks: Callable[[], Iterable[bytes | memoryview]]
    crc: int | None = None


class ChangedError(Exception):
    """A file is no longer what it was when the case was read; the text names it."""


def as_bundled(case: Case) -> Case:
    """The case as a bundle holds it, which is how it must be evaluated.

    Deleted evidence is gone, with its links; so is what says who wrote the contract, and when.
    """
    contract = contract_as_bundled(case.contract)
    evidence = tuple(piece for piece in case.evidence if piece.status != "deleted")
    kept = {piece.key for piece in evidence}
    links = tuple(link for link in case.links if link.evidence in kept)
    return case.model_copy(update={"contract": contract, "evidence": evidence, "links": links})


def contract_as_bundled(contract: Contract) -> Contract:
    """The contract as a bundle holds it: what was entered, and nothing else."""
    return contract.model_copy(update={"audit": None, "computed_values": None})


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
    logo = files.get("")
    facts = None if logo is None else logo.facts
    stored = {
        name: Stored(partial(_chunks_of, files[key]), files[key].crc)
        for name, key in stored_files(case, facts).items()
    }
    payload = payload_of(case, evaluation, library, logo=facts, template=template)
    try:
        # What is there is given up only for what is on disk. Where nothing is there, a power cut
        # in the next seconds may cost a bundle that the same case builds again, byte for byte.
        return assemble(payload, stored, path, settled=path.exists()), ()
    except ChangedError as error:
        return None, (_changed(str(error)),)
    except OSError as error:
        return None, (cannot_write(path, error.strerror or "the disk refused"),)


def stored_files(case: Case, logo: FileFacts | None = None) -> dict[str, str]:
    """The files that the bundle of a case holds beside its texts.

    Args:
        case: as `as_bundled` gives it.
        logo: the facts of the firm's logo.

    Returns:
        For each path in the bundle the key of a piece of evidence whose file it is; the logo has
        an empty key. Pieces with the same content share one file.
    """
    stored = {stored_name(piece.facts): piece.key for piece in case.evidence if piece.facts}
    if case.firm is not None and logo is not None:
        stored[stored_name(logo)] = ""
    return stored


def digest_of(payload: Mapping[str, bytes], stored: Iterable[str]) -> str:
    """The digest of a bundle that is not written yet, or never will be.

    Args:
        payload: what `payload_of` gives.
        stored: the paths that `stored_files` gives; no file is opened.
    """
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in payload.items()}
    return hashlib.sha256(manifest_of(digests, stored)).hexdigest()


def manifest_of(digests: Mapping[str, str], stored: Iterable[str]) -> bytes:
    """The manifest, whose own sha256 is the bundle's digest.

    Args:
        digests: the sha256 of each text of the payload.
        stored: the paths of the files beside them, which say their sha256 themselves.
    """
    # data/evidence/<sha256>.jpg
    every = {**digests, **{name: name.rpartition("/")[2].partition(".")[0] for name in stored}}
    return "".join(f"{every[name]}  {name}\n" for name in sorted(every)).encode()


def assemble(
    payload: Mapping[str, bytes],
    files: Mapping[str, Stored],
    path: Path,
    *,
    settled: bool = True,
    info: bytes | None = None,
) -> Bundle:
    """Write a bundle of a payload and the files beside it.

    Args:
        payload: what `payload_of` gives, or gave.
        files: by the paths that `stored_files` gives.
        path: where the bundle is to be; what is there is replaced once the new one is complete.
        settled: whether it must be on the disk itself by then.
        info: what `bundle_info` gave when the payload was made, if that was another time.

    Returns:
        The bundle.

    Raises:
        ChangedError: a file is not what its name says.
        OSError: the disk refuses.
    """
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in payload.items()}
    manifest = manifest_of(digests, files)
    with replacing(path, settled=settled) as file:
        archive = Writer(file)
        archive.add(DECLARATION, [DECLARED])
        archive.add(INFO, [bundle_info() if info is None else info])
        for name in sorted([*payload, *files]):
            if name in payload:
                archive.add(name, [payload[name]])
            else:
                archive.add(name, files[name].chunks(), files[name].crc)
        archive.add(MANIFEST, [manifest])
        archive.close()
        size = file.tell()
    return Bundle(path, hashlib.sha256(manifest).hexdigest(), size, len(payload) + len(files))


@cache
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


def payload_of(
    case: Case,
    evaluation: Evaluation,
    library: Library,
    *,
    logo: FileFacts | None = None,
    template: bytes | None = None,
    written: Mapping[str, bytes] = NOTHING,
) -> dict[str, bytes]:
    """The texts of a bundle, by their paths in it.

    Args:
        case: as `as_bundled` gives it, and as it was evaluated.
        evaluation: with its trace.
        library: what it was evaluated with.
        logo: the facts of the firm's logo.
        template: a firm's own template, which the report must then be printed in.
        written: those of `case`, `contract` and `evaluation` that the caller has as texts already.
    """
    catalogue = library.catalogue
    # There is an evaluation, so the library had no problems.
    assert catalogue is not None
    rules = evaluation.ruleset
    rule_set = catalogue.rule_sets.get(f"{rules.id}@{rules.version}")
    profile = _profile(library, evaluation)
    firm = case.firm
    if firm is not None and logo is not None:
        firm = firm.model_copy(update={"logo": stored_name(logo).removeprefix("data/")})
    rest = written.get("case") or rest_of(case)
    look = _shared(
        library, f"profile {evaluation.profile.id}@{evaluation.profile.version}", profile or {}
    )
    parts = {
        "annexures": _page_plan(
            _Pictures((rest, look, canonical_json(case.contract.annexures)), case, profile)
        ),
        "case": rest,
        "contract": written.get("contract") or canonical_json(case.contract),
        "evaluation": written.get("evaluation") or canonical_json(evaluation),
        "firm": canonical_json(firm or {}),
        "profile": look,
        "registers": _shared(library, "registers", partial(_registers, library)),
        "ruleset": _shared(
            library,
            f"ruleset {rules.id}@{rules.version}",
            {} if rule_set is None else rule_set.canonical,
        ),
        "template": canonical_json(template_of(evaluation, template)),
    }
    return {f"data/{name}.json": part for name, part in parts.items()}


def rest_of(case: Case) -> bytes:
    """The text of what a bundle holds of a case beside its contract and its firm."""
    return canonical_json(
        BundledCase(
            case=case.case,
            title=case.title,
            source=case.source,
            evidence=tuple(map(_with_stored_file, case.evidence)),
            links=case.links,
            parameters=case.parameters,
        )
    )


@dataclass(frozen=True, slots=True)
class _Pictures:
    """What decides on the pages of pictures, told apart by its texts."""

    texts: tuple[bytes, ...]
    case: Case = field(compare=False)
    profile: Profile | None = field(compare=False)


# Most changes of a case under way leave its pictures alone, and planning is the slowest part.
@lru_cache(maxsize=64)
def _page_plan(pictures: _Pictures) -> bytes:
    case, profile = pictures.case, pictures.profile
    headings = None if profile is None else profile.headings
    return canonical_json(plan_pages(case.evidence, case.contract, headings))


def _shared(library: Library, name: str, value: Any) -> bytes:
    """A text that is the same for every case of a library, worked out once."""
    found = library.texts.get(name)
    if found is None:
        found = library.texts[name] = canonical_json(value() if callable(value) else value)
    return found


def _registers(library: Library) -> Registers:
    assert library.catalogue is not None
    assert library.units is not None
    return Registers(
        units=library.units,
        banks=library.catalogue.banks,
        field_definitions=tuple(library.catalogue.field_definitions),
    )


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
        file = stored_name(piece.facts).removeprefix("data/")
    return piece.model_copy(update={"file": file})


def stored_name(facts: FileFacts) -> str:
    """The path that a file of these facts has in a bundle."""
    return f"data/evidence/{facts.sha256}.{ending_of(facts.media_type)}"


def _chunks_of(file: EvidenceFile) -> Iterator[memoryview]:
    """The bytes of a file, under the digest that it had when the case was read.

    Its state tells whether it has changed since. Whoever makes a change that the state does not
    show gets a bundle that fails its verification, never one that holds something else.
    """
    opened, problems = open_file(file.path, file.path.name, limit=LARGEST_FILE)
    if opened is None:
        raise ChangedError(problems[0].what)
    with opened:
        yield from read_chunks(opened)
        if state_of(opened) != file.state:
            raise ChangedError(str(file.path))


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
