"""Figures worked out again from their formulas, apart from the code that computed them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from contracts.evaluation import NamedValue, TraceEntry
from factory.report.recomputation import Otherwise, recompute
from tests.report.conftest import NAMES, parts_named


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_a_fixture_case_is_what_its_formula_gives(name):
    evaluation = parts_named(name).evaluation
    again, otherwise = recompute(evaluation)
    assert otherwise == ()
    assert [entry.value for entry in again.trace] == [entry.value for entry in evaluation.trace]


def changed(name, field, **parts):
    """The evaluation of a fixture case with another entry in its trace."""
    evaluation = parts_named(name).evaluation
    trace = tuple(
        replace(entry, **parts) if entry.field == field else entry for entry in evaluation.trace
    )
    assert trace != evaluation.trace
    return replace(evaluation, trace=trace)


def figure(evaluation, field):
    """A figure of a trace."""
    return next(entry.value for entry in evaluation.trace if entry.field == field)


@pytest.mark.parametrize(
    "name", ["specimen-house", "specimen-progress", "specimen-coop", "specimen-flat"]
)
def test_no_figure_can_be_changed_unnoticed(name):
    evaluation = parts_named(name).evaluation
    figures = [
        entry
        for entry in evaluation.trace
        if isinstance(entry.value, Decimal) and "/decisions/" not in entry.rule
    ]
    assert len(figures) > 15
    for entry in figures:
        wrong = entry.value + 1
        _, otherwise = recompute(changed(name, entry.field, value=wrong))
        assert otherwise[0] == Otherwise(entry.field, wrong, entry.value, entry.unit)


def test_a_figure_that_is_known_cannot_be_taken_away():
    _, otherwise = recompute(changed("specimen-house", "fmv", value=None))
    assert [item.field for item in otherwise] == ["fmv"]


def test_a_figure_that_is_not_known_cannot_be_made_up():
    _, otherwise = recompute(changed("P03-square-feet", "fmv", value=Decimal(5)))
    assert otherwise[0] == Otherwise("fmv", Decimal(5), None, "INR")


def test_words_of_a_figure_are_worked_out_again():
    _, otherwise = recompute(
        changed("specimen-house", "say_in_words", value="Rupees One Crore Only")
    )
    assert [item.field for item in otherwise] == ["say_in_words"]


def test_a_changed_fact_changes_all_that_rests_on_it():
    evaluation = parts_named("specimen-house").evaluation
    entry = next(item for item in evaluation.trace if item.field == "floors[ground].cost")
    rate = next(item for item in entry.inputs if item.name == "row.rate")
    inputs = tuple(replace(i, value=Decimal(2200)) if i is rate else i for i in entry.inputs)
    again, otherwise = recompute(changed("specimen-house", "floors[ground].cost", inputs=inputs))
    fields = {item.field for item in otherwise}
    assert {"floors[ground].cost", "floors[ground].net", "building_value", "fmv", "say"} <= fields
    assert "floors[first].cost" not in fields
    # 1450 sq ft at 100 rupees more, less 12 %.
    assert figure(again, "fmv") == Decimal(17764480 + 145000 - 17400)


def test_the_rounding_of_an_entry_is_applied_again():
    again, otherwise = recompute(changed("specimen-house", "say", rounding="floor 1000"))
    assert figure(again, "say") == Decimal(17764000)
    assert "realizable" in {item.field for item in otherwise}


def test_a_figure_that_the_case_states_is_taken_as_stated_and_its_formula_kept_apart():
    evaluation = parts_named("R10-bhopal-half-built").evaluation
    given = [entry for entry in evaluation.trace if entry.given is not None]
    assert given
    _, otherwise = recompute(evaluation)
    assert otherwise == ()
    field = given[0].field
    _, otherwise = recompute(changed("R10-bhopal-half-built", field, given=given[0].value + 1))
    assert otherwise[0].field == field


def entry(field, formula, *inputs, value, **parts):
    """An entry of a trace made up for a test."""
    return TraceEntry(
        field, value, "INR", "made@1/values/x", formula=formula, inputs=inputs, **parts
    )


def test_given_and_calculated_are_read_apart():
    evaluation = parts_named("P01-sbi-three-values").evaluation
    base = entry(
        "a", "2 + 3", value=Decimal(7), unrounded=Decimal(5), rounding="none", given=Decimal(7)
    )
    reads = entry(
        "b",
        "given(a) * 100 + calculated(a)",
        NamedValue("given(a)", Decimal(7), "INR"),
        NamedValue("calculated(a)", Decimal(5), "INR"),
        value=Decimal(705),
        rounding="none",
    )
    _, otherwise = recompute(replace(evaluation, trace=(base, reads)))
    assert otherwise == ()


def test_what_the_trace_cannot_show_is_left_as_it_is():
    evaluation = parts_named("P01-sbi-three-values").evaluation
    walks = entry(
        "n", "count(floors)", NamedValue("floors", None), value=Decimal(2), rounding="none"
    )
    broken = entry("m", "1 +", value=Decimal(2), rounding="none")
    again, otherwise = recompute(replace(evaluation, trace=(walks, broken)))
    assert otherwise == ()
    assert [item.value for item in again.trace] == [2, 2]
