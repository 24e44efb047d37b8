import itertools
import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.annexure_plan import AnnexurePlan
from contracts.contract import Contract
from contracts.evidence import Evidence
from contracts.profile import Heading
from engine.annexures import HEADINGS, order_annexures, plan_pages

LANDSCAPE, PORTRAIT, PHONE_SCREEN = (4000, 3000), (3000, 4000), (1080, 2340)


@pytest.fixture
def picture(make_evidence):
    def make(key, size=LANDSCAPE, *, category="exterior", kind="PHOTO", orientation=None, **more):
        facts = {
            "sha256": format(abs(hash_of(key)), "064x"),
            "size": 1,
            "media_type": "image/jpeg",
            "width": size[0],
            "height": size[1],
            "orientation": orientation,
        }
        return make_evidence(key, kind, category=category, facts=facts, **more)

    return make


def hash_of(key):
    return int.from_bytes(key.encode())


def contract_with(**annexures):
    return Contract.model_validate({"meta": {"report_type": "VALUATION"}, "annexures": annexures})


EMPTY = contract_with()


def keys_by_page(plan):
    return [
        [image.evidence for section in page.sections for image in section.images]
        for page in plan.pages
    ]


def headings_by_page(plan):
    return [[section.heading for section in page.sections] for page in plan.pages]


class TestOrder:
    def test_categories_come_in_the_originals_order_and_then_types(self, make_evidence):
        evidence = [
            make_evidence("z-other", "OTHER"),
            make_evidence("y-paper", "DOCUMENT"),
            make_evidence("x-photo", "PHOTO"),
            make_evidence("w-geo", "GEO"),
            make_evidence("v-shot", "SCREENSHOT"),
            make_evidence("u-route", "SCREENSHOT", category="route_map"),
            make_evidence("t-map", "SCREENSHOT", category="google_map"),
            make_evidence("s-gps", "GEO", category="gps"),
            make_evidence("r-street", category="surroundings"),
            make_evidence("q-hall", category="interior"),
            make_evidence("p-front", category="exterior"),
        ]

        ordered = order_annexures(evidence, EMPTY)

        assert [piece.key for piece in ordered] == [piece.key for piece in evidence[::-1]]
        assert [piece.annexure_order for piece in ordered] == [*range(1, 12)]

    def test_ties_keep_the_order_there_was_then_time_then_key(self, make_evidence):
        evidence = [
            make_evidence("d", category="exterior", captured_at="2026-11-10T10:00:00"),
            make_evidence("c", category="exterior", captured_at=None),
            make_evidence("b", category="exterior", captured_at="2026-11-10T11:00:00"),
            make_evidence("e", category="exterior", captured_at="2026-11-10T10:00:00"),
            make_evidence("z", category="exterior", annexure_order=9),
            make_evidence("y", category="exterior", annexure_order=10),
        ]

        ordered = order_annexures(evidence, EMPTY)

        assert [piece.key for piece in ordered] == ["z", "y", "d", "e", "b", "c"]

    def test_instants_of_two_zones_are_compared_as_instants(self, make_evidence):
        evidence = [
            make_evidence("later", captured_at="2026-11-10T10:00:00+00:00"),
            make_evidence("sooner", captured_at="2026-11-10T12:00:00+05:30"),
        ]

        assert [piece.key for piece in order_annexures(evidence, EMPTY)] == ["sooner", "later"]

    def test_the_file_says_when_a_photograph_was_taken_if_nobody_else_does(self, picture):
        evidence = [
            picture("a", captured_at=None),
            picture("b", captured_at="2026-11-10T10:00:00"),
        ]
        facts = evidence[0].facts.model_copy(update={"captured_at": evidence[1].captured_at})
        evidence[0] = evidence[0].model_copy(update={"facts": facts})

        assert [piece.key for piece in order_annexures(evidence, EMPTY)] == ["a", "b"]

    def test_it_is_stable(self, specimen):
        once = order_annexures(specimen.evidence, EMPTY)

        assert order_annexures(once, EMPTY) == once
        assert order_annexures(reversed(once), EMPTY) == once

    def test_everything_else_about_the_evidence_is_kept(self, specimen):
        before = {piece.key: piece for piece in specimen.evidence}

        ordered = order_annexures(specimen.evidence, EMPTY)

        assert {
            piece.key: piece.model_copy(update={"annexure_order": None}) for piece in ordered
        } == before

    def test_nothing_is_changed_in_place(self, make_evidence):
        piece = make_evidence("a")

        order_annexures([piece], EMPTY)

        assert piece.annexure_order is None

    def test_deleted_evidence_comes_last_without_a_number(self, make_evidence):
        evidence = [
            make_evidence("a", status="deleted", annexure_order=1),
            make_evidence("b"),
        ]

        ordered = order_annexures(evidence, EMPTY)

        assert [(piece.key, piece.annexure_order) for piece in ordered] == [("b", 1), ("a", None)]

    def test_the_contract_may_state_category_and_order(self, make_evidence):
        evidence = [make_evidence("a"), make_evidence("b"), make_evidence("c", category="exterior")]
        contract = contract_with(
            items=[
                {"evidence_item_id": "b", "category": "exterior", "sort_order": 1},
                {"evidence_item_id": "c", "sort_order": 2},
            ]
        )

        assert [piece.key for piece in order_annexures(evidence, contract)] == ["b", "c", "a"]


class TestPages:
    def test_pictures_stand_under_their_headings(self, picture):
        evidence = [
            picture("street", category="surroundings"),
            picture("front"),
            picture("hall", category="interior"),
            picture("map", category="google_map", kind="SCREENSHOT"),
            picture("route", category="route_map", kind="SCREENSHOT"),
            picture("rate", category="guideline", kind="SCREENSHOT"),
            picture("rate-2", category="guideline", kind="SCREENSHOT"),
        ]

        plan = plan_pages(evidence, EMPTY)

        assert headings_by_page(plan) == [["SITE IMAGES"], ["GUIDELINE VALUE"], ["GOOGLE MAP"]]
        assert keys_by_page(plan) == [
            ["front", "hall", "street"],
            ["rate", "rate-2"],
            ["map", "route"],
        ]
        assert [page.number for page in plan.pages] == [1, 2, 3]
        assert plan.left_out == ()

    def test_a_heading_with_one_picture_shares_a_page(self, picture):
        evidence = [
            picture("front"),
            picture("back"),
            picture("rate", category="guideline", kind="SCREENSHOT"),
            picture("map", category="google_map", kind="SCREENSHOT"),
        ]

        plan = plan_pages(evidence, EMPTY)

        assert headings_by_page(plan) == [["SITE IMAGES"], ["GUIDELINE VALUE", "GOOGLE MAP"]]

    def test_a_single_picture_has_a_page_to_itself(self, picture):
        assert keys_by_page(plan_pages([picture("front")], EMPTY)) == [["front"]]

    def test_no_pictures_make_no_pages(self, make_evidence):
        plan = plan_pages([make_evidence("deed", "DOCUMENT")], EMPTY)

        assert plan.pages == plan.left_out == ()

    @pytest.mark.parametrize("count", range(2, 14))
    def test_two_to_four_pictures_share_a_page(self, count, picture):
        plan = plan_pages([picture(f"p{number}") for number in range(count)], EMPTY)

        assert all(2 <= len(keys) <= 4 for keys in keys_by_page(plan))

    def test_landscapes_stand_below_each_other_and_portraits_side_by_side(self, picture):
        landscapes = plan_pages([picture("a"), picture("b")], EMPTY)
        portraits = plan_pages([picture(key, PORTRAIT) for key in "abcd"], EMPTY)

        first, second = landscapes.pages[0].sections[0].images
        assert first.x == second.x
        assert first.y + first.height < second.y
        # Two rows of two portraits fill the page: 88 mm of 180 mm each.
        assert keys_by_page(portraits) == [["a", "b", "c", "d"]]
        boxes = portraits.pages[0].sections[0].images
        assert boxes[0].y == boxes[1].y < boxes[2].y == boxes[3].y

    def test_the_fullest_pages_are_chosen(self, picture):
        # Two landscapes fill three quarters of a page, four small ones little more than half.
        assert keys_by_page(plan_pages([picture(key) for key in "abcd"], EMPTY)) == [
            ["a", "b"],
            ["c", "d"],
        ]

    @pytest.mark.parametrize("orientation", [None, 1, 2, 3, 4])
    def test_an_upright_picture_keeps_its_shape(self, orientation, picture):
        (image,) = images(plan_pages([picture("a", orientation=orientation)], EMPTY))

        assert image.width > image.height
        assert image.orientation == (orientation or 1)

    @pytest.mark.parametrize("orientation", [5, 6, 7, 8])
    def test_a_picture_stored_on_its_side_stands_upright(self, orientation, picture):
        (image,) = images(plan_pages([picture("a", orientation=orientation)], EMPTY))

        assert image.width < image.height
        assert image.orientation == orientation

    def test_labels_come_from_the_contract_the_evidence_or_the_category(self, picture):
        evidence = [
            picture("a", category="route_map", kind="SCREENSHOT"),
            picture("b", label="Front"),
            picture("c", label="Back"),
            picture("d", category=None),
        ]
        contract = contract_with(items=[{"evidence_item_id": "c", "label": "Rear side"}])

        labels = {image.evidence: image.label for image in images(plan_pages(evidence, contract))}

        assert labels == {"a": "Route map", "b": "Front", "c": "Rear side", "d": "d"}

    def test_a_stated_order_goes_before_the_usual_one_within_the_heading(self, picture):
        evidence = [picture("front"), picture("hall", category="interior"), picture("yard")]
        contract = contract_with(
            items=[
                {"evidence_item_id": "hall", "sort_order": 1},
                {"evidence_item_id": "yard", "sort_order": 2},
            ]
        )

        assert keys_by_page(plan_pages(evidence, contract)) == [["hall", "yard", "front"]]

    def test_hints_set_how_many_share_a_page(self, picture):
        evidence = [picture(key) for key in "abcdef"]

        def hinted(**hint):
            items = [{"evidence_item_id": key, "group_hint": hint} for key in "abcdef"]
            return [
                len(keys) for keys in keys_by_page(plan_pages(evidence, contract_with(items=items)))
            ]

        assert hinted(preferred=3) == [3, 3]
        assert hinted(min=4, max=4) == [4, 2]
        assert hinted(min=1, max=2) == [2, 2, 2]
        assert hinted(min=3) == [3, 3]

    def test_the_contract_sets_the_grouping_of_all(self, picture):
        contract = contract_with(image_grouping_default={"min": 3, "max": 4})

        plan = plan_pages([picture(key) for key in "abcdef"], contract)

        assert [len(keys) for keys in keys_by_page(plan)] == [3, 3]

    def test_what_cannot_be_printed_is_named_with_the_reason(self, picture, make_evidence):
        headings = [Heading(heading="SITE", categories=("exterior",))]
        evidence = [
            picture("late", status="pending"),
            make_evidence("no-file", category="exterior"),
            picture("nowhere", category="roof"),
            picture("gone", status="deleted"),
            make_evidence("deed", "DOCUMENT"),
        ]

        plan = plan_pages(evidence, EMPTY, headings)

        assert plan.pages == ()
        assert [(item.evidence, item.why) for item in plan.left_out] == [
            ("late", "It has not been uploaded yet."),
            ("no-file", "It has no picture file."),
            ("nowhere", "No heading takes it; give it a category."),
        ]

    def test_a_profile_may_have_headings_of_its_own(self, picture, profile_named):
        evidence = [picture("land", category="site"), picture("well", category="water_source")]

        plan = plan_pages(evidence, EMPTY, profile_named("valuation-agri").headings)

        assert headings_by_page(plan) == [["SITE IMAGES"]]

    def test_a_scanned_document_is_printed_when_a_category_asks_for_it(self, picture):
        evidence = [picture("rate", category="guideline", kind="DOCUMENT"), picture("front")]

        assert headings_by_page(plan_pages(evidence, EMPTY)) == [["SITE IMAGES", "GUIDELINE VALUE"]]

    def test_the_usual_headings_take_every_picture(self):
        assert {"PHOTO", "GEO", "SCREENSHOT"} <= {
            kind for heading in HEADINGS for kind in heading.types
        }

    def test_the_plan_is_json_and_comes_back(self, picture):
        plan = plan_pages([picture(key) for key in "abc"], EMPTY)

        written = plan.model_dump(mode="json")

        assert AnnexurePlan.model_validate(json.loads(json.dumps(written))) == plan
        assert written["paper_width"] == "210.00"


def images(plan):
    return [image for page in plan.pages for section in page.sections for image in section.images]


PICTURES = st.lists(
    st.tuples(
        st.sampled_from([LANDSCAPE, PORTRAIT, PHONE_SCREEN, (100, 100), (6000, 900)]),
        st.sampled_from(["exterior", "interior", "guideline", "google_map"]),
        st.sampled_from([1, 3, 6, 8]),
    ),
    max_size=9,
)


def evidence_of(pictures):
    return [
        Evidence.model_validate(
            {
                "key": f"p{number}",
                "type": "PHOTO",
                "tags": {"category": category},
                "facts": {
                    "sha256": format(number, "064x"),
                    "size": 1,
                    "media_type": "image/jpeg",
                    "width": size[0],
                    "height": size[1],
                    "orientation": orientation,
                },
            }
        )
        for number, (size, category, orientation) in enumerate(pictures)
    ]


@settings(deadline=None, max_examples=60)
@given(PICTURES)
def test_every_picture_is_placed_once_whole_and_clear_of_the_others(pictures):
    evidence = evidence_of(pictures)
    shapes = {
        piece.key: (facts.width, facts.height)
        if facts.orientation < 5
        else (facts.height, facts.width)
        for piece in evidence
        if (facts := piece.facts)
    }

    plan = plan_pages(evidence, EMPTY)

    assert sorted(image.evidence for image in images(plan)) == sorted(shapes)
    for page in plan.pages:
        boxes = [image for section in page.sections for image in section.images]
        for box in boxes:
            width, height = shapes[box.evidence]
            # The same shape, but for the hundredth of a millimetre at which boxes end.
            assert (
                abs(box.width - box.height * Decimal(width) / Decimal(height))
                <= Decimal(max(1, Fraction(width, height)).__ceil__()) / 100
            )
            assert 15 <= box.x <= box.x + box.width <= 195
            assert 25 <= box.y <= box.y + box.height + plan.caption_height <= 279
        for one, other in itertools.combinations(boxes, 2):
            assert (
                one.x + one.width <= other.x
                or other.x + other.width <= one.x
                or one.y + one.height + plan.caption_height <= other.y
                or other.y + other.height + plan.caption_height <= one.y
            )


@settings(deadline=None, max_examples=30)
@given(PICTURES, st.randoms(use_true_random=False))
def test_the_order_in_which_evidence_comes_changes_nothing(pictures, random):
    evidence = evidence_of(pictures)
    shuffled = random.sample(evidence, len(evidence))

    assert plan_pages(shuffled, EMPTY) == plan_pages(evidence, EMPTY)
