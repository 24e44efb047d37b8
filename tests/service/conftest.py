"""Real PostgreSQL and Valkey for the service's tests: one of each for a whole run.

Each test module gets a database of its own, cloned from one that was migrated once, and the files
of its own folder. Everything is gone when the run ends.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from service.bootstrap import Service, make_service
from service.clock import now
from service.database.connections import transaction
from service.database.migrating import set_up
from service.identifiers import new_id
from service.local_services import (
    PostgresHandle,
    ValkeyHandle,
    scratch_folder,
    start_postgres,
    start_valkey,
)
from service.settings import Settings, read_settings
from tests.service.clients import Client

SECRET = "tests-0123456789-abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    folder = scratch_folder()
    yield folder
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(scratch: Path) -> Iterator[PostgresHandle]:
    """A PostgreSQL that is fast because nothing in it has to last."""
    server = start_postgres(scratch / "pg", durable=False)
    try:
        yield server
    finally:
        server.stop(immediate=True)
        server.remove()


@pytest.fixture(scope="session")
def valkey(scratch: Path) -> Iterator[ValkeyHandle]:
    server = start_valkey(scratch / "kv", durable=False)
    try:
        yield server
    finally:
        server.stop(immediate=True)
        server.remove()


@dataclass(frozen=True)
class Database:
    """One migrated database, by the addresses of its logins."""

    owner_url: str
    api_url: str
    jobs_url: str
    backup_url: str


def _as(url: str, *, database: str | None = None, user: str | None = None) -> str:
    made = make_url(url)
    if database is not None:
        made = made.set(database=database)
    if user is not None:
        made = made.set(username=user, password=None)
    return made.render_as_string(hide_password=False)


def _run(url: str, statement: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(scope="session")
def template_database(postgres: PostgresHandle) -> str:
    """The name of a database that was migrated and that nobody connects to."""
    _run(postgres.url, "create database zenops_template")
    set_up(_as(postgres.url, database="zenops_template"))
    return "zenops_template"


def new_database(postgres: PostgresHandle, template: str) -> Database:
    """A fresh copy of the migrated database."""
    name = f"zenops_{secrets.token_hex(6)}"
    _run(postgres.url, f"create database {name} template {template}")
    owner = _as(postgres.url, database=name)
    # A copy has its settings and data, but not the rights on the database itself.
    set_up(owner)
    return Database(
        owner,
        _as(owner, user="zen_api"),
        _as(owner, user="zen_jobs"),
        _as(owner, user="zen_backup"),
    )


def drop_database(postgres: PostgresHandle, database: Database) -> None:
    """Drop it, whoever is still connected."""
    _run(
        postgres.url,
        f"drop database if exists {make_url(database.owner_url).database} with (force)",
    )


@pytest.fixture(scope="module")
def database(postgres: PostgresHandle, template_database: str) -> Iterator[Database]:
    made = new_database(postgres, template_database)
    yield made
    drop_database(postgres, made)


@pytest.fixture(scope="module")
def settings(database: Database, valkey: ValkeyHandle, tmp_path_factory: Any) -> Settings:
    folder = tmp_path_factory.mktemp("service")
    (folder / "objects").mkdir()
    found, problems = read_settings(
        {
            "ZENOPS_MODE": "test",
            "DATABASE_URL": database.api_url,
            "JOBS_DATABASE_URL": database.jobs_url,
            "OWNER_DATABASE_URL": database.owner_url,
            "REDIS_URL": valkey.url,
            "ZENOPS_OBJECTS_URL": f"file://{folder / 'objects'}",
            "ZENOPS_SECRET_KEY": SECRET,
            "ZENOPS_STATE_FOLDER": str(folder),
            "ZENOPS_PDF": "off",
        },
        logins=("api", "jobs", "owner"),
    )
    assert found is not None, problems
    return found


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[Service]:
    """The service as a web process has it."""
    made = make_service(settings, "api")
    made.redis.flushall()
    yield made
    made.engine.dispose()
    made.redis.close()


@pytest.fixture(scope="module")
def jobs_service(settings: Settings) -> Iterator[Service]:
    """The service as a worker has it."""
    made = make_service(settings, "jobs")
    yield made
    made.engine.dispose()
    made.redis.close()


@pytest.fixture(scope="module")
def app(service: Service) -> Any:
    from service.api.application import create_app

    made = create_app(service)
    made.testing = False
    return made


@pytest.fixture(scope="module")
def owner_engine(database: Database) -> Iterator[Any]:
    """A superuser's connections: for looking behind the policies, and for tampering."""
    engine = create_engine(database.owner_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Firm:
    """A tenant made for a test."""

    tenant_id: UUID
    slug: str
    name: str
    kind: str = "firm"


@dataclass(frozen=True)
class User:
    """A person made for a test, with the password they log in with."""

    user_id: UUID
    tenant_id: UUID
    email: str
    password: str
    roles: tuple[str, ...]


@pytest.fixture(scope="module")
def make_firm(owner_engine: Any) -> Any:
    """make_firm(slug=..., kind='firm') -> Firm, written by the superuser."""

    def make(
        slug: str | None = None, *, kind: str = "firm", name: str = "Specimen Valuers"
    ) -> Firm:
        firm = Firm(new_id(), slug or f"firm-{secrets.token_hex(4)}", name, kind)
        with owner_engine.begin() as connection:
            connection.execute(
                text(
                    "insert into tenants (tenant_id, slug, name, kind, created_at)"
                    " values (:id, :slug, :name, :kind, :now)"
                ),
                {"id": firm.tenant_id, "slug": firm.slug, "name": name, "kind": kind, "now": now()},
            )
            connection.execute(
                text("insert into firm_settings (tenant_id, updated_at) values (:id, :now)"),
                {"id": firm.tenant_id, "now": now()},
            )
        return firm

    return make


@pytest.fixture(scope="module")
def make_user(owner_engine: Any) -> Any:
    """make_user(firm, roles=['valuer']) -> User, written by the superuser."""
    from service.people.passwords import hash_password

    # Hashing is slow on purpose; every test person has the same password.
    password = "a long password for tests"
    hashed = hash_password(password)

    def make(firm: Firm, roles: tuple[str, ...] | list[str] = ("super_admin",)) -> User:
        user = User(
            new_id(),
            firm.tenant_id,
            f"u{secrets.token_hex(5)}@specimen.test",
            password,
            tuple(roles),
        )
        with owner_engine.begin() as connection:
            connection.execute(
                text(
                    "insert into users (user_id, email, name, password_hash, created_at)"
                    " values (:id, :email, 'Specimen Person', :hash, :now)"
                ),
                {"id": user.user_id, "email": user.email, "hash": hashed, "now": now()},
            )
            for role in roles:
                connection.execute(
                    text(
                        "insert into memberships (tenant_id, user_id, role, created_at)"
                        " values (:tenant, :user, :role, :now)"
                    ),
                    {"tenant": firm.tenant_id, "user": user.user_id, "role": role, "now": now()},
                )
        return user

    return make


@pytest.fixture(scope="module")
def sign_in(app: Any) -> Any:
    """sign_in(user, audience='web') -> Client that sends the bearer token of a real login."""

    def enter(user: User, audience: str = "web") -> Client:
        answer = app.test_client().post(
            "/v1/auth/login",
            json={"email": user.email, "password": user.password, "audience": audience},
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return Client(app, answer.get_json()["token"])

    return enter


@pytest.fixture(scope="module")
def client(app: Any) -> Client:
    """A client that nobody has logged in with."""
    return Client(app, None)


@pytest.fixture
def as_worker(jobs_service: Service) -> Any:
    """as_worker(tenant_id) -> a worker's transaction for the tenant."""

    def enter(tenant_id: UUID) -> Any:
        return transaction(jobs_service.engine, role="zen_worker", tenant_id=tenant_id)

    return enter


@pytest.fixture(scope="module")
def run_jobs(jobs_service: Service) -> Any:
    """run_jobs() works off everything in the outbox, in this process, and says how many ran."""
    from service.jobs.running import run_pending

    return lambda: run_pending(jobs_service)


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
