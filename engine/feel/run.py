"""One evaluation under way: what it may still use, and why nulls came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import lru_cache
from typing import Any

from engine.feel.bounds import DEFAULT_BOUNDS, Bounds
from engine.feel.errors import (
    FeelListLimitError,
    FeelNestingLimitError,
    FeelStepLimitError,
    FeelStringLimitError,
)

# Reasons beyond this many say nothing new.
_REASONS_KEPT = 100


@lru_cache(maxsize=16)
def arithmetic(exponent: int) -> Context:
    """Decimal arithmetic of 34 digits, rounding half to even, up to an exponent."""
    return Context(
        prec=34,
        Emax=exponent,
        Emin=-exponent + 1,
        traps=[InvalidOperation, DivisionByZero, Overflow],
    )


@lru_cache(maxsize=16)
def _operations(exponent: int) -> tuple[Context, dict[str, Callable[[Decimal, Decimal], Decimal]]]:
    """The arithmetic, and its operations that need no more care than an exception."""
    context = arithmetic(exponent)
    return context, {"+": context.add, "-": context.subtract, "*": context.multiply}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a null came, and which part of the text (`start` to `end`) it came from."""

    message: str
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Run:
    """Counts what an evaluation uses and keeps the reasons for its nulls."""

    bounds: Bounds = DEFAULT_BOUNDS
    today: Any = None
    now: Any = None
    reasons: list[Reason] = field(default_factory=list)
    numbers: Context = field(init=False)
    quick: dict[str, Callable[[Decimal, Decimal], Decimal]] = field(init=False)
    steps: int = field(init=False)
    calls: int = 0
    start: int = 0
    end: int = 0

    def __post_init__(self) -> None:
        self.numbers, self.quick = _operations(self.bounds.exponent)
        self.steps = self.bounds.steps

    def tick(self, count: int = 1) -> None:
        """Uses up steps.

        Raises:
            FeelStepLimitError: none are left.
        """
        self.steps -= count
        if self.steps < 0:
            raise FeelStepLimitError(f"the evaluation takes more than {self.bounds.steps} steps")

    def null(self, message: str, start: int | None = None, end: int | None = None) -> None:
        """Notes why a null comes; returns that null."""
        if len(self.reasons) < _REASONS_KEPT:
            self.reasons.append(
                Reason(
                    message,
                    self.start if start is None else start,
                    self.end if end is None else end,
                )
            )

    def string(self, text: str) -> str:
        """The string, if it is not too long."""
        if len(text) > self.bounds.characters:
            raise FeelStringLimitError(
                f"a string has more than {self.bounds.characters} characters"
            )
        # Steps also bound the memory that many long strings take together.
        self.tick(len(text) // 100)
        return text

    def items(self, count: int) -> int:
        """The length of a list, if it is not too long."""
        if count > self.bounds.items:
            raise FeelListLimitError(f"a list has more than {self.bounds.items} items")
        return count

    def enter(self, levels: int) -> None:
        """Counts a call of a function whose syntax tree has so many levels."""
        self.calls += levels
        if self.calls > self.bounds.calls:
            raise FeelNestingLimitError(f"calls are nested deeper than {self.bounds.calls} levels")
