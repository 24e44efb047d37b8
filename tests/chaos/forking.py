"""Starts the service's processes quickly: a process that has imported everything, and forks.

What it forks runs what `zenops-service` runs, in a session of its own. When its standard input
ends, because the test is over or dead, it kills all that it has started, and what those left.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Starter:
    """The test's end: asks for processes, by role and environment."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.forking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
        )
        self._one_at_a_time = threading.Lock()

    def start(self, role: str, environ: Mapping[str, str], without: str | None = None) -> int:
        """The process id of a new process."""
        order = {"role": role, "environ": dict(environ), "without": without}
        with self._one_at_a_time:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """End everything."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not collected does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def serve() -> None:
    """Fork what is asked for until standard input ends."""
    from service.bootstrap import shared_library
    from service.jobs import registry
    from service.kept_process import PR_SET_CHILD_SUBREAPER, _prctl
    from tests.chaos import process

    for role in ("dispatcher", "reaper", "scheduler", "worker"):
        importlib.import_module(f"service.jobs.{role}")
    registry.load()
    shared_library()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    buffer = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.05)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not ready:
            continue
        received = os.read(0, 65536)
        if not received:
            break
        buffer += received
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            pid = _fork(process, json.loads(line))
            os.write(1, f"{pid}\n".encode())
    while left := children_of(os.getpid()):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _fork(process: Any, order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        os.environ.clear()
        os.environ.update(order["environ"])
        process.main(order["role"], order["without"])
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it is, the log shall have it
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
