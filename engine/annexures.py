"""The order of the annexures, and the pages their pictures share.

Pictures are never stretched, cropped or turned by guesswork: every box has the shape of its
picture. Of all ways to share pictures among pages, the one with the fullest pages is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from contracts.annexure_plan import (
    AnnexurePlan,
    LeftOut,
    PlannedImage,
    PlannedPage,
    PlannedSection,
)
from contracts.profile import Heading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from contracts.contract import AnnexureItem, Contract
    from contracts.evidence import Evidence

#: The original's order of categories, then of types.
CATEGORY_RANKS = {
    "exterior": 10,
    "interior": 20,
    "surroundings": 30,
    "gps": 40,
    "google_map": 50,
    "route_map": 60,
}
TYPE_RANKS = {"SCREENSHOT": 70, "GEO": 80, "PHOTO": 90, "DOCUMENT": 100}
LAST_RANK = 200
#: Types that are expected on the pages of pictures.
PICTORIAL = frozenset({"PHOTO", "SCREENSHOT", "GEO"})

#: What a profile without headings of its own prints under.
HEADINGS = (
    Heading(
        heading="SITE IMAGES",
        categories=("exterior", "interior", "surroundings", "gps"),
        types=("PHOTO", "GEO"),
    ),
    Heading(heading="GUIDELINE VALUE", categories=("guideline",)),
    Heading(heading="GOOGLE MAP", categories=("google_map", "route_map")),
    Heading(heading="PRICE TREND", categories=("price_trend",)),
    Heading(heading="SCREENSHOTS", types=("SCREENSHOT",)),
)

# Lengths are whole hundredths of a millimetre, so that a plan is the same on every machine.
PAPER = (21_000, 29_700)
MARGIN_LEFT = MARGIN_RIGHT = 1_500
MARGIN_TOP = 1_500
MARGIN_BOTTOM = 1_800
HEADING = 1_000
CAPTION = 600
GAP = 400
WIDTH = PAPER[0] - MARGIN_LEFT - MARGIN_RIGHT
HEIGHT = PAPER[1] - MARGIN_TOP - MARGIN_BOTTOM
MOST_ON_A_PAGE = 4
MOST_IN_A_ROW = 2


def order_annexures(evidence: Iterable[Evidence], contract: Contract) -> tuple[Evidence, ...]:
    """The evidence in the order of the annexures, numbered from 1, otherwise unchanged.

    Exterior comes first, then interior, surroundings, position, maps, other screenshots, positions,
    photographs and documents. Within a rank the order there was is kept (the contract's
    `sort_order`, else the evidence's own), then the time of capture, then the key decide.
    Deleted evidence comes last and has no number.
    """
    items = _items(contract)
    ordered = sorted(evidence, key=lambda piece: _place_in_order(piece, items.get(piece.key)))
    live = sum(piece.status != "deleted" for piece in ordered)
    return tuple(
        piece
        if piece.annexure_order == number
        else piece.model_copy(update={"annexure_order": number})
        for piece, number in zip(
            ordered, [*range(1, live + 1), *[None] * (len(ordered) - live)], strict=True
        )
    )


def plan_pages(
    evidence: Iterable[Evidence], contract: Contract, headings: Sequence[Heading] | None = None
) -> AnnexurePlan:
    """The pages of pictures, under their headings, with a box for each.

    Args:
        evidence: in any order; `facts.width` and `facts.height` are those of the stored pixels,
            `facts.orientation` says how they are turned upright.
        contract: its `annexures` may give a picture another label, category, place within its
            heading, or number of companions.
        headings: the profile's; the usual ones if it has none.

    Returns:
        Two to four pictures a page where the hints allow it and there are as many. Headings share
        a page only when one of them would otherwise stand there with too few pictures.
    """
    headings = HEADINGS if headings is None else headings
    items = _items(contract)
    pictures: list[_Picture] = []
    left_out: list[LeftOut] = []
    for position, piece in enumerate(order_annexures(evidence, contract)):
        found = _placeable(piece, items.get(piece.key), headings, position, contract)
        if isinstance(found, _Picture):
            pictures.append(found)
        elif found is not None:
            left_out.append(found)
    pictures.sort(key=lambda picture: picture.place)
    return AnnexurePlan(
        paper_width=_mm(PAPER[0]),
        paper_height=_mm(PAPER[1]),
        heading_height=_mm(HEADING),
        caption_height=_mm(CAPTION),
        pages=tuple(
            _page(number, _best_layout(shared)[1], headings)
            for number, shared in enumerate(_shared_out(pictures), 1)
        ),
        left_out=tuple(left_out),
    )


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture to be placed; `width` and `height` are those of the upright picture."""

    key: str
    sha256: str
    label: str
    orientation: int
    width: int
    height: int
    heading: int
    place: tuple[int, int, int]
    fewest: int
    most: int
    preferred: int | None


@dataclass(frozen=True, slots=True)
class _Box:
    picture: _Picture
    x: int
    y: int
    width: int
    height: int


def _items(contract: Contract) -> Mapping[str, AnnexureItem]:
    return {item.evidence_item_id: item for item in contract.annexures.items or ()}


def _category(piece: Evidence, item: AnnexureItem | None) -> str:
    return (item and item.category) or piece.tags.get("category", "")


def _place_in_order(piece: Evidence, item: AnnexureItem | None) -> tuple[bool, int, int, str, str]:
    rank = CATEGORY_RANKS.get(_category(piece, item)) or TYPE_RANKS.get(piece.type, LAST_RANK)
    existing = item.sort_order if item and item.sort_order is not None else piece.annexure_order
    return (
        piece.status == "deleted",
        rank,
        10**9 if existing is None else existing,
        _captured(piece),
        piece.key,
    )


def _captured(piece: Evidence) -> str:
    """The time of capture as text that sorts; instants are put in one zone, unknown ones last."""
    at = piece.captured_at or (piece.facts and piece.facts.captured_at)
    if not at:
        return "~"
    return (at if at.tzinfo is None else at.astimezone(UTC)).replace(tzinfo=None).isoformat()


def _heading_number(
    piece: Evidence, item: AnnexureItem | None, headings: Sequence[Heading]
) -> int | None:
    category = _category(piece, item)
    for number, heading in enumerate(headings):
        if category and category in heading.categories:
            return number
    for number, heading in enumerate(headings):
        if piece.type in heading.types:
            return number
    return None


def _placeable(
    piece: Evidence,
    item: AnnexureItem | None,
    headings: Sequence[Heading],
    position: int,
    contract: Contract,
) -> _Picture | LeftOut | None:
    """The picture to be placed, or why it cannot be; nothing for what belongs on no page."""
    heading = _heading_number(piece, item, headings)
    meant = heading is not None or item is not None or piece.type in PICTORIAL
    if piece.status == "deleted" or not meant:
        return None
    if piece.status != "uploaded":
        return LeftOut(evidence=piece.key, why="It has not been uploaded yet.")
    facts = piece.facts
    if facts is None or not facts.width or not facts.height:
        return LeftOut(evidence=piece.key, why="It has no picture file.")
    if heading is None:
        return LeftOut(evidence=piece.key, why="No heading takes it; give it a category.")
    orientation = facts.orientation or 1
    # Orientations 5 to 8 lie on their side: the upright picture is as wide as the stored is high.
    on_its_side = orientation >= 5
    grouping = contract.annexures.image_grouping_default
    hint = item.group_hint if item else None
    stated = item.sort_order if item else None
    category = _category(piece, item)
    return _Picture(
        key=piece.key,
        sha256=facts.sha256,
        label=(item and item.label)
        or piece.label
        or category.replace("_", " ").capitalize()
        or piece.key,
        orientation=orientation,
        width=facts.height if on_its_side else facts.width,
        height=facts.width if on_its_side else facts.height,
        heading=heading,
        # A place that a person gave goes before the usual order.
        place=(heading, 10**9 if stated is None else stated, position),
        fewest=(hint and hint.min) or (grouping.min if grouping else 2),
        most=(hint and hint.max) or (grouping.max if grouping else MOST_ON_A_PAGE),
        preferred=hint.preferred if hint else None,
    )


#: What makes one plan worse than another, most important first: pictures on a page with too many
#: or too few, pictures not in the company they prefer, pages shared by headings, blank paper. Blank
#: areas count squared, so that one page half empty is worse than two that are nearly full.
_Cost = tuple[int, int, int, int]


def _shared_out(pictures: Sequence[_Picture]) -> Iterator[Sequence[_Picture]]:
    """The pictures page by page, in order, by the plan of least cost."""
    nothing: _Cost = (0, 0, 0, 0)
    #: Blank areas by the shapes of the pictures: one camera's pictures have two of them.
    blanks: dict[tuple[tuple[int, int, int], ...], int] = {}
    #: For the pictures from each number on: the least cost, and how many share the first page.
    best: list[tuple[_Cost, int]] = [(nothing, 0)] * (len(pictures) + 1)
    for start in range(len(pictures) - 1, -1, -1):
        choices = []
        for count in range(1, min(MOST_ON_A_PAGE, len(pictures) - start) + 1):
            rest = best[start + count][0]
            page = _cost(pictures[start : start + count], blanks)
            total = (page[0] + rest[0], page[1] + rest[1], page[2] + rest[2], page[3] + rest[3])
            # Of equally good plans, the one with more pictures on the earlier page.
            choices.append((total, -count))
        total, negative = min(choices)
        best[start] = (total, -negative)
    start = 0
    while start < len(pictures):
        count = best[start][1]
        yield pictures[start : start + count]
        start += count


def _cost(shared: Sequence[_Picture], blanks: dict[tuple[tuple[int, int, int], ...], int]) -> _Cost:
    count = len(shared)
    shapes = tuple([(picture.heading, picture.width, picture.height) for picture in shared])
    if shapes not in blanks:
        blanks[shapes] = _best_layout(shared)[0]
    return (
        sum(not picture.fewest <= count <= picture.most for picture in shared),
        sum(picture.preferred not in {None, count} for picture in shared),
        len({picture.heading for picture in shared}) - 1,
        blanks[shapes] ** 2,
    )


def _best_layout(shared: Sequence[_Picture]) -> tuple[int, tuple[_Box, ...]]:
    """The rows that leave least of a page blank: the blank area, and a box for each picture."""
    layouts = [_layout(rows) for rows in _rows(shared)]
    return min(layouts, key=lambda layout: layout[0])


def _rows(shared: Sequence[_Picture]) -> Iterator[tuple[Sequence[_Picture], ...]]:
    """Every way to break the pictures into rows; pictures of two headings are never in one row."""
    if not shared:
        yield ()
        return
    for count in range(1, min(MOST_IN_A_ROW, len(shared)) + 1):
        if shared[0].heading == shared[count - 1].heading:
            for rest in _rows(shared[count:]):
                yield (shared[:count], *rest)


def _layout(rows: Sequence[Sequence[_Picture]]) -> tuple[int, tuple[_Box, ...]]:
    """Rows as wide as the page, or all of them smaller by one factor if they would be too high."""
    heights = [
        Fraction(WIDTH - GAP * (len(row) - 1))
        / sum(Fraction(picture.width, picture.height) for picture in row)
        for row in rows
    ]
    headings = len({row[0].heading for row in rows})
    room = HEIGHT - HEADING * headings - (CAPTION + GAP) * len(rows)
    scale = min(Fraction(1), Fraction(room) / sum(heights))
    boxes: list[_Box] = []
    y = MARGIN_TOP
    above: int | None = None
    for row, full_height in zip(rows, heights, strict=True):
        if row[0].heading != above:
            above = row[0].heading
            y += HEADING
        height = full_height * scale
        widths = [height * picture.width / picture.height for picture in row]
        x = MARGIN_LEFT + (WIDTH - sum(widths) - GAP * (len(row) - 1)) / 2
        for picture, width in zip(row, widths, strict=True):
            boxes.append(_Box(picture, int(x), y, max(1, int(width)), max(1, int(height))))
            x += width + GAP
        y += int(height) + CAPTION + GAP
    blank = WIDTH * HEIGHT - sum(box.width * box.height for box in boxes)
    return blank, tuple(boxes)


def _page(number: int, boxes: Sequence[_Box], headings: Sequence[Heading]) -> PlannedPage:
    sections: list[PlannedSection] = []
    for heading in dict.fromkeys(box.picture.heading for box in boxes):
        under = [box for box in boxes if box.picture.heading == heading]
        sections.append(
            PlannedSection(
                heading=headings[heading].heading,
                y=_mm(under[0].y - HEADING),
                images=tuple(_image(box) for box in under),
            )
        )
    return PlannedPage(number=number, sections=tuple(sections))


def _image(box: _Box) -> PlannedImage:
    return PlannedImage(
        evidence=box.picture.key,
        sha256=box.picture.sha256,
        label=box.picture.label,
        orientation=box.picture.orientation,
        x=_mm(box.x),
        y=_mm(box.y),
        width=_mm(box.width),
        height=_mm(box.height),
    )


def _mm(hundredths: int) -> Decimal:
    return Decimal(hundredths).scaleb(-2)
