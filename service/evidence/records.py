"""Documents, evidence items and links as the database holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from service.evidence.guarding import GUARDED, PERSONAL_CLASSIFICATIONS, PERSONAL_DOC_TYPES
from service.evidence.limits import limits

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row

_INSERT_DOCUMENT = text(
    "insert into documents (tenant_id, document_id, work_order_id, status, filename, object_key,"
    " media_type, size, sha256, classification, sensitivity, sensitivity_by, source, captured_at,"
    " taken_on_site, remarks, tags, uploaded_by, created_at) values (:tenant, :document_id, :work_order_id,"
    " 'pending', :filename, :object_key, :media_type, :size, :sha256, :classification,"
    " :sensitivity, :sensitivity_by, :source, :captured_at, :taken_on_site, :remarks, cast(:tags as jsonb),"
    " :uploaded_by, :now)"
)
_UPLOADED = text(
    "update documents set status = 'uploaded', filename = :filename, media_type = :media_type,"
    " size = :size, sha256 = :sha256, facts = :facts, perceptual_hash = :perceptual_hash,"
    " uploaded_at = :now, version = version + 1"
    " where tenant_id = :tenant and document_id = :document_id and status = 'pending'"
)
_DOCUMENT = text("select * from documents where tenant_id = :tenant and document_id = :document_id")
_DOCUMENT_LOCKED = text(
    "select * from documents where tenant_id = :tenant and document_id = :document_id for update"
)
_DESCRIBED = text(
    "update documents set work_order_id = :work_order_id, classification = :classification,"
    " sensitivity = :sensitivity, sensitivity_by = :sensitivity_by, source = :source,"
    " captured_at = :captured_at,"
    " taken_on_site = :taken_on_site, remarks = :remarks, tags = cast(:tags as jsonb),"
    " version = version + 1 where tenant_id = :tenant and document_id = :document_id"
)
# Unless somebody with the right to it has decided otherwise.
_GUARDED_BY_KIND = text(
    "update documents d set sensitivity = 'pii', sensitivity_by = 'kind', version = d.version + 1"
    " from documents old where old.tenant_id = d.tenant_id and old.document_id = d.document_id"
    " and d.tenant_id = :tenant and d.document_id = :document_id"
    " and d.sensitivity <> all(:guarded) and d.sensitivity_by <> 'decided'"
    " and (d.classification = any(:classifications) or exists (select from evidence_items i"
    "      where i.tenant_id = d.tenant_id and i.document_id = d.document_id"
    "      and i.removed_at is null and i.doc_type = any(:doc_types)))"
    " returning d.work_order_id, old.sensitivity as before"
)
_ENDED = text(
    "update documents set status = 'deleted', ended_at = :now, end_reason = :reason,"
    " version = version + 1 where tenant_id = :tenant and document_id = :document_id"
    " and status in ('pending', 'uploaded')"
)
_LIST = text(
    "select * from documents where tenant_id = :tenant"
    " and (cast(:cursor as uuid) is null or document_id < :cursor)"
    " and (cast(:status as text) is null and status in ('pending', 'uploaded') or status = :status)"
    " and (cast(:work_order_id as uuid) is null or work_order_id = :work_order_id)"
    " and (cast(:source as text) is null or source = :source)"
    " and (cast(:classification as text) is null or classification = :classification)"
    " and (cast(:sensitivity as text) is null or sensitivity = :sensitivity)"
    " and (cast(:filename as text) is null or strpos(lower(filename), lower(:filename)) > 0)"
    " and (cast(:tag_key as text) is null or jsonb_exists(tags, :tag_key))"
    " and (cast(:tag_value as text) is null or exists (select from jsonb_each_text(tags) as t"
    "      where t.value = :tag_value and (cast(:tag_key as text) is null or t.key = :tag_key)))"
    " and (cast(:purpose as text) is null or tags ->> 'purpose' = :purpose)"
    " order by document_id desc limit :limit"
)
# Whoever counts what a firm has, to add to it, is alone in this until its transaction ends.
_HOLD_USE = text("select pg_advisory_xact_lock(7353639, hashtext(cast(:tenant as text)))")
_USE = text(
    "select coalesce(sum(size), 0) as bytes,"
    " count(*) filter (where status = 'pending') as pending,"
    " count(*) filter (where work_order_id = :work_order_id) as files"
    " from documents where tenant_id = :tenant and status in ('pending', 'uploaded')"
)
_COPIES = text(
    "select d.document_id as of_id, o.document_id, o.filename, o.work_order_id, w.reference,"
    " o.sensitivity, o.uploaded_by,"
    " o.uploaded_at, d.sha256 = o.sha256 as is_same,"
    " case when d.sha256 = o.sha256 then 0 else bit_count((('x' || d.perceptual_hash)::bit(64))"
    " # (('x' || o.perceptual_hash)::bit(64))) end as bits"
    " from documents d join documents o on o.tenant_id = d.tenant_id"
    " and o.document_id <> d.document_id and o.status = 'uploaded'"
    " and (o.sha256 = d.sha256 or bit_count((('x' || d.perceptual_hash)::bit(64))"
    "      # (('x' || o.perceptual_hash)::bit(64))) <= :similar)"
    " left join work_orders w on w.tenant_id = o.tenant_id and w.work_order_id = o.work_order_id"
    " where d.tenant_id = :tenant and d.document_id = any(:ids) and d.status = 'uploaded'"
    " order by d.document_id, bits, o.document_id"
)
_WORK_ORDERS_OF = text(
    "select distinct work_order_id from evidence_items where tenant_id = :tenant"
    " and document_id = :document_id and removed_at is null order by work_order_id"
)
_ITEMS = text(
    "select e.evidence_item_id, e.key, e.document_id, e.evidence_type, e.doc_type, e.tags, e.label,"
    " e.annexure_order, e.located_at, e.file_ref, e.captured_by_employee_id, e.created_by,"
    " e.created_at, d.status as document_status, d.filename, d.media_type, d.size, d.sha256, d.facts,"
    " d.classification, d.sensitivity, d.source, d.captured_at, d.taken_on_site, d.remarks,"
    " d.uploaded_by"
    " from evidence_items e left join documents d"
    " on d.tenant_id = e.tenant_id and d.document_id = e.document_id"
    " where e.tenant_id = :tenant and e.work_order_id = :work_order_id and e.removed_at is null"
    " order by e.annexure_order nulls last, e.created_at, e.evidence_item_id"
)
_ALL_KEYS = text(
    "select key from evidence_items where tenant_id = :tenant and work_order_id = :work_order_id"
)
_INSERT_ITEM = text(
    "insert into evidence_items (tenant_id, evidence_item_id, work_order_id, key, document_id,"
    " evidence_type, doc_type, tags, label, annexure_order, located_at, file_ref,"
    " captured_by_employee_id, created_by, created_at)"
    " values (:tenant, :evidence_item_id, :work_order_id, :key, :document_id, :evidence_type,"
    " :doc_type, cast(:tags as jsonb), :label, :annexure_order, :located_at, :file_ref,"
    " :captured_by_employee_id, :created_by, :now)"
)
_UPDATE_ITEM = text(
    "update evidence_items set document_id = :document_id, evidence_type = :evidence_type,"
    " doc_type = :doc_type, tags = cast(:tags as jsonb), label = :label,"
    " annexure_order = :annexure_order, located_at = :located_at, file_ref = :file_ref,"
    " captured_by_employee_id = :captured_by_employee_id"
    " where tenant_id = :tenant and evidence_item_id = :evidence_item_id"
)
_ORDER_ITEM = text(
    "update evidence_items set annexure_order = :annexure_order"
    " where tenant_id = :tenant and evidence_item_id = :evidence_item_id"
)
_REMOVE_ITEM = text(
    "update evidence_items set removed_at = :now, removal_reason = :reason where tenant_id = :tenant"
    " and work_order_id = :work_order_id and evidence_item_id = :evidence_item_id"
    " and removed_at is null"
)
_LINKS = text(
    "select l.field_evidence_link_id, l.field_key, l.evidence_item_id, l.confidence, l.note,"
    " l.created_by, l.created_at, e.key as evidence_key"
    " from field_evidence_links l join evidence_items e"
    " on e.tenant_id = l.tenant_id and e.evidence_item_id = l.evidence_item_id"
    " where l.tenant_id = :tenant and l.work_order_id = :work_order_id and e.removed_at is null"
    " order by l.field_key, l.created_at, l.field_evidence_link_id"
)
_PUT_LINK = text(
    "insert into field_evidence_links (tenant_id, field_evidence_link_id, work_order_id, field_key,"
    " evidence_item_id, confidence, note, created_by, created_at) values (:tenant, :link_id,"
    " :work_order_id, :field_key, :evidence_item_id, :confidence, :note, :created_by, :now)"
    " returning field_evidence_link_id, field_key, evidence_item_id, confidence, note"
)
_CHANGE_LINK = text(
    "update field_evidence_links set field_key = :field_key, evidence_item_id = :evidence_item_id,"
    " confidence = :confidence, note = :note"
    " where tenant_id = :tenant and field_evidence_link_id = :link_id"
    " returning field_evidence_link_id, field_key, evidence_item_id, confidence, note"
)
_DROP_LINK = text(
    "delete from field_evidence_links where tenant_id = :tenant"
    " and field_evidence_link_id = :link_id"
)
_WORK_ORDER = text(
    "select * from work_orders where tenant_id = :tenant and work_order_id = :work_order_id"
)
_SET_PROFILE = text(
    "update work_orders set profile = :profile"
    " where tenant_id = :tenant and work_order_id = :work_order_id"
)
_KEYS_THERE = text(
    "select object_key from documents where tenant_id = :tenant and object_key = any(:keys)"
)
_ABANDONED = text(
    "update documents set status = 'deleted', ended_at = :now, version = version + 1,"
    " end_reason = 'It was announced and never came.'"
    " where tenant_id = :tenant and status = 'pending' and created_at < :before and not exists ("
    "  select from evidence_items e where e.tenant_id = documents.tenant_id"
    "  and e.document_id = documents.document_id and e.removed_at is null)"
    " returning document_id, work_order_id"
)
#: What a document is described by, besides its file.
DESCRIPTION = (
    "work_order_id", "classification", "sensitivity", "sensitivity_by", "source", "captured_at",
    "taken_on_site", "remarks", "tags",
)  # fmt: skip
#: What an evidence item says by itself; the rest is its document's.
ITEM = (
    "document_id", "evidence_type", "doc_type", "tags", "label", "annexure_order", "located_at",
    "file_ref", "captured_by_employee_id",
)  # fmt: skip


def insert_document(connection: Connection, tenant_id: UUID, values: Mapping[str, Any]) -> None:
    """Write a pending document."""
    connection.execute(
        _INSERT_DOCUMENT, {**values, "tenant": tenant_id, "tags": json.dumps(values["tags"])}
    )


def mark_uploaded(connection: Connection, tenant_id: UUID, values: Mapping[str, Any]) -> bool:
    """Make a pending document count; False if it is not pending any more."""
    return connection.execute(_UPLOADED, {**values, "tenant": tenant_id}).rowcount == 1


def find_document(
    connection: Connection, tenant_id: UUID, document_id: UUID, *, lock: bool = False
) -> Row[Any] | None:
    """A document's row, if whoever asks may see it."""
    return connection.execute(
        _DOCUMENT_LOCKED if lock else _DOCUMENT, {"tenant": tenant_id, "document_id": document_id}
    ).one_or_none()


def describe_document(
    connection: Connection, tenant_id: UUID, document_id: UUID, values: Mapping[str, Any]
) -> None:
    """Write what is said of a document: all of `DESCRIPTION`."""
    connection.execute(
        _DESCRIBED,
        {
            **{name: values[name] for name in DESCRIPTION},
            "tags": json.dumps(values["tags"]),
            "tenant": tenant_id,
            "document_id": document_id,
        },
    )


def guard_by_kind(connection: Connection, tenant_id: UUID, document_id: UUID) -> Row[Any] | None:
    """Guard a document that is personal data by its kind; `before`, or None if it needed nothing."""
    return connection.execute(
        _GUARDED_BY_KIND,
        {
            "tenant": tenant_id,
            "document_id": document_id,
            "guarded": sorted(GUARDED),
            "classifications": sorted(PERSONAL_CLASSIFICATIONS),
            "doc_types": sorted(PERSONAL_DOC_TYPES),
        },
    ).one_or_none()


def end_document(
    connection: Connection, tenant_id: UUID, document_id: UUID, reason: str, now: datetime
) -> None:
    """Mark a document as deleted; its object stays until it is purged."""
    connection.execute(
        _ENDED, {"tenant": tenant_id, "document_id": document_id, "reason": reason, "now": now}
    )


def list_documents(
    connection: Connection, tenant_id: UUID, filters: Mapping[str, Any]
) -> Sequence[Row[Any]]:
    """Documents, newest first, from behind `cursor` on."""
    return connection.execute(_LIST, {**filters, "tenant": tenant_id}).all()


def hold_use_of_storage(connection: Connection, tenant_id: UUID) -> None:
    """Let nobody else add a file for the firm before the transaction ends."""
    connection.execute(_HOLD_USE, {"tenant": tenant_id})


def use_of_storage(connection: Connection, tenant_id: UUID, work_order_id: UUID | None) -> Row[Any]:
    """`bytes` and `pending` files of the firm, and `files` of the work order."""
    return connection.execute(_USE, {"tenant": tenant_id, "work_order_id": work_order_id}).one()


def copies_of(
    connection: Connection, tenant_id: UUID, document_ids: Iterable[UUID]
) -> Sequence[Row[Any]]:
    """For each document (`of_id`) the others of the firm that are, or look like, the same file."""
    return connection.execute(
        _COPIES,
        {"tenant": tenant_id, "ids": list(document_ids), "similar": limits().similar_bits},
    ).all()


def work_orders_of(connection: Connection, tenant_id: UUID, document_id: UUID) -> tuple[UUID, ...]:
    """The work orders in which a document is evidence, in the order in which they are locked."""
    return tuple(
        connection.execute(
            _WORK_ORDERS_OF, {"tenant": tenant_id, "document_id": document_id}
        ).scalars()
    )


def find_work_order(
    connection: Connection, tenant_id: UUID, work_order_id: UUID
) -> Row[Any] | None:
    """A work order's row, if whoever asks may see it."""
    return connection.execute(
        _WORK_ORDER, {"tenant": tenant_id, "work_order_id": work_order_id}
    ).one_or_none()


def evidence_items(
    connection: Connection, tenant_id: UUID, work_order_id: UUID
) -> Sequence[Row[Any]]:
    """The evidence of a work order with its documents, in the order of the annexures."""
    return connection.execute(_ITEMS, {"tenant": tenant_id, "work_order_id": work_order_id}).all()


def keys_ever_used(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> set[str]:
    """The keys of all evidence of a work order, removed ones too: none is used twice."""
    found = connection.execute(_ALL_KEYS, {"tenant": tenant_id, "work_order_id": work_order_id})
    return set(found.scalars())


def write_item(
    connection: Connection, tenant_id: UUID, values: Mapping[str, Any], *, is_new: bool
) -> None:
    """Insert an evidence item, or write all of `ITEM` anew."""
    connection.execute(
        _INSERT_ITEM if is_new else _UPDATE_ITEM,
        {**values, "tags": json.dumps(values["tags"]), "tenant": tenant_id},
    )


def order_item(
    connection: Connection, tenant_id: UUID, evidence_item_id: UUID, order: int | None
) -> None:
    """Give an item another place among the annexures, and change nothing else."""
    connection.execute(
        _ORDER_ITEM,
        {"tenant": tenant_id, "evidence_item_id": evidence_item_id, "annexure_order": order},
    )


def remove_item(connection: Connection, tenant_id: UUID, values: Mapping[str, Any]) -> bool:
    """Take an item out of its work order; False if it is not in there."""
    return connection.execute(_REMOVE_ITEM, {**values, "tenant": tenant_id}).rowcount == 1


def field_links(connection: Connection, tenant_id: UUID, work_order_id: UUID) -> Sequence[Row[Any]]:
    """Which evidence shows which field; links to evidence that was removed are left out."""
    return connection.execute(_LINKS, {"tenant": tenant_id, "work_order_id": work_order_id}).all()


def write_link(
    connection: Connection, tenant_id: UUID, values: Mapping[str, Any], *, is_new: bool
) -> Row[Any]:
    """Insert a link or write it anew; what it is then, without what only lists show."""
    return connection.execute(
        _PUT_LINK if is_new else _CHANGE_LINK, {**values, "tenant": tenant_id}
    ).one()


def drop_link(connection: Connection, tenant_id: UUID, link_id: UUID) -> None:
    """Remove a link."""
    connection.execute(_DROP_LINK, {"tenant": tenant_id, "link_id": link_id})


def set_profile(
    connection: Connection, tenant_id: UUID, work_order_id: UUID, profile: str | None
) -> None:
    """Choose a profile by name, or let the report's own traits choose it."""
    connection.execute(
        _SET_PROFILE, {"tenant": tenant_id, "work_order_id": work_order_id, "profile": profile}
    )


def keys_there(connection: Connection, tenant_id: UUID, keys: Sequence[str]) -> set[str]:
    """Those of some object keys that a document's row names."""
    return set(connection.execute(_KEYS_THERE, {"tenant": tenant_id, "keys": list(keys)}).scalars())


def end_abandoned(
    connection: Connection, tenant_id: UUID, *, before: datetime, now: datetime
) -> Sequence[Row[Any]]:
    """Mark as deleted what was announced before an instant, never came, and nothing refers to."""
    return connection.execute(_ABANDONED, {"tenant": tenant_id, "before": before, "now": now}).all()
