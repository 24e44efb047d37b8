"""A client that was written for the original: its requests, and nothing but its names in answers."""

import io
from uuid import UUID, uuid4

import pytest

from service.workorders.records import snapshot_id
from tests.service.clients import Client
from tests.service.workorders.cases import enter_case
from tests.service.workorders.conftest import ORDERS

#: As the original's requests have them.
NEW = {
    "source_type": "TENANT",
    "report_type": "VALUATION",
    "bank_name": "State Bank of India",
    "bank_type": "SBI",
}
PATCH = {
    "patch": {
        "property": {"address": "12 Street", "land_area": {"value": 1000, "unit": "sqft"}},
        "valuation_inputs": {
            "guideline_rate_input": {"value": 1500, "unit": "sqft"},
            "land_value": 2000000,
            "building_value": 3000000,
        },
    },
    "ruleset_version": "m5.4-v1",
}


def done(answer, status=200):
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


@pytest.fixture
def order(desk):
    made = done(desk.post(ORDERS, json=NEW), 201)
    return f"{ORDERS}/{made['work_order']['id']}"


@pytest.fixture
def document(desk, ready_case):
    """document(number) -> the id of an uploaded photograph."""

    def uploaded(number):
        file = ready_case.files[f"photo-{number}"]
        answer = desk.post(
            "/v1/files/upload",
            data={"file": (io.BytesIO(file.path.read_bytes()), f"{number}.jpg")},
            content_type="multipart/form-data",
        )
        return done(answer, 201)["id"]

    return uploaded


def test_it_finds_its_way_from_a_new_work_order_to_the_export_of_a_pack(
    desk, document, run_jobs, person
):
    made = done(desk.post(ORDERS, json=NEW), 201)
    order = made["work_order"]
    address = f"{ORDERS}/{order['id']}"
    assert made["work_order_id"] == order["id"]
    assert (order["status"], order["org_id"]) == ("DRAFT", str(person.tenant_id))
    assert (order["report_pack_id"], order["created_by_user_id"]) == (None, str(person.user_id))

    patched = done(desk.patch(f"{address}/contract", json=PATCH))
    run, output = patched["rules_run"], patched["output_snapshot"]
    assert patched["work_order_id"] == order["id"]
    assert (patched["input_snapshot"]["version"], output["version"]) == (1, 2)
    assert run["input_snapshot"] == patched["input_snapshot"]
    assert run["output_snapshot"] == {"id": output["id"], "version": 2}
    assert run["ruleset_version"].startswith("m5.4-v1")
    assert patched["readiness"]["missing_fields"] == []

    employee = str(uuid4())
    sent = {
        "items": [
            {
                "evidence_type": "PHOTO",
                "document_id": document(number),
                "classification": "site_photo",
                "sensitivity": "internal",
                "source": "mobile_camera",
                "file_ref": f"camera://{number}",
                "captured_by_employee_id": employee,
                "captured_at": "2026-03-01T10:00:00.000Z",
                "annexure_order": number,
                "tags": {"category": "exterior"},
            }
            for number in range(6)
        ]
    }
    linked = done(desk.post(f"{address}/evidence/link", json=sent))
    pieces = linked["evidence_items"]
    assert linked["work_order_id"] == order["id"]
    assert linked["readiness"]["missing_evidence"] == []
    assert [piece["file_ref"] for piece in pieces] == [f"camera://{n}" for n in range(6)]
    assert {piece["captured_by_employee_id"] for piece in pieces} == {employee}
    assert pieces[2]["document"]["original_filename"] == "2.jpg"
    assert pieces[2]["document"]["content_type"] == "image/jpeg"

    chosen = done(desk.post(f"{address}/evidence-profile", json={"use_default": True}))
    assert chosen == done(desk.get(f"{address}/evidence-profiles"))
    assert chosen["selected_profile"]["id"] in chosen["selected_profile_id"]
    assert chosen["selected_profile"] in chosen["profiles"]
    item = next(one for one in chosen["checklist"] if one["id"] == "valuation_photos")
    assert (item["min_count"], item["current_count"], item["missing_count"]) == (6, 6, 0)
    assert set(item["matching_evidence_item_ids"]) == {piece["id"] for piece in pieces}
    assert item["satisfied"] is True

    there = done(desk.get(f"{address}/field-evidence-links"))
    assert (there["latest_snapshot_id"], there["latest_snapshot_version"]) == (output["id"], 2)
    link = {
        "snapshot_id": there["latest_snapshot_id"],
        "field_key": there["field_defs"][0]["field_key"],
        "evidence_item_id": pieces[0]["id"],
        "confidence": 0.9,
        "note": "seen there",
    }
    links = done(desk.post(f"{address}/field-evidence-links", json={"links": [link]}))["links"]
    assert {name: links[0][name] for name in link} == {**link, "confidence": "0.9"}

    comment = {"comment_type": "NOTES", "body": "all seen"}
    written = done(desk.post(f"{address}/comments", json=comment), 201)
    assert done(desk.get(f"{address}/comments"))["items"] == [written]
    assert written["created_by_user_id"] == str(person.user_id)

    for status in ("EVIDENCE_PENDING", "DATA_PENDING"):
        moved = done(desk.post(f"{address}/status", json={"status": status, "note": "next"}))
        assert moved["work_order"]["status"] == status
    moved = done(desk.post(f"{address}/status", json={"status": "READY_FOR_RENDER"}))
    begun = moved["pack_link"]
    assert begun["work_order_status"] == "READY_FOR_RENDER"
    assert begun["pack"]["status"] == "generating"
    assert begun["generation_job"]["error_message"] is None

    again = done(desk.post(f"{address}/create-pack", json={"idempotency_key": "mine"}))
    assert (again["idempotent"], again["queue_enqueued"]) == (True, False)
    assert again["pack_link"]["pack"]["id"] == begun["pack"]["id"]
    assert again["pack_link"]["generation_job"]["id"] == begun["generation_job"]["id"]

    run_jobs()
    state = done(desk.get(f"{address}/pack"))
    pack = state["pack"]
    assert (state["work_order_id"], pack["work_order_id"]) == (order["id"], order["id"])
    assert state["readiness_score"] == 100
    assert state["billing_gate_status"]["releasable_without_override"] is False
    assert [one["kind"] for one in pack["artifacts"]] == ["bundle"]
    # The original's rule set computes its figures, and there is no form to print them in.
    assert pack["status"] == "failed"
    assert "REPORT_NOT_PRINTED" in state["generation_job"]["error_message"]

    detail = done(desk.get(address))
    assert detail["work_order"]["report_pack_id"] == pack["id"]
    assert [piece["id"] for piece in detail["evidence_items"]] == [one["id"] for one in pieces]
    assert [one["id"] for one in detail["field_evidence_links"]] == [links[0]["id"]]
    assert written in detail["comments"]
    assert run in detail["rules_runs"]
    assert detail["readiness"]["completeness_score"] == 100

    exported = done(desk.get(f"{address}/export"))
    bundle = exported["export_bundle"]
    assert exported["snapshot"]["id"] == detail["latest_snapshot"]["id"]
    assert bundle["snapshot_version"] == exported["snapshot"]["version"]
    assert bundle["derived_json"]["computed_values"]["FMV"] == "5000000.00 INR"
    assert [line["id"] for line in bundle["evidence_manifest"]] == [one["id"] for one in pieces]
    first = bundle["evidence_manifest"][0]
    assert first["document"]["id"] == sent["items"][0]["document_id"]
    assert first["document"]["content_type"] == "image/jpeg"
    assert (first["source"], first["classification"]) == ("mobile_camera", "site_photo")

    query = "status=READY_FOR_RENDER&report_type=VALUATION&bank_type=SBI&source_type=TENANT&limit=5"
    (line,) = [
        one
        for one in done(desk.get(f"{ORDERS}?{query}&search={order['id']}"))["items"]
        if one["id"] == order["id"]
    ]
    assert (line["readiness_score"], line["latest_snapshot_version"]) == (
        100,
        exported["snapshot"]["version"],
    )


def test_it_finds_the_files_of_a_pack(desk, service, actor, specimen, run_jobs):
    order = enter_case(service, actor, specimen, reference=f"house-{uuid4().hex[-12:]}")
    address = f"{ORDERS}/{order}"
    done(desk.post(f"{address}/status", json={"status": "DATA_PENDING"}))
    done(desk.post(f"{address}/status", json={"status": "READY_FOR_RENDER"}))
    run_jobs()

    state = done(desk.get(f"{address}/pack"))
    assert state["pack"]["status"] == "generated"
    assert state["generation_job"]["error_message"] is None
    word = next(one for one in state["pack"]["artifacts"] if one["kind"] == "docx")
    assert UUID(word["id"])
    assert word["mime_type"].endswith("wordprocessingml.document")
    assert word["size_bytes"] > 1000
    assert len(word["checksum_sha256"]) == 64


def test_who_names_a_snapshot_that_is_not_the_latest_is_told_which_is(desk, order, document):
    done(desk.patch(f"{order}/contract", json=PATCH))
    items = [{"evidence_type": "PHOTO", "document_id": document(0)}]
    (piece,) = done(desk.post(f"{order}/evidence/link", json={"items": items}))["evidence_items"]
    old = done(desk.get(f"{order}/field-evidence-links"))["latest_snapshot_id"]
    done(desk.patch(f"{order}/contract", json={"patch": {"party": {"client_name": "C"}}}))

    link = {"field_key": "property.address", "evidence_item_id": piece["id"]}
    body = {"links": [link | {"snapshot_id": old}]}
    refused = done(desk.post(f"{order}/field-evidence-links", json=body), 409)
    assert refused["code"] == "SNAPSHOT_NOT_LATEST"
    latest = str(snapshot_id(UUID(order.rpartition("/")[2]), 4))
    assert refused["latest_snapshot_id"] == latest
    assert done(desk.get(f"{order}/field-evidence-links"))["links"] == []

    body = {"links": [link | {"snapshot_id": latest}]}
    assert len(done(desk.post(f"{order}/field-evidence-links", json=body))["links"]) == 1


def test_no_snapshot_can_be_named_before_there_is_one(desk, order, document):
    items = [{"evidence_type": "PHOTO", "document_id": document(1)}]
    (piece,) = done(desk.post(f"{order}/evidence/link", json={"items": items}))["evidence_items"]
    there = done(desk.get(f"{order}/field-evidence-links"))
    assert (there["latest_snapshot_id"], there["latest_snapshot_version"]) == (None, None)

    link = {
        "field_key": "property.address", "evidence_item_id": piece["id"],
        "snapshot_id": str(uuid4()),
    }  # fmt: skip
    refused = done(desk.post(f"{order}/field-evidence-links", json={"links": [link]}), 409)
    assert refused["code"] == "SNAPSHOT_NOT_LATEST"


def test_a_reference_to_a_file_counts_for_nothing_and_changes_no_digest(desk, order):
    done(desk.patch(f"{order}/contract", json=PATCH))
    promised = {"evidence_type": "PHOTO", "file_ref": "received://manual/1"}
    linked = done(desk.post(f"{order}/evidence/link", json={"items": [promised]}))
    assert linked["evidence_items"][0]["status"] == "pending"
    assert linked["readiness"]["missing_evidence"] == ["valuation_photos: need at least 6, found 0"]

    digests = []
    for reference in ("received://manual/2", None):
        item = {"id": linked["evidence_items"][0]["id"], "file_ref": reference}
        done(desk.post(f"{order}/evidence/link", json={"items": [item]}))
        done(desk.patch(f"{order}/contract", json={"patch": {}}))
        digests.append(done(desk.get(f"{order}/export"))["bundle_digest"])
    assert digests[0] == digests[1]


def test_suggestions_name_what_would_fill_a_gap(desk, order):
    done(desk.patch(f"{order}/contract", json=PATCH))
    shown = done(desk.get(f"{order}/evidence-profiles"))
    items = {item["id"]: item for item in shown["checklist"]}
    told = [
        item
        for one in shown["suggested_evidence_for_missing_fields"]
        for item in one["suggested_items"]
    ]
    assert told
    for item in told:
        asked = items[item["profile_item_id"]]
        assert {name: asked[name] for name in item if name != "profile_item_id"} == {
            name: value for name, value in item.items() if name != "profile_item_id"
        }


def test_weakness_34_the_studio_works_for_the_firm_that_it_names(
    desk, firm, make_firm, make_user, sign_in, ready_case, service, actor
):
    """There, a right in the code met rows that the studio could only read."""
    ready = enter_case(service, actor, ready_case, reference=f"studio-{uuid4().hex[-12:]}")
    address = f"{ORDERS}/{ready}"
    person = make_user(make_firm(kind="service"), ["super_admin"])
    inside = sign_in(person, "studio")
    studio = Client(inside.app, inside.token, {"X-Zenops-Tenant": str(firm.tenant_id)})

    body = {"patch": {"party": {"client_name": "Named by the studio"}}}
    patched = done(studio.patch(f"{address}/contract", json=body))
    assert patched["rules_run"]["output_snapshot"]["version"] == 4
    done(studio.post(f"{address}/status", json={"status": "DATA_PENDING"}))
    moved = done(studio.post(f"{address}/status", json={"status": "READY_FOR_RENDER"}))
    made = done(studio.post(f"{address}/create-pack", json={}))
    assert made["pack_link"]["pack"]["id"] == moved["pack_link"]["pack"]["id"]

    seen = done(desk.get(address))
    assert seen["work_order"]["status"] == "READY_FOR_RENDER"
    assert seen["latest_snapshot"]["created_by_user_id"] == str(person.user_id)
    # Without the firm's name the studio's own firm is meant, which has no such work order.
    assert inside.patch(f"{address}/contract", json=body).status_code == 404
