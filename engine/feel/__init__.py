"""FEEL, the expression language of DMN 1.5: parsed, bounded and evaluated."""

from engine.feel.bounds import DEFAULT_BOUNDS, Bounds
from engine.feel.errors import FeelError, FeelLimitError, FeelSyntaxError
from engine.feel.parser import parse_expression, parse_unary_tests

__all__ = [
    "DEFAULT_BOUNDS",
    "Bounds",
    "FeelError",
    "FeelLimitError",
    "FeelSyntaxError",
    "parse_expression",
    "parse_unary_tests",
]
