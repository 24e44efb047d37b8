"""Many processes as one: started in stages, one log, restarted when they die, ended together.

What the processes are is the business of `service.serving`.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from service.kept_process import KeptProcess, start_kept

# A child that dies is started again after a pause, which doubles while it keeps dying early.
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
# Who has run as long as this has recovered.
RECOVERED_S = 60.0
POLL_S = 0.1
LONGEST_LINE = 64 * 1024


@dataclass(frozen=True)
class Child:
    """A process to keep running: its name in the log, and how it is started.

    `start` gets the file descriptor for its output. It may wait until the process is ready, and
    raises when the process cannot be started.
    """

    name: str
    start: Callable[[int], KeptProcess]


def command_child(
    name: str,
    command: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    stop_signal: int = signal.SIGTERM,
    grace_s: float = 10,
) -> Child:
    """A child that is a command with an environment; see `start_kept` for what they mean."""

    def start(output: int) -> KeptProcess:
        return start_kept(
            command, environ=environ, stop_signal=stop_signal, grace_s=grace_s, output=output
        )

    return Child(name, start)


@dataclass
class _Running:
    """What is known of a child that was started once."""

    child: Child
    process: KeptProcess | None
    started: float
    pause_s: float = FIRST_PAUSE_S
    # When it is started again, if it is dead.
    again: float | None = None


@dataclass
class Supervisor:
    """Runs children until it is told to stop; `output` gets their lines, each with its name."""

    output: BinaryIO = field(default_factory=lambda: sys.stdout.buffer)
    _stages: list[list[_Running]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def say(self, name: str, text: str) -> None:
        """Put a line of our own into the log, under a name as if that child had said it."""
        self._write(name, text.encode())

    def start(self, *stage: Child) -> None:
        """Start a stage of children; stages end in the opposite order.

        Raises:
            Exception: what a child's `start` raises, when it cannot be started at all.
        """
        running: list[_Running] = []
        self._stages.append(running)
        for child in stage:
            # One by one: if a later one cannot be started, those before have to be ended.
            running.append(_Running(child, self._start(child), time.monotonic()))  # noqa: PERF401

    def pids(self) -> dict[str, int]:
        """The process ids of the children that run, by name."""
        return {
            each.child.name: each.process.pid
            for each in self._all()
            if each.process is not None and each.process.exit_code() is None
        }

    def run(self) -> None:
        """Restart what dies, until `stop` is called or a signal asks us to end."""
        while not self._stop.wait(POLL_S):
            self.look_after_children()

    def look_after_children(self) -> None:
        """See once who has died, and start again those whose pause is over."""
        for each in self._all():
            self._look_after(each)

    @property
    def is_stopping(self) -> bool:
        """Whether somebody wishes us to end."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Let `run` return; children end when the supervisor is closed."""
        self._stop.set()

    def close(self) -> None:
        """End every child, the last stage first, each stage at once; return when all are gone."""
        for stage in reversed(self._stages):
            processes = [each.process for each in stage if each.process is not None]
            for process in processes:
                process.ask_to_stop()
            for process in processes:
                process.stop()
        self._stages.clear()

    def _all(self) -> Iterator[_Running]:
        for stage in self._stages:
            yield from stage

    def _start(self, child: Child) -> KeptProcess:
        read, write = os.pipe()
        threading.Thread(target=self._copy, args=(child.name, read), daemon=True).start()
        try:
            return child.start(write)
        finally:
            os.close(write)

    def _look_after(self, each: _Running) -> None:
        now = time.monotonic()
        if each.process is not None:
            code = each.process.exit_code()
            if code is None:
                return
            if now - each.started >= RECOVERED_S:
                each.pause_s = FIRST_PAUSE_S
            # Collects what it left behind and closes our end.
            each.process.stop()
            each.process = None
            self._pause(each, f"ended with code {code}")
        elif each.again is not None and now >= each.again:
            each.started = now
            try:
                each.process = self._start(each.child)
            except Exception as error:  # noqa: BLE001 - one that cannot start is tried again
                self._pause(each, f"cannot be started: {error}")

    def _pause(self, each: _Running, why: str) -> None:
        self.say(each.child.name, f"{why}; starting again in {each.pause_s:g} s")
        each.again = time.monotonic() + each.pause_s
        each.pause_s = min(each.pause_s * 2, LONGEST_PAUSE_S)

    def _copy(self, name: str, read: int) -> None:
        """Copy a child's lines into the log until nobody holds its end any more."""
        with os.fdopen(read, "rb") as lines:
            while line := lines.readline(LONGEST_LINE):
                self._write(name, line.rstrip(b"\n"))

    def _write(self, name: str, line: bytes) -> None:
        with self._lock:
            try:
                self.output.write(f"{name:<10} | ".encode() + line + b"\n")
                self.output.flush()
            except (OSError, ValueError):
                # Nobody reads our log any more, as after `| head`: that is a wish to end.
                self._stop.set()


@contextlib.contextmanager
def supervisor(output: BinaryIO | None = None) -> Iterator[Supervisor]:
    """A supervisor that ends on Ctrl-C and SIGTERM, and takes its children with it in any case."""
    made = Supervisor() if output is None else Supervisor(output)
    before = {
        number: signal.signal(number, lambda *_: made.stop())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield made
    finally:
        made.close()
        for number, handler in before.items():
            signal.signal(number, handler)
