"""The templates that ZenOps brings, found by the keys that rule sets decide on.

A template is built from its outline by scripts/build_templates.py; which other keys it serves
stands in the register beside it. A firm's own template is a file of its own and not listed here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints

from contracts.contract import Part
from contracts.strict_yaml import read_yaml
from contracts.validation import validate

FOLDER = Path(__file__).parent.parent / "templates"
REGISTER = "templates.yaml"

Key = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]+\.docx$")]
Family = Literal[
    "annexures", "agri", "coop", "dpr", "flat", "psu", "revaluation", "sbi", "stage-progress"
]


class Registered(Part):
    """One template of the register."""

    key: Key
    file: FileName
    title: str
    family: Family
    cover: bool
    serves: tuple[Key, ...] = ()


class Register(Part):
    """Every template, in the order in which they are listed."""

    templates: tuple[Registered, ...]


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A template on disk.

    `key` is the one asked for; `sha256` is that of the file's bytes. `cover` says whether a letter
    and a summary of values come first.
    """

    key: str
    path: Path
    sha256: str
    title: str
    family: str
    cover: bool


@cache
def read_register() -> tuple[Registered, ...]:
    """The register that stands beside the templates.

    Raises:
        ValueError: the register is not well formed, which no release is.
    """
    text = (FOLDER / REGISTER).read_text(encoding="utf-8")
    document = read_yaml(text, REGISTER)
    register, problems = validate(Register, document)
    if register is None or document.problems or problems:
        raise ValueError("; ".join(p.what for p in (*document.problems, *problems)))
    return register.templates


def find_template(key: str) -> TemplateFile | None:
    """The template that serves a key; None if there is none."""
    for template in read_register():
        if key == template.key or key in template.serves:
            return _on_disk(template, key)
    return None


def list_templates() -> tuple[TemplateFile, ...]:
    """Every template under its own key, in the order of the register."""
    return tuple(_on_disk(template, template.key) for template in read_register())


def _on_disk(template: Registered, key: str) -> TemplateFile:
    path = FOLDER / template.file
    state = path.stat()
    digest = _digest(path, (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns))
    return TemplateFile(key, path, digest, template.title, template.family, template.cover)


@lru_cache(maxsize=64)
def _digest(path: Path, _state: tuple[int, ...]) -> str:
    """The sha256 of a file, which is read again once its state is another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
