"""FEEL, the expression language of DMN 1.5: parsed, bounded and evaluated."""

from engine.feel.bounds import DEFAULT_BOUNDS, Bounds
from engine.feel.conversion import Variables
from engine.feel.errors import (
    FeelError,
    FeelLimitError,
    FeelListLimitError,
    FeelNestingLimitError,
    FeelNumberLimitError,
    FeelStepLimitError,
    FeelStringLimitError,
    FeelSyntaxError,
    FeelTextLimitError,
)
from engine.feel.evaluation import (
    Session,
    evaluate,
    evaluate_node,
    evaluate_unary_tests,
    evaluate_with_reasons,
)
from engine.feel.parser import parse_expression, parse_unary_tests
from engine.feel.run import Reason
from engine.feel.temporal import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration
from engine.feel.values import FeelFunction, FeelRange

__all__ = [
    "DEFAULT_BOUNDS",
    "Bounds",
    "Date",
    "DateTime",
    "DaysTimeDuration",
    "FeelError",
    "FeelFunction",
    "FeelLimitError",
    "FeelListLimitError",
    "FeelNestingLimitError",
    "FeelNumberLimitError",
    "FeelRange",
    "FeelStepLimitError",
    "FeelStringLimitError",
    "FeelSyntaxError",
    "FeelTextLimitError",
    "Reason",
    "Session",
    "Time",
    "Variables",
    "YearsMonthsDuration",
    "evaluate",
    "evaluate_node",
    "evaluate_unary_tests",
    "evaluate_with_reasons",
    "parse_expression",
    "parse_unary_tests",
]
