import subprocess
import sys
from pathlib import Path

import pytest

from factory.case_files import read_case_file

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def specimen_folder(tmp_path_factory):
    """The specimen house with its pictures drawn."""
    folder = tmp_path_factory.mktemp("specimen-house")
    shipped = ROOT / "fixtures/cases/specimen-house/case.yaml"
    (folder / "case.yaml").write_bytes(shipped.read_bytes())
    script = ROOT / "scripts/draw_specimen_photographs.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def specimen(specimen_folder):
    """The specimen house as it is read."""
    read = read_case_file(specimen_folder)
    assert not read.problems
    return read
