"""The schemas are valid, up to date, and take what the models take."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from contracts.canonical_json import to_plain
from contracts.json_schemas import DESCRIBED, json_schemas
from contracts.strict_yaml import read_yaml
from tests.contracts.strategies import cases, evaluations

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = json_schemas()


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_a_schema_is_valid_and_says_what_it_is(name):
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)

    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:zenops:schema:{name}"
    assert schema["title"] == DESCRIBED[name].title
    assert schema["description"]
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references <= set(schema.get("$defs", {}))


def test_the_schema_files_are_up_to_date():
    check = [sys.executable, "scripts/write_schemas.py", "--check"]

    assert subprocess.run(check, cwd=ROOT, check=False).returncode == 0


@settings(max_examples=30, deadline=None)
@given(cases)
def test_what_the_model_of_a_case_takes_its_schema_takes(case):
    Draft202012Validator(SCHEMAS["case"]).validate(to_plain(case))


@settings(max_examples=20, deadline=None)
@given(evaluations)
def test_what_the_model_of_an_evaluation_takes_its_schema_takes(evaluation):
    Draft202012Validator(SCHEMAS["evaluation"]).validate(to_plain(evaluation))


def test_a_schema_refuses_what_its_model_refuses():
    validator = Draft202012Validator(SCHEMAS["case"])

    for wrong in (
        {"case": "a"},
        {"case": "a b", "contract": {"meta": {"report_type": "DPR"}}},
        {"case": "a", "contract": {"meta": {"report_type": "X"}}},
        {"case": "a", "contract": {"meta": {"report_type": "DPR"}}, "x": 1},
        {"case": "a", "contract": {"meta": {"report_type": "DPR"}, "party": {"owners": 1}}},
        {"case": "a", "contract": {"meta": {"report_type": "DPR"}, "property": {"year_built": 1}}},
    ):
        assert not validator.is_valid(wrong)


_NAMED = [
    (path, match[1])
    for folder in ("rules", "profiles", "fixtures/cases", "fixtures/variants")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    if (match := re.search(r"yaml-language-server: \$schema=(\S+)", path.read_text("utf-8")))
]


@pytest.mark.parametrize(
    ("path", "schema"), _NAMED, ids=[str(path.relative_to(ROOT)) for path, _ in _NAMED]
)
def test_a_file_that_names_its_schema_is_valid_by_it(path, schema):
    target = (path.parent / schema).resolve()
    document = read_yaml(path.read_text("utf-8"), path.name)
    validator = Draft202012Validator(json.loads(target.read_text("utf-8")))
    faults = [
        f"{fault.json_path}: {fault.message[:200]}"
        for fault in validator.iter_errors(_as_an_editor_reads(document.value))
    ]

    assert faults == []


def _as_an_editor_reads(value):
    if isinstance(value, dict):
        return {key: _as_an_editor_reads(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_an_editor_reads(inner) for inner in value]
    if value is None or isinstance(value, str | bool):
        return value
    return int(value) if value == int(value) else float(value)
