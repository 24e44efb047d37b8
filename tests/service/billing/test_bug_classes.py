"""One test for each class of bug that ledgers really have, and for the original's weaknesses.

The classes are those of reliability.md 1.3; 7, late news of a provider, is among the payments'.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from service import clock
from service.actor import Actor
from service.api.answers import json_ready
from service.billing import accounts, credits, journal, records
from service.billing.accounts import Account
from service.billing.acting import as_billing
from service.billing.studio_tenant import studio_tenant
from service.billing.usage import record_usage
from service.bootstrap import Service
from service.errors import ServiceError
from service.identifiers import new_id
from tests.service.billing.conftest import acting, open_account, person, studio

REF = ("channel_request", "one")
NewAccount = Callable[..., Account]


def refusal(act: Callable[[], Any]) -> str:
    """The code that it is refused with."""
    with pytest.raises(ServiceError) as refused:
        act()
    return refused.value.code


@contextmanager
def statements() -> Iterator[list[str]]:
    """What the driver is given to send to the database meanwhile."""
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def note(cursor: Any, statement: Any, *rest: Any, **options: Any) -> Any:
        sent.append(str(statement))
        return execute(cursor, statement, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", note)
        yield sent


#: Everything that moves credits: each is handed an account with an active hold of REF.
MOVES: dict[str, Callable[[Connection, Actor, Account], Any]] = {
    "grant": lambda c, a, account: credits.grant(c, a, account, 1, key="new"),
    "topup": lambda c, a, account: credits.grant(c, a, account, 1, key="new", kind="topup"),
    "adjustment": lambda c, a, account: credits.grant(
        c, a, account, -1, key="new", kind="adjustment", reason="typo"
    ),
    "reserve": lambda c, a, account: credits.reserve(
        c, a, account, 1, key="new", ref=("channel_request", "two")
    ),
    "override": lambda c, a, account: credits.reserve(
        c, a, account, 99, key="new", ref=("channel_request", "two"), override_reason="urgent"
    ),
    "consume": lambda c, a, account: credits.consume(c, a, account, key="new", ref=REF),
    "release": lambda c, a, account: credits.release(
        c, a, account, key="new", ref=REF, reason="cancelled"
    ),
    "expire": lambda c, a, account: credits.release(
        c, a, account, key="new", ref=REF, reason="dead", kind="expire"
    ),
}


def with_a_hold(service: Service, account: Account) -> Actor:
    """The account reserves one credit for REF."""
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        credits.reserve(connection, actor, account, 1, key="held", ref=REF)
    return actor


# --- 1. A check outside of the lock


@pytest.mark.parametrize("move", MOVES)
def test_class_1_whatever_moves_credits_locks_the_wallet_before_it_reads_anything(
    service: Service, new_account: NewAccount, move: str
) -> None:
    account = new_account(5)
    actor = with_a_hold(service, account)
    with acting(service, actor) as connection, statements() as sent:
        MOVES[move](connection, actor, account)

    tables = ("open_books", "credit_wallets", "credit_holds", "journal_entries", "billing_accounts")
    reading = [one for one in sent if any(table in one for table in tables)]
    assert "app.open_books" in reading[0]


def test_class_1_the_call_that_opens_the_books_locks_before_it_looks(owner_engine: Engine) -> None:
    with owner_engine.connect() as connection:
        body = connection.scalar(
            text("select prosrc from pg_proc where proname = 'open_books' and provolatile = 'v'")
        )
    _, lock, looks = body.split("from public.", 2)
    assert lock.startswith("credit_wallets")
    assert "for update" in lock
    assert looks.startswith("billing_accounts")


def test_class_1_the_last_credit_is_not_seen_by_two(
    service: Service, new_account: NewAccount
) -> None:
    account = new_account(1)
    first, second = person(account.tenant_id), person(account.tenant_id)
    told: list[str] = []

    def come_second() -> None:
        with acting(service, second) as connection:
            told.append(
                refusal(
                    lambda: credits.reserve(
                        connection, second, account, 1, key="k2", ref=("channel_request", "two")
                    )
                )
            )

    with acting(service, first) as connection:
        credits.reserve(connection, first, account, 1, key="k1", ref=REF)
        other = threading.Thread(target=come_second)
        other.start()
        other.join(0.3)
        # Nobody has committed, so nobody is told anything.
        assert told == []
    other.join(10)
    assert told == ["INSUFFICIENT_CREDITS"]


# --- 2. The record of a key apart from its effect


@pytest.mark.parametrize("move", MOVES)
def test_class_2_key_effect_and_counters_are_one_statement(
    service: Service, new_account: NewAccount, move: str
) -> None:
    account = new_account(5)
    actor = with_a_hold(service, account)
    with acting(service, actor) as connection, statements() as sent:
        MOVES[move](connection, actor, account)

    writing = [one for one in sent if "insert into journal_entries" in one]
    assert len(writing) == (2 if move == "override" else 1)
    assert all("update credit_wallets" in one for one in writing)
    if move in {"reserve", "override", "consume", "release", "expire"}:
        assert "credit_holds" in writing[-1]


def test_class_2_what_is_rolled_back_leaves_neither_effect_nor_key(
    service: Service, new_account: NewAccount
) -> None:
    account = new_account(5)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        # What PostgreSQL does with the transaction of a process that dies.
        connection.rollback()
    with acting(service, actor) as connection:
        again = credits.reserve(connection, actor, account, 2, key="k", ref=REF)

    assert (again.replayed, again.reserved) == (False, 2)


# --- 3. A child's id minted anew in a retried request


@pytest.mark.parametrize("override", [None, "urgent"])
def test_class_3_a_repeated_reserve_names_the_first_hold_and_entry(
    service: Service, new_account: NewAccount, override: str | None
) -> None:
    account = new_account(2)
    actor = studio(account.tenant_id)
    amount = 1 if override is None else 5
    answers = []
    for _ in range(3):
        with acting(service, actor) as connection:
            answers.append(
                credits.reserve(
                    connection,
                    actor,
                    account,
                    amount,
                    key="k",
                    ref=REF,
                    override_reason=override,
                    # A retry counts its minutes anew.
                    expires_at=clock.now() + timedelta(minutes=5),
                )
            )

    bodies = [json_ready(records.told_status(answer)) for answer in answers]
    assert bodies[0] == bodies[1] == bodies[2]
    assert [answer.replayed for answer in answers] == [False, True, True]
    assert answers[0].hold == answers[2].hold


# --- 4. A hold that is not counted, or counted twice


def test_class_4_what_is_held_is_not_available_and_comes_back_once(
    service: Service, new_account: NewAccount
) -> None:
    account = new_account(2)
    actor = studio(account.tenant_id)

    def reserve(connection: Connection, amount: int, key: str, ref: str) -> credits.CreditStatus:
        return credits.reserve(
            connection, actor, account, amount, key=key, ref=("channel_request", ref)
        )

    with acting(service, actor) as connection:
        reserve(connection, 2, "k1", "one")
        assert refusal(lambda: reserve(connection, 1, "k2", "two")) == "INSUFFICIENT_CREDITS"
    # As after a restart: nothing but the database remembers.
    service.engine.dispose()
    with acting(service, actor) as connection:
        freed = credits.release(connection, actor, account, ref=REF, key="r", reason="cancelled")
        assert (freed.wallet, freed.reserved, freed.available) == (2, 0, 2)
        again = credits.release(connection, actor, account, ref=REF, key="r", reason="cancelled")
        assert (again.wallet, again.reserved, again.available) == (2, 0, 2)
        assert (
            refusal(
                lambda: credits.release(connection, actor, account, ref=REF, key="r2", reason="so")
            )
            == "RESERVATION_ALREADY_RELEASED"
        )
        assert journal.find_wallet(connection, account.tenant_id, account.account_id).available == 2


# --- 5. A transition out of a dead state, by another name


def test_class_5_a_dead_hold_stays_dead_by_whatever_name(
    service: Service, new_account: NewAccount
) -> None:
    account, other = new_account(5), new_account(5)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        dead = credits.reserve(connection, actor, account, 1, key="k1", ref=REF).hold
        assert dead is not None
        credits.release(connection, actor, account, hold_id=dead.hold_id, key="r", reason="so")
        # By its reference while there is no newer one, by its id, and by another account.
        for what, code in (
            ({"ref": REF}, "RESERVATION_ALREADY_RELEASED"),
            ({"hold_id": dead.hold_id}, "RESERVATION_ALREADY_RELEASED"),
        ):
            assert (
                refusal(
                    lambda what=what: credits.consume(connection, actor, account, key="c", **what)
                )  # type: ignore[misc]
                == code
            )
        living = credits.reserve(connection, actor, account, 1, key="k2", ref=REF).hold
        assert living is not None
        assert living.hold_id != dead.hold_id
        for which in (dead, living):
            assert (
                refusal(
                    lambda which=which: credits.consume(  # type: ignore[misc]
                        connection, actor, other, hold_id=which.hold_id, key="c"
                    )
                )
                == "NOT_FOUND"
            )
        # The reference means the one that lives, although the dead one has it too.
        used = credits.consume(connection, actor, account, ref=REF, key="c")
        assert used.hold is not None
        assert used.hold.hold_id == living.hold_id


# --- 6. A lock that is given back before the outermost change is stored


@pytest.mark.parametrize("move", MOVES)
def test_class_6_the_wallet_is_locked_until_the_callers_transaction_ends(
    service: Service, new_account: NewAccount, move: str
) -> None:
    account = new_account(5)
    actor = with_a_hold(service, account)
    with acting(service, actor) as connection:
        MOVES[move](connection, actor, account)
        # The operation has returned; what it is part of has not been stored.
        with acting(service, actor) as another:
            another.execute(text("set local lock_timeout = '50ms'"))
            with pytest.raises(OperationalError, match="lock timeout"), as_billing(another):
                journal.lock_account(another, account.tenant_id, account.account_id)
            another.rollback()


# --- 8. A memory that is shorter than the retries


def test_class_8_a_key_is_known_after_years(
    service: Service, new_account: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = new_account(5)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        first = credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        credits.consume(connection, actor, account, ref=REF, key="c")
    later = clock.now() + timedelta(days=3_660)
    monkeypatch.setattr(clock, "now", lambda: later)
    with acting(service, actor) as connection:
        again = credits.reserve(connection, actor, account, 1, key="k", ref=REF)

    assert again.replayed
    assert again.hold == first.hold


# --- 9. Counters that drift from the journal


def test_class_9_a_counter_that_drifted_is_reported_and_not_mended(
    service: Service, new_account: NewAccount, owner_engine: Engine
) -> None:
    account = new_account(5)
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "update credit_wallets set wallet = wallet + 1, available = available + 1"
                " where account_id = :a"
            ),
            {"a": account.account_id},
        )
    with acting(service, studio(account.tenant_id)) as connection:
        for _ in range(2):
            found = journal.verify_journal(connection, account.tenant_id, account.account_id)
            assert [problem.seq for problem in found] == [0]
            assert "the wallet says 6 available" in found[0].what


# --- What the original got wrong


def rows_of(engine: Engine, account: Account) -> Any:
    """An account's row as it lies in the table, with who wrote it last."""
    with engine.connect() as connection:
        return connection.execute(
            text("select a.xmin::text, a::text from billing_accounts a where account_id = :a"),
            {"a": account.account_id},
        ).one()


def test_weakness_37_reading_an_account_changes_nothing_of_its_policy(
    service: Service, new_account: NewAccount, owner_engine: Engine
) -> None:
    account = new_account(5)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        changed = accounts.change_policy(
            connection, actor, account, payment_terms_days=45, is_enabled=False
        )
    before = rows_of(owner_engine, account)
    with acting(service, actor) as connection:
        accounts.find_account(connection, account.tenant_id, account.account_id)
        accounts.account_by_key(connection, account.external_key)
        accounts.account_for(connection, account.tenant_id, None)
        records.find_accounts(connection, tenant_id=account.tenant_id, limit=100)
        # A disabled policy stays so, and is what is refused.
        assert (
            refusal(lambda: credits.reserve(connection, actor, changed, 1, key="k", ref=REF))
            == "ACCOUNT_NOT_ACTIVE"
        )

    assert rows_of(owner_engine, account) == before


def test_weakness_37_a_firm_without_an_account_gets_none_by_being_read(
    service: Service, make_firm: Any
) -> None:
    firm = make_firm()
    actor = person(firm.tenant_id)
    with acting(service, actor) as connection:
        assert accounts.account_for(connection, firm.tenant_id, new_id()) is None
        assert records.find_accounts(connection, tenant_id=firm.tenant_id) == []
        made = accounts.ensure_account_for(connection, actor)
        assert (made.external_key, made.billing_mode, made.payment_terms_days) == (
            f"v2:tenant:{firm.tenant_id}",
            "POSTPAID",
            15,
        )
        assert accounts.ensure_account_for(connection, actor) == made


def test_weakness_41_a_key_of_another_operation_is_refused(
    service: Service, new_account: NewAccount
) -> None:
    account = new_account(5)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        for act in (
            lambda: credits.consume(connection, actor, account, ref=REF, key="k"),
            lambda: credits.release(connection, actor, account, ref=REF, key="k", reason="so"),
            lambda: credits.grant(connection, actor, account, 1, key="k"),
            lambda: credits.reserve(connection, actor, account, 2, key="k", ref=REF),
            lambda: credits.reserve(
                connection, actor, account, 1, key="k", ref=("channel_request", "two")
            ),
        ):
            assert refusal(act) == "IDEMPOTENCY_KEY_REUSED"
        # And the reservation stands.
        assert credits.active_hold(connection, account.tenant_id, REF) is not None


def test_weakness_41_an_account_has_its_keys_for_itself(
    service: Service, new_account: NewAccount
) -> None:
    one, two = new_account(5), new_account(5)
    actor = studio(one.tenant_id)
    with acting(service, actor) as connection:
        first = credits.reserve(connection, actor, one, 1, key="k", ref=REF)
        second = credits.reserve(connection, actor, two, 1, key="k", ref=REF)

    assert not second.replayed
    assert first.entry_id != second.entry_id


@pytest.mark.parametrize("amount", ["0.1", "0.2", "0.3", "1.005", "90071992547409.91"])
def test_weakness_44_money_is_never_a_float(amount: str) -> None:
    exact = Decimal(amount)

    assert json_ready(exact) == amount
    with pytest.raises(TypeError):
        json_ready(float(amount))


def test_weakness_45_an_account_is_never_given_to_another_firm(
    service: Service, new_account: NewAccount, make_firm: Any, owner_engine: Engine
) -> None:
    account = new_account(5)
    before = rows_of(owner_engine, account)
    other = make_firm().tenant_id
    for tenant_id in (other, account.tenant_id):
        actor = studio(tenant_id)
        with acting(service, actor) as connection:
            assert (
                refusal(
                    lambda: accounts.create_account(
                        connection,
                        actor,  # noqa: B023
                        tenant_id,  # noqa: B023
                        external_key=account.external_key,
                        display_name="Somebody else",
                    )
                )
                == "EXTERNAL_KEY_TAKEN"
            )

    assert rows_of(owner_engine, account) == before


def test_weakness_45_the_account_that_work_is_billed_to_is_the_one_that_operators_see(
    service: Service, make_firm: Any
) -> None:
    firm = make_firm()
    actor = studio(firm.tenant_id)
    with acting(service, actor) as connection:
        made = accounts.create_account(
            connection,
            actor,
            firm.tenant_id,
            external_key=accounts.tenant_key(firm.tenant_id),
            display_name=firm.name,
        )
        assert accounts.ensure_account_for(connection, person(firm.tenant_id)) == made


@pytest.mark.parametrize(
    "key",
    [
        *(f"v1:{kind}:10" for kind in ("partner", "client", "assignment", "invoice", "channel")),
        "v2:tenant:a-B_9",
        "v2:external:0",
        "v1:partner:" + "x" * 189,
    ],
)
def test_weakness_50_every_key_that_either_system_writes_is_one(
    service: Service, firm_id: UUID, key: str
) -> None:
    actor = studio(firm_id)
    with acting(service, actor) as connection:
        made = accounts.create_account(
            connection, actor, firm_id, external_key=key, display_name="Specimen"
        )
        assert accounts.account_by_key(connection, key) == made


@pytest.mark.parametrize(
    "key",
    [
        "",
        "tenant:1",
        "external_associate:seed",
        "v1:tenant:1",
        "v2:partner:1",
        "v3:tenant:1",
        "v1:partner:",
        "v1:partner:a b",
        "v1:partner:ä",
        "v1:partner:1\n",
        " v1:partner:1",
        "v1:partner:1:2",
        "V1:partner:1",
        "v1:partner:" + "x" * 190,
    ],
)
def test_what_is_no_key_is_refused_and_the_database_agrees(owner_engine: Engine, key: str) -> None:
    assert refusal(lambda: accounts.read_external_key(key)) == "EXTERNAL_KEY_INVALID"
    with owner_engine.connect() as connection:
        allowed = connection.scalar(
            text(
                "select length(:key) <= 200 and :key ~ '^(v1:(partner|client|assignment|invoice|"
                "channel)|v2:(tenant|external)):[A-Za-z0-9_-]+$'"
            ),
            {"key": key},
        )
    assert not allowed


def test_weakness_49_usage_is_filed_under_its_own_firm_and_its_keys_are_the_firms(
    service: Service, make_firm: Any
) -> None:
    one, two = make_firm().tenant_id, make_firm().tenant_id
    filed = {}
    for tenant_id in (one, two):
        actor = person(tenant_id)
        account = open_account(service, tenant_id)
        with acting(service, actor) as connection:
            filed[tenant_id] = record_usage(connection, actor, account, "work_accepted", key="k")
            again = record_usage(connection, actor, account, "work_accepted", key="k")
            assert again == filed[tenant_id]
            assert (
                refusal(
                    lambda: record_usage(connection, actor, account, "work_delivered", key="k")  # noqa: B023
                )
                == "IDEMPOTENCY_KEY_REUSED"
            )

            # The older system's keys are one series for all firms.
            def older() -> Any:
                return record_usage(
                    connection,
                    actor,  # noqa: B023
                    account,  # noqa: B023
                    "work_accepted",
                    key="k",
                    source="v1",
                )

            if tenant_id == one:
                assert older() not in filed.values()
            else:
                assert refusal(older) == "IDEMPOTENCY_KEY_REUSED"
            seen = connection.execute(
                text("select tenant_id, account_id from usage_events where operation_key = 'k'")
            ).all()
            assert [tuple(row) for row in seen] == [(tenant_id, account.account_id)] * (
                2 if tenant_id == one else 1
            )
    assert filed[one] != filed[two]


def test_the_studio_is_found_by_its_kind_not_by_a_number_in_the_code(
    service: Service, make_firm: Any
) -> None:
    firm = make_firm()
    with acting(service, person(firm.tenant_id)) as connection, as_billing(connection):
        assert refusal(lambda: studio_tenant(connection)) == "STUDIO_NOT_SET_UP"
    first = make_firm(kind="service")
    make_firm(kind="service")
    with acting(service, person(firm.tenant_id)) as connection, as_billing(connection):
        assert studio_tenant(connection) == first.tenant_id


def test_times_of_a_repeated_answer_are_those_of_the_first(
    service: Service, new_account: NewAccount
) -> None:
    account = new_account(5)
    actor = studio(account.tenant_id)
    until = datetime(2030, 1, 1, 5, 30, 0, 1, tzinfo=UTC)
    with acting(service, actor) as connection:
        first = credits.reserve(connection, actor, account, 1, key="k", ref=REF, expires_at=until)
        again = credits.reserve(connection, actor, account, 1, key="k", ref=REF)
        (stored,) = credits.holds_of(connection, account.tenant_id, account.account_id)

    assert first.hold == again.hold == stored
    assert again.hold is not None
    assert again.hold.expires_at == until
