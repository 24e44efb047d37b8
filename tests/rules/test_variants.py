"""How a variant is put together with its base, and what a rule set is when it is resolved."""

from decimal import Decimal as D  # noqa: N817

from contracts.case import Case
from contracts.document import Document
from engine.catalogue import make_catalogue
from engine.evaluation import examine
from engine.rules.source import read_rule_set, resolve
from tests.rules.made import HEAD, catalogue_of, contract_of, source_of, units

BASE = """
ruleset: base
version: 1
abstract: true
title: What banks have in common
parameters:
  share: {unit: percent}
  limit: {value: 10 INR, source: base}
inputs:
  a: {from: valuation_inputs.land_value, unit: INR, label: Land}
  floors: {from: property.floors, columns: {age: {unit: year}, life: {unit: year, max: 90 year}}}
values:
  x: {label: X, formula: a * share, unit: INR, round: nearest 1, source: base}
  y: {formula: x + limit, unit: INR, round: none}
decisions:
  size:
    hit: first
    rows: [{a: "> limit", then: large}, {then: small}]
findings:
  LARGE: {severity: note, when: a > limit, message: m, remedy: r}
"""
VARIANT = HEAD + "extends: base@1\nparameters:\n  share: {value: 50 %}\n"


def evaluated(*texts, name="made", **inputs):
    catalogue, problems = catalogue_of(*texts, head="")
    assert problems == "", problems
    case = Case(case="x", contract=contract_of({"valuation_inputs": inputs}), ruleset=name)
    return examine(case, catalogue)


def test_a_parameter_that_the_base_leaves_open_is_filled_by_its_variants():
    assert evaluated(VARIANT, BASE, land_value=5).figures.value("x") == 3

    bare = VARIANT.replace("parameters:\n  share: {value: 50 %}\n", "")
    _, problems = catalogue_of(bare, BASE, head="")
    assert "error E219: parameter 'share' has no value" in problems


def test_values_are_merged_key_by_key():
    figures = evaluated(
        VARIANT + "values:\n  x: {round: floor 1}\n  y: {formula: x}\n", BASE, land_value=5
    ).figures

    # 2.5 cut to 2; the formula, unit, label and source are the base's.
    assert figures.value("x") == 2
    assert figures.value("y") == 2
    step = figures.compiled.steps_by_address["x"]
    assert (step.label, step.source, step.rounding) == ("X", "base", "floor 1")


def test_columns_are_merged_by_name_and_inputs_by_key():
    variant = (
        VARIANT + "inputs:\n  a: {label: Plot}\n"
        "  floors: {columns: {life: {unit: year}, rate: {unit: INR/area}}}\n"
    )
    catalogue, problems = catalogue_of(variant, BASE, head="")
    assert problems == ""
    facts = catalogue.compiled(catalogue.rule_sets["made@1"]).plan

    columns = {column.address: column for column in facts.tables[0].columns}
    assert sorted(columns) == ["floors.age", "floors.label", "floors.life", "floors.rate"]
    # A column is replaced as a whole, so the bound of the base is gone.
    assert columns["floors.life"].most is None
    assert [(fact.address, fact.label) for fact in facts.scalars] == [("a", "Plot")]


def test_parameters_decisions_and_findings_are_replaced_as_a_whole():
    variant = (
        VARIANT + "  limit: {value: 100 INR}\n"
        "decisions:\n  size: {hit: first, rows: [{then: any}]}\n"
        "findings:\n  LARGE: {severity: error, when: a > limit, message: n, remedy: s}\n"
    )
    examination = evaluated(variant, BASE, land_value=101)

    assert examination.figures.value("size") == "any"
    assert examination.figures.parameters["limit"].source == ""
    (found,) = [f for f in examination.evaluation.findings if f.code == "LARGE"]
    assert (found.severity, found.message) == ("error", "n")


def test_what_is_dropped_is_gone_and_a_misspelt_drop_is_told():
    figures = evaluated(VARIANT + "drop: [y, LARGE]\n", BASE, land_value=101).figures
    assert "y" not in figures.compiled.kinds
    assert figures.compiled.findings == ()

    _, problems = catalogue_of(VARIANT + "drop: [LRAGE]\n", BASE, head="")
    assert "'LRAGE' cannot be dropped" in problems
    assert "Did you mean 'LARGE'?" in problems


def test_what_others_need_cannot_be_dropped():
    _, problems = catalogue_of(VARIANT + "drop: [x]\n", BASE, head="")

    assert "unknown name 'x'" in problems


def test_a_fault_of_the_base_is_told_at_the_base_once():
    base = BASE.replace("x + limit", "x + limti")
    other = VARIANT.replace("ruleset: made", "ruleset: other")
    catalogue, problems = catalogue_of(VARIANT, base, other, head="")

    assert problems.count("unknown name 'limti'") == 1
    assert problems.startswith("made1.yaml:14:20: error E203")
    assert catalogue.check()


def test_a_fault_of_a_variant_is_told_at_the_variant():
    variant = VARIANT + "inputs:\n  floors: {columns: {lfe: {unit: year}}}\n"
    _, problems = catalogue_of(variant, BASE, head="")

    assert problems.startswith("made.yaml:11:22: error E210: a row of property.floors has no 'lfe'")


def test_sets_extend_one_another_in_a_chain():
    middle = BASE.replace("ruleset: base", "ruleset: middle").split("parameters:", maxsplit=1)[0]
    middle += "extends: base@1\nparameters:\n  share: {value: 20 %}\n"
    last = HEAD + "extends: middle@1\nvalues:\n  y: {formula: x * 2}\n"
    examination = evaluated(last, BASE, middle, land_value=10)

    assert (examination.figures.value("x"), examination.figures.value("y")) == (2, 4)
    resolved = examination.figures.compiled.resolved
    assert resolved.lineage == ("base@1", "middle@1", "made@1")


def test_a_circle_of_sets_is_told_where_it_closes():
    left = HEAD + "extends: right@1\n"
    right = HEAD.replace("made", "right") + "extends: made@1\n"
    catalogue, problems = catalogue_of(left, right, head="")

    assert "a set extends itself: made@1 extends right@1 extends made@1" in problems
    assert catalogue.rule_sets == {}


def test_title_dates_and_what_a_set_is_for_come_from_the_nearest():
    base = BASE + "effective: {from: 2010-01-01}\napplies_to: {report_type: [DPR]}\n"
    bare = "ruleset: made\nversion: 1\nextends: base@1\nparameters:\n  share: {value: 1 %}\n"
    catalogue, problems = catalogue_of(bare, base, head="")
    assert problems == ""
    resolved = catalogue.rule_sets["made@1"]

    assert resolved.title == "What banks have in common"
    assert resolved.applies_to.report_type == ("DPR",)
    assert str(resolved.effective.from_) == "2010-01-01"
    # What is not said to be published is a draft, and abstract is never inherited.
    assert (resolved.status, resolved.abstract) == ("draft", False)


def resolved_of(text, base=BASE):
    sources = [source_of(part, head="")[0] for part in (text, base)]
    resolved, problems = resolve(sources[0], {source.reference: source for source in sources})
    assert resolved is not None, problems
    return resolved


def test_the_digest_is_of_what_decides_a_result_and_of_nothing_else():
    digest = resolved_of(VARIANT).digest

    same = [
        VARIANT.replace("status: published", "status: retired"),
        "# a remark\n" + VARIANT,
        VARIANT.replace("share: {value: 50 %}", 'share: {"value": "50 %"}'),
    ]
    other = [
        VARIANT.replace("50 %", "51 %"),
        VARIANT + "drop: [LARGE]\n",
        VARIANT.replace("version: 1", "version: 2"),
    ]
    assert [resolved_of(text).digest == digest for text in same] == [True, True, True]
    assert [resolved_of(text).digest == digest for text in other] == [False, False, False]
    # A change of the base is a change of every set that extends it.
    assert resolved_of(VARIANT, BASE.replace("10 INR", "11 INR")).digest != digest


def test_a_resolved_set_written_as_one_file_is_the_same_set():
    resolved = resolved_of(VARIANT)
    file = {key: part for key, part in resolved.canonical.items() if key != "schema"}
    source, problems = read_rule_set([Document.of_values(file, "ruleset.json")])
    assert source is not None, problems
    again, problems = resolve(source, {source.reference: source})

    assert problems == ()
    assert again.digest == resolved.digest


def test_two_folders_with_one_version_are_told():
    _, problems = catalogue_of(HEAD, HEAD, head="")

    assert "made@1 is also in made.yaml" in problems


def test_files_of_one_set_share_its_sections():
    texts = {
        "values.yaml": "values:\n  x: {formula: a, unit: INR, round: none}\n",
        "ruleset.yaml": HEAD + "inputs:\n  a: {from: valuation_inputs.land_value, unit: INR}\n",
    }
    documents = [source_of(text, name, head="")[2] for name, text in texts.items()]
    source, problems = read_rule_set(documents)
    assert problems == ()
    catalogue, problems = make_catalogue([source], units=units())
    assert problems == ()
    case = Case(case="x", contract=contract_of({"valuation_inputs": {"land_value": 5}}))

    assert examine(case, catalogue, ruleset="made").figures.value("x") == D(5)


def test_a_file_that_is_not_of_the_right_shape_leaves_no_set():
    source, problems, _ = source_of("values: {x: {formla: a}}")

    assert source is None
    assert "E401" in {problem.code for problem in problems}


def test_a_misspelt_base_is_told_with_the_nearest():
    _, problems = catalogue_of(VARIANT.replace("base@1", "bsae@1"), BASE, head="")

    assert "there is no rule set 'bsae@1' to extend" in problems
    assert "Did you mean 'base@1'?" in problems
