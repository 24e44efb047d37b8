import itertools
import typing

import pytest

from contracts.contract import BankType, PropertyKind, ReportType, ValueSlab
from contracts.profile import Profile
from engine.profile_selection import select_profile


def chosen(profiles, **traits):
    profile, _ = select_profile(profiles, **{"report_type": "VALUATION", **traits})
    return profile and profile.profile


@pytest.mark.parametrize("bank_type", ["SBI", "PSU_GENERIC", "OTHER"])
def test_the_profile_follows_the_computed_slab(bank_type, shipped):
    assert chosen(shipped, bank_type=bank_type, value_slab="LT_5CR") == "valuation-format-a"
    assert chosen(shipped, bank_type=bank_type, value_slab="GT_5CR") == "valuation-psu"


def test_other_banks_never_get_the_agricultural_profile(shipped):
    slabs = [None, *typing.get_args(ValueSlab)]
    kinds = [None, *(set(typing.get_args(PropertyKind)) - {"AGRICULTURAL"})]

    found = {
        chosen(shipped, bank_type=bank_type, value_slab=slab, property_kind=kind)
        for bank_type, slab, kind in itertools.product(["OTHER", None], slabs, kinds)
    }

    assert found == {"valuation-format-a", "valuation-psu"}


def test_a_bank_that_is_not_known_counts_as_other(shipped):
    assert chosen(shipped, bank_type=None) == chosen(shipped, bank_type="OTHER")


@pytest.mark.parametrize("bank_type", typing.get_args(BankType))
def test_farm_land_has_one_format_at_every_bank(bank_type, shipped):
    assert chosen(shipped, bank_type=bank_type, property_kind="AGRICULTURAL") == "valuation-agri"


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"bank_type": "COOP", "value_slab": "GT_5CR"}, "valuation-coop"),
        ({"bank_type": "COOP"}, "valuation-coop"),
        ({"bank_type": "AGRI"}, "valuation-agri"),
        ({"report_type": "REVALUATION", "bank_type": "SBI", "value_slab": "LT_5CR"}, "revaluation"),
        ({"report_type": "DPR", "bank_type": "COOP"}, "dpr"),
        ({"report_type": "STAGE_PROGRESS", "bank_type": "AGRI"}, "stage-progress"),
    ],
)
def test_each_kind_of_report_has_its_profile(traits, name, shipped):
    assert chosen(shipped, **traits) == name


def test_every_report_there_can_be_has_a_profile_and_a_reason(shipped):
    for report_type, bank_type, value_slab, kind in itertools.product(
        typing.get_args(ReportType),
        (None, *typing.get_args(BankType)),
        (None, *typing.get_args(ValueSlab)),
        (None, *typing.get_args(PropertyKind)),
    ):
        profile, why = select_profile(
            shipped,
            report_type=report_type,
            bank_type=bank_type,
            value_slab=value_slab,
            property_kind=kind,
        )

        assert profile is not None
        assert profile.profile not in {"m5.4", "valuation"}
        assert why.endswith(".")


def test_the_choice_is_explained_in_a_sentence(shipped):
    _, why = select_profile(shipped, report_type="VALUATION", bank_type="SBI", value_slab="GT_5CR")

    assert why == (
        "valuation-psu answers for report type VALUATION, bank type SBI and value slab GT_5CR, "
        "whatever the property kind."
    )


def test_a_rule_set_with_a_profile_of_its_own_is_never_without_it(shipped):
    for report_type in typing.get_args(ReportType):
        profile, why = select_profile(
            shipped, report_type=report_type, property_kind="AGRICULTURAL", ruleset="m5.4-v1"
        )

        assert profile.profile == "m5.4"
        assert why.startswith("m5.4 answers for rule set m5.4-v1, whatever")


@pytest.mark.parametrize("wanted", ["m5.4", "m5.4@1"])
def test_a_profile_named_by_the_case_wins(wanted, shipped):
    profile, why = select_profile(shipped, report_type="DPR", wanted=wanted)

    assert profile.profile == "m5.4"
    assert why == "The case names m5.4."


@pytest.mark.parametrize("wanted", ["m5.5", "m5.4@2", "valuation"])
def test_a_profile_that_is_not_there_is_told_and_the_reports_own_taken(wanted, shipped):
    profile, why = select_profile(shipped, report_type="DPR", wanted=wanted)

    assert profile.profile == "dpr"
    assert why.startswith(f"There is no profile {wanted}; dpr answers for report type DPR")


def test_no_profile_is_chosen_where_none_answers(profile_named):
    profile, why = select_profile(
        [profile_named("valuation-coop")], report_type="VALUATION", bank_type="SBI"
    )

    assert profile is None
    assert why == (
        "No profile answers for report type VALUATION, bank type SBI and value slab UNKNOWN."
    )


def test_the_newest_version_is_taken_and_an_older_one_can_be_named():
    old, new = (
        Profile.model_validate(
            {"profile": "p", "version": version, "title": "P", "applies_to": [{}]}
        )
        for version in (1, 2)
    )

    for profiles in ([old, new], [new, old]):
        assert select_profile(profiles, report_type="DPR")[0] is new
        assert select_profile(profiles, report_type="DPR", wanted="p")[0] is new
        assert select_profile(profiles, report_type="DPR", wanted="p@1")[0] is old
    assert select_profile([old], report_type="DPR")[1] == (
        "p answers for every report, whatever the report type, property kind, bank type "
        "or value slab."
    )


def test_a_profile_that_names_every_trait_leaves_nothing_free():
    profile = Profile.model_validate(
        {
            "profile": "p",
            "version": 1,
            "title": "P",
            "applies_to": [
                {
                    "report_type": ["DPR"],
                    "bank_type": ["SBI"],
                    "value_slab": ["UNKNOWN"],
                    "property_kind": ["LAND"],
                }
            ],
        }
    )

    _, why = select_profile([profile], report_type="DPR", bank_type="SBI", property_kind="LAND")

    assert why == (
        "p answers for report type DPR, property kind LAND, bank type SBI and value slab UNKNOWN."
    )
