"""A process outlives its servers: it waits longer each time, and never turns in a tight circle."""

import threading
import time

import pytest
from redis.exceptions import ConnectionError as QueueAway
from sqlalchemy.exc import OperationalError

from service.jobs.loops import LONGEST_WAIT_S, go_round


class Stopped:
    """An event that notes how long it was waited for, and is set after so many waits."""

    def __init__(self, rounds):
        self.waits = []
        self.rounds = rounds

    def is_set(self):
        return len(self.waits) >= self.rounds

    def wait(self, seconds):
        self.waits.append(seconds)


@pytest.mark.parametrize("error", [QueueAway(), OperationalError("", {}, Exception()), OSError()])
def test_waits_grow_while_a_server_is_away(error):
    def away():
        raise error

    stopped = Stopped(8)
    go_round("specimen", away, stopped)

    assert stopped.waits == [
        0.2,
        0.4,
        0.8,
        1.6,
        3.2,
        LONGEST_WAIT_S,
        LONGEST_WAIT_S,
        LONGEST_WAIT_S,
    ]


def test_a_round_that_succeeds_makes_the_next_wait_short_again():
    ends = iter([QueueAway(), QueueAway(), None, QueueAway()])

    def sometimes():
        end = next(ends)
        if end is not None:
            raise end
        return 7

    stopped = Stopped(4)
    go_round("specimen", sometimes, stopped)

    assert stopped.waits == [0.2, 0.4, 7, 0.2]


def test_a_fault_of_ours_does_not_end_the_process_and_is_not_repeated_at_once(capsys):
    def fault():
        raise KeyError("canary")

    stopped = Stopped(2)
    go_round("specimen", fault, stopped)

    assert stopped.waits == [LONGEST_WAIT_S] * 2
    told = capsys.readouterr().out
    assert "KeyError" in told
    assert "canary" not in told


def test_a_stop_ends_a_wait():
    stop = threading.Event()
    thread = threading.Thread(target=go_round, args=["specimen", lambda: 60.0, stop])
    thread.start()
    time.sleep(0.05)
    stop.set()
    thread.join(1)

    assert not thread.is_alive()


def test_a_server_that_is_away_for_days_ends_nothing():
    def away():
        raise QueueAway

    stopped = Stopped(2000)
    go_round("specimen", away, stopped)

    assert stopped.waits[-1] == LONGEST_WAIT_S
