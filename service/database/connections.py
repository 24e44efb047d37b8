"""One transaction, one role, one tenant: how the service speaks to PostgreSQL.

The login roles may do nothing by themselves. Each transaction becomes the role of its audience and
says for which tenant and person it acts; both end with the transaction, so a pooled connection
carries nothing from one request to the next.

Nothing waits for ever. The server ends a statement, a wait for a lock and an idle transaction; the
client gives a server up that does not answer, because whatever lies between them may keep a
connection open and swallow what is sent.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import psycopg
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from psycopg.abc import PQGen
    from sqlalchemy import Connection, TextClause

Answer = TypeVar("Answer")
Role = Literal[
    "zen_login", "zen_web", "zen_studio", "zen_portal", "zen_worker", "zen_system", "zen_billing"
]

_BECOME = text(
    "select set_config('role', :role, true), set_config('app.tenant_id', :tenant, true),"
    " set_config('app.user_id', :person, true), set_config('app.audience', :audience, true)"
)


#: How much longer than the server grants a statement its answer is waited for: the server says
#: first that it took too long, if it says anything.
PATIENCE = 1.25
#: A connection that lay idle is tried by the system, and one whose packets nobody acknowledges is
#: ended, on both sides; without this it takes hours.
_TRIED_AFTER_S, _TRIED_EACH_S, _TRIED_TIMES, _UNACKNOWLEDGED_MS = 30, 10, 3, 30_000


class PatientConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server has not answered for so many seconds."""

    patience = 30 * PATIENCE

    def wait(
        self, gen: PQGen[Answer], interval: float = 0.1, timeout: float | None = None
    ) -> Answer:
        """What the server answers.

        Raises:
            psycopg.OperationalError: it does not; the connection is closed.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 - of the driver there is no public one
            # An answer that comes after this one belongs to nothing.
            self.close()
        raise psycopg.OperationalError(f"PostgreSQL has not answered for {self.patience:g} seconds")


def connection_options(statement_seconds: int) -> dict[str, Any]:
    """What a connection is opened with, so that neither side waits for ever for the other."""
    server = {
        # A statement that a person waits for has its time; an idle transaction never lingers.
        "statement_timeout": statement_seconds * 1000,
        "lock_timeout": statement_seconds * 500,
        "idle_in_transaction_session_timeout": statement_seconds * 2000,
        "tcp_keepalives_idle": _TRIED_AFTER_S,
        "tcp_keepalives_interval": _TRIED_EACH_S,
        "tcp_keepalives_count": _TRIED_TIMES,
        "tcp_user_timeout": _UNACKNOWLEDGED_MS,
        "timezone": "UTC",
    }
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        "connect_timeout": min(5, statement_seconds),
        "keepalives_idle": _TRIED_AFTER_S,
        "keepalives_interval": _TRIED_EACH_S,
        "keepalives_count": _TRIED_TIMES,
        "tcp_user_timeout": _UNACKNOWLEDGED_MS,
    }


def make_engine(
    url: str, *, pool_size: int = 8, overflow: int = 8, statement_seconds: int = 30
) -> Engine:
    """An engine for one of the login roles; connections are opened when first needed.

    Args:
        url: SQLAlchemy's address of the database, with the driver psycopg.
        pool_size: how many connections are kept.
        overflow: how many more may be opened for a while.
        statement_seconds: what a statement may take.
    """
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=overflow,
        pool_pre_ping=True,
        pool_timeout=10,
        # What people entered does not stand in an error's message.
        hide_parameters=True,
        connect_args=connection_options(statement_seconds),
    )

    @event.listens_for(engine, "do_connect")
    def connect(_: Any, __: Any, arguments: Any, options: Any) -> PatientConnection:
        return _connect(*arguments, statement_seconds=statement_seconds, **options)

    return engine


def connect_plainly(url: str, *, statement_seconds: int) -> PatientConnection:
    """A connection of its own, which commits each statement, for what no pool is good for."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    options = connection_options(statement_seconds)
    return _connect(plain, autocommit=True, statement_seconds=statement_seconds, **options)


def _connect(*arguments: Any, statement_seconds: int, **options: Any) -> PatientConnection:
    connection = PatientConnection.connect(*arguments, **options)
    connection.patience = statement_seconds * PATIENCE
    return connection


def become(
    connection: Connection,
    role: Role,
    *,
    tenant_id: UUID | None = None,
    user_id: UUID | None = None,
    audience: str = "",
) -> None:
    """Make the rest of the connection's transaction act in a role, for a tenant and a person."""
    connection.execute(
        _BECOME,
        {
            "role": role,
            "tenant": "" if tenant_id is None else str(tenant_id),
            "person": "" if user_id is None else str(user_id),
            "audience": audience,
        },
    )


# Under this name a connection keeps what it has sent and not yet heard of.
_SENT = "zenops.sent"


def send(connection: Connection, statement: TextClause, values: Mapping[str, Any]) -> None:
    """Execute a statement that answers nothing, and do not wait for it.

    The server works on it while the caller goes on. The connection's next statement, or its commit,
    waits for the end of it, and raises what came of it.
    """
    if _SENT not in connection.info:
        driver: Any = connection.connection.driver_connection
        connection.info[_SENT] = sent = contextlib.ExitStack()
        sent.enter_context(driver.pipeline())
    connection.execute(statement, values, execution_options={_SENT: True})


@event.listens_for(Engine, "before_cursor_execute")
def _before_statement(
    connection: Connection, _cursor: Any, _statement: Any, _values: Any, context: Any, _many: Any
) -> None:
    if not context.execution_options.get(_SENT):
        settle(connection)


@event.listens_for(Engine, "commit")
def settle(connection: Connection) -> None:
    """Wait for what was sent, if anything was.

    Raises:
        DBAPIError: the server refused it.
    """
    # A connection that was lost took with it what it had sent.
    sent = None if connection.invalidated else connection.info.pop(_SENT, None)
    if sent is None:
        return
    try:
        sent.close()
    except psycopg.Error as error:
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


@event.listens_for(Engine, "rollback")
def _forget(connection: Connection) -> None:
    """Wait for what was sent; what came of it is undone."""
    with contextlib.suppress(DBAPIError):
        settle(connection)


@contextlib.contextmanager
def transaction(
    engine: Engine,
    *,
    role: Role,
    tenant_id: UUID | None = None,
    user_id: UUID | None = None,
    audience: str | None = None,
) -> Iterator[Connection]:
    """A transaction that commits at the end and rolls back on an exception.

    Args:
        engine: of a login role that may become `role`.
        role: whose rights and policies hold.
        tenant_id: whose rows are meant; without one there are none.
        user_id: the person, for policies that ask.
        audience: web, studio, portal or worker; that of the role unless said otherwise.
    """
    with engine.begin() as connection:
        become(
            connection,
            role,
            tenant_id=tenant_id,
            user_id=user_id,
            audience=role.removeprefix("zen_") if audience is None else audience,
        )
        yield connection
