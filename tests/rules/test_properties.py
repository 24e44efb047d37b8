"""What holds for every case and every shipped rule set, whatever is in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.canonical_json import canonical_json
from contracts.case import Case, read_case
from contracts.document import Document
from contracts.evaluation import Evaluation
from contracts.evidence import Evidence
from contracts.exact_json import read_json
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from engine.catalogue import make_catalogue
from engine.evaluation import evaluate
from engine.rules.source import read_rule_set
from factory.catalogue import read_catalogue
from tests.contracts.strategies import cases, instances
from tests.rules.made import units
from tests.rules.recomputed import is_held, recomputed
from tests.rules.strategies import cases_for

ROOT = Path(__file__).parents[2]
FIXTURES = sorted(path.name for path in (ROOT / "fixtures/cases").iterdir() if path.is_dir())
CAREFUL = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@cache
def catalogue():
    library = read_catalogue(ROOT, variants=(ROOT / "fixtures/variants",))
    assert library.catalogue, library.problems
    return library.catalogue


@cache
def fixture(name: str):
    path = ROOT / "fixtures/cases" / name / "case.yaml"
    case, problems = read_case(read_yaml(path.read_text("utf-8"), name))
    assert case, problems
    return case


SETS = sorted(
    path.parent.name
    for folder in ("rules", "fixtures/variants")
    for path in (ROOT / folder).glob("*/ruleset.yaml")
    if "abstract: true" not in path.read_text("utf-8")
)


def compiled(name: str):
    rule_set = next(
        found for found in catalogue().rule_sets.values() if found.id == name and not found.abstract
    )
    return catalogue().compiled(rule_set)


def assert_trace_tells_the_truth(evaluation: Evaluation) -> None:
    for entry in evaluation.trace:
        if "/decisions/" in entry.rule:
            continue
        unrounded, value = recomputed(entry)
        assert unrounded == entry.unrounded, entry
        if not is_held(value, entry.rounding):
            value = None
        expected = value if entry.given is None else entry.given
        assert expected == entry.value, entry


def read_back(evaluation: Evaluation) -> Evaluation:
    document = read_json(canonical_json(evaluation).decode(), "evaluation.json")
    found, problems = validate(Evaluation, document)
    assert found is not None, problems
    return found


@pytest.mark.parametrize("name", FIXTURES)
def test_every_figure_of_a_fixture_case_follows_from_its_own_trace(name):
    assert_trace_tells_the_truth(evaluate(fixture(name), catalogue()))


@pytest.mark.parametrize("name", FIXTURES)
def test_an_evaluation_of_a_fixture_case_is_read_back_as_it_was_written(name):
    evaluation = evaluate(fixture(name), catalogue())

    assert read_back(evaluation) == evaluation


@pytest.mark.parametrize("name", SETS)
def test_any_facts_give_an_evaluation_whose_trace_tells_the_truth(name):
    @CAREFUL
    @given(cases_for(compiled(name)))
    def check(case):
        evaluation = evaluate(case, catalogue())
        bare = evaluate(case, catalogue(), trace=False)

        assert_trace_tells_the_truth(evaluation)
        assert (bare.contract, bare.findings, bare.readiness) == (
            evaluation.contract,
            evaluation.findings,
            evaluation.readiness,
        )
        assert read_back(evaluation) == evaluation

    check()


@settings(CAREFUL, max_examples=100)
@given(cases)
def test_any_case_of_the_right_shape_gives_an_evaluation(case):
    evaluation = evaluate(case, catalogue())

    assert read_back(evaluation) == evaluation


@settings(CAREFUL, max_examples=60)
@given(st.sampled_from(FIXTURES), st.lists(instances(Evidence), min_size=1, max_size=4), st.data())
def test_more_evidence_never_lowers_the_completeness_score(name, more, data):
    """Pieces of evidence come and go; whatever subset there was, the whole is no worse."""
    case = fixture(name)
    keys = {item.key for item in case.evidence}
    whole = (*case.evidence, *(item for item in more if item.key not in keys))
    whole = tuple({item.key: item for item in whole}.values())
    kept = data.draw(st.lists(st.sampled_from(whole), unique_by=lambda item: item.key))
    links = tuple(link for link in case.links if link.evidence in {item.key for item in kept})
    before = case.model_copy(update={"evidence": tuple(kept), "links": links})
    after = case.model_copy(update={"evidence": whole})

    assert score(after) >= score(before)


def score(case) -> int:
    return evaluate(case, catalogue(), trace=False).readiness.completeness_score


def shuffled(random, value):
    """The same mappings with their names in another order; lists keep theirs."""
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: shuffled(random, value[name]) for name in names}
    return [shuffled(random, item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_names_and_files_changes_no_byte(seed):
    random = Random(seed)  # noqa: S311
    documents = {}
    for folder in ("rules", "fixtures/variants"):
        for path in (ROOT / folder).glob("*/*.yaml"):
            documents.setdefault(path.parent, []).append(read_yaml(path.read_text("utf-8"), "f"))
    folders = list(documents)
    random.shuffle(folders)
    sources = []
    for folder in folders:
        parts = [
            Document.of_values(shuffled(random, document.value)) for document in documents[folder]
        ]
        random.shuffle(parts)
        source, problems = read_rule_set(parts)
        assert source is not None, problems
        sources.append(source)
    base = catalogue()
    again, problems = make_catalogue(
        sources,
        units=units(),
        profiles=base.profiles,
        field_definitions=base.field_definitions,
        banks=base.banks,
    )
    assert problems == ()

    for name in random.sample(FIXTURES, 6):
        assert canonical_json(evaluate(fixture(name), again)) == canonical_json(
            evaluate(fixture(name), base)
        )


_OTHER_PROCESS = """
import hashlib, sys
from contracts.canonical_json import canonical_json
from engine.evaluation import evaluate
from tests.rules.test_properties import FIXTURES, catalogue, fixture
for name in FIXTURES[::4]:
    print(name, hashlib.sha256(canonical_json(evaluate(fixture(name), catalogue()))).hexdigest())
"""


def test_two_processes_with_other_hash_seeds_give_the_same_bytes():
    told = [
        subprocess.run(
            [sys.executable, "-c", _OTHER_PROCESS],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("4711", "Asia/Kolkata"))
    ]

    assert told[0] == told[1]
    assert told[0].count("\n") == len(FIXTURES[::4])


def test_a_bare_number_of_twenty_digits_in_json_survives_to_the_last_digit():
    text = (
        '{"case": "long", "ruleset": "psu", "contract": {"meta": {"report_type": "VALUATION"},'
        ' "valuation_inputs": {"land_value": 12345678901234567891,'
        ' "building_value": 98765432109876543210.12}}}'
    )
    case, problems = read_case(read_json(text, "case.json"))
    assert case is not None, problems

    evaluation = evaluate(case, catalogue())
    written = json.loads(canonical_json(evaluation.contract))

    assert written["valuation_inputs"]["land_value"] == "12345678901234567891 INR"
    assert written["valuation_inputs"]["building_value"] == "98765432109876543210.12 INR"
    # 12345678901234567891 + 98765432109876543210.12
    assert written["computed_values"]["FMV"] == "111111111011111111101.12 INR"
    assert read_back(evaluation) == evaluation


def test_a_bare_number_beyond_what_a_contract_holds_is_a_named_problem():
    text = (
        '{"case": "long", "contract": {"meta": {"report_type": "VALUATION"},'
        ' "valuation_inputs": {"land_value": 1234567890123456789012345}}}'
    )

    _, (problem,) = read_case(read_json(text, "case.json"))

    assert (problem.code, problem.field) == ("E404", "contract.valuation_inputs.land_value")


@pytest.mark.parametrize("years", [-935_000, -935_896, -936_050, -940_000])
def test_a_share_that_no_percentage_can_hold_does_not_end_the_run(years):
    """0.985 ** -935896 is about 10 ** 6143: the largest numbers end at 10 ** 6145."""
    contract = {
        "meta": {"report_type": "VALUATION", "bank_type": "OTHER"},
        "property": {"floors": [{"id": "r0", "age": f"{years} year"}]},
    }
    case = Case.model_validate({"case": "x", "ruleset": "textbook", "contract": contract})
    evaluation = evaluate(case, catalogue())
    bare = evaluate(case, catalogue(), trace=False)

    assert_trace_tells_the_truth(evaluation)
    assert bare.findings == evaluation.findings
    assert "FIGURES_OVERFLOW" not in {finding.code for finding in bare.findings}
