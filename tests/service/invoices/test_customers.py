"""Who is taxed how: in the issuer's State, in another, in a special economic zone, and abroad.

Sources: IGST Act 2017, sections 7(5)(b), 12(2) and 16; CGST Rules 2017, rule 46.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from service.errors import ServiceError
from service.invoices import drafting, issuers, issuing, records
from service.invoices.gst import check_digit
from service.invoices.printing import credit_note_pdf
from tests.service.invoices.conftest import CUSTOMER_IN_TAMIL_NADU, ISSUER_GSTIN, Books, item
from tests.service.invoices.test_printing import printed, shown

#: Of the issuer's own State.
CUSTOMER_IN_KARNATAKA = "29AAPFU0939F1ZR"
ZONE = {"name": "Kaveri Exports", "address": ["Zone 1", "Mysuru"], "supply": "sez"}


@pytest.mark.parametrize(
    ("given", "place", "igst", "cgst"),
    [
        # A unit of a zone in the issuer's own State is not within the State.
        ({"gstin": CUSTOMER_IN_KARNATAKA, "bill_to": ZONE}, "29", "180.00", "0.00"),
        ({"state_code": "29", "bill_to": ZONE}, "29", "180.00", "0.00"),
        ({"gstin": CUSTOMER_IN_TAMIL_NADU, "bill_to": ZONE}, "33", "180.00", "0.00"),
        # Anybody else in that State is, whether or not it is said.
        ({"gstin": CUSTOMER_IN_KARNATAKA}, "29", "0.00", "90.00"),
        ({"state_code": "29", "bill_to": {"supply": "regular"}}, "29", "0.00", "90.00"),
        # What the billing address says of State and registration counts too.
        ({"state_code": None, "bill_to": {"state_code": "33"}}, "33", "180.00", "0.00"),
        ({"bill_to": {"gstin": CUSTOMER_IN_TAMIL_NADU}}, "33", "180.00", "0.00"),
        # Before it comes what the account itself says.
        ({"state_code": "33", "bill_to": {"state_code": "29"}}, "33", "180.00", "0.00"),
        # Section 12(2)(b)(ii): no address is on record at all.
        ({"state_code": None}, "29", "0.00", "90.00"),
    ],
)
def test_which_tax_an_invoice_bears(
    given: dict[str, Any], place: str, igst: str, cgst: str, books: Books
) -> None:
    account = books.account(**given)
    draft = books.draft(account)
    made = books.issued(account)

    for one in (draft, made):
        assert (one.igst, one.cgst, one.sgst) == (Decimal(igst), Decimal(cgst), Decimal(cgst))
    assert made.place_of_supply == place


def test_a_draft_that_is_changed_is_taxed_as_for_the_zone(books: Books) -> None:
    account = books.account(bill_to=ZONE)
    made = books.draft(account)
    changed = books.run(drafting.change_draft, account, made.invoice_id, items=[item("10.00")])
    assert (changed.igst, changed.cgst) == (Decimal("1.80"), Decimal("0.00"))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        # An address whose State nobody knows may be anywhere, also abroad.
        ({"state_code": None, "bill_to": {"address": ["1 Road"]}}, "ACCOUNT_STATE_MISSING"),
        ({"state_code": None, "bill_to": {"supply": "sez"}}, "ACCOUNT_STATE_MISSING"),
        ({"bill_to": {"supply": "overseas"}}, "CUSTOMER_ABROAD"),
        ({"state_code": None, "bill_to": {"supply": "overseas"}}, "CUSTOMER_ABROAD"),
        ({"bill_to": {"gstin": f"{CUSTOMER_IN_TAMIL_NADU[:-1]}E"}}, "ACCOUNT_GSTIN_INVALID"),
    ],
)
def test_what_cannot_be_taxed_rightly_is_not_issued_and_takes_no_number(
    given: dict[str, Any], code: str, books: Books
) -> None:
    account = books.account(**given)
    made = books.draft(account)

    with pytest.raises(ServiceError, match=code) as refused:
        books.run(issuing.issue, account, made.invoice_id, key="i")

    assert refused.value.status == 409
    with books.acting() as connection:
        assert records.find(connection, books.firm_id, made.invoice_id) == made
    first, second = (books.issued(books.account()).number for _ in range(2))
    assert int(str(second)[-5:]) == int(str(first)[-5:]) + 1


def test_the_paper_for_a_zone_says_so_and_shows_integrated_tax(books: Books) -> None:
    account = books.account(gstin=CUSTOMER_IN_KARNATAKA, bill_to=ZONE)
    made = books.issued(account)
    note = books.credited(account, made, "118.00")
    invoice = shown(printed(books, made))
    credited = shown(credit_note_pdf(made, note))

    assert "ON PAYMENT OF INTEGRATED TAX" in " ".join(invoice.split())
    assert "Karnataka (29)" in invoice
    for text in (invoice, credited):
        assert "IGST" in text
        assert "CGST" not in text
    others = shown(printed(books, books.issued(books.account(gstin=CUSTOMER_IN_TAMIL_NADU))))
    exempt = shown(printed(books, books.issued(account, item("10.00", "0"))))
    for text in (others, exempt):
        assert "SEZ" not in text


def test_the_paper_says_when_the_place_is_the_suppliers_for_want_of_an_address(
    books: Books,
) -> None:
    wanted = "the place of supply is the supplier's"
    bare = shown(printed(books, books.issued(books.account(state_code=None))))
    known = shown(printed(books, books.issued(books.account())))
    assert wanted in " ".join(bare.split())
    assert wanted not in " ".join(known.split())


@pytest.fixture
def issuer_of(books: Books) -> Iterator[Callable[[str], None]]:
    """issuer_of(code): the studio is registered in that State, until the test is over."""

    def put(gstin: str) -> None:
        with books.acting() as connection:
            issuers.set_issuer(
                connection,
                books.actor,
                legal_name="Specimen Studio Private Limited",
                gstin=gstin,
                details={"address": ["1 Specimen Road"]},
            )

    yield lambda code: put(_registered_in(code, "AAACZ9999K"))
    put(ISSUER_GSTIN)


def _registered_in(code: str, pan: str) -> str:
    first = f"{code}{pan}1Z"
    return first + check_digit(first)


@pytest.mark.parametrize(
    ("state", "shows", "hides"),
    [
        # Chandigarh has no legislature: UTGST Act 2017, section 2. Delhi and Puducherry have one.
        ("04", "UTGST", "SGST"),
        ("07", "SGST", "UTGST"),
        ("34", "SGST", "UTGST"),
    ],
)
@pytest.mark.parametrize("is_registered", [True, False])
def test_the_tax_beside_the_central_one_has_the_name_of_its_act(
    state: str, shows: str, hides: str, is_registered: bool, books: Books,
    issuer_of: Callable[[str], None],
) -> None:  # fmt: skip
    issuer_of(state)
    given = {"gstin": _registered_in(state, "AAPFU0939F")} if is_registered else {}
    made = books.issued(books.account(**{"state_code": state, **given}))
    texts = shown(printed(books, made)).split()

    assert (made.place_of_supply, made.cgst, made.sgst) == (state, Decimal(90), Decimal(90))
    assert {"CGST", shows} <= set(texts)
    assert not {"IGST", hides} & set(texts)


def test_a_union_territory_pays_integrated_tax_to_an_issuer_elsewhere(
    books: Books, issuer_of: Callable[[str], None]
) -> None:
    issuer_of("04")
    texts = shown(printed(books, books.issued(books.account(state_code="07")))).split()
    assert "IGST" in texts
    assert not {"UTGST", "SGST", "CGST"} & set(texts)
