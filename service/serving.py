"""The whole service on one machine: servers, migrations, a first firm, and every process.

`serve` fills in what the environment leaves out, which production does not allow: PostgreSQL and
Valkey from wheels, a folder for objects, and secrets that are made once and kept in the state
folder. What then runs is what runs on servers, with the same commands and settings.
"""

import contextlib
import http.client
import json
import os
import secrets
import shlex
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import psycopg
from sqlalchemy import make_url

from service.database.connections import make_engine
from service.database.migrating import set_up
from service.invoices.demo_terms import seed_demo_terms
from service.kept_process import KeptProcess
from service.local_services import make_own_folder, start_postgres, start_valkey
from service.login_passwords import set_login_passwords
from service.people.seeding import Credentials, seed_demo
from service.settings import (
    LOGIN_VARIABLES,
    PAYMENT_VARIABLES,
    VARIABLES,
    Login,
    Settings,
    default_state_folder,
    read_settings,
)
from service.supervision import Child, Supervisor, command_child, supervisor

READY_S = 60.0
LOGIN_ROLES: Mapping[Login, str] = {"api": "zen_api", "jobs": "zen_jobs"}
#: What a service that takes payments is told; without any of it, stand-ins take them here.
_PAYMENT_VARIABLES = [name for names in PAYMENT_VARIABLES.values() for name in names]
_STAND_INS_SECRETS = ("stripe", "stripe_webhook", "razorpay", "razorpay_webhook")


@dataclass(frozen=True)
class Process:
    """A kind of process: the sub-command that runs it, and what it may know of the database."""

    name: str
    logins: tuple[Login, ...]
    # How long it may take to end in good order.
    grace_s: float


PROCESSES = (
    Process("web", ("api",), 15),
    # A job that is under way is given up, and taken again after the next start.
    Process("worker", ("jobs",), 5),
    Process("dispatcher", ("jobs",), 5),
    Process("reaper", ("jobs",), 5),
    Process("scheduler", ("jobs",), 5),
)


class NotServable(Exception):  # noqa: N818 - it says what is not possible, with `problems`
    """The environment does not describe a service that can be started."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Running:
    """A service that is up: who looks after its processes, and the settings they have."""

    supervisor: Supervisor
    settings: Settings
    # Who has just been made, with passwords that are known only now; empty later.
    first_people: tuple[Credentials, ...]


@contextlib.contextmanager
def running_service(
    environ: Mapping[str, str], output: BinaryIO | None = None
) -> Iterator[Running]:
    """Start everything, and end everything when the block is left.

    Args:
        environ: the environment, of which only settings are used.
        output: gets the merged log; None is standard output.

    Yields:
        The service once its web processes answer.

    Raises:
        NotServable: settings are missing or wrong, or the port is taken; nothing is running then.
        LocalServiceError: PostgreSQL or Valkey cannot be started.
    """
    _check_what_is_given(environ)
    with supervisor(output) as running:
        filled = dict(environ)
        if environ.get("ZENOPS_MODE") != "production":
            _fill_in(filled, running)
        settings, problems = read_settings(filled, logins=("api", "jobs", "owner"))
        if settings is None:
            raise NotServable(problems)
        running.say("zenops", f"schema {set_up(settings.owner_database_url)}")
        set_login_passwords(
            settings.owner_database_url, (settings.database_url, settings.jobs_database_url)
        )
        people = () if settings.is_production else _found_first_firm(settings)
        running.start(*_children(settings, filled))
        _wait_until_it_answers(settings, running)
        yield Running(running, settings, people)


def serve(environ: Mapping[str, str], output: BinaryIO | None = None) -> None:
    """Run the whole service until Ctrl-C or SIGTERM; see `running_service` for what it raises."""
    with running_service(environ, output) as running:
        if running.supervisor.is_stopping:
            return
        for made in running.first_people:
            who = f"{made.role} of {made.firm} ({made.audience})"
            running.supervisor.say("zenops", f"login {who}: {made.email} {made.password}")
        if not running.first_people and not running.settings.is_production:
            running.supervisor.say("zenops", "login as before; passwords are said once, when made")
        running.supervisor.say("zenops", f"ready at {running.settings.public_url}")
        running.supervisor.run()
        running.supervisor.say("zenops", "ending")


def _check_what_is_given(environ: Mapping[str, str]) -> None:
    """Find faults before anything is started: what is left out is taken as if it were right."""
    stand_in = dict(environ)
    is_local = environ.get("ZENOPS_MODE") != "production"
    if is_local:
        database = environ.get("DATABASE_URL") or "postgresql://zen@/zen"
        stand_in = {
            **dict.fromkeys(LOGIN_VARIABLES.values(), database),
            "REDIS_URL": "unix:///valkey.sock",
            "ZENOPS_OBJECTS_URL": "file:///objects",
            "ZENOPS_SECRET_KEY": secrets.token_urlsafe(48),
            **{name: text for name, text in environ.items() if text},
        }
    settings, problems = read_settings(stand_in, logins=("api", "jobs", "owner"))
    if settings is None:
        raise NotServable(problems)
    if (
        is_local
        and not environ.get("OWNER_DATABASE_URL")
        and (make_url(settings.database_url).username == LOGIN_ROLES["api"])
    ):
        why = "DATABASE_URL names zen_api, which cannot set the database up"
        raise NotServable((f"OWNER_DATABASE_URL is missing: {why}",))
    host, port = _host_and_port(settings.listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise NotServable(
                (f"ZENOPS_LISTEN names {settings.listen}, which cannot be used: {error.strerror}",)
            ) from error


def _fill_in(environ: dict[str, str], running: Supervisor) -> None:
    """Start the servers that are not given, and set every variable that follows from them."""
    given = environ.get("ZENOPS_STATE_FOLDER", "")
    folder = Path(given) if given else default_state_folder(environ)
    # As root the database's user has to pass through to its data, and sees nothing else.
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_own_folder(folder, 0o711 if os.geteuid() == 0 else 0o700)
    environ["ZENOPS_STATE_FOLDER"] = str(folder)
    kept = _kept_secrets(folder / "secrets.json")

    urls: dict[str, str] = {}
    stage = []
    if not environ.get("DATABASE_URL"):

        def start_database(output: int) -> KeptProcess:
            handle = start_postgres(folder / "postgres", output=output)
            urls["postgres"] = handle.url
            return handle.process

        stage.append(Child("postgres", start_database))
    if not environ.get("REDIS_URL"):

        def start_queue(output: int) -> KeptProcess:
            handle = start_valkey(folder / "valkey", output=output)
            urls["valkey"] = handle.url
            return handle.process

        stage.append(Child("valkey", start_queue))
    running.start(*stage)

    if "postgres" in urls:
        environ["OWNER_DATABASE_URL"] = _own_database(urls["postgres"])
        environ.pop("JOBS_DATABASE_URL", None)
    elif not environ.get("OWNER_DATABASE_URL"):
        # One address is enough, if it is that of somebody who may make the others.
        environ["OWNER_DATABASE_URL"] = environ.pop("DATABASE_URL")
    if "valkey" in urls:
        environ["REDIS_URL"] = urls["valkey"]
    owner = make_url(environ["OWNER_DATABASE_URL"])
    for login, role in LOGIN_ROLES.items():
        variable = LOGIN_VARIABLES[login]
        # A socket in a folder that only we can enter asks for no password.
        password = None if "postgres" in urls else kept[role]
        if not environ.get(variable):
            url = owner.set(username=role, password=password)
            environ[variable] = url.render_as_string(hide_password=False)
    if not environ.get("ZENOPS_OBJECTS_URL"):
        (folder / "objects").mkdir(mode=0o700, exist_ok=True)
        environ["ZENOPS_OBJECTS_URL"] = f"file://{quote(str(folder / 'objects'))}"
    environ["ZENOPS_SECRET_KEY"] = environ.get("ZENOPS_SECRET_KEY") or kept["secret_key"]
    if environ.get("ZENOPS_LISTEN") and not environ.get("ZENOPS_PUBLIC_URL"):
        environ["ZENOPS_PUBLIC_URL"] = f"http://{environ['ZENOPS_LISTEN']}"
    if not any(environ.get(name) for name in _PAYMENT_VARIABLES):
        running.start(_payment_stand_ins(environ, folder, kept))
    _note_environment(folder / "service.env", environ)


def _payment_stand_ins(environ: dict[str, str], folder: Path, kept: Mapping[str, str]) -> Child:
    """Stand-ins of the payment providers, which the service takes for them; no money moves."""
    environ.setdefault("ZENOPS_PUBLIC_URL", "http://127.0.0.1:8000")
    state = folder / "payment-providers"
    state.mkdir(mode=0o700, exist_ok=True)
    listen = f"127.0.0.1:{_kept_port(state / 'port')}"
    environ |= {
        "ZENOPS_STRIPE_URL": f"http://{listen}/stripe",
        "ZENOPS_STRIPE_SECRET_KEY": f"sk_test_{kept['stripe']}",
        "ZENOPS_STRIPE_WEBHOOK_SECRETS": f"whsec_{kept['stripe_webhook']}",
        "ZENOPS_RAZORPAY_URL": f"http://{listen}/razorpay",
        "ZENOPS_RAZORPAY_KEY_ID": "rzp_test_local",
        "ZENOPS_RAZORPAY_KEY_SECRET": kept["razorpay"],
        "ZENOPS_RAZORPAY_WEBHOOK_SECRETS": kept["razorpay_webhook"],
    }
    names = ("ZENOPS_MODE", "ZENOPS_PUBLIC_URL", *_PAYMENT_VARIABLES)
    command = [sys.executable, "-m", "service.command_line", "payment-provider"]
    return command_child(
        "payment-provider",
        [*command, f"--listen={listen}", f"--folder={state}", f"--log={state / 'log'}"],
        environ={name: environ[name] for name in names if name in environ},
        grace_s=2,
    )


def _kept_port(path: Path) -> int:
    """The port that links of earlier starts lead to, or a free one if somebody else has it."""
    kept = int(path.read_text(encoding="utf-8")) if path.exists() else 0
    for wanted in (kept, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            port = int(probe.getsockname()[1])
            path.write_text(str(port), encoding="utf-8")
            return port
    raise NotServable(("No port is free for the stand-ins of the payment providers",))


def _note_environment(path: Path, environ: Mapping[str, str]) -> None:
    """Leave the settings for whoever runs another command beside this service: `. service.env`."""
    lines = [
        f"{variable.name}={shlex.quote(environ[variable.name])}\n"
        for variable in VARIABLES
        if environ.get(variable.name)
    ]
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)


def _kept_secrets(path: Path) -> dict[str, str]:
    """The secrets of this state folder, each made when it is first needed."""
    names = ("secret_key", *LOGIN_ROLES.values(), *_STAND_INS_SECRETS)
    kept: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):
        kept = json.loads(path.read_text(encoding="utf-8"))
    if missing := [name for name in names if name not in kept]:
        kept |= {name: secrets.token_urlsafe(48) for name in missing}
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        fresh.replace(path)
    return kept


def _own_database(superuser_url: str) -> str:
    """The address of the database `zenops` on our own server, which is made if it is new."""
    url = make_url(superuser_url)
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = 'zenops'").fetchone():
            connection.execute("create database zenops")
    return url.set(database="zenops").render_as_string(hide_password=False)


def _found_first_firm(settings: Settings) -> tuple[Credentials, ...]:
    """Make a firm to try the service with, if there is none, and the terms it is served on."""
    engine = make_engine(settings.database_url)
    try:
        people = seed_demo(engine)
        seed_demo_terms(engine)
        return people
    finally:
        engine.dispose()


def _children(settings: Settings, environ: Mapping[str, str]) -> Iterator[Child]:
    """Every process of the service; each knows of the database what it needs."""
    for process in PROCESSES:
        hidden = {
            variable for login, variable in LOGIN_VARIABLES.items() if login not in process.logins
        }
        known = {name: text for name, text in environ.items() if name not in hidden}
        count = settings.workers if process.name == "worker" else 1
        for number in range(1, count + 1):
            yield command_child(
                f"{process.name}-{number}" if count > 1 else process.name,
                [sys.executable, "-m", "service.command_line", process.name],
                environ=known,
                stop_signal=signal.SIGTERM,
                grace_s=process.grace_s,
            )


def _wait_until_it_answers(settings: Settings, running: Supervisor) -> None:
    """Return when the web processes say that they are ready, or somebody wishes us to end."""
    host, port = _host_and_port(settings.listen)
    deadline = time.monotonic() + READY_S
    while not running.is_stopping and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(host, port, timeout=2)
            try:
                connection.request("GET", "/v1/ready")
                if connection.getresponse().status == http.HTTPStatus.OK:
                    return
            finally:
                connection.close()
        running.look_after_children()
        time.sleep(0.1)
    if not running.is_stopping:
        running.say("zenops", f"the web processes do not answer at {settings.listen} yet")


def _host_and_port(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)
