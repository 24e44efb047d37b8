"""One row of each table, for any tenant: a table without one here fails the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from service.clock import now
from service.identifiers import new_id

SHA = "ab" * 32


def specimen_rows(tenant: UUID, slug: str) -> dict[str, dict[str, Any]]:
    """Table -> its row's values, in an order in which they can be inserted."""
    at = now()
    ids: dict[str, UUID] = {
        name: new_id()
        for name in (
            "user", "token", "bank", "branch", "valuer", "property", "work_order", "run", "comment",
            "change", "document", "item", "link", "operation", "pack", "artifact", "sign_off", "event",
            "account", "hold", "entry", "issuer", "invoice", "plan", "subscription", "payment",
            "release",
        )
    }  # fmt: skip
    work_order = {"work_order_id": ids["work_order"]}
    rows: dict[str, dict[str, Any]] = {
        "tenants": {"slug": slug, "name": slug, "kind": "firm", "created_at": at},
        "firm_settings": {"updated_at": at},
        "users": {
            "user_id": ids["user"],
            "email": f"{slug}@specimen.test",
            "name": slug,
            "created_at": at,
        },
        "memberships": {"user_id": ids["user"], "role": "super_admin", "created_at": at},
        "idempotency_keys": {
            "caller_id": ids["user"],
            "key": "k",
            "request_sha256": SHA,
            "created_at": at,
        },
        "access_tokens": {
            "token_id": ids["token"],
            "kind": "bearer",
            "token_sha256": tenant.hex * 2,
            "user_id": ids["user"],
            "audience": "web",
            "created_at": at,
            "expires_at": at,
        },
        "banks": {"bank_id": ids["bank"], "name": "Bank", "created_at": at, "updated_at": at},
        "bank_branches": {
            "branch_id": ids["branch"],
            "bank_id": ids["bank"],
            "name": "Branch",
            "created_at": at,
            "updated_at": at,
        },
        "valuers": {
            "valuer_id": ids["valuer"],
            "name": "Valuer",
            "created_at": at,
            "updated_at": at,
        },
        "properties": {
            "property_id": ids["property"],
            "label": "House",
            "property": "{}",
            "search": "house",
            "created_at": at,
            "updated_at": at,
        },
        "work_orders": {
            **work_order,
            "reference": "WO-1",
            "report_type": "VALUATION",
            "bank_type": "SBI",
            "source_type": "TENANT",
            "contract": "{}",
            "requested_by": ids["user"],
            "created_at": at,
            "updated_at": at,
        },
        "bundle_parts": {"sha256": SHA, "content": b"{}"},
        "snapshots": {
            **work_order,
            "version": 1,
            "kind": "output",
            "contract": "{}",
            "bundle_digest": SHA,
            "created_at": at,
        },
        "rules_runs": {
            "rules_run_id": ids["run"],
            **work_order,
            "input_version": 1,
            "output_version": 1,
            "ruleset": "psu@1",
            "profile": "x@1",
            "warnings": 0,
            "created_at": at,
        },
        "comments": {
            "comment_id": ids["comment"],
            **work_order,
            "comment_type": "NOTES",
            "body": "note",
            "created_at": at,
        },
        "status_changes": {
            "status_change_id": ids["change"],
            **work_order,
            "from_status": "DRAFT",
            "to_status": "DATA_PENDING",
            "changed_at": at,
        },
        "documents": {
            "document_id": ids["document"],
            **work_order,
            "status": "pending",
            "filename": "a.jpg",
            "object_key": f"{tenant}/documents/{ids['document']}",
            "uploaded_by": ids["user"],
            "created_at": at,
        },
        "evidence_items": {
            "evidence_item_id": ids["item"],
            **work_order,
            "key": "front",
            "evidence_type": "PHOTO",
            "document_id": ids["document"],
            "created_at": at,
        },
        "field_evidence_links": {
            "field_evidence_link_id": ids["link"],
            **work_order,
            "field_key": "property.address",
            "evidence_item_id": ids["item"],
            "created_at": at,
        },
        "operations": {
            "operation_id": ids["operation"],
            "kind": "pack.bundle",
            "operation_key": "k",
            **work_order,
            "created_at": at,
            "run_after": at,
            # Nobody is to run it: it belongs to a table's test.
            "status": "done",
        },
        "operation_attempts": {
            "operation_id": ids["operation"],
            "generation": 1,
            "worker": "w",
            "started_at": at,
        },
        "packs": {
            "pack_id": ids["pack"],
            **work_order,
            "version": 1,
            "snapshot_version": 1,
            "bundle_digest": SHA,
            "template_key": "T",
            "family": "valuation",
            "status": "generating",
            "created_at": at,
        },
        "pack_artifacts": {
            "artifact_id": ids["artifact"],
            "pack_id": ids["pack"],
            "kind": "docx",
            "filename": "r.docx",
            "object_key": f"{tenant}/packs/x",
            "media_type": "x/y",
            "size": 1,
            "sha256": SHA,
            "operation_id": ids["operation"],
            "created_at": at,
        },
        "sign_offs": {
            "sign_off_id": ids["sign_off"],
            "pack_id": ids["pack"],
            "bundle_digest": SHA,
            "valuer_id": ids["valuer"],
            "valuer_name": "Valuer",
            "registration": "R-1",
            "signed_by": ids["user"],
            "signed_at": at,
        },
        "audit_events": {
            "event_id": ids["event"],
            "at": at,
            "action": "people:login:granted",
            "actor_kind": "user",
            "actor_id": ids["user"],
            "subject_type": "user",
            "subject_id": "x",
        },
        "audit_details": {"event_id": ids["event"], "details": "{}"},
        "audit_seals": {
            "seq": 1,
            "event_id": ids["event"],
            "previous_hash": "",
            "hash": SHA,
            "sealed_at": at,
        },
        **_billing_rows(tenant, ids, at),
    }
    return {
        table: ({} if table == "users" else {"tenant_id": tenant}) | values
        for table, values in rows.items()
    }


def _billing_rows(tenant: UUID, ids: Mapping[str, UUID], at: datetime) -> dict[str, dict[str, Any]]:
    account, invoice = {"account_id": ids["account"]}, {"invoice_id": ids["invoice"]}
    gstin = "27AAAAA0000A1Z5"
    return {
        "billing_accounts": {
            **account,
            "account_type": "tenant",
            "external_key": f"v2:tenant:{tenant}",
            "display_name": "Account",
            "created_at": at,
            "updated_at": at,
        },
        "credit_wallets": {**account, "wallet": 3, "reserved": 1, "available": 2},
        "credit_holds": {
            "hold_id": ids["hold"],
            **account,
            "ref_type": "work_order",
            "ref_id": str(ids["work_order"]),
            "work_order_id": ids["work_order"],
            "amount": 1,
            "created_at": at,
        },
        "journal_entries": {
            "entry_id": ids["entry"],
            **account,
            "seq": 1,
            "kind": "grant",
            "operation_key": "k",
            "request_sha256": SHA,
            "actor_kind": "user",
            "at": at,
            "postings": {"credits:issued": -3, "credits:available": 3},
            "result": "{}",
            "previous_hash": "",
            "hash": SHA,
        },
        "invoice_issuers": {
            "issuer_id": ids["issuer"],
            "legal_name": "Issuer",
            "gstin": gstin,
            "state_code": "27",
            "created_at": at,
        },
        "invoice_number_series": {
            "gstin": gstin,
            "financial_year": "26-27",
            "kind": "invoice",
            "last_number": 1,
            "last_on": at,
        },
        "service_invoices": {
            **invoice,
            **account,
            "work_order_id": ids["work_order"],
            # Another for each firm: one issuer numbers them all.
            "number": tenant.hex[-16:].upper(),
            "issuer_gstin": gstin,
            "financial_year": "26-27",
            "place_of_supply": "27",
            "parties": "{}",
            "issued_on": at,
            "due_on": at,
            "issue_key": "k",
            "status": "partially_paid",
            "subtotal": 100,
            "total": 100,
            "paid": 1,
            "due": 99,
            "created_at": at,
            "updated_at": at,
        },
        "service_invoice_items": {
            **invoice,
            "line": 1,
            "description": "Report",
            "sac": "998399",
            "quantity": 1,
            "unit_price": 100,
            "tax_rate": 18,
            "line_total": 100,
        },
        "invoice_settlements": {
            "settlement_id": ids["entry"],
            **invoice,
            "kind": "payment",
            "amount": 1,
            "mode": "upi",
            "operation_key": "k",
            "received_on": at,
            "created_at": at,
        },
        "invoice_attachments": {
            "attachment_id": ids["entry"],
            **invoice,
            "kind": "payment_proof",
            "filename": "a.pdf",
            "object_key": f"{tenant}/invoices/x",
            "media_type": "application/pdf",
            "size": 1,
            "sha256": SHA,
            "created_at": at,
        },
        "invoice_notices": {
            "notice_id": ids["entry"],
            **invoice,
            "kind": "sent",
            "operation_key": "k",
            "created_at": at,
        },
        "price_lists": {
            "price_id": ids["entry"],
            "item": "report",
            "description": "Report",
            "sac": "998399",
            "unit_price": 100,
            "tax_rate": 18,
            "valid_from": at,
            "created_at": at,
        },
        "subscription_plans": {
            "plan_id": ids["plan"],
            "name": "Plan",
            "price_monthly": 100,
            "monthly_credit_allowance": 5,
            "sac": "998399",
            "tax_rate": 18,
            "created_at": at,
        },
        "subscriptions": {
            "subscription_id": ids["subscription"],
            **account,
            "plan_id": ids["plan"],
            "plan_name": "Plan",
            "price_monthly": 100,
            "allowance": 5,
            "grace_days": 7,
            "anchor_day": 1,
            "started_on": at,
            "created_at": at,
            "updated_at": at,
        },
        "subscription_periods": {
            "subscription_id": ids["subscription"],
            "period": 0,
            "starts_on": "2026-11-24",
            "ends_on": "2026-12-24",
            "price": 100,
            "status": "paid",
            "paid_at": at,
            "paid_by": "free",
            "created_at": at,
        },
        "subscription_refills": {
            "subscription_id": ids["subscription"],
            "period": 0,
            "credits": 5,
            "entry_id": ids["entry"],
            "created_at": at,
        },
        "payment_orders": {
            "payment_order_id": ids["payment"],
            **account,
            "provider": "stripe",
            "purpose": "topup",
            "amount": 100,
            "operation_key": "k",
            "request_sha256": SHA,
            "created_at": at,
            "updated_at": at,
        },
        "payment_refunds": {
            "refund_id": ids["entry"],
            "payment_order_id": ids["payment"],
            "amount": 1,
            "reason": "paid twice",
            "operation_key": "k",
            "request_sha256": SHA,
            "created_at": at,
            "updated_at": at,
        },
        "payment_events": {
            "event_id": ids["entry"],
            "provider": "stripe",
            "provider_event_id": str(ids["entry"]),
            "event_type": "x",
            "payload": b"{}",
            "payload_sha256": SHA,
            "received_at": at,
        },
        "releases": {
            "release_id": ids["release"],
            "work_order_id": ids["work_order"],
            "pack_id": ids["pack"],
            "pack_version": 1,
            "bundle_digest": SHA,
            "result": "PAID",
            "invoice_id": ids["invoice"],
            "operation_key": "k",
            "request_sha256": SHA,
            "created_at": at,
        },
        "work_order_charges": {
            "work_order_id": ids["work_order"],
            "settled_by": "PAID",
            "invoice_id": ids["invoice"],
            "release_id": ids["release"],
            "settled_at": at,
        },
        "release_withdrawals": {
            "release_id": ids["release"],
            "reason": "wrong house",
            "withdrawn_at": at,
        },
        "usage_events": {
            "usage_event_id": ids["entry"],
            "source_system": "v2",
            "event_type": "x",
            "operation_key": "k",
            "at": at,
        },
        "reconciliation_runs": {
            "run_id": ids["entry"],
            "started_at": at,
            "finished_at": at,
        },
    }


def insert_statement(table: str, values: Mapping[str, Any]) -> str:
    """The insert of one row with bound values."""
    return f"insert into {table} ({', '.join(values)}) values ({', '.join(':' + one for one in values)})"


def bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the driver takes them."""
    return {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }


def insert_specimen(connection: Connection, tenant: UUID, slug: str) -> dict[str, dict[str, Any]]:
    """Insert one row of every table for a tenant; returns them."""
    rows = specimen_rows(tenant, slug)
    for table, values in rows.items():
        connection.execute(text(insert_statement(table, values)), bound(values))
    return rows
