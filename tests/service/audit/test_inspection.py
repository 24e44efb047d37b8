"""The verifier as an operator meets it: lines, and an exit code that a watch can act on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from service.audit.anchoring import anchor, public_keys
from service.audit.inspection import inspect
from service.audit.sealing import seal_tenant
from service.settings import VARIABLES
from tests.service.audit.logs import write_events


@pytest.fixture
def firm(service: Any, jobs_service: Any, make_firm: Any) -> Any:
    made = make_firm()
    write_events(service.engine, made.tenant_id, 3)
    seal_tenant(jobs_service.engine, made.tenant_id)
    anchor(jobs_service)
    return made


def run(settings: Any, *command: str) -> Any:
    environ = {
        one.name: str(getattr(settings, one.field))
        for one in VARIABLES
        if isinstance(getattr(settings, one.field), str | Path)
    }
    return subprocess.run(
        [sys.executable, "-m", "service.command_line", *command],
        env=environ | {"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_chain_that_holds_is_told_in_one_line(service: Any, jobs_service: Any, firm: Any) -> None:
    write_events(service.engine, firm.tenant_id, 2)
    (found,) = inspect(jobs_service, firm.slug)

    assert found.holds
    assert found.line.startswith(f"{firm.slug}: 3 sealed, head ")
    assert "anchored up to 3, 2 not sealed yet, the oldest of " in found.line


def test_every_firm_is_looked_at(jobs_service: Any, firm: Any, make_firm: Any) -> None:
    other = make_firm()
    lines = [one.line.partition(":")[0] for one in inspect(jobs_service)]

    assert {firm.slug, other.slug} <= set(lines)
    assert lines == sorted(lines)


def test_a_firm_that_is_not_there_is_no_firm_that_holds(jobs_service: Any) -> None:
    (found,) = inspect(jobs_service, "nobody-here")

    assert not found.holds


def test_an_anchor_that_was_altered_is_a_finding_and_the_chain_is_still_verified(
    jobs_service: Any, firm: Any
) -> None:
    path = jobs_service.objects.folder / f"{firm.tenant_id}/audit/000000000000003.json"
    path.write_text("{}")
    first, second = inspect(jobs_service, firm.slug)

    assert (first.holds, second.holds) == (False, True)
    assert "was altered" in first.line
    assert "no anchor yet" in second.line


def test_the_command_ends_with_0_and_with_1_and_the_number(
    settings: Any, owner_engine: Any, firm: Any
) -> None:
    holds = run(settings, "audit-verify", "--firm", firm.slug)
    assert (holds.returncode, holds.stderr) == (0, "")
    assert f"{firm.slug}: 3 sealed" in holds.stdout

    with owner_engine.begin() as connection:
        connection.execute(text("set local session_replication_role = replica"))
        connection.execute(
            text("update audit_events set reason = 'x' where tenant_id = :t"),
            {"t": firm.tenant_id},
        )
    broken = run(settings, "audit-verify", "--firm", firm.slug)
    assert broken.returncode == 1
    assert broken.stderr.startswith(f"{firm.slug}: seal 1: the event ")


def test_the_public_key_is_printed(settings: Any) -> None:
    assert run(settings, "audit-key").stdout.strip() == public_keys(settings)[0]
