"""The original's own tests of its work orders, on a real database."""

from tests.service.workorders.cases import acting, enter_piece, recheck
from tests.service.workorders.conftest import ORDERS


def picture(read, key, **changes):
    """A piece of a case's evidence, otherwise called."""
    piece = next(piece for piece in read.case.evidence if piece.key == key)
    return piece.model_copy(update=changes)


def test_creating_linking_patching_and_exporting(service, actor, desk, create, ready_case):
    order = create(source_type="TENANT")
    with acting(service, actor) as connection:
        for key, number in (("photo-1", 2), ("photo-0", 1)):
            piece = picture(ready_case, key, annexure_order=number)
            enter_piece(service, connection, actor, order["work_order_id"], ready_case, piece)
    address = f"{ORDERS}/{order['work_order_id']}"

    patched = desk.patch(
        f"{address}/contract",
        json={
            "patch": {
                "property": {"address": "12 Street", "land_area": {"value": 1000, "unit": "sqft"}},
                "valuation_inputs": {
                    "market_rate_input": {"value": 2000, "unit": "sqft"},
                    "guideline_rate_input": {"value": 1500, "unit": "sqft"},
                    "land_value": 2000000,
                    "building_value": 3000000,
                },
            },
            "ruleset_version": "m5.4-v1",
        },
    )
    assert patched.status_code == 200
    assert patched.get_json()["snapshot"]["version"] == 2
    detail = desk.get(address).get_json()
    assert [run["output_snapshot"]["version"] for run in detail["rules_runs"]] == [2]
    assert detail["rules_runs"][0]["ruleset_version"] == "m5.4-v1@1"

    exported = desk.get(f"{address}/export?snapshot_version=2").get_json()
    computed = exported["derived_json"]["computed_values"]
    assert computed["FMV"] == "5000000.00 INR"
    assert computed["realizable_value"] == "4750000.00 INR"
    assert [line["key"] for line in exported["evidence_manifest"]] == ["photo-0", "photo-1"]
    assert exported["snapshot_version"] == 2
    assert exported["annexure_defaults"] == {"min": 2, "max": 4}


def test_readiness_blocks_until_the_photographs_are_there(
    service, actor, desk, create, ready_case, rows
):
    order = create()
    address = f"{ORDERS}/{order['work_order_id']}"
    patched = desk.patch(
        f"{address}/contract",
        json={
            "patch": {
                "property": {"address": "12 Street", "land_area": "100 sqm"},
                "valuation_inputs": {
                    "guideline_rate_input": "10000 INR/sqm",
                    "land_value": 1000000,
                    "building_value": 500000,
                },
            },
            "ruleset_version": "m5.4-v1",
        },
    )
    assert patched.status_code == 200
    for status in ("EVIDENCE_PENDING", "DATA_PENDING"):
        assert desk.post(f"{address}/status", json={"status": status}).status_code == 200

    blocked = desk.post(f"{address}/status", json={"status": "READY_FOR_RENDER"})
    assert blocked.status_code == 400
    assert blocked.get_json()["code"] == "REPOGEN_READINESS_BLOCK"
    assert blocked.get_json()["readiness"]["missing_evidence"] == [
        "valuation_photos: need at least 6, found 0"
    ]
    assert rows("select 1 from packs where work_order_id = :id", id=order["work_order_id"]) == []

    with acting(service, actor) as connection:
        for piece in ready_case.case.evidence:
            enter_piece(service, connection, actor, order["work_order_id"], ready_case, piece)
        recheck(connection, actor, order["work_order_id"])
    moved = desk.post(f"{address}/status", json={"status": "READY_FOR_RENDER"})

    assert moved.status_code == 200, moved.get_data(as_text=True)
    assert moved.get_json()["readiness"]["completeness_score"] == 100
    # The evidence came after the patch's snapshot, so the report is made of a fresh one.
    assert moved.get_json()["snapshot"]["version"] == 4
    found = rows(
        "select snapshot_version, bundle_digest from packs where work_order_id = :id",
        id=order["work_order_id"],
    )
    assert [tuple(row) for row in found] == [(4, moved.get_json()["snapshot"]["bundle_digest"])]
