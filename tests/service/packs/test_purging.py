"""Papers are not kept for ever, and so neither are the bundles that hold them; the report stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service.bootstrap import Service
from service.clock import now
from service.objects.storage import exists
from service.packs.sweeping import sweep
from service.privacy.retention import purge_due
from tests.service.packs.specimen import enter, make_ready, read_specimen

LONG = timedelta(days=366 * 4)


def test_when_a_papers_time_is_over_its_bundles_go_and_the_report_stays(
    service: Service, jobs_service: Service, owner: Any, desk: Any, look: Any, run_jobs: Any
) -> None:
    work_order_id = enter(service, owner, read_specimen())
    make_ready(service, owner, work_order_id)
    run_jobs()
    path = f"/v1/repogen/work-orders/{work_order_id}"
    look("update documents set sensitivity = 'pii' where filename = 'khata.jpg'")
    assert desk.post(f"{path}/status", json={"status": "CLOSED"}).status_code == 200
    ((key,),) = look("select object_key from pack_artifacts where kind = 'bundle'")
    before = desk.get(f"{path}/packs/1/artifacts/bundle")
    # The khata, because somebody said so, and the deed for what it is.
    assert len(purge_due(jobs_service, now() + LONG)) == 2
    after = desk.get(f"{path}/packs/1/artifacts/bundle")

    assert (before.status_code, after.status_code) == (200, 410)
    assert after.get_json()["code"] == "ARTIFACT_PURGED"
    assert desk.get(f"{path}/packs/1/artifacts/docx").status_code == 200
    assert not exists(jobs_service.objects, key)
    shown = desk.get(f"{path}/pack").get_json()["artifacts"]
    assert [one["purged_at"] is not None for one in shown] == [True, False]
    assert look("select count(*) from audit_events where action = 'pack:artifact:purged'") == [(1,)]
    assert sweep(jobs_service, older_than=timedelta(0))[0] == 0


def test_nothing_else_of_an_artifact_ever_changes(look: Any) -> None:
    for command in (
        "update pack_artifacts set sha256 = repeat('0', 64)",
        "update pack_artifacts set sha256 = repeat('0', 64), purged_at = now() where kind = 'docx'",
        "update pack_artifacts set purged_at = null where kind = 'bundle'",
        "delete from pack_artifacts",
        "truncate pack_artifacts cascade",
    ):
        with pytest.raises(Exception, match="append-only"):
            look(command)
