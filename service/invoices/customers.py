"""Whom an invoice is to, as far as tax asks: where they are registered or live, and how it is supplied."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.errors import conflict
from service.invoices.gst import gstin_problem, place_of_supply

if TYPE_CHECKING:
    from service.billing.accounts import Account, Supply


@dataclass(frozen=True, slots=True)
class Customer:
    """What of an account decides on its taxes."""

    gstin: str | None
    state_code: str | None
    has_address: bool
    supply: Supply

    def place(self, issuer_state: str) -> str:
        """The State or union territory that the service is supplied in."""
        return place_of_supply(
            gstin=self.gstin, state_code=self.state_code, issuer_state=issuer_state
        )

    def is_within_state(self, issuer_state: str) -> bool:
        """Whether central and State tax are due, and not integrated tax.

        What goes to a special economic zone, or abroad, is between States wherever it is: IGST Act,
        section 7(5).
        """
        return self.supply == "regular" and self.place(issuer_state) == issuer_state


def customer_of(account: Account) -> Customer:
    """An account as a customer: its own GSTIN and State, else those of its billing address."""
    bill_to = json.loads(account.bill_to)
    gstin = account.gstin or bill_to.get("gstin")
    return Customer(
        gstin=gstin,
        state_code=gstin[:2] if gstin else account.state_code or bill_to.get("state_code"),
        has_address=bool(bill_to.get("address")),
        supply=bill_to.get("supply", "regular"),
    )


def check_taxable(customer: Customer) -> None:
    """See that it is known which taxes an invoice to somebody bears.

    Raises:
        ServiceError: 409 CUSTOMER_ABROAD, ACCOUNT_GSTIN_INVALID or ACCOUNT_STATE_MISSING.
    """
    if customer.supply == "overseas":
        raise conflict(
            "CUSTOMER_ABROAD",
            "Only customers in India are invoiced here",
            "The account's bill_to.supply is `overseas`, and exports are not provided for: invoice it"
            " outside this service and void the draft. If the customer is in India, say `regular` or"
            " `sez` there and enter the account's gstin or state_code.",
        )
    if customer.gstin is not None:
        if problem := gstin_problem(customer.gstin):
            raise conflict("ACCOUNT_GSTIN_INVALID", "The account's GSTIN cannot be right", problem)
    elif customer.state_code is None and (customer.has_address or customer.supply == "sez"):
        raise conflict(
            "ACCOUNT_STATE_MISSING",
            "It is not known in which State the customer is",
            "The taxes depend on it: IGST Act, section 12(2). Enter the account's gstin or state_code;"
            " if the customer is not in India, say `overseas` in bill_to.supply.",
        )
