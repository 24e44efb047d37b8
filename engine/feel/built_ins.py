"""The built-in functions of FEEL by name (DMN 1.5, 10.3.4)."""

from __future__ import annotations

from engine.feel.context_functions import CONTEXT_FUNCTIONS
from engine.feel.conversion_functions import CONVERSION_FUNCTIONS
from engine.feel.invocation import BuiltIn
from engine.feel.list_functions import LIST_FUNCTIONS
from engine.feel.number_functions import NUMBER_FUNCTIONS
from engine.feel.range_functions import RANGE_FUNCTIONS
from engine.feel.string_functions import STRING_FUNCTIONS
from engine.feel.temporal_functions import TEMPORAL_FUNCTIONS

BUILT_INS: dict[str, BuiltIn] = {
    built_in.name: built_in
    for table in (
        CONVERSION_FUNCTIONS,
        STRING_FUNCTIONS,
        LIST_FUNCTIONS,
        NUMBER_FUNCTIONS,
        TEMPORAL_FUNCTIONS,
        CONTEXT_FUNCTIONS,
        RANGE_FUNCTIONS,
    )
    for built_in in table
}
