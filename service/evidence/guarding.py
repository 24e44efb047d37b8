"""Who may open identity papers and what is confidential, and see what their names tell.

What is a paper about people is known by its kind: nobody has to say so for it to be guarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.actor import Actor

#: Opened by those alone who may, and never without a note of it.
GUARDED = frozenset({"pii", "confidential"})

#: The kinds of papers that are personal data: identity papers and deeds name people, with where they
#: live, whose children they are and what they paid. A document is of such a kind by what it is
#: classified as, or by the evidence that it is.
PERSONAL_DOC_TYPES = frozenset({"ID_PROOF", "SALE_DEED"})
PERSONAL_CLASSIFICATIONS = frozenset({"bank_kyc", "legal"})


def may_open(actor: Actor, row: Any) -> bool:
    """Whether a document (`sensitivity`, `uploaded_by`) is open to somebody who sees its row."""
    return (
        row.sensitivity not in GUARDED
        or actor.may("evidence.sensitive")
        or (actor.user_id is not None and row.uploaded_by == actor.user_id)
    )


def guarded_by_kind(sensitivity: str, classification: str | None) -> tuple[str, str]:
    """The sensitivity of a new document and who gave it: 'said', or 'kind' if that was too little."""
    if classification in PERSONAL_CLASSIFICATIONS and sensitivity not in GUARDED:
        return "pii", "kind"
    return sensitivity, "said"
