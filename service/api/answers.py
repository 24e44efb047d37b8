"""Answers as JSON: decimals as texts, instants in UTC, one text for one meaning."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from flask import Response
from pydantic import BaseModel

from contracts.canonical_json import to_plain
from contracts.quantities import Quantity

Row = TypeVar("Row")


def json_ready(value: Any) -> Any:
    """A value as an answer holds it; unlike a bundle's, it keeps its nulls and knows ids and times.

    Raises:
        TypeError: the value has no form in an answer.
    """
    kind: Any = type(value)
    if kind in _AS_IT_STANDS or isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal | Quantity | date):
        return to_plain(value)
    if isinstance(value, Mapping):
        return {
            str(key): inner if type(inner) in _AS_IT_STANDS else json_ready(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [json_ready(inner) for inner in value]
    names = _names(kind)
    if names is not None:
        return {called: json_ready(getattr(value, name)) for called, name in names}
    raise TypeError(f"a {type(value).__name__} has no form in an answer")


_AS_IT_STANDS: frozenset[Any] = frozenset({str, bool, int, type(None)})


@cache
def _names(kind: Any) -> tuple[tuple[str, str], ...] | None:
    """What the members of a model or a record are called in an answer, and what here."""
    if issubclass(kind, BaseModel):
        return tuple(
            (field.serialization_alias or field.alias or name, name)
            for name, field in kind.model_fields.items()
        )
    if dataclasses.is_dataclass(kind):
        return tuple((field.name, field.name) for field in dataclasses.fields(kind))
    return None


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    text = json.dumps(json_ready(body), ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers=dict(headers or {}), content_type="application/json")


def page_of(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Row | None]:
    """The rows of a page, and the last of them if more follow: there the next page begins.

    Args:
        rows: one more than the page may have, if there are as many.
        limit: how many a page has at most.
    """
    shown = rows[:limit]
    return shown, shown[-1] if len(rows) > limit else None


def etag(version: int) -> dict[str, str]:
    """The header that names a version, for If-Match to name again."""
    return {"ETag": f'"{version}"'}
