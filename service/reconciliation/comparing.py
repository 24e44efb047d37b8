"""What is held to what: each kind of drift with its query, its meaning, and what is proposed.

A query gives the subject, its account and what was found, for one firm. All queries of a run see
one instant of the database: what is being written meanwhile is no drift. Each is one pass over the
firm's rows of a table, or goes by an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from sqlalchemy import TextClause, text

from service.billing.journal import verify_journal
from service.billing.reconciling_holds import IS_ALIVE
from service.release.records import unexplained_releases

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: Of one kind no more are told; whoever has so many has one cause.
MOST_OF_A_KIND = 200

Subject = Literal[
    "credit_hold",
    "release",
    "work_order",
    "billing_account",
    "invoice",
    "invoice_number_series",
    "payment_order",
    "payment_refund",
    "payment_event",
    "subscription",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not agree.

    Attributes:
        code: the kind of drift.
        subject_type: what kind of thing it is about.
        subject_id: which.
        account_id: whose, if it is an account's.
        found: what is here and what is there.
    """

    code: str
    subject_type: Subject
    subject_id: str
    account_id: str | None
    found: Mapping[str, Any]


Rows = Callable[["Connection", UUID], Iterator[tuple[str, UUID | None, Mapping[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Drift:
    """A kind of drift.

    Attributes:
        code: stable; metrics and runs name it.
        subject_type: what a finding is about.
        compares: what is held to what.
        means: what it is if they differ.
        proposes: what a person may do.
        find: gives subject, account_id and found; the query is bound to `tenant` and `now`. None if
            it is not found by comparing rows.
        of_studio: whether it is about the studio's own rows, across firms.
    """

    code: str
    subject_type: Subject
    compares: str
    means: str
    proposes: str
    find: TextClause | Rows | None
    of_studio: bool = False


# --- Holds against work

# Of a work order's releases those count that came after the hold: a hold that is made after an
# override is for the next version.
_HOLDS = (
    "select h.hold_id::text as subject, h.account_id, jsonb_build_object('amount', h.amount,"
    " 'ref_type', h.ref_type, 'ref_id', h.ref_id, 'work_order_status', w.status,"
    " 'release', r.result, 'expires_at', h.expires_at) as found from credit_holds h"
    " left join work_orders w on w.tenant_id = h.tenant_id and w.work_order_id = h.work_order_id"
    " left join lateral (select result, hold_outcome, hold_id from releases"
    "  where tenant_id = h.tenant_id and work_order_id = h.work_order_id and result <> 'BLOCKED'"
    "  and created_at >= h.created_at order by created_at desc, release_id desc limit 1) r on true"
    " where h.tenant_id = :tenant and h.status = 'active' and "
)
_ORPHANED = text(
    f"{_HOLDS} r.result is null and case"
    " when h.work_order_id is not null then w.work_order_id is null"
    "  or w.status in ('CANCELLED', 'CLOSED')"
    " when h.ref_type = 'work_order' then not exists (select from work_orders o"
    "  where o.tenant_id = h.tenant_id and o.work_order_id::text = h.ref_id)"
    # The hourly round has had its time.
    " else coalesce(h.expires_at, h.created_at + interval '1 day') < cast(:now as timestamptz)"
    f"  - interval '3 hours' and not {IS_ALIVE} end"
)
_LAGGING = text(f"{_HOLDS} r.result is not null")
_HOLD_ENDS = text(
    "select h.hold_id::text as subject, h.account_id, jsonb_build_object('status', h.status,"
    " 'reserved', h.amount, 'consumed', h.consumed, 'reserve_entries', coalesce(e.begins, 0),"
    " 'ending_entries', coalesce(e.ends, 0), 'booked_reserved', e.reserved,"
    " 'booked_consumed', e.consumed, 'booked_freed', e.freed) as found from credit_holds h"
    " left join (select hold_id, count(*) filter (where kind = 'reserve') as begins,"
    "  count(*) filter (where kind <> 'reserve') as ends,"
    "  bool_or(kind = 'consume') as is_consumed,"
    "  sum((postings ->> 'credits:held')::bigint) filter (where kind = 'reserve') as reserved,"
    "  sum((postings ->> 'credits:held')::bigint) filter (where kind <> 'reserve') as ended,"
    "  coalesce(sum((postings ->> 'credits:consumed')::bigint), 0) as consumed,"
    "  coalesce(sum((postings ->> 'credits:available')::bigint)"
    "   filter (where kind <> 'reserve'), 0) as freed"
    "  from journal_entries where tenant_id = :tenant and hold_id is not null group by hold_id) e"
    " on e.hold_id = h.hold_id where h.tenant_id = :tenant"
    " and (e.begins is distinct from 1 or e.reserved is distinct from h.amount"
    " or case h.status when 'active' then e.ends <> 0"
    "  else e.ends <> 1 or e.ended is distinct from -h.amount or e.consumed <> h.consumed"
    "   or e.freed <> h.amount - h.consumed or e.is_consumed <> (h.status = 'consumed') end)"
)

# --- Deliveries against charges

# When what a charge was settled by is given up, another invoice or credits may pay instead of it.
_PAID_OTHERWISE = (
    "(exists (select from service_invoices n where n.tenant_id = c.tenant_id"
    "  and n.work_order_id = c.work_order_id and n.status = 'paid'"
    "  and (n.credited < n.total or n.total = 0))"
    " or exists (select from credit_holds n where n.tenant_id = c.tenant_id"
    "  and n.work_order_id = c.work_order_id and n.status = 'consumed'))"
)
_UNPAID_CHARGE = text(
    "select c.release_id::text as subject, coalesce(i.account_id, h.account_id) as account_id,"  # noqa: S608 - words of our own
    " jsonb_build_object('work_order_id', c.work_order_id, 'settled_by', c.settled_by,"
    " 'invoice_status', i.status, 'invoice_total', i.total, 'invoice_settled', s.settled,"
    " 'hold_status', h.status) as found from work_order_charges c"
    " left join service_invoices i on i.tenant_id = c.tenant_id and i.invoice_id = c.invoice_id"
    " left join credit_holds h on h.tenant_id = c.tenant_id and h.hold_id = c.hold_id"
    # What was paid before it went back counts: that is then owed, and no delivery without charge.
    " left join lateral (select coalesce(sum(amount), 0)::bigint as settled"
    "  from invoice_settlements where tenant_id = c.tenant_id and invoice_id = c.invoice_id"
    "  and kind in ('payment', 'credit_note')) s on true where c.tenant_id = :tenant"
    " and case c.settled_by when 'PAID' then i.status is null or i.status = 'draft'"
    "  or s.settled < i.total or i.status = 'void'"
    f" and not {_PAID_OTHERWISE} else h.status is distinct from 'consumed' end"
)
# Of the releases that an invoice paid for, the first is told.
_TAKEN_BACK = text(
    "select min(r.release_id::text) as subject, i.account_id, jsonb_build_object("
    " 'work_order_id', i.work_order_id, 'invoice_id', i.invoice_id, 'number', i.number,"
    " 'invoice_status', i.status, 'total', i.total, 'due', i.due, 'gone_back', s.gone_back,"
    " 'last_gone_back_at', s.at) as found from releases r"
    " join service_invoices i on i.tenant_id = r.tenant_id and i.invoice_id = r.invoice_id"
    "  and i.status in ('issued', 'sent', 'partially_paid')"
    " join lateral (select sum(amount) filter (where kind in ('refund', 'chargeback')) as gone_back,"
    "  max(created_at) filter (where kind in ('refund', 'chargeback')) as at,"
    "  coalesce(sum(amount) filter (where kind in ('payment', 'credit_note')), 0) as settled"
    "  from invoice_settlements where tenant_id = r.tenant_id and invoice_id = r.invoice_id) s"
    # What was never paid is another kind.
    " on s.gone_back > 0 and s.settled >= i.total"
    " where r.tenant_id = :tenant and r.result = 'PAID'"
    " group by i.tenant_id, i.invoice_id, s.gone_back, s.at"
)
_CHARGED_TWICE = text(
    "select h.work_order_id::text as subject, min(h.account_id::text)::uuid as account_id,"
    " jsonb_build_object('consumed_holds', count(*), 'paid_by_invoice',"
    " coalesce(bool_or(i.invoice_id is not null), false)) as found from credit_holds h"
    " left join work_order_charges c on c.tenant_id = h.tenant_id"
    " and c.work_order_id = h.work_order_id"
    # An invoice that was given up after its payment went back pays for nothing.
    " left join service_invoices i on i.tenant_id = c.tenant_id and i.invoice_id = c.invoice_id"
    " and c.settled_by = 'PAID' and i.status <> 'void' and (i.credited < i.total or i.total = 0)"
    " where h.tenant_id = :tenant and h.status = 'consumed'"
    " and h.work_order_id is not null group by h.work_order_id"
    " having count(*) > 1 or coalesce(bool_or(i.invoice_id is not null), false)"
)


def _uncharged(
    connection: Connection, tenant_id: UUID
) -> Iterator[tuple[str, UUID | None, Mapping[str, Any]]]:
    told = set()
    for row in connection.execute(_UNPAID_CHARGE, {"tenant": tenant_id}):
        told.add(row.subject)
        yield row.subject, row.account_id, row.found
    for release_id in unexplained_releases(connection, tenant_id):
        if str(release_id) not in told:
            yield str(release_id), None, {"explained_by": None}


# --- Wallets against journals and holds

_COUNTERS = text(
    "select a.account_id::text as subject, a.account_id, jsonb_build_object("
    " 'wallet', w.wallet, 'reserved', w.reserved, 'available', w.available,"
    " 'head', w.journal_seq, 'booked_reserved', f.held, 'booked_available', f.available,"
    " 'booked_head', coalesce(f.seq, 0)) as found from billing_accounts a"
    " left join credit_wallets w on w.tenant_id = a.tenant_id and w.account_id = a.account_id"
    " cross join lateral ("
    "  select coalesce(sum((postings ->> 'credits:available')::bigint), 0) as available,"
    "  coalesce(sum((postings ->> 'credits:held')::bigint), 0) as held, max(seq) as seq"
    "  from journal_entries e where e.tenant_id = a.tenant_id and e.account_id = a.account_id) f"
    " left join journal_entries l on l.tenant_id = a.tenant_id and l.account_id = a.account_id"
    " and l.seq = f.seq where a.tenant_id = :tenant"
    " and (w.available, w.reserved, w.wallet, w.journal_seq, w.journal_hash) is distinct from"
    " (f.available, f.held, f.available + f.held, coalesce(f.seq, 0), coalesce(l.hash, ''))"
)
_RESERVED = text(
    "select w.account_id::text as subject, w.account_id, jsonb_build_object('reserved',"
    " w.reserved, 'open_holds', coalesce(h.amount, 0)) as found from credit_wallets w"
    " left join (select account_id, sum(amount) as amount from credit_holds"
    "  where tenant_id = :tenant and status = 'active' group by account_id) h"
    " on h.account_id = w.account_id"
    " where w.tenant_id = :tenant and w.reserved <> coalesce(h.amount, 0)"
)
_WALLETS = text("select account_id from credit_wallets where tenant_id = :tenant order by 1")
_TOLD_OF_A_JOURNAL = 20


def _broken_journals(
    connection: Connection, tenant_id: UUID
) -> Iterator[tuple[str, UUID | None, Mapping[str, Any]]]:
    """One finding for each account; that the wallet differs is another kind."""
    for account_id in connection.scalars(_WALLETS, {"tenant": tenant_id}).all():
        problems = [one for one in verify_journal(connection, tenant_id, account_id) if one.seq]
        if problems:
            told = [{"seq": one.seq, "what": one.what} for one in problems[:_TOLD_OF_A_JOURNAL]]
            yield str(account_id), account_id, {"problems": told, "count": len(problems)}


# --- Invoices against lines, settlements, journal and numbers

_AMOUNTS = text(
    "select i.invoice_id::text as subject, i.account_id, jsonb_build_object('number', i.number,"
    " 'status', i.status, 'total', i.total, 'credited', i.credited, 'paid', i.paid, 'due', i.due,"
    " 'lines', coalesce(l.total, 0), 'settled_credited', coalesce(s.credited, 0),"
    " 'settled_paid', coalesce(s.paid, 0)) as found from service_invoices i"
    " left join (select invoice_id, sum(line_total) as subtotal, sum(cgst) as cgst,"
    "  sum(sgst) as sgst, sum(igst) as igst, sum(line_total + cgst + sgst + igst) as total"
    "  from service_invoice_items where tenant_id = :tenant group by invoice_id) l"
    " on l.invoice_id = i.invoice_id"
    " left join (select invoice_id,"
    "  coalesce(sum(amount) filter (where kind = 'credit_note'), 0) as credited,"
    "  coalesce(sum(case kind when 'payment' then amount else -amount end)"
    "   filter (where kind <> 'credit_note'), 0) as paid"
    "  from invoice_settlements where tenant_id = :tenant group by invoice_id) s"
    " on s.invoice_id = i.invoice_id where i.tenant_id = :tenant"
    " and ((i.subtotal, i.cgst, i.sgst, i.igst, i.total, i.credited, i.paid) is distinct from"
    "  (coalesce(l.subtotal, 0), coalesce(l.cgst, 0), coalesce(l.sgst, 0), coalesce(l.igst, 0),"
    "   coalesce(l.total, 0), coalesce(s.credited, 0), coalesce(s.paid, 0))"
    " or i.due <> case i.status when 'void' then 0 else i.total - i.credited - i.paid end)"
)
_EXPECTED_STATUS = (
    "case when i.number is null then 'draft' when i.total - i.credited - i.paid <= 0 then 'paid'"
    " when i.credited + i.paid > 0 then 'partially_paid' when i.sent_at is null then 'issued'"
    " else 'sent' end"
)
_STATUS = text(
    "select i.invoice_id::text as subject, i.account_id, jsonb_build_object('number', i.number,"  # noqa: S608 - words of our own
    f" 'status', i.status, 'expected', {_EXPECTED_STATUS}, 'total', i.total,"
    " 'credited', i.credited, 'paid', i.paid) as found from service_invoices i"
    " where i.tenant_id = :tenant and case i.status when 'void' then i.credited + i.paid > 0"
    f" else i.status <> {_EXPECTED_STATUS} end"
)
_BOOKED_INVOICES = (
    "select invoice_id, min(account_id::text)::uuid as account_id,"
    " coalesce(sum((postings ->> 'inr:receivable')::bigint), 0) as receivable,"
    " coalesce(sum((postings ->> 'inr:revenue')::bigint), 0) as revenue,"
    " coalesce(sum((postings ->> 'inr:output_cgst')::bigint), 0) as cgst,"
    " coalesce(sum((postings ->> 'inr:output_sgst')::bigint), 0) as sgst,"
    " coalesce(sum((postings ->> 'inr:output_igst')::bigint), 0) as igst"
    " from journal_entries where tenant_id = :tenant and invoice_id is not null group by invoice_id"
)
# What the journal should say of an invoice: what is owed, and what was sold and not taken back.
_OWED_INVOICES = (
    "select i.invoice_id, i.account_id, i.number, i.status, i.due as receivable,"
    " coalesce(n.subtotal, 0) - i.subtotal as revenue, coalesce(n.cgst, 0) - i.cgst as cgst,"
    " coalesce(n.sgst, 0) - i.sgst as sgst, coalesce(n.igst, 0) - i.igst as igst,"
    " i.number is not null and i.status <> 'void' as counts from service_invoices i"
    " left join (select invoice_id, sum(subtotal) as subtotal, sum(cgst) as cgst,"
    "  sum(sgst) as sgst, sum(igst) as igst from invoice_settlements where tenant_id = :tenant"
    "  and kind = 'credit_note' group by invoice_id) n on n.invoice_id = i.invoice_id"
    " where i.tenant_id = :tenant"
)
_INVOICE_JOURNAL = text(
    "select coalesce(i.invoice_id, e.invoice_id)::text as subject,"  # noqa: S608 - words of our own
    " coalesce(i.account_id, e.account_id) as account_id, jsonb_build_object('number', i.number,"
    " 'status', i.status, 'owed', case when i.counts then i.receivable else 0 end,"
    " 'booked_owed', coalesce(e.receivable, 0), 'sold', case when i.counts then -i.revenue"
    " else 0 end, 'booked_sold', -coalesce(e.revenue, 0)) as found"
    f" from ({_OWED_INVOICES}) i full join ({_BOOKED_INVOICES}) e on e.invoice_id = i.invoice_id"
    " where (coalesce(e.receivable, 0), coalesce(e.revenue, 0), coalesce(e.cgst, 0),"
    " coalesce(e.sgst, 0), coalesce(e.igst, 0)) is distinct from (case when i.counts"
    " then i.receivable else 0 end, case when i.counts then i.revenue else 0 end,"
    " case when i.counts then i.cgst else 0 end, case when i.counts then i.sgst else 0 end,"
    " case when i.counts then i.igst else 0 end)"
)
_NUMBERS = text(
    "with taken as (select issuer_gstin as gstin, financial_year, 'invoice' as kind,"
    "  substring(number from '([0-9]+)$')::integer as n from service_invoices"
    "  where number is not null"
    " union all select issuer_gstin, financial_year, 'credit_note',"
    "  substring(number from '([0-9]+)$')::integer from invoice_settlements"
    "  where kind = 'credit_note'),"
    " counted as (select gstin, financial_year, kind, count(*) as documents,"
    "  count(distinct n) as numbers, min(n) as least, max(n) as most from taken"
    "  group by gstin, financial_year, kind)"
    " select concat_ws(' ', coalesce(s.gstin, c.gstin), coalesce(s.financial_year,"
    "  c.financial_year), coalesce(s.kind, c.kind)) as subject, null::uuid as account_id,"
    " jsonb_build_object('last_number', s.last_number, 'documents', coalesce(c.documents, 0),"
    "  'different_numbers', coalesce(c.numbers, 0), 'highest', c.most, 'missing', (select"
    "   coalesce(jsonb_agg(m.n), '[]') from (select g.n from generate_series(1,"
    "   greatest(s.last_number, c.most)) as g (n) where not exists (select from taken t"
    "   where (t.gstin, t.financial_year, t.kind, t.n) = (coalesce(s.gstin, c.gstin),"
    "   coalesce(s.financial_year, c.financial_year), coalesce(s.kind, c.kind), g.n))"
    "   order by g.n limit 20) m)) as found"
    " from (select * from invoice_number_series where tenant_id = :tenant) s full join counted c"
    " on (c.gstin, c.financial_year, c.kind) = (s.gstin, s.financial_year, s.kind)"
    " where (c.documents, c.numbers, c.least, c.most) is distinct from"
    " (s.last_number, s.last_number, 1, s.last_number)"
)

# --- Payments against books

_BOOKED_ORDERS = (
    "select payment_order_id, min(account_id::text)::uuid as account_id,"
    " count(*) filter (where kind in ('payment', 'topup')) as bookings,"
    " coalesce(sum(coalesce((postings ->> 'inr:stripe')::bigint, 0)"
    "  + coalesce((postings ->> 'inr:razorpay')::bigint, 0))"
    "  filter (where kind = 'payment'), 0) as received,"
    " coalesce(sum(coalesce((postings ->> 'inr:stripe')::bigint, 0)"
    "  + coalesce((postings ->> 'inr:razorpay')::bigint, 0))"
    "  filter (where kind in ('refund', 'chargeback')), 0) as given_back,"
    " coalesce(sum((postings ->> 'credits:available')::bigint)"
    "  filter (where kind = 'topup'), 0) as granted,"
    " coalesce(sum((postings ->> 'credits:available')::bigint)"
    "  filter (where kind = 'adjustment'), 0) as taken_back"
    " from journal_entries where tenant_id = :tenant and payment_order_id is not null"
    " group by payment_order_id"
)
_SETTLED_ORDERS = (
    "select payment_order_id, sum(amount) as settled from invoice_settlements"
    " where tenant_id = :tenant and payment_order_id is not null and kind = 'payment'"
    " group by payment_order_id"
)
_PAYMENTS = (
    "select coalesce(o.payment_order_id, e.payment_order_id, s.payment_order_id)::text as subject,"  # noqa: S608 - words of our own
    " coalesce(o.account_id, e.account_id) as account_id, jsonb_build_object('status', o.status,"
    " 'purpose', o.purpose, 'amount', o.amount, 'credits', o.credits, 'advance', o.advance,"
    " 'booked', coalesce(e.received, 0), 'granted', coalesce(e.granted, 0),"
    " 'settled', coalesce(s.settled, 0)) as found"
    f" from (select * from payment_orders where tenant_id = :tenant) o full join ({_BOOKED_ORDERS})"
    f" e on e.payment_order_id = o.payment_order_id full join ({_SETTLED_ORDERS}) s"
    " on s.payment_order_id = coalesce(o.payment_order_id, e.payment_order_id) where "
)
_UNBOOKED = text(
    f"{_PAYMENTS} o.settled_at is not null and (coalesce(e.received, 0) <> o.amount"
    " or coalesce(e.granted, 0) <> case o.purpose when 'topup' then o.credits else 0 end"
    " or coalesce(s.settled, 0) + o.advance <> case o.purpose when 'topup' then 0 else o.amount end)"
)
_UNPAID = text(
    f"{_PAYMENTS} o.settled_at is null and (coalesce(e.bookings, 0) > 0"
    " or coalesce(s.settled, 0) > 0)"
)
_REFUNDS = text(
    "select o.payment_order_id::text as subject, o.account_id, jsonb_build_object("  # noqa: S608 - words of our own
    " 'status', o.status, 'amount', o.amount, 'refunded', o.refunded,"
    " 'charged_back', o.charged_back, 'reversed', o.reversed,"
    " 'refunds_under_way_or_done', coalesce(r.wanted, 0), 'refunds_done', coalesce(r.done, 0),"
    " 'booked_back', -coalesce(e.given_back, 0), 'credits_to_take', o.credits_reversed"
    " - o.credits_owed, 'booked_credits_taken', -coalesce(e.taken_back, 0)) as found"
    " from payment_orders o left join (select payment_order_id,"
    "  sum(amount) filter (where status <> 'failed') as wanted,"
    "  sum(amount) filter (where status = 'succeeded') as done from payment_refunds"
    "  where tenant_id = :tenant group by payment_order_id) r"
    " on r.payment_order_id = o.payment_order_id"
    f" left join ({_BOOKED_ORDERS}) e on e.payment_order_id = o.payment_order_id"
    " where o.tenant_id = :tenant and (coalesce(r.wanted, 0) > o.amount"
    " or coalesce(r.done, 0) > o.refunded or o.reversed <> case when o.settled_at is null then 0"
    "  else least(o.amount, o.refunded + o.charged_back) end"
    " or coalesce(e.given_back, 0) <> -o.reversed"
    " or coalesce(e.taken_back, 0) <> o.credits_owed - o.credits_reversed)"
)
_REFUNDS_OPEN = text(
    "select r.refund_id::text as subject, o.account_id, jsonb_build_object('status', r.status,"
    " 'amount', r.amount, 'payment_order_id', r.payment_order_id, 'since', r.created_at) as found"
    " from payment_refunds r left join payment_orders o on o.tenant_id = r.tenant_id"
    " and o.payment_order_id = r.payment_order_id where r.tenant_id = :tenant"
    " and r.status in ('unknown', 'pending')"
    " and r.created_at < cast(:now as timestamptz) - interval '7 days'"
)
_ORDERS_OPEN = text(
    "select payment_order_id::text as subject, account_id, jsonb_build_object('status', status,"
    " 'provider', provider, 'amount', amount, 'since', created_at, 'expires_at', expires_at,"
    " 'finding', finding) as found from payment_orders where tenant_id = :tenant"
    " and (status = 'unknown' and created_at < cast(:now as timestamptz) - interval '1 day'"
    " or status in ('pending', 'requires_action') and coalesce(expires_at, created_at"
    "  + interval '1 day') < cast(:now as timestamptz) - interval '1 day')"
)
# What nobody has settled in five weeks is not said again: it stands in the runs of before.
_INBOX = text(
    "select event_id::text as subject, null::uuid as account_id, jsonb_build_object("
    " 'provider', provider, 'provider_event_id', provider_event_id, 'event_type', event_type,"
    " 'status', status, 'outcome', outcome, 'received_at', received_at, 'firm', order_tenant_id,"
    " 'payment_order_id', payment_order_id) as found from payment_events"
    " where tenant_id = :tenant and (status = 'received'"
    "  and received_at < cast(:now as timestamptz) - interval '6 hours'"
    " or status in ('unmatched', 'refused')"
    "  and received_at < cast(:now as timestamptz) - interval '1 day'"
    "  and received_at > cast(:now as timestamptz) - interval '35 days')"
)

# --- Subscriptions and usage

_REFILL_MISSING = text(
    "select s.subscription_id::text as subject, s.account_id, jsonb_build_object('status',"
    " s.status, 'due_at', s.due_at, 'next_period', s.next_period, 'periods', coalesce(p.periods,"
    " '[]')) as found from subscriptions s left join lateral (select jsonb_agg(p.period"
    "  order by p.period) as periods from subscription_periods p where p.tenant_id = s.tenant_id"
    "  and p.subscription_id = s.subscription_id and p.status = 'paid'"
    "  and p.period < s.next_period and p.paid_at < cast(:now as timestamptz) - interval '1 day'"
    "  and not exists (select from subscription_refills r where r.tenant_id = p.tenant_id"
    "   and r.subscription_id = p.subscription_id and r.period = p.period)) p"
    # While something is owed, what was paid ahead waits; so it does in a pause.
    " on s.status in ('active', 'cancelled') and not exists (select from subscription_periods u"
    "  where u.tenant_id = s.tenant_id and u.subscription_id = s.subscription_id"
    "  and u.status = 'unpaid')"
    " where s.tenant_id = :tenant and (p.periods is not null or s.status not in ('paused',"
    " 'cancelled') and s.due_at < cast(:now as timestamptz) - interval '1 day')"
)
_REFILL_BOOKS = text(
    "select coalesce(r.subscription_id::text, e.ref_id) as subject,"
    " coalesce(r.account_id, e.account_id) as account_id, jsonb_build_object('period', r.period,"
    " 'credits', r.credits, 'entry', coalesce(r.entry_id, e.entry_id),"
    " 'booked_credits', (e.postings ->> 'credits:available')::bigint) as found"
    " from (select r.*, s.account_id from subscription_refills r join subscriptions s"
    "  on s.tenant_id = r.tenant_id and s.subscription_id = r.subscription_id"
    "  where r.tenant_id = :tenant and r.credits > 0) r"
    " full join (select entry_id, account_id, ref_id, kind, postings from journal_entries"
    "  where tenant_id = :tenant and ref_type = 'subscription_refill') e on e.entry_id = r.entry_id"
    " where (r.subscription_id::text, r.account_id, r.credits, 'grant') is distinct from"
    " (e.ref_id, e.account_id, (e.postings ->> 'credits:available')::bigint, e.kind)"
)
_USAGE = text(
    "select coalesce(w.work_order_id::text, u.payload ->> 'work_order_id', u.operation_key)"
    "  as subject, u.account_id, jsonb_build_object('event', u.event_type, 'at', u.at,"
    "  'work_order_status', w.status) as found from usage_events u"
    " left join work_orders w on w.tenant_id = u.tenant_id"
    "  and w.work_order_id::text = u.payload ->> 'work_order_id'"
    " where u.tenant_id = :tenant and u.event_type = 'repogen_ready_for_render_planned'"
    " and (w.work_order_id is null or w.status not in ('CLOSED', 'CANCELLED')"
    "  and u.at < cast(:now as timestamptz) - interval '30 days'"
    "  and not exists (select from releases r where r.tenant_id = w.tenant_id"
    "   and r.work_order_id = w.work_order_id and r.result <> 'BLOCKED'))"
    " union all select r.work_order_id::text, r.account_id, jsonb_build_object('release',"
    " r.release_id, 'result', r.result, 'at', r.created_at) from releases r"
    " where r.tenant_id = :tenant and r.result <> 'BLOCKED' and not exists (select"
    "  from usage_events u where u.tenant_id = r.tenant_id and u.source_system = 'v2'"
    "  and u.operation_key = 'repogen_deliverables_release:' || r.operation_key)"
)

DRIFTS: tuple[Drift, ...] = (
    Drift(
        "hold_orphaned",
        "credit_hold",
        "active holds and their work",
        "Its work order is cancelled, closed without a release or not there, or its time is over and"
        " the older system does not say that its work goes on: credits are held for nothing.",
        "Free it (POST /v1/control/credits/release), or consume it if the older system told that the"
        " work was delivered; the hourly round does either.",
        _ORPHANED,
    ),
    Drift(
        "hold_lagging",
        "credit_hold",
        "active holds and the releases that came after them",
        "The report was let out, and the hold for it is still open.",
        "Consume it, or free it if the report was paid for otherwise or overridden.",
        _LAGGING,
    ),
    Drift(
        "delivery_uncharged",
        "release",
        "releases, their charges, and what settled these",
        "A report was let out that nobody paid for, and no reason says why.",
        "Settle the invoice or charge the account; then find out how it left.",
        _uncharged,
    ),
    Drift(
        "delivery_taken_back",
        "release",
        "releases that an invoice paid for, and what went back of its payments",
        "A report was let out, and its payment was refunded or charged back since: the invoice is due"
        " again, and corrected versions are blocked.",
        "See that it is paid; credit the invoice if it is given up.",
        _TAKEN_BACK,
    ),
    Drift(
        "work_charged_twice",
        "work_order",
        "consumed holds and charges of a work order",
        "One work order was paid for more than once.",
        "Give the credits back by an adjustment, or credit the invoice.",
        _CHARGED_TWICE,
    ),
    Drift(
        "wallet_counters",
        "billing_account",
        "a wallet's counters and head, and its journal added up",
        "The counters say something else than the entries, or an entry is missing at the end.",
        "Believe the journal; write nothing to the account before the cause is known.",
        _COUNTERS,
    ),
    Drift(
        "wallet_reserved",
        "billing_account",
        "a wallet's reserved credits and its open holds",
        "More or fewer credits are set aside than there is work for.",
        "Look through the account's holds and their entries.",
        _RESERVED,
    ),
    Drift(
        "journal_broken",
        "billing_account",
        "each entry with its hash, the one before it, and nothing as the sum of its postings",
        "An entry was changed, left out or put in past the service.",
        "Stop writing to the account; compare with a backup: docs/runbook.md.",
        _broken_journals,
    ),
    Drift(
        "hold_entries",
        "credit_hold",
        "holds and their entries: one that reserves, one that ends, the same amounts",
        "A hold was ended without an entry, more than once, or by another amount.",
        "Compare the hold with its entries, and put the account right by an adjustment.",
        _HOLD_ENDS,
    ),
    Drift(
        "invoice_amounts",
        "invoice",
        "an invoice's amounts, its lines and its settlements",
        "What is said to be credited, paid or due is not what the rows add up to.",
        "Believe lines and settlements; credit or settle the difference.",
        _AMOUNTS,
    ),
    Drift(
        "invoice_status",
        "invoice",
        "an invoice's state and its amounts",
        "It is called paid and is not, or the other way round.",
        "Settle it anew for what is due, or credit it; the state follows.",
        _STATUS,
    ),
    Drift(
        "invoice_journal",
        "invoice",
        "what an invoice says is owed and sold, and the journal",
        "Issuing, settling or crediting it was not booked, or booked otherwise.",
        "Compare its entries in the timeline with its settlements.",
        _INVOICE_JOURNAL,
    ),
    Drift(
        "invoice_numbers",
        "invoice_number_series",
        "the numbers that were taken, and documents that have them",
        "A number is missing or stands twice: rule 46 asks for consecutive ones.",
        "Look for the document in a backup; explain the gap in the return.",
        _NUMBERS,
        of_studio=True,
    ),
    Drift(
        "payment_unbooked",
        "payment_order",
        "paid orders, and what was booked, granted and settled for them",
        "Money came, and not all of it was used for what it was paid for.",
        "Settle the invoice or grant the credits by hand, with the order's id as the reason.",
        _UNBOOKED,
    ),
    Drift(
        "payment_unpaid",
        "payment_order",
        "what was booked for orders, and whether these were paid",
        "Something was settled or granted in the name of a payment that has not come.",
        "Ask the provider; if it did not come, take the booking back.",
        _UNPAID,
    ),
    Drift(
        "refund_books",
        "payment_order",
        "refunds, the order's amount, and what the books took back",
        "More goes back than came, or what went back was not booked.",
        "Stop further refunds of the order; book or recover the difference.",
        _REFUNDS,
    ),
    Drift(
        "refund_open",
        "payment_refund",
        "refunds and the time since they were asked for",
        "The provider has not said for a week what became of it.",
        "Look it up at the provider.",
        _REFUNDS_OPEN,
    ),
    Drift(
        "order_open",
        "payment_order",
        "orders that are not ended, and the time since they should be",
        "Nobody knows what became of the payment.",
        "Look it up at the provider; the account may be asked to pay again after that.",
        _ORDERS_OPEN,
    ),
    Drift(
        "inbox_waiting",
        "payment_event",
        "providers' events and the time since they came",
        "One was not worked off, belongs to no order of ours, or contradicts its order.",
        "Read the outcome; look up the payment at the provider.",
        _INBOX,
        of_studio=True,
    ),
    Drift(
        "refill_missing",
        "subscription",
        "paid periods that have begun, the next turn, and refills",
        "A period was paid, and its credits were not given; or the sweep does not come by.",
        "POST /v1/control/subscriptions/refill-due, and look at its errors.",
        _REFILL_MISSING,
    ),
    Drift(
        "refill_books",
        "subscription",
        "refills and the grants that they name",
        "A refill has no such grant, or credits were granted that no period asked for.",
        "Put the account right by an adjustment.",
        _REFILL_BOOKS,
    ),
    Drift(
        "usage_open",
        "work_order",
        "planned use and what came of it; releases and their usage events",
        "Planned a month ago and neither let out nor ended, or let out without a word to statements.",
        "Ask the firm what becomes of the work order; close it if nothing does.",
        _USAGE,
    ),
    Drift(
        "provider_differs",
        "payment_order",
        "orders and what the provider answers when it is asked about them",
        "What it says would change the order: its news have not come, or were refused.",
        "Wait for the minutely round to ask; else settle or refund by hand.",
        None,
    ),
)

_COUNTED = text(
    "select (select count(*) from billing_accounts where tenant_id = :tenant) as accounts,"
    " (select count(*) from credit_holds where tenant_id = :tenant) as holds,"
    " (select count(*) from journal_entries where tenant_id = :tenant) as entries,"
    " (select count(*) from service_invoices where tenant_id = :tenant) as invoices,"
    " (select count(*) from payment_orders where tenant_id = :tenant) as payment_orders,"
    " (select count(*) from payment_events where tenant_id = :tenant) as payment_events,"
    " (select count(*) from subscriptions where tenant_id = :tenant) as subscriptions,"
    " (select count(*) from releases where tenant_id = :tenant) as releases"
)


def find(connection: Connection, drift: Drift, tenant_id: UUID, now: datetime) -> list[Finding]:
    """What a firm's books have of one kind of drift, by subject.

    Args:
        connection: in a role that sees the firm's work and books; for what is of the studio, in one
            that sees the books of all firms.
        drift: the kind.
        tenant_id: the firm, or the studio.
        now: the instant that limits are counted from.
    """
    if drift.find is None:
        return []
    if isinstance(drift.find, TextClause):
        rows: Any = connection.execute(
            text(f"select * from ({drift.find.text}) drift order by 1 limit :limit"),  # noqa: S608 - words of our own
            {"tenant": tenant_id, "now": now, "limit": MOST_OF_A_KIND},
        )
    else:
        rows = sorted(drift.find(connection, tenant_id))[:MOST_OF_A_KIND]
    return [
        Finding(
            drift.code,
            drift.subject_type,
            subject,
            None if account_id is None else str(account_id),
            found,
        )
        for subject, account_id, found in rows
    ]


def counted(connection: Connection, tenant_id: UUID) -> dict[str, int]:
    """How much there was to compare."""
    row = connection.execute(_COUNTED, {"tenant": tenant_id}).mappings().one()
    return dict(row)
