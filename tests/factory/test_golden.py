import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.evaluation import evaluate
from factory.bundle import as_bundled, write_bundle
from factory.case_files import read_case_file
from factory.catalogue import read_catalogue
from factory.golden import check_golden, update_golden
from factory.verification import verify_bundle
from tests.factory.conftest import CASE, ROOT, make_case


@pytest.fixture
def cases(tmp_path, library):
    make_case(tmp_path / "cases/small")
    make_case(tmp_path / "cases/other", CASE.replace("case: small", "case: other"))
    changed, problems = update_golden(tmp_path / "cases", library)
    assert not problems
    assert len(changed) == 4
    return tmp_path / "cases"


def codes(cases, library):
    return [problem.code for problem in check_golden(cases, library)[1]]


def test_expected_results_that_were_just_written_are_met(cases, library):
    assert check_golden(cases, library) == (2, ())
    assert update_golden(cases, library) == ((), ())


def test_the_first_line_says_that_they_are_written_and_how(cases):
    lines = (cases / "small/expected/evaluation.txt").read_text("utf-8").splitlines()

    assert lines[0].startswith("# Written by `zenops golden update`, never by hand. sha256")
    assert "parcels[site].value = 5931000 INR" in lines


def test_another_result_is_told_with_its_lines(cases, library):
    path = cases / "small/case.yaml"
    path.write_text(CASE.replace("6.59 cent", "6.60 cent"), encoding="utf-8")

    problems = check_golden(cases, library)[1]

    assert [problem.code for problem in problems] == ["E630", "E630"]
    assert "-parcels[site].value = 5931000 INR" in problems[0].why
    # 6.60 cent at 9,00,000.
    assert "+parcels[site].value = 5940000 INR" in problems[0].why


@pytest.mark.parametrize("name", ["evaluation.txt", "manifest.txt"])
def test_an_edit_by_hand_is_noticed(cases, library, name):
    path = cases / "small/expected" / name
    path.write_text(path.read_text("utf-8").replace("e", "E", 1), encoding="utf-8")

    assert codes(cases, library) == ["E631"]


def test_what_is_missing_or_left_over_is_told(cases, library):
    (cases / "small/expected/manifest.txt").unlink()
    (cases / "small/expected/old.txt").write_text("", encoding="utf-8")
    (cases / "other/case.yaml").unlink()

    assert codes(cases, library) == ["E632", "E632", "E632"]


def test_an_update_removes_what_is_left_over(cases, library):
    (cases / "small/expected/old.txt").write_text("", encoding="utf-8")

    changed, _ = update_golden(cases, library)

    assert [Path(name).name for name in changed] == ["old.txt"]
    assert codes(cases, library) == []


def test_a_case_with_problems_stops_an_update_before_it_writes(cases, library):
    (cases / "small/case.yaml").write_text("case: [", encoding="utf-8")
    path = cases / "other/expected/evaluation.txt"
    path.write_text("stale", encoding="utf-8")

    changed, problems = update_golden(cases, library)

    assert changed == ()
    assert problems
    assert path.read_text("utf-8") == "stale"


def test_a_folder_without_cases_is_no_success(tmp_path, library):
    assert codes(tmp_path, library) == ["E601"]


@pytest.fixture
def shipped(specimen, tmp_path):
    """The shipped cases and variants in a folder of their own, the specimen's pictures drawn."""
    for name in ("cases", "variants"):
        shutil.copytree(ROOT / "fixtures" / name, tmp_path / name)
    drawn = tmp_path / "cases/specimen-house/evidence"
    shutil.copytree(specimen / "evidence", drawn, dirs_exist_ok=True)
    return tmp_path / "cases"


@pytest.mark.parametrize(
    "surroundings",
    [
        {"TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "America/Los_Angeles", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"},
    ],
)
def test_every_shipped_case_gives_its_figures_and_digest_everywhere(shipped, surroundings):
    command = "from factory.command_line import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "golden", "check", "cases", "--data", str(ROOT)],
        capture_output=True, check=False, text=True, cwd=shipped.parent,
        env={**os.environ, **surroundings, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert done.stderr == ""
    assert int(done.stdout.split()[0]) > 30


def test_every_shipped_case_computes_again_from_its_bundle_alone(shipped, tmp_path):
    library = read_catalogue(variants=[ROOT / "fixtures/variants"])
    different = {}
    for folder in sorted(shipped.iterdir()):
        read = read_case_file(folder)
        case = as_bundled(read.case)
        evaluation = evaluate(case, library.catalogue)
        bundle, _ = write_bundle(case, evaluation, library, read.files, tmp_path / "bundle.zip")
        problems = verify_bundle(bundle.path, recompute=True).problems
        if problems:
            different[folder.name] = [problem.what for problem in problems]

    assert different == {}
