import json
import os
import re
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from factory.command_line import app
from tests.factory.conftest import CASE, ROOT

ZENOPS = [sys.executable, "-c", "from factory.command_line import main; main()"]


def zenops(*arguments):
    done = CliRunner().invoke(app, [str(word) for word in arguments], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def built(case_folder, tmp_path):
    zenops("build", case_folder, "-o", tmp_path / "small.zip")
    return tmp_path / "small.zip"


def test_a_ready_case_is_evaluated_with_exit_code_0(specimen):
    code, out, err = zenops("evaluate", specimen)

    assert (code, err) == (0, "")
    assert "₹1,77,64,480" in out
    assert "Readiness: 100 of 100, ready" in out


def test_a_case_that_is_not_ready_is_evaluated_with_exit_code_1(case_folder):
    code, out, err = zenops("evaluate", case_folder)

    assert (code, err) == (1, "")
    # 6.59 cent at 9,00,000 a cent.
    assert "₹59,31,000" in out
    assert "not ready" in out


def test_the_evaluation_as_json_is_what_the_formats_say(case_folder):
    code, out, _ = zenops("evaluate", case_folder, "--json")
    evaluation = json.loads(out)

    assert code == 1
    assert set(evaluation) == {
        "schema", "as_of", "ruleset", "profile", "contract", "findings", "readiness", "trace",
    }  # fmt: skip
    (value,) = (e for e in evaluation["trace"] if e["field"] == "parcels[site].value")
    assert (value["value"], value["unit"]) == ("5931000", "INR")


def test_the_trace_shows_formula_inputs_and_source(case_folder):
    _, out, _ = zenops("evaluate", case_folder, "--trace")

    assert "  parcels[site].value = ₹59,31,000" in out
    assert "      row.rate = ₹9,00,000 per cent" in out
    assert "    psu@1/values/parcels.value" in out


def test_a_day_and_a_rule_set_can_be_chosen(case_folder):
    _, out, _ = zenops(
        "evaluate", case_folder, "--json", "--as-of", "2026-03-01", "--ruleset", "m5.4-v1@1"
    )
    evaluation = json.loads(out)

    assert evaluation["as_of"] == "2026-03-01"
    assert evaluation["ruleset"]["id"] == "m5.4-v1"


def test_a_bundle_is_built_with_its_digest_told(case_folder, tmp_path):
    code, out, err = zenops("build", case_folder, "-o", tmp_path / "b.zip", "--json")
    built = json.loads(out)

    assert (code, err) == (1, "")
    assert built["ready"] is False
    _, text, _ = zenops("build", case_folder, "-o", tmp_path / "b.zip")
    assert f"Digest  {built['digest']}" in text


def test_a_sound_bundle_is_verified_with_exit_code_0(built):
    code, out, err = zenops("verify", built, "--recompute")

    assert (code, err) == (0, "")
    assert "all figures and findings equal" in out


def test_a_demanded_digest_must_be_the_bundles_own(built):
    digest = json.loads(zenops("verify", built, "--json")[1])["digest"]

    assert zenops("verify", built, "--digest", digest.upper())[0] == 0
    code, _, err = zenops("verify", built, "--digest", "0" * 64)
    assert code == 1
    assert digest in err


def test_a_bundle_that_differs_gives_exit_code_1_and_what_is_none_2(built, case_folder):
    data = bytearray(built.read_bytes())
    data[data.index(b"State Bank")] ^= 1
    built.write_bytes(data)

    code, out, _ = zenops("verify", built, "--json")
    assert code == 1
    assert json.loads(out)["changed"] == ["data/contract.json"]
    assert zenops("verify", case_folder / "case.yaml")[0] == 2


def test_keys_are_made_and_bundles_signed_and_checked_with_the_public_half(built, tmp_path):
    key = tmp_path / "firm.key"

    assert zenops("keygen", key)[0] == 0
    assert zenops("verify", built, "--public-key", f"{key}.pub")[0] == 1
    assert zenops("sign", built, "--key", key, "--signer", "A firm")[0] == 0
    code, out, _ = zenops("verify", built, "--public-key", f"{key}.pub")
    assert code == 0
    assert "by A firm" in out
    assert zenops("keygen", key)[0] == 2


def test_a_damaged_bundle_is_not_signed(built, tmp_path):
    zenops("keygen", tmp_path / "firm.key")
    built.write_bytes(built.read_bytes()[:-1])
    before = built.read_bytes()

    assert zenops("sign", built, "--key", tmp_path / "firm.key")[0] == 2
    assert built.read_bytes() == before


def test_a_figure_is_explained_in_words(case_folder):
    code, out, _ = zenops("explain", case_folder, "parcels[site].value")

    assert code == 0
    assert out.startswith(
        "Value of the parcel of Site is ₹59,31,000: "
        "extent considered (6.59 cent) times rate (₹9,00,000 per cent)."
    )
    code, _, err = zenops("explain", case_folder, "land_vlaue")
    assert code == 2
    assert "land_value" in err


BAD_CASES = {
    "binary": b"\x00\x01\xff\xfe" * 50,
    "empty": b"",
    "truncated": CASE[: CASE.index("6.59")].encode(),
    "misspelt": CASE.replace("property:", "propety:").encode(),
    "huge": b"a" * 16_000_001,
    "deep": b"[" * 100_000,
    "alias bomb": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "long number": b"case: x\ncontract: {meta: {report_type: " + b"9" * 5_000 + b"}}",
}


@pytest.mark.parametrize("command", ["evaluate", "build", "explain"])
@pytest.mark.parametrize("name", [*BAD_CASES, "missing", "folder", "link", "nothing", "device"])
def test_bad_input_gives_named_problems_exit_code_2_and_changes_nothing(tmp_path, command, name):
    path = tmp_path / "case.yaml"
    if name in BAD_CASES:
        path.write_bytes(BAD_CASES[name])
    elif name == "folder":
        path.mkdir()
    elif name == "link":
        (tmp_path / "real.yaml").write_text(CASE, encoding="utf-8")
        path.symlink_to(tmp_path / "real.yaml")
    elif name == "device":
        path = "/dev/zero"
    elif name == "nothing":
        path = ""
    before = sorted(tmp_path.iterdir())
    more = {"build": ["-o", tmp_path / "out.zip"], "explain": ["fmv"]}.get(command, [])

    code, out, err = zenops(command, path, *more)

    assert (code, out) == (2, "")
    assert re.search(r"error E\d{3}: ", err)
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


def test_problems_are_json_where_json_is_asked_for(tmp_path):
    (tmp_path / "case.yaml").write_bytes(BAD_CASES["misspelt"])

    code, out, err = zenops("evaluate", tmp_path, "--json")

    assert (code, out) == (2, "")
    (problem, *_) = json.loads(err)["problems"]
    assert problem["code"] == "E401"
    assert (problem["line"], problem["column"]) == (7, 3)
    assert set(problem) >= {"what", "why", "fix", "file", "field"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["evaluate", "case", "--as-of", "31.3.2026"],
        ["evaluate", "case", "--no-such-option"],
        ["no-such-command"],
        ["build", "case"],
        ["golden"],
        [],
    ],
)
def test_wrong_usage_gives_exit_code_2(arguments):
    code, _, err = zenops(*arguments)

    assert code == 2
    assert "Traceback" not in err


def test_a_data_folder_without_rules_is_named(case_folder, tmp_path):
    code, _, err = zenops("evaluate", case_folder, "--data", tmp_path)

    assert code == 2
    assert "--data FOLDER" in err


def test_a_rule_set_with_a_fault_is_told_at_its_line(case_folder, tmp_path):
    folder = tmp_path / "variants/firm"
    folder.mkdir(parents=True)
    (folder / "ruleset.yaml").write_text(
        "ruleset: firm\nversion: 1\nextends: psu@1\ntitle: A firm\n"
        "effective: {from: 2010-01-01}\n"
        "values:\n  fmv: {formula: land_vlaue + building_value}\n",
        encoding="utf-8",
    )

    code, _, err = zenops("evaluate", case_folder, "--variants", folder.parent, "--ruleset", "firm")

    assert code == 2
    assert "ruleset.yaml:7:" in err
    assert "Did you mean 'land_value'" in err


@pytest.mark.parametrize(
    ("locale", "coding"),
    [
        ("C", {}),
        ("en_US.ISO-8859-1", {}),
        ("POSIX", {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}),
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_every_terminal_is_served(case_folder, locale, coding, more):
    done = subprocess.run(
        [*ZENOPS, "evaluate", str(case_folder), *more], capture_output=True, check=False,
        env={**os.environ, "LC_ALL": locale, "PYTHONPATH": str(ROOT), **coding},
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (1, b"")
    if more:
        assert json.loads(done.stdout.decode("utf-8"))["as_of"] == "2026-03-31"
    else:
        assert b"Fair market value" in done.stdout


def test_a_reader_that_stops_early_gets_no_stack_trace(case_folder):
    line = f"{sys.executable} -c 'from factory.command_line import main; main()' evaluate"
    done = subprocess.run(
        ["sh", "-c", f"{line} '{case_folder}' --trace | head -n 1"],
        capture_output=True, check=False, cwd=ROOT, text=True,
    )  # fmt: skip

    assert done.stdout == "A small house\n"
    assert done.stderr == ""


def test_help_loads_nothing_of_the_engine():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *ZENOPS[1:], "--help"],
        capture_output=True, check=True, cwd=ROOT, text=True,
    )  # fmt: skip

    assert "evaluate" in done.stdout
    loaded = set(re.findall(r"\|\s+(\S+)$", done.stderr, re.MULTILINE))
    assert not loaded & {"pydantic", "pint", "PIL", "polars", "cryptography", "yaml"}


def commands():
    """Every command by its words, with its options and arguments."""
    found = {}

    def walk(command, words):
        inner = getattr(command, "commands", None)
        if inner:
            for name, part in inner.items():
                walk(part, [*words, name])
        else:
            options = {
                name
                for parameter in command.params
                for name in parameter.opts
                if parameter.param_type_name == "option" and name not in {"--help", "-h"}
            }
            found[" ".join(words)] = options

    walk(typer.main.get_command(app), ["zenops"])
    return found


def test_every_command_and_option_is_documented_and_no_other():
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^## `(zenops [a-z ]+)`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    )

    documented = {
        name: set(re.findall(r"^- `(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))
        for name, text in sections.items()
    }
    assert documented == {
        name: {option for option in options if option.startswith("--")}
        for name, options in commands().items()
    }


def test_a_misspelt_section_of_a_rule_set_is_told_with_its_nearest_name(case_folder, tmp_path):
    folder = tmp_path / "variants/firm"
    folder.mkdir(parents=True)
    (folder / "ruleset.yaml").write_text(
        "ruleset: firm\nversion: 1\ntitle: A firm\nvaleus: {}\n", encoding="utf-8"
    )

    code, _, err = zenops("evaluate", case_folder, "--variants", folder.parent)

    assert code == 2
    assert "ruleset.yaml:4:1: error E401" in err
    assert "values" in err
