"""Bounds for untrusted text: each is a count, and crossing one is a named `FeelLimitError`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one evaluation may use.

    Attributes:
        text: characters of the expression.
        nesting: brackets and keywords inside one another.
        height: levels of the syntax tree; a sum of n terms has n.
        calls: levels of the syntax trees of all functions that wait for one another.
        steps: loop turns, calls, and list items or characters that built-ins read.
        items: items of one list.
        characters: characters of one string.
        exponent: the largest decimal exponent of a number (decimal128 has 6144).
    """

    text: int = 20_000
    nesting: int = 50
    height: int = 200
    calls: int = 300
    steps: int = 1_000_000
    items: int = 50_000
    characters: int = 200_000
    exponent: int = 6144


DEFAULT_BOUNDS = Bounds()
