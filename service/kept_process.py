"""A child process that cannot outlive its starter.

Between starter and child stands a small process of its own, this file run as a script. It holds
one end of a socket; when the other end closes, because the starter asks for it or because the
starter is dead, it ends the child and whatever the child left running. That works without the
starter's help, so SIGKILL is covered too.

The script part uses the standard library alone and starts in a few hundredths of a second.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class KeptProcess:
    """A running child, known by its own process id and by the keeper that watches it."""

    pid: int
    _keeper: "subprocess.Popen[bytes]"
    _line: socket.socket

    def exit_code(self) -> int | None:
        """How the child ended: None while it runs, 128 plus the signal if one killed it."""
        return self._keeper.poll()

    def ask_to_stop(self) -> None:
        """Let go of the child: it gets its stop signal, and SIGKILL after its time of grace."""
        self._line.close()

    def stop(self) -> int:
        """End the child and everything it started, and wait for that.

        Returns:
            How the child ended, as `exit_code` says it.
        """
        self._line.close()
        return self._keeper.wait()

    def send(self, signal_number: int) -> None:
        """Send the child a signal; a child that has ended gets none."""
        if self.exit_code() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal_number)


def start_kept(
    command: Sequence[str],
    *,
    stop_signal: int = signal.SIGTERM,
    grace_s: float = 10,
    user: int | None = None,
    group: int | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: int | None = None,
) -> KeptProcess:
    """Start a command in a process group of its own that ends when this process does.

    Args:
        command: the program and its arguments.
        stop_signal: what asks the program to end in good order.
        grace_s: how long it may take over that before SIGKILL.
        user: the user id to run as, for root; with it goes `group`.
        group: the group id to run as.
        environ: the whole environment; None passes on our own.
        folder: the working directory.
        output: a file descriptor for both standard output and error; None passes on our own.

    Returns:
        The child; the program itself may still be loading.

    Raises:
        OSError: the program cannot be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        options = [str(theirs.fileno()), str(int(stop_signal)), str(grace_s)]
        options += ["-" if number is None else str(number) for number in (user, group)]
        keeper = subprocess.Popen(
            # -I and -S: neither the environment nor installed packages change the keeper.
            [sys.executable, "-I", "-S", __file__, *options, *command],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environ,
            cwd=folder,
            # Out of the terminal's reach: Ctrl-C is for the starter, who ends its children in order.
            start_new_session=True,
        )
    with ours.makefile("rb") as answers:
        answer = answers.readline().decode()
    if not answer.strip().isdecimal():
        ours.close()
        keeper.wait()
        raise OSError(f"{command[0]} cannot be started: {answer.strip() or 'its keeper ended'}")
    return KeptProcess(int(answer), keeper, ours)


def _prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the socket alone has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _reap(child: int) -> int | None:
    """Collect whoever has ended; the exit code of `child` if it is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                end = os.waitstatus_to_exitcode(status)
                code = end if end >= 0 else 128 - end
    return code


def _left_over() -> list[int]:
    """Children of this process that still run: with the subreaper set, orphans are among them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in brackets may hold blanks and brackets itself.
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.append(int(stat.parent.name))
    return found


def _keep(
    line: socket.socket,
    command: list[str],
    stop: int,
    grace_s: float,
    user: int | None,
    group: int | None,
) -> int:
    """Start the command, wait for its end or the starter's; return the exit code."""
    wake, waker = socket.socketpair()
    wake.setblocking(False)
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    stopping = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.append(True))
    _prctl(PR_SET_CHILD_SUBREAPER, 1)

    def die_with_keeper() -> None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    try:
        child = subprocess.Popen(
            command,
            process_group=0,
            preexec_fn=die_with_keeper,  # noqa: PLW1509 - this process has one thread
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
    except OSError as error:
        line.sendall(f"{error.strerror}\n".encode())
        return 127
    line.sendall(f"{child.pid}\n".encode())

    code: int | None = None
    deadline: float | None = None
    while code is None:
        wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        watched = [wake] if deadline is not None else [wake, line]
        ready, _, _ = select.select(watched, [], [], wait_s)
        if wake in ready:
            wake.recv(4096)
        code = _reap(child.pid)
        if code is None and deadline is None and (line in ready or stopping):
            deadline = time.monotonic() + grace_s
            os.kill(child.pid, stop)
        elif code is None and deadline is not None and time.monotonic() >= deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    # A work-horse has left the group; it came to us when its parent died.
    while left := _left_over():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
    child.returncode = code
    return code


if __name__ == "__main__":
    fd, stop_number, grace, *owner = sys.argv[1:6]
    sys.exit(
        _keep(
            socket.socket(fileno=int(fd)),
            sys.argv[6:],
            int(stop_number),
            float(grace),
            *(None if number == "-" else int(number) for number in owner),
        )
    )
