"""What `serve` fills in, and the whole service, started, hurt and ended."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from service import serving
from service.kept_process import start_kept
from service.local_services import scratch_folder, start_postgres, start_valkey
from service.serving import NotServable, running_service
from service.settings import read_settings
from tests.service.local.test_kept_process import runs, wait_until


@pytest.fixture
def scratch():
    import shutil

    folder = scratch_folder()
    yield folder
    shutil.rmtree(folder)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environ(scratch):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "ZENOPS_STATE_FOLDER": str(scratch / "state"),
        "ZENOPS_LISTEN": f"127.0.0.1:{free_port()}",
        "ZENOPS_PDF": "off",
    }


@pytest.fixture
def no_processes(monkeypatch):
    """Only what goes before them: servers, migrations, the first firm."""
    monkeypatch.setattr(serving, "PROCESSES", ())
    monkeypatch.setattr(serving, "_wait_until_it_answers", lambda *_: None)


def start_all(environ):
    """Start the service; its settings, the people it made, and the processes it had."""
    output = io.BytesIO()
    with running_service(environ, output) as running:
        pids = running.supervisor.pids()
        settings, people = running.settings, running.first_people
    return settings, people, pids


def logins(text):
    return re.findall(r"^zenops +\| login \w+ of \w+ \(\w+\): (\S+@\S+) (\S+)$", text, re.MULTILINE)


@pytest.mark.usefixtures("no_processes")
def test_a_fresh_machine_gets_everything_and_keeps_it(environ, scratch):
    first, people, pids = start_all(environ)

    assert pids.keys() == {"postgres", "valkey", "payment-provider"}
    assert not any(runs(pid) for pid in pids.values())
    assert first.public_url == f"http://{environ['ZENOPS_LISTEN']}"
    assert len(first.secret_key) >= 48
    assert make_url(first.database_url).username == "zen_api"
    assert make_url(first.jobs_database_url).username == "zen_jobs"
    assert len(people) == 5
    state = scratch / "state"
    for name in ("secrets.json", "service.env"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "objects").stat().st_mode) == 0o700

    second, people, _ = start_all(environ)
    assert second == first
    assert people == ()


@pytest.mark.usefixtures("no_processes")
def test_the_noted_environment_is_that_of_the_running_service(environ, scratch):
    settings, _, _ = start_all(environ)

    shown = subprocess.run(
        ["/bin/sh", "-c", "set -a; . ./service.env; env -0"],
        cwd=scratch / "state",
        capture_output=True,
        text=True,
        check=True,
    )
    noted = dict(entry.split("=", 1) for entry in shown.stdout.split("\0") if "=" in entry)
    assert read_settings(noted, logins=("api", "jobs", "owner"))[0] == settings


@pytest.mark.usefixtures("no_processes")
def test_given_servers_replace_the_embedded_ones_and_get_logins_with_passwords(environ, scratch):
    postgres = start_postgres(scratch / "postgres", durable=False)
    valkey = start_valkey(scratch / "valkey", durable=False)
    try:
        given = environ | {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
        first, _, pids = start_all(given)
        second, _, _ = start_all(given)
        with psycopg.connect(
            make_url(postgres.url).set(drivername="postgresql").render_as_string()
        ) as connection:
            stored = dict(
                connection.execute(
                    "select rolname, rolpassword like 'SCRAM%' from pg_authid"
                    " where rolname in ('zen_api', 'zen_jobs')"
                ).fetchall()
            )
    finally:
        postgres.stop()
        valkey.stop()

    assert pids.keys() == {"payment-provider"}
    assert first == second
    assert first.owner_database_url == postgres.url
    assert first.redis_url == valkey.url
    kept = json.loads((scratch / "state" / "secrets.json").read_text())
    assert make_url(first.database_url).password == kept["zen_api"]
    assert make_url(first.jobs_database_url).password == kept["zen_jobs"]
    assert stored == {"zen_api": True, "zen_jobs": True}


def test_faults_are_said_before_anything_is_started(environ, scratch):
    with pytest.raises(NotServable) as refused:
        start_all(environ | {"ZENOPS_WORKERS": "none", "REDIS_URL": "nowhere"})
    assert [text.split()[0] for text in refused.value.problems] == ["REDIS_URL", "ZENOPS_WORKERS"]

    with pytest.raises(NotServable, match="OWNER_DATABASE_URL is missing"):
        start_all(environ | {"DATABASE_URL": "postgresql://zen_api@db/zenops"})

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NotServable, match=f"ZENOPS_LISTEN names {address}, which cannot be"):
            start_all(environ | {"ZENOPS_LISTEN": address})
    assert not (scratch / "state").exists()


class Served:
    """`zenops-service serve` as a program of its own."""

    def __init__(self, environ):
        read, write = os.pipe()
        self.environ = environ
        self.lines = []
        self.process = start_kept(
            [sys.executable, "-m", "service.command_line", "serve"],
            environ=environ,
            output=write,
            grace_s=30,
        )
        os.close(write)
        self.log = os.fdopen(read)

    def read_until(self, pattern):
        for line in self.log:
            self.lines.append(line.rstrip("\n"))
            if found := re.search(pattern, line):
                return found
        raise AssertionError("\n".join([f"no {pattern} in:", *self.lines]))

    def get(self, path):
        host, port = self.environ["ZENOPS_LISTEN"].split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return None, b""
        finally:
            connection.close()

    def descendants(self):
        """All processes below `serve`, by process id and command line."""
        parents = {}
        for stat_file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                words = stat_file.read_text().rpartition(")")[2].split()
                parents[int(stat_file.parent.name)] = int(words[1])
        found, new = {}, {self.process.pid}
        while new:
            new = {pid for pid, parent in parents.items() if parent in new and pid not in found}
            for pid in new:
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                    found[pid] = words.replace(b"\0", b" ").decode()
        return found

    def one(self, words, *, but=None):
        """The process id of the child whose command ends so, once it is there."""

        def found():
            return [
                pid
                for pid, command in self.descendants().items()
                if command.rstrip().endswith(words) and "kept_process" not in command and pid != but
            ]

        wait_until(found, seconds=20)
        return found()[0]


@pytest.fixture
def served(environ):
    running = Served(environ)
    yield running
    running.process.stop()
    running.log.close()


def test_serve_answers_restarts_what_dies_and_leaves_nothing(served):
    served.read_until(r"zenops +\| ready at http://127\.0\.0\.1:\d+$")
    assert len(logins("\n".join(served.lines))) == 5
    assert served.get("/v1/ready")[0] == 200
    processes = served.descendants()

    # The reaper, a worker, then the database itself.
    before = served.one("service.command_line reaper")
    os.kill(before, signal.SIGKILL)
    served.read_until(r"reaper +\| ended with code 137; starting again")
    assert runs(served.one("service.command_line reaper", but=before))

    (postmaster,) = [
        pid
        for pid, words in processes.items()
        if "/bin/postgres -D" in words and "kept" not in words
    ]
    os.kill(postmaster, signal.SIGKILL)
    served.read_until(r"postgres +\| ended with code 137; starting again")
    wait_until(lambda: served.get("/v1/ready")[0] == 200, seconds=20)

    # Each process knows the addresses it needs and no other.
    seen = Path(f"/proc/{served.one('service.command_line scheduler')}/environ").read_bytes()
    names = {entry.split(b"=")[0].decode() for entry in seen.split(b"\0")}
    assert "JOBS_DATABASE_URL" in names
    assert not {"DATABASE_URL", "OWNER_DATABASE_URL"} & names

    processes |= served.descendants()
    served.process.send(signal.SIGINT)
    served.read_until(r"zenops +\| ending")
    wait_until(lambda: served.process.exit_code() is not None, seconds=20)
    assert served.process.exit_code() == 0
    assert not any(runs(pid) for pid in processes)


def test_nothing_is_left_when_serve_itself_is_killed(served):
    served.read_until(r"zenops +\| ready at")
    processes = served.descendants()
    assert len(processes) >= 2 * 8

    served.process.send(signal.SIGKILL)

    wait_until(lambda: not any(runs(pid) for pid in processes), seconds=30)
