"""Files that a form brings along, and files that are given back, for every route that has some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from flask import Response, request
from pydantic import BaseModel, ValidationError

from service.api.failures import validation_failed
from service.errors import FieldError, ServiceError, invalid_fields
from service.evidence.file_names import disposition
from service.evidence.limits import limits
from service.objects import storage

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage

    from service.objects.storage import Objects

Form = TypeVar("Form", bound=BaseModel)


def form_with_file(form: type[BaseModel]) -> dict[str, Any]:
    """The description of a form with the part `file` and a model's fields besides."""
    schema = form.model_json_schema()
    parts = {"file": {"type": "string", "format": "binary"}, **schema["properties"]}
    schema = {**schema, "properties": parts, "required": ["file"]}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


def sent_file(form: type[Form]) -> tuple[FileStorage, Form]:
    """The file of the request's form, and its fields, each of which is there once and known.

    Raises:
        ServiceError: 415, it is no form; 422, what is wrong with it.
    """
    wrong = []
    if request.mimetype != "multipart/form-data":
        raise ServiceError(
            415,
            "MEDIA_TYPE_UNSUPPORTED",
            "The body's media type is not taken here",
            "Send multipart/form-data with the part `file`.",
        )
    files = request.files.getlist("file")
    if len(files) != 1 or len(request.files) != 1:
        wrong.append(FieldError("file", "the form needs one file, in the part `file`", "MISSING"))
    fields: dict[str, str] = {}
    for given, values in request.form.lists():
        # A part may lack its name.
        name = given or ""
        if len(values) > 1:
            wrong.append(FieldError(name[:100], "is there more than once"))
        # Pages send their proof along, and an empty text for a field that nobody filled in.
        elif name != "csrf_token" and values[0]:
            if "\x00" in values[0]:
                wrong.append(FieldError(name[:100], "holds the character U+0000"))
            fields[name] = values[0]
    if not wrong:
        try:
            return files[0], form.model_validate(fields)
        except ValidationError as error:
            raise validation_failed(error) from None
    raise invalid_fields(*wrong, detail=wrong[0].message)


def stored_file(objects: Objects, row: Any) -> Response:
    """A file to be saved: no browser shows it as a page, whatever is in it.

    Args:
        objects: where it lies.
        row: with its object_key, filename, size and media_type.
    """
    headers = {
        "Content-Disposition": disposition(row.filename),
        "Content-Length": str(row.size),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "none",
    }
    known = row.media_type if row.media_type in limits().kinds else "application/octet-stream"
    return Response(storage.stream(objects, row.object_key), headers=headers, content_type=known)
