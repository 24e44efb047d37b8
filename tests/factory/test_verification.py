import hashlib
import io
import random
import shutil
import struct
import zipfile

import pytest

from factory.bundle import MANIFEST
from factory.verification import verify_bundle
from tests.errors.steps import alter, entries_of, forge, put, rewritten, take

EVIDENCE = "data/evidence/"


def evidence_name(bundle):
    return next(name for name in entries_of(bundle) if name.startswith(EVIDENCE))


def codes(path, **more):
    return {problem.code for problem in verify_bundle(path, **more).problems}


def test_a_bundle_as_built_is_sound_and_computes_again(bundle):
    found = verify_bundle(bundle.path, recompute=True)

    assert found.problems == ()
    assert (found.digest, found.files) == (bundle.digest, bundle.files)


@pytest.mark.parametrize(
    "name", ["data/firm.json", "data/evaluation.json", "data/registers.json", EVIDENCE]
)
def test_what_is_missing_is_named(bundle, name):
    name = evidence_name(bundle.path) if name == EVIDENCE else name
    take(str(bundle.path), name)

    found = verify_bundle(bundle.path)

    assert (found.missing, found.unexpected, found.changed) == ((name,), (), ())
    assert any(name in problem.what for problem in found.problems)


@pytest.mark.parametrize("name", ["data/notes.json", "data/evidence/a.exe", "readme.txt"])
def test_what_is_unexpected_is_named(bundle, name):
    put(str(bundle.path), name, "{}")

    found = verify_bundle(bundle.path)

    assert (found.missing, found.unexpected, found.changed) == ((), (name,), ())


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("data/contract.json", "SBI", "AGRI"),
        ("data/evaluation.json", "5931000", "5931001"),
        (EVIDENCE, "JFIF", "JFIX"),
    ],
)
def test_what_was_changed_is_named(bundle, name, old, new):
    if name == EVIDENCE:
        name = next(n for n in entries_of(bundle.path) if n.endswith(".jpg"))
    alter(str(bundle.path), name, old, new)

    found = verify_bundle(bundle.path)

    assert (found.missing, found.unexpected, found.changed) == ((), (), (name,))


def test_every_kind_of_damage_is_told_at_once(bundle):
    take(str(bundle.path), "data/firm.json")
    put(str(bundle.path), "data/more.json", "{}")
    alter(str(bundle.path), "data/contract.json", "SBI", "AGRI")

    found = verify_bundle(bundle.path)

    assert found.missing == ("data/firm.json",)
    assert found.unexpected == ("data/more.json",)
    assert found.changed == ("data/contract.json",)


@pytest.mark.parametrize(
    ("name", "code"),
    [(MANIFEST, "E612"), ("bagit.txt", "E612"), ("bundle-info.txt", "E612")],
)
def test_a_tag_file_that_is_missing_is_named(bundle, name, code):
    take(str(bundle.path), name)

    assert codes(bundle.path) == {code}


def test_a_declaration_of_another_form_is_named(bundle):
    alter(str(bundle.path), "bagit.txt", "1.0", "0.97")

    assert codes(bundle.path) == {"E614"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  data/case.json", " data/case.json"),
        ("  data/case.json", "  data/../case.json"),
        ("\n", "\r\n"),
        ("\n", "\n\n"),
    ],
)
def test_a_manifest_of_another_form_is_refused(bundle, old, new):
    alter(str(bundle.path), MANIFEST, old, new)

    assert "E615" in codes(bundle.path)


def test_a_manifest_without_its_last_line_break_is_refused(bundle):
    entries = entries_of(bundle.path)
    entries[MANIFEST] = entries[MANIFEST][:-1]
    rewritten(bundle.path, entries)

    assert "E615" in codes(bundle.path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("data/contract.json", '{"meta"', '{ "meta"'),
        ("data/contract.json", "LAND", "land"),
        ("data/contract.json", '"report_type":"VALUATION"', '"report_type":"GUESS"'),
        ("data/case.json", '"case":"small"', '"case":small'),
        ("data/profile.json", '"version":1', '"version":2'),
        ("data/ruleset.json", '"version":1', '"version":2'),
        ("data/case.json", '"key":"back"', '"key":"side"'),
        ("data/annexures.json", '"evidence":"front"', '"evidence":"fronz"'),
        ("data/template.json", '"key":"SBI', '"clef":"SBI'),
    ],
)
def test_a_payload_put_together_by_hand_does_not_fit_together(bundle, name, old, new):
    if old not in entries_of(bundle.path)[name].decode():
        old, new = '"contract"', '"contrast"'
        name = "data/evaluation.json"
    forge(str(bundle.path), name, old, new)

    assert codes(bundle.path) == {"E616"}


def test_evidence_under_another_digest_does_not_fit(bundle):
    entries = entries_of(bundle.path)
    name = evidence_name(bundle.path)
    other = f"{EVIDENCE}{'0' * 64}.{name.rpartition('.')[2]}"
    entries[other] = entries.pop(name)
    payload = sorted(name for name in entries if name.startswith("data/"))
    lines = (f"{hashlib.sha256(entries[name]).hexdigest()}  {name}\n" for name in payload)
    entries[MANIFEST] = "".join(lines).encode()
    rewritten(bundle.path, entries)

    assert codes(bundle.path) == {"E616"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"value":"5931000"', '"value":"6931000"', "parcels[site].value was 6931000 INR"),
        ('"outcome":"review"', '"outcome":"pass"', "the finding"),
        ('"ready":false', '"ready":true', "the readiness"),
    ],
)
def test_an_evaluation_changed_by_hand_comes_out_otherwise(bundle, old, new, told):
    forge(str(bundle.path), "data/evaluation.json", old, new)

    assert verify_bundle(bundle.path).sound
    found = verify_bundle(bundle.path, recompute=True)
    assert {problem.code for problem in found.problems} == {"E617"}
    assert any(told in problem.what for problem in found.problems)


def zipped(*files, **more):
    """An archive by Python's own writer, of (ZipInfo or name, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **more) as archive:
        for info, content in files:
            archive.writestr(info, content)
    return buffer.getvalue()


def entry(name, *, mode=0o100644, extra=b"", comment=b""):
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system = mode << 16, 3
    info.extra, info.comment = extra, comment
    return info


def squeezed(name):
    info = entry(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def with_comment(data):
    return data[:-2] + struct.pack("<H", 5) + b"hello"


HOSTILE = {
    "leaves the folder": (zipped((entry("../escape.txt"), "x")), "could leave the folder"),
    "absolute": (zipped((entry("/etc/passwd"), "x")), "could leave the folder"),
    "backslash": (zipped((entry("data\\x.txt"), "x")), "could leave the folder"),
    "drive": (zipped((entry("C:x.txt"), "x")), "could leave the folder"),
    "hidden": (zipped((entry("data/.x"), "x")), "could leave the folder"),
    "letters of elsewhere": (zipped((entry("data/café.txt"), "x")), "could leave the folder"),
    "link": (zipped((entry("link", mode=0o120777), "/etc/passwd")), "is a link"),
    "executable": (zipped((entry("run.sh", mode=0o100755), "x")), "has other rights"),
    "compressed": (zipped((squeezed("a.txt"), "0" * 10_000_000)), "is compressed"),
    "extra field": (zipped((entry("a.txt", extra=b"\x01\x00\x02\x00hi"), "x")), "extra fields"),
    "remark on a file": (zipped((entry("a.txt", comment=b"hi"), "x")), "has a remark"),
    "remark": (with_comment(zipped((entry("a.txt"), "x"))), "a remark"),
    "bytes before": (b"#!/bin/sh\n" + zipped((entry("a.txt"), "x")), "bytes before"),
    "bytes behind": (zipped((entry("a.txt"), "x")) + b"more", "bytes behind its end"),
    "out of order": (zipped((entry("b.txt"), "x"), (entry("a.txt"), "x")), "not in the order"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_an_archive_of_another_form_is_refused_and_the_reason_named(tmp_path, attack):
    data, told = HOSTILE[attack]
    path = tmp_path / "hostile.zip"
    path.write_bytes(data)

    found = verify_bundle(path)

    assert found.digest is None
    assert any(told in problem.what for problem in found.problems), found.problems
    assert {problem.code for problem in found.problems} <= {"E610", "E611"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "twice.zip"
    path.write_bytes(zipped((entry("a.txt"), "x"), (entry("a.txt"), "y")))

    assert any("is there 2 times" in problem.what for problem in verify_bundle(path).problems)


def test_a_file_called_otherwise_where_its_bytes_stand_is_refused(bundle):
    data = bundle.path.read_bytes()
    at = data.index(b"data/firm.json")
    bundle.path.write_bytes(data[:at] + b"data/fist.json" + data[at + 14 :])

    assert any("called otherwise" in p.what for p in verify_bundle(bundle.path).problems)


def test_files_that_share_their_bytes_are_refused(bundle):
    data = bytearray(bundle.path.read_bytes())
    # The directory's second entry is pointed at the first one's bytes.
    directory = struct.unpack_from("<I", data, len(data) - 6)[0]
    second = data.index(b"PK\x01\x02", directory + 4)
    struct.pack_into("<I", data, second + 42, 0)
    bundle.path.write_bytes(data)

    assert any("does not begin where" in p.what for p in verify_bundle(bundle.path).problems)


def test_more_files_than_a_bundle_can_have_are_refused_before_they_are_read(bundle):
    data = bytearray(bundle.path.read_bytes())
    struct.pack_into("<HH", data, len(data) - 14, 60_000, 60_000)
    bundle.path.write_bytes(data)

    assert any("60000 files" in problem.what for problem in verify_bundle(bundle.path).problems)


def test_a_bundle_cut_off_anywhere_is_told_to_break_off(bundle, tmp_path):
    data = bundle.path.read_bytes()
    path = tmp_path / "cut.zip"
    for size in range(4, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:size])
        found = verify_bundle(path)
        assert found.digest is None
        assert "breaks off" in found.problems[0].what, size


def test_no_change_of_a_single_bit_goes_unnoticed(bundle, tmp_path):
    data = bytearray(bundle.path.read_bytes())
    path = tmp_path / "flipped.zip"
    chance = random.Random(3)  # noqa: S311 - damage, not secrets
    for _ in range(400):
        at, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
        data[at] ^= bit
        path.write_bytes(data)
        assert not verify_bundle(path).sound, (at, bit)
        data[at] ^= bit


@pytest.mark.parametrize("content", [b"", b"text", b"\x00" * 100, b"PK\x05\x06" + b"\x00" * 18])
def test_what_is_no_bundle_is_refused(tmp_path, content):
    path = tmp_path / "no.zip"
    path.write_bytes(content)

    assert codes(path) & {"E610", "E611", "E612"}


def test_a_folder_a_link_and_nothing_are_refused(bundle, tmp_path):
    (tmp_path / "link.zip").symlink_to(bundle.path)

    assert codes(tmp_path) == {"E602"}
    assert codes(tmp_path / "link.zip") == {"E603"}
    assert codes(tmp_path / "none.zip") == {"E601"}


def test_a_sound_bundle_stays_as_it_is_when_checked(bundle, tmp_path):
    before = bundle.path.read_bytes()
    copy = shutil.copy(bundle.path, tmp_path / "copy.zip")
    verify_bundle(bundle.path, recompute=True)

    assert bundle.path.read_bytes() == before == copy.read_bytes()
