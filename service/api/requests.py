"""Reads what a request brings: exact JSON, ids, the version it is for, the key it repeats under."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from uuid import UUID

from flask import Request

from contracts.exact_json import read_json
from service.errors import FieldError, ServiceError, cursor_invalid, invalid, not_found
from service.identifiers import read_id

_VERSION = re.compile(r'"(0|[1-9][0-9]{0,17})"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: Beyond the file itself, a form has names and a few short fields.
FORM_ROOM = 1_048_576


class ExactRequest(Request):
    """A request whose JSON keeps every digit."""

    # Fields that are no files stay in memory; a thousand parts would cost more than any form needs.
    max_form_memory_size = 500_000
    max_form_parts = 200

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:  # noqa: ARG002 - werkzeug's
        """The body's values, numbers as decimals; None if there is no body.

        Raises:
            ServiceError: 400, with the line and column of everything that is wrong with the text.
        """
        if "exact_json" not in self.environ:
            self.environ["exact_json"] = self._read_json()
        return self.environ["exact_json"]

    def _read_json(self) -> Any:
        raw = self.get_data(cache=True)
        if not raw:
            return None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise _not_json((FieldError("", "The text is not UTF-8."),)) from None
        document = read_json(text, "body")
        if document.problems:
            raise _not_json(
                tuple(
                    FieldError(
                        problem.field,
                        f"line {problem.line}, column {problem.column}: {problem.what}",
                        problem.code,
                    )
                    for problem in document.problems[:50]
                )
            )
        _refuse_nul(document.value)
        return document.value


def _refuse_nul(value: Any) -> None:
    """PostgreSQL keeps no NUL in a text, and no name or note has one."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\x00" in one:
                raise _not_json((FieldError("", "A text holds the character U+0000."),))
        elif isinstance(one, dict):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _not_json(fields: tuple[FieldError, ...]) -> ServiceError:
    return ServiceError(
        400,
        "BODY_NOT_JSON",
        "The body is no JSON text that can be read",
        fields[0].message,
        fields=fields,
    )


def path_id(written: str) -> UUID:
    """The id in an address.

    Raises:
        ServiceError: 404; what is no id is as little there as an unknown one.
    """
    found = read_id(written)
    if found is None:
        raise not_found()
    return found


def cursor_id(cursor: str | None) -> UUID | None:
    """The id that a page of a list follows; None for the first page.

    Raises:
        ServiceError: 400, the cursor is no id.
    """
    if cursor is None:
        return None
    found = read_id(cursor)
    if found is None:
        raise cursor_invalid()
    return found


def cursor_number(cursor: str | None) -> int | None:
    """The number that a page of a numbered list follows; None for the first page.

    Raises:
        ServiceError: 400, the cursor is no number that a list has.
    """
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise cursor_invalid()
    return int(cursor)


def wanted_version(request: Request) -> int | None:
    """The version that If-Match names; None if there is none, or `*`.

    Raises:
        ServiceError: 400, the header names something else.
    """
    text = request.headers.get("If-Match", "").strip()
    if text in {"", "*"}:
        return None
    if not (found := _VERSION.fullmatch(text)):
        raise ServiceError(
            400,
            "IF_MATCH_INVALID",
            "If-Match names no version",
            'Send the ETag of the answer that you have, such as If-Match: "7".',
        )
    return int(found[1])


def idempotency_key(request: Request) -> str | None:
    """The key of a write that may be repeated.

    Raises:
        ServiceError: 400, it is not 1 to 255 visible ASCII characters.
    """
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise ServiceError(
            400,
            "IDEMPOTENCY_KEY_INVALID",
            "The idempotency key cannot be used",
            "Send 1 to 255 visible ASCII characters, such as a UUID, fresh for each new write.",
        )
    return text


def needed_key(request: Request, in_body: str | None = None) -> str:
    """The key of a write that has to have one: the body's, else the header's.

    Raises:
        ServiceError: 400, there is none, or it is none that can be used.
    """
    key = in_body or idempotency_key(request)
    if key is None:
        raise invalid(
            "IDEMPOTENCY_KEY_REQUIRED",
            "This needs a key of its own",
            "Send an Idempotency-Key, such as a UUID, or idempotency_key where the body has it:"
            " fresh for each new operation, the same one when you try again.",
        )
    return key


def fingerprint(request: Request) -> str:
    """What makes a request the same as an earlier one: method, address and body."""
    total = hashlib.sha256()
    parts: list[bytes] = [
        request.method.encode(),
        request.full_path.encode(),
        request.headers.get("If-Match", "").encode(),
    ]
    if request.mimetype == "multipart/form-data":
        # The boundary differs from one sending to the next, so the parts are compared.
        # A part may lack its name; such a form is refused, but not by failing here.
        for name, values in sorted(request.form.lists(), key=_by_name):
            parts += [(name or "").encode(), *(value.encode() for value in values)]
        for name, files in sorted(request.files.lists(), key=_by_name):
            for file in files:
                inner = hashlib.sha256()
                while chunk := file.stream.read(1 << 20):
                    inner.update(chunk)
                file.stream.seek(0)
                named = [(name or "").encode(), (file.filename or "").encode()]
                parts += [*named, inner.digest()]
    else:
        parts.append(request.get_data(cache=True))
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()


def _by_name(part: tuple[str | None, Any]) -> str:
    return part[0] or ""
