"""What a work order takes from the registers is a copy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from contracts.contract import Contract
from contracts.patch import apply_patch
from service.clock import now
from service.database.connections import transaction
from service.errors import ServiceError
from service.identifiers import new_id
from service.registers.changing import change, create
from service.registers.records import BANKS, BRANCHES, PROPERTIES, VALUERS
from service.registers.reusing import contract_parts_of, signature_block
from tests.service.audit.logs import actor_of


@pytest.fixture
def firm(make_firm: Any) -> Any:
    return make_firm()


@pytest.fixture
def actor(firm: Any) -> Any:
    return actor_of(firm.tenant_id, capabilities=frozenset({"masterdata.approve"}))


@pytest.fixture
def connection(service: Any, actor: Any) -> Any:
    with transaction(
        service.engine, role="zen_web", tenant_id=actor.tenant_id, user_id=actor.user_id
    ) as one:
        yield one


def branch(connection: Any, actor: Any, **more: Any) -> Any:
    bank = create(connection, actor, BANKS, {"name": f"Bank {new_id()}", "bank_type": "COOP"})
    values = {"bank_id": bank["bank_id"], "name": "Fort", "city": "Udupi"} | more
    return create(connection, actor, BRANCHES, values) | {"bank_name": bank["name"]}


def test_branch_valuer_and_property_become_a_patch_that_a_contract_takes(
    connection: Any, actor: Any
) -> None:
    one = branch(connection, actor, code="17", address="Car Street")
    valuer = create(connection, actor, VALUERS, {"name": "Asha Rao", "registration": "IBBI/RV/1"})
    place = create(
        connection,
        actor,
        PROPERTIES,
        {"label": "H", "property": {"address": "12 Mango Lane", "land_area": "210.50 sqm"}},
    )
    patch = contract_parts_of(
        connection,
        actor,
        branch_id=one["branch_id"],
        property_id=place["property_id"],
        valuer_id=valuer["valuer_id"],
    )
    empty = Contract.model_validate({"meta": {"report_type": "VALUATION"}})
    contract, problems = apply_patch(empty, patch)

    assert (contract is not None, problems) == (True, ())
    assert contract.party.bank_name == one["bank_name"]
    assert contract.party.bank_branch_name == "Fort"
    assert contract.party.bank_branch_code == "17"
    assert contract.party.bank_branch_address == "Car Street, Udupi"
    assert contract.meta.bank_type == "COOP"
    assert contract.party.valuer_registration == "IBBI/RV/1"
    assert contract.property.address == "12 Mango Lane"
    assert contract.property.land_area.to_json() == "210.50 sqm"
    block = signature_block(connection, actor, valuer["valuer_id"])
    assert (block.name, block.registration) == ("Asha Rao", "IBBI/RV/1")


def test_nothing_of_another_branch_is_left(connection: Any, actor: Any) -> None:
    first = branch(connection, actor, code="17", address="Car Street")
    second = branch(connection, actor, city=None)
    contract = Contract.model_validate({"meta": {"report_type": "VALUATION"}})
    for one in (first, second):
        patch = contract_parts_of(connection, actor, branch_id=one["branch_id"])
        changed, _ = apply_patch(contract, patch)
        assert changed is not None
        contract = changed

    assert contract.party.bank_name == second["bank_name"]
    assert contract.party.bank_branch_code is None
    assert contract.party.bank_branch_address is None


@pytest.mark.parametrize(
    ("address", "city", "written"),
    [
        ("Car Street", "Udupi", "Car Street, Udupi"),
        ("Car Street, UDUPI 576101", "Udupi", "Car Street, UDUPI 576101"),
        (None, "Udupi", "Udupi"),
        ("Car Street", None, "Car Street"),
        (None, None, None),
    ],
)
def test_the_city_stands_in_the_address_once(
    connection: Any, actor: Any, address: Any, city: Any, written: Any
) -> None:
    one = branch(connection, actor, address=address, city=city)
    patch = contract_parts_of(connection, actor, branch_id=one["branch_id"])

    assert patch["party"]["bank_branch_address"] == written


def test_what_nobody_names_changes_nothing(connection: Any, actor: Any) -> None:
    assert contract_parts_of(connection, actor) == {}


@pytest.mark.parametrize("name", ["branch_id", "property_id", "valuer_id"])
def test_an_entry_of_another_firm_cannot_be_taken(
    service: Any, make_firm: Any, connection: Any, actor: Any, name: str
) -> None:
    other = actor_of(make_firm().tenant_id)
    with transaction(service.engine, role="zen_web", tenant_id=other.tenant_id) as theirs:
        if name == "branch_id":
            entry_id = branch(theirs, other)["branch_id"]
        elif name == "valuer_id":
            entry_id = create(theirs, other, VALUERS, {"name": "X"})["valuer_id"]
        else:
            values = {"label": "X", "property": {}}
            entry_id = create(theirs, other, PROPERTIES, values)["property_id"]

    with pytest.raises(ServiceError, match="REGISTER_ENTRY_UNKNOWN"):
        contract_parts_of(connection, actor, **{name: entry_id})


def test_a_change_of_the_registers_alters_no_snapshot(connection: Any, actor: Any) -> None:
    """The snapshot's text, and what it names, are the same bytes before and after."""
    one = branch(connection, actor)
    valuer = create(connection, actor, VALUERS, {"name": "Asha Rao"})
    place = create(connection, actor, PROPERTIES, {"label": "H", "property": {"address": "A"}})
    ids = {
        "branch_id": one["branch_id"],
        "property_id": place["property_id"],
        "valuer_id": valuer["valuer_id"],
    }
    empty = Contract.model_validate({"meta": {"report_type": "VALUATION"}})
    contract, _ = apply_patch(empty, contract_parts_of(connection, actor, **ids))
    assert contract is not None
    work_order = new_id()
    values = {
        "t": actor.tenant_id,
        "w": work_order,
        "now": now(),
        "contract": contract.model_dump_json(exclude_none=True),
        "b": ids["branch_id"],
        "p": ids["property_id"],
        "v": ids["valuer_id"],
    }
    connection.execute(
        text(
            "insert into work_orders (tenant_id, work_order_id, reference, report_type, bank_type,"
            " source_type, contract, bank_branch_id, property_id, valuer_id, created_at, updated_at)"
            " values (:t, :w, 'R-1', 'VALUATION', 'SBI', 'TENANT', :contract, :b, :p, :v, :now, :now)"
        ),
        values,
    )
    connection.execute(
        text(
            "insert into snapshots (tenant_id, work_order_id, version, kind, contract, created_at)"
            " values (:t, :w, 1, 'input', :contract, :now)"
        ),
        values,
    )

    def snapshot() -> Any:
        return connection.execute(
            text("select * from snapshots where tenant_id = :t and work_order_id = :w"), values
        ).one()

    before = snapshot()
    changes = (
        (BANKS, one["bank_id"], {"name": "Renamed"}),
        (BRANCHES, ids["branch_id"], {"name": "Renamed", "address": "Elsewhere"}),
        (VALUERS, ids["valuer_id"], {"name": "Renamed", "registration": "IBBI/RV/9"}),
        (PROPERTIES, ids["property_id"], {"property": {"address": "Elsewhere"}}),
    )
    for register, entry_id, values_ in changes:
        change(connection, actor, register, entry_id, values_, version=None)

    assert snapshot() == before
    assert "Asha Rao" in before.contract
    # What is taken from now on is what the registers say now.
    after = contract_parts_of(connection, actor, **ids)
    assert after["party"]["bank_branch_name"] == after["party"]["valuer_name"] == "Renamed"
    assert after["property"] == {"address": "Elsewhere"}


def test_the_portals_people_use_no_register(connection: Any, actor: Any) -> None:
    one = branch(connection, actor)
    portal = replace(actor, audience="portal")

    with pytest.raises(ServiceError, match="REGISTER_ENTRY_UNKNOWN"):
        contract_parts_of(connection, portal, branch_id=one["branch_id"])
