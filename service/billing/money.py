"""Money: exact decimal rupees in code and answers, whole paise in the ledger's tables."""

from __future__ import annotations

from decimal import Decimal

#: The one currency there is.
CURRENCY = "INR"
#: What a table's bigint and every reader of JSON keep exactly.
LARGEST_PAISE = 2**53 - 1


def paise(amount: Decimal) -> int:
    """An amount in rupees as whole paise.

    Raises:
        ValueError: it has fractions of a paisa, is no number, or is beyond what a table keeps.

    >>> paise(Decimal("118.5"))
    11850
    """
    if not amount.is_finite():
        raise ValueError(f"{amount} is no amount of money")
    if amount.adjusted() > 20:
        raise ValueError("more money than a table keeps")
    scaled = amount.scaleb(2)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"{amount} has fractions of a paisa")
    if abs(whole) > LARGEST_PAISE:
        raise ValueError("more money than a table keeps")
    return whole


def rupees(amount: int) -> Decimal:
    """Whole paise as rupees with two places.

    >>> rupees(11850)
    Decimal('118.50')
    """
    return Decimal(amount).scaleb(-2)
