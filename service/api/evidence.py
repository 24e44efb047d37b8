"""Routes about documents, and about the evidence that they are in a work order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from flask import Response, request
from flask_openapi import APIBlueprint, Tag

from service.api.access import EVERYBODY, OPERATORS, access, public, with_signed_address
from service.api.answers import answer, etag, page_of
from service.api.request_life import current, the_service
from service.api.requests import path_id, wanted_version
from service.api.sent_files import form_with_file, sent_file, stored_file
from service.database.connections import transaction
from service.errors import not_found
from service.evidence import checklist, documents, field_links, items, records, uploads
from service.evidence.limits import limits
from service.evidence.shapes import (
    ConfirmUpload,
    DocumentAnswer,
    DocumentChange,
    DocumentFilter,
    DocumentList,
    DocumentPath,
    DocumentTags,
    Ending,
    EvidenceLink,
    EvidenceList,
    EvidencePath,
    EvidenceProfiles,
    FieldLinkChanges,
    FieldLinks,
    PresignedDownload,
    PresignedUpload,
    PresignUpload,
    ProfileChoice,
    ReceivedFile,
    Signature,
    UploadAddress,
    UploadForm,
    WorkOrderPath,
)
from service.evidence.signed_addresses import read_signature, sign
from service.workorders import evaluating

if TYPE_CHECKING:
    from service.workorders.records import WorkOrder

api = APIBlueprint("evidence", __name__, url_prefix="/v1", abp_tags=[Tag(name="evidence")])

_UPLOAD = form_with_file(UploadForm)
_BYTES = {"required": True, "content": {"application/octet-stream": {}}}
# A file is answered as what it is: a picture, a PDF, a table.
_FILE = {"description": "The file", "content": {"*/*": {}}}


@api.post(
    "/files/upload",
    summary="Upload a file in one request",
    request_body=_UPLOAD,
    responses={201: DocumentAnswer},
)
@access("documents.write", audiences=EVERYBODY, takes_files=True)
def upload_file() -> Response:
    """A form with the part `file`, and what is said of it in further fields.

    The file is opened before it counts. `duplicates` tells where the firm has the same file, or a
    picture that looks the same; that is a warning and stops nothing.
    """
    now = current()
    file, form = sent_file(UploadForm)
    document_id = uploads.take(
        now.connection,
        now.actor,
        now.service,
        form,
        file.stream,
        filename=form.filename or file.filename or "",
        sha256=form.sha256,
    )
    found = documents.show(now.connection, now.actor, document_id)
    return answer(found, status=201, headers=etag(found.version))


@api.post(
    "/files/presign-upload",
    summary="Announce a file and get the address to send it to",
    responses={201: PresignedUpload},
)
@access("documents.write", audiences=EVERYBODY)
def presign_upload(body: PresignUpload) -> Response:
    """A pending document. PUT the bytes to the address within its time, then confirm."""
    now = current()
    made = uploads.announce(
        now.connection,
        now.actor,
        now.service,
        body,
        filename=body.filename,
        content_type=body.content_type,
        size=body.size_bytes,
        sha256=body.sha256,
    )
    upload = UploadAddress(url=made.url, expiresAt=made.expires_at)
    return answer(
        PresignedUpload(document_id=made.document_id, storage_key=made.object_key, upload=upload),
        status=201,
    )


@api.put(
    "/files/<document_id>/content",
    summary="Send the bytes of an announced file",
    request_body=_BYTES,
    responses={200: ReceivedFile},
)
@with_signed_address
def put_content(path: DocumentPath, query: Signature) -> Response:
    """The address comes from presign-upload; nothing else is needed, and it serves this file only."""
    service = the_service()
    document_id = path_id(path.document_id)
    signed = read_signature(service.settings, "upload", document_id, query.token)
    stored = uploads.receive(service, signed.tenant_id, document_id, request.stream)
    return answer(
        ReceivedFile(document_id=document_id, size_bytes=stored.size, sha256=stored.sha256)
    )


@api.post(
    "/files/confirm-upload",
    summary="Have a file that has arrived looked at and counted",
    responses={200: DocumentAnswer},
)
@access("documents.write", audiences=EVERYBODY)
def confirm_upload(body: ConfirmUpload) -> Response:
    """Confirmed once more, the answer is the same. A file that is refused may be sent again."""
    now = current()
    uploads.confirm(
        now.connection,
        now.actor,
        now.service,
        body.document_id,
        size=body.size_bytes,
        sha256=body.sha256,
    )
    return _document(body.document_id)


@api.get(
    "/files/<document_id>/presign-download",
    summary="An address that gives the file for a short time without a login",
    responses={200: PresignedDownload},
)
@access("documents.read", audiences=EVERYBODY)
def presign_download(path: DocumentPath) -> Response:
    """The file always comes from here, so that it is saved and never shown as a page."""
    now = current()
    row = documents.open_document(now.connection, now.actor, path_id(path.document_id))
    settings = now.service.settings
    token, until = sign(
        settings, "download", now.actor.tenant_id, row.document_id, seconds=limits().address_seconds
    )
    url = f"{settings.public_url}/v1/files/{row.document_id}/download?token={token}"
    return answer(PresignedDownload(url=url, expiresAt=until))


@api.get("/files/<document_id>/content", summary="Download a file", responses={200: _FILE})
@access("documents.read", audiences=EVERYBODY)
def get_content(path: DocumentPath) -> Response:
    """The bytes as they were uploaded. Who opens identity papers is written down."""
    now = current()
    row = documents.open_document(now.connection, now.actor, path_id(path.document_id))
    return stored_file(now.service.objects, row)


@api.get(
    "/files/<document_id>/download",
    summary="Download a file with a signed address",
    responses={200: _FILE},
)
@public
def get_signed(path: DocumentPath, query: Signature) -> Response:
    """The address comes from presign-download; a document that was deleted since is not given."""
    service = the_service()
    document_id = path_id(path.document_id)
    signed = read_signature(service.settings, "download", document_id, query.token)
    with transaction(service.engine, role="zen_web", tenant_id=signed.tenant_id) as connection:
        row = records.find_document(connection, signed.tenant_id, document_id)
    if row is None or row.status != "uploaded":
        raise not_found()
    return stored_file(service.objects, row)


@api.get("/documents", summary="Documents, newest first", responses={200: DocumentList})
@access("documents.read", audiences=EVERYBODY)
def list_documents(query: DocumentFilter) -> Response:
    """What was deleted or purged is listed only when the status asks for it."""
    now = current()
    filters = query.model_dump() | {"limit": query.limit + 1}
    rows = records.list_documents(now.connection, now.actor.tenant_id, filters)
    shown, last = page_of(rows, query.limit)
    return answer(
        DocumentList(
            items=documents.answers(now.connection, now.actor, shown),
            next_cursor=None if last is None else str(last.document_id),
        )
    )


@api.get("/documents/<document_id>", summary="One document", responses={200: DocumentAnswer})
@access("documents.read", audiences=EVERYBODY)
def show_document(path: DocumentPath) -> Response:
    """With its facts, and where else the firm has the same file or picture."""
    return _document(path_id(path.document_id))


@api.patch(
    "/documents/<document_id>/metadata",
    summary="Change what is said of a document",
    responses={200: DocumentAnswer},
)
@access("documents.write", audiences=OPERATORS)
def change_document(path: DocumentPath, body: DocumentChange) -> Response:
    """A key that is left out changes nothing; null clears."""
    now = current()
    document_id = path_id(path.document_id)
    changes = {name: getattr(body, name) for name in body.model_fields_set - {"reason"}}
    documents.describe(
        now.connection,
        now.actor,
        document_id,
        changes,
        wanted_version(request),
        reason=body.reason,
    )
    return _document(document_id)


@api.post(
    "/documents/<document_id>/tags",
    summary="Put tags on a document, take tags off",
    responses={200: DocumentAnswer},
)
@access("documents.write", audiences=OPERATORS)
def tag_document(path: DocumentPath, body: DocumentTags) -> Response:
    """A tag without a value has the value 'true'."""
    now = current()
    document_id = path_id(path.document_id)
    put = {one.key: one.value or "true" for one in body.tags}
    if body.key is not None:
        put[body.key] = body.value or "true"
    documents.tag(
        now.connection,
        now.actor,
        document_id,
        put=put,
        remove=body.remove,
        wanted_version=wanted_version(request),
    )
    return _document(document_id)


@api.delete(
    "/documents/<document_id>",
    summary="Delete a document, with a reason",
    responses={200: DocumentAnswer},
)
@access("documents.write", audiences=OPERATORS)
def delete_document(path: DocumentPath, body: Ending) -> Response:
    """It counts no more. Its bytes stay for old reports until the firm's papers are purged."""
    now = current()
    document_id = path_id(path.document_id)
    documents.take_out(now.connection, now.actor, document_id, body.reason, wanted_version(request))
    return _document(document_id)


@api.get(
    "/repogen/work-orders/<work_order_id>/evidence",
    summary="The evidence of a work order, as its annexures are ordered",
    responses={200: EvidenceList},
)
@access("evidence.read", audiences=OPERATORS)
def list_evidence(path: WorkOrderPath) -> Response:
    """Each piece with its document, and where else the firm has the same file or picture."""
    now = current()
    return _evidence(
        evaluating.find(now.connection, now.actor.tenant_id, path_id(path.work_order_id))
    )


@api.post(
    "/repogen/work-orders/<work_order_id>/evidence/link",
    summary="Add evidence, or change what is there",
    responses={200: EvidenceList},
)
@access("evidence.write", audiences=OPERATORS)
def link_evidence(path: WorkOrderPath, body: EvidenceLink) -> Response:
    """An item with an id changes that piece: a key left out stays as it is, null clears.

    All items are taken or none.
    """
    now = current()
    return _evidence(
        items.link(
            now.connection, now.actor, path_id(path.work_order_id), body, wanted_version(request)
        )
    )


@api.delete(
    "/repogen/work-orders/<work_order_id>/evidence/<evidence_id>",
    summary="Take a piece of evidence out, with a reason",
    responses={200: EvidenceList},
)
@access("evidence.write", audiences=OPERATORS)
def remove_evidence(path: EvidencePath, body: Ending) -> Response:
    """Its document stays, and may be evidence again."""
    now = current()
    return _evidence(
        items.take_out(
            now.connection,
            now.actor,
            path_id(path.work_order_id),
            path_id(path.evidence_id),
            body.reason,
            wanted_version(request),
        )
    )


@api.post(
    "/repogen/work-orders/<work_order_id>/evidence/auto-order",
    summary="Number the evidence as the annexures are printed",
    responses={200: EvidenceList},
)
@access("evidence.write", audiences=OPERATORS)
def order_evidence(path: WorkOrderPath) -> Response:
    """Exterior, interior, surroundings, position, maps, the rest; nothing but the numbers changes."""
    now = current()
    return _evidence(
        items.put_in_order(
            now.connection, now.actor, path_id(path.work_order_id), wanted_version(request)
        )
    )


@api.get(
    "/repogen/work-orders/<work_order_id>/evidence-profiles",
    summary="What the profile asks for and what is there",
    responses={200: EvidenceProfiles},
)
@access("evidence.read", audiences=OPERATORS)
def show_profiles(path: WorkOrderPath) -> Response:
    """The checklist with counts, suggestions for what is missing, and the profiles to choose from."""
    now = current()
    order = evaluating.find(now.connection, now.actor.tenant_id, path_id(path.work_order_id))
    return answer(checklist.profiles_of(now.connection, order), headers=etag(order.version))


@api.post(
    "/repogen/work-orders/<work_order_id>/evidence-profile",
    summary="Choose the profile",
    responses={200: EvidenceProfiles},
)
@access("evidence.write", audiences=OPERATORS)
def choose_profile(path: WorkOrderPath, body: ProfileChoice) -> Response:
    """By name it holds for good; the default follows bank and value from then on."""
    now = current()
    order = checklist.choose(
        now.connection,
        now.actor,
        path_id(path.work_order_id),
        body.profile_id,
        wanted_version(request),
    )
    return answer(checklist.profiles_of(now.connection, order), headers=etag(order.version))


@api.get(
    "/repogen/work-orders/<work_order_id>/field-evidence-links",
    summary="Which evidence shows which fact",
    responses={200: FieldLinks},
)
@access("evidence.read", audiences=OPERATORS)
def list_field_links(path: WorkOrderPath) -> Response:
    """Links belong to the work order: no change of the contract loses them."""
    now = current()
    order = evaluating.find(now.connection, now.actor.tenant_id, path_id(path.work_order_id))
    return answer(field_links.listed(now.connection, order), headers=etag(order.version))


@api.post(
    "/repogen/work-orders/<work_order_id>/field-evidence-links",
    summary="Say which evidence shows which fact",
    responses={200: FieldLinks},
)
@access("evidence.write", audiences=OPERATORS)
def change_field_links(path: WorkOrderPath, body: FieldLinkChanges) -> Response:
    """With `remove` a link is taken away. All changes are taken or none."""
    now = current()
    order = field_links.change(
        now.connection, now.actor, path_id(path.work_order_id), body, wanted_version(request)
    )
    return answer(field_links.listed(now.connection, order), headers=etag(order.version))


def _document(document_id: UUID) -> Response:
    now = current()
    found = documents.show(now.connection, now.actor, document_id)
    return answer(found, headers=etag(found.version))


def _evidence(order: WorkOrder) -> Response:
    now = current()
    return answer(items.listed(now.connection, now.actor, order), headers=etag(order.version))
