"""The PDF: the same bytes for the same row, what rule 46 asks for, and what Indian eyes expect."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pikepdf
import pytest

from service.errors import ServiceError
from service.invoices import adjusting, issuers, issuing, prices, records
from service.invoices.printing import credit_note_pdf, invoice_pdf
from service.invoices.records import Invoice
from tests.service.invoices.conftest import CUSTOMER_IN_TAMIL_NADU, ISSUER_GSTIN, Books, item


def shown(pdf: bytes) -> str:
    """All that is written on the pages, in the order of drawing."""
    document = pikepdf.open(io.BytesIO(pdf))
    found = []
    for page in document.pages:
        for operands, operator in pikepdf.parse_content_stream(page):
            if str(operator) == "Tj":
                found.append(bytes(operands[0]).decode("cp1252"))
    return "\n".join(found)


def printed(books: Books, made: Invoice) -> bytes:
    """The PDF of an invoice as it is now."""
    with books.acting() as connection:
        found = records.find(connection, books.firm_id, made.invoice_id)
        lines = records.lines_of(connection, books.firm_id, made.invoice_id)
    return invoice_pdf(found, lines, json.loads(found.parties or "{}"))


def test_what_rule_46_asks_for_is_on_it(books: Books) -> None:
    account = books.account(
        gstin=CUSTOMER_IN_TAMIL_NADU,
        bill_to={"name": "Kaveri Valuers", "address": ["1 Road", "Chennai"]},
    )
    made = books.issued(account, item("123456.78", quantity="2"))
    text = shown(printed(books, made))
    assert made.issued_on is not None
    for wanted in (
        "TAX INVOICE", "Original for recipient", "Specimen Studio Private Limited",
        "1 Specimen Road", "GSTIN 29AAACZ9999K1Z2", str(made.number),
        f"{made.issued_on.day} {made.issued_on:%B %Y}", "Kaveri Valuers",
        f"GSTIN {CUSTOMER_IN_TAMIL_NADU}", "Tamil Nadu (33)", "998399", "Valuation report",
        "2", "1,23,456.78", "2,46,913.56", "IGST", "18 %", "44,444.44", "2,91,358.00",
        "Tax is not payable on reverse charge.",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "CGST" not in text
    words = "Rupees Two Lakh Ninety One Thousand Three Hundred Fifty Eight Only"
    assert words in text.replace("\n", " ")


def test_within_a_state_it_shows_both_taxes_at_half_the_rate(books: Books) -> None:
    text = shown(printed(books, books.issued(books.account())))
    assert text.count("9 %") == 2
    assert "IGST" not in text


def test_what_is_exempt_as_a_whole_is_a_bill_of_supply(books: Books) -> None:
    account = books.account()
    exempt = shown(printed(books, books.issued(account, item("10.00", "0"))))
    mixed = shown(printed(books, books.issued(account, item("10.00", "0"), item())))
    assert "BILL OF SUPPLY" in exempt
    assert "TAX INVOICE" not in exempt
    assert "TAX INVOICE" in mixed


def test_the_same_invoice_gives_the_same_bytes_in_any_process(books: Books) -> None:
    made = books.issued(books.account())
    first = printed(books, made)
    assert printed(books, made) == first
    # What is paid or sent later is not printed.
    later = replace(made, sent_at=datetime(2030, 1, 1), status="sent", version=9)  # noqa: DTZ001
    with books.acting() as connection:
        lines = records.lines_of(connection, books.firm_id, made.invoice_id)
    assert invoice_pdf(later, lines, json.loads(made.parties or "{}")) == first
    assert not re.search(rb"/CreationDate \(D:202[1-9]", first)


def test_loading_the_routes_does_not_load_what_draws() -> None:
    code = "import sys, service.api.invoices; print(any(n.startswith('reportlab') for n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("state", ["draft", "void"])
def test_what_is_no_invoice_says_so(books: Books, state: str) -> None:
    account = books.account()
    made = books.draft(account) if state == "draft" else books.issued(account)
    if state == "void":
        made = books.run(issuing.void, account, made.invoice_id, reason="x", key=f"v{state}")
    with books.acting() as connection:
        lines = records.lines_of(connection, books.firm_id, made.invoice_id)
        issuer = issuing.the_issuer(connection)
    pdf = invoice_pdf(made, lines, issuing.parties_of(account, issuer))
    assert state.upper() in shown(pdf).split("\n")


def test_two_hundred_lines_take_several_pages_with_their_heads(books: Books) -> None:
    made = books.issued(books.account(), *(item("10.00") for _ in range(200)))
    pdf = printed(books, made)
    pages = len(pikepdf.open(io.BytesIO(pdf)).pages)
    text = shown(pdf)
    assert pages > 3
    assert text.count(f"of {pages}") == pages
    # The last page may have the sums alone.
    assert text.count("Description") >= pages - 1


def test_markup_breaks_nothing_and_western_letters_are_printed(books: Books) -> None:
    account = books.account(bill_to={"name": "Kaveri – <b>&amp; Söhne</b> €"})
    text = shown(printed(books, books.issued(account)))
    assert "Kaveri – <b>&amp; Söhne</b> €" in text.replace("\n", "")


@pytest.mark.parametrize(
    ("where", "account", "line", "notes"),
    [
        ("bill_to.name has 'ಕ'", {"bill_to": {"name": "ಕಾವೇರಿ"}}, {}, None),
        (
            "bill_to.address has 'ம'",
            {"bill_to": {"name": "K", "address": ["1", "மதுரை"]}},
            {},
            None,
        ),
        ("a line's description has 'म'", {}, {"description": "Report मूल्य"}, None),
        ("notes has '₹'", {}, {}, "₹ 500 less than before"),
    ],
)
def test_what_would_be_printed_as_question_marks_is_not_issued_and_takes_no_number(
    books: Books, where: str, account: dict[str, Any], line: dict[str, Any], notes: str | None
) -> None:
    billed = books.account(**account)
    made = books.draft(billed, replace(item(), **line), notes=notes)
    before = books.issued(books.account())
    with pytest.raises(ServiceError) as refused:
        books.run(issuing.issue, billed, made.invoice_id, key=str(made.invoice_id))
    assert refused.value.code == "LETTERS_NOT_PRINTABLE"
    assert where in refused.value.detail
    after = books.issued(books.account())
    assert int(str(after.number)[-5:]) == int(str(before.number)[-5:]) + 1
    # Nor is the draft printed with a wrong name on it.
    with books.acting() as connection:
        lines = records.lines_of(connection, books.firm_id, made.invoice_id)
        parties = issuing.parties_of(billed, issuing.the_issuer(connection))
    with pytest.raises(ServiceError, match="LETTERS_NOT_PRINTABLE"):
        invoice_pdf(made, lines, parties)


def test_what_invoices_will_name_is_refused_when_it_is_entered(books: Books) -> None:
    issued = books.issued(books.account())
    account = books.account()
    with books.acting() as connection:
        for enter in (
            lambda: issuers.set_issuer(
                connection, books.actor, legal_name="ಸ್ಟುಡಿಯೋ", gstin=ISSUER_GSTIN, details={}
            ),
            lambda: prices.add_price(
                connection, books.actor, item="report", description="मूल्यांकन", sac="998399",
                unit_price=Decimal(1), tax_rate=Decimal(18), external_key=account.external_key,
            ),
            lambda: adjusting.credit_note(
                connection, books.actor, account, issued.invoice_id, amount=Decimal(1),
                reason="₹ 1 too much", key="letters",
            ),
        ):  # fmt: skip
            with pytest.raises(ServiceError, match="LETTERS_NOT_PRINTABLE"):
                enter()


def test_a_credit_note_names_its_invoice(books: Books) -> None:
    account = books.account()
    made = books.issued(account)
    note = books.credited(account, made, "118.00")
    text = shown(credit_note_pdf(made, note)).replace("\n", " ")
    for wanted in ("CREDIT NOTE", str(note.number), str(made.number), "100.00", "9.00", "118.00"):
        assert wanted in text
    assert "Reason: One page was missing" in text
