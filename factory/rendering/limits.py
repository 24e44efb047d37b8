"""Shuts a process in: no network, no writing, no other process, and little memory and time.

The locks are put on once, from inside, before anything of a template is read; there is no key.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# What Python tells of before it does it. Whatever is not needed to fill a template is refused.
_REFUSED = (
    "ctypes.", "code.", "cpython.run_", "fcntl.", "ftplib.", "gc.get_", "glob.", "http.", "imaplib.",
    "mmap.", "nntplib.", "os.add_dll_directory", "os.chdir", "os.chflags", "os.chmod", "os.chown",
    "os.exec", "os.fork", "os.forkpty", "os.kill", "os.link", "os.lockf", "os.mkdir", "os.posix_spawn",
    "os.putenv", "os.remove", "os.removexattr", "os.rename", "os.rmdir", "os.setxattr", "os.spawn",
    "os.startfile", "os.symlink", "os.system", "os.truncate", "os.unsetenv", "os.utime", "poplib.",
    "pty.", "shutil.", "signal.pthread_kill", "smtplib.", "socket.", "sqlite3.", "subprocess.",
    "syslog.", "telnetlib.", "tempfile.", "urllib.", "webbrowser.", "winreg.", "_winapi.",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class LockedError(PermissionError):
    """Something was tried that the process has no right to."""


def shut_in(memory: int) -> None:
    """Give up, for good, what filling a template does not need.

    Args:
        memory: bytes that the process may take beyond what it has taken by now.
    """
    _leave_network()
    _limit(memory)
    sys.addaudithook(_refuse)


def allow_seconds(seconds: int) -> None:
    """Let the process compute for so long from now on; then the system ends it."""
    resource = _resource()
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _resource() -> Any:
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - Windows has none

        return resource
    return None


def _limit(memory: int) -> None:
    resource = _resource()
    if resource is None:
        return
    limits = {
        "RLIMIT_AS": _taken() + memory,
        # Pipes have no size; a file could not get its first byte.
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_NPROC": 0,
        "RLIMIT_CORE": 0,
    }
    for name, value in limits.items():
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (value, value))


def _taken() -> int:
    """The address space in use; a generous guess where the system does not tell."""
    with suppress(OSError, ValueError), Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 512 << 20


def _leave_network() -> None:
    """Move into a network of one's own, with nothing in it, where the kernel allows that."""
    new_network, new_user = 0x4000_0000, 0x1000_0000
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415 - os.unshare came with Python 3.12

    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(new_network):
            libc.unshare(new_user | new_network)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _, mode, flags = arguments
        if (isinstance(flags, int) and flags & _WRITES) or (
            isinstance(mode, str) and not set("wax+").isdisjoint(mode)
        ):
            raise LockedError("nothing is written here")
    elif event.startswith(_REFUSED):
        raise LockedError("nothing of the kind is done here")
