"""One JSON text for one meaning: RFC 8785, with decimals written as plain texts.

What is absent and what is null mean the same in our models, so neither is written; the dataclasses
of an evaluation keep their nulls, because there "not known" is an answer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import rfc8785
from pydantic import BaseModel

from contracts.problems import ContractError
from contracts.quantities import Quantity, plain


class NotPlainError(ContractError):
    """A value that has no form in canonical JSON."""


def to_plain(value: Any) -> Any:
    """A value as JSON holds it: mappings, lists, texts, whole numbers, true, false and null.

    Decimals become plain texts, dates ISO 8601, quantities what a person would write.

    Raises:
        NotPlainError: the value, or a part of it, is a float or some other thing.
        rfc8785.IntegerDomainError: a whole number is one that readers of JSON would round.

    >>> to_plain({"a": Decimal("1E+3"), "b": (date(2026, 3, 31), None)})
    {'a': '1000', 'b': ['2026-03-31', None]}
    """
    write = _WRITERS[type(value)]
    return value if write is None else write(value)


# Characters that RFC 8785 sorts otherwise than Python does, and halves of characters.
_SORTED_OTHERWISE = re.compile("[\ud800-\U0010ffff]")
#: Readers of JSON keep whole numbers up to here.
_LARGEST = 2**53 - 1


def canonical_json(value: Any) -> bytes:
    """The one text of a value: RFC 8785 bytes of its plain form."""
    plain_form = to_plain(value)
    # Python's own writer is compiled, takes a tenth of the time, and nearly always gives that text.
    text = _write(plain_form)
    if not text.isascii() and _SORTED_OTHERWISE.search(text):
        return rfc8785.dumps(plain_form)
    return text.encode()


def joined(members: Mapping[str, bytes]) -> bytes:
    """The canonical JSON of a mapping whose values have been written already.

    >>> joined({"b": canonical_json(2), "a": canonical_json([])})
    b'{"a":[],"b":2}'
    """
    written = [canonical_json(name) + b":" + members[name] for name in sorted(members)]
    return b"{" + b",".join(written) + b"}"


def digest(value: Any) -> str:
    """The sha256, in hexadecimal, of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


# A plain form has just been made, and so holds no loop to look for.
_write = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode

Writer = Callable[[Any], Any]


def _writer_of(kind: Any) -> Writer:
    """How values of a type are written; found once for each type, because there are thousands."""
    if issubclass(kind, Quantity):
        return Quantity.to_json
    if issubclass(kind, BaseModel):
        return partial(_model_as_plain, _aliases(kind))
    if issubclass(kind, Mapping):
        return _mapping_as_plain
    if issubclass(kind, list | tuple):
        return _list_as_plain
    if issubclass(kind, date):
        return date.isoformat if kind is date else lambda moment: moment.isoformat()
    if dataclasses.is_dataclass(kind):
        return partial(_record_as_plain, _names(kind))
    raise NotPlainError(f"a {kind.__name__} has no form in canonical JSON")


def _model_as_plain(aliases: Mapping[str, str], value: BaseModel) -> dict[str, Any]:
    # Most fields of a contract are empty: what a model holds is looked at once.
    return {
        aliases.get(name, name): inner if (write := _WRITERS[type(inner)]) is None else write(inner)
        for name, inner in value.__dict__.items()
        if inner is not None
    }


def _record_as_plain(names: tuple[str, ...], value: Any) -> dict[str, Any]:
    return {
        name: inner
        if (write := _WRITERS[type(inner := getattr(value, name))]) is None
        else write(inner)
        for name in names
    }


def _mapping_as_plain(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {_key(key): to_plain(inner) for key, inner in value.items()}


def _list_as_plain(value: Sequence[Any]) -> list[Any]:
    return [inner if (write := _WRITERS[type(inner)]) is None else write(inner) for inner in value]


def _whole_number(value: int) -> int:
    if abs(value) > _LARGEST:
        raise rfc8785.IntegerDomainError(value)
    return value


class _Writers(dict[Any, Writer | None]):
    """What writes the values of a type; None for those that stand as they are.

    An evaluation has thousands of values: each is looked up once, and calls nothing else.
    """

    def __missing__(self, kind: Any) -> Writer:
        found = self[kind] = _writer_of(kind)
        return found


_WRITERS = _Writers({str: None, bool: None, type(None): None, Decimal: plain, int: _whole_number})


def _aliases(model: Any) -> dict[str, str]:
    return {name: field.alias for name, field in model.model_fields.items() if field.alias}


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise NotPlainError(f"a key is a text, not a {type(key).__name__}")
    return key
