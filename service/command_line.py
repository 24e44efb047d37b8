"""The command `zenops-service`: one sub-command for each process, and `serve` for all of them."""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from service.settings import LOGIN_VARIABLES, Login, Settings, read_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from service.bootstrap import Service
    from service.people.seeding import Credentials

TenantKind = Literal["firm", "external", "service"]

# The pieces are imported where they are used: each process needs few of them.
# ruff: noqa: PLC0415

app = typer.Typer(
    help="Run the service's processes. Settings come from the environment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# 2 as in sysexits' spirit: the environment is wrong, and starting again will not help.
WRONG_SETTINGS = 2


def settings_or_exit(*logins: Login) -> Settings:
    """The settings in the environment; if they are wrong, the process ends with all problems."""
    settings, problems = read_settings(os.environ, logins=logins)
    if settings is None:
        _end_with(problems)
    return settings


def _end_with(problems: tuple[str, ...]) -> NoReturn:
    for problem in problems:
        typer.echo(problem, err=True)
    raise SystemExit(WRONG_SETTINGS)


@contextlib.contextmanager
def _said_plainly() -> Iterator[None]:
    """End the process with one line if it cannot start; 1 if it may be tried again."""
    from sqlalchemy.exc import OperationalError

    from service.bootstrap import ServiceStartError

    try:
        yield
    except ServiceStartError as error:
        _end_with((str(error),))
    except OperationalError as error:
        typer.echo(f"The database does not answer: {error.orig}", err=True)
        raise SystemExit(1) from error


def _jobs_service(process: str) -> "Service":
    """The service with a worker's login, once the logs of this process are as the settings say."""
    from service.bootstrap import make_service
    from service.telemetry.logs import configure_logs

    settings = settings_or_exit("jobs")
    configure_logs(settings, process)
    with _said_plainly():
        return make_service(settings, login="jobs")


def _run(process: str) -> None:
    """Run one of the processes around jobs until it is asked to end."""
    service = _jobs_service(process)
    importlib.import_module(f"service.jobs.{process}").run(service)


@app.command()
def web() -> None:
    """Answer requests: API and pages. Ends on SIGTERM after the requests under way."""
    from service.bootstrap import check_database
    from service.database.connections import make_engine

    settings = settings_or_exit("api")
    engine = make_engine(settings.database_url, pool_size=1)
    with _said_plainly():
        # Each of gunicorn's processes would find out by itself, and say it much less clearly.
        check_database(engine, "zen_login")
    engine.dispose()
    command = [sys.executable, "-m", "gunicorn", "--config", "python:service.web_processes"]
    # gunicorn's processes count into files of this folder; it is new, so old counts are not kept.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="zenops-metrics-")
    os.execv(  # noqa: S606 - no shell is wanted
        sys.executable,
        [
            *command,
            f"--bind={settings.listen}",
            f"--workers={settings.web_processes}",
            f"--threads={settings.web_threads}",
            "service.wsgi:application()",
        ],
    )


@app.command()
def worker() -> None:
    """Run jobs, one after the other. Ends on SIGTERM; a job under way is taken again elsewhere."""
    _run("worker")


@app.command()
def dispatcher() -> None:
    """Hand work that waits in the database to the queue."""
    _run("dispatcher")


@app.command()
def reaper() -> None:
    """Take back jobs whose worker is silent."""
    _run("reaper")


@app.command()
def scheduler() -> None:
    """Start what comes round by the clock."""
    _run("scheduler")


@app.command()
def migrate() -> None:
    """Bring the database up to date, as its owner; make the login roles that are missing.

    `zen_api` and `zen_jobs` get the passwords that DATABASE_URL and JOBS_DATABASE_URL name, if
    these are set.
    """
    from service.database.migrating import set_up
    from service.login_passwords import set_login_passwords

    settings = settings_or_exit("owner")
    with _said_plainly():
        typer.echo(f"schema {set_up(settings.owner_database_url)}")
    given = [os.environ.get(LOGIN_VARIABLES[login], "") for login in ("api", "jobs")]
    for name in set_login_passwords(settings.owner_database_url, filter(None, given)):
        typer.echo(f"password of {name} set")


@app.command()
def create_firm(
    slug: Annotated[str, typer.Argument(help="Its short name: small letters, digits, hyphens.")],
    name: Annotated[str, typer.Argument(help="Its name, as people call it.")],
    admin_email: Annotated[str, typer.Argument(help="Its first administrator's address.")],
    admin_name: Annotated[str, typer.Argument(help="The administrator's name.")],
    kind: Annotated[
        TenantKind,
        typer.Option(help="A firm; the portal's people (external); or the studio (service)."),
    ] = "firm",
) -> None:
    """Make a firm and its first administrator, whose password is printed this once."""
    from service.people.seeding import create_firm as create

    _print_credentials(
        lambda engine: create(
            engine,
            slug=slug,
            name=name,
            admin_email=admin_email,
            admin_name=admin_name,
            kind=kind,
        )
    )


@app.command()
def create_user(
    firm: Annotated[str, typer.Argument(help="The firm's short name.")],
    email: Annotated[str, typer.Argument(help="The person's address.")],
    name: Annotated[str, typer.Argument(help="The person's name.")],
    role: Annotated[str, typer.Argument(help="What the person is there: valuer, ops_manager...")],
) -> None:
    """Make a person of a firm, whose password is printed this once."""
    from service.people.seeding import create_user as create

    _print_credentials(lambda engine: create(engine, firm=firm, email=email, name=name, role=role))


@app.command()
def reset_password(email: Annotated[str, typer.Argument(help="The person's address.")]) -> None:
    """Give a person a new password, printed this once; all their logins and tokens end."""
    from service.people.seeding import reset_password as reset

    _print_credentials(lambda engine: reset(engine, email=email))


def _print_credentials(create: "Callable[[Engine], Credentials]") -> None:
    """Do what makes somebody, and print how they log in."""
    from service.database.connections import make_engine
    from service.errors import ServiceError

    engine = make_engine(settings_or_exit("api").database_url, pool_size=1)
    try:
        with _said_plainly():
            made = create(engine)
    except ServiceError as error:
        typer.echo(f"{error.title}. {error.detail}".strip(), err=True)
        raise SystemExit(1) from error
    finally:
        engine.dispose()
    typer.echo(f"{made.email} {made.password} ({made.role} of {made.firm}, {made.audience})")


@app.command()
def audit_verify(
    firm: Annotated[str, typer.Option("--firm", help="One firm's short name; all if none.")] = "",
    key: Annotated[
        list[str] | None, typer.Option("--key", help="A public key of a former secret.")
    ] = None,
) -> None:
    """Hold the record of who did what to its chain and its anchors; 1 if it does not hold."""
    from service.audit.inspection import inspect

    service = _jobs_service("audit-verify")
    with _said_plainly():
        found = [*inspect(service, firm or None, former_keys=key or ())]
    for one in found:
        typer.echo(one.line, err=not one.holds)
    if not all(one.holds for one in found):
        raise SystemExit(1)


@app.command()
def audit_key() -> None:
    """Print the public key of the record's anchors; keep it where the service cannot write."""
    from service.audit.anchoring import public_keys

    typer.echo(public_keys(settings_or_exit())[0])


@app.command()
def purge_papers(
    *,
    really: Annotated[
        bool, typer.Option("--really", help="Do it; otherwise it is only said what would go.")
    ] = False,
) -> None:
    """Purge working papers whose time is over, as the scheduler does each night."""
    from service import clock
    from service.privacy.retention import purge_due

    service = _jobs_service("purge-papers")
    with _said_plainly():
        for one in purge_due(service, clock.now(), dry_run=not really):
            typer.echo(f"{one.tenant_id} {one.document_id} {one.classification} {one.sensitivity}")


@app.command()
def reconcile(
    firm: Annotated[str, typer.Option("--firm", help="One firm's short name; all if none.")] = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is found, and keep nothing.")
    ] = False,
    ask_providers: Annotated[
        bool, typer.Option("--ask-providers", help="Also ask the payment providers.")
    ] = False,
) -> None:
    """Compare firms' books, and print what does not agree; 1 if anything does not. Mends nothing."""
    from service.reconciliation.telling import reconcile_firms, table

    service = _jobs_service("reconcile")
    runs = []
    with _said_plainly():
        for slug, run in reconcile_firms(
            service, firm or None, dry_run=dry_run, ask_providers=ask_providers
        ):
            typer.echo(table(slug, run))
            runs.append(run)
    if not runs:
        typer.echo(f"{firm or 'nobody'}: there is no such firm", err=True)
    if not runs or any(run.findings for run in runs):
        raise SystemExit(1)


@app.command()
def restore_drill(
    case: Annotated[
        Path, typer.Argument(help="The demo firm's case, for a drill without BACKUP_DATABASE_URL.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder for what the demo downloads.")
    ] = Path("build"),
    *,
    files: Annotated[
        bool, typer.Option("--files", help="Also read every stored file, and hold it to its row.")
    ] = False,
) -> None:
    """Dump, restore on a server made for it, and prove: rows, invariants, audit, policies.

    BACKUP_DATABASE_URL is the database of the drill, with the login zen_backup. Without it, a
    service is made for the drill and taken through a case first.
    """
    from service.backups.drill import DrillError, drill, drill_on_demo, outside_of
    from service.backups.dumping import DumpError
    from service.demonstration import DemonstrationError
    from service.local_services import LocalServiceError

    url = os.environ.get("BACKUP_DATABASE_URL", "")
    try:
        if not url:
            drill_on_demo(case, output, typer.echo)
            return
        service = _jobs_service("restore-drill")
        with _said_plainly():
            drill(url, typer.echo, outside_of(service, with_files=files))
    except (DrillError, DumpError, DemonstrationError, LocalServiceError) as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from error


@app.command()
def payment_provider(
    provider: Annotated[
        Literal["stripe", "razorpay", "both"], typer.Option(help="Whose stand-in it is.")
    ] = "both",
    listen: Annotated[
        str, typer.Option(help="Address and port; 0 takes a free port, which is printed.")
    ] = "127.0.0.1:8010",
    folder: Annotated[
        Path | None, typer.Option(help="Where what it knows is kept; nowhere unless given.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Its own log file.")] = None,
) -> None:
    """Stand in for payment providers on this machine: no money moves; refused in production."""
    from service.payments.local_providers.running import NotHereError, run
    from service.payments.providers import NAMES

    wanted = NAMES if provider == "both" else (provider,)
    try:
        run(os.environ, wanted, listen=listen, folder=folder, log_file=log)
    except NotHereError as error:
        _end_with((str(error),))


@app.command("serve")
def serve_everything() -> None:
    """Run the whole service on this machine until Ctrl-C, with servers of its own if need be."""
    from service.local_services import LocalServiceError
    from service.serving import NotServable, serve

    try:
        serve(os.environ)
    except NotServable as error:
        _end_with(error.problems)
    except LocalServiceError as error:
        _end_with((str(error),))


@app.command()
def demo(
    case: Annotated[Path, typer.Argument(help="A case's folder, for the demo firm.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder for what is downloaded.")
    ] = Path("build"),
) -> None:
    """Take a case through a service of its own, over HTTP, to a paid, released report."""
    from service.demonstration import DemonstrationError, demonstrate
    from service.local_services import LocalServiceError
    from service.serving import NotServable

    try:
        demonstrate(case, output, typer.echo)
    except NotServable as error:
        _end_with(error.problems)
    except (DemonstrationError, LocalServiceError) as error:
        typer.echo(f"{error}\nThe service's log: {output / 'service.log'}", err=True)
        raise SystemExit(1) from error


def main() -> None:
    """Run the command line."""
    from service.telemetry.logs import configure_logs

    # What a command says before it knows its settings, and what commands without any say.
    configure_logs(None, "zenops-service")
    app()


if __name__ == "__main__":
    main()
