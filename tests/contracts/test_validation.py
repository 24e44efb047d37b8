"""Cases and contracts: what does not fit is said at its place, in the words of the trade."""

import contextlib
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from contracts.case import Case, read_case
from contracts.contract import Contract
from contracts.dates import parse_day, parse_moment
from contracts.document import Document
from contracts.evaluation import Evaluation
from contracts.exact_json import read_json
from contracts.problems import CODES, LINE_BREAK
from contracts.quantities import Quantity, QuantityError, parse_quantity, quantity_from
from contracts.shapes import at, hint, homes
from contracts.strict_yaml import read_yaml
from contracts.validation import validate
from tests.contracts.strategies import cases, json_values

HEAD = "case: a\ncontract:\n  meta: {report_type: VALUATION}\n"


def problems_of(text):
    case, problems = read_case(read_yaml(text, "case.yaml"))
    assert case is None
    return problems


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("  party: {brrower_name: A}", "E401", "Did you mean 'borrower_name'?"),
        ("  party: {land_area: 1 cent}", "E401", "is a field of contract.property: move it."),
        ("  party: {deed: 1 cent}", "E401", "a row of contract.property.parcels"),
        ("  party: {zzz: 1}", "E401", "Its fields are: addressee"),
        ("  property: {floors: [{zzz: 1}]}", "E401", "a row of 'floors'"),
        ("zzz: 1", "E401", "Its fields are: as_of"),
        ("evidence: [{key: a}]", "E402", "Add: type: DOCUMENT (one of"),
        ("parameters: {a: {value: 5}}", "E402", "Add: source: ..."),
        ("  valuation_inputs: {market_rate_range: [1 INR/sqft]}", "E402", "fewer than 2"),
        ("  property: {tenure: FREE}", "E403", "FREEHOLD or LEASEHOLD"),
        ("  property: {tenure: 5}", "E403", "Write one of these"),
        ("schema: case", "E403", "urn:zenops:case:1"),
        ("  property: {land_area: many}", "E404", "Write it like this: land_area: 6.59 cent"),
        ('  property: {land_area: "1,200 sqft"}', "E404", "without commas: 1200 sqft"),
        ('  property: {land_area: "1,x"}', "E404", "Write it like this"),
        ("  property: {land_area: {unit: cent}}", "E404", "{value: '6.59', unit: cent}"),
        ("  property: {land_area: {value: 1, unit: cent, x: 1}}", "E404", "it has no 'x'"),
        ("  property: {land_area: {value: 1 cent, unit: cent}}", "E404", "written twice"),
        ("  property: {land_area: {value: 1, unit: 5}}", "E404", "are texts"),
        ("  property: {land_area: [1]}", "E404", "a quantity is a number"),
        ("  property: {land_area: 1 2}", "E404", "needs its own unit"),
        ("  property: {land_area: ''}", "E404", "needs a number"),
        (f"  property: {{land_area: {'1' * 25} cent}}", "E404", "24 digits"),
        (f"  property: {{land_area: 1 {'x' * 200}}}", "E404", "200 characters"),
        ("  valuation_inputs: {building_rate: 1 INR 2 INR}", "E404", "one number with its unit"),
        ("  property: {coordinates: {latitude: true}}", "E404", "plainly"),
        ("  property: {coordinates: {latitude: '1e3'}}", "E404", "not a plainly written number"),
        ("  property: {total_floors: true}", "E404", "true and false are not numbers"),
        ("  property: {address: 12}", "E405", 'Write: address: "12"'),
        ("  property: {address: [a]}", "E405", "'address' is a text, and a list is not"),
        ("  property: {address: true}", "E405", "a text, and true is not"),
        ("  property: {total_floors: 1.5}", "E405", "a whole number, and 1.5 is not"),
        ("  property: {plot_demarcated: 'no'}", "E405", "true or false, and 'no' is not"),
        ("  property: {floors: x}", "E405", "Write it like this: floors: [{id: ...}]"),
        ("  property: {floors: [x]}", "E405", "this row of 'floors'"),
        ("  property: {site: x}", "E405", "{name: value}"),
        ("  manual_fields: {checklist_json: [a]}", "E405", "a mapping"),
        ("  valuation_inputs: {valuation_date: 20260331}", "E406", "2026-03-31"),
        ("  valuation_inputs: {valuation_date: 2026-02-30}", "E406", "no such day"),
        ("  valuation_inputs: {valuation_date: 5-3-2026}", "E406", "valuation_date: 2026-03-05"),
        ("  audit: {created_at: 2026-03-31T25:00}", "E406", "no such moment"),
        ("  audit: {created_at: now}", "E406", "A moment is written as"),
        ("  property: {year_built: 1200}", "E407", "at least 1500"),
        ("  property: {year_built: 3000}", "E407", "at most 2200"),
        ("  accepted_findings: [{code: A, name: '', reason: b}]", "E407", "is empty"),
        (f"  property: {{city: {'x' * 4001}}}", "E407", "longer than 4000"),
        ("  property: {floors: [{id: a b}]}", "E407", "Write: id: a-b"),
        ("  property: {floors: [{id: '€'}]}", "E407", "fixed form"),
        ("evidence: [{key: a, type: GEO, file: /etc/x}]", "E410", "inside the case's folder"),
        ("evidence: [{key: a, type: GEO, file: 'C:x'}]", "E410", "inside the case's folder"),
        ("evidence: [{key: a, type: GEO, file: a/../b}]", "E410", "leaves"),
        ("evidence: [{key: a, type: GEO, file: a//b}]", "E410", "leaves"),
        ("evidence: [{key: a, type: GEO, file: 'a?b'}]", "E410", "a character"),
        (f"evidence: [{{key: a, type: GEO, file: {'x' * 256}}}]", "E410", "255"),
        ("evidence: [{key: a, type: GEO, file: 5}]", "E405", "a text"),
        ("  property: {floors: [{id: a}, {}, {id: a}]}", "E411", "another id"),
        ("links: [{field: a, evidence: b}]", "E412", "Add the piece"),
        ("evidence: x\nlinks: x", "E405", "a list of entries"),
        ("evidence: [x]\nlinks: [x]", "E405", "this row of 'evidence'"),
    ],
)
def test_a_fault_in_a_case_is_said_with_its_cure(line, code, words):
    problem = problems_of(HEAD + line + "\n")[0]

    assert problem.code == code
    assert words in f"{problem.what} {problem.why} {problem.fix}"
    assert problem.line >= 4
    assert code in CODES


@pytest.mark.parametrize("text", ["[1]", "5", "null", "x"])
def test_a_file_that_is_no_mapping_is_no_case(text):
    assert [problem.code for problem in problems_of(text)] == ["E405"]


def test_a_file_that_could_not_be_read_says_only_that():
    assert [problem.code for problem in problems_of("a: [")] == ["E102"]


def test_a_place_that_could_not_be_read_is_reported_once():
    codes = [problem.code for problem in problems_of(HEAD + "  property: {plot_demarcated: NO}\n")]

    assert codes == ["E103"]


def test_a_bare_contract_is_a_case():
    case, problems = read_case(read_yaml("meta: {report_type: DPR}\n", "contract.yaml"))

    assert problems == ()
    assert case == Case.from_contract(Contract.model_validate({"meta": {"report_type": "DPR"}}))
    assert read_case(read_yaml("meta: {}\n", "contract.yaml"))[0] is None


def test_a_checklist_may_use_ids_as_it_likes():
    text = HEAD + "  manual_fields: {checklist_json: {rows: [{id: a, n: 1}, {id: a}]}}\n"
    case, problems = read_case(read_yaml(text, "case.yaml"))

    assert problems == ()
    assert case.contract.manual_fields.checklist_json == {
        "rows": [{"id": "a", "n": "1"}, {"id": "a"}]
    }


def test_what_is_expected_of_a_figure_is_a_quantity_or_a_text():
    text = HEAD + "expect: {values: {a: 7.71 %, b: NA, c: null, d: 5, e: true}}\n"
    case, _ = read_case(read_yaml(text, "case.yaml"))

    assert case.expect.values == {
        "a": parse_quantity("7.71 percent"),
        "b": "NA",
        "c": None,
        "d": parse_quantity("5"),
        "e": True,
    }


def test_a_part_of_a_document_is_read_at_its_path():
    document = read_yaml("cases:\n  - meta: {report_type: DPX}\n", "x.yaml")
    contract, problems = validate(Contract, document, ("cases", 0))

    assert contract is None
    assert (problems[0].line, problems[0].column) == (2, 25)
    assert problems[0].field == "cases[1].meta.report_type"


def test_values_without_a_text_are_validated_too():
    assert validate(Contract, Document.of_values({"meta": {"report_type": "DPR"}}))[0] is not None
    contract, problems = validate(Contract, Document.of_values({"meta": {}, "party": 5}))

    assert contract is None
    assert [problem.code for problem in problems] == ["E402", "E405"]


@settings(max_examples=40, deadline=None)
@given(json_values)
def test_any_values_give_a_case_or_problems(value):
    for wrapped in (value, {"case": "a", "contract": value}, {"meta": value}):
        case, problems = read_case(Document.of_values(wrapped))
        assert (case is None) == bool(problems)


@settings(max_examples=30, deadline=None)
@given(cases, st.data())
def test_a_case_with_one_value_spoilt_is_read_or_refused_at_a_place(case, data):
    from contracts.canonical_json import canonical_json

    text = canonical_json(case).decode()
    start = data.draw(st.integers(0, len(text) - 1))
    spoilt = (
        text[:start] + data.draw(st.sampled_from(['"', "{", "0", ",", "x", ""])) + text[start + 1 :]
    )
    document = read_json(spoilt, "x.json")
    _, problems = read_case(document)
    lines = LINE_BREAK.split(document.text)
    assert all(1 <= problem.line <= len(lines) for problem in problems)


# Models of other pieces


def refuse(text):
    if text == "coded":
        raise PydanticCustomError("E299", "no {thing}", {"thing": "cake", "why": "W", "fix": "F"})
    raise ValueError("never this")


class Small(BaseModel, extra="forbid"):
    kind: Literal["A"] | tuple[Literal["A", "B"], ...] = "A"
    part: Annotated[dict[str, "Small"], Field(min_length=1)] | None = None
    either: "Small | str | None" = None
    few: Annotated[tuple[Annotated[int, Field(gt=1, lt=9)], ...], Field(max_length=2)] = ()
    own: Annotated[str | None, AfterValidator(refuse), Field(alias="my own")] = None


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("kind: C", "E403", "It is A or B."),
        ("kind: [C]", "E403", "It is A or B."),
        ("part: {}", "E407", "fewer entries"),
        ("part: {x: {knd: A}}", "E401", "'kind'"),
        ("either: {knd: A}", "E401", "'kind'"),
        ("either: {either: {knd: A}}", "E401", "'kind'"),
        ("either: [1]", "E405", "a mapping: lines of names and values or a text"),
        ("few: [0]", "E407", "more than 1"),
        ("few: [10]", "E407", "less than 9"),
        ("few: [2, 3, 4]", "E407", "more entries"),
        ("my own: coded", "E299", "no cake W F"),
        ("my own: x", "E405", "never this"),
        ("own: x", "E401", "Did you mean 'my own'?"),
    ],
)
def test_models_of_any_shape_are_explained(text, code, words):
    result, problems = validate(Small, read_yaml(text, "x.yaml"))

    assert result is None
    assert [problem.code for problem in problems] == [code]
    assert words in f"{problems[0].what} {problems[0].why} {problems[0].fix}"


def test_a_dataclass_is_read_like_a_model():
    evaluation, problems = validate(Evaluation, read_json('{"as_of": "x", "oops": 1}', "e.json"))

    assert evaluation is None
    assert {problem.code for problem in problems} == {"E401", "E402", "E406"}


def test_a_value_of_an_evaluation_is_written_as_its_unit_asks():
    text = '{"field": "a", "value": "1e3", "unit": "INR", "rule": "r"}'
    _, problems = validate(Evaluation, read_json(f'{{"trace": [{text}]}}', "e.json"))

    assert "E404" in [problem.code for problem in problems]


def test_the_shape_of_a_place_that_is_not_there_is_nothing():
    assert at(Contract, ("nowhere",)) == ()
    assert at(Contract, ("meta", 0)) == ()
    assert at(Contract, ("valuation_inputs", "market_rate_range", 5)) == ()
    assert hint(at(Contract, ("meta", "report_type"))).endswith("REVALUATION or STAGE_PROGRESS")
    assert homes(Contract)["roof"] == ("a row of property.floors",)


# Quantities and dates


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("0123456789. ,-₹%/abceINRsper\n\t")) | st.text())
def test_any_text_is_a_quantity_that_is_written_as_it_is_read_or_is_refused(text):
    try:
        quantity = parse_quantity(text)
    except QuantityError:
        return
    assert parse_quantity(str(quantity)) == quantity


@settings(max_examples=100, deadline=None)
@given(json_values)
def test_any_value_is_a_quantity_or_is_refused(value):
    with contextlib.suppress(QuantityError):
        assert isinstance(quantity_from(value, "INR"), Quantity)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("6.59 cent", "6.59 cent"),
        ("5 crore INR", "50000000 INR"),
        ("₹ 5 lakh", "500000 INR"),
        ("Rs. 2000 per sqft", "2000 INR/sqft"),
        ("2000 per sqft", "2000 INR/sqft"),
        ("3 bigha 2 katha", "3 bigha 2 katha"),
        ("7.71 %", "7.71 percent"),
        ("-0", "0"),
    ],
)
def test_quantities_are_written_in_one_way(text, written):
    assert str(parse_quantity(text)) == written


def test_a_rate_without_money_is_money_per_that_unit():
    contract = Contract.model_validate(
        {
            "meta": {"report_type": "VALUATION"},
            "valuation_inputs": {
                "market_rate_input": {"value": Decimal(2000), "unit": "sqft"},
                "building_rate": "5 INR",
            },
        }
    )

    assert str(contract.valuation_inputs.market_rate_input) == "2000 INR/sqft"
    assert str(contract.valuation_inputs.building_rate) == "5 INR"


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), 1.5, "", True])
def test_what_is_no_finite_decimal_is_no_number(value):
    raw = {"meta": {"report_type": "DPR"}, "property": {"coordinates": {"latitude": value}}}

    assert validate(Contract, Document.of_values(raw))[1][0].code == "E404"


def test_a_quantity_keeps_the_place_whose_units_are_meant():
    one = quantity_from({"value": "5", "unit": "bigha", "place": "Assam"}, None)
    several = quantity_from({"value": "3 bigha 2 katha", "place": "Assam"}, None)

    assert one.to_json() == {"value": "5", "unit": "bigha", "place": "Assam"}
    assert several.to_json() == {"value": "3 bigha 2 katha", "place": "Assam"}
    assert quantity_from(one, "INR") is one


@pytest.mark.parametrize("parse", [parse_day, parse_moment])
@pytest.mark.parametrize("raw", ["", "2026-3-1", "20260331", 5, None, "2026-13-01", "2026-W01-1"])
def test_nothing_is_guessed_to_be_a_date(parse, raw):
    with pytest.raises(ValueError, match=r"written as|no such"):
        parse(raw)
