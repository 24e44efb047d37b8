"""Ratios are only worth what the way of timing is worth."""

from bench.timing import Line, take_turns


def test_rivals_take_turns_and_each_turn_is_prepared():
    told = []
    take_turns(
        {"a": lambda: told.append("a"), "b": lambda: told.append("b")},
        rounds=2,
        span=0,
        before=lambda: told.append("|"),
    )

    # Two calls of each to fill caches and to count; then turns of one call.
    assert "".join(told) == "aabb" + "|a|b" * 2


def test_the_slower_rival_has_the_longer_time():
    times = take_turns(
        {"short": lambda: sum(range(10)), "long": lambda: sum(range(10_000))}, rounds=3, span=0.001
    )

    assert min(times["short"]) < min(times["long"])


def test_ratios_are_those_of_the_best_turns_and_of_neighbouring_ones():
    line = Line("ours", [1.0, 9.0, 3.0], "theirs", [2.0, 12.0, 3.0])

    assert (line.ratio, line.usual_ratio) == (0.5, 0.75)


def test_a_limit_is_kept_up_to_the_limit_itself():
    assert Line("ours", [1.0], "theirs", [4.0], 0.25).holds
    assert not Line("ours", [1.1], "theirs", [4.0], 0.25).holds
    assert Line("ours", [9.0], "theirs", [4.0]).holds
