"""What the tests of every route send: a body that is right in form, and ids by their names."""

from __future__ import annotations

import io
from typing import Any

#: Name in an address -> table and column that another firm's specimen row fills it from.
NAMED_BY: dict[str, tuple[str, str]] = {
    "work_order_id": ("work_orders", "work_order_id"),
    "document_id": ("documents", "document_id"),
    "evidence_id": ("evidence_items", "evidence_item_id"),
    "bank_id": ("banks", "bank_id"),
    "branch_id": ("bank_branches", "branch_id"),
    "valuer_id": ("valuers", "valuer_id"),
    "property_id": ("properties", "property_id"),
    "operation_id": ("operations", "operation_id"),
    "token_id": ("access_tokens", "token_id"),
    "invitation_id": ("access_tokens", "token_id"),
    # A job that is no export: as unknown as one that never was.
    "export_id": ("operations", "operation_id"),
    "invoice_id": ("service_invoices", "invoice_id"),
    "attachment_id": ("invoice_attachments", "attachment_id"),
    "settlement_id": ("invoice_settlements", "settlement_id"),
    "price_id": ("price_lists", "price_id"),
    "subscription_id": ("subscriptions", "subscription_id"),
    "plan_id": ("subscription_plans", "plan_id"),
    "user_id": ("users", "user_id"),
    "tenant_id": ("tenants", "tenant_id"),
    "payment_order_id": ("payment_orders", "payment_order_id"),
    "account_id": ("billing_accounts", "account_id"),
    "release_id": ("releases", "release_id"),
    "run_id": ("reconciliation_runs", "run_id"),
}
#: Names in addresses that are no ids; alone they make no route about somebody's row.
VALUES: dict[str, Any] = {"version": 1, "kind": "docx"}

_WORK_ORDER = "/v1/repogen/work-orders/<work_order_id>"


def _proof(values: dict[str, Any]) -> dict[str, Any]:
    """A form with a file that is not looked at before the invoice is found."""
    del values
    form = {"file": (io.BytesIO(b"a paid cheque"), "cheque.pdf")}
    return {"body": form, "content_type": "multipart/form-data"}


def _of_invoices() -> dict[tuple[str, str], Any]:
    """Under both addresses that an invoice has."""
    bodies = {
        ("PATCH", ""): {"notes": "Another note"},
        ("POST", "/issue"): {},
        ("POST", "/void"): {"reason": "entered twice"},
        ("POST", "/payments"): {"amount": "1.00", "mode": "upi"},
        ("POST", "/adjustments"): {"amount": "1.00", "reason": "too dear"},
        ("POST", "/payment-proof"): _proof,
    }
    return {
        (method, f"/v1/{name}/<invoice_id>{path}"): body
        for (method, path), body in bodies.items()
        for name in ("invoices", "service-invoices")
    }


#: (method, rule) -> the body, or a function of the values that gives what the client sends.
BODIES: dict[tuple[str, str], Any] = {
    **_of_invoices(),
    ("POST", f"{_WORK_ORDER}/comments"): {"body": "a note"},
    ("PATCH", f"{_WORK_ORDER}/contract"): {"patch": {"property": {"city": "Mysuru"}}},
    ("POST", f"{_WORK_ORDER}/evidence-profile"): {"use_default": True},
    ("POST", f"{_WORK_ORDER}/evidence/link"): {
        "items": [{"evidence_type": "PHOTO", "key": "front"}]
    },
    ("POST", f"{_WORK_ORDER}/field-evidence-links"): lambda values: {
        "json": {
            "links": [
                {"field_key": "property.address", "evidence_item_id": str(values["evidence_id"])}
            ]
        }
    },
    ("POST", f"{_WORK_ORDER}/pack/sign-off"): {"pack_version": 1, "bundle_digest": "ab" * 32},
    ("POST", f"{_WORK_ORDER}/release-deliverables"): {"idempotency_key": "release-1"},
    ("POST", f"{_WORK_ORDER}/deliverables/<version>/withdraw"): {"reason": "wrong house"},
    ("POST", f"{_WORK_ORDER}/status"): {"status": "EVIDENCE_PENDING", "note": "on its way"},
    ("POST", "/v1/payments/checkout-link"): lambda values: {
        "json": {
            "provider": "stripe",
            "invoice_id": str(values["invoice_id"]),
            "idempotency_key": "pay-1",
        }
    },
    ("POST", "/v1/payments/topup"): {
        "provider": "stripe",
        "credits": 1,
        "idempotency_key": "topup-1",
    },
    ("POST", "/v1/payments/orders/<payment_order_id>/refunds"): {
        "reason": "paid twice",
        "idempotency_key": "refund-1",
    },
    ("PATCH", "/v1/documents/<document_id>/metadata"): {"remarks": "seen"},
    ("POST", "/v1/documents/<document_id>/tags"): {"key": "room", "value": "kitchen"},
    ("DELETE", f"{_WORK_ORDER}/evidence/<evidence_id>"): {"reason": "wrong house"},
    ("DELETE", "/v1/documents/<document_id>"): {"reason": "wrong house"},
    ("PATCH", "/v1/banks/<bank_id>"): {"name": "Another name"},
    ("PATCH", "/v1/bank-branches/<branch_id>"): {"name": "Another name"},
    ("PATCH", "/v1/valuers/<valuer_id>"): {"name": "Another name"},
    ("PATCH", "/v1/properties/<property_id>"): {"label": "Another name"},
    ("POST", "/v1/control/accounts"): {
        "external_key": "v1:partner:10",
        "display_name": "Specimen Partner",
    },
    ("PATCH", "/v1/control/accounts/<account_id>/status"): {"status": "suspended"},
    ("PATCH", "/v1/control/accounts/<account_id>/policy"): {"payment_terms_days": 30},
    ("POST", "/v1/control/accounts/<account_id>/credits/grant"): {
        "amount": 5,
        "idempotency_key": "grant-1",
    },
    ("POST", "/v1/control/credits/reserve"): lambda values: {
        "json": {
            "account_id": str(values["account_id"]),
            "amount": 1,
            "ref_type": "channel_request",
            "ref_id": "one",
            "idempotency_key": "reserve-1",
        }
    },
    ("POST", "/v1/control/credits/consume"): lambda values: {
        "json": {
            "account_id": str(values["account_id"]),
            "ref_type": "channel_request",
            "ref_id": "one",
            "idempotency_key": "consume-1",
        }
    },
    ("POST", "/v1/control/credits/release"): lambda values: {
        "json": {
            "account_id": str(values["account_id"]),
            "ref_type": "channel_request",
            "ref_id": "one",
            "idempotency_key": "release-1",
        }
    },
    ("POST", "/v1/control/reconciliation"): {"dry_run": True},
    ("POST", "/v1/control/onboard"): {
        "name": "Specimen Valuers",
        "owner_email": "owner@specimen.test",
    },
}
