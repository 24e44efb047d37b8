"""Draw the first pages of the demo's report for the README and docs/.

Usage: python scripts/draw_report_pages.py REPORT.pdf

Needs pdftoppm of poppler-utils. Colours are few, so that a picture stays small.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
#: Which pages, and what the picture of each is called.
PAGES = {1: "letter", 2: "values", 3: "form", 4: "valuation"}
#: The first page of photographs, found by its being the first with a large picture.
PHOTOGRAPHS = "photographs"
DOTS_PER_INCH = 80
LARGEST = 300_000


def main(pdf: Path) -> int:
    """Draws the pages; the exit code."""
    pages = {**PAGES, _first_photographs(pdf): PHOTOGRAPHS}
    with tempfile.TemporaryDirectory() as scratch:
        for number, name in pages.items():
            drawn = Path(scratch) / name
            subprocess.run(
                [
                    *("pdftoppm", "-png", "-singlefile", "-r", str(DOTS_PER_INCH)),
                    *("-f", str(number), "-l", str(number), str(pdf), str(drawn)),
                ],
                check=True,
            )
            target = PICTURES / f"sbi-report-{name}.png"
            with Image.open(drawn.with_suffix(".png")) as page:
                small = page.convert("RGB").quantize(128 if name == PHOTOGRAPHS else 32)
                small.save(target, optimize=True)
            size = target.stat().st_size
            print(f"{target.name}: {size:,} bytes")
            if size > LARGEST:
                print(f"{target.name} is larger than {LARGEST:,} bytes", file=sys.stderr)
                return 1
    return 0


def _first_photographs(pdf: Path) -> int:
    done = subprocess.run(
        ["pdfimages", "-list", str(pdf)],  # noqa: S607 - it is where the system has put it
        check=True,
        capture_output=True,
        text=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    return min(int(row[0]) for row in rows if int(row[3]) > 300)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
