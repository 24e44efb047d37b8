"""Many at once on one work order, each with a connection of their own."""

import threading
from collections import Counter

import pytest

from tests.service.workorders.conftest import ORDERS

CLIENTS = 16


def at_once(sends):
    """What each of some senders is answered when all of them begin together."""
    answers, gate = [], threading.Barrier(len(sends))

    def run(send):
        gate.wait()
        answers.append(send())

    threads = [threading.Thread(target=run, args=(send,)) for send in sends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture
def clients(desk):
    """As many clients as there are database connections at most."""
    return [desk] * CLIENTS


def test_versions_have_no_gaps_and_nobody_is_refused(clients, create, rows):
    order = create()["work_order_id"]
    answers = at_once(
        [
            lambda number=number, client=client: client.patch(
                f"{ORDERS}/{order}/contract",
                json={"patch": {"property": {"floors": {f"floor-{number}": {"use": "shop"}}}}},
            )
            for number, client in enumerate(clients)
        ]
    )

    assert [answer.status_code for answer in answers] == [200] * CLIENTS
    versions = sorted(answer.get_json()["snapshot"]["version"] for answer in answers)
    assert versions == list(range(2, 2 * CLIENTS + 1, 2))
    stored = rows(
        "select version, kind from snapshots where work_order_id = :id order by version", id=order
    )
    assert [tuple(row) for row in stored] == [
        (number, "output" if number % 2 == 0 else "input") for number in range(1, 2 * CLIENTS + 1)
    ]
    (found,) = rows("select version, contract from work_orders where work_order_id = :id", id=order)
    assert found.version == 1 + CLIENTS
    # Each change was made on top of the one before it: none is lost.
    assert all(f'"floor-{number}"' in found.contract for number in range(CLIENTS))


def test_of_many_on_the_same_version_one_wins_and_the_others_are_told(clients, create, rows):
    order = create()["work_order_id"]
    answers = at_once(
        [
            lambda number=number, client=client: client.patch(
                f"{ORDERS}/{order}/contract",
                json={"patch": {"party": {"owner_name": f"Owner {number}"}}},
                headers={"If-Match": '"1"'},
            )
            for number, client in enumerate(clients)
        ]
    )

    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: CLIENTS - 1}
    (winner,) = (answer.get_json() for answer in answers if answer.status_code == 200)
    (found,) = rows("select version, contract from work_orders where work_order_id = :id", id=order)
    assert found.version == 2
    assert winner["work_order"]["contract"]["party"]["owner_name"] in found.contract
    assert len(rows("select 1 from snapshots where work_order_id = :id", id=order)) == 2


def test_being_made_ready_by_many_at_once_makes_one_pack(clients, ready, desk, rows):
    desk.post(f"{ORDERS}/{ready}/status", json={"status": "DATA_PENDING"})
    answers = at_once(
        [
            lambda client=client: client.post(
                f"{ORDERS}/{ready}/status", json={"status": "READY_FOR_RENDER"}
            )
            for client in clients
        ]
    )

    assert [answer.status_code for answer in answers] == [200] * CLIENTS
    assert Counter(answer.get_json()["changed"] for answer in answers) == {
        True: 1, False: CLIENTS - 1,
    }  # fmt: skip
    assert len(rows("select 1 from packs where work_order_id = :id", id=ready)) == 1
    assert len(rows("select 1 from operations where work_order_id = :id", id=ready)) == 1


def test_many_work_orders_with_the_same_new_texts_do_not_wait_for_ever(
    make_firm, make_user, sign_in, rows
):
    """The firm's first snapshots all bring the same rule set, profile and registers."""
    firm = make_firm()
    client = sign_in(make_user(firm))
    orders = [
        client.post(ORDERS, json={"report_type": "VALUATION", "bank_type": "SBI"}).get_json()
        for _ in range(8)
    ]
    answers = at_once(
        [
            lambda order=order: client.patch(
                f"{ORDERS}/{order['work_order_id']}/contract",
                json={"patch": {"party": {"owner_name": "A"}}},
            )
            for order in orders
        ]
    )

    assert [answer.status_code for answer in answers] == [200] * 8
    parts = rows(
        "select parts from snapshots where tenant_id = :t and kind = 'output'", t=firm.tenant_id
    )
    kept = rows("select sha256 from bundle_parts where tenant_id = :t", t=firm.tenant_id)
    wanted = {digest for row in parts for digest in row.parts.values()}
    assert wanted == {row.sha256 for row in kept}


def test_the_same_write_sent_twice_at_once_is_done_once(clients, create, rows):
    order = create()["work_order_id"]
    answers = at_once(
        [
            lambda client=client: client.patch(
                f"{ORDERS}/{order}/contract",
                json={"patch": {"party": {"owner_name": "Once"}}},
                headers={"Idempotency-Key": f"once-{order}"},
            )
            for client in clients[:6]
        ]
    )

    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.get_data() for answer in answers}) == 1
    assert len(rows("select 1 from snapshots where work_order_id = :id", id=order)) == 2
