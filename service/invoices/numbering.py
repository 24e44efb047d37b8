"""Numbers of invoices and credit notes: consecutive for each GSTIN and financial year, without gaps.

CGST rules, rule 46(b) (and 53(1A) for credit notes): at most sixteen characters, letters, digits,
hyphen and slash, unique for a financial year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import text

from service.errors import ServiceError, conflict
from service.invoices.periods import financial_year
from service.invoices.studio_books import studio_books

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

Series = Literal["invoice", "credit_note"]
_PREFIX: dict[Series, str] = {"invoice": "INV", "credit_note": "CRN"}
_MOST = 999_999

# The row is locked from here to the commit: whoever comes next waits, and a rollback leaves no gap.
_TAKE = text(
    "insert into invoice_number_series as s"
    " (tenant_id, gstin, financial_year, kind, last_number, last_on)"
    " values (:tenant, :gstin, :year, :kind, 1, :on)"
    " on conflict (tenant_id, gstin, financial_year, kind) do update"
    " set last_number = s.last_number + 1, last_on = greatest(s.last_on, excluded.last_on)"
    " where s.last_number < :most and (not :is_fixed or s.last_on <= excluded.last_on)"
    " returning last_number, last_on"
)
_LAST = text(
    "select last_number, last_on from invoice_number_series where tenant_id = :tenant"
    " and gstin = :gstin and financial_year = :year and kind = :kind"
)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A number that was taken, its year, and the day of issue."""

    number: str
    financial_year: str
    on: date


def number_text(series: Series, year: str, number: int) -> str:
    """A number as it is printed.

    >>> number_text("invoice", "26-27", 1), number_text("credit_note", "26-27", 999_999)
    ('INV/26-27/00001', 'CRN/26-27/999999')
    """
    return f"{_PREFIX[series]}/{year}/{number:05}"


def take_number(
    connection: Connection, series: Series, gstin: str, *, today: date, on: date | None = None
) -> Numbered:
    """The next number of a series; it stays taken only if the transaction commits.

    What is refused has taken none, so that whoever goes on after a refusal leaves no gap.

    Days follow numbers: no document is dated before the one whose number precedes it. Of two that
    are issued around midnight, the one that waited takes the other's day.

    Args:
        connection: inside as_billing or the role of whoever acts; the studio's rows are written.
        series: of which kind of document.
        gstin: the issuer's.
        today: the Indian day.
        on: the day that was asked for.

    Raises:
        ServiceError: 400 ISSUE_DATE_INVALID, the day is yet to come or before the last document's;
            409 NUMBER_SERIES_FULL after 999,999 of a year.
    """
    if on is not None and on > today:
        raise _not_a_day(f"{on} is yet to come; in India it is {today}.")
    day = on or today
    year = financial_year(day)
    with studio_books(connection) as studio:
        values = {"tenant": studio, "gstin": gstin, "year": year, "kind": series}
        more = {"on": day, "most": _MOST, "is_fixed": on is not None}
        row = connection.execute(_TAKE, values | more).one_or_none()
        if row is None:
            raise _none_left(connection.execute(_LAST, values).one(), gstin, year)
    return Numbered(number_text(series, year, row.last_number), year, row.last_on)


def _none_left(last: Row[Any], gstin: str, year: str) -> ServiceError:
    if last.last_number < _MOST:
        return _not_a_day(f"A document of the same series is dated {last.last_on} already.")
    return conflict(
        "NUMBER_SERIES_FULL",
        "The year's numbers are used up",
        f"A number has at most sixteen characters, which is {_MOST:,} for {gstin} in {year}.",
    )


def _not_a_day(detail: str) -> ServiceError:
    return ServiceError(400, "ISSUE_DATE_INVALID", "It cannot be issued on that day", detail)
