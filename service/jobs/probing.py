"""Work that does nothing: shows how long work takes from being asked for to being begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.jobs.job import Job


def probe(job: Job) -> None:
    """Hold the lease, and be done."""
    with job.effect():
        pass
