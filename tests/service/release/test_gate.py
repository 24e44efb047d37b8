"""The gate's decision, held cell by cell to tables that were written by hand."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from service.release.gate import (
    FORECASTS,
    MESSAGES,
    TABLE,
    Outcome,
    Question,
    Refusal,
    Repeated,
    decide,
    mode_of,
)

#: A request that comes to the gate, of a report that nothing pays for.
PLAIN = Question(
    has_key=True,
    override=False,
    has_reason=True,
    is_studio=True,
    may_override=True,
    key_was_used=None,
    order_status="READY_FOR_RENDER",
    pack="generated",
    names_another=False,
    earlier_release=None,
    is_proven=True,
    is_signed=True,
    charge=None,
    has_hold=False,
    invoice=None,
    account_mode=None,
)
YES_NO = (False, True)

#: charge, hold, invoice, account's mode -> without an override, with one; '*' is whatever.
#: Written by hand from the requirement: the first line that fits is what has to come out.
PAYS = (
    ("PAID", "*", "*", "*", "PAID covered_by_settled_charge", "PAID covered_by_settled_charge"),
    (
        "CREDIT_CONSUMED",
        "*",
        "*",
        "*",
        "CREDIT_CONSUMED covered_by_settled_charge",
        "CREDIT_CONSUMED covered_by_settled_charge",
    ),
    (None, True, "*", "*", "CREDIT_CONSUMED - consume", "OVERRIDE - as_said"),
    (None, False, "paid", "*", "PAID", "PAID"),
    (None, False, "unpaid", "*", "BLOCKED invoice_unpaid", "OVERRIDE invoice_unpaid_override"),
    (None, False, "reversed", "*", "BLOCKED charge_reversed", "OVERRIDE charge_reversed_override"),
    (
        None,
        False,
        None,
        "CREDIT",
        "BLOCKED credit_reservation_missing",
        "OVERRIDE credit_reservation_missing_override",
    ),
    (
        None,
        False,
        None,
        "POSTPAID",
        "BLOCKED service_invoice_missing",
        "OVERRIDE service_invoice_missing_override",
    ),
    (
        None,
        False,
        None,
        None,
        "BLOCKED service_invoice_missing",
        "OVERRIDE service_invoice_missing_override",
    ),
)

#: What is wrong -> the status and code that it is refused with; the first that is so decides.
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"has_key": False}, "400 IDEMPOTENCY_KEY_REQUIRED"),
    ({"override": True, "has_reason": False}, "400 OVERRIDE_REASON_REQUIRED"),
    ({"override": True, "is_studio": False}, "403 OVERRIDE_NOT_ALLOWED"),
    ({"override": True, "may_override": False}, "403 CAPABILITY_MISSING"),
    ({"key_was_used": "other"}, "409 IDEMPOTENCY_KEY_REUSED"),
    ({"key_was_used": "same"}, "repeated key"),
    ({"order_status": "CANCELLED"}, "409 WORK_ORDER_CANCELLED"),
    ({"pack": None}, "400 REPORT_PACK_NOT_LINKED"),
    ({"pack": "superseded"}, "409 PACK_SUPERSEDED"),
    ({"pack": "withdrawn"}, "409 PACK_SUPERSEDED"),
    ({"names_another": True}, "409 RELEASE_PACK_MISMATCH"),
    ({"earlier_release": "withdrawn"}, "409 DELIVERABLE_WITHDRAWN"),
    ({"earlier_release": "released"}, "repeated pack"),
    ({"pack": "generating"}, "400 PACK_GENERATION_NOT_COMPLETED"),
    ({"pack": "failed"}, "400 PACK_GENERATION_NOT_COMPLETED"),
    ({"is_proven": False}, "409 PACK_NOT_PROVEN"),
    ({"is_signed": False}, "409 SIGN_OFF_MISSING"),
)


def told(decision: Refusal | Repeated | Outcome) -> str:
    """A decision as the tables above write it."""
    if isinstance(decision, Refusal):
        return f"{decision.status} {decision.code}"
    if isinstance(decision, Repeated):
        return f"repeated {decision.by}"
    words = [decision.result, decision.reason or ("-" if decision.hold else None), decision.hold]
    return " ".join(one for one in words if one)


def by_hand(one: Question) -> str:
    for charge, hold, invoice, mode, plainly, overridden in PAYS:
        seen = (one.charge, one.has_hold, one.invoice, one.account_mode)
        wanted = (charge, hold, invoice, mode)
        if all(want in ("*", saw) for want, saw in zip(wanted, seen, strict=True)):
            return overridden if one.override else plainly
    raise AssertionError(f"no line is for {one}")


def payments() -> list[Question]:
    """Every combination of what can pay, and of asking for an override."""
    return [
        dataclasses.replace(
            PLAIN,
            charge=charge,
            has_hold=hold,
            invoice=invoice,
            account_mode=mode,
            override=override,
        )
        for charge, hold, invoice, mode, override in itertools.product(
            (None, "PAID", "CREDIT_CONSUMED"),
            YES_NO,
            (None, "unpaid", "paid", "reversed"),
            (None, "POSTPAID", "CREDIT"),
            YES_NO,
        )
    ]


def requests() -> list[Question]:
    """Every combination of what is refused, of a work order that is paid and one that is not."""
    return [
        Question(*given, charge=None, has_hold=hold, invoice=None, account_mode="POSTPAID")
        for given in itertools.product(
            YES_NO,
            YES_NO,
            YES_NO,
            YES_NO,
            YES_NO,
            (None, "same", "other"),
            ("READY_FOR_RENDER", "DATA_PENDING", "CLOSED", "CANCELLED"),
            (None, "generating", "generated", "failed", "superseded", "withdrawn"),
            YES_NO,
            (None, "released", "withdrawn"),
            YES_NO,
            YES_NO,
        )
        for hold in YES_NO
    ]


def test_every_cell_is_as_it_was_written_by_hand() -> None:
    wrong = [one for one in payments() if told(decide(one)) != by_hand(one)]

    assert wrong == []
    assert len(payments()) == 144


def test_every_line_of_the_table_is_reached_both_ways() -> None:
    reached = {id(decide(one)) for one in payments()}

    assert reached == {id(cell) for row in TABLE.values() for cell in row}


def test_every_combination_of_reasons_to_refuse_gives_the_first_of_them() -> None:
    asked = requests()
    for one in asked:
        wanted = next(
            (
                told_by_hand
                for wrong, told_by_hand in REFUSED
                if all(getattr(one, name) == value for name, value in wrong.items())
            ),
            None,
        )
        assert told(decide(one)) == (wanted or by_hand(one)), one

    assert len(asked) == 110_592


@pytest.mark.parametrize(("wrong", "refused"), REFUSED, ids=str)
@pytest.mark.parametrize("charge", [None, "PAID", "CREDIT_CONSUMED"])
def test_no_payment_opens_the_gate_to_what_is_refused(
    wrong: dict[str, Any], refused: str, charge: Any
) -> None:
    one = dataclasses.replace(PLAIN, charge=charge, has_hold=True, invoice="paid", **wrong)

    assert told(decide(one)) == refused


def test_a_hold_counts_before_an_invoice_and_both_before_the_accounts_mode() -> None:
    held = dataclasses.replace(PLAIN, has_hold=True, invoice="unpaid", account_mode="POSTPAID")
    billed = dataclasses.replace(PLAIN, invoice="unpaid", account_mode="CREDIT")

    assert (mode_of(held), mode_of(billed)) == ("CREDIT", "POSTPAID")


def test_every_cell_has_words_and_no_words_are_without_a_cell() -> None:
    cells = {(cell.result, cell.reason) for row in TABLE.values() for cell in row}

    assert set(MESSAGES) == cells
    assert set(FORECASTS) == set(TABLE)
    assert all(
        ("blocked" in FORECASTS[row]) == (plainly.result == "BLOCKED")
        for row, (plainly, _) in TABLE.items()
    )
    assert all(
        "not released" in words and "new key" in words
        for (result, _), words in MESSAGES.items()
        if result == "BLOCKED"
    )


def test_only_a_block_keeps_the_report_in() -> None:
    """Whatever lets it out names what paid for it, or the override."""
    for plainly, overridden in TABLE.values():
        assert overridden.result != "BLOCKED"
        assert (plainly.reason is None) == (
            plainly.result in {"PAID", "CREDIT_CONSUMED"}
        ) or plainly.reason == "covered_by_settled_charge"
