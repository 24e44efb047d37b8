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
import functools
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import psycopg
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from psycopg.abc import PQGen
    from sqlalchemy import Connection, Dialect, TextClause
    from sqlalchemy.engine import ExceptionContext

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
        # The driver would wait for its own BEGIN; ours goes with what comes after it.
        return _connect(*arguments, autocommit=True, statement_seconds=statement_seconds, **options)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        send(connection, _BEGIN, {})

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
    """Make the rest of the connection's transaction act in a role, for a tenant and a person.

    It is sent with the next statement, which raises it if the role is refused.
    """
    send(
        connection,
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
_BEGIN, _COMMIT = text("begin"), text("commit")


def send(connection: Connection, statement: TextClause, values: Mapping[str, Any]) -> None:
    """Execute a statement whose answer nobody needs, and do not wait for it.

    The server works on it while the caller goes on. The connection's next statement, or its commit,
    is sent after it, waits for all of them, and raises what came of the first that failed.

    Raises:
        DBAPIError: the server has already refused it, or one sent before it.
    """
    _send(connection, statement, values)


def one_row(
    connection: Connection, statement: TextClause, values: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The only row that a statement answers, as the driver gives it, without names for its columns.

    Raises:
        DBAPIError: the server refused it, or one sent before it.
    """
    cursor = _send(connection, statement, values)
    settle(connection)
    row: tuple[Any, ...] = cursor.fetchone()
    return row


def _send(connection: Connection, statement: TextClause, values: Mapping[str, Any]) -> Any:
    driver: Any = connection.connection.driver_connection
    if _SENT not in connection.info:
        connection.info[_SENT] = sent = contextlib.ExitStack()
        sent.enter_context(driver.pipeline())
    try:
        return driver.execute(_as_the_driver_takes_it(statement, connection.dialect), values)
    except psycopg.Error as error:
        _forget(connection)
        raise _refused(connection, error) from error


@functools.cache
def _as_the_driver_takes_it(statement: TextClause, dialect: Dialect) -> str:
    return str(statement.compile(dialect=dialect))


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
        raise _refused(connection, error) from error


def _refused(connection: Connection, error: psycopg.Error) -> BaseException:
    return DBAPIError.instance(
        None, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
    )


@event.listens_for(Engine, "before_cursor_execute")
def _before_statement(
    connection: Connection, _cursor: Any, _statement: Any, _values: Any, context: Any, many: bool
) -> None:
    # What is executed in parts, or fetched in parts, does not go with others.
    if many or context.execution_options.get("yield_per"):
        settle(connection)


@event.listens_for(Engine, "after_cursor_execute")
def _after_statement(connection: Connection, *_: Any) -> None:
    settle(connection)


@event.listens_for(Engine, "handle_error")
def _after_an_error(context: ExceptionContext) -> None:
    if context.connection is not None:
        _forget(context.connection)


@event.listens_for(Engine, "commit")
def _commit(connection: Connection) -> None:
    """Send the commit with the last of what was sent; the driver then has none left to do."""
    if _SENT in connection.info and not connection.invalidated:
        send(connection, _COMMIT, {})
        settle(connection)


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
