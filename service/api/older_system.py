"""Routes that the older system calls, at the addresses and with the fields that it knows."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from flask import Response, request
from flask_openapi import APIBlueprint, Tag
from sqlalchemy import Connection

from service import clock
from service.actor import Actor
from service.api.access import access
from service.api.answers import answer, page_of
from service.api.billing import hold_meant, holds_answer
from service.api.failures import refuse
from service.api.request_life import current, the_service
from service.api.requests import cursor_id, cursor_number, needed_key, path_id
from service.billing import credits, records
from service.billing.accounts import (
    Account,
    account_by_key,
    find_account,
    find_any_account,
    read_external_key,
)
from service.billing.credits import CreditStatus
from service.billing.reconciling_holds import Wanted, ended_holds, reconcile
from service.billing.shapes import Credit, HoldAnswer
from service.database.connections import transaction
from service.errors import ServiceError, invalid
from service.identifiers import read_id
from service.older_system.acting import (
    account_named,
    act_as_studio,
    is_configured,
    token_invalid,
    token_not_configured,
)
from service.older_system.events import take_event
from service.older_system.listing import ledger_of
from service.older_system.shapes import (
    AccountNamed,
    AccountStatus,
    Consuming,
    CreditsQuery,
    EndingReservation,
    LedgerAnswer,
    OlderAccountPath,
    OlderCreditAnswer,
    OlderEvent,
    OlderEventAnswer,
    OlderReservationsQuery,
    ReconcileAnswer,
    ReconcileError,
    ReconcileOrder,
    Releasing,
    Reservation,
    ReservationsAnswer,
    Reserving,
    RoundOrder,
)
from service.subscriptions.shapes import SweepAnswer, sweep_answer
from service.subscriptions.sweeping import sweep_all

api = APIBlueprint(
    "older_system",
    __name__,
    url_prefix="/v1/billing",
    abp_tags=[Tag(name="older system")],
    abp_security=[{"bearer": []}, {"service_token": []}],
)
PROGRAM = ("service",)
#: What is done for the older system while it waits; it gives up after five seconds.
PATIENCE_S = 4.0
_OVERRIDDEN = "operator override by the older system"


@api.errorhandler(ServiceError)
def tell(error: ServiceError) -> Response:
    """A refusal; of a token in the older system's own codes."""
    if error.code not in {"TOKEN_MISSING", "TOKEN_INVALID"}:
        return refuse(error)
    configured = is_configured(the_service())
    return refuse(token_invalid() if configured else token_not_configured())


@api.get(
    "/accounts/<account_id>/status",
    summary="How an account stands",
    responses={200: AccountStatus},
)
@access("billing.write", audiences=PROGRAM)
def account_status(path: OlderAccountPath) -> Response:
    """By its id. Reading writes nothing."""
    connection, _ = _studio()
    return _status(connection, find_any_account(connection, path_id(path.account_id)))


@api.get(
    "/accounts/status",
    summary="How the account with a key stands",
    responses={200: AccountStatus},
)
@access("billing.write", audiences=PROGRAM)
def account_status_by_key(query: AccountNamed) -> Response:
    """404 if there is no such account: it is not created by being asked for."""
    connection, _ = _studio()
    return _status(connection, _account(connection, query))


@api.post("/credits/reserve", summary="Set credits aside", responses={200: OlderCreditAnswer})
@access("billing.write", audiences=PROGRAM)
def reserve_credits(body: Reserving) -> Response:
    """The same key again is answered with what it was answered first."""
    connection, actor = _studio()
    account, ref = _account(connection, body), (body.ref_type, body.ref_id)
    minutes = body.timeout_minutes
    status = credits.reserve(
        connection,
        actor,
        account,
        body.amount,
        key=needed_key(request, body.idempotency_key),
        ref=ref,
        work_order_id=records.work_order_named(connection, account.tenant_id, ref),
        expires_at=None if minutes is None else clock.now() + timedelta(minutes=minutes),
        override_reason=(body.override_reason or _OVERRIDDEN) if body.operator_override else None,
    )
    return _credits(account, status)


@api.post("/credits/consume", summary="Use a reservation", responses={200: OlderCreditAnswer})
@access("billing.write", audiences=PROGRAM)
def consume_credits(body: Consuming) -> Response:
    """All of it, or an amount; what is left is available again."""
    connection, actor = _studio()
    account, hold_id, ref = _reservation(connection, body)
    status = credits.consume(
        connection,
        actor,
        account,
        key=needed_key(request, body.idempotency_key),
        hold_id=hold_id,
        ref=ref,
        amount=body.amount,
    )
    return _credits(account, status)


@api.post("/credits/release", summary="Free a reservation", responses={200: OlderCreditAnswer})
@access("billing.write", audiences=PROGRAM)
def release_credits(body: Releasing) -> Response:
    """Its credits are available again."""
    connection, actor = _studio()
    account, hold_id, ref = _reservation(connection, body)
    status = credits.release(
        connection,
        actor,
        account,
        key=needed_key(request, body.idempotency_key),
        reason=body.reason or "released by the older system",
        hold_id=hold_id,
        ref=ref,
    )
    return _credits(account, status)


@api.post("/events", summary="Tell of something that happened", responses={200: OlderEventAnswer})
@access("billing.write", audiences=PROGRAM)
def take_usage_event(body: OlderEvent) -> Response:
    """Once for each key. What names no known account is filed as the studio's, unmatched."""
    connection, actor = _studio()
    written = body.external_key or body.external_account_key
    account = _account_of_event(connection, body.account_id, written)
    taken = take_event(
        connection,
        actor,
        account,
        body.event_type,
        key=needed_key(request, body.idempotency_key),
        external_key=written,
        payload=body.payload,
    )
    return answer(
        OlderEventAnswer(
            id=taken.usage_event_id,
            duplicate=taken.is_duplicate,
            matched=taken.account_id is not None,
            account_id=taken.account_id,
        )
    )


@api.get(
    "/credits/reservations",
    summary="An account's reservations, newest first",
    responses={200: ReservationsAnswer},
)
@access("billing.write", audiences=PROGRAM)
def list_reservations(query: OlderReservationsQuery) -> Response:
    """Active, consumed and released ones."""
    connection, _ = _studio()
    account = _account(connection, query)
    below = cursor_id(query.cursor)
    page = holds_answer(account.tenant_id, account.account_id, query.status, below, query.limit)
    return answer(
        ReservationsAnswer(items=[_told(hold) for hold in page.items], next_cursor=page.next_cursor)
    )


@api.get(
    "/credits/ledger",
    summary="An account's movements of credits, newest first",
    responses={200: LedgerAnswer},
)
@access("billing.write", audiences=PROGRAM)
def list_ledger(query: CreditsQuery) -> Response:
    """In the older system's words; the journal itself is at GET /v1/billing/ledger."""
    connection, _ = _studio()
    account = _account(connection, query)
    below = cursor_number(query.cursor)
    rows = ledger_of(connection, account, below=below, limit=query.limit + 1)
    shown, last = page_of(rows, query.limit)
    return answer(
        LedgerAnswer(items=list(shown), next_cursor=None if last is None else str(last.seq))
    )


@api.post(
    "/subscriptions/refill-due",
    summary="Do now what the hourly sweep would do",
    responses={200: SweepAnswer},
)
@access("billing.write", audiences=PROGRAM)
def refill_due(body: RoundOrder) -> Response:
    """In all firms, for four seconds at most. The service does it by itself every hour."""
    _, actor = _studio()
    swept, cursor = sweep_all(
        the_service(), actor, limit=body.limit, cursor=body.cursor, seconds=PATIENCE_S
    )
    return answer(sweep_answer(swept, cursor))


@api.post(
    "/credits/reconcile",
    summary="End the reservations whose work has ended",
    responses={200: ReconcileAnswer},
)
@access("billing.write", audiences=PROGRAM)
def reconcile_credits(body: ReconcileOrder) -> Response:
    """In all firms, for four seconds at most; with dry_run it says what would be done."""
    connection, actor = _studio()
    account = None
    if body.account_id is not None or body.external_key is not None:
        account = account_named(connection, body.account_id, body.external_key)
    tenant_id = None if body.tenant_id is None else path_id(body.tenant_id)
    wanted = Wanted(
        tenant_id=tenant_id if account is None else account.tenant_id,
        account_id=None if account is None else account.account_id,
        ref_type=body.ref_type,
        timeout_minutes=body.timeout_minutes,
        cursor=body.cursor,
        limit=body.limit,
    )
    at, until = clock.now(), time.monotonic() + PATIENCE_S
    found = ended_holds(connection, wanted, at)
    done = reconcile(
        _begin,
        lambda tenant: replace(actor, tenant_id=tenant),
        found,
        wanted,
        at=at,
        dry_run=body.dry_run,
        may_go_on=lambda: time.monotonic() < until,
    )
    may_be_more = len(found) == wanted.limit or done.scanned < len(found)
    return answer(
        ReconcileAnswer(
            dry_run=done.dry_run,
            scanned=done.scanned,
            consumed=done.consumed,
            released=done.released,
            skipped=done.skipped,
            errors=[
                ReconcileError(reservation_id=one.hold_id, code=one.code, detail=one.detail)
                for one in done.errors
            ],
            next_cursor=done.last.cursor() if done.last is not None and may_be_more else None,
        )
    )


def _studio() -> tuple[Connection, Actor]:
    """The request's transaction, from here on the studio's, and who acts in it."""
    now = current()
    return now.connection, act_as_studio(now.connection, now.actor)


def _begin(tenant_id: UUID) -> AbstractContextManager[Connection]:
    return transaction(the_service().engine, role="zen_studio", tenant_id=tenant_id)


def _account(connection: Connection, named: AccountNamed) -> Account:
    return account_named(connection, named.account_id, named.external_key)


def _account_of_event(
    connection: Connection, account_id: str | None, written: str | None
) -> Account | None:
    """The account that an event names; None if there is none, or its key is none of ours."""
    try:
        if account_id is not None and (found := read_id(account_id)) is not None:
            return find_any_account(connection, found)
        return None if written is None else account_by_key(connection, read_external_key(written))
    except ServiceError:
        return None


def _reservation(
    connection: Connection, body: EndingReservation
) -> tuple[Account, UUID | None, tuple[str, str] | None]:
    """The account and the reservation that are meant: by its id alone, or by account and work."""
    unnamed = invalid(
        "RESERVATION_NOT_NAMED",
        "No reservation is named",
        "Send reservation_id, or ref_type and ref_id.",
    )
    hold_id, ref = hold_meant(body, unnamed)
    if hold_id is not None and body.account_id is None and body.external_key is None:
        hold = credits.find_hold(connection, hold_id)
        return find_account(connection, hold.tenant_id, hold.account_id), hold_id, None
    return _account(connection, body), hold_id, ref


def _status(connection: Connection, account: Account) -> Response:
    (shown,) = records.find_accounts(
        connection, tenant_id=account.tenant_id, account_id=account.account_id
    )
    return answer(AccountStatus.model_validate(shown, from_attributes=True))


def _credits(account: Account, status: CreditStatus) -> Response:
    return answer(
        OlderCreditAnswer(
            account_id=account.account_id,
            external_key=account.external_key,
            idempotent=status.replayed,
            credit=Credit.model_validate(status, from_attributes=True),
            reservation=None if status.hold is None else _told(records.told_hold(status.hold)),
        )
    )


def _told(hold: HoldAnswer) -> Reservation:
    return Reservation(id=hold.reservation_id, **dict(hold))
