"""Units: what a written unit is worth at a place, from a table of units; exact conversion.

May import contracts and pint. Reading the table from disk is the factory's business.
"""

from engine.units.places import Place
from engine.units.registry import (
    Conversion,
    Converted,
    Powers,
    Unit,
    UnitProblem,
    UnitRegistry,
    written,
)

__all__ = [
    "Conversion",
    "Converted",
    "Place",
    "Powers",
    "Unit",
    "UnitProblem",
    "UnitRegistry",
    "written",
]
