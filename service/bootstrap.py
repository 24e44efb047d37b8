"""Chooses what the service works with: database, queue, files and catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import redis

from factory.catalogue import Library
from service.database.connections import Role, make_engine
from service.database.migrating import isolation_gaps, latest_revision, revision_of
from service.objects.storage import Objects, open_objects
from service.workorders.evaluating import library as shared_library

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from service.settings import Settings


@dataclass(frozen=True)
class Service:
    """What a process of the service holds for as long as it lives.

    `engine` logs in as zen_api or as zen_jobs, never both: a web process cannot become a worker.
    """

    settings: Settings
    engine: Engine
    redis: redis.Redis
    objects: Objects
    library: Library


class ServiceStartError(Exception):
    """The service cannot start; the message says why and how to mend it."""


def make_service(settings: Settings, login: Literal["api", "jobs"]) -> Service:
    """The service for one process.

    Raises:
        ServiceStartError: the shipped rules or profiles have problems, the database is at another
            revision, or its login could see past row-level security.
    """
    url = settings.database_url if login == "api" else settings.jobs_database_url
    # No more than the setting says: whoever runs PostgreSQL counts on it.
    engine = make_engine(
        url,
        pool_size=settings.database_connections,
        overflow=0,
        statement_seconds=settings.statement_seconds,
    )
    check_database(engine, "zen_login" if login == "api" else "zen_system")
    library = shared_library()
    if library.problems:
        raise ServiceStartError(
            f"The catalogue has {len(library.problems)} problems, the first: "
            f"{library.problems[0].what}. Run `zenops check` on rules and profiles."
        )
    return Service(
        settings=settings,
        engine=engine,
        redis=redis.Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5),
        objects=open_objects(settings.objects_url),
        library=library,
    )


def check_database(engine: Engine, role: Role) -> None:
    """Refuse a database that would not keep firms apart, or that is not the one we know.

    Raises:
        ServiceStartError: it is so.
    """
    if gaps := isolation_gaps(engine):
        raise ServiceStartError(
            "The database would not keep firms apart: "
            + "; ".join(gaps)
            + ". Log in as zen_api and zen_jobs, as `zenops-service migrate` makes them."
        )
    if (found := revision_of(engine, role)) != (wanted := latest_revision()):
        raise ServiceStartError(
            f"The database is at revision {found}, this version needs {wanted}. "
            "Run `zenops-service migrate`."
        )
