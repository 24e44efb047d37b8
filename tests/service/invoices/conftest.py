"""A studio that may issue, a firm that owes, and whoever acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection

from service.actor import Actor
from service.billing import accounts
from service.billing.accounts import Account
from service.bootstrap import Service
from service.database.connections import transaction
from service.identifiers import new_id
from service.invoices import adjusting, drafting, issuers, issuing, prices, records
from service.invoices.records import Invoice, Settlement
from service.invoices.totals import Item

#: Of Karnataka, with check digits that are right.
ISSUER_GSTIN = "29AAACZ9999K1Z2"
CUSTOMER_IN_TAMIL_NADU = "33AAACZ9999K1ZD"


def item(price: str = "1000.00", rate: str = "18", quantity: str = "1") -> Item:
    """A line, its price in rupees."""
    paise = int(Decimal(price) * 100)
    return Item("Valuation report", "998399", Decimal(quantity), paise, Decimal(rate))


@dataclass(frozen=True)
class Books:
    """The studio's books, with one firm in them."""

    service: Service
    studio_id: UUID
    firm_id: UUID
    actor: Actor

    def _repr_pretty_(self, printer: Any, _is_cycle: bool) -> None:
        """What Hypothesis shows of it; all of a whole service would be 285 MB."""
        printer.text("Books(...)")

    @contextmanager
    def acting(self) -> Iterator[Connection]:
        """A transaction of the studio in the firm."""
        with transaction(
            self.service.engine,
            role="zen_studio",
            tenant_id=self.firm_id,
            user_id=self.actor.user_id,
        ) as connection:
            yield connection

    def account(self, **given: Any) -> Account:
        """A fresh account of the firm; in Karnataka and without GSTIN unless told otherwise."""
        given = {"state_code": "29", **given}
        with self.acting() as connection:
            return accounts.create_account(
                connection,
                self.actor,
                self.firm_id,
                external_key=f"v1:partner:{new_id()}",
                display_name="Specimen Partner",
                **given,
            )

    def draft(self, account: Account, *items: Item, **more: Any) -> Invoice:
        """A draft to the account over INR 1,000 and 18 % unless told otherwise."""
        with self.acting() as connection:
            lines = items or (item(),)
            return drafting.draft(connection, self.actor, account, lines, **more)

    def issued(self, account: Account, *items: Item, on: date | None = None) -> Invoice:
        """An issued invoice to the account."""
        made = self.draft(account, *items)
        return self.run(issuing.issue, account, made.invoice_id, key=f"i:{made.invoice_id}", on=on)

    def credited(
        self, account: Account, made: Invoice, amount: str, reason: str = "One page was missing"
    ) -> Settlement:
        """The only credit note on an invoice, just made."""
        self.run(
            adjusting.credit_note,
            account,
            made.invoice_id,
            amount=Decimal(amount),
            reason=reason,
            key=f"cn:{made.invoice_id}",
        )
        with self.acting() as connection:
            (note,) = records.settlements_of(connection, self.firm_id, made.invoice_id)
        return note

    def run(self, operation: Callable[..., Any], account: Account, *given: Any, **more: Any) -> Any:
        """What an operation gives, in a transaction of its own."""
        with self.acting() as connection:
            return operation(connection, self.actor, account, *given, **more)


@pytest.fixture(scope="module")
def books(service: Service, make_firm: Any) -> Books:
    """A studio with an issuer and a price list, and a firm."""
    studio, firm = make_firm(kind="service"), make_firm()
    actor = Actor(firm.tenant_id, new_id(), "studio", frozenset({"invoices.write"}), "Studio", "r")
    made = Books(service, studio.tenant_id, firm.tenant_id, actor)
    with made.acting() as connection:
        issuers.set_issuer(
            connection,
            actor,
            legal_name="Specimen Studio Private Limited",
            gstin=ISSUER_GSTIN,
            details={"address": ["1 Specimen Road", "Mysuru 570001"], "email": "a@specimen.test"},
        )
        prices.add_price(
            connection,
            actor,
            item="report",
            description="Valuation report",
            sac="998399",
            unit_price=Decimal("1500.00"),
            tax_rate=Decimal(18),
            valid_from=date(2026, 4, 1),
        )
    return made
