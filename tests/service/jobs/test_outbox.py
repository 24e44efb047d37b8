"""Work is asked for in the transaction that makes it necessary, and once for each key."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import make_url

from service.database.connections import become, transaction
from service.jobs.outbox import cancel, enqueue
from service.jobs.running import run_pending
from tests.service.jobs.conftest import operator


def test_work_asked_for_stands_if_and_only_if_the_transaction_commits(service, firm, ask, look):
    with service.engine.connect() as connection:
        become(connection, "zen_web", tenant_id=firm.tenant_id, audience="web")
        enqueue(connection, operator(firm), "test.write", key="never", subject_id=None)
        connection.rollback()
    assert look("select count(*) from operations")[0][0] == 0

    ask(key="always", payload={"seconds": 0})

    assert [
        (one.operation_key, one.status, one.payload) for one in look("select * from operations")
    ] == [("always", "pending", {"seconds": 0})]


def test_the_same_key_is_the_same_row(ask, look):
    assert ask(key="a") == ask(key="a")
    assert ask(key="a") != ask(key="b")

    assert look("select count(*) from operations")[0][0] == 2


def test_the_same_key_of_another_firm_is_another_row(ask, make_firm):
    assert ask(key="a") != ask(key="a", of=make_firm())


def test_twenty_at_once_with_one_key_make_one_row(ask, look):
    together = threading.Barrier(10)

    def one(_):
        together.wait()
        return ask(key="race")

    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(one, range(10)))

    assert len(ids) == 1
    assert look("select count(*) from operations")[0][0] == 1


def test_a_kind_that_is_not_listed_is_refused(ask):
    with pytest.raises(ValueError, match="no kind of job"):
        ask("os.system")


def test_a_key_that_stands_for_another_kind_is_refused(ask):
    ask("test.write", key="k")

    with pytest.raises(ValueError, match=r"test\.write"):
        ask("test.fail", key="k")


def test_a_commit_that_asks_for_work_gives_notice(ask, database):
    plain = make_url(database.jobs_url).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(), autocommit=True) as listening:
        listening.execute("listen zenops_operations")
        assert list(listening.notifies(timeout=0.05)) == []

        ask()

        assert len(list(listening.notifies(timeout=2, stop_after=1))) == 1


def test_a_row_is_of_the_firm_that_asked(ask, service, make_firm):
    ask()
    other = make_firm()
    with transaction(service.engine, role="zen_web", tenant_id=other.tenant_id) as connection:
        assert connection.exec_driver_sql("select count(*) from operations").scalar() == 0


def test_cancelled_work_does_not_run(service, firm, ask, jobs, row, look):
    operation = ask()
    with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
        assert cancel(connection, operator(firm), operation, reason="superseded")
        assert not cancel(connection, operator(firm), operation, reason="again")

    assert run_pending(jobs) == 0
    assert (row(operation).status, row(operation).reason) == ("cancelled", "superseded")
    assert look("select * from counting.effects") == []
