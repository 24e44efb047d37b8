"""What can go wrong with FEEL text: the only exceptions that leave this package."""

from __future__ import annotations


class FeelError(Exception):
    """FEEL text cannot be evaluated."""


class FeelSyntaxError(FeelError):
    """The text is not a FEEL expression; `start` and `end` are the offsets of the offending part."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


class FeelLimitError(FeelError):
    """A bound for untrusted text was reached."""


class FeelTextLimitError(FeelLimitError):
    """The text is longer than `bounds.text`."""


class FeelNestingLimitError(FeelLimitError):
    """The expression, a call chain or a value is nested deeper than `bounds.nesting`."""


class FeelStepLimitError(FeelLimitError):
    """The evaluation takes more steps than `bounds.steps`."""


class FeelListLimitError(FeelLimitError):
    """A list has more items than `bounds.items`."""


class FeelStringLimitError(FeelLimitError):
    """A string has more characters than `bounds.characters`."""


class FeelNumberLimitError(FeelLimitError):
    """A number has a larger exponent than `bounds.exponent`."""
