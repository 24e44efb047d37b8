from pathlib import Path

import pytest

from contracts.land_units import LandUnits
from contracts.strict_yaml import read_yaml
from engine.units import UnitRegistry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def table():
    document = read_yaml((ROOT / "rules" / "units.yaml").read_text(encoding="utf-8"), "units.yaml")
    assert document.problems == ()
    return LandUnits.model_validate(document.value)


@pytest.fixture(scope="session")
def registry(table):
    return UnitRegistry(table)
