import pytest

from tests.rules.conftest import ROOT, read_catalogue


@pytest.fixture(scope="session")
def shipped():
    catalogue, problems = read_catalogue(ROOT / "rules")

    assert problems == ""

    return catalogue
