"""Draw a specimen invoice for docs/pictures; needs poppler's pdftoppm.

Run from the repository's root: python scripts/draw_invoice.py
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from service.billing.money import rupees  # noqa: E402
from service.invoices.printing import invoice_pdf  # noqa: E402
from service.invoices.records import Invoice  # noqa: E402
from service.invoices.totals import Item, price_lines, sum_of  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "invoice.png"
ITEMS = (
    Item("Valuation report - WO-2026-000017", "998399", Decimal("1.00"), 150_000, Decimal(18)),
    Item("Valuation report - WO-2026-000018", "998399", Decimal("1.00"), 150_000, Decimal(18)),
    Item("Printed copies, bound", "998912", Decimal("2.50"), 47_495, Decimal(18)),
)
ISSUER = {
    "legal_name": "Specimen Studio Private Limited",
    "address": ["1 Specimen Road", "Mysuru 570001"],
    "gstin": "29AAACZ9999K1Z2",
    "state_code": "29",
    "email": "accounts@specimen.example",
    "bank": {"account_name": "Specimen Studio Private Limited", "account_number": "000000000000"},
}
BILL_TO = {
    "name": "Kaveri Valuers and Engineers LLP",
    "address": ["12 Specimen Street", "Mysuru 570009"],
    "gstin": "29AAPFU0939F1ZR",
    "state_code": "29",
}


def main() -> int:
    """Draws the picture; the exit code."""
    program = shutil.which("pdftoppm")
    if program is None:
        print("pdftoppm is not installed", file=sys.stderr)
        return 1
    drawn = subprocess.run(
        [program, "-r", "100", "-png", "-"], input=_pdf(), capture_output=True, check=True
    ).stdout
    picture = Image.open(io.BytesIO(drawn))
    picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(PICTURE, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size:,} bytes")
    return 0


def _pdf() -> bytes:
    lines = price_lines(ITEMS, is_within_state=True)
    totals, at = sum_of(lines), datetime(2026, 11, 24, tzinfo=UTC)
    nothing = rupees(0)
    invoice = Invoice(
        tenant_id=UUID(int=1),
        invoice_id=UUID(int=2),
        account_id=UUID(int=3),
        work_order_id=None,
        number="INV/26-27/00017",
        issuer_gstin=str(ISSUER["gstin"]),
        financial_year="26-27",
        status="issued",
        currency="INR",
        place_of_supply="29",
        parties=None,
        issued_on=date(2026, 11, 24),
        due_on=date(2026, 12, 9),
        sent_at=None,
        notes=None,
        **totals.in_rupees(),
        credited=nothing,
        paid=nothing,
        due=rupees(totals.total),
        draft_key=None,
        draft_sha256=None,
        issue_key="specimen",
        void_reason=None,
        voided_at=None,
        version=1,
        created_by=None,
        created_at=at,
        updated_at=at,
    )
    return invoice_pdf(invoice, lines, {"issuer": ISSUER, "bill_to": BILL_TO})


if __name__ == "__main__":
    sys.exit(main())
