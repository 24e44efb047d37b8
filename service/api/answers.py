"""Answers as JSON: decimals as texts, instants in UTC, one text for one meaning."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
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
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal | Quantity | date):
        return to_plain(value)
    if isinstance(value, BaseModel):
        return {
            field.serialization_alias or field.alias or name: json_ready(getattr(value, name))
            for name, field in type(value).model_fields.items()
        }
    if isinstance(value, Mapping):
        return {str(key): json_ready(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(inner) for inner in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: json_ready(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    raise TypeError(f"a {type(value).__name__} has no form in an answer")


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
