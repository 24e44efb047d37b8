"""Whether a report may leave, decided by one function from what is known, and by one table.

Nothing is read and nothing is written here. docs/release.md has the same table in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from service.packs.records import PackStatus

Mode = Literal["CREDIT", "POSTPAID"]
Result = Literal["PAID", "CREDIT_CONSUMED", "OVERRIDE", "BLOCKED"]
Settled = Literal["PAID", "CREDIT_CONSUMED"]
#: What pays for a work order, as far as anything does.
Payment = Literal[
    "charge_paid",
    "charge_credit",
    "charge_reversed",
    "credit_held",
    "credit_not_held",
    "invoice_paid",
    "invoice_unpaid",
    "invoice_missing",
]


@dataclass(frozen=True, slots=True)
class Question:
    """All that the gate decides by.

    Attributes:
        has_key: the request names an operation key.
        override: the request wants the report out although it is not paid for.
        has_reason: the request says why.
        is_studio: whoever asks is the studio's; a firm is the customer, and does not excuse itself.
        may_override: whoever asks has the capability for that.
        key_was_used: for this very request, or for another; None if the key is new.
        order_status: of the work order.
        pack: the state of the pack that is meant; None if the work order has none.
        names_another: the request names a version or digest that is not this pack's.
        earlier_release: of this pack: it stands, or was withdrawn; None if it was never let out.
        is_proven: the pack's report was proved against its bundle.
        is_signed: as many registered valuers as must have signed the pack's digest.
        charge: how the work order's one charge was settled; None if it was not, or if what paid it
            went back.
        has_hold: an active hold of credits is there for the work order.
        invoice: of the work order, neither void nor credited as a whole; None if there is none.
            `reversed`: a version left for it, and it is not paid any more.
        account_mode: what the customer's account is set to now; None if there is no account.
    """

    has_key: bool
    override: bool
    has_reason: bool
    is_studio: bool
    may_override: bool
    key_was_used: Literal["same", "other"] | None
    order_status: str
    pack: PackStatus | None
    names_another: bool
    earlier_release: Literal["released", "withdrawn"] | None
    is_proven: bool
    is_signed: bool
    charge: Settled | None
    has_hold: bool
    invoice: Literal["unpaid", "paid", "reversed"] | None
    account_mode: Mode | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request does not come to the gate; nothing is recorded."""

    status: int
    code: str
    title: str
    detail: str
    applies: Callable[[Question], bool]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The answer is a release that is there already."""

    by: Literal["key", "pack"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the gate decides.

    `hold` says what becomes of the held credits: consumed, or as whoever overrides has said.
    """

    result: Result
    reason: str | None = None
    hold: Literal["consume", "as_said"] | None = None


_BILLED: Mapping[str, Payment] = MappingProxyType(
    {"paid": "invoice_paid", "unpaid": "invoice_unpaid", "reversed": "charge_reversed"}
)

#: What pays for the work order -> without an override, with one.
TABLE: Mapping[Payment, tuple[Outcome, Outcome]] = MappingProxyType(
    {
        "charge_paid": (
            Outcome("PAID", "covered_by_settled_charge"),
            Outcome("PAID", "covered_by_settled_charge"),
        ),
        "charge_credit": (
            Outcome("CREDIT_CONSUMED", "covered_by_settled_charge"),
            Outcome("CREDIT_CONSUMED", "covered_by_settled_charge"),
        ),
        "charge_reversed": (
            Outcome("BLOCKED", "charge_reversed"),
            Outcome("OVERRIDE", "charge_reversed_override"),
        ),
        "credit_held": (
            Outcome("CREDIT_CONSUMED", hold="consume"),
            Outcome("OVERRIDE", hold="as_said"),
        ),
        "credit_not_held": (
            Outcome("BLOCKED", "credit_reservation_missing"),
            Outcome("OVERRIDE", "credit_reservation_missing_override"),
        ),
        "invoice_paid": (Outcome("PAID"), Outcome("PAID")),
        "invoice_unpaid": (
            Outcome("BLOCKED", "invoice_unpaid"),
            Outcome("OVERRIDE", "invoice_unpaid_override"),
        ),
        "invoice_missing": (
            Outcome("BLOCKED", "service_invoice_missing"),
            Outcome("OVERRIDE", "service_invoice_missing_override"),
        ),
    }
)

#: Each cell in words, by result and reason; what is blocked is told how to be mended.
MESSAGES: Mapping[tuple[Result, str | None], str] = MappingProxyType(
    {
        ("PAID", None): "The report is released: its invoice is paid.",
        ("PAID", "covered_by_settled_charge"): (
            "The report is released: the work order was paid for with an earlier version."
        ),
        ("CREDIT_CONSUMED", None): "The report is released: the credits held for it are used.",
        ("CREDIT_CONSUMED", "covered_by_settled_charge"): (
            "The report is released: the work order's credits were used for an earlier version."
        ),
        ("OVERRIDE", None): "The report is released by an override of the held credits.",
        ("OVERRIDE", "credit_reservation_missing_override"): (
            "The report is released by an override: no credits were held for it."
        ),
        ("OVERRIDE", "invoice_unpaid_override"): (
            "The report is released by an override: its invoice is not paid and stays due."
        ),
        ("OVERRIDE", "charge_reversed_override"): (
            "The report is released by an override: the payment of an earlier version was taken"
            " back, and its invoice stays due."
        ),
        ("OVERRIDE", "service_invoice_missing_override"): (
            "The report is released by an override: there is no invoice for it."
        ),
        ("BLOCKED", "credit_reservation_missing"): (
            "The report is not released: no credits are held for the work order. Buy credits and"
            " ask the studio to reserve them for it, then release with a new key."
        ),
        ("BLOCKED", "charge_reversed"): (
            "The report is not released: the payment that an earlier version left for was taken"
            " back, by a refund or the payer's bank, and its invoice is due again. Pay what is due,"
            " then release with a new key."
        ),
        ("BLOCKED", "invoice_unpaid"): (
            "The report is not released: its invoice is not paid. Pay it, then release with a new"
            " key."
        ),
        ("BLOCKED", "service_invoice_missing"): (
            "The report is not released: there is no invoice for the work order. Ask the studio"
            " for one and pay it, then release with a new key."
        ),
    }
)

#: Each row in words, before anybody asks: what would come of a release now.
FORECASTS: Mapping[Payment, str] = MappingProxyType(
    {
        "charge_paid": (
            "The work order was paid for with an earlier version: this one leaves without another"
            " charge."
        ),
        "charge_credit": (
            "The work order's credits were used for an earlier version: this one leaves without"
            " another charge."
        ),
        "charge_reversed": (
            "The payment that an earlier version left for was taken back, so a release is blocked"
            " until its invoice is paid again."
        ),
        "credit_held": "Credits are held for the work order; releasing the report uses them.",
        "credit_not_held": (
            "No credits are held for the work order, so a release is blocked. Buy credits and ask"
            " the studio to reserve them for it."
        ),
        "invoice_paid": "The invoice is paid.",
        "invoice_unpaid": "The invoice is not paid, so a release is blocked until it is.",
        "invoice_missing": (
            "There is no invoice for the work order, so a release is blocked. Ask the studio for"
            " one, and pay it."
        ),
    }
)

_KEY = "Send idempotency_key, fresh for each new attempt to release."
_STUDIO_ALONE = (
    "The firm is the customer of the service: only the studio lets a report out that is not paid"
    " for. Pay for it and release it without override, or ask the studio."
)
_NOT_ALLOWED = (
    "Letting a report out that is not paid for needs the capability deliverables.override; an"
    " administrator of the studio grants it."
)
_OTHER = (
    "A key belongs to one release for ever: repeat that request as it was, or take a new key."
    " To try again after paying takes a new key, too."
)
#: In this order. A request under a known key is answered before anything else is looked at, and one
#: for a pack that was let out already is not asked again whether it is signed.
_ABOUT_THE_REQUEST: tuple[Refusal, ...] = (
    Refusal(
        400, "IDEMPOTENCY_KEY_REQUIRED", "The release has no key", _KEY, lambda one: not one.has_key
    ),
    Refusal(
        400,
        "OVERRIDE_REASON_REQUIRED",
        "An override needs a reason",
        "Say in override_reason why the report leaves without being paid for.",
        lambda one: one.override and not one.has_reason,
    ),
    Refusal(
        403,
        "OVERRIDE_NOT_ALLOWED",
        "Only the studio lets out what is not paid for",
        _STUDIO_ALONE,
        lambda one: one.override and not one.is_studio,
    ),
    Refusal(
        403,
        "CAPABILITY_MISSING",
        "You may not do this",
        _NOT_ALLOWED,
        lambda one: one.override and not one.may_override,
    ),
    Refusal(
        409,
        "IDEMPOTENCY_KEY_REUSED",
        "This key was used for something else",
        _OTHER,
        lambda one: one.key_was_used == "other",
    ),
)
_ABOUT_THE_PACK: tuple[Refusal, ...] = (
    Refusal(
        409,
        "WORK_ORDER_CANCELLED",
        "The work order was cancelled",
        "What was given up is not released.",
        lambda one: one.order_status == "CANCELLED",
    ),
    Refusal(
        400,
        "REPORT_PACK_NOT_LINKED",
        "The work order has no report",
        "Move it to READY_FOR_RENDER; that makes the report.",
        lambda one: one.pack is None,
    ),
    Refusal(
        409,
        "PACK_SUPERSEDED",
        "This version of the report does not stand any more",
        "A correction replaces it: release the version that is current, once it is made.",
        lambda one: one.pack in {"superseded", "withdrawn"},
    ),
    Refusal(
        409,
        "RELEASE_PACK_MISMATCH",
        "This is not the report that would be released",
        "The version or digest that was sent is not that of the current report. Read it, then"
        " release it.",
        lambda one: one.names_another,
    ),
    Refusal(
        409,
        "DELIVERABLE_WITHDRAWN",
        "This version was released and withdrawn",
        "Reopen the work order with a reason; that makes a new version, which can be released.",
        lambda one: one.earlier_release == "withdrawn",
    ),
)
_ABOUT_THE_REPORT: tuple[Refusal, ...] = (
    Refusal(
        400,
        "PACK_GENERATION_NOT_COMPLETED",
        "The report is not finished",
        "Wait until it is generated; if that has failed, start it again.",
        lambda one: one.pack in {"generating", "failed"},
    ),
    Refusal(
        409,
        "PACK_NOT_PROVEN",
        "The report was not proved against its bundle",
        "A report leaves only when every figure in it was found in its bundle. Have it made anew:"
        " reopen the work order and move it to READY_FOR_RENDER again.",
        lambda one: not one.is_proven,
    ),
    Refusal(
        409,
        "SIGN_OFF_MISSING",
        "The report is not signed",
        "Registered valuers of the firm have to sign the digest of this version first.",
        lambda one: not one.is_signed,
    ),
)


def decide(question: Question) -> Refusal | Repeated | Outcome:
    """What becomes of a request to release: a refusal, the release that is there, or an outcome."""
    if refusal := _first(_ABOUT_THE_REQUEST, question):
        return refusal
    if question.key_was_used == "same":
        return Repeated("key")
    if refusal := _first(_ABOUT_THE_PACK, question):
        return refusal
    if question.earlier_release == "released":
        return Repeated("pack")
    if refusal := _first(_ABOUT_THE_REPORT, question):
        return refusal
    return TABLE[payment_of(question)][question.override]


def payment_of(question: Question) -> Payment:
    """What pays for the work order; this is the row of the table."""
    if question.charge is not None:
        return "charge_paid" if question.charge == "PAID" else "charge_credit"
    if mode_of(question) == "CREDIT":
        return "credit_held" if question.has_hold else "credit_not_held"
    if question.invoice is None:
        return "invoice_missing"
    return _BILLED[question.invoice]


def mode_of(question: Question) -> Mode:
    """How the work order is paid for.

    What has settled it, or is there to do so, counts before what the account is set to now.
    """
    if question.charge is not None:
        return "POSTPAID" if question.charge == "PAID" else "CREDIT"
    if question.has_hold:
        return "CREDIT"
    if question.invoice is not None:
        return "POSTPAID"
    return question.account_mode or "POSTPAID"


def _first(refusals: tuple[Refusal, ...], question: Question) -> Refusal | None:
    return next((one for one in refusals if one.applies(question)), None)
