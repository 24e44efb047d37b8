"""Signs a bundle's digest, and checks the signature with the public key alone (Ed25519)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.bundle import Signature
from contracts.canonical_json import canonical_json
from contracts.problems import Problem, shown
from factory.bundle import SIGNATURE
from factory.folders import open_file, read_file
from factory.stored_zip import LARGEST_ARCHIVE, Writer, chunks_of, read_entries
from factory.whole_files import replacing

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_KEY = 10_000
_RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Two key files that were written."""

    private: Path
    public: Path
    fingerprint: str


def make_keys(path: Path) -> tuple[KeyPair | None, tuple[Problem, ...]]:
    """A new private key at a path, for its owner's eyes only, and its public half beside it.

    Returns:
        The pair, or None and a problem; a file that is there is never overwritten.
    """
    public = path.with_name(path.name + ".pub")
    key = Ed25519PrivateKey.generate()
    texts = (
        (
            public,
            0o644,
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        ),
        (
            path,
            0o600,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        ),
    )
    written: list[Path] = []
    for target, mode, text in texts:
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(target)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
        except OSError as error:
            for half in written:
                half.unlink(missing_ok=True)
            there = isinstance(error, FileExistsError)
            reason = "it is there already" if there else str(error.strerror).lower()
            return None, (
                Problem(
                    "E620",
                    f"the key '{shown(target)}' cannot be written: {reason}",
                    why="What was signed with a key that is overwritten can never be signed again."
                    if there
                    else "",
                    fix="Name another place for the key.",
                    file=shown(target),
                ),
            )
    return KeyPair(path, public, key.public_key().public_bytes(*_RAW).hex()), ()


def sign_bundle(
    path: Path, key_path: Path, digest: str, *, signer: str | None = None
) -> tuple[Signature | None, tuple[Problem, ...]]:
    """Put a signature into a bundle; nothing of what is signed changes.

    Args:
        path: a bundle that was just verified.
        key_path: the private key.
        digest: the digest that the verification gave.
        signer: whose key it is, in words; covered by the signature.

    Returns:
        The signature, or None and why there is none. A signature by another key is kept.
    """
    content, problems = read_file(key_path, str(key_path), limit=_LARGEST_KEY)
    if content is None:
        return None, problems
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        return None, (_no_key(key_path, "private"),)
    public_key = key.public_key().public_bytes(*_RAW).hex()
    unsigned = Signature.model_validate(
        {
            "schema": "urn:zenops:signature:1",
            "algorithm": "Ed25519",
            "bundle_sha256": digest,
            "public_key": public_key,
            "signature": "0" * 128,
            "signer": signer,
        }
    )
    signature = unsigned.model_copy(update={"signature": key.sign(_message(unsigned)).hex()})
    problem = _store(path, signature)
    return (signature, ()) if problem is None else (None, (problem,))


def read_public_key(path: Path) -> tuple[str | None, tuple[Problem, ...]]:
    """A public key, in hexadecimal, from its PEM file."""
    content, problems = read_file(path, str(path), limit=_LARGEST_KEY)
    if content is None:
        return None, problems
    try:
        key = serialization.load_pem_public_key(content)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        return None, (_no_key(path, "public"),)
    return key.public_bytes(*_RAW).hex(), ()


def fits(signature: Signature, digest: str) -> bool:
    """Whether a signature was made for this digest with the key that it names."""
    if signature.bundle_sha256 != digest:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
        key.verify(bytes.fromhex(signature.signature), _message(signature))
    except (InvalidSignature, ValueError):
        return False
    return True


def signed_by(signature: Signature | None, public_key: str, bundle: str) -> tuple[Problem, ...]:
    """The problem, if a bundle does not carry the signature of this key."""
    if signature is None:
        return (
            Problem(
                "E621",
                f"'{shown(bundle)}' is not signed",
                fix="Ask for a signed bundle.",
                file=shown(bundle),
            ),
        )
    if signature.public_key != public_key:
        return (
            Problem(
                "E621",
                f"'{shown(bundle)}' is signed, but with another key",
                why=f"It names the key {signature.public_key[:16]}, the one given is "
                f"{public_key[:16]}.",
                fix="Check whose key you have.",
                file=shown(bundle),
            ),
        )
    return ()


def _message(signature: Signature) -> bytes:
    """What is signed: the signature itself without its own bytes."""
    covered = signature.model_copy(update={"signature": ""})
    return canonical_json(covered)


def _store(path: Path, signature: Signature) -> Problem | None:
    name = str(path)
    source, problems = open_file(path, name, limit=LARGEST_ARCHIVE)
    if source is None:
        return problems[0]
    with source:
        entries, problems = read_entries(source, name)
        if problems:
            return problems[0]
        for entry in entries:
            if entry.name == SIGNATURE and (
                signature.public_key.encode() not in b"".join(chunks_of(source, entry))
            ):
                return Problem(
                    "E622",
                    f"'{shown(name)}' is signed with another key already",
                    why="A signature is not replaced by another's.",
                    fix="Sign a copy that is not signed.",
                    file=shown(name),
                )
        kept = [entry for entry in entries if entry.name != SIGNATURE]
        try:
            with replacing(path) as target:
                archive = Writer(target)
                for entry in kept:
                    archive.add(entry.name, chunks_of(source, entry))
                archive.add(SIGNATURE, [canonical_json(signature)])
                archive.close()
        except OSError as error:
            reason = str(error.strerror).lower()
            return Problem("E608", f"'{shown(name)}' cannot be written: {reason}", file=shown(name))
    return None


def _no_key(path: Path, kind: str) -> Problem:
    return Problem(
        "E620",
        f"'{shown(path)}' is no {kind} Ed25519 key",
        why="Keys are PEM files as zenops keygen writes them, the private one without password.",
        fix="Make a pair with: zenops keygen",
        file=shown(path),
    )
