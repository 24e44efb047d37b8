"""What things cost, from a day on: one list for all, and prices agreed with single accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, text

from service import clock
from service.billing.acting import record_in
from service.billing.money import paise, rupees
from service.errors import conflict, invalid, not_found
from service.identifiers import new_id
from service.invoices.gst import check_rate
from service.invoices.letters import check_letters
from service.invoices.periods import indian_day
from service.invoices.studio_books import studio_books

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from service.actor import Actor

#: What a report is called in the price list, whatever its type; `report_valuation` counts before it.
REPORT = "report"

_COLUMNS = (
    "price_id, item, description, sac, unit_price, credits, tax_rate, valid_from, valid_until,"
    " external_key"
)
# The account's own price counts before that for all, the closer item before the wider, the later
# day before the earlier.
_IN_FORCE = text(
    f"select {_COLUMNS} from price_lists where tenant_id = :tenant and item in :items"  # noqa: S608
    " and valid_from <= :on and (valid_until is null or :on <= valid_until)"
    " and (external_key is null or external_key = cast(:key as text))"
    " order by external_key is null, item = :widest, valid_from desc limit 1"
).bindparams(bindparam("items", expanding=True))
_LIST = text(
    f"select {_COLUMNS} from price_lists where tenant_id = :tenant"  # noqa: S608
    " and (cast(:item as text) is null or item = :item)"
    " and (cast(:key as text) is null or external_key = :key)"
    " and (cast(:after as uuid) is null or price_id < :after) order by price_id desc limit :limit"
)
_FIND = text(
    f"select {_COLUMNS} from price_lists"  # noqa: S608
    " where tenant_id = :tenant and price_id = :price for update"
)


@dataclass(frozen=True, slots=True)
class Price:
    """What one of something costs, in rupees before tax, and in credits."""

    price_id: UUID
    item: str
    description: str
    sac: str
    unit_price: Decimal
    credits: int
    tax_rate: Decimal
    valid_from: date
    valid_until: date | None
    external_key: str | None


def price_in_force(
    connection: Connection, *items: str, external_key: str | None, on: date | None = None
) -> Price | None:
    """The price of the first of some items that has one on a day, if any has; in every role.

    Args:
        connection: in whatever role; the studio's list is read.
        items: names in the list, the closest first and the widest last.
        external_key: of the account that pays; its own price counts before that for all.
        on: the Indian day; today unless given.
    """
    with studio_books(connection) as studio:
        row = connection.execute(
            _IN_FORCE,
            {
                "tenant": studio,
                "items": items,
                "widest": items[-1],
                "key": external_key,
                "on": on or indian_day(clock.now()),
            },
        ).one_or_none()
    return None if row is None else _price(row)


def price_of_report(
    connection: Connection, report_type: str, *, external_key: str | None, on: date | None = None
) -> Price | None:
    """What a report of a type costs in money and credits, if the list has it."""
    closest = f"{REPORT}_{report_type.lower()}"
    return price_in_force(connection, closest, REPORT, external_key=external_key, on=on)


def list_prices(
    connection: Connection,
    *,
    item: str | None = None,
    external_key: str | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> list[Price]:
    """Prices of all times, the newest entry first."""
    with studio_books(connection) as studio:
        rows = connection.execute(
            _LIST,
            {
                "tenant": studio,
                "item": item,
                "key": external_key,
                "after": after,
                "limit": limit,
            },
        ).all()
    return [_price(row) for row in rows]


def add_price(
    connection: Connection,
    actor: Actor,
    *,
    item: str,
    description: str,
    sac: str,
    unit_price: Decimal,
    tax_rate: Decimal,
    credit_cost: int = 1,
    valid_from: date | None = None,
    valid_until: date | None = None,
    external_key: str | None = None,
) -> Price:
    """Enter a price, for all accounts or for one, from a day on.

    Raises:
        ServiceError: 400 TAX_RATE_UNKNOWN, PRICE_PERIOD_INVALID; 409 PRICE_EXISTS, there is one of
            the same item from the same day on; 409 LETTERS_NOT_PRINTABLE.
    """
    check_letters(description, "description")
    made = Price(
        new_id(),
        item,
        description,
        sac,
        unit_price,
        credit_cost,
        tax_rate,
        valid_from or indian_day(clock.now()),
        valid_until,
        external_key,
    )
    check_rate(tax_rate, made.valid_from)
    if valid_until is not None and valid_until < made.valid_from:
        raise _wrong_period()
    with studio_books(connection) as studio:
        written = connection.execute(
            text(
                f"insert into price_lists (tenant_id, {_COLUMNS}, created_at) values"  # noqa: S608
                " (:tenant, :price_id, :item, :description, :sac, :unit_price, :credits,"
                " :tax_rate, :valid_from, :valid_until, :external_key, :now)"
                " on conflict do nothing"
            ),
            {
                "tenant": studio,
                **_told(made),
                "unit_price": paise(made.unit_price),
                "now": clock.now(),
            },
        ).rowcount
        if not written:
            raise conflict(
                "PRICE_EXISTS",
                "There is a price from that day on",
                f"{item} has one from {made.valid_from}. Enter another from a later day.",
            )
    record_in(
        connection,
        actor,
        studio,
        "invoice:price:added",
        subject=("price", made.price_id),
        after=_told(made),
    )
    return made


def end_price(connection: Connection, actor: Actor, price_id: UUID, valid_until: date) -> Price:
    """Let a price hold until a day and no longer; what was invoiced stays as it was.

    Raises:
        ServiceError: 404; 400 PRICE_PERIOD_INVALID, that is before its first day.
    """
    with studio_books(connection) as studio:
        row = connection.execute(_FIND, {"tenant": studio, "price": price_id}).one_or_none()
        if row is None:
            raise not_found()
        before = _price(row)
        if valid_until < before.valid_from:
            raise _wrong_period()
        connection.execute(
            text(
                "update price_lists set valid_until = :until"
                " where tenant_id = :tenant and price_id = :price"
            ),
            {"tenant": studio, "price": price_id, "until": valid_until},
        )
        after = _price(connection.execute(_FIND, {"tenant": studio, "price": price_id}).one())
    record_in(
        connection,
        actor,
        studio,
        "invoice:price:ended",
        subject=("price", price_id),
        before=_told(before),
        after=_told(after),
    )
    return after


def _wrong_period() -> Exception:
    return invalid("PRICE_PERIOD_INVALID", "A price cannot end before its first day")


def _price(row: Row[Any]) -> Price:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public way
    return Price(**(values | {"unit_price": rupees(row.unit_price)}))


def _told(price: Price) -> dict[str, Any]:
    return {name: getattr(price, name) for name in Price.__slots__}
