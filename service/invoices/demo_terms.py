"""The terms of a trial installation's studio: who issues its invoices, and what things cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.canonical_json import to_plain
from contracts.strict_yaml import read_yaml
from service.billing.studio_tenant import studio_tenant
from service.database.connections import transaction
from service.invoices.issuers import current_issuer, set_issuer
from service.invoices.prices import add_price
from service.people.acting import in_tenant
from service.people.founding import founder

if TYPE_CHECKING:
    from sqlalchemy import Engine

TERMS = Path(__file__).with_name("demo-terms.yaml")


def seed_demo_terms(engine: Engine) -> bool:
    """Enter issuer and prices, unless the studio has an issuer already.

    Args:
        engine: of the login role zen_api.

    Returns:
        Whether they were entered.
    """
    terms: Any = to_plain(read_yaml(TERMS.read_text(encoding="utf-8"), TERMS.name).value)
    with transaction(engine, role="zen_studio") as connection:
        if current_issuer(connection) is not None:
            return False
        studio = studio_tenant(connection)
        actor = founder(studio, request_id="")
        with in_tenant(connection, studio):
            set_issuer(connection, actor, **terms["issuer"])
            for price in terms["prices"]:
                add_price(
                    connection,
                    actor,
                    item=price["item"],
                    description=price["description"],
                    sac=price["sac"],
                    unit_price=Decimal(price["unit_price"]),
                    tax_rate=Decimal(price["tax_rate"]),
                    credit_cost=int(price["credits"]),
                )
    return True
