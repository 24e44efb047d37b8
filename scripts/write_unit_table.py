"""Writes the table of docs/units.md from rules/units.yaml; with --check, says whether it is there."""

from __future__ import annotations

import sys
from pathlib import Path

from contracts.land_units import LandUnit, LandUnits, UnitPlace
from contracts.strict_yaml import read_yaml

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "rules" / "units.yaml"
PAGE = ROOT / "docs" / "units.md"
BEGIN = "<!-- table: written by scripts/write_unit_table.py from rules/units.yaml -->"
END = "<!-- end of table -->"


def place_text(place: UnitPlace) -> str:
    """A place as the table prints it: `Bihar (Patna)`, `Uttar Pradesh: pucca`."""
    district = "" if place.district is None else f" ({place.district})"
    qualifier = "" if place.qualifier is None else f": {place.qualifier}"
    return f"{place.state}{district}{qualifier}"


def row(unit: LandUnit) -> str:
    """One worth of one unit as a row of the table."""
    cells = (
        unit.name,
        ", ".join(unit.aliases),
        unit.factor or f"base of {unit.dimension}",
        "everywhere" if unit.places is None else ", ".join(map(place_text, unit.places)),
        "yes" if unit.disputed else "",
        unit.note or "",
        unit.source,
    )
    return "| " + " | ".join(cells) + " |"


def table(units: LandUnits) -> str:
    """The whole table in Markdown."""
    head = "| Unit | Also written | Worth | Where | Disputed | Note | Source |\n|" + "---|" * 7
    return "\n".join([head, *map(row, units.units)])


def main() -> int:
    """Writes or checks the page; the exit code."""
    document = read_yaml(DATA.read_text(encoding="utf-8"), DATA.name)
    units = LandUnits.model_validate(document.value)
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = f"{before}{BEGIN}\n\n{table(units)}\n\n{END}{after}"
    if wanted == page:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/units.md differs from rules/units.yaml: run scripts/write_unit_table.py")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
