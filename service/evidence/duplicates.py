"""Tells where the firm has the same file, or the same picture, once more."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from uuid import UUID

from service.evidence import records
from service.evidence.guarding import may_open
from service.evidence.limits import limits
from service.evidence.shapes import Copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from service.actor import Actor


def duplicates_of(
    connection: Connection, actor: Actor, document_ids: Iterable[UUID]
) -> Mapping[UUID, tuple[Copy, ...]]:
    """For each document the others that are the same file or nearly the same picture.

    All of the firm's uploaded documents are looked at, whatever work order they belong to, as far
    as whoever asks may see them. A few are named, those most alike first.
    """
    found: dict[UUID, list[Copy]] = defaultdict(list)
    wanted = list(document_ids)
    for row in records.copies_of(connection, actor.tenant_id, wanted) if wanted else ():
        copies = found[row.of_id]
        if len(copies) < limits().similar_shown:
            copies.append(
                Copy(
                    document_id=row.document_id,
                    original_filename=row.filename if may_open(actor, row) else None,
                    work_order_id=row.work_order_id,
                    work_order_reference=row.reference,
                    uploaded_at=row.uploaded_at,
                    how="same file" if row.is_same else "same picture",
                    differing_bits=row.bits,
                )
            )
    return {document_id: tuple(copies) for document_id, copies in found.items()}
