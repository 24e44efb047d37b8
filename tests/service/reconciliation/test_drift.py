"""Each kind of drift, put into books that agree, is found with the right subject and as what it is.

The superuser writes past every trigger, foreign key and check, on a connection whose transaction is
rolled back; the queries run on it. Both sides of a limit are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, text

from service.identifiers import new_id
from service.reconciliation.comparing import DRIFTS, Finding, find
from tests.service.reconciliation.history import History

_INDEXES = (
    "service_invoices_number",
    "service_invoices_of_work_order",
    "journal_hold_ends",
    "payment_refunds_provider",
)

_WITHOUT_CHECKS = """
do $$ declare one record; begin
    for one in select conrelid::regclass as name, conname from pg_constraint
        where contype = 'c' and conrelid::regclass::text in ('credit_wallets', 'credit_holds',
            'journal_entries', 'service_invoices', 'invoice_settlements', 'payment_orders',
            'releases', 'work_order_charges', 'subscriptions') loop
        execute 'alter table ' || one.name || ' drop constraint ' || quote_ident(one.conname);
    end loop;
end $$"""


@dataclass(frozen=True)
class Seed:
    """A drift as it is put in.

    Attributes:
        code: as what it is found.
        pick: gives the subject, and what else the statements need by name.
        put: the statements.
        also: what else it is, seen from other sides.
    """

    code: str
    pick: str
    put: tuple[str, ...]
    also: tuple[str, ...] = ()


# A hold for work that is going on, and one that was consumed by a release.
_WORKING = (
    "select h.hold_id::text as subject, h.work_order_id from credit_holds h join work_orders w"
    " using (tenant_id, work_order_id) where h.status = 'active' and w.status = 'DATA_PENDING'"
    " limit 1"
)
_ACTIVE = (
    "select hold_id::text as subject, account_id from credit_holds where status = 'active'"
    " and work_order_id is null limit 1"
)
_OVERDUE = (
    "update credit_holds set expires_at = cast(:now as timestamptz) - interval '181 minutes'"
    " where hold_id::text = :subject"
)
_TOLD_OF_IT = (
    "insert into usage_events (tenant_id, usage_event_id, source_system, event_type, account_id,"
    " operation_key, payload, at) select tenant_id, gen_random_uuid(), 'v1', '{}', account_id,"
    " :fresh || '{}', jsonb_build_object('ref_type', ref_type, 'ref_id', ref_id),"
    " created_at + interval '{} minutes' from credit_holds where hold_id::text = :subject"
)
_CONSUMED = (
    "select r.release_id::text as subject, h.hold_id, h.work_order_id, h.account_id"
    " from releases r join credit_holds h using (tenant_id, hold_id)"
    " where r.result = 'CREDIT_CONSUMED' limit 1"
)
_PAID_RELEASE = (
    "select r.release_id::text as subject, r.work_order_id, c.invoice_id from releases r"
    " join work_order_charges c using (tenant_id, release_id) where r.result = 'PAID' limit 1"
)
_ACCOUNT = (
    "select account_id::text as subject from credit_wallets where journal_seq > 5 and available > 5"
    " and reserved > 0 limit 1"
)
_PAID_INVOICE = (
    "select invoice_id::text as subject from service_invoices i where status = 'paid' and paid > 1"
    " and exists (select from invoice_settlements s where s.invoice_id = i.invoice_id"
    "  and s.kind = 'payment') and not exists (select from invoice_settlements s"
    "  where s.invoice_id = i.invoice_id and s.kind <> 'payment') and not exists (select"
    "  from invoice_settlements s where s.invoice_id = i.invoice_id and payment_order_id is not null)"
    " and work_order_id is null limit 1"
)
_PART_PAID = "select invoice_id::text as subject from service_invoices where status = 'partially_paid' limit 1"
_ISSUED = "select invoice_id::text as subject from service_invoices where status = 'issued' limit 1"
_SERIES = (
    "select concat_ws(' ', gstin, financial_year, kind) as subject, last_number as last,"
    " (select invoice_id from service_invoices where number like 'INV/%' order by number limit 1)"
    "  as invoice_id from invoice_number_series where kind = 'invoice' and last_number > 3"
)
_BOUGHT = (
    "select payment_order_id::text as subject from payment_orders where purpose = 'topup'"
    " and status = 'paid' limit 1"
)
_PAID_BY_LINK = (
    "select o.payment_order_id::text as subject from payment_orders o join invoice_settlements s"
    " using (tenant_id, payment_order_id) where o.purpose = 'invoice' and o.status = 'paid' limit 1"
)
_GONE_BACK = (
    "select payment_order_id::text as subject from payment_orders where reversed > 0 limit 1"
)
_REFUND = (
    "select r.refund_id::text as subject from payment_refunds r join payment_orders o"
    " using (tenant_id, payment_order_id) where r.status = 'failed' and o.refunded < o.amount limit 1"
)
_EXPIRED = (
    "select payment_order_id::text as subject from payment_orders where status = 'expired' limit 1"
)
_REFILLED = (
    "select s.subscription_id::text as subject, r.period, r.entry_id, r.is_paid"
    " from subscription_refills r join subscriptions s using (tenant_id, subscription_id)"
    " where s.status = 'active' and r.credits > 0 limit 1"
)
_WAITING_WORK = (
    "select work_order_id::text as subject from work_orders w where status = 'DATA_PENDING'"
    " and not exists (select from releases r where r.work_order_id = w.work_order_id) limit 1"
)
_RELEASED = (
    "select work_order_id::text as subject, operation_key from releases"
    " where result <> 'BLOCKED' limit 1"
)
_EVENT = (
    "insert into payment_events (tenant_id, event_id, provider, provider_event_id, event_type,"
    " payload, payload_sha256, status, received_at) values (:studio, cast(:fresh as uuid), 'stripe',"
    " :fresh, 'x', '', repeat('a', 64), '{}', cast(:now as timestamptz) - interval '{}')"
)
_A_NEW_ONE = "select :fresh as subject"

SEEDS = {
    "the work of a hold is cancelled": Seed(
        "hold_orphaned",
        _WORKING,
        ("update work_orders set status = 'CANCELLED' where work_order_id = :work_order_id",),
    ),
    "the work of a hold is closed without a release": Seed(
        "hold_orphaned",
        _WORKING,
        ("update work_orders set status = 'CLOSED' where work_order_id = :work_order_id",),
    ),
    "the work of a hold is not there": Seed(
        "hold_orphaned",
        _WORKING,
        (
            (
                "update credit_holds set work_order_id = null, ref_id = :fresh"
                " where hold_id::text = :subject"
            ),
        ),
    ),
    "a hold's time is over": Seed("hold_orphaned", _ACTIVE, (_OVERDUE,)),
    "a hold's time is over, and its work was told to have ended": Seed(
        "hold_orphaned",
        _ACTIVE,
        (
            _OVERDUE,
            _TOLD_OF_IT.format("work_accepted", "a", 1),
            _TOLD_OF_IT.format("work_cancelled", "c", 2),
        ),
    ),
    "a release's hold is still open": Seed(
        "hold_lagging",
        "select h.hold_id::text as subject from releases r join credit_holds h"
        " using (tenant_id, hold_id) where r.result = 'CREDIT_CONSUMED' limit 1",
        (
            (
                "update credit_holds set status = 'active', consumed = 0, ended_at = null"
                " where hold_id::text = :subject"
            ),
        ),
        ("delivery_uncharged", "hold_entries", "wallet_reserved"),
    ),
    "a paid release has no charge": Seed(
        "delivery_uncharged",
        _PAID_RELEASE,
        ("delete from work_order_charges where work_order_id = :work_order_id",),
    ),
    "a paid release's invoice was never paid": Seed(
        "delivery_uncharged",
        _PAID_RELEASE,
        ("delete from invoice_settlements where invoice_id = :invoice_id",),
        ("invoice_amounts",),
    ),
    "a paid release's invoice is void": Seed(
        "delivery_uncharged",
        _PAID_RELEASE,
        ("update service_invoices set status = 'void', due = 0 where invoice_id = :invoice_id",),
        ("invoice_status", "invoice_journal"),
    ),
    "a release's hold was freed": Seed(
        "delivery_uncharged",
        _CONSUMED,
        ("update credit_holds set status = 'released', consumed = 0 where hold_id = :hold_id",),
        ("hold_entries",),
    ),
    "an override has no reason": Seed(
        "delivery_uncharged",
        "select release_id::text as subject from releases where result = 'OVERRIDE' limit 1",
        ("update releases set override_reason = '' where release_id::text = :subject",),
    ),
    "a paid release's payment was charged back": Seed(
        "delivery_taken_back",
        _PAID_RELEASE,
        (
            (
                "update service_invoices set status = 'issued', paid = 0, due = total"
                " where invoice_id = :invoice_id"
            ),
            (
                "insert into invoice_settlements (tenant_id, settlement_id, invoice_id, kind, amount,"
                " mode, reverses, operation_key, received_on, created_at) select tenant_id,"
                " cast(:fresh as uuid), invoice_id, 'chargeback', amount, mode, settlement_id, :fresh,"
                " received_on, created_at from invoice_settlements where invoice_id = :invoice_id"
            ),
        ),
        ("invoice_journal",),
    ),
    "a work order was charged twice": Seed(
        "work_charged_twice",
        "select w.work_order_id::text as subject, h.hold_id from credit_holds h, work_orders w"
        " where h.status = 'consumed' and h.work_order_id is null and exists (select from"
        "  work_order_charges c where c.work_order_id = w.work_order_id"
        "  and c.settled_by = 'PAID') limit 1",
        (
            (
                "update credit_holds set work_order_id = cast(:subject as uuid)"
                " where hold_id = :hold_id"
            ),
        ),
    ),
    "a wallet has a credit more": Seed(
        "wallet_counters",
        _ACCOUNT,
        (
            (
                "update credit_wallets set wallet = wallet + 1, available = available + 1"
                " where account_id::text = :subject"
            ),
        ),
    ),
    "the last entry is gone": Seed(
        "wallet_counters",
        "select account_id::text as subject, journal_seq from credit_wallets w"
        " where exists (select from journal_entries e where e.account_id = w.account_id"
        "  and e.seq = w.journal_seq and e.kind = 'grant' and e.ref_type is null) limit 1",
        ("delete from journal_entries where account_id::text = :subject and seq = :journal_seq",),
    ),
    "an account has no wallet": Seed(
        "wallet_counters",
        "select account_id::text as subject from credit_wallets where journal_seq > 0"
        " and reserved = 0 limit 1",
        ("delete from credit_wallets where account_id::text = :subject",),
    ),
    "a wallet reserves what no hold does": Seed(
        "wallet_reserved",
        _ACCOUNT,
        (
            (
                "update credit_wallets set reserved = reserved + 1, available = available - 1"
                " where account_id::text = :subject"
            ),
        ),
        ("wallet_counters",),
    ),
    "an entry was changed": Seed(
        "journal_broken",
        _ACCOUNT,
        (
            (
                "update journal_entries set reason = 'another' where account_id::text = :subject"
                " and seq = 3"
            ),
        ),
    ),
    "an entry's postings do not add up": Seed(
        "journal_broken",
        _ACCOUNT,
        (
            (
                "update journal_entries set postings = postings || '{\"credits:issued\": 77}'"
                " where account_id::text = :subject and seq = 1"
            ),
        ),
    ),
    "a hold ended without an entry": Seed(
        "hold_entries",
        _ACTIVE,
        (
            (
                "update credit_holds set status = 'released', ended_at = :now"
                " where hold_id::text = :subject"
            ),
        ),
        ("wallet_reserved",),
    ),
    "a hold says that more was consumed": Seed(
        "hold_entries",
        "select hold_id::text as subject from credit_holds where status = 'consumed'"
        " and consumed < amount limit 1",
        ("update credit_holds set consumed = amount where hold_id::text = :subject",),
    ),
    "a hold ended twice": Seed(
        "hold_entries",
        "select h.hold_id::text as subject, e.entry_id from credit_holds h join journal_entries e"
        " using (tenant_id, hold_id) where e.kind = 'release' limit 1",
        (
            (
                "insert into journal_entries select (jsonb_populate_record(e, jsonb_build_object("
                " 'entry_id', cast(:fresh as text), 'seq', 100000,"
                " 'operation_key', cast(:fresh as text)))).*"
                " from journal_entries e where entry_id = :entry_id"
            ),
        ),
        ("journal_broken", "wallet_counters"),
    ),
    "a settlement is gone": Seed(
        "invoice_amounts",
        _PAID_INVOICE,
        ("delete from invoice_settlements where invoice_id::text = :subject",),
    ),
    "a line is gone": Seed(
        "invoice_amounts",
        _ISSUED,
        ("delete from service_invoice_items where invoice_id::text = :subject",),
    ),
    "an invoice is due for less": Seed(
        "invoice_amounts",
        _ISSUED,
        ("update service_invoices set due = due - 1 where invoice_id::text = :subject",),
        ("invoice_journal",),
    ),
    "an invoice that is paid in part is called paid": Seed(
        "invoice_status",
        _PART_PAID,
        ("update service_invoices set status = 'paid' where invoice_id::text = :subject",),
    ),
    "an issued invoice was not booked": Seed(
        "invoice_journal",
        _ISSUED,
        (
            (
                "update journal_entries set invoice_id = null where kind = 'invoice_issue'"
                " and invoice_id::text = :subject"
            ),
        ),
        ("journal_broken",),
    ),
    "an invoice is booked that is not there": Seed(
        "invoice_journal",
        "select :fresh as subject, entry_id from journal_entries where kind = 'topup' limit 1",
        (
            (
                "update journal_entries set invoice_id = cast(:fresh as uuid),"
                " postings = postings || '{\"inr:receivable\": 5}' where entry_id = :entry_id"
            ),
        ),
        ("journal_broken",),
    ),
    "a number is missing": Seed(
        "invoice_numbers",
        _SERIES,
        (
            (
                "update service_invoices set number = regexp_replace(number, '[0-9]+$', '99999')"
                " where invoice_id = :invoice_id"
            ),
        ),
    ),
    "a number stands twice": Seed(
        "invoice_numbers",
        _SERIES,
        (
            (
                "update service_invoices set number = (select max(number) from service_invoices)"
                " where invoice_id = :invoice_id"
            ),
        ),
    ),
    "a number was taken for nothing": Seed(
        "invoice_numbers",
        _SERIES,
        ("update invoice_number_series set last_number = last_number + 1 where kind = 'invoice'",),
    ),
    "credits were paid for and not granted": Seed(
        "payment_unbooked",
        _BOUGHT,
        ("delete from journal_entries where kind = 'topup' and payment_order_id::text = :subject",),
        ("journal_broken", "wallet_counters"),
    ),
    "an invoice's payment did not reach it": Seed(
        "payment_unbooked",
        _PAID_BY_LINK,
        ("delete from invoice_settlements where payment_order_id::text = :subject",),
        ("invoice_amounts",),
    ),
    "credits were granted for a payment that has not come": Seed(
        "payment_unpaid",
        _BOUGHT,
        (
            (
                "update payment_orders set status = 'expired', settled_at = null"
                " where payment_order_id::text = :subject"
            ),
        ),
    ),
    "an invoice was settled by an order that is not there": Seed(
        "payment_unpaid",
        _PAID_BY_LINK,
        ("delete from payment_orders where payment_order_id::text = :subject",),
    ),
    "refunds are more than what was paid": Seed(
        "refund_books",
        _BOUGHT,
        (
            (
                "insert into payment_refunds (tenant_id, refund_id, payment_order_id, amount, status,"
                " reason, operation_key, request_sha256, created_at, updated_at)"
                " select tenant_id, cast(:fresh as uuid), payment_order_id, amount + 1, 'pending', 'x',"
                " :fresh, 'x', :now, :now from payment_orders where payment_order_id::text = :subject"
            ),
        ),
    ),
    "what went back was not booked": Seed(
        "refund_books",
        _GONE_BACK,
        ("update payment_orders set reversed = 0 where payment_order_id::text = :subject",),
    ),
    "a refund is under way for more than a week": Seed(
        "refund_open",
        _REFUND,
        (
            (
                "update payment_refunds set status = 'pending', amount = 1,"
                " created_at = cast(:now as timestamptz) - interval '169 hours'"
                " where refund_id::text = :subject"
            ),
        ),
    ),
    "nobody knows for a day whether an order has a link": Seed(
        "order_open",
        _EXPIRED,
        (
            (
                "update payment_orders set status = 'unknown',"
                " created_at = cast(:now as timestamptz) - interval '25 hours'"
                " where payment_order_id::text = :subject"
            ),
        ),
    ),
    "a link ran out a day ago, and the order is open": Seed(
        "order_open",
        _EXPIRED,
        (
            (
                "update payment_orders set status = 'pending',"
                " expires_at = cast(:now as timestamptz) - interval '25 hours'"
                " where payment_order_id::text = :subject"
            ),
        ),
    ),
    "an event is not worked off": Seed(
        "inbox_waiting", _A_NEW_ONE, (_EVENT.format("received", "361 minutes"),)
    ),
    "an event belongs to no order": Seed(
        "inbox_waiting", _A_NEW_ONE, (_EVENT.format("unmatched", "25 hours"),)
    ),
    "an event contradicts its order": Seed(
        "inbox_waiting", _A_NEW_ONE, (_EVENT.format("refused", "25 hours"),)
    ),
    "a paid period was not refilled": Seed(
        "refill_missing",
        _REFILLED,
        (
            (
                "delete from subscription_refills where subscription_id::text = :subject"
                " and period = :period"
            ),
            (
                "update subscription_periods set paid_at = cast(:now as timestamptz)"
                " - interval '25 hours' where subscription_id::text = :subject and period = :period"
            ),
        ),
        ("refill_books",),
    ),
    "the sweep does not come by": Seed(
        "refill_missing",
        _REFILLED,
        (
            (
                "update subscriptions set due_at = cast(:now as timestamptz) - interval '25 hours'"
                " where subscription_id::text = :subject"
            ),
        ),
    ),
    "a refill says another number of credits": Seed(
        "refill_books",
        _REFILLED,
        (
            (
                "update subscription_refills set credits = credits + 1"
                " where subscription_id::text = :subject and period = :period"
            ),
        ),
    ),
    "a refill names no grant": Seed(
        "refill_books",
        _REFILLED,
        (
            (
                "update subscription_refills set entry_id = cast(:fresh as uuid)"
                " where entry_id = :entry_id"
            ),
        ),
    ),
    "planned work came to nothing": Seed(
        "usage_open",
        _WAITING_WORK,
        (
            (
                "insert into usage_events (tenant_id, usage_event_id, source_system, event_type,"
                " operation_key, payload, at) values (:firm, cast(:fresh as uuid), 'v2',"
                " 'repogen_ready_for_render_planned', :fresh,"
                " jsonb_build_object('work_order_id', cast(:subject as text)),"
                " cast(:now as timestamptz) - interval '31 days')"
            ),
        ),
    ),
    "statements were not told of a release": Seed(
        "usage_open",
        _RELEASED,
        (
            (
                "delete from usage_events"
                " where operation_key = 'repogen_deliverables_release:' || :operation_key"
            ),
        ),
    ),
}

#: What is on the right side of each limit, and is found as nothing.
HARMLESS = {
    "a hold's time is over, and its work was told to have begun": (
        _ACTIVE,
        (_OVERDUE, _TOLD_OF_IT.format("work_accepted", "a", 1)),
    ),
    "a hold's time has just run out": (
        _ACTIVE,
        (
            (
                "update credit_holds set expires_at = cast(:now as timestamptz) - interval '179 minutes'"
                " where hold_id::text = :subject"
            ),
        ),
    ),
    "a link has just run out": (
        _EXPIRED,
        (
            (
                "update payment_orders set status = 'pending',"
                " expires_at = cast(:now as timestamptz) - interval '23 hours'"
                " where payment_order_id::text = :subject"
            ),
        ),
    ),
    "an order has just been sent": (
        _EXPIRED,
        (
            (
                "update payment_orders set status = 'unknown',"
                " created_at = cast(:now as timestamptz) - interval '23 hours'"
                " where payment_order_id::text = :subject"
            ),
        ),
    ),
    "a refund is under way for days": (
        _REFUND,
        (
            (
                "update payment_refunds set status = 'pending', amount = 1,"
                " created_at = cast(:now as timestamptz) - interval '167 hours'"
                " where refund_id::text = :subject"
            ),
        ),
    ),
    "an event has just come": (_A_NEW_ONE, (_EVENT.format("received", "359 minutes"),)),
    "an event's order may yet come": (_A_NEW_ONE, (_EVENT.format("unmatched", "23 hours"),)),
    "an event was refused long ago": (_A_NEW_ONE, (_EVENT.format("refused", "36 days"),)),
    "the sweep will come by": (
        _REFILLED,
        (
            (
                "update subscriptions set due_at = cast(:now as timestamptz) - interval '23 hours'"
                " where subscription_id::text = :subject"
            ),
        ),
    ),
    "work is planned for weeks": (
        _WAITING_WORK,
        (
            (
                "insert into usage_events (tenant_id, usage_event_id, source_system, event_type,"
                " operation_key, payload, at) values (:firm, cast(:fresh as uuid), 'v2',"
                " 'repogen_ready_for_render_planned', :fresh,"
                " jsonb_build_object('work_order_id', cast(:subject as text)),"
                " cast(:now as timestamptz) - interval '29 days')"
            ),
        ),
    ),
    "what went back after the release was paid again": (
        _PAID_RELEASE,
        (
            (
                "insert into invoice_settlements (tenant_id, settlement_id, invoice_id, kind, amount,"
                " mode, reverses, operation_key, received_on, created_at) select tenant_id,"
                " cast(:fresh as uuid), invoice_id, 'refund', amount, mode, settlement_id, :fresh,"
                " received_on, created_at from invoice_settlements where invoice_id = :invoice_id"
            ),
            (
                "insert into invoice_settlements (tenant_id, settlement_id, invoice_id, kind, amount,"
                " mode, operation_key, received_on, created_at) select tenant_id, gen_random_uuid(),"
                " invoice_id, 'payment', amount, mode, :fresh || ' again', received_on, created_at"
                " from invoice_settlements where invoice_id = :invoice_id and kind = 'payment'"
            ),
        ),
    ),
}


@pytest.fixture(scope="module")
def history(new_history: Callable[[int], History]) -> History:
    """Books with some of everything, which agree."""
    made = new_history(7)
    made.pay_by("CREDIT")
    for way in ("CREDIT", "POSTPAID"):
        made.pay_by(way)
        for override in (False, True):
            made.accept()
            made.report(made.work[-1], pays=True, override=override)
        made.accept()
    for _ in range(4):
        made.subscribe()
    made.sweep()
    made.run(250)
    # Nothing more comes to these: a refund that failed, an invoice paid by a link, a last grant.
    made.start_topup()
    bought = made.orders[-1][1]
    made.pay(bought)
    failed = {"provider_refund_id": "re_failed", "refund_status": "failed"}
    made.news(bought, "refund", amount=100, currency="INR", **failed)
    made.draft()
    made.invoices = made.invoices[-1:]
    made.issue()
    made.start_payment()
    made.pay(made.orders[-1][1])
    made.grant()
    assert made.compare().findings == ()
    return made


@dataclass
class Tampering:
    """The superuser's transaction, and who it is about."""

    connection: Connection
    history: History

    def put(self, pick: str, statements: tuple[str, ...]) -> str:
        """Put a drift in; its subject."""
        values: dict[str, Any] = {
            "now": self.history.at,
            "firm": self.history.books.firm_id,
            "studio": self.history.books.studio_id,
            "fresh": str(new_id()),
        }
        row = self.connection.execute(text(pick), values).mappings().one()
        for statement in statements:
            assert self.connection.execute(text(statement), {**values, **row}).rowcount, statement
        found: str = row["subject"]
        return found

    def found(self) -> list[Finding]:
        """Everything that does not agree."""
        books = self.history.books
        return [
            one
            for drift in DRIFTS
            for one in find(
                self.connection,
                drift,
                books.studio_id if drift.of_studio else books.firm_id,
                self.history.at,
            )
        ]


@pytest.fixture
def tampering(history: History) -> Iterator[Tampering]:
    """A transaction past every trigger, foreign key and check, which comes to nothing."""
    with history.owner.connect() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        connection.execute(text(_WITHOUT_CHECKS))
        for name in _INDEXES:
            connection.execute(text(f"drop index {name}"))
        yield Tampering(connection, history)
        connection.rollback()


@pytest.mark.parametrize("name", SEEDS)
def test_each_drift_is_found_as_what_it_is(name: str, tampering: Tampering) -> None:
    seed = SEEDS[name]

    subject = tampering.put(seed.pick, seed.put)

    found = tampering.found()
    assert (seed.code, subject) in {(one.code, one.subject_id) for one in found}, found
    assert {one.code for one in found} == {seed.code, *seed.also}, found
    assert all(one.found for one in found)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_on_the_right_side_of_a_limit_is_not_found(name: str, tampering: Tampering) -> None:
    tampering.put(*HARMLESS[name])

    codes = {one.code for one in tampering.found()} - {"journal_broken", "invoice_journal"}

    assert codes == set()


def test_every_kind_is_tried() -> None:
    tried = {seed.code for seed in SEEDS.values()}
    # What a provider says is asked over the network: test_providers.
    assert {drift.code for drift in DRIFTS} == tried | {"provider_differs"}
    assert len({drift.code for drift in DRIFTS}) == len(DRIFTS) == 23
