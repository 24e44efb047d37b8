"""A kept child ends when it is asked to, and when its starter cannot ask any more."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.kept_process import start_kept

# Ignores the polite request, and has a child in a session of its own that does so too.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def runs(pid):
    """Whether a process still does anything: one that only waits to be collected does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(claim, seconds=10):
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def start_stubborn(**options):
    """A stubborn child and the process id of its own child."""
    read, write = os.pipe()
    kept = start_kept([sys.executable, "-c", STUBBORN], output=write, **options)
    os.close(write)
    with os.fdopen(read) as lines:
        return kept, int(lines.readline())


def test_a_child_gets_its_stop_signal_and_its_code_comes_back():
    code = "import signal, sys; signal.sigwait([signal.SIGINT]); sys.exit(7)"
    block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]); "
    read, write = os.pipe()
    program = f"{block} print('up', flush=True); {code}"
    kept = start_kept([sys.executable, "-c", program], stop_signal=signal.SIGINT, output=write)
    os.close(write)
    with os.fdopen(read) as lines:
        assert lines.readline() == "up\n"

    assert kept.exit_code() is None
    assert kept.stop() == 7
    assert not runs(kept.pid)


def test_a_child_that_does_not_listen_is_killed_after_its_time_with_all_it_started():
    kept, grandchild = start_stubborn(grace_s=0.2)

    assert kept.stop() == 128 + signal.SIGKILL
    assert not runs(grandchild)


def test_a_child_that_dies_leaves_nothing_behind_and_its_signal_is_told():
    kept, grandchild = start_stubborn()

    kept.send(signal.SIGKILL)

    wait_until(lambda: kept.exit_code() is not None)
    assert kept.exit_code() == 128 + signal.SIGKILL
    assert not runs(grandchild)
    # A signal for one who has ended goes nowhere.
    kept.send(signal.SIGTERM)
    kept.stop()


def test_a_child_ends_when_its_starter_is_killed():
    program = (
        "import sys, time; from service.kept_process import start_kept; "
        f"kept = start_kept([sys.executable, '-c', {STUBBORN!r}], grace_s=0.2); "
        "print(kept.pid, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pids = {int(starter.stdout.readline()), int(starter.stdout.readline())}
    assert all(runs(pid) for pid in pids)

    starter.kill()

    wait_until(lambda: not any(runs(pid) for pid in pids))
    starter.wait()
    starter.stdout.close()


def test_a_child_ends_when_its_keeper_is_killed():
    kept = start_kept([sys.executable, "-c", "import time; time.sleep(600)"])

    kept._keeper.kill()

    wait_until(lambda: not runs(kept.pid))
    kept.stop()


def test_a_child_does_not_see_the_terminals_signals():
    kept = start_kept([sys.executable, "-c", "import time; time.sleep(600)"])

    assert os.getsid(kept.pid) != os.getsid(0)
    assert os.getpgid(kept.pid) == kept.pid
    kept.stop()


def test_a_program_that_is_not_there_is_said():
    with pytest.raises(OSError, match=r"/nowhere/at-all cannot be started: No such file"):
        start_kept(["/nowhere/at-all"])


def test_only_root_can_start_a_child_as_somebody_else_and_it_has_none_of_roots_groups():
    somebody = {"user": 65534, "group": 65534}
    if os.geteuid() != 0:
        with pytest.raises(OSError, match="cannot be started: Operation not permitted"):
            start_kept(["/bin/sh", "-c", "id -u"], **somebody)
        return
    program = (
        "import os; from service.kept_process import start_kept; os.setgroups([0, 4, 27]); "
        "kept = start_kept(['/bin/sh', '-c', 'id -u; id -g; id -G'], user=65534, group=65534); "
        "kept._keeper.wait()"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert shown.split() == ["65534", "65534", "65534"]
