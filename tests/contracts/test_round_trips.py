"""What is written can be read again, to the last digit."""

from decimal import Decimal

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.canonical_json import NotPlainError, canonical_json, digest, to_plain
from contracts.case import Case
from contracts.contract import Contract
from contracts.evaluation import Evaluation
from contracts.exact_json import read_json
from contracts.patch import apply_patch
from contracts.problems import render_problems
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from tests.contracts.strategies import cases, contracts, evaluations


def _read_back(model, value):
    text = canonical_json(value).decode()
    result, problems = validate(model, read_json(text, "written.json"))
    assert render_problems(problems, {"written.json": text}) == ""
    return result


@settings(max_examples=60, deadline=None)
@given(contracts)
def test_a_contract_that_is_written_is_read_back_the_same(contract):
    assert _read_back(Contract, contract) == contract


@settings(max_examples=60, deadline=None)
@given(cases)
def test_a_case_that_is_written_is_read_back_the_same(case):
    assert _read_back(Case, case) == case


@settings(max_examples=40, deadline=None)
@given(evaluations)
def test_an_evaluation_that_is_written_is_read_back_the_same(evaluation):
    assert _read_back(Evaluation, evaluation) == evaluation


@settings(max_examples=40, deadline=None)
@given(contracts)
def test_canonical_json_read_as_yaml_is_the_same_contract(contract):
    text = canonical_json(contract).decode()
    document = read_yaml(text, "written.yaml")
    # YAML has line breaks and signs of its own that JSON texts may hold unescaped.
    if not document.problems:
        assert validate(Contract, document)[0] == contract


@settings(max_examples=40, deadline=None)
@given(contracts)
def test_a_patch_of_nothing_changes_nothing(contract):
    assert apply_patch(contract, {}) == (contract, ())


def test_a_twenty_digit_bare_number_survives_to_the_last_digit():
    document = read_json('{"a": 12345678901234567890.12345}', "x.json")

    assert document.value == {"a": Decimal("12345678901234567890.12345")}
    assert canonical_json(document.value) == b'{"a":"12345678901234567890.12345"}'


def test_members_are_sorted_and_decimals_are_written_plainly():
    value = {"b": Decimal("1E+3"), "a": Decimal("-0.00"), "€": None, "A": [True, "x"]}

    expected = '{"A":[true,"x"],"a":"0.00","b":"1000","€":null}'

    assert canonical_json(value).decode() == expected


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(PLAIN)
def test_the_text_is_the_one_of_rfc_8785(value):
    assert canonical_json(value) == rfc8785.dumps(value)


def test_members_are_sorted_as_rfc_8785_sorts_them_and_not_as_python_does():
    value = {"\N{GRINNING FACE}": 1, "\N{HEBREW LETTER ALEF WITH MAPIQ}": 2, "\x7f\u2028": 3}

    assert canonical_json(value) == rfc8785.dumps(value)
    assert list(value)[:2] != sorted(list(value)[:2])


@pytest.mark.parametrize("value", [2**53, -(2**53), [1, 10**30], {"a": 10**20}])
def test_whole_numbers_that_json_readers_round_are_refused(value):
    with pytest.raises(rfc8785.IntegerDomainError):
        canonical_json(value)


def test_what_is_absent_and_what_is_null_have_one_digest():
    one = Contract.model_validate({"meta": {"report_type": "DPR"}})
    two = Contract.model_validate({"meta": {"report_type": "DPR", "purpose": None}, "stage": None})

    assert digest(one) == digest(two)


@pytest.mark.parametrize("value", [1.5, {1: 2}, object(), {"a": {2.5}}])
def test_a_float_has_no_form_in_canonical_json(value):
    with pytest.raises(NotPlainError):
        to_plain(value)
