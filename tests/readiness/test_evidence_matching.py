from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from engine.evidence_matching import match_evidence

FITTING = st.lists(
    st.lists(st.integers(0, 5), unique=True, max_size=6).map(sorted), min_size=1, max_size=4
)


@st.composite
def tasks(draw):
    fitting = draw(FITTING)
    places = draw(st.lists(st.integers(1, 3), min_size=len(fitting), max_size=len(fitting)))
    return fitting, places


def filled(fitting, places):
    counted = match_evidence(fitting, places)
    return [min(len(numbers), wanted) for numbers, wanted in zip(counted, places, strict=True)]


def most_places(fitting, places):
    """The greatest number of places that any choice of requirement for each piece fills."""
    pieces = sorted({piece for numbers in fitting for piece in numbers})
    choices = [
        [index for index, numbers in enumerate(fitting) if piece in numbers] for piece in pieces
    ]
    return max(
        sum(min(chosen.count(index), wanted) for index, wanted in enumerate(places))
        for chosen in product(*choices)
    )


def test_a_piece_that_fits_two_requirements_goes_where_the_other_has_none():
    assert match_evidence([[0, 1], [0]], [1, 1]) == ((1,), (0,))


def test_a_piece_is_passed_on_through_a_chain_of_requirements():
    assert match_evidence([[0, 1], [1, 2], [0]], [1, 1, 1]) == ((1,), (2,), (0,))


def test_one_piece_counts_once():
    assert match_evidence([[0], [0]], [1, 1]) == ((0,), ())


def test_earlier_requirements_are_served_first():
    assert match_evidence([[0], [0, 1], [1]], [1, 1, 1]) == ((0,), (1,), ())


def test_pieces_that_no_place_needs_count_for_the_first_requirement_they_fit():
    assert match_evidence([[0, 1, 2], [2]], [1, 1]) == ((0, 1), (2,))


def test_nothing_is_counted_where_nothing_fits():
    assert match_evidence([[], []], [2, 1]) == ((), ())


@given(tasks())
def test_every_piece_counts_for_one_requirement_that_it_fits(task):
    fitting, places = task

    counted = match_evidence(fitting, places)

    assert all(set(numbers) <= set(fitting[index]) for index, numbers in enumerate(counted))
    assert sorted(piece for numbers in counted for piece in numbers) == sorted(
        {piece for numbers in fitting for piece in numbers}
    )


@given(tasks())
def test_as_many_places_are_filled_as_can_be(task):
    assert sum(filled(*task)) == most_places(*task)


@given(tasks(), st.lists(st.integers(0, 3), max_size=4, unique=True))
def test_a_further_piece_never_empties_a_place(task, fits):
    fitting, places = task
    # It comes first or last: the number of a piece decides its turn.
    for number in (-1, 6):
        more = [
            sorted([*numbers, number]) if index in fits else numbers
            for index, numbers in enumerate(fitting)
        ]

        before, after = filled(fitting, places), filled(more, places)

        assert all(now >= then for now, then in zip(after, before, strict=True))
