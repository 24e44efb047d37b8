"""The supervisor, run as a program of its own over small stand-in children."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from service import supervision
from service.supervision import Child, Supervisor, command_child
from tests.service.local.test_kept_process import runs, wait_until

# Two stages: `below` has to outlive the others. Each child prints its process id and how it ends.
PROGRAM = """
import sys
from service.supervision import command_child, supervisor

CODE = '''
import os, signal, sys, time
def end(*_):
    print("ending", time.monotonic(), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("pid", os.getpid(), flush=True)
while True:
    time.sleep(1)
'''

with supervisor() as running:
    running.start(command_child("below", [sys.executable, "-c", CODE]))
    running.start(*(command_child(name, [sys.executable, "-c", CODE]) for name in ("one", "two")))
    running.say("zenops", "up")
    running.run()
print("supervisor is done", flush=True)
"""


class Log:
    """The supervisor's merged log, read while it runs."""

    def __init__(self, stream):
        self.stream = stream
        self.lines = []

    def read_until(self, pattern):
        for line in self.stream:
            self.lines.append(line.rstrip("\n"))
            if found := re.search(pattern, line):
                return found
        raise AssertionError("\n".join([f"no {pattern} in:", *self.lines]))


@contextlib.contextmanager
def supervised():
    """The running program, its log and the children's process ids by name."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    log = Log(process.stdout)
    try:
        while len(pids := pids_in(log)) < 3:
            log.read_until(r"\| pid (\d+)$")
        yield process, log, pids
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def pids_in(log):
    found = [re.fullmatch(r"(\w+) +\| pid (\d+)", line) for line in log.lines]
    return {match[1]: int(match[2]) for match in found if match}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_within_seconds_and_the_last_stage_first(number):
    with supervised() as (process, log, pids):
        os.killpg(process.pid, number)
        log.read_until("supervisor is done")
        assert process.wait(5) == 0
        assert not any(runs(pid) for pid in pids.values())

    ended = {
        match[1]: float(match[2])
        for match in (re.fullmatch(r"(\w+) +\| ending ([\d.]+)", line) for line in log.lines)
        if match
    }
    assert ended.keys() == {"below", "one", "two"}
    assert ended["below"] > max(ended["one"], ended["two"])


def test_a_killed_child_is_started_again_and_the_others_are_left_alone():
    with supervised() as (process, log, pids):
        os.kill(pids["one"], signal.SIGKILL)

        assert log.read_until(r"^one +\| ended with code (\d+); starting again")[1] == "137"
        again = int(log.read_until(r"^one +\| pid (\d+)")[1])
        assert runs(again)
        assert runs(pids["below"])
        assert runs(pids["two"])
        process.terminate()
        log.read_until("supervisor is done")
        assert not runs(again)


def test_children_end_when_the_supervisor_is_killed():
    with supervised() as (process, _, pids):
        process.kill()

        wait_until(lambda: not any(runs(pid) for pid in pids.values()))


def test_children_end_when_nobody_reads_the_log():
    with supervised() as (process, log, pids):
        log.stream.close()
        os.kill(pids["one"], signal.SIGKILL)

        wait_until(lambda: not any(runs(pid) for pid in pids.values()))
        process.wait(5)


def end(running, seconds):
    """Run the supervisor for a while in this process."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        running.look_after_children()
        time.sleep(0.01)
    running.close()


def test_a_child_that_keeps_dying_is_started_less_and_less_often(monkeypatch):
    monkeypatch.setattr(supervision, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE_S", 0.3)
    output = io.BytesIO()
    running = Supervisor(output)
    running._stages.append([])
    child = command_child("dying", ["/bin/sh", "-c", "exit 3"])
    running._stages[0].append(supervision._Running(child, running._start(child), 0.0, 0.1))
    # It started long ago for its first end, which counts as recovered.
    end(running, 1.3)

    pauses = re.findall(rb"ended with code 3; starting again in ([\d.]+) s", output.getvalue())
    assert pauses[:4] == [b"0.1", b"0.2", b"0.3", b"0.3"]
    assert len(pauses) <= 6


def test_a_child_that_cannot_be_started_again_is_said_and_tried_again(monkeypatch):
    monkeypatch.setattr(supervision, "FIRST_PAUSE_S", 0.05)
    output = io.BytesIO()
    running = Supervisor(output)
    good = command_child("fickle", ["/bin/sh", "-c", "exit 1"])
    starts = []

    def start(descriptor):
        starts.append(descriptor)
        if len(starts) == 2:
            raise OSError("no more room")
        return good.start(descriptor)

    running.start(Child("fickle", start))
    end(running, 2)

    assert b"fickle     | cannot be started: no more room; starting again in" in output.getvalue()
    assert len(starts) >= 3


def test_a_stage_that_cannot_be_started_ends_what_was_started_before():
    before = command_child("before", ["/bin/sleep", "600"])
    pids = {}

    def start_nothing():
        with supervision.supervisor(io.BytesIO()) as running:
            running.start(before)
            pids.update(running.pids())
            running.start(command_child("nothing", ["/nowhere/at-all"]))

    with pytest.raises(OSError, match="/nowhere/at-all"):
        start_nothing()
    assert pids.keys() == {"before"}
    assert not runs(pids["before"])


def test_lines_of_children_stay_whole():
    output = io.BytesIO()
    running = Supervisor(output)
    many = "for i in 1 2 3 4 5 6 7 8 9; do echo $0-$0-$0-$0-$0; done; printf unfinished"
    running.start(*(command_child(name, ["/bin/sh", "-c", many, name]) for name in "abc"))
    wait_until(lambda: output.getvalue().count(b"unfinished") == 3)
    running.close()

    lines = output.getvalue().decode().splitlines()
    whole = {f"{name:<10} | {'-'.join(name * 5)}" for name in "abc"}
    assert {line for line in lines if not line.endswith("unfinished")} == whole
    assert len(lines) == 30
