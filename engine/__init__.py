"""The pure engine: contract, evidence, rule set, profile and date in, evaluation out.

May import `contracts`; knows no clock, disk, network, randomness or environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.catalogue import Catalogue, make_catalogue
    from engine.evaluation import evaluate

__all__ = ["Catalogue", "evaluate", "make_catalogue"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: whoever wants only `engine.feel` does not load the units' registry.
    if name == "evaluate":
        from engine.evaluation import evaluate  # noqa: PLC0415

        return evaluate
    if name in __all__:
        from engine import catalogue  # noqa: PLC0415

        return getattr(catalogue, name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
