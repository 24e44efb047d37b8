"""Objects that are written once: a folder of this machine, or a bucket, under one set of names.

A bucket is reached through obstore. A folder is not: obstore's local store never asks the disk to
keep what it has written, and its threads do not survive a fork, which is how workers start a job.
So a folder is written with the care of `factory.whole_files`, and the same rule of names holds in both.

An object appears whole or not at all, and is never replaced. Nothing here knows tenants: the key
begins with one, and whoever makes a key has checked the row that holds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import S3Store

from factory.whole_files import replacing
from service.errors import ServiceError
from service.jobs.crashpoints import crashpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 20
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*){0,9}")
_LONGEST_KEY = 400
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{16}\.partial")
# A file of the folder is the owner's alone, whatever the process's umask is.
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class Objects:
    """An object storage: `folder` for this machine's disk, else obstore's `store`."""

    folder: Path | None
    store: Any = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What an object's bytes come to."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Found:
    """An object as a listing shows it."""

    key: str
    size: int
    modified_at: datetime


def open_objects(url: str) -> Objects:
    """The object storage at an address.

    Args:
        url: `file:///an/absolute/folder`, which is made if it is not there, or
            `s3://bucket/prefix`; keys, region and endpoint of a bucket are read from the usual
            variables of the environment (AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, ...).
            An endpoint without TLS is spoken to only if AWS_ALLOW_HTTP is `true`.

    Raises:
        ValueError: the address is of no kind known here.
        OSError: the folder cannot be made.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        folder = Path(unquote(parts.path))
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        return Objects(folder)
    if parts.scheme == "s3" and parts.netloc:
        return Objects(
            None,
            S3Store.from_url(
                url,
                client_options={
                    # A request of ours waits for it; what hangs longer is better told.
                    "connect_timeout": "5s",
                    "timeout": "120s",
                    # Options that are given here replace all that the environment says of them.
                    "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true",
                },
                retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
            ),
        )
    raise ValueError("an object storage is file:///an/absolute/folder or s3://bucket/prefix")


def put_new(objects: Objects, key: str, source: bytes | Path) -> Stored:
    """Write an object that is not there yet; the same bytes once more change nothing.

    Args:
        objects: the storage.
        key: where, such as '<tenant>/documents/<document id>'.
        source: the bytes, or a file that has them. A bucket's client reads the file into memory.

    Returns:
        The sums of what is stored; by then it is on the disk itself, or the bucket has said so.

    Raises:
        ServiceError: OBJECT_DIFFERS if other bytes are there; OBJECT_STORAGE_UNAVAILABLE.
    """
    _check(key)
    with _opened(source) as file:
        if objects.folder is not None:
            try:
                return _put_file(objects.folder, key, file)
            except OSError as error:
                raise _unavailable(error) from error
        sums = _sums(iter(lambda: file.read(CHUNK), b""))
        file.seek(0)
        try:
            with _reaching():
                # 'create' is refused by the bucket itself if the key is taken.
                obstore.put(objects.store, key, file, mode="create", use_multipart=False)
        except AlreadyExistsError:
            _check_same(objects, key, sums)
    return sums


def get_to(objects: Objects, key: str, path: Path) -> Stored:
    """Copy an object into a file, which appears whole or not at all; the sums of its bytes."""
    digest, size = hashlib.sha256(), 0
    with replacing(path, settled=False) as file:
        for chunk in stream(objects, key):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
    return Stored(digest.hexdigest(), size)


def get_bytes(objects: Objects, key: str, *, most: int = 64 << 20) -> bytes:
    """An object's bytes, for small ones.

    Raises:
        ServiceError: OBJECT_MISSING, or OBJECT_TOO_LARGE if it has more than `most` bytes.
    """
    if (size_ := size(objects, key)) > most:
        raise ServiceError(
            500,
            "OBJECT_TOO_LARGE",
            "Object too large",
            f"It has {size_:,} of at most {most:,} bytes.",
        )
    return b"".join(stream(objects, key))


def stream(objects: Objects, key: str) -> Iterator[bytes]:
    """An object's bytes, a megabyte at a time. What is missing is told at once, not on the way."""
    _check(key)
    if objects.folder is not None:
        try:
            file = (objects.folder / key).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise _missing() from None
        return _chunks(file)
    with _reaching():
        return _pieces(obstore.get(objects.store, key).stream(min_chunk_size=CHUNK))


def size(objects: Objects, key: str) -> int:
    """How many bytes an object has."""
    _check(key)
    if objects.folder is not None:
        try:
            return (objects.folder / key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            raise _missing() from None
    with _reaching():
        return int(obstore.head(objects.store, key)["size"])


def exists(objects: Objects, key: str) -> bool:
    """Whether there is an object under a key."""
    try:
        size(objects, key)
    except ServiceError as error:
        if error.code == "OBJECT_MISSING":
            return False
        raise
    return True


def delete(objects: Objects, key: str) -> None:
    """Remove an object for good; one that is not there is removed already. For purges and sweeps."""
    _check(key)
    if objects.folder is not None:
        path = objects.folder / key
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            _settle(path.parent)
        return
    try:
        with _reaching():
            obstore.delete(objects.store, key)
    except ServiceError as error:
        if error.code != "OBJECT_MISSING":
            raise


def listed(objects: Objects, prefix: str) -> Iterator[Found]:
    """The objects below a key, in no particular order; what is half written is not among them."""
    _check(prefix)
    if objects.folder is not None:
        for path in sorted((objects.folder / prefix).rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and not path.name.startswith("."):
                    key = path.relative_to(objects.folder).as_posix()
                    seen = path.stat()
                    yield Found(key, seen.st_size, datetime.fromtimestamp(seen.st_mtime, UTC))
        return
    with _reaching():
        for page in obstore.list(objects.store, prefix):
            for one in page:
                yield Found(one["path"], one["size"], one["last_modified"])


def remove_partials(objects: Objects, *, before: datetime) -> int:
    """Remove what killed processes have left half written; how many files that were.

    A bucket's own rule for incomplete uploads does this there.
    """
    removed = 0
    if objects.folder is not None:
        for path in objects.folder.rglob(".*.partial"):
            with contextlib.suppress(FileNotFoundError):
                old = datetime.fromtimestamp(path.stat().st_mtime, UTC) < before
                if old and _PARTIAL.fullmatch(path.name):
                    path.unlink()
                    removed += 1
    return removed


def presigned_put(objects: Objects, key: str, *, seconds: int = 900) -> str | None:
    """An address to which anybody may PUT this object for so long; None for a folder.

    Who has it can write more than once and more than we want, so only keys that nothing counts on
    are signed: the bytes are checked and copied before they count.
    """
    return _signed(objects, "PUT", key, seconds)


def presigned_get(objects: Objects, key: str, *, seconds: int = 900) -> str | None:
    """An address from which anybody may read this object for so long; None for a folder."""
    return _signed(objects, "GET", key, seconds)


def _signed(objects: Objects, method: str, key: str, seconds: int) -> str | None:
    _check(key)
    if not isinstance(objects.store, S3Store):
        return None
    with _reaching():
        return str(obstore.sign(objects.store, method, key, timedelta(seconds=seconds)))  # type: ignore[call-overload]


def _put_file(folder: Path, key: str, source: BinaryIO) -> Stored:
    path = folder / key
    _make_folders(folder, path.parent)
    partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    try:
        digest, count = hashlib.sha256(), 0
        with os.fdopen(descriptor, "wb") as file:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                count += len(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        crashpoint("object-after-write")
        sums = Stored(digest.hexdigest(), count)
        try:
            # A second name for the file: refused if the name is taken, whoever comes first.
            path.hardlink_to(partial)
            crashpoint("object-after-rename")
        except FileExistsError:
            _check_same(Objects(folder), key, sums)
    finally:
        partial.unlink(missing_ok=True)
    # Whoever found the object there must be as sure of it as whoever wrote it.
    _settle(path.parent)
    return sums


def _make_folders(top: Path, folder: Path) -> None:
    """Make the folders down to one, and have the disk keep their names."""
    if folder.is_dir():
        return
    if folder != top:
        _make_folders(top, folder.parent)
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    _settle(folder.parent)


def _settle(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_same(objects: Objects, key: str, sums: Stored) -> None:
    if _sums(stream(objects, key)) != sums:
        raise ServiceError(
            409,
            "OBJECT_DIFFERS",
            "Another object is there",
            "Other bytes were stored in this place before. What is stored is never replaced.",
        )


def _sums(chunks: Iterator[bytes]) -> Stored:
    digest, count = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        count += len(chunk)
    return Stored(digest.hexdigest(), count)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _pieces(found: Any) -> Iterator[bytes]:
    with _reaching():
        for piece in found:
            yield bytes(piece)


@contextlib.contextmanager
def _opened(source: bytes | Path) -> Iterator[BinaryIO]:
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        yield file


def _check(key: str) -> None:
    """Keys are made by us; one that is not of our making is a fault of ours."""
    if len(key) > _LONGEST_KEY or not _KEY.fullmatch(key):
        raise ValueError(f"{key[:80]!r} is no key of an object")


def _missing() -> ServiceError:
    return ServiceError(
        500,
        "OBJECT_MISSING",
        "Object missing",
        "The stored file is not where it should be. Restore the object storage from its backup.",
    )


# obstore computes in threads of its own, which a fork leaves behind: a call would wait for ever.
_threads = {"started": False, "lost": False}


def _after_fork() -> None:
    _threads["lost"] = _threads["started"]


os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    """What a bucket's client raises, in our words."""
    if _threads["lost"]:
        raise RuntimeError("this process was forked from one that had used the object storage")
    _threads["started"] = True
    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise _missing() from None
    except AlreadyExistsError:
        raise
    except BaseError as error:
        # The client's own message names the bucket and may quote the request.
        raise _unavailable(error) from None


def _unavailable(error: Exception) -> ServiceError:
    return ServiceError(
        503,
        "OBJECT_STORAGE_UNAVAILABLE",
        "Object storage unavailable",
        f"The object storage did not do it ({type(error).__name__}). Try again later.",
    )
