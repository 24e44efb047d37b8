"""Routes of the studio's control plane: accounts, policies, credits, stories, onboarding."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from contracts.canonical_json import canonical_json
from service import clock
from service.api.access import access
from service.api.answers import answer, etag, page_of
from service.api.billing import hold_meant, holds_answer, journal_answer, timeline_answer
from service.api.people import shown_once
from service.api.request_life import current
from service.api.requests import cursor_id, path_id, wanted_version
from service.billing import accounts, credits, journal, records
from service.billing.accounts import Account
from service.billing.money import rupees
from service.billing.shapes import (
    AccountAnswer,
    AccountPath,
    AccountsAnswer,
    AccountsQuery,
    AccountStatusChange,
    BalanceAnswer,
    BalanceQuery,
    Credit,
    CreditAnswer,
    CreditConsume,
    CreditGrant,
    CreditRelease,
    CreditReserve,
    CreditSummary,
    FirmPath,
    HoldsAnswer,
    JournalAnswer,
    JournalCheckAnswer,
    JournalProblemAnswer,
    NewAccount,
    Onboarding,
    OnboardingAnswer,
    OneAccountQuery,
    PolicyChange,
    ReservationsQuery,
    StoryQuery,
    TimelineAnswer,
)
from service.billing.timeline import timeline_of
from service.billing.usage import record_usage
from service.errors import FieldError, ServiceError, invalid, invalid_fields, not_found
from service.identifiers import read_id
from service.people import firms, founding, members
from service.people.acting import in_tenant
from service.people.roles import HIGHEST
from service.people.shapes import InvitationAnswer

api = APIBlueprint(
    "control",
    __name__,
    url_prefix="/v1/control",
    abp_tags=[Tag(name="control plane")],
    abp_security=[{"bearer": []}],
)

STUDIO = ("studio",)


# --- Accounts


@api.get("/accounts", summary="Accounts of every firm", responses={200: AccountsAnswer})
@access("billing.read", audiences=STUDIO)
def list_accounts(query: AccountsQuery) -> Response:
    """Accounts with their credits, newest first, by firm and by a part of name or key."""
    below = cursor_id(query.cursor)
    tenant_id = None
    if query.tenant_id is not None and (tenant_id := read_id(query.tenant_id)) is None:
        return answer(AccountsAnswer(items=[], next_cursor=None))
    rows = records.find_accounts(
        current().connection,
        tenant_id=tenant_id,
        part=query.search,
        below=below,
        limit=query.limit + 1,
    )
    shown, last = page_of(rows, query.limit)
    return answer(
        AccountsAnswer(
            items=list(shown), next_cursor=None if last is None else str(last.account_id)
        )
    )


@api.post("/accounts", summary="Create an account", responses={201: AccountAnswer})
@access("billing.write", audiences=STUDIO)
def create_account(body: NewAccount) -> Response:
    """A firm's account: POSTPAID, enabled, without credits. A key names one account for ever."""
    now = current()
    tenant_id = now.actor.tenant_id if body.tenant_id is None else path_id(body.tenant_id)
    _check_firm(tenant_id)
    made = accounts.create_account(
        now.connection,
        now.actor,
        tenant_id,
        external_key=body.external_key,
        display_name=body.display_name,
        account_type=body.account_type,
        owner_user_id=body.owner_user_id,
        payment_terms_days=body.payment_terms_days,
        bill_to=None if body.bill_to is None else body.bill_to.model_dump(),
        state_code=body.state_code,
        gstin=body.gstin,
    )
    return _told(made.account_id, 201)


@api.get(
    "/accounts/<account_id>/status",
    summary="An account, its policy and its credits",
    responses={200: AccountAnswer},
)
@access("billing.read", audiences=STUDIO)
def show_account_status(path: AccountPath) -> Response:
    """Reading changes nothing of it."""
    return _told(path_id(path.account_id))


@api.patch(
    "/accounts/<account_id>/status",
    summary="Suspend or readdress an account",
    responses={200: AccountAnswer},
)
@access("billing.write", audiences=STUDIO)
def change_account(path: AccountPath, body: AccountStatusChange) -> Response:
    """What is given is changed; nothing is reserved for a suspended account."""
    now = current()
    changes = {
        name: value
        for name, value in body.model_dump(exclude={"reason", "bill_to"}).items()
        if value is not None
    }
    if body.bill_to is not None:
        changes["bill_to"] = canonical_json(body.bill_to).decode()
    changed = accounts.change_account(
        now.connection,
        now.actor,
        _account(path.account_id),
        wanted_version=wanted_version(request),
        reason=body.reason,
        **changes,
    )
    return _told(changed.account_id)


@api.patch(
    "/accounts/<account_id>/policy",
    summary="Change how an account pays",
    responses={200: AccountAnswer},
)
@access("billing.write", audiences=STUDIO)
def change_policy(path: AccountPath, body: PolicyChange) -> Response:
    """To pay with credits an account needs some, or force_enable_credit."""
    now = current()
    changed = accounts.change_policy(
        now.connection,
        now.actor,
        _account(path.account_id),
        wanted_version=wanted_version(request),
        force_enable_credit=body.force_enable_credit,
        reason=body.reason,
        billing_mode=body.billing_mode,
        payment_terms_days=body.payment_terms_days,
        is_enabled=body.is_enabled,
    )
    return _told(changed.account_id)


@api.get(
    "/accounts/<account_id>/balance",
    summary="What an account had at a time",
    responses={200: BalanceAnswer},
)
@access("billing.read", audiences=STUDIO)
def show_balance(path: AccountPath, query: BalanceQuery) -> Response:
    """Credits and debt as the journal adds them up to that instant."""
    account = _account(path.account_id)
    at = _aware(query.at)
    found = journal.balance_at(current().connection, account.tenant_id, account.account_id, at)
    return answer(
        BalanceAnswer(
            at=at,
            credit=Credit.model_validate(found, from_attributes=True),
            receivable=rupees(found.receivable),
        )
    )


@api.get(
    "/accounts/<account_id>/verification",
    summary="Whether an account's journal is as it was written",
    responses={200: JournalCheckAnswer},
)
@access("billing.read", audiences=STUDIO)
def verify_account(path: AccountPath) -> Response:
    """The chain, the balance of each entry, and the counters against their sum."""
    account = _account(path.account_id)
    connection = current().connection
    problems = journal.verify_journal(connection, account.tenant_id, account.account_id)
    wallet = journal.find_wallet(connection, account.tenant_id, account.account_id)
    return answer(
        JournalCheckAnswer(
            is_intact=not problems,
            entries=wallet.journal_seq,
            head=wallet.journal_hash,
            problems=[JournalProblemAnswer(seq=one.seq, what=one.what) for one in problems],
        )
    )


# --- Credits


@api.post(
    "/accounts/<account_id>/credits/grant",
    summary="Give an account credits",
    responses={200: CreditAnswer},
)
@access("billing.write", audiences=STUDIO)
def grant_credits(path: AccountPath, body: CreditGrant) -> Response:
    """Granted, bought, or put right; an adjustment may take credits away and says why."""
    now = current()
    status = credits.grant(
        now.connection,
        now.actor,
        _account(path.account_id),
        body.amount,
        key=body.idempotency_key,
        kind=body.kind,
        reason=body.reason,
        dry_run=body.dry_run,
    )
    return _done(status)


@api.post("/credits/reserve", summary="Set credits aside", responses={200: CreditAnswer})
@access("billing.write", audiences=STUDIO)
def reserve_credits(body: CreditReserve) -> Response:
    """For a piece of work; operator_override gives what lacks, by an entry of its own."""
    now = current()
    if body.operator_override and body.override_reason is None:
        raise invalid(
            "OVERRIDE_REASON_REQUIRED", "An override needs a reason", "Send override_reason."
        )
    minutes = body.timeout_minutes
    account, ref = _account(body.account_id), (body.ref_type, body.ref_id)
    status = credits.reserve(
        now.connection,
        now.actor,
        account,
        body.amount,
        key=body.idempotency_key,
        ref=ref,
        work_order_id=records.work_order_named(now.connection, account.tenant_id, ref),
        expires_at=None if minutes is None else clock.now() + timedelta(minutes=minutes),
        override_reason=body.override_reason if body.operator_override else None,
        dry_run=body.dry_run,
    )
    return _done(status)


@api.post("/credits/consume", summary="Use a hold", responses={200: CreditAnswer})
@access("billing.write", audiences=STUDIO)
def consume_credits(body: CreditConsume) -> Response:
    """Whole or in part; what is left of it is available again."""
    now = current()
    hold_id, ref = hold_meant(body, _not_named("reservation_id"))
    status = credits.consume(
        now.connection,
        now.actor,
        _account(body.account_id),
        key=body.idempotency_key,
        amount=body.amount,
        dry_run=body.dry_run,
        hold_id=hold_id,
        ref=ref,
    )
    return _done(status)


@api.post("/credits/release", summary="Free a hold", responses={200: CreditAnswer})
@access("billing.write", audiences=STUDIO)
def release_credits(body: CreditRelease) -> Response:
    """Its credits are available again."""
    now = current()
    hold_id, ref = hold_meant(body, _not_named("reservation_id"))
    status = credits.release(
        now.connection,
        now.actor,
        _account(body.account_id),
        key=body.idempotency_key,
        reason=body.reason,
        dry_run=body.dry_run,
        hold_id=hold_id,
        ref=ref,
    )
    return _done(status)


@api.get("/credits", summary="An account's journal, newest first", responses={200: JournalAnswer})
@access("billing.read", audiences=STUDIO)
def list_credit_entries(query: OneAccountQuery) -> Response:
    """Every movement of credits and of money owed, as double entries."""
    return answer(journal_answer(_account(query.account_id), query.cursor, query.limit))


@api.get(
    "/credits/tenant/<tenant_id>", summary="A firm's credits in one", responses={200: CreditSummary}
)
@access("billing.read", audiences=STUDIO)
def show_firm_credits(path: FirmPath) -> Response:
    """Wallet, reserved and available over all of the firm's accounts."""
    tenant_id = path_id(path.tenant_id)
    _check_firm(tenant_id)
    connection = current().connection
    own = accounts.account_for(connection, tenant_id, None)
    primary = None if own is None else own.account_id
    return answer(records.summary_of(connection, tenant_id, primary))


@api.get("/credits/reservations", summary="Holds, newest first", responses={200: HoldsAnswer})
@access("billing.read", audiences=STUDIO)
def list_reservations(query: ReservationsQuery) -> Response:
    """Those of an account, or of all of a firm's."""
    below = cursor_id(query.cursor)
    if query.account_id is not None:
        account = _account(query.account_id)
        tenant_id, account_id = account.tenant_id, account.account_id
    elif query.tenant_id is not None:
        tenant_id, account_id = path_id(query.tenant_id), None
    else:
        raise _not_named("account_id")
    return answer(holds_answer(tenant_id, account_id, query.status, below, query.limit))


@api.get("/credits/timeline", summary="An account's story", responses={200: TimelineAnswer})
@access("billing.read", audiences=STUDIO)
def show_account_timeline(query: StoryQuery) -> Response:
    """Journal, usage, invoices and payments in one order, newest first."""
    items, cursor = timeline_of(
        current().connection,
        _account(query.account_id),
        source=query.source,
        cursor=query.cursor,
        limit=query.limit,
    )
    return answer(timeline_answer(items, cursor))


# --- Firms


@api.post("/onboard", summary="Found a firm with its account", responses={201: OnboardingAnswer})
@access("billing.write", audiences=STUDIO)
def onboard(body: Onboarding) -> Response:
    """The firm, its POSTPAID account without credits, and an invitation for whoever runs it."""
    now = current()
    made = founding.found_firm(
        now.connection,
        now.actor,
        slug=body.slug or _slug_of(body.name),
        name=body.name,
        at=clock.now(),
    )
    account = accounts.create_account(
        now.connection,
        now.actor,
        made.tenant_id,
        external_key=accounts.tenant_key(made.tenant_id),
        display_name=body.name,
        bill_to=None if body.bill_to is None else body.bill_to.model_dump(),
        state_code=body.state_code,
        gstin=body.gstin,
    )
    record_usage(
        now.connection,
        now.actor,
        account,
        "billing_onboarded",
        key=f"billing_onboarded:{account.account_id}",
    )
    with in_tenant(now.connection, made.tenant_id):
        invited = members.invite(
            now.connection,
            firms.acting_in(now.actor, made.tenant_id),
            email=body.owner_email,
            roles=(HIGHEST,),
        )
    (tenant,) = firms.tenants(now.connection, one=made.tenant_id, limit=1)
    (shown,) = records.find_accounts(
        now.connection, tenant_id=account.tenant_id, account_id=account.account_id
    )
    invitation = InvitationAnswer.model_validate(invited, from_attributes=True)
    return shown_once(
        OnboardingAnswer(tenant=tenant, account=shown, invitation=invitation),
        "token",
        ("invitation",),
    )


def _account(account_id: str) -> Account:
    return accounts.find_any_account(current().connection, path_id(account_id))


def _told(account_id: UUID, status: int = 200) -> Response:
    found = records.find_accounts(current().connection, tenant_id=None, account_id=account_id)
    if not found:
        raise not_found()
    return answer(found[0], status, headers=etag(found[0].version))


def _done(status: credits.CreditStatus) -> Response:
    """The same body whenever the key comes again; a header says that it did."""
    headers = {"Idempotency-Replayed": "true"} if status.replayed else {}
    return answer(records.told_status(status), headers=headers)


_NAME: Mapping[str, str] = {
    "reservation_id": "Name the hold by reservation_id, or by ref_type and ref_id.",
    "account_id": "Name an account by account_id, or a firm by tenant_id.",
}


def _not_named(field: str) -> ServiceError:
    return invalid_fields(FieldError(field, _NAME[field]), detail=_NAME[field])


def _check_firm(tenant_id: UUID) -> None:
    if not firms.tenants(current().connection, one=tenant_id, limit=1):
        raise not_found()


def _aware(at: datetime | None) -> datetime:
    if at is None:
        return clock.now()
    if at.tzinfo is None:
        what = "Write the time with its zone, such as 2026-04-01T00:00:00+05:30."
        raise invalid_fields(FieldError("at", what), detail=what)
    return at


def _slug_of(name: str) -> str:
    """A short name made of a name; the end keeps two firms of one name apart."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-").lstrip("0123456789-")
    return f"{words[:50].rstrip('-') or 'firm'}-{secrets.token_hex(3)}"
