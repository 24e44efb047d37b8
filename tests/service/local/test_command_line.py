"""`zenops-service`: what each process refuses, and what `migrate` leaves behind."""

import os
import shutil
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import make_url

from service.local_services import scratch_folder, start_postgres, start_valkey
from service.login_passwords import set_login_passwords
from service.settings import LOGIN_VARIABLES

KEY = "4lQp0wz9Ct7Rk2Vb8Ys1Xm6Jh3Gd5Nf-Eu_Ao"
PASSWORD = "v8Kq2Zt5Lw9Xr3Bn"


@pytest.fixture(scope="module")
def servers():
    folder = scratch_folder()
    postgres = start_postgres(folder / "postgres", durable=False)
    valkey = start_valkey(folder / "valkey", durable=False)
    yield postgres, valkey
    postgres.stop()
    valkey.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def environ(servers):
    """The settings of a database that `migrate` has set up."""
    postgres, valkey = servers
    owner = make_url(postgres.url).set(database="zenops")
    with psycopg.connect(plain(postgres.url), autocommit=True) as connection:
        connection.execute("create database zenops")
    environ = {
        "PATH": os.environ["PATH"],
        "OWNER_DATABASE_URL": owner.render_as_string(hide_password=False),
        "DATABASE_URL": str(owner.set(username="zen_api")),
        "JOBS_DATABASE_URL": str(owner.set(username="zen_jobs")),
        "REDIS_URL": valkey.url,
        "ZENOPS_OBJECTS_URL": f"file://{valkey.folder}/objects",
        "ZENOPS_SECRET_KEY": KEY,
        "ZENOPS_PUBLIC_URL": "https://reports.valuers.in",
    }
    assert run(environ, "migrate").returncode == 0
    return environ


def plain(url):
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def run(environ, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "service.command_line", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("process", ["web", "worker", "dispatcher", "reaper", "scheduler"])
def test_a_process_with_wrong_settings_says_all_that_is_wrong_and_ends(process):
    ended = run({"PATH": os.environ["PATH"], "ZENOPS_WORKERS": "many"}, process)

    assert ended.returncode == 2
    said = [line.split()[0] for line in ended.stderr.splitlines()]
    login = "DATABASE_URL" if process == "web" else "JOBS_DATABASE_URL"
    rest = ["REDIS_URL", "ZENOPS_OBJECTS_URL", "ZENOPS_SECRET_KEY", "ZENOPS_WORKERS"]
    assert said == [login, *rest]


def test_migrate_can_be_repeated_and_names_the_schema(environ):
    ended = run(environ, "migrate")

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("schema ")


def test_migrate_gives_the_logins_the_passwords_of_their_addresses(environ):
    with_password = make_url(environ["DATABASE_URL"]).set(password=PASSWORD)
    changed = environ | {"DATABASE_URL": with_password.render_as_string(hide_password=False)}

    ended = run(changed, "migrate")

    assert "password of zen_api set" in ended.stdout
    assert "zen_jobs" not in ended.stdout
    assert PASSWORD not in ended.stdout + ended.stderr
    with psycopg.connect(plain(environ["OWNER_DATABASE_URL"])) as connection:
        stored = dict(connection.execute("select rolname, rolpassword from pg_authid").fetchall())
    assert stored["zen_api"].startswith("SCRAM-SHA-256$")
    assert stored["zen_jobs"] is None


def test_no_password_is_in_the_servers_log(environ, servers):
    postgres, _ = servers
    owner = plain(environ["OWNER_DATABASE_URL"])
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("alter system set log_statement = 'all'")
        connection.execute("select pg_reload_conf()")
        connection.execute("select pg_sleep(0.5)")
        url = make_url(environ["JOBS_DATABASE_URL"]).set(password=PASSWORD)
        set_login_passwords(
            environ["OWNER_DATABASE_URL"], [url.render_as_string(hide_password=False)]
        )
        connection.execute("alter system reset log_statement")
        connection.execute("select pg_reload_conf()")

    log = (postgres.folder / "log").read_text()
    assert "alter role" in log
    assert PASSWORD not in log


@pytest.mark.parametrize("process", ["web", "worker"])
def test_no_process_starts_with_a_login_that_could_see_past_row_level_security(environ, process):
    owner = environ["OWNER_DATABASE_URL"]

    ended = run(environ | {"DATABASE_URL": owner, "JOBS_DATABASE_URL": owner}, process)

    assert ended.returncode == 2
    assert "would not keep firms apart: postgres is a superuser" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("process", ["web", "worker"])
def test_no_process_starts_before_the_database_was_migrated(environ, servers, process):
    with psycopg.connect(plain(servers[0].url), autocommit=True) as connection:
        connection.execute(f"create database empty_{process}")
        connection.execute(f"grant connect on database empty_{process} to zen_api, zen_jobs")
    empty = environ | {
        name: make_url(environ[name]).set(database=f"empty_{process}").render_as_string()
        for name in ("DATABASE_URL", "JOBS_DATABASE_URL")
    }

    ended = run(empty, process)

    assert ended.returncode == 2
    assert "Run `zenops-service migrate`." in ended.stderr


@pytest.mark.parametrize("process", ["web", "worker", "migrate"])
def test_a_database_that_is_away_is_said_in_one_line_without_a_password(environ, process):
    away = f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/zenops"

    ended = run(environ | dict.fromkeys(LOGIN_VARIABLES.values(), away), process)

    assert ended.returncode == 1
    assert ended.stderr.startswith("The database does not answer: ")
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stderr


def test_making_people_while_the_database_is_away_says_so_in_one_line(environ):
    away = {**environ, "DATABASE_URL": f"postgresql://zen_api:{PASSWORD}@127.0.0.1:1/zenops"}
    ended = run(away, "create-user", "demo", "somebody@specimen.test", "Somebody", "valuer")

    assert ended.returncode == 1
    assert ended.stderr.startswith("The database does not answer: ")
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stderr


def test_whatever_a_command_logs_is_masked_and_shows_no_local_variables(environ):
    """Also what it says before it knows its settings: structlog's own way would show all of it."""
    program = """
import sys, structlog
from service import command_line

@command_line.app.command()
def fail():
    hidden = "a canary of a local variable"
    try:
        raise ValueError("zt_" + "canary" * 7)
    except ValueError as error:
        structlog.get_logger().error("unforeseen", exc_info=error, password="canary")

sys.argv[1:] = ["fail"]
command_line.main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "unforeseen" in ended.stdout
    assert "ValueError" in ended.stdout
    assert "canary" not in ended.stdout + ended.stderr


def test_production_serve_starts_no_server_and_makes_up_no_secret(environ, tmp_path):
    bare = {
        "PATH": os.environ["PATH"],
        "ZENOPS_MODE": "production",
        "ZENOPS_STATE_FOLDER": str(tmp_path / "state"),
        "ZENOPS_PUBLIC_URL": environ["ZENOPS_PUBLIC_URL"],
    }

    ended = run(bare, "serve")

    assert ended.returncode == 2
    assert [line.split(" is missing:")[0] for line in ended.stderr.splitlines()] == [
        "DATABASE_URL",
        "JOBS_DATABASE_URL",
        "OWNER_DATABASE_URL",
        "REDIS_URL",
        "ZENOPS_OBJECTS_URL",
        "ZENOPS_SECRET_KEY",
    ]
    assert not (tmp_path / "state").exists()


def test_a_firm_and_its_people_are_made_with_passwords_that_are_printed_once(environ):
    made = run(environ, "create-firm", "specimen", "Specimen", "admin@specimen.test", "Adi Admin")
    assert made.returncode == 0, made.stderr
    email, password, rest = made.stdout.split(maxsplit=2)
    assert email == "admin@specimen.test"
    assert len(password) >= 15
    assert rest == "(super_admin of specimen, web)\n"

    again = run(environ, "create-firm", "specimen", "Specimen", "b@specimen.test", "Bo Admin")
    assert again.returncode == 1
    assert again.stderr.startswith("There is a firm of this short name.")

    person = run(environ, "create-user", "specimen", "v@specimen.test", "Val Valuer", "valuer")
    assert person.stdout.startswith("v@specimen.test ")
    assert run(environ, "create-user", "nowhere", "w@specimen.test", "W", "valuer").returncode == 1
