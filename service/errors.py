"""What the service refuses, in the words of RFC 9457: one shape, one stable code for each reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field, written as a path: `items.0.label`."""

    field: str
    message: str
    code: str = "INVALID"


# Not frozen: Python itself writes tracebacks into an exception on its way.
@dataclass(eq=False)
class ServiceError(Exception):
    """A refusal: nothing of the request has been done.

    Attributes:
        status: the HTTP status.
        code: stable, in capitals; clients may act on it.
        title: the same words for every refusal of this code.
        detail: what is the matter this time, and how to mend it.
        fields: what is wrong with which field of the request.
        extra: further members of the answer, such as the readiness that is lacking.
    """

    status: int
    code: str
    title: str
    detail: str = ""
    fields: tuple[FieldError, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def __str__(self) -> str:
        """The code, and what is the matter."""
        return f"{self.code}: {self.detail or self.title}"


def problem_document(error: ServiceError, request_id: str) -> dict[str, Any]:
    """The body of an application/problem+json answer."""
    return {
        "type": f"urn:zenops:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail or error.title,
        "instance": f"urn:zenops:request:{request_id}",
        **(
            {
                "errors": [
                    {"field": one.field, "message": one.message, "code": one.code}
                    for one in error.fields
                ]
            }
            if error.fields
            else {}
        ),
        **error.extra,
    }


def not_found() -> ServiceError:
    """The one answer for what is not there and for what is another firm's."""
    return ServiceError(
        404, "NOT_FOUND", "Not found", "There is nothing at this address that you may see."
    )


def invalid_fields(*fields: FieldError, detail: str | None = None) -> ServiceError:
    """The refusal of a request whose fields are not as they have to be."""
    return ServiceError(
        422,
        "VALIDATION_FAILED",
        "Some fields are not as they have to be",
        f"{len(fields)} of the fields must be mended; see errors." if detail is None else detail,
        fields=fields,
    )


def cursor_invalid() -> ServiceError:
    """The refusal of a cursor that no answer gave."""
    return invalid(
        "CURSOR_INVALID",
        "The cursor is none of ours",
        "Send next_cursor as it was answered, or leave it out to begin at the top.",
    )


def version_conflict(wanted: int, current: int) -> ServiceError:
    """The refusal of a change that was made on an older version than the one that is there."""
    return ServiceError(
        412,
        "VERSION_CONFLICT",
        "Somebody has changed this meanwhile",
        f"You have version {wanted}, it is at {current}. Load it again, look at what has changed, "
        "and repeat your change.",
        extra={"current_version": current},
        headers={"ETag": f'"{current}"'},
    )


def conflict(code: str, title: str, detail: str = "", **extra: Any) -> ServiceError:
    """A refusal because of the state that things are in."""
    return ServiceError(409, code, title, detail, extra=extra)


def invalid(code: str, title: str, detail: str = "", **extra: Any) -> ServiceError:
    """A refusal because of what was asked."""
    return ServiceError(400, code, title, detail, extra=extra)


def forbidden(code: str, title: str, detail: str = "", **extra: Any) -> ServiceError:
    """A refusal because of who asks."""
    return ServiceError(403, code, title, detail, extra=extra)
