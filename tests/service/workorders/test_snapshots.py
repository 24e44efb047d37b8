import io
import json
import zipfile

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from factory.verification import verify_bundle
from service.workorders.evaluating import evaluate_now, find
from tests.service.workorders.cases import (
    acting,
    enter_case,
    enter_piece,
    recheck,
    remove_piece,
)
from tests.service.workorders.conftest import ORDERS


@pytest.mark.parametrize(
    "statement",
    [
        "update snapshots set contract = '{}' where work_order_id = :id",
        "delete from snapshots where work_order_id = :id",
        "update bundle_parts set content = 'x' where tenant_id = :tenant",
        "delete from rules_runs where work_order_id = :id",
        "update status_changes set note = 'x' where work_order_id = :id",
        "delete from comments where work_order_id = :id",
        "truncate snapshots cascade",
    ],
)
def test_not_even_the_owner_changes_what_was_written(desk, ready, firm, owner_engine, statement):
    desk.post(f"{ORDERS}/{ready}/status", json={"status": "DATA_PENDING"})
    with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text(statement), {"id": ready, "tenant": firm.tenant_id})


def test_an_old_version_is_exported_the_same_for_ever(service, actor, desk, ready, ready_case):
    address = f"{ORDERS}/{ready}"
    before = desk.get(f"{address}/export?snapshot_version=2")
    zipped = desk.get(f"{address}/export/bundle?snapshot_version=2")
    assert zipped.status_code == 200

    remove_piece(service, actor, ready, "photo-2")
    with acting(service, actor) as connection:
        piece = ready_case.case.evidence[2].model_copy(update={"key": "another"})
        enter_piece(service, connection, actor, ready, ready_case, piece)
        connection.execute(
            text(
                "update documents set status = 'deleted', facts = facts where work_order_id = :id"
            ),
            {"id": ready},
        )
        connection.execute(
            text("""update firm_settings set firm = '{"name": "Renamed"}' where tenant_id = :t"""),
            {"t": actor.tenant_id},
        )
    changed = desk.patch(
        f"{address}/contract",
        json={"patch": {"valuation_inputs": {"land_value": 7}}, "reason": "a slip"},
    )
    assert changed.status_code == 200

    assert desk.get(f"{address}/export?snapshot_version=2").get_data() == before.get_data()
    again = desk.get(f"{address}/export/bundle?snapshot_version=2")
    assert again.get_data() == zipped.get_data()
    latest = desk.get(f"{address}/export").get_json()
    assert latest["snapshot_version"] == 4
    assert latest["bundle_digest"] != before.get_json()["bundle_digest"]


def test_the_bundle_that_is_downloaded_is_sound_and_has_the_digest_that_was_promised(
    desk, ready, tmp_path
):
    promised = desk.get(f"{ORDERS}/{ready}/export").get_json()["bundle_digest"]
    answer = desk.get(f"{ORDERS}/{ready}/export/bundle")
    path = tmp_path / "bundle.zip"
    path.write_bytes(answer.get_data())

    found = verify_bundle(path, recompute=True)
    assert found.sound
    assert found.digest == promised
    assert answer.headers["ETag"] == f'"{promised}"'
    assert int(answer.headers["Content-Length"]) == path.stat().st_size
    assert "attachment" in answer.headers["Content-Disposition"]


def test_only_what_is_new_is_stored_again(desk, ready, firm, rows):
    before = rows("select count(*) from bundle_parts where tenant_id = :t", t=firm.tenant_id)
    desk.patch(f"{ORDERS}/{ready}/contract", json={"patch": {"party": {"client_name": "C"}}})
    after = rows("select count(*) from bundle_parts where tenant_id = :t", t=firm.tenant_id)

    # Contract and evaluation.
    assert after[0][0] == before[0][0] + 2


@pytest.mark.parametrize("version", [1, 3, 99])
def test_what_is_no_computed_snapshot_is_not_there(desk, ready, version):
    for name in ("export", "export/bundle"):
        answer = desk.get(f"{ORDERS}/{ready}/{name}?snapshot_version={version}")
        assert answer.status_code == 404


def test_a_work_order_without_snapshot_has_no_export(desk, create):
    order = create()["work_order_id"]

    assert desk.get(f"{ORDERS}/{order}/export").status_code == 404
    assert desk.get(f"{ORDERS}/{order}/export/bundle").status_code == 404


def test_a_bundle_with_an_identity_paper_is_for_those_who_may_see_it(
    service, actor, desk, ready, make_user, firm, sign_in
):
    with acting(service, actor) as connection:
        connection.execute(
            text("update documents set sensitivity = 'pii' where document_id in"
                 " (select document_id from evidence_items where work_order_id = :id"
                 " and key = 'photo-1')"),
            {"id": ready},
        )  # fmt: skip
    assert desk.get(f"{ORDERS}/{ready}/export/bundle").status_code == 200
    few = sign_in(make_user(firm, ["accounts"]))
    detail = few.get(f"{ORDERS}/{ready}").get_json()
    names = {
        line["key"]: line["document"]["original_filename"] for line in detail["evidence_items"]
    }
    assert names["photo-1"] is None
    assert names["photo-2"] == "2.jpg"

    refused = few.get(f"{ORDERS}/{ready}/export/bundle")

    assert (refused.status_code, refused.get_json()["code"]) == (403, "CAPABILITY_MISSING")


def test_a_bundle_whose_file_was_purged_is_gone_but_its_figures_are_not(desk, ready, owner_engine):
    with owner_engine.begin() as connection:
        connection.execute(
            text("update documents set status = 'purged' where document_id in"
                 " (select document_id from evidence_items where work_order_id = :id)"),
            {"id": ready},
        )  # fmt: skip

    gone = desk.get(f"{ORDERS}/{ready}/export/bundle")
    assert (gone.status_code, gone.get_json()["code"]) == (410, "EVIDENCE_PURGED")
    kept = desk.get(f"{ORDERS}/{ready}/export").get_json()
    assert kept["derived_json"]["computed_values"]["FMV"] == "1500000.00 INR"


def test_a_stored_file_that_was_changed_makes_no_bundle(service, desk, ready, rows):
    (row,) = rows(
        "select d.object_key from documents d join evidence_items e using (document_id)"
        " where e.work_order_id = :id and e.key = 'photo-4'",
        id=ready,
    )
    path = service.objects.folder / row.object_key
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    answer = desk.get(f"{ORDERS}/{ready}/export/bundle")

    assert (answer.status_code, answer.get_json()["code"]) == (500, "STORED_FILE_DAMAGED")


def test_readiness_is_of_this_moment_and_the_snapshots_of_its_own(service, actor, desk, ready):
    assert desk.get(f"{ORDERS}/{ready}").get_json()["readiness"]["ready"] is True
    remove_piece(service, actor, ready, "photo-5")

    detail = desk.get(f"{ORDERS}/{ready}").get_json()
    assert detail["readiness"]["ready"] is False
    assert detail["latest_snapshot"]["readiness_json"]["ready"] is True
    assert detail["work_order"]["is_ready"] is False
    assert detail["work_order"]["missing"] == ["valuation_photos: need at least 6, found 5"]
    assert len(detail["evidence_items"]) == 5


def test_a_pending_document_counts_for_nothing(service, actor, ready, owner_engine):
    with owner_engine.begin() as connection:
        connection.execute(
            text("update documents set status = 'pending' where document_id in"
                 " (select document_id from evidence_items where work_order_id = :id"
                 " and key = 'photo-0')"),
            {"id": ready},
        )  # fmt: skip
    with acting(service, actor) as connection:
        assert recheck(connection, actor, ready).is_ready is False


def test_links_outlive_the_next_patch(service, actor, desk, specimen):
    work_order = enter_case(service, actor, specimen)
    first = desk.get(f"{ORDERS}/{work_order}").get_json()
    desk.patch(f"{ORDERS}/{work_order}/contract", json={"patch": {"party": {"client_name": "C"}}})

    second = desk.get(f"{ORDERS}/{work_order}").get_json()
    assert len(first["field_evidence_links"]) == len(second["field_evidence_links"]) == 15
    assert (
        second["readiness"]["missing_field_evidence_links"]
        == first["readiness"]["missing_field_evidence_links"]
    )


def test_every_figure_of_the_latest_snapshot_is_explained(service, actor, desk, ready):
    snapshot = desk.get(f"{ORDERS}/{ready}").get_json()["latest_snapshot"]

    trace = {entry["field"]: entry for entry in snapshot["derived_json"]["trace"]}
    assert trace["fmv"]["value"] == "1500000.00"
    assert trace["fmv"]["formula"]
    with acting(service, actor) as connection:
        order = find(connection, actor.tenant_id, ready)
        live = evaluate_now(connection, order)
    assert live.evaluation.contract.computed_values.FMV.value == order.fair_market_value


def test_the_stored_texts_are_those_of_the_bundle(desk, ready, rows):
    answer = desk.get(f"{ORDERS}/{ready}/export/bundle")
    with zipfile.ZipFile(io.BytesIO(answer.get_data())) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    (snapshot,) = rows(
        "select parts, contract from snapshots where work_order_id = :id and kind = 'output'",
        id=ready,
    )

    assert set(snapshot.parts) == {name for name in inside if name.endswith(".json")} | {
        "bundle-info.txt"
    }
    assert json.loads(inside["data/evaluation.json"])["contract"] == json.loads(snapshot.contract)
