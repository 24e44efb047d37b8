"""Whatever is sent, it is refused cleanly or rightly taken, and nothing of the server comes to harm.

A real web process answers over a real connection, and real closed processes open the files.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.service.evidence import files, hostile_files
from tests.service.evidence.hostile_files import Hostile

LONGEST_S = 20.0
#: The closed process may take 448 MiB beyond what it takes when it begins, which is below 100.
LARGEST_CHILD = 580 << 20
MOST_GROWN = 120 << 20


def _status(pid: int, name: str) -> int:
    """A figure of a process in bytes; 0 if it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) << 10
    return 0


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [
            int(one)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for one in (task / "children").read_text().split()
        ]
    return []


@dataclass
class Web:
    """A web process, and how large the processes became that it started."""

    port: int
    master: int
    token: str = ""
    largest_child: int = 0
    seen: set[int] = field(default_factory=set)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def worker(self) -> int:
        (found,) = _children(self.master)
        return found

    def watch(self) -> None:
        """Look at the worker's children, again and again."""
        worker = self.worker
        while not self.done.wait(0.01):
            for child in _children(worker):
                self.seen.add(child)
                self.largest_child = max(self.largest_child, _status(child, "VmHWM"))

    def send(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, dict[str, Any]]:
        """The status and the JSON of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": kind, "Authorization": f"Bearer {self.token}"}
        try:
            # Some are refused before all of it was sent; the answer is there already.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        finally:
            connection.close()

    def upload(self, one: Hostile) -> tuple[int, dict[str, Any]]:
        boundary = "b0undary" * 4
        name = one.name.encode("utf-8", "surrogateescape")
        name = (
            name.replace(b"\\", b"\\\\")
            .replace(b'"', b"%22")
            .replace(b"\r", b"")
            .replace(b"\n", b"")
        )
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in one.fields
        ]
        head = b'Content-Disposition: form-data; name="file"; filename="' + name + b'"'
        parts += [
            f"--{boundary}\r\n".encode(), head, b"\r\nContent-Type: image/jpeg\r\n\r\n",
            one.content, f"\r\n--{boundary}--\r\n".encode(),
        ]  # fmt: skip
        kind = f"multipart/form-data; boundary={boundary}"
        return self.send("POST", "/v1/files/upload", b"".join(parts), kind)


@pytest.fixture(scope="module")
def web(settings: Any, make_firm: Any, make_user: Any) -> Iterator[Web]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {
        "PATH": os.environ["PATH"],
        "ZENOPS_MODE": "test",
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "ZENOPS_OBJECTS_URL": settings.objects_url,
        "ZENOPS_SECRET_KEY": settings.secret_key,
        "ZENOPS_STATE_FOLDER": str(settings.state_folder),
        "ZENOPS_EVIDENCE_MAX_BYTES": str(hostile_files.MOST_BYTES),
    }
    command = [sys.executable, "-m", "gunicorn", "--workers=1", "--worker-class=gthread"]
    command += ["--threads=4", "--timeout=60", f"--bind=127.0.0.1:{port}", "--log-level=error"]
    process = subprocess.Popen(
        [*command, "--no-control-socket", "service.wsgi:application()"],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made = Web(port, process.pid)
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                if made.send("GET", "/v1/health", b"", "")[0] == 200:
                    break
            assert process.poll() is None, "the web process ended"
            assert time.monotonic() < until, "the web process did not come up"
            time.sleep(0.1)
        user = make_user(make_firm(), roles=["super_admin"])
        body = {"email": user.email, "password": user.password, "audience": "web"}
        made.token = made.send(
            "POST", "/v1/auth/login", json.dumps(body).encode(), "application/json"
        )[1]["token"]
        # What is loaded with the first file is no growth.
        assert made.upload(Hostile("", files.jpeg(1), ()))[0] == 201
        yield made
    finally:
        made.done.set()
        process.terminate()
        process.wait(15)


def test_hostile_files_are_refused_or_taken_and_do_no_harm(web, settings):
    collection = hostile_files.all_files()
    worker, before = web.worker, _status(web.worker, "VmRSS")
    watcher = threading.Thread(target=web.watch)
    watcher.start()
    slowest = [0.0]

    def send(one: Hostile) -> str:
        start = time.monotonic()
        status, body = web.upload(one)
        slowest[0] = max(slowest[0], time.monotonic() - start)
        got = (status, body.get("code", ""))
        return "" if got in one.answers else f"{one.about}: {got}, {body.get('detail', '')}"

    try:
        with ThreadPoolExecutor(3) as senders:
            wrong = [said for said in senders.map(send, collection) if said]
    finally:
        web.done.set()
        watcher.join()

    assert len(collection) >= 60
    assert wrong == []
    assert slowest[0] < LONGEST_S
    # The same process answers as before, and has not grown by what was sent.
    assert web.worker == worker
    assert web.send("GET", "/v1/health", b"", "")[0] == 200
    assert _status(worker, "VmRSS") - before < MOST_GROWN
    assert len(web.seen) > 10
    assert 0 < web.largest_child < LARGEST_CHILD
    # None of the processes that opened a file is left.
    assert _children(worker) == []
    # No name has led anywhere: what is stored lies under ids.
    folder = Path(settings.objects_url.removeprefix("file://"))
    stored = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(stored) > 20
    assert {len(path.parts) for path in stored} == {3}
    assert {path.parts[1] for path in stored} == {"documents"}
    assert {len(path.parts[number]) for path in stored for number in (0, 2)} == {36}


@pytest.mark.parametrize(
    ("about", "kind", "body", "right"),
    hostile_files.forms(),
    ids=[about for about, *_ in hostile_files.forms()],
)
def test_a_form_that_is_not_as_it_should_be_is_refused(web, about, kind, body, right):
    worker, before = web.worker, _status(web.worker, "VmRSS")
    status, answer = web.send("POST", "/v1/files/upload", body, kind)

    assert status in right, (about, answer)
    assert status == 201 or answer["code"]
    assert web.worker == worker
    assert _status(worker, "VmRSS") - before < MOST_GROWN
