"""A corrected version that is of another property is told of, and leaves all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.bootstrap import Service
from service.release.property_changes import differing
from tests.service.release.conftest import Order, make_next_version

HOUSE = {"survey_no": "112/4", "village": "Kolar", "pin_code": "462042", "address": "1 Lake Road"}


@pytest.mark.parametrize(
    ("later", "fields"),
    [
        ({}, []),
        ({"address": "No. 1, Lake Rd."}, []),
        ({"survey_no": "112 / 4", "village": "KOLAR"}, []),
        ({"survey_no": None}, []),
        ({"plot_no": "9"}, []),
        ({"survey_no": "112/5"}, ["survey_no"]),
        ({"village": "Misrod", "pin_code": "462026"}, ["village", "pin_code"]),
    ],
)
def test_what_tells_a_property_from_another(later: dict[str, Any], fields: list[str]) -> None:
    assert differing(HOUSE, HOUSE | later) == fields


def test_an_address_counts_where_nothing_else_is_known_of_both() -> None:
    one, other = {"address": "1 Lake Road"}, {"address": "2 Lake Road", "survey_no": "9"}

    assert differing(one, other) == ["address"]
    assert differing(one, {"address": "1, lake road"}) == []
    assert differing({}, other) == []


@pytest.fixture
def correct(service: Service, look: Any) -> Callable[[Order, dict[str, Any]], None]:
    """correct(order, patch of the property) makes the next version, and lets it out."""

    def again(order: Order, patch: dict[str, Any]) -> None:
        note = {"status": "DATA_PENDING", "note": "the wrong house"}
        assert order.desk.post(f"{order.path}/status", json=note).status_code == 200
        _patch(order, patch)
        make_next_version(service, look, order)

    return again


def _patch(order: Order, patch: dict[str, Any]) -> None:
    answer = order.desk.patch(f"{order.path}/contract", json={"patch": {"property": patch}})
    assert answer.status_code == 200, answer.get_json()


def told(look: Any, order: Order) -> list[Any]:
    return [
        one
        for (one,) in look(
            "select payload from usage_events where event_type = 'billing_property_changed'"
            " and payload->>'work_order_id' = :id order by at",
            id=str(order.id),
        )
    ]


def test_a_covered_version_of_another_property_leaves_and_is_told_of(
    make_order: Any, open_credit: Any, hold: Any, correct: Any, look: Any
) -> None:
    order = make_order()
    favour = order.release("favour", override=True, override_reason="a favour")
    assert favour.get_json()["gate_result"] == "OVERRIDE"
    hold(open_credit(5), order)
    correct(order, HOUSE)
    assert order.release("first").get_json()["blocked"] is False
    correct(order, {"village": "KOLAR", "plot_no": "17"})
    assert order.release("second").get_json()["blocked"] is False
    assert told(look, order) == []

    correct(order, {"survey_no": "7/1", "address": "9 Hill Road"})
    third = order.release("third").get_json()

    assert (third["gate_result"], third["release"]["reason"]) == (
        "CREDIT_CONSUMED",
        "covered_by_settled_charge",
    )
    assert told(look, order) == [
        {
            "work_order_id": str(order.id),
            "release_id": third["release"]["release_id"],
            "paid_version": "2",
            "version": "4",
            "fields": ["survey_no"],
        }
    ]


def test_a_version_that_is_paid_for_itself_may_be_of_any_property(
    make_order: Any, correct: Any, look: Any
) -> None:
    order = make_order()
    for key, number in (("first", "1/1"), ("second", "2/2")):
        correct(order, {"survey_no": number})
        let_out = order.release(key, override=True, override_reason="a favour")
        assert let_out.get_json()["gate_result"] == "OVERRIDE"

    assert told(look, order) == []
