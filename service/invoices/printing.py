"""An invoice and a credit note on paper: the same row gives the same bytes, for ever.

What is printed is what was fixed on the day of issue; what has been paid since is not on it. The
contents follow rules 46 and 53(1A) of the CGST rules.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from engine.indian_numbers import grouped, rupee_words
from service.billing.money import rupees
from service.invoices.gst import law
from service.invoices.letters import check_letters

if TYPE_CHECKING:
    from service.invoices.records import Invoice, Settlement
    from service.invoices.totals import Line

_INK, _SOFT, _LINE, _PALE = "#1f2a37", "#5b6775", "#c9d1da", "#f1f4f7"
_ACCENT = "#0f5c63"
_MARGIN_MM, _WIDTH_MM = 18, 174
_ROUNDING = (
    "Each line and each tax on it is rounded to the paisa, half up; the total is their plain sum."
)
# CGST Rules, rule 46, in the words that it prescribes.
_TO_A_ZONE = (
    "SUPPLY TO SEZ UNIT OR SEZ DEVELOPER FOR AUTHORISED OPERATIONS ON PAYMENT OF INTEGRATED TAX"
)
_NO_ADDRESS = (
    "No address of the customer is on record: the place of supply is the supplier's (IGST Act, section"
    " 12(2)(b)(ii))."
)
_REVERSE_CHARGE = "Tax is not payable on reverse charge."


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the table: texts, value and taxes in rupees, and their rates in per cent."""

    description: str
    sac: str
    quantity: str
    price: str
    value: Decimal
    rate: Decimal | None
    cgst: Decimal
    sgst: Decimal
    igst: Decimal


@dataclass(frozen=True, slots=True)
class _Paper:
    """What a document says, whichever it is."""

    title: str
    subtitle: str
    stamp: str | None
    facts: Sequence[tuple[str, str]]
    parties: dict[str, Any]
    place: str | None
    rows: Sequence[_Row]
    value: Decimal
    cgst: Decimal
    sgst: Decimal
    igst: Decimal
    total: Decimal
    notes: Sequence[str]
    pays: str | None


def invoice_pdf(invoice: Invoice, lines: Sequence[Line], parties: dict[str, Any]) -> bytes:
    """An invoice as a PDF; a draft and a void one say across the page that they are no invoice.

    Args:
        invoice: the invoice.
        lines: its lines.
        parties: who issues to whom: the invoice's own once it is issued.

    Raises:
        ServiceError: 409 LETTERS_NOT_PRINTABLE, of a draft, which cannot be issued either.
    """
    facts = [("Invoice number", invoice.number or "not issued"), ("Date", _day(invoice.issued_on))]
    facts += [
        ("Due date", _day(invoice.due_on)),
        ("Place of supply", _state(invoice.place_of_supply)),
    ]
    stamp = {"draft": "DRAFT", "void": "VOID"}.get(invoice.status)
    # For what is exempt as a whole it is a bill of supply: CGST Act, section 31(3)(c).
    is_taxed = any(line.tax_rate for line in lines)
    title = ("Tax invoice" if is_taxed else "Bill of supply") if invoice.number else "Draft"
    rows = [
        _Row(
            line.description,
            line.sac,
            grouped(line.quantity.normalize()),
            _money(rupees(line.unit_price)),
            rupees(line.line_total),
            line.tax_rate,
            rupees(line.cgst),
            rupees(line.sgst),
            rupees(line.igst),
        )
        for line in lines
    ]
    notes = [invoice.notes] if invoice.notes else []
    if parties["bill_to"].get("supply") == "sez" and is_taxed:
        notes.append(_TO_A_ZONE)
    if not (parties["bill_to"].get("state_code") or parties["bill_to"].get("address")):
        notes.append(_NO_ADDRESS)
    return _print(
        _Paper(
            title=title,
            subtitle="Original for recipient" if invoice.number else "This is not a tax invoice",
            stamp=stamp,
            facts=facts,
            parties=parties,
            place=invoice.place_of_supply,
            rows=rows,
            value=invoice.subtotal,
            cgst=invoice.cgst,
            sgst=invoice.sgst,
            igst=invoice.igst,
            total=invoice.total,
            notes=[*notes, f"{_REVERSE_CHARGE} {_ROUNDING}"],
            pays=f"Please quote {invoice.number} when you pay." if invoice.number else None,
        )
    )


def credit_note_pdf(invoice: Invoice, note: Settlement) -> bytes:
    """A credit note as a PDF, with the invoice that it belongs to."""
    row = _Row(
        f"Credit on invoice {invoice.number} of {_day(invoice.issued_on)}",
        "",
        "",
        "",
        note.subtotal,
        None,
        note.cgst,
        note.sgst,
        note.igst,
    )
    return _print(
        _Paper(
            title="Credit note",
            subtitle="Original for recipient",
            stamp=None,
            facts=[
                ("Credit note number", note.number or ""),
                ("Date", _day(note.received_on)),
                ("For invoice", f"{invoice.number} of {_day(invoice.issued_on)}"),
                ("Place of supply", _state(invoice.place_of_supply)),
            ],
            parties=json.loads(invoice.parties or "{}"),
            place=invoice.place_of_supply,
            rows=[row],
            value=note.subtotal,
            cgst=note.cgst,
            sgst=note.sgst,
            igst=note.igst,
            total=note.amount,
            notes=[
                f"Reason: {note.notes}",
                "Value and taxes are credited in the proportion in which they stand on the invoice.",
            ],
            pays=None,
        )
    )


def _print(paper: _Paper) -> bytes:
    out = io.BytesIO()
    # The frame pads what is in it by six points.
    margin = _MARGIN_MM * mm - 6
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=20 * mm,
        title=_shown(f"{paper.title} {paper.facts[0][1]}"),
        author=_shown(paper.parties["issuer"]["legal_name"]),
        # Neither a clock nor a random number is in it; uncompressed, no library's version either.
        invariant=1,
        pageCompression=0,
        lang="en-IN",
    )
    story = [
        _head(paper),
        Spacer(1, 7 * mm),
        _addresses(paper),
        Spacer(1, 7 * mm),
        _table(paper),
        Spacer(1, 3 * mm),
        _sums(paper),
        Spacer(1, 6 * mm),
        *_endings(paper),
    ]
    document.build(story, canvasmaker=partial(_Pages, paper=paper))
    return out.getvalue()


class _Pages(Canvas):  # type: ignore[misc] # reportlab has no types
    """Pages that are stamped, and numbered of how many once all are there."""

    def __init__(self, *given: Any, paper: _Paper, **more: Any) -> None:
        super().__init__(*given, **more)
        self.paper = paper
        self.pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's name
        self.pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self.pages, 1):
            self.__dict__.update(page)
            self._furnish(number)
            super().showPage()
        super().save()

    def _furnish(self, number: int) -> None:
        paper, (width, height) = self.paper, A4
        if paper.stamp:
            self.saveState()
            self.setFillColor("#b42318", alpha=0.12)
            self.setFont("Helvetica-Bold", 110)
            self.translate(width / 2, height / 2)
            self.rotate(45)
            self.drawCentredString(0, -36, paper.stamp)
            self.restoreState()
        self.setFillColor(_ACCENT)
        self.rect(0, height - 3 * mm, width, 3 * mm, stroke=0, fill=1)
        self.setFillColor(_SOFT)
        self.setFont("Helvetica", 7.5)
        foot = f"{paper.title} {paper.facts[0][1]} - made by a computer, valid without signature"
        self.drawString(_MARGIN_MM * mm, 11 * mm, _shown(foot))
        of = f"Page {number} of {len(self.pages)}"
        self.drawRightString(width - _MARGIN_MM * mm, 11 * mm, of)


def _paragraph(text: str, size: float = 9, *, bold: bool = False, **more: Any) -> Any:
    style = ParagraphStyle(
        "text",
        fontName="Helvetica-Bold" if bold else "Helvetica",
        fontSize=size,
        leading=size * 1.38,
        textColor=more.pop("color", _INK),
        **more,
    )
    return Paragraph(text, style)


def _grid(
    rows: Sequence[Sequence[Any]], widths_mm: Sequence[float], *style: Any, **more: Any
) -> Any:
    table = Table(rows, colWidths=[width * mm for width in widths_mm], **more)
    plain = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 0),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
    ]
    table.setStyle(TableStyle([*plain, *style]))
    return table


def _head(paper: _Paper) -> Any:
    issuer = paper.parties["issuer"]
    lines = [*issuer.get("address", []), _state(issuer["state_code"]), f"GSTIN {issuer['gstin']}"]
    lines += [issuer[name] for name in ("email", "phone", "website") if issuer.get(name)]
    left = [
        _paragraph(_text(issuer["legal_name"]), 14, bold=True),
        _paragraph("<br/>".join(_text(line) for line in lines), 8.5, color=_SOFT, spaceBefore=2),
    ]
    right = [
        _paragraph(_text(paper.title.upper()), 17, bold=True, color=_ACCENT, alignment=2),
        _paragraph(_text(paper.subtitle), 8.5, color=_SOFT, alignment=2, spaceBefore=3),
    ]
    return _grid([[left, right]], [104, 70])


def _addresses(paper: _Paper) -> Any:
    to = paper.parties["bill_to"]
    lines = list(to.get("address") or [])
    if to.get("state_code"):
        lines.append(_state(to["state_code"]))
    lines.append(f"GSTIN {to['gstin']}" if to.get("gstin") else "Not registered for GST")
    if to.get("email"):
        lines.append(to["email"])
    left = [
        _paragraph("BILLED TO", 7, bold=True, color=_SOFT),
        _paragraph(_text(to["name"]), 11, bold=True, spaceBefore=2),
        _paragraph("<br/>".join(_text(str(line)) for line in lines), 8.5, spaceBefore=1),
    ]
    facts = [
        [
            _paragraph(_text(name), 8.5, color=_SOFT),
            _paragraph(_text(value), 8.5, bold=True, alignment=2),
        ]
        for name, value in paper.facts
    ]
    box = _grid(
        facts,
        [32, 40],
        ("LEFTPADDING", (0, 0), (0, -1), 8),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 8),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ("BACKGROUND", (0, 0), (-1, -1), _PALE),
        ("LINEBELOW", (0, 0), (-1, -2), 0.4, _LINE),
    )
    return _grid([[left, box]], [102, 72])


def _table(paper: _Paper) -> Any:
    taxes = _taxes(paper)
    heads = ["#", "Description", "SAC", "Quantity", "Price", "Value", *(name for name, _ in taxes)]
    # A number of eight digits and its commas fit beside the others.
    widths = [7.0, 0.0, 14.0, 15.0, 23.0, 26.0, *(24.0 for _ in taxes)]
    widths[1] = _WIDTH_MM - sum(widths)
    rows: list[list[Any]] = [heads]
    for number, row in enumerate(paper.rows, 1):
        # Only what may be long is set as text that wraps: that takes a hundred times as long.
        shown = [str(number), _paragraph(_text(row.description), 8), row.sac, row.quantity]
        shown += [row.price, _money(row.value)]
        for _, field in taxes:
            rate = row.rate if row.rate is None or field == "igst" else row.rate / 2
            shown.append(_money(getattr(row, field)) + ("" if rate is None else f"\n{_rate(rate)}"))
        rows.append(shown)
    return _grid(
        rows,
        widths,
        ("BACKGROUND", (0, 0), (-1, 0), _ACCENT),
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 7.5, 11),
        ("TEXTCOLOR", (0, 0), (-1, 0), "#ffffff"),
        ("FONT", (0, 1), (-1, -1), "Helvetica", 8, 11),
        ("TEXTCOLOR", (0, 1), (-1, -1), _INK),
        ("ALIGN", (3, 0), (-1, -1), "RIGHT"),
        ("TOPPADDING", (0, 0), (-1, -1), 4),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, _LINE),
        repeatRows=1,
    )


def _sums(paper: _Paper) -> Any:
    rows = [("Taxable value", paper.value)]
    rows += [(name, getattr(paper, field)) for name, field in _taxes(paper)]
    shown = [
        [_paragraph(name, 9, color=_SOFT), _paragraph(_money(amount), 9, alignment=2)]
        for name, amount in rows
    ]
    shown.append(
        [
            _paragraph("Total (INR)", 11, bold=True),
            _paragraph(_money(paper.total), 11, bold=True, alignment=2),
        ]
    )
    box = _grid(
        shown,
        [36, 38],
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 3),
        ("LINEABOVE", (0, -1), (-1, -1), 1, _ACCENT),
    )
    words = [
        _paragraph("AMOUNT IN WORDS", 7, bold=True, color=_SOFT, spaceBefore=4),
        _paragraph(_text(rupee_words(paper.total)), 9, spaceBefore=1, rightIndent=12),
    ]
    return _grid([[words, box]], [100, 74])


def _endings(paper: _Paper) -> list[Any]:
    """How to pay, and the notes: kept together below the table."""
    issuer = paper.parties["issuer"]
    parts = []
    if paper.pays is not None:
        bank = issuer.get("bank") or {}
        lines = [f"{name}: {bank[key]}" for key, name in _BANK if bank.get(key)]
        parts.append(_paragraph("PAYMENT", 7, bold=True, color=_SOFT))
        said = "<br/>".join(_text(line) for line in [*lines, paper.pays])
        parts.append(_paragraph(said, 8.5, spaceBefore=1, spaceAfter=8))
    parts.append(_paragraph("NOTES", 7, bold=True, color=_SOFT))
    parts += [_paragraph(_text(note), 8.5, spaceBefore=1) for note in paper.notes]
    return [KeepTogether(parts)]


_BANK = (
    ("account_name", "Account name"),
    ("account_number", "Account number"),
    ("ifsc", "IFSC"),
    ("bank_name", "Bank"),
    ("upi", "UPI"),
)


def _taxes(paper: _Paper) -> list[tuple[str, str]]:
    """The columns of tax, by what they are called where it was supplied."""
    issuer = paper.parties["issuer"]["state_code"]
    place = paper.place
    # To a special economic zone it is integrated tax in the issuer's own State too.
    is_regular = paper.parties["bill_to"].get("supply", "regular") == "regular"
    if place is not None:
        is_within = is_regular and place == issuer
    else:
        is_within = not paper.igst and bool(paper.cgst)
    if not is_within:
        return [("IGST", "igst")]
    state = law().states.get(issuer)
    return [("CGST", "cgst"), ("UTGST" if state and state.is_union_territory else "SGST", "sgst")]


def _state(code: str | None) -> str:
    if code is None:
        return "not fixed yet"
    known = law().states.get(code)
    return f"{known.name} ({code})" if known else code


def _day(day: date | None) -> str:
    return "-" if day is None else f"{day.day} {day:%B %Y}"


def _money(amount: Decimal) -> str:
    return grouped(amount, 2)


def _rate(rate: Decimal) -> str:
    return f"{grouped(rate.normalize())} %"


def _text(text: str) -> str:
    return escape(_shown(text))


def _shown(text: str) -> str:
    """A text that the PDF's own fonts have all letters of; what was issued has no other."""
    check_letters(text, f"{text[:40]!r}")
    return text
