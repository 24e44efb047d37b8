"""Places by which a local unit's worth is known: a state, perhaps a district, and their spellings."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from contracts.land_units import folded
from contracts.problems import nearest, shown

if TYPE_CHECKING:
    from contracts.land_units import LandUnits


class Place(NamedTuple):
    """A state and district as somebody wrote them; `None` where not known."""

    state: str | None = None
    district: str | None = None

    def __str__(self) -> str:
        return ", ".join(shown(part) for part in (self.district, self.state) if part)


class Gazetteer:
    """The names and spellings of states and districts in the table of units."""

    def __init__(self, table: LandUnits) -> None:
        self._states = {
            folded(text): state.name
            for state in table.states
            for text in (state.name, *state.aliases)
        }
        self._districts = {
            folded(text): Place(district.state, district.name)
            for district in table.districts
            for text in (district.name, *district.aliases)
        }
        self.read = lru_cache(maxsize=1024)(self._read)
        self.known = lru_cache(maxsize=1024)(self._known)

    def _read(self, text: str) -> Place:
        *before, last = [part.strip() for part in text.split(",") if part.strip()] or [""]
        if not before:
            return self._districts.get(_district(last)) or Place(last or None)
        return Place(last, before[-1])

    def _known(self, place: Place) -> Place:
        """The same place in the table's spelling; a state that is not in it becomes `None`."""
        state = self._states.get(folded(place.state or ""))
        if place.district is None or not place.district.strip():
            return Place(state)
        listed = self._districts.get(_district(place.district))
        if listed is not None and listed.state == state:
            return listed
        return Place(state, place.district.strip())

    def nearest_state(self, text: str) -> str | None:
        """The state that a misspelt one was most likely meant to be."""
        found = nearest(folded(text), self._states)
        return None if found is None else self._states[found]


def _district(text: str) -> str:
    return re.sub(r"^(?:district|distt?) | (?:district|distt?)$", "", folded(text))
