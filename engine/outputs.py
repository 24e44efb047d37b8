"""What an evaluation writes into its copy of the contract: the values that say `into`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from contracts.contract import Contract
from contracts.quantities import Quantity, QuantityError, check_number
from engine.figures import Figures, written
from engine.rules.contract_paths import Leaf, look_up


def with_outputs(contract: Contract, figures: Figures) -> tuple[Contract, tuple[str, ...]]:
    """The contract with computed values filled in; what is not known stays empty.

    Returns:
        The contract, and the figures that have more digits than a contract can hold.
    """
    tree: dict[str, Any] = {}
    left_out: list[str] = []
    for step in figures.compiled.outputs:
        assert step.into is not None
        value = figures.slots[step.slot]
        if value is None:
            continue
        leaf = look_up(step.into)
        assert isinstance(leaf, Leaf)
        if isinstance(value, Decimal):
            unit = figures.unit_of(step.kind)
            value = written(value, unit)
            try:
                check_number(value, "")
            except QuantityError:
                left_out.append(step.address)
                continue
            if leaf.kind != "number":
                value = Quantity(((value, unit),))
        *parts, last = step.into.split(".")
        branch = tree
        for part in parts:
            branch = branch.setdefault(part, {})
        branch[last] = value
    return _grafted(contract, tree), tuple(left_out)


def _grafted(model: Any, tree: dict[str, Any]) -> Any:
    """A copy of a part of the contract with some of its leaves replaced."""
    update = {}
    for name, branch in tree.items():
        if isinstance(branch, dict):
            inner = getattr(model, name)
            if inner is None:
                kind: type[BaseModel] = type(model)
                leaf = look_up(name, kind)
                assert isinstance(leaf, Leaf)
                assert leaf.row is not None
                inner = leaf.row.model_construct()
            update[name] = _grafted(inner, branch)
        else:
            update[name] = branch
    return model.model_copy(update=update)
