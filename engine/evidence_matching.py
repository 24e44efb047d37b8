"""Which piece of evidence counts for which requirement, when one piece may count only once.

Requirements are served in the order given. A piece already counted is passed on when another can
take its place, so the number of places filled is the greatest possible (a maximum matching with
capacities). The places filled are the first ones, in order, that can be filled together; a further
piece of evidence can only add to them, never empty one, so a score built on them never falls.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def match_evidence(
    fitting: Sequence[Sequence[int]], places: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """The pieces that count for each requirement.

    Args:
        fitting: for each requirement, the pieces that fit it, by their number, best first.
        places: for each requirement, how many pieces it asks for.

    Returns:
        For each requirement the pieces that count for it, ascending; no piece twice. Pieces that
        no place needs count for the first requirement they fit.

    >>> match_evidence([[0, 1], [0]], [1, 1])
    ((1,), (0,))
    """
    holder: dict[int, int] = {}
    for requirement, wanted in enumerate(places):
        for _ in range(min(wanted, len(fitting[requirement]))):
            if not _fill_one_place(requirement, fitting, holder):
                break
    for requirement, pieces in enumerate(fitting):
        for piece in pieces:
            holder.setdefault(piece, requirement)
    counted: list[list[int]] = [[] for _ in fitting]
    for piece in sorted(holder):
        counted[holder[piece]].append(piece)
    return tuple(map(tuple, counted))


def _fill_one_place(
    requirement: int, fitting: Sequence[Sequence[int]], holder: dict[int, int]
) -> bool:
    """Give the requirement one piece more, moving others on if need be; False if none can be."""
    #: How the search came to a requirement: the one that wants its piece, and that piece.
    wanted_by: dict[int, tuple[int, int]] = {}
    seen = {requirement}
    queue = deque([requirement])
    while queue:
        asking = queue.popleft()
        for piece in fitting[asking]:
            if piece not in holder:
                _pass_on(piece, asking, wanted_by, holder)
                return True
        for piece in fitting[asking]:
            other = holder[piece]
            if other not in seen:
                seen.add(other)
                wanted_by[other] = (asking, piece)
                queue.append(other)
    return False


def _pass_on(
    piece: int, asking: int, wanted_by: dict[int, tuple[int, int]], holder: dict[int, int]
) -> None:
    holder[piece] = asking
    while asking in wanted_by:
        asking, released = wanted_by[asking]
        holder[released] = asking
