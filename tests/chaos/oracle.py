"""What must be true when the dust has settled, told from the database and the storage alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

if TYPE_CHECKING:
    from tests.chaos.world import World


def is_settled(world: World, expected: int) -> bool:
    """Whether so many operations are done or dead, and none is under way."""
    with world.owner() as connection:
        row = connection.execute(
            text(
                "select count(*) filter (where status in ('done', 'dead')) as ended,"
                " count(*) filter (where status not in ('done', 'dead')) as open from operations"
            )
        ).one()
    return bool(row.open == 0 and row.ended >= expected)


def faults(world: World, committed: Sequence[UUID]) -> list[str]:
    """Everything of the tests' own kinds that is lost, doubled or half done.

    Args:
        world: at rest, or settled.
        committed: the operations whose asking transaction is known to have committed.
    """
    with world.owner() as connection:
        rows = {
            row.operation_id: row
            for row in connection.execute(text("select * from operations where kind like 'test.%'"))
        }
        keys = connection.execute(
            text("select operation_key from operations group by 1 having count(*) > 1")
        ).scalars()
        effects: dict[UUID, int] = dict(
            connection.execute(
                text("select operation_id, count(*) from counting.effects group by 1")
            ).all()
        )
        done_attempts: dict[UUID, int] = dict(
            connection.execute(
                text(
                    "select operation_id, count(*) from operation_attempts"
                    " where outcome = 'done' group by 1"
                )
            ).all()
        )
        found = [f"the key {key} stands in several rows" for key in keys]
    stored = set(world.objects())
    found += [f"{one} was committed and is lost" for one in committed if one not in rows]
    for one, row in rows.items():
        count = effects.get(one, 0)
        if row.status not in {"done", "dead"}:
            found.append(f"{one} is {row.status} after {row.attempts} attempts")
        if count > 1:
            found.append(f"{one} has {count} effects")
        if row.status == "done" and (count == 0 or str(one) not in stored):
            found.append(f"{one} is done, and its effect or its object is not there")
        if row.status == "done" and done_attempts.get(one, 0) != 1:
            found.append(f"{one} is done, by {done_attempts.get(one, 0)} attempts")
        if row.status != "done" and count:
            found.append(f"{one} is {row.status}, and its effect is there")
    found += [f"{one} has an effect and no row" for one in effects if one not in rows]
    return found
