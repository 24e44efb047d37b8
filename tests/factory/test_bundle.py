import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest

from contracts.contract import Contract
from engine.evaluation import evaluate
from factory import bundle as bundle_module
from factory.bundle import (
    ChangedError,
    Stored,
    as_bundled,
    assemble,
    digest_of,
    payload_of,
    stored_files,
    write_bundle,
)
from factory.case_files import read_case_file
from factory.rendering.template_files import find_template
from factory.stored_zip import Writer
from factory.verification import verify_bundle
from tests.factory.conftest import CASE, ROOT, make_case

ZENOPS = [sys.executable, "-c", "from factory.command_line import main; main()"]


def zenops(*arguments, **more):
    return subprocess.run(
        [*ZENOPS, *map(str, arguments)], capture_output=True, check=False, text=True, **more
    )


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_any_zip_reader_opens_it_and_finds_stored_sorted_undated_files(bundle):
    with zipfile.ZipFile(bundle.path) as archive:
        assert archive.testzip() is None
        entries = archive.infolist()

    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    for entry in entries:
        assert entry.compress_type == zipfile.ZIP_STORED
        assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert entry.external_attr >> 16 == 0o100644
        assert (entry.extra, entry.comment, entry.create_system) == (b"", b"", 3)


def test_the_digest_is_that_of_the_manifest_which_lists_the_whole_payload(bundle):
    files = parts(bundle.path)
    manifest = files["manifest-sha256.txt"]

    assert hashlib.sha256(manifest).hexdigest() == bundle.digest
    listed = dict(reversed(line.split("  ")) for line in manifest.decode().splitlines())
    payload = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name.startswith("data/")
    }
    assert listed == payload


def test_the_payload_is_canonical_json_and_evidence_by_digest(bundle, case_folder):
    files = parts(bundle.path)

    assert [name for name in files if name.endswith(".json")] == [
        f"data/{name}.json"
        for name in (
            "annexures", "case", "contract", "evaluation", "firm", "profile", "registers",
            "ruleset", "template",
        )
    ]  # fmt: skip
    front = (case_folder / "evidence/front.jpg").read_bytes()
    assert files[f"data/evidence/{hashlib.sha256(front).hexdigest()}.jpg"] == front
    contract = json.loads(files["data/contract.json"])
    assert contract["property"]["parcels"][0]["deed"] == "6.59 cent"
    template = json.loads(files["data/template.json"])
    assert template == {
        "key": "SBI_UNDER_5CR_V1",
        "sha256": find_template("SBI_UNDER_5CR_V1").sha256,
        "annexures_sha256": find_template("ANNEXURES_V1").sha256,
    }


def test_a_template_of_the_firms_own_is_named_by_its_digest(case_folder, library, tmp_path):
    read = read_case_file(case_folder)
    case = as_bundled(read.case)
    evaluation = evaluate(case, library.catalogue)
    path = tmp_path / "own.zip"
    write_bundle(case, evaluation, library, read.files, path, template=b"our form")

    template = json.loads(parts(path)["data/template.json"])
    assert template["key"] == "SBI_UNDER_5CR_V1"
    assert template["sha256"] == hashlib.sha256(b"our form").hexdigest()


def test_nothing_in_it_says_who_wrote_it_when_or_with_what(bundle):
    files = parts(bundle.path)
    payload = b"".join(content for name, content in files.items() if name.startswith("data/"))

    assert b"somebody" not in payload
    assert b"snapshot_version" not in payload
    assert b"zenops 0" not in payload
    assert b"Version: " in files["bundle-info.txt"]


def test_deleted_evidence_and_its_links_are_not_in_it(bundle):
    case = json.loads(parts(bundle.path)["data/case.json"])

    assert [piece["key"] for piece in case["evidence"]] == ["front", "back", "deed", "later"]
    assert [link["evidence"] for link in case["links"]] == ["deed"]


def test_two_pieces_with_the_same_content_are_stored_once(case_folder, build, tmp_path):
    shutil.copy(case_folder / "evidence/front.jpg", case_folder / "evidence/again.jpg")
    again = "  - {key: again, type: PHOTO, file: evidence/again.jpg}\nlinks:"
    (case_folder / "case.yaml").write_text(CASE.replace("links:", again), encoding="utf-8")

    made, _ = build(case_folder, tmp_path / "small.zip")

    assert sum(name.endswith(".jpg") for name in parts(made.path)) == 1
    assert verify_bundle(made.path, recompute=True).sound


def test_a_logo_is_stored_and_named_by_its_digest(case_folder, build, tmp_path):
    firm = "firm: {name: A firm, logo: evidence/back.png}\n"
    (case_folder / "case.yaml").write_text(CASE + firm, encoding="utf-8")

    made, _ = build(case_folder, tmp_path / "small.zip")

    files = parts(made.path)
    logo = json.loads(files["data/firm.json"])["logo"]
    assert files[f"data/{logo}"] == (case_folder / "evidence/back.png").read_bytes()
    assert verify_bundle(made.path).sound


SURROUNDINGS = [
    {"TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    {"TZ": "America/Los_Angeles", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "77"},
    {"TZ": "Pacific/Auckland", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"},
]


def test_the_same_case_gives_the_same_bytes_everywhere(specimen, tmp_path):
    made = []
    for number, surroundings in enumerate(SURROUNDINGS):
        folder = tmp_path / f"place {number}" / ("deeper/" * number)
        shutil.copytree(specimen, folder / "case")
        for path in sorted((folder / "case/evidence").iterdir(), reverse=bool(number)):
            os.utime(path, (number, number))
        target = folder / "bundle.zip"
        done = zenops(
            "build", "case", "-o", target, "--data", ROOT,
            cwd=folder, umask=(0o022, 0o077, 0)[number],
            env={**os.environ, **surroundings, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        made.append(target.read_bytes())

    assert made[0] == made[1] == made[2]


def test_the_rights_of_a_bundle_are_those_of_any_new_file(case_folder, tmp_path):
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        target = tmp_path / f"{umask}.zip"
        zenops("build", case_folder, "-o", target, cwd=ROOT, umask=umask)

        assert target.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("there_before", [True, False])
def test_being_killed_leaves_what_was_there_before(case_folder, build, tmp_path, there_before):
    target = tmp_path / "small.zip"
    if there_before:
        build(case_folder, target)
    before = target.read_bytes() if there_before else None
    slow = (
        "import time\n"
        "from factory import stored_zip\n"
        "add = stored_zip.Writer.add\n"
        "def slowly(self, name, *arguments):\n"
        "    done = add(self, name, *arguments)\n"
        "    self._file.flush()\n"
        "    print(name, flush=True)\n"
        "    time.sleep(0.4)\n"
        "    return done\n"
        "stored_zip.Writer.add = slowly\n"
        "from factory.command_line import main\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", slow, "build", str(case_folder), "-o", str(target)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert (target.read_bytes() if target.exists() else None) == before
    made, _ = build(case_folder, target)
    assert verify_bundle(made.path).sound


def test_a_full_disk_leaves_what_was_there_before(case_folder, build, tmp_path, monkeypatch):
    made, _ = build(case_folder, tmp_path / "small.zip")
    before = made.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Writer, "close", full)
    again, problems = build(case_folder, made.path)

    assert again is None
    assert problems[0].code == "E608"
    assert made.path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small", "small.zip"]


@pytest.mark.parametrize("target", [".", "none/small.zip", "case.yaml"])
def test_only_bundles_are_replaced(case_folder, build, target):
    before = (case_folder / "case.yaml").read_bytes()

    made, problems = build(case_folder, case_folder / target)

    assert made is None
    assert [problem.code for problem in problems] == ["E608"]
    assert (case_folder / "case.yaml").read_bytes() == before


@pytest.mark.parametrize("change", [b"more", None])
def test_evidence_that_changes_meanwhile_makes_no_bundle(
    case_folder, build, tmp_path, monkeypatch, change
):
    photograph = case_folder / "evidence/front.jpg"
    refusal = bundle_module._cannot_replace

    def change_it(path):
        if change is None:
            photograph.unlink()
        else:
            photograph.write_bytes(photograph.read_bytes() + change)
        return refusal(path)

    monkeypatch.setattr(bundle_module, "_cannot_replace", change_it)
    made, problems = build(case_folder, tmp_path / "small.zip")

    assert made is None
    assert [problem.code for problem in problems] == ["E609"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small"]


def test_a_case_that_no_rule_set_answers_still_gets_its_bundle(tmp_path, build):
    bare = "case: bare\ncontract:\n  meta: {report_type: DPR, bank_type: SBI}\n"
    folder = make_case(tmp_path / "bare", bare)

    made, problems = build(folder, tmp_path / "bare.zip")

    assert not problems
    assert verify_bundle(made.path, recompute=True).problems == ()


def test_forty_large_photographs_take_little_memory(tmp_path):
    folder = tmp_path / "large"
    lines = []
    (folder / "evidence").mkdir(parents=True)
    (folder / "small.jpg").write_bytes(b"")
    make_case(folder)
    head = (folder / "evidence/front.jpg").read_bytes()
    for number in range(12):
        path = folder / f"evidence/{number}.jpg"
        path.write_bytes(head + number.to_bytes(4, "big") * 2_000_000)
        lines.append(f"  - {{key: p{number}, type: PHOTO, file: evidence/{number}.jpg}}\n")
    text = CASE.partition("evidence:\n")[0] + "evidence:\n" + "".join(lines)
    (folder / "case.yaml").write_text(text, encoding="utf-8")
    measure = (
        "import resource, sys\n"
        "from factory.command_line import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )
    peaks = []
    for case in (make_case(tmp_path / "small"), folder):
        done = subprocess.run(
            [sys.executable, "-c", measure, "build", str(case), "-o", str(tmp_path / "b.zip")],
            capture_output=True, text=True, check=True, cwd=ROOT,
        )  # fmt: skip
        peaks.append(int(done.stderr) * 1024)

    # Ninety-six megabytes of photographs, read by four readers a megabyte at a time.
    assert (tmp_path / "b.zip").stat().st_size > 95_000_000
    assert peaks[1] - peaks[0] < 30_000_000


def test_the_digest_is_known_before_any_file_is_opened(case_folder, library, build, tmp_path):
    made, _ = build(case_folder, tmp_path / "small.zip")
    read = read_case_file(case_folder)
    case = as_bundled(read.case)
    shutil.rmtree(case_folder)
    payload = payload_of(case, evaluate(case, library.catalogue), library)

    assert digest_of(payload, stored_files(case)) == made.digest


def test_a_bundle_is_assembled_from_what_was_kept_of_it(bundle, tmp_path):
    kept = parts(bundle.path)
    payload = {name: kept[name] for name in kept if name.endswith(".json")}
    files = {
        name: Stored(lambda content=content: [content[:7], content[7:]])
        for name, content in kept.items()
        if name.startswith("data/evidence/")
    }
    again = assemble(
        payload, files, tmp_path / "again.zip", settled=False, info=kept["bundle-info.txt"]
    )

    assert again.digest == bundle.digest
    assert again.path.read_bytes() == bundle.path.read_bytes()


def test_a_file_that_is_no_longer_what_it_was_leaves_no_bundle(tmp_path):
    def changed():
        yield b"something"
        raise ChangedError("front.jpg")

    name = f"data/evidence/{'0' * 64}.jpg"
    with pytest.raises(ChangedError, match=r"front\.jpg"):
        assemble({}, {name: Stored(changed)}, tmp_path / "again.zip")

    assert not list(tmp_path.iterdir())


def test_the_page_plan_follows_the_evidence_the_annexures_and_the_profile(case_folder, library):
    case = as_bundled(read_case_file(case_folder).case)

    def plan(changed):
        evaluation = evaluate(changed, library.catalogue)
        return payload_of(changed, evaluation, library)["data/annexures.json"]

    first = plan(case)
    assert plan(case.model_copy(update={"title": "Another title"})) == first
    assert plan(case.model_copy(update={"evidence": case.evidence[1:]})) != first
    grouping = Contract.model_validate(
        {
            "meta": {"report_type": "VALUATION"},
            "annexures": {"items": [{"evidence_item_id": "front", "label": "Gate"}]},
        }
    ).annexures
    contract = case.contract.model_copy(update={"annexures": grouping})
    assert plan(case.model_copy(update={"contract": contract})) != first
    assert plan(case) == first
