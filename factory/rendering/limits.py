"""Shuts a process in: no network, no writing, no other process, and little memory and time.

The locks are put on once, from inside, before anything of a template is read; there is no key.
"""

from __future__ import annotations

import os
import platform
import struct
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
    refuse_calls()
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


# Numbers of the kernel's calls, by machine: connections, programs, other processes and their memory,
# and ways around this list. The limit on processes (RLIMIT_NPROC) would count threads as well, which
# the decoder of HEIC needs.
_CALLS = {
    "x86_64": (
        0xC000_003E, 56,
        (41, 42, 49, 53, 57, 58, 59, 62, 101, 165, 250, 272, 308, 310, 311, 321, 322, 323, 425),
    ),
    "aarch64": (
        0xC000_00B7, 220,
        (40, 97, 117, 129, 198, 199, 200, 203, 219, 221, 268, 270, 271, 280, 281, 282, 425),
    ),
}  # fmt: skip
_CLONE3, _CLONE_THREAD = 435, 0x1_0000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _NOT_PERMITTED, _NOT_THERE = 0x7FFF_0000, 0x0005_0000 | 1, 0x0005_0000 | 38


def refuse_calls() -> bool:
    """Have the kernel refuse connections, programs and other processes; threads may be started.

    Returns:
        Whether it does; only Linux can, on machines whose calls are known here.
    """
    known = _CALLS.get(platform.machine()) if sys.platform.startswith("linux") else None
    if known is None:
        return False
    import ctypes  # noqa: PLC0415 - nothing else calls the kernel by hand

    machine, clone, refused = known
    # Each step is an instruction, and how many to go on by if its test holds, and if it does not.
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _NOT_PERMITTED)]
    # Numbers from 2^30 on are those of another way to call, with a list of its own.
    steps += [(_LOAD, 0, 0, 0), (_AT_LEAST, 0, 1, 1 << 30), (_RETURN, 0, 0, _NOT_PERMITTED)]
    for call in refused:
        steps += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _NOT_PERMITTED)]
    # What is told that this call is not there uses the older one, whose purpose can be seen.
    steps += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _NOT_THERE)]
    steps += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, 16), (_ANY_BIT, 1, 0, _CLONE_THREAD)]
    steps += [(_RETURN, 0, 0, _NOT_PERMITTED), (_RETURN, 0, 0, _ALLOW)]
    program = b"".join(struct.pack("HBBI", *step) for step in steps)
    room = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(room))
    whole = ctypes.create_string_buffer(head, len(head))
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
        no_new_rights, filtered, by_program = 38, 22, 2
        if libc.prctl(no_new_rights, 1, 0, 0, 0) == 0:
            return bool(libc.prctl(filtered, by_program, ctypes.addressof(whole), 0, 0) == 0)
    return False


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _, mode, flags = arguments
        if (isinstance(flags, int) and flags & _WRITES) or (
            isinstance(mode, str) and not set("wax+").isdisjoint(mode)
        ):
            raise LockedError("nothing is written here")
    elif event.startswith(_REFUSED):
        raise LockedError("nothing of the kind is done here")
