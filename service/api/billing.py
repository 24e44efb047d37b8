"""Routes of a firm's billing: its account, credits, holds, journal and story. They change nothing."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from flask_openapi import APIBlueprint, Tag

from service.api.access import EVERYBODY, access
from service.api.answers import answer, etag, page_of
from service.api.request_life import current
from service.api.requests import cursor_id, cursor_number, path_id
from service.billing import accounts, credits, records
from service.billing.accounts import Account
from service.billing.shapes import (
    CreditSummary,
    HoldNamed,
    HoldsAnswer,
    HoldsQuery,
    JournalAnswer,
    OwnAccountAnswer,
    OwnQuery,
    PageOf,
    TimelineAnswer,
    TimelineItemAnswer,
    TimelineQuery,
)
from service.billing.timeline import TimelineItem, timeline_of
from service.errors import ServiceError
from service.older_system.acting import account_named, act_as_studio, is_older_system

api = APIBlueprint(
    "billing",
    __name__,
    url_prefix="/v1/billing",
    abp_tags=[Tag(name="billing")],
    abp_security=[{"bearer": []}],
)


@api.get("/account", summary="Who is billed, how, and with what", responses={200: OwnAccountAnswer})
@access("billing.read", audiences=EVERYBODY)
def show_account(query: OwnQuery) -> Response:
    """The firm's account, or a portal person's own; null as long as nothing needed one."""
    account = _meant(query.account_id)
    if account is None:
        return answer(OwnAccountAnswer(account=None, billing_mode="POSTPAID"))
    (shown,) = records.find_accounts(
        current().connection, tenant_id=account.tenant_id, account_id=account.account_id
    )
    body = OwnAccountAnswer(account=shown, billing_mode=shown.billing_mode)
    return answer(body, headers=etag(shown.version))


@api.get("/credits/summary", summary="The firm's credits in one", responses={200: CreditSummary})
@access("billing.read", audiences=EVERYBODY)
def show_credit_summary(query: OwnQuery) -> Response:
    """Wallet, reserved and available over all of the accounts that the caller sees."""
    now = current()
    account = _meant(query.account_id)
    primary = None if account is None else account.account_id
    return answer(records.summary_of(now.connection, now.actor.tenant_id, primary))


@api.get("/ledger", summary="The account's journal, newest first", responses={200: JournalAnswer})
@access("billing.read", audiences=EVERYBODY)
def list_entries(query: PageOf) -> Response:
    """Every movement of credits and of money owed, as double entries."""
    return answer(journal_answer(_meant(query.account_id), query.cursor, query.limit))


@api.get("/holds", summary="Credits set aside for work", responses={200: HoldsAnswer})
@access("billing.read", audiences=EVERYBODY)
def list_holds(query: HoldsQuery) -> Response:
    """Holds that are open, were consumed, or were freed; newest first."""
    below = cursor_id(query.cursor)
    account = _meant(query.account_id)
    if account is None:
        return answer(HoldsAnswer(items=[], next_cursor=None))
    return answer(
        holds_answer(account.tenant_id, account.account_id, query.status, below, query.limit)
    )


@api.get("/timeline", summary="The account's story", responses={200: TimelineAnswer})
@access("billing.read", audiences=EVERYBODY)
def show_timeline(query: TimelineQuery) -> Response:
    """Journal, usage, invoices and payments in one order, newest first.

    The older system, which may see every account, names the one that it means.
    """
    now = current()
    if is_older_system(now.connection, now.actor):
        act_as_studio(now.connection, now.actor)
        account: Account | None = account_named(
            now.connection, query.account_id, query.external_key
        )
    else:
        account = _meant(query.account_id)
    if account is None:
        return answer(TimelineAnswer(items=[], next_cursor=None))
    items, cursor = timeline_of(
        now.connection,
        account,
        source=query.source,
        cursor=query.cursor,
        limit=query.limit,
    )
    return answer(timeline_answer(items, cursor))


def _meant(account_id: str | None) -> Account | None:
    """The account that is named, or the caller's own; None if nothing has needed it yet.

    Raises:
        ServiceError: 404, the one that is named is none that the caller may see.
    """
    now = current()
    if account_id is not None:
        return accounts.find_account(now.connection, now.actor.tenant_id, path_id(account_id))
    if now.actor.audience == "portal":
        assert now.actor.user_id is not None
        return accounts.account_of_person(now.connection, now.actor.tenant_id, now.actor.user_id)
    return accounts.account_for(now.connection, now.actor.tenant_id, None)


def hold_meant(
    named: HoldNamed, unnamed: ServiceError
) -> tuple[UUID | None, tuple[str, str] | None]:
    """The hold that is to end: by its id, or else by its work.

    Raises:
        ServiceError: `unnamed`, it is named by neither; 404, the id is none.
    """
    if named.reservation_id is not None:
        return path_id(named.reservation_id), None
    if named.ref_type is None or named.ref_id is None:
        raise unnamed
    return None, (named.ref_type, named.ref_id)


def journal_answer(account: Account | None, cursor: str | None, limit: int) -> JournalAnswer:
    """A page of an account's journal."""
    below = cursor_number(cursor)
    if account is None:
        return JournalAnswer(items=[], next_cursor=None)
    rows = records.journal_page(
        current().connection, account.tenant_id, account.account_id, below=below, limit=limit + 1
    )
    shown, last = page_of(rows, limit)
    return JournalAnswer(items=list(shown), next_cursor=None if last is None else str(last.seq))


def holds_answer(
    tenant_id: UUID, account_id: UUID | None, status: str | None, below: UUID | None, limit: int
) -> HoldsAnswer:
    """A page of holds, of one account or of all of a firm's."""
    rows = credits.holds_of(
        current().connection, tenant_id, account_id, status=status, below=below, limit=limit + 1
    )
    shown, last = page_of(rows, limit)
    return HoldsAnswer(
        items=[records.told_hold(row) for row in shown],
        next_cursor=None if last is None else str(last.hold_id),
    )


def timeline_answer(items: list[TimelineItem], cursor: str | None) -> TimelineAnswer:
    """A page of a story."""
    return TimelineAnswer(
        items=[TimelineItemAnswer.model_validate(one, from_attributes=True) for one in items],
        next_cursor=cursor,
    )
