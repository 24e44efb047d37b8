"""Turns whatever goes wrong in a request into one shape, without a word too much."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

import psycopg
import structlog
from flask import Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError

from service.api.answers import json_ready
from service.api.request_life import current_request_id
from service.errors import (
    FieldError,
    ServiceError,
    invalid_fields,
    not_found,
    problem_document,
)
from service.web.failures import failure_page

if TYPE_CHECKING:
    from flask import Flask
    from pydantic import ValidationError

log = structlog.get_logger("zenops.failure")

#: What werkzeug refuses by itself: status -> code and what to do.
_REFUSED = {
    400: ("REQUEST_INVALID", "The request cannot be read."),
    405: ("METHOD_NOT_ALLOWED", "The header Allow names the methods that this address takes."),
    413: ("BODY_TOO_LARGE", "Send less at once."),
    414: ("ADDRESS_TOO_LONG", "Shorten the address."),
    415: ("MEDIA_TYPE_UNSUPPORTED", "Send what the description of the interface names."),
    431: ("HEADERS_TOO_LARGE", "Send fewer or shorter headers."),
}


def install(app: Flask) -> None:
    """Answer every failure of an application as application/problem+json, or as a page."""
    app.register_error_handler(ServiceError, refuse)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(PoolTimeout, _busy)
    app.register_error_handler(Exception, _unforeseen)


def refuse(error: ServiceError) -> Response:
    """The answer to a refusal: a page for people at the desk, a problem document for others."""
    if "desk" in request.blueprints:
        return failure_page(error, current_request_id())
    body = json.dumps(json_ready(problem_document(error, current_request_id())), ensure_ascii=False)
    return Response(
        body, error.status, headers=dict(error.headers), content_type="application/problem+json"
    )


def not_valid(error: ValidationError) -> Response:
    """The answer to a request whose fields are not what the interface describes."""
    return refuse(validation_failed(error))


def validation_failed(error: ValidationError) -> ServiceError:
    """All that is wrong with a body, a query or a path, by field."""
    fields = tuple(
        FieldError(
            ".".join(str(step) for step in one["loc"]),
            one["msg"],
            one["type"].upper(),
        )
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return invalid_fields(*fields)


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    if isinstance(error, InternalServerError) and error.original_exception is not None:
        return _late(error.original_exception)
    status = error.code or 500
    if status == 404:
        return refuse(not_found())
    code, detail = _REFUSED.get(status, ("REQUEST_REFUSED", "The request cannot be answered."))
    kept = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name.lower() in {"allow", "retry-after"}
    }
    return refuse(ServiceError(status, code, HTTPStatus(status).phrase, detail, headers=kept))


def _database(error: DBAPIError) -> Response:
    cause = error.orig
    if isinstance(cause, psycopg.errors.DataError):
        return refuse(invalid_fields(detail="A value is outside of what can be stored."))
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        # The last door held where an earlier one should have: told to us loudly, to them plainly.
        log.error("refused by the database", request_id=current_request_id(), exc_info=error)
        return refuse(
            ServiceError(
                403,
                "ACCESS_REFUSED",
                "You may not do this",
                "The firm's data refuse it to your kind of login; nothing was changed.",
            )
        )
    if isinstance(
        cause,
        psycopg.errors.SerializationFailure
        | psycopg.errors.DeadlockDetected
        | psycopg.errors.LockNotAvailable
        | psycopg.errors.QueryCanceled,
    ):
        log.warning("contended", request_id=current_request_id(), cause=type(cause).__name__)
        return _try_again()
    if isinstance(cause, psycopg.OperationalError):
        log.error("database away", request_id=current_request_id(), cause=type(cause).__name__)
        return _try_again()
    return _unforeseen(error)


def _busy(_: PoolTimeout) -> Response:
    log.error("no free database connection", request_id=current_request_id())
    return _try_again()


def _try_again() -> Response:
    return refuse(
        ServiceError(
            503,
            "TRY_AGAIN",
            "The service is busy",
            "Nothing was changed. Send the same request again in a few seconds.",
            headers={"Retry-After": "2"},
        )
    )


def _late(error: BaseException) -> Response:
    """What went wrong after the view, at the commit say; nobody knows whether it still counted."""
    log.error("failed after the view", request_id=current_request_id(), exc_info=error)
    return refuse(
        ServiceError(
            500,
            "INTERNAL_ERROR",
            "Something went wrong on our side",
            "What you sent may have been done all the same: look before you send it again."
            f" Please tell us the request's id: {current_request_id()}.",
        )
    )


def _unforeseen(error: Exception) -> Response:
    log.error("unforeseen", request_id=current_request_id(), exc_info=error)
    return refuse(
        ServiceError(
            500,
            "INTERNAL_ERROR",
            "Something went wrong on our side",
            f"Nothing was changed. Please tell us the request's id: {current_request_id()}.",
        )
    )
