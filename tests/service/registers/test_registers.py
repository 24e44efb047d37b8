"""The registers over HTTP: entering, finding, changing, approving; and who may."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from service.clock import now
from service.identifiers import new_id

BANK = {"name": "State Bank of Specimen", "code": "SBS", "bank_type": "SBI"}
PROPERTY = {"address": "12 Mango Lane", "city": "Mysuru", "survey_no": "45/2A"}
#: Register -> its path, what is entered, the name of its id, and a change.
REGISTERS = {
    "banks": (BANK, "bank_id", {"code": "SB2"}),
    "bank-branches": (
        {"name": "Jayanagar", "ifsc": "SBIN0001234", "city": "Bengaluru", "address": "4th Block"},
        "branch_id",
        {"city": "Mysuru"},
    ),
    "valuers": ({"name": "Asha Rao"}, "valuer_id", {"designation": "Partner"}),
    "properties": (
        {"label": "House in Mango Lane", "property": PROPERTY},
        "property_id",
        {"label": "The house"},
    ),
}


@pytest.fixture(scope="module")
def firm(make_firm: Any) -> Any:
    return make_firm()


@pytest.fixture(scope="module")
def owner(firm: Any, make_user: Any, sign_in: Any) -> Any:
    """May enter and approve."""
    return sign_in(make_user(firm, ["owner"]))


@pytest.fixture(scope="module")
def clerk(firm: Any, make_user: Any, sign_in: Any) -> Any:
    """May enter and not approve."""
    return sign_in(make_user(firm, ["ops_manager"]))


@pytest.fixture(scope="module")
def reader(firm: Any, make_user: Any, sign_in: Any) -> Any:
    """May read alone."""
    return sign_in(make_user(firm, ["accounts"]))


@pytest.fixture(scope="module")
def stranger(make_firm: Any, make_user: Any, sign_in: Any) -> Any:
    """Owns another firm."""
    return sign_in(make_user(make_firm(), ["owner"]))


@pytest.fixture(scope="module")
def bank(owner: Any) -> Any:
    answer = owner.post("/v1/banks", json={"name": "Bank of the Branches"})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()


def entered(client: Any, path: str, bank: Any, **more: Any) -> Any:
    body = dict(REGISTERS[path][0])
    if path == "bank-branches":
        body |= {"bank_id": bank["bank_id"], "ifsc": None}
    # Each test enters something of its own.
    body |= {"label" if path == "properties" else "name": f"Entry {new_id()}"} | more
    answer = client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()


@pytest.mark.parametrize("path", REGISTERS)
def test_an_entry_is_made_read_and_changed(owner: Any, bank: Any, path: str) -> None:
    _, key, change = REGISTERS[path]
    made = entered(owner, path, bank)
    address = f"/v1/{path}/{made[key]}"
    read = owner.get(address)
    assert (read.get_json(), read.headers["ETag"]) == (made, '"1"')

    changed = owner.patch(address, json=change)

    assert changed.status_code == 200
    assert changed.headers["ETag"] == '"2"'
    assert changed.get_json() == made | change | {
        "version": 2,
        "updated_at": changed.get_json()["updated_at"],
    }
    assert owner.get(address).get_json() == changed.get_json()


@pytest.mark.parametrize("path", REGISTERS)
def test_a_change_for_an_older_version_is_refused_and_tells_the_newer(
    owner: Any, bank: Any, path: str
) -> None:
    _, key, change = REGISTERS[path]
    address = f"/v1/{path}/{entered(owner, path, bank)[key]}"
    assert owner.patch(address, json=change, headers={"If-Match": '"1"'}).status_code == 200
    refused = owner.patch(
        address, json={next(iter(change)): "another"}, headers={"If-Match": '"1"'}
    )

    assert refused.status_code == 412
    assert (refused.get_json()["code"], refused.get_json()["current_version"]) == (
        "VERSION_CONFLICT",
        2,
    )
    assert owner.get(address).get_json()["version"] == 2


@pytest.mark.parametrize("path", REGISTERS)
def test_a_change_that_changes_nothing_is_no_version(owner: Any, bank: Any, path: str) -> None:
    _, key, change = REGISTERS[path]
    made = entered(owner, path, bank)
    address = f"/v1/{path}/{made[key]}"
    same = {name: made[name] for name in change}

    assert owner.patch(address, json=same).get_json() == made
    refused = owner.patch(address, json={})
    assert (refused.status_code, refused.get_json()["code"]) == (400, "NO_CHANGES")


@pytest.mark.parametrize("path", REGISTERS)
def test_another_firms_entry_is_not_there(owner: Any, stranger: Any, bank: Any, path: str) -> None:
    _, key, change = REGISTERS[path]
    entry_id = entered(owner, path, bank)[key]
    bodies = set()
    for wanted in (entry_id, new_id(), "nonsense"):
        address = f"/v1/{path}/{wanted}"
        for answer in (stranger.get(address), stranger.patch(address, json=change)):
            assert answer.status_code == 404
            bodies.add(str({**answer.get_json(), "instance": ""}))

    assert len(bodies) == 1
    assert stranger.get(f"/v1/{path}").get_json()["items"] == []


@pytest.mark.parametrize("path", REGISTERS)
def test_who_may_only_read_only_reads(reader: Any, owner: Any, bank: Any, path: str) -> None:
    body, key, change = REGISTERS[path]
    entry_id = entered(owner, path, bank)[key]

    assert reader.get(f"/v1/{path}/{entry_id}").status_code == 200
    for refused in (
        reader.post(f"/v1/{path}", json=body | {"bank_id": bank["bank_id"]}),
        reader.patch(f"/v1/{path}/{entry_id}", json=change),
    ):
        assert (refused.status_code, refused.get_json()["code"]) == (403, "CAPABILITY_MISSING")


@pytest.mark.parametrize("path", REGISTERS)
def test_the_portal_sees_no_register(firm: Any, make_user: Any, sign_in: Any, path: str) -> None:
    portal = sign_in(make_user(firm, ["portal_user"]), audience="portal")

    assert portal.get(f"/v1/{path}").get_json()["code"] == "AUDIENCE_MISMATCH"


@pytest.mark.parametrize("path", REGISTERS)
def test_unknown_fields_are_refused(owner: Any, path: str) -> None:
    body = REGISTERS[path][0] | {"tenant_id": str(new_id()), "is_verified": True}
    refused = owner.post(f"/v1/{path}", json=body)

    assert refused.status_code == 422
    assert {"tenant_id", "is_verified"} <= {one["field"] for one in refused.get_json()["errors"]}


@pytest.mark.parametrize("path", REGISTERS)
def test_what_must_be_there_cannot_be_cleared(owner: Any, bank: Any, path: str) -> None:
    _, key, _ = REGISTERS[path]
    name = "label" if path == "properties" else "name"
    address = f"/v1/{path}/{entered(owner, path, bank)[key]}"
    for value in (None, "", "   "):
        refused = owner.patch(address, json={name: value})
        assert refused.status_code == 422
        assert [one["field"] for one in refused.get_json()["errors"]] == [name]


@pytest.mark.parametrize(
    ("path", "first", "second", "same"),
    [
        ("banks", {"name": "Twice Bank"}, {"name": "TWICE bank"}, "name"),
        (
            "bank-branches",
            {"name": "Twice", "city": None},
            {"name": "twice", "city": None},
            "name",
        ),
        (
            "bank-branches",
            {"name": "Twice", "city": "Hassan"},
            {"name": "TWICE", "city": "hassan"},
            "name",
        ),
        (
            "bank-branches",
            {"name": "One", "ifsc": "SBIN0009999"},
            {"name": "Two", "ifsc": "SBIN0009999"},
            "ifsc",
        ),
        (
            "valuers",
            {"name": "One", "registration": "IBBI/RV/1"},
            {"name": "Two", "registration": "IBBI/RV/1"},
            "registration",
        ),
    ],
)
def test_an_entry_that_exists_is_named_by_its_id(
    owner: Any, bank: Any, path: str, first: Any, second: Any, same: str
) -> None:
    key = REGISTERS[path][1]
    there = entered(owner, path, bank, **first)
    base = {"bank_id": bank["bank_id"]} if path == "bank-branches" else {}
    refused = owner.post(f"/v1/{path}", json=base | second)

    assert refused.status_code == 409
    problem = refused.get_json()
    assert (problem["code"], problem["id"], problem["same"]) == ("ENTRY_EXISTS", there[key], same)

    other = entered(owner, path, bank)
    renamed = owner.patch(f"/v1/{path}/{other[key]}", json=second | {})
    assert (renamed.status_code, renamed.get_json()["id"]) == (409, there[key])
    assert owner.get(f"/v1/{path}/{other[key]}").get_json() == other


def test_two_branches_of_one_name_stand_in_two_cities(owner: Any, bank: Any) -> None:
    entered(owner, "bank-branches", bank, name="Main", city="Udupi")
    entered(owner, "bank-branches", bank, name="Main", city="Karwar")


def test_a_bank_that_two_people_enter_at_once_is_entered_once(owner: Any) -> None:
    start = threading.Barrier(8)

    def enter(_: int) -> Any:
        start.wait()
        return owner.post("/v1/banks", json={"name": "Race Bank"})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(enter, range(8)))
    (made,) = [one.get_json() for one in answers if one.status_code == 201]

    refused = [one.get_json() for one in answers if one.status_code == 409]
    assert [one["id"] for one in refused] == [made["bank_id"]] * 7


def test_a_branch_of_a_bank_that_is_not_there_is_refused(
    owner: Any, stranger: Any, bank: Any
) -> None:
    for client, bank_id in ((owner, str(new_id())), (stranger, bank["bank_id"])):
        refused = client.post("/v1/bank-branches", json={"bank_id": bank_id, "name": "X"})
        assert refused.status_code == 422
        assert refused.get_json()["errors"][0]["field"] == "bank_id"


@pytest.mark.parametrize("ifsc", ["SBIN001234", "SBIN1001234", "sbin0001234", "SBIN00012345"])
def test_an_ifsc_has_its_form(owner: Any, bank: Any, ifsc: str) -> None:
    body = {"bank_id": bank["bank_id"], "name": "X", "ifsc": ifsc}
    refused = owner.post("/v1/bank-branches", json=body)

    assert [one["field"] for one in refused.get_json()["errors"]] == ["ifsc"]


@pytest.mark.parametrize("path", ["banks", "bank-branches"])
def test_an_entry_is_verified_by_whoever_may_approve(
    owner: Any, clerk: Any, bank: Any, path: str
) -> None:
    key = REGISTERS[path][1]
    assert entered(owner, path, bank)["is_verified"] is True
    made = entered(clerk, path, bank)
    assert made["is_verified"] is False
    address = f"/v1/{path}/{made[key]}"
    assert clerk.post(f"{address}/approve").get_json()["code"] == "CAPABILITY_MISSING"

    approved = owner.post(f"{address}/approve").get_json()
    assert (approved["is_verified"], approved["version"]) == (True, 2)
    # Once more changes nothing.
    assert owner.post(f"{address}/approve").get_json() == approved
    assert owner.post(f"{address}/approve", headers={"If-Match": '"1"'}).status_code == 412

    # What the clerk changes has to be looked at again; what the owner changes has not.
    assert owner.patch(address, json={"code": "1"}).get_json()["is_verified"] is True
    assert clerk.patch(address, json={"code": "2"}).get_json()["is_verified"] is False
    assert owner.post(f"/v1/{path}/{new_id()}/approve").status_code == 404


@pytest.mark.parametrize(
    "field",
    [
        {"may_sign": True},
        {"registration": "IBBI/RV/77"},
        {"registration_valid_until": "2027-03-31"},
    ],
)
def test_who_may_sign_is_decided_by_whoever_may_approve(
    owner: Any, clerk: Any, bank: Any, field: Any
) -> None:
    refused = clerk.post("/v1/valuers", json={"name": "X"} | field)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "CAPABILITY_MISSING")
    made = entered(clerk, "valuers", bank, may_sign=False)
    address = f"/v1/valuers/{made['valuer_id']}"
    assert clerk.patch(address, json=field).status_code == 403
    assert clerk.patch(address, json={"designation": "Partner"}).status_code == 200

    changed = owner.patch(address, json=field).get_json()
    assert {name: changed[name] for name in field} == field
    # What is sent back unchanged is no change.
    assert clerk.patch(address, json=field | {"designation": "Associate"}).status_code == 200


def test_a_valuer_is_linked_to_a_person_of_the_firm_alone(
    owner: Any, firm: Any, make_firm: Any, make_user: Any, bank: Any
) -> None:
    ours, theirs = make_user(firm, ["valuer"]), make_user(make_firm(), ["valuer"])
    address = f"/v1/valuers/{entered(owner, 'valuers', bank)['valuer_id']}"
    assert owner.patch(address, json={"user_id": str(ours.user_id)}).status_code == 200
    for wrong in (theirs.user_id, new_id()):
        refused = owner.patch(address, json={"user_id": str(wrong)})
        assert [one["field"] for one in refused.get_json()["errors"]] == ["user_id"]

    second = owner.post("/v1/valuers", json={"name": "Y", "user_id": str(ours.user_id)})
    assert (second.status_code, second.get_json()["same"]) == (409, "user")


@pytest.mark.parametrize(
    ("status", "media_type", "answered"),
    [("uploaded", "image/png", 200), ("uploaded", "application/pdf", 422), ("deleted", "image/png", 422)],
)  # fmt: skip
def test_a_signature_is_a_picture_that_was_uploaded(
    owner: Any, firm: Any, owner_engine: Any, bank: Any, status: str, media_type: str, answered: int
) -> None:
    document = new_id()
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into documents (tenant_id, document_id, status, filename, object_key,"
                " media_type, size, sha256, facts, created_at) values (:t, :d, :s, 'x.png', :k, :m,"
                " 1, repeat('0', 64), '{}', :now)"
            ),
            {
                "t": firm.tenant_id,
                "d": document,
                "s": status,
                "k": f"{firm.tenant_id}/documents/{document}",
                "m": media_type,
                "now": now(),
            },
        )
    address = f"/v1/valuers/{entered(owner, 'valuers', bank)['valuer_id']}"

    answer = owner.patch(address, json={"signature_document_id": str(document)})
    assert answer.status_code == answered


def test_a_property_is_a_contracts_property_with_every_digit(owner: Any) -> None:
    body = (
        b'{"label": "Digits", "property": {"address": "x", "coordinates":'
        b' {"latitude": 12.97160000000000000001, "longitude": "77.5946"}}}'
    )
    made = owner.post("/v1/properties", body=body)

    assert made.status_code == 201
    assert made.get_json()["property"]["coordinates"] == {
        "latitude": "12.97160000000000000001",
        "longitude": "77.5946",
    }


def test_a_property_that_no_contract_would_take_is_refused_by_field(owner: Any) -> None:
    refused = owner.post(
        "/v1/properties",
        json={"label": "X", "property": {"adress": "x", "total_floors": -1}},
    )

    assert refused.status_code == 422
    fields = sorted(one["field"] for one in refused.get_json()["errors"])
    assert fields == ["property.adress", "property.total_floors"]


PLOT = {
    "address": "x",
    "land_area": "100 sqm",
    "coordinates": {"latitude": "12.9716", "longitude": "77.5946"},
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"land_area": "101 sqm"}, "property.land_area"),
        ({"land_area": None}, "property.land_area"),
        (
            {"coordinates": {"latitude": "12.9717", "longitude": "77.5946"}},
            "property.coordinates.latitude",
        ),
    ],
)
def test_an_area_or_a_coordinate_of_a_property_changes_with_a_reason_only(
    clerk: Any, owner_engine: Any, change: dict[str, Any], field: str
) -> None:
    made = clerk.post("/v1/properties", json={"label": f"P {new_id()}", "property": PLOT})
    address = f"/v1/properties/{made.get_json()['property_id']}"
    body = {"property": {name: said for name, said in (PLOT | change).items() if said}}

    refused = clerk.patch(address, json=body)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "REASON_REQUIRED")
    assert [one["field"] for one in refused.get_json()["errors"]] == [field]
    assert clerk.get(address).get_json() == made.get_json()
    assert clerk.patch(address, json=body | {"reason": "  "}).status_code == 422

    changed = clerk.patch(address, json=body | {"reason": "measured again"})
    assert changed.status_code == 200, changed.get_data(as_text=True)
    assert changed.get_json()["property"] == body["property"]
    with owner_engine.connect() as connection:
        told = connection.execute(
            text(
                "select e.reason, d.details from audit_events e join audit_details d"
                " using (tenant_id, event_id) where subject_type = 'property' and subject_id = :id"
                " and e.action = 'registers:property:changed'"
            ),
            {"id": made.get_json()["property_id"]},
        ).all()
    ((reason, details),) = told
    assert reason == "measured again"
    assert "100 sqm" in str(details)


@pytest.mark.parametrize(
    "change",
    [{"address": "y"}, {"built_up_area": "50 sqm"}, {"land_area": "100.0 sqm"}],
    ids=["what no value rests on", "an area that was not there", "the same area"],
)
def test_what_else_changes_of_a_property_needs_no_reason(
    clerk: Any, change: dict[str, Any]
) -> None:
    made = clerk.post("/v1/properties", json={"label": f"P {new_id()}", "property": PLOT})
    address = f"/v1/properties/{made.get_json()['property_id']}"

    assert clerk.patch(address, json={"property": PLOT | change}).status_code == 200
    assert clerk.patch(address, json={"label": f"Q {new_id()}"}).status_code == 200
    alone = clerk.patch(address, json={"reason": "for nothing"})
    assert (alone.status_code, alone.get_json()["code"]) == (400, "NO_CHANGES")


def test_every_change_is_in_the_audit_with_what_was_and_what_is(
    clerk: Any, owner: Any, bank: Any, owner_engine: Any
) -> None:
    made = entered(clerk, "banks", bank, code="A")
    address = f"/v1/banks/{made['bank_id']}"
    owner.post(f"{address}/approve")
    clerk.patch(address, json={"code": None})
    with owner_engine.connect() as connection:
        rows = connection.execute(
            text(
                "select e.action, d.details from audit_events e left join audit_details d"
                " using (tenant_id, event_id) where subject_type = 'bank' and subject_id = :id"
                " order by e.event_id"
            ),
            {"id": made["bank_id"]},
        ).all()

    assert rows == [
        (
            "registers:bank:created",
            f'{{"after":{{"bank_type":"SBI","code":"A","is_verified":false,"name":"{made["name"]}"}}}}',
        ),
        ("registers:bank:approved", None),
        (
            "registers:bank:changed",
            '{"after":{"code":null,"is_verified":false},"before":{"code":"A"}}',
        ),
    ]


def test_a_refused_change_leaves_no_audit(owner: Any, owner_engine: Any, bank: Any) -> None:
    def count() -> Any:
        with owner_engine.connect() as connection:
            return connection.scalar(text("select count(*) from audit_events"))

    made = entered(owner, "banks", bank)
    before = count()
    owner.patch(f"/v1/banks/{made['bank_id']}", json={"code": "x"}, headers={"If-Match": '"9"'})
    owner.post("/v1/banks", json={"name": made["name"]})

    assert count() == before
