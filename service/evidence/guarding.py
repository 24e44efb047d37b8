"""Who may open identity papers and what is confidential, and see what their names tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.actor import Actor

#: Opened by those alone who may, and never without a note of it.
GUARDED = frozenset({"pii", "confidential"})


def may_open(actor: Actor, row: Any) -> bool:
    """Whether a document (`sensitivity`, `uploaded_by`) is open to somebody who sees its row."""
    return (
        row.sensitivity not in GUARDED
        or actor.may("evidence.sensitive")
        or (actor.user_id is not None and row.uploaded_by == actor.user_id)
    )
