import json
import os

import pytest

from factory import case_files
from factory.case_files import read_case_file
from tests.factory.conftest import CASE, make_case, photograph


def codes(read):
    assert read.case is None
    return [problem.code for problem in read.problems]


def evidence(folder, lines, name="case.yaml"):
    text = CASE.partition("evidence:\n")[0] + f"evidence:\n{lines}\n"
    (folder / name).write_text(text, encoding="utf-8")
    return read_case_file(folder)


def test_a_folder_gives_the_case_with_what_its_files_say(case_folder):
    read = read_case_file(case_folder)

    assert not read.problems
    front, back, deed, old, later = read.case.evidence
    assert (front.facts.media_type, back.facts.width) == ("image/jpeg", 64)
    assert deed.facts.media_type == "application/pdf"
    assert (old.facts, later.facts) == (None, None)
    assert sorted(read.files) == ["back", "deed", "front"]


def test_the_file_itself_can_be_named(case_folder):
    assert read_case_file(case_folder / "case.yaml").case == read_case_file(case_folder).case


def test_a_json_case_keeps_every_digit(tmp_path):
    contract = {
        "meta": {"report_type": "VALUATION"},
        "valuation_inputs": {"land_value": "PLACE"},
    }
    text = json.dumps({"case": "exact", "contract": contract}).replace(
        '"PLACE"', "123456789012345678.25"
    )
    (tmp_path / "case.json").write_text(text, encoding="utf-8")

    read = read_case_file(tmp_path)

    assert str(read.case.contract.valuation_inputs.land_value) == "123456789012345678.25 INR"


def test_facts_written_by_hand_are_replaced(case_folder):
    false = "facts: {sha256: " + "a" * 64 + ", size: 1, media_type: image/jpeg}"
    read = evidence(
        case_folder,
        f"  - {{key: front, type: PHOTO, file: evidence/front.jpg, {false}}}\n"
        f"  - {{key: later, type: PHOTO, status: pending, {false}}}",
    )

    front, later = read.case.evidence
    assert front.facts.size > 1
    assert later.facts is None


def test_pending_evidence_may_be_there_already(case_folder):
    read = evidence(
        case_folder,
        "  - {key: front, type: PHOTO, file: evidence/front.jpg, status: pending}",
    )

    assert read.case.evidence[0].facts.width == 64


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("../outside.jpg", "E410"),
        ("/etc/hostname", "E410"),
        ("evidence/../../outside.jpg", "E410"),
        ("C:/front.jpg", "E410"),
        ("evidence", "E602"),
        ("evidence/pipe", "E602"),
        ("evidence/link.jpg", "E603"),
        ("aside/front.jpg", "E603"),
        ("evidence/none.jpg", "E601"),
        ("evidence/front.jpg/inside", "E601"),
        ("case.yaml", "E605"),
    ],
)
def test_evidence_is_a_file_inside_the_folder(case_folder, file, code):
    photograph(case_folder.parent / "outside.jpg")
    os.mkfifo(case_folder / "evidence/pipe")
    (case_folder / "evidence/link.jpg").symlink_to(case_folder.parent / "outside.jpg")
    (case_folder / "aside").symlink_to(case_folder / "evidence")

    read = evidence(case_folder, f"  - {{key: front, type: PHOTO, file: '{file}'}}")

    assert codes(read) == [code]
    # The line that names the file is shown, not the file.
    assert read.problems[0].line == CASE.partition("evidence:\n")[0].count("\n") + 2


def test_a_misspelt_file_is_offered_its_nearest_name(case_folder):
    read = evidence(case_folder, "  - {key: front, type: PHOTO, file: evidence/frnt.jpg}")

    assert "front.jpg" in read.problems[0].fix


def test_all_problems_of_the_evidence_are_told_at_once(case_folder):
    read = evidence(
        case_folder,
        "  - {key: a, type: PHOTO, file: evidence/none.jpg}\n"
        "  - {key: b, type: PHOTO}\n"
        "  - {key: c, type: PHOTO, file: case.yaml}",
    )

    assert codes(read) == ["E601", "E601", "E605"]


def test_a_logo_must_be_a_picture(case_folder):
    text = CASE + "firm: {name: A firm, logo: case.yaml}\n"
    (case_folder / "case.yaml").write_text(text, encoding="utf-8")

    assert codes(read_case_file(case_folder)) == ["E605"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E113"),
        (b"\x00\x01\x02\xff", "E101"),
        ("case: x".encode("utf-16"), "E101"),
        (b"case: [", "E102"),
        (b"PK\x03\x04 an archive", "E602"),
        (CASE[: len(CASE) // 2].encode(), "E102"),
        (CASE.replace("bank_type", "bank_tipe").encode(), "E401"),
        (b"- just\n- a list\n", "E405"),
    ],
)
def test_a_file_that_is_no_case_is_refused_with_a_reason(case_folder, content, code):
    (case_folder / "case.yaml").write_bytes(content)

    assert code in codes(read_case_file(case_folder))


def test_a_folder_needs_one_case_file(tmp_path):
    assert codes(read_case_file(tmp_path)) == ["E601"]
    make_case(tmp_path)
    (tmp_path / "case.json").write_text("{}", encoding="utf-8")

    assert codes(read_case_file(tmp_path)) == ["E602"]


def test_a_case_that_is_not_there_or_is_a_link_is_refused(case_folder, tmp_path):
    link = tmp_path / "link.yaml"
    link.symlink_to(case_folder / "case.yaml")

    assert codes(read_case_file(tmp_path / "none.yaml")) == ["E601"]
    assert codes(read_case_file(link)) == ["E603"]


def test_more_evidence_than_a_case_can_have_is_refused(case_folder, monkeypatch):
    monkeypatch.setattr(case_files, "_MOST_PIECES", 2)
    assert codes(read_case_file(case_folder)) == ["E604"]
    monkeypatch.undo()
    monkeypatch.setattr(case_files, "_LARGEST_CASE", 100)

    assert codes(read_case_file(case_folder)) == ["E604"]
