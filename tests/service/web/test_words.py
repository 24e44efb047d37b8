"""What the pages call things: every term that the service has is called something."""

import re
import typing
from decimal import Decimal
from pathlib import Path

import pytest

import service
from contracts.contract import BankType, ReportType, ValueSlab
from contracts.evidence import DocType, EvidenceType
from service.evidence.shapes import Sensitivity
from service.packs.records import ArtifactKind, PackStatus
from service.release.gate import Result
from service.release.records import State
from service.web.history import told
from service.web.printed import in_lakh_or_crore, words
from service.web.queue_pages import missing_words
from service.web.work_order_view import said_of_sign_off
from service.workorders.shapes import CommentType, SourceType, Status
from service.workorders.transitions import TRANSITIONS

TERMS = {
    "status": Status,
    "report_type": ReportType,
    "bank_type": BankType,
    "value_slab": ValueSlab,
    "source_type": SourceType,
    "comment_type": CommentType,
    "evidence_type": EvidenceType,
    "doc_type": DocType,
    "sensitivity": Sensitivity,
    "pack_status": PackStatus,
    "artifact": ArtifactKind,
    "release_state": State,
    "gate_result": Result,
}
ACTION = re.compile(
    r'"((?:workorder|evidence|document|pack|release|privacy|job|audit):[a-z_]+:[a-z_]+)"'
)


def test_every_term_has_a_word_and_no_word_is_for_nothing():
    for kind, terms in TERMS.items():
        assert set(words()[kind]) == set(typing.get_args(terms)), kind


def test_every_state_that_can_be_moved_to_says_what_that_means():
    assert {way.target for way in TRANSITIONS} <= set(words()["status_means"])


def test_every_action_that_the_service_records_of_a_work_order_has_words():
    folder = Path(service.__file__).parent
    found = {
        action
        for path in folder.rglob("*.py")
        for action in ACTION.findall(path.read_text("utf-8"))
    }

    assert len(found) > 20
    assert found <= set(words()["action"])


def test_a_change_of_state_and_of_facts_is_told_with_what_changed():
    assert (
        told(
            "workorder:status:changed",
            {"status": "DRAFT"},
            {"status": "DATA_PENDING"},
        )
        == "moved it from draft to data pending"
    )
    assert (
        told(
            "workorder:contract:changed",
            {},
            {"party.owner_name": '"x"', "snapshot_version": "4"},
        )
        == "changed facts: owner name"
    )


def test_an_unknown_action_is_told_by_its_own_name():
    assert told("later:thing:done_well", {}, {}) == "later thing done well"


def test_amounts_change_their_unit_where_people_do():
    assert [
        in_lakh_or_crore(Decimal(amount))
        for amount in ("99999", "100000", "9999499", "9999500", "10000000", "-2500000")
    ] == ["₹99,999", "₹1 lakh", "₹99.99 lakh", "₹1 crore", "₹1 crore", "-₹25 lakh"]


def test_the_queue_names_two_gaps_and_counts_the_rest():
    gaps = [
        "Owner is missing (party.owner_name or party.owners)",
        "Khata: need at least 1, found 0",
        "Finding to be settled: AREA_SHARE",
    ]

    assert missing_words(gaps) == "Owner; Khata (0 of 1) and 1 more"
    assert missing_words(gaps[:1]) == "Owner"
    assert missing_words([]) == ""


@pytest.mark.parametrize(
    ("needed", "signed", "said"),
    [
        (1, 0, "1 registered valuer must sign this digest."),
        (1, 1, "Signed: 1 of 1. Nothing more is needed."),
        (2, 0, "2 registered valuers must sign this digest."),
        (
            2,
            1,
            "1 more registered valuer must sign this digest; a report of this value needs 2.",
        ),
        (2, 2, "Signed: 2 of 2. Nothing more is needed."),
    ],
)
def test_what_a_sign_off_lacks_is_a_sentence(needed, signed, said):
    assert said_of_sign_off(needed, signed) == said
