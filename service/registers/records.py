"""The four registers in the database: one set of statements, made from what each register is.

Nothing a person writes ever becomes part of a statement; only the names below do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from service.errors import FieldError, ServiceError, conflict, invalid_fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from sqlalchemy import Connection

Entry = dict[str, Any]

_SPECIAL = re.compile(r"([\\%_])")


@dataclass(frozen=True)
class Register:
    """What one register is.

    Attributes:
        kind: what an entry is called, in audit and messages.
        table: where entries stand, as `r` in the expressions below.
        key: the column of their ids.
        columns: what a person may enter.
        label: the column that entries are sorted by.
        searched: the columns that are searched.
        unique: by the index's name, the conditions that find the entry in the way, on `:column`s.
        references: by the constraint's name, the field that names something which is not there.
        has_approval: whether somebody else checks entries.
        shown: expressions beside the table's own columns.
        joined: further tables for them.
    """

    kind: str
    table: str
    key: str
    columns: tuple[str, ...]
    label: str
    searched: tuple[str, ...]
    unique: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    has_approval: bool = False
    shown: str = ""
    joined: str = ""


BANKS = Register(
    kind="bank",
    table="banks",
    key="bank_id",
    columns=("name", "code", "bank_type"),
    label="name",
    searched=("r.name", "r.code"),
    unique={"banks_by_name": "lower(r.name) = lower(:name)"},
    has_approval=True,
)
BRANCHES = Register(
    kind="bank_branch",
    table="bank_branches",
    key="branch_id",
    columns=("bank_id", "name", "code", "ifsc", "city", "address"),
    label="name",
    searched=("r.name", "r.code", "r.ifsc", "r.city", "r.address", "b.name"),
    unique={
        "bank_branches_by_name": (
            "r.bank_id = :bank_id and lower(r.name) = lower(:name)"
            " and lower(coalesce(r.city, '')) = lower(coalesce(cast(:city as text), ''))"
        ),
        "bank_branches_by_ifsc": "r.ifsc = :ifsc",
    },
    references={"bank_branches_tenant_id_bank_id_fkey": "bank_id"},
    has_approval=True,
    shown=", b.name as bank_name, b.bank_type",
    joined=" join banks b on b.tenant_id = r.tenant_id and b.bank_id = r.bank_id",
)
VALUERS = Register(
    kind="valuer",
    table="valuers",
    key="valuer_id",
    columns=(
        "user_id",
        "name",
        "qualifications",
        "designation",
        "registration",
        "registration_valid_until",
        "unique_id_number",
        "may_sign",
        "signature_document_id",
    ),
    label="name",
    searched=("r.name", "r.registration", "r.designation", "r.unique_id_number"),
    unique={
        "valuers_by_user": "r.user_id = :user_id",
        "valuers_by_registration": "r.registration = :registration",
    },
    references={
        "valuers_user_id_fkey": "user_id",
        "valuers_tenant_id_signature_document_id_fkey": "signature_document_id",
    },
)
PROPERTIES = Register(
    kind="property",
    table="properties",
    key="property_id",
    columns=("label", "property", "search"),
    label="label",
    searched=("r.search",),
)


def find(
    connection: Connection,
    register: Register,
    tenant_id: UUID,
    entry_id: UUID,
    *,
    locked: bool = False,
) -> Entry | None:
    """An entry of a firm, or None; `locked` keeps others from changing it until the commit."""
    row = (
        connection.execute(
            text(
                f"{_select(register)} where r.tenant_id = :tenant and r.{register.key} = :id"
                + (" for update of r" if locked else "")
            ),
            {"tenant": tenant_id, "id": entry_id},
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else dict(row)


def search(
    connection: Connection,
    register: Register,
    tenant_id: UUID,
    *,
    words: str = "",
    equal: Mapping[str, Any] | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[Entry]:
    """Entries in which each word occurs somewhere, by label.

    Args:
        connection: of a role that sees the register.
        register: which one.
        tenant_id: whose.
        words: parted by blanks; capitals do not matter, and % and _ are what they are.
        equal: columns of the register and the value that they have to have.
        after: the last entry of the page before.
        limit: how many at most.
    """
    wanted = words.split()[:10]
    text_of_row = "lower(concat_ws(' ', " + ", ".join(register.searched) + "))"
    conditions = [
        "r.tenant_id = :tenant",
        *(f"{text_of_row} like lower(:word{at}) escape '\\'" for at in range(len(wanted))),
        *(f"r.{column} = :{column}" for column in equal or {}),
    ]
    if after is not None:
        conditions.append(
            f"(lower(r.{register.label}), r.{register.key}) > (select lower(l.{register.label}),"  # noqa: S608 - see above
            f" l.{register.key} from {register.table} l"
            f" where l.tenant_id = :tenant and l.{register.key} = :after)"
        )
    rows = connection.execute(
        text(
            f"{_select(register)} where {' and '.join(conditions)}"
            f" order by lower(r.{register.label}), r.{register.key} limit :limit"
        ),
        {
            "tenant": tenant_id,
            "after": after,
            "limit": limit,
            **{f"word{at}": f"%{_literally(word)}%" for at, word in enumerate(wanted)},
            **(equal or {}),
        },
    )
    return [dict(row) for row in rows.mappings()]


def insert(
    connection: Connection, register: Register, tenant_id: UUID, values: Mapping[str, Any]
) -> None:
    """Write a new entry; `values` name its key and times too.

    Raises:
        ServiceError: 409 ENTRY_EXISTS with the id of the entry that is in the way; 422.
    """
    names = ("tenant_id", *values)
    statement = (
        f"insert into {register.table} ({', '.join(names)})"  # noqa: S608 - see above
        f" values ({', '.join(f':{name}' for name in names)})"
    )
    _write(connection, register, tenant_id, statement, {"tenant_id": tenant_id, **values})


def update(
    connection: Connection,
    register: Register,
    tenant_id: UUID,
    entry: Entry,
    changes: Mapping[str, Any],
) -> None:
    """Change an entry that this transaction has locked, and count its version up.

    Raises:
        ServiceError: as for `insert`.
    """
    statement = (
        f"update {register.table} set version = version + 1, "  # noqa: S608 - see above
        + ", ".join(f"{name} = :{name}" for name in changes)
        + f" where tenant_id = :tenant_id and {register.key} = :{register.key}"
    )
    _write(connection, register, tenant_id, statement, {**entry, **changes, "tenant_id": tenant_id})


def _select(register: Register) -> str:
    verified = ", r.is_verified" if register.has_approval else ""
    columns = ", ".join(f"r.{name}" for name in register.columns)
    return (
        f"select r.{register.key}, {columns}{verified}, r.version, r.created_at, r.updated_at"  # noqa: S608 - see above
        f"{register.shown} from {register.table} r{register.joined}"
    )


def _write(
    connection: Connection,
    register: Register,
    tenant_id: UUID,
    statement: str,
    values: Mapping[str, Any],
) -> None:
    try:
        # What the database refuses must not end the request's transaction: the answer looks on.
        with connection.begin_nested():
            connection.execute(text(statement), values)
    except IntegrityError as error:
        cause = cast("psycopg.errors.IntegrityError", error.orig)
        name = cause.diag.constraint_name or ""
        if name in register.references:
            raise reference_missing(register.references[name]) from None
        if name not in register.unique:
            raise
        raise _in_the_way(connection, register, tenant_id, name, values) from None


def reference_missing(name: str) -> ServiceError:
    """The refusal of an entry that names something which is not there, or not this firm's."""
    return invalid_fields(
        FieldError(name, "There is nothing with this id.", "REFERENCE_MISSING"),
        detail=f"{name} names nothing that is there.",
    )


def _in_the_way(
    connection: Connection,
    register: Register,
    tenant_id: UUID,
    name: str,
    values: Mapping[str, Any],
) -> ServiceError:
    found = connection.execute(
        text(
            f"select r.{register.key} from {register.table} r"  # noqa: S608 - see above
            f" where r.tenant_id = :tenant_id and {register.unique[name]}"
        ),
        {**values, "tenant_id": tenant_id},
    ).scalar()
    same = name.rpartition("_by_")[2]
    return conflict(
        "ENTRY_EXISTS",
        "There is such an entry already",
        f"Another {register.kind.replace('_', ' ')} has the same {same}. Use the one with the id"
        " given here, or change it.",
        id=found,
        same=same,
    )


def _literally(word: str) -> str:
    return _SPECIAL.sub(r"\\\1", word)
