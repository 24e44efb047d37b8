"""Named places where tests kill processes, to see that nothing is lost and nothing is doubled.

A point does nothing unless ZENOPS_MODE is `test` and ZENOPS_CRASH_AT names it; production refuses
to start with that variable. ZENOPS_CRASH_MARKER names a file: whoever makes it dies, so that a
point kills once. ZENOPS_CRASH_TARGET says who is killed there: `self`, `parent` or `group` (both).
"""

from __future__ import annotations

import os
import signal

#: Every point, in the order in which work passes them.
NAMES = (
    "upload-after-object",
    "release-before-effect",
    "release-after-effect",
    "web-before-commit",
    "web-after-commit",
    "dispatcher-before-push",
    "dispatcher-after-push",
    "worker-after-dequeue",
    "job-after-lease",
    "job-before-program",
    "job-after-program",
    "object-after-write",
    "object-after-rename",
    "job-before-commit",
    "job-after-commit",
    "reaper-before-commit",
    "scheduler-before-commit",
    "sealer-in-batch",
    "refill-before-commit",
    "refill-after-commit",
    "reconcile-before-commit",
    "webhook-after-store",
    "payment-before-commit",
)


def crashpoint(name: str) -> None:
    """Kill this process if a test has armed the point of this name.

    Raises:
        ValueError: no point has this name.
    """
    if name not in NAMES:
        raise ValueError(f"{name} is no crash point")
    if os.environ.get("ZENOPS_MODE") != "test" or os.environ.get("ZENOPS_CRASH_AT") != name:
        return
    try:
        marker = os.environ["ZENOPS_CRASH_MARKER"]
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    target = os.environ.get("ZENOPS_CRASH_TARGET", "self")
    if target in {"parent", "group"}:
        os.kill(os.getppid(), signal.SIGKILL)
    if target in {"self", "group"}:
        os.kill(os.getpid(), signal.SIGKILL)
