"""The register of banks: which kind of bank a name stands for."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from contracts.contract import BankType

BankName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Section(BaseModel):
    """A part of the register; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bank(Section):
    """One bank, by its name and what people call it."""

    name: BankName
    aliases: tuple[BankName, ...] = ()
    bank_type: BankType


class BankWord(Section):
    """A word that tells the kind of any bank whose name has it."""

    word: BankName
    bank_type: BankType


class Banks(Section):
    """The file `rules/banks.yaml`."""

    banks: tuple[Bank, ...] = ()
    words: tuple[BankWord, ...] = ()
