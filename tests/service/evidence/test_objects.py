"""Objects are written once and whole, in a folder and through obstore alike."""

import contextlib
import hashlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore, MemoryStore, S3Store

from service import clock
from service.errors import ServiceError
from service.objects import storage
from service.objects.storage import Objects

KEY = "0198/documents/0199"


@pytest.fixture(params=["folder", "obstore folder", "obstore memory"])
def objects(request, tmp_path):
    """The storages at hand: obstore's own stand for a bucket, which has the same interface."""
    if request.param == "folder":
        return storage.open_objects(f"file://{tmp_path}/objects")
    if request.param == "obstore folder":
        return Objects(None, LocalStore(tmp_path / "objects", mkdir=True))
    return Objects(None, MemoryStore())


def test_what_is_put_can_be_read_in_every_way(objects, tmp_path):
    content = os.urandom(2_500_000)
    stored = storage.put_new(objects, KEY, content)

    assert stored == storage.Stored(hashlib.sha256(content).hexdigest(), len(content))
    assert storage.get_bytes(objects, KEY) == content
    assert b"".join(storage.stream(objects, KEY)) == content
    assert storage.size(objects, KEY) == len(content)
    assert storage.exists(objects, KEY)
    assert storage.get_to(objects, KEY, tmp_path / "copy") == stored
    assert (tmp_path / "copy").read_bytes() == content


def test_a_file_is_put_like_bytes(objects, tmp_path):
    (tmp_path / "source").write_bytes(b"deed" * 700_000)
    storage.put_new(objects, KEY, tmp_path / "source")

    assert storage.get_bytes(objects, KEY) == b"deed" * 700_000


def test_the_same_bytes_once_more_change_nothing(objects):
    first = storage.put_new(objects, KEY, b"deed")

    assert storage.put_new(objects, KEY, b"deed") == first
    assert storage.get_bytes(objects, KEY) == b"deed"


def test_other_bytes_never_replace_what_is_there(objects):
    storage.put_new(objects, KEY, b"deed")

    with pytest.raises(ServiceError, match="OBJECT_DIFFERS"):
        storage.put_new(objects, KEY, b"seed")
    assert storage.get_bytes(objects, KEY) == b"deed"


def test_of_many_writers_at_once_one_wins_and_its_object_stays(objects):
    outcomes: dict[int, str] = {}
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        try:
            storage.put_new(objects, KEY, bytes([number]) * 300_000)
            outcomes[number] = "written"
        except ServiceError as error:
            outcomes[number] = error.code

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [number for number, outcome in outcomes.items() if outcome == "written"]
    assert len(winners) == 1
    assert sorted(outcomes.values()) == ["OBJECT_DIFFERS"] * 7 + ["written"]
    assert storage.get_bytes(objects, KEY) == bytes(winners) * 300_000


def test_what_is_missing_is_told_at_once(objects, tmp_path):
    assert not storage.exists(objects, KEY)
    for act in (
        lambda: storage.stream(objects, KEY),
        lambda: storage.size(objects, KEY),
        lambda: storage.get_bytes(objects, KEY),
        lambda: storage.get_to(objects, KEY, tmp_path / "copy"),
    ):
        with pytest.raises(ServiceError, match="OBJECT_MISSING"):
            act()
    assert list(tmp_path.glob("*copy*")) == []


def test_bytes_are_read_whole_up_to_a_limit_only(objects):
    storage.put_new(objects, KEY, b"12345")

    assert storage.get_bytes(objects, KEY, most=5) == b"12345"
    with pytest.raises(ServiceError, match="OBJECT_TOO_LARGE"):
        storage.get_bytes(objects, KEY, most=4)


def test_a_removed_object_is_gone_and_may_be_removed_again(objects):
    storage.put_new(objects, KEY, b"deed")
    storage.delete(objects, KEY)
    storage.delete(objects, KEY)

    assert not storage.exists(objects, KEY)


def test_a_listing_shows_what_lies_below_a_key_and_nothing_beside_it(objects):
    for key in ("0198/documents/a", "0198/documents/b", "0198/documentsx", "0199/documents/c"):
        storage.put_new(objects, key, b"12")
    found = {one.key: one.size for one in storage.listed(objects, "0198/documents")}

    assert found == {"0198/documents/a": 2, "0198/documents/b": 2}


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".hidden", "a\\b", "a\x00b", "a" * 401],
)
def test_a_key_cannot_lead_out_of_the_storage(objects, key):
    with pytest.raises(ValueError, match="no key"):
        storage.put_new(objects, key, b"x")
    with pytest.raises(ValueError, match="no key"):
        storage.stream(objects, key)


def test_files_are_their_owners_alone(tmp_path):
    objects = storage.open_objects(f"file://{tmp_path}/objects")
    storage.put_new(objects, KEY, b"deed")
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "objects").rglob("*")
    }

    assert modes == {
        "objects/0198": 0o700,
        "objects/0198/documents": 0o700,
        "objects/0198/documents/0199": 0o600,
    }


def test_the_disk_is_asked_to_keep_the_file_and_its_name_before_put_returns(tmp_path, monkeypatch):
    kept: list[str] = []

    def watch(descriptor: int) -> None:
        kept.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()).removeprefix(str(tmp_path)))

    monkeypatch.setattr(os, "fsync", watch)
    storage.put_new(storage.open_objects(f"file://{tmp_path}/objects"), KEY, b"deed")

    folders = [name for name in kept if ".partial" not in name]
    assert folders == ["/objects", "/objects/0198", "/objects/0198/documents"]
    # The bytes are on the disk before the name is.
    assert ".partial" in kept[-2]


WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from service.objects import storage
class Source:
    def __init__(self): self.left = 3
    def read(self, size):
        self.left -= 1
        if not self.left: os.kill(os.getpid(), signal.SIGKILL)
        return b"x" * size
objects = storage.open_objects(sys.argv[1])
storage._put_file(objects.folder, sys.argv[2], Source())
"""


def test_a_writer_killed_half_way_leaves_no_object_and_its_rest_is_swept(tmp_path):
    url = f"file://{tmp_path}/objects"
    died = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, url, KEY], check=False)
    objects = storage.open_objects(url)
    left = list((tmp_path / "objects/0198/documents").iterdir())

    assert died.returncode == -signal.SIGKILL
    assert len(left) == 1
    assert not storage.exists(objects, KEY)
    assert list(storage.listed(objects, "0198")) == []

    now = clock.now()
    assert storage.remove_partials(objects, before=now - timedelta(hours=1)) == 0
    assert storage.remove_partials(objects, before=now + timedelta(hours=1)) == 1
    assert storage.put_new(objects, KEY, b"deed").size == 4
    assert storage.remove_partials(objects, before=now + timedelta(hours=1)) == 0


def test_a_full_or_broken_disk_is_told_without_naming_the_folder(tmp_path):
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "0198").write_bytes(b"a file where a folder should be")
    with pytest.raises(ServiceError, match="OBJECT_STORAGE_UNAVAILABLE") as caught:
        storage.put_new(storage.open_objects(f"file://{tmp_path}/objects"), KEY, b"deed")

    assert str(tmp_path) not in caught.value.detail


USE_THEN_FORK = """
import os, sys
from obstore.store import LocalStore
from service.objects import storage
objects = storage.Objects(None, LocalStore(sys.argv[1], mkdir=True))
if sys.argv[2] == "used before": storage.put_new(objects, "a/b", b"x")
pid = os.fork()
if pid == 0:
    try: storage.put_new(objects, "a/c", b"x"); os._exit(0)
    except RuntimeError: os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize(("when", "code"), [("used before", 7), ("not used", 0)])
def test_a_fork_that_would_wait_for_ever_is_told_so(tmp_path, when, code):
    run = subprocess.run(
        [sys.executable, "-c", USE_THEN_FORK, str(tmp_path / "o"), when], check=False, timeout=30
    )

    assert run.returncode == code


def test_a_bucket_signs_addresses_and_a_folder_does_not(tmp_path, monkeypatch):
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "key-id"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-that-shows-nowhere"),
        ("AWS_REGION", "ap-south-1"),
    ):
        monkeypatch.setenv(name, value)
    bucket = storage.open_objects("s3://firm/zenops")
    address = storage.presigned_put(bucket, KEY, seconds=60) or ""

    assert isinstance(bucket.store, S3Store)
    assert f"/firm/zenops/{KEY}?" in address
    assert "X-Amz-Expires=60" in address
    assert "a-secret" not in address + repr(bucket)
    folder = storage.open_objects(f"file://{tmp_path}")
    assert storage.presigned_put(folder, KEY) is None
    assert storage.presigned_get(folder, KEY) is None


@pytest.fixture
def hanging_up():
    """The address of a server that hangs up on everybody, and a list with an entry for each call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls = []

        def hang_up():
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()
                    calls.append(1)

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", calls
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(("allowed", "is_called"), [("true", True), ("", False), ("no", False)])
def test_a_bucket_that_does_not_answer_is_told_without_its_address(
    monkeypatch, hanging_up, allowed, is_called
):
    """Without TLS nobody is called unless AWS_ALLOW_HTTP says so."""
    address, calls = hanging_up
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "key-id"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-that-shows-nowhere"),
        ("AWS_REGION", "ap-south-1"),
        ("AWS_ENDPOINT_URL", address),
        ("AWS_ALLOW_HTTP", allowed),
    ):
        monkeypatch.setenv(name, value)
    with pytest.raises(ServiceError) as caught:
        storage.put_new(storage.open_objects("s3://firm/zenops"), KEY, b"deed")

    assert bool(calls) is is_called
    assert caught.value.status == 503
    assert caught.value.code == "OBJECT_STORAGE_UNAVAILABLE"
    assert "127.0.0.1" not in caught.value.detail


@pytest.mark.parametrize("url", ["file://host/x", "ftp://x/y", "s3:///x", "folder", ""])
def test_an_address_of_another_kind_is_refused(url):
    with pytest.raises(ValueError, match="object storage is"):
        storage.open_objects(url)


def test_a_folder_may_have_blanks_in_its_name(tmp_path):
    storage.put_new(storage.open_objects(f"file://{tmp_path}/a%20b"), KEY, b"x")

    assert Path(tmp_path / "a b" / KEY).read_bytes() == b"x"
