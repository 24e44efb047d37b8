"""What the tests of every route send: a body that is right in form, and ids by their names."""

from __future__ import annotations

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
    "user_id": ("users", "user_id"),
    "tenant_id": ("tenants", "tenant_id"),
}
#: Names in addresses that are no ids; alone they make no route about somebody's row.
VALUES: dict[str, Any] = {"version": 1, "kind": "docx"}

_WORK_ORDER = "/v1/repogen/work-orders/<work_order_id>"

#: (method, rule) -> the body, or a function of the values that gives what the client sends.
BODIES: dict[tuple[str, str], Any] = {
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
    ("POST", f"{_WORK_ORDER}/status"): {"status": "EVIDENCE_PENDING", "note": "on its way"},
    ("PATCH", "/v1/documents/<document_id>/metadata"): {"remarks": "seen"},
    ("POST", "/v1/documents/<document_id>/tags"): {"key": "room", "value": "kitchen"},
    ("DELETE", f"{_WORK_ORDER}/evidence/<evidence_id>"): {"reason": "wrong house"},
    ("DELETE", "/v1/documents/<document_id>"): {"reason": "wrong house"},
    ("PATCH", "/v1/banks/<bank_id>"): {"name": "Another name"},
    ("PATCH", "/v1/bank-branches/<branch_id>"): {"name": "Another name"},
    ("PATCH", "/v1/valuers/<valuer_id>"): {"name": "Another name"},
    ("PATCH", "/v1/properties/<property_id>"): {"label": "Another name"},
}
