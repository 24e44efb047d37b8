"""Dates and instants in a contract: written as ISO 8601, never guessed from a number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)


def parse_day(raw: object) -> date:
    """The date that a text names.

    Raises:
        ValueError: it is not written as 2026-03-31, or there is no such day.
    """
    if isinstance(raw, str) and _DAY.fullmatch(raw):
        try:
            return date.fromisoformat(raw)
        except ValueError:
            raise ValueError("there is no such day in the calendar") from None
    raise ValueError("a date is written as year, month and day: 2026-03-31")


def parse_moment(raw: object) -> datetime:
    """The instant that a text names; without a zone it is the place's own time.

    Raises:
        ValueError: it is not written as 2026-03-31T10:15:00, or there is no such moment.
    """
    if isinstance(raw, str) and _MOMENT.fullmatch(raw):
        try:
            return datetime.fromisoformat(raw)
        except ValueError:
            raise ValueError("there is no such moment in the calendar") from None
    raise ValueError("a moment is written as 2026-03-31T10:15:00, or with its zone: ...+05:30")


@dataclass(frozen=True, slots=True)
class _Written:
    """How a field of dates or instants is read, written and described."""

    format: str

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        kind: type[date] = date if self.format == "date" else datetime
        parse = parse_day if self.format == "date" else parse_moment

        def validate(raw: Any) -> date:
            if type(raw) is kind:
                return raw
            try:
                return parse(raw)
            except ValueError as error:
                raise PydanticCustomError("day", "{reason}", {"reason": str(error)}) from None

        return core_schema.no_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda day: day.isoformat(), when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if self.format == "date":
            return {
                "type": "string",
                "format": "date",
                "pattern": f"^{_DAY.pattern}$",
                "description": "a date, such as 2026-03-31",
            }
        return {
            "type": "string",
            "pattern": f"^{_MOMENT.pattern}$",
            "description": "a moment, such as 2026-03-31T10:15:00+05:30; without a zone, local",
        }


Day = Annotated[date, _Written("date")]
Moment = Annotated[datetime, _Written("date-time")]
