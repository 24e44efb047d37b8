"""How large a run is: ZENOPS_CAMPAIGN is `small` (part of `make test`), `full` (`make chaos`) or `long`."""

import os
from typing import NamedTuple

import pytest


class Size(NamedTuple):
    """What a size means."""

    #: How often each point is tried with each target.
    repeats: int
    #: How long the random killer is at work, and on how many operations.
    killer_seconds: int
    killer_operations: int
    #: How long a server that is paused stays so. Small is longer than every wait for an answer but
    #: the workers' for work, which is 25 seconds.
    pause_seconds: int


SIZES = {
    "small": Size(1, 6, 60, 6),
    "full": Size(3, 600, 500, 60),
    "long": Size(20, 600, 500, 60),
}
NAME = os.environ.get("ZENOPS_CAMPAIGN", "small")
SIZE = SIZES[NAME]
IS_FULL = NAME != "small"

#: A test that is run as often as the size says.
repeated = pytest.mark.parametrize("repeat", range(SIZE.repeats), indirect=True)
