"""How large a run is: ZENOPS_CAMPAIGN is `small` (part of `make test`) or `full` (`make chaos`)."""

import os

import pytest

IS_FULL = os.environ.get("ZENOPS_CAMPAIGN", "small") == "full"
#: How often each point is tried with each target.
REPEATS = int(os.environ.get("ZENOPS_CHAOS_REPEATS", "3" if IS_FULL else "1"))
#: How long the random killer is at work, and on how many operations.
KILLER_SECONDS = int(os.environ.get("ZENOPS_CHAOS_KILLER_SECONDS", "600" if IS_FULL else "6"))
KILLER_OPERATIONS = 500 if IS_FULL else 60

#: A test that is run as often as the size says.
repeated = pytest.mark.parametrize("repeat", range(REPEATS), indirect=True)
