"""The journal: what it refuses to hold, who may not touch it, and how tampering shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from contracts.canonical_json import digest
from contracts.exact_json import read_json
from service import clock
from service.billing import credits, journal
from service.billing.accounts import Account
from service.billing.acting import as_billing
from service.bootstrap import Service
from service.errors import ServiceError
from service.identifiers import new_id
from tests.service.billing.conftest import acting, studio

REF = ("channel_request", "one")


def story(service: Service, account: Account) -> None:
    """Reserve, use in part, take away, buy: with the first grant, five entries."""
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        credits.reserve(connection, actor, account, 4, key="r", ref=REF)
        credits.consume(connection, actor, account, ref=REF, key="c", amount=3)
        credits.grant(connection, actor, account, -2, key="a", kind="adjustment", reason="typo")
        credits.grant(connection, actor, account, 5, key="t", kind="topup")


@pytest.fixture
def after(owner_engine: Engine, new_account: Callable[[int], Account], service: Service) -> Any:
    """after(*statements) -> what is found in a fresh account's journal once a superuser ran them."""

    def act(*statements: str) -> list[tuple[int, str]]:
        account = new_account(10)
        story(service, account)
        with owner_engine.begin() as connection:
            connection.execute(text("set local session_replication_role = replica"))
            for statement in statements:
                changed = connection.execute(text(statement), {"a": account.account_id})
                assert changed.rowcount >= 1
        with acting(service, studio(account.tenant_id)) as connection:
            found = journal.verify_journal(connection, account.tenant_id, account.account_id)
        return [(problem.seq, problem.what) for problem in found]

    return act


def test_what_nobody_touched_is_intact(after: Any) -> None:
    assert after() == []


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'another'",
        "kind = 'grant'",
        "operation_key = 'another'",
        "request_sha256 = repeat('0', 64)",
        "actor_id = gen_random_uuid()",
        "actor_kind = 'job'",
        "hold_id = null",
        "invoice_id = gen_random_uuid()",
        "payment_order_id = gen_random_uuid()",
        "ref_type = 'another'",
        "ref_id = 'another'",
        "result = '{}'",
        "entry_id = gen_random_uuid()",
    ],
)
def test_every_column_of_an_entry_is_covered(after: Any, change: str) -> None:
    found = after(f"update journal_entries set {change} where account_id = :a and seq = 3")  # noqa: S608

    assert found == [(3, "it is not as it was written")]


def test_an_entry_that_says_another_time_is_found(after: Any) -> None:
    found = after(
        "update journal_entries set at = at - interval '1 day' where account_id = :a and seq = 3"
    )

    assert found == [
        (3, "it is not as it was written"),
        (3, "it is older than the entry before it"),
    ]


def test_another_amount_is_found_and_the_counters_no_longer_agree(after: Any) -> None:
    found = after(
        'update journal_entries set postings = \'{"credits:issued": -11, "credits:available": 11}\''
        " where account_id = :a and seq = 1"
    )

    assert found == [
        (1, "it is not as it was written"),
        (0, "the wallet says 10 available and 0 reserved, the journal 11 and 0"),
    ]


def test_postings_that_do_not_add_up_are_found_although_the_database_refuses_them(
    owner_engine: Engine, new_account: Callable[[int], Account]
) -> None:
    account = new_account(10)
    with owner_engine.connect() as connection:  # rolled back
        for statement in (
            "set local session_replication_role = replica",
            "alter table journal_entries drop constraint journal_entries_postings_check",
            'update journal_entries set postings = \'{"credits:issued": -9, "credits:available": 10}\'',
        ):
            connection.execute(text(statement))
        found = journal.verify_journal(connection, account.tenant_id, account.account_id)

    assert [(problem.seq, problem.what) for problem in found] == [
        (1, "it is not as it was written"),
        (1, "the postings in credits add up to 1, not to nothing"),
    ]


def test_a_counter_that_can_never_have_been_is_found(after: Any) -> None:
    found = after(
        'update journal_entries set postings = \'{"credits:issued": -1, "credits:available": 1}\''
        " where account_id = :a and seq = 1"
    )

    assert (2, "a counter is below nothing after it") in found


def test_an_entry_that_is_gone_is_found(after: Any) -> None:
    found = after("delete from journal_entries where account_id = :a and seq = 4")

    assert found == [
        (4, "entries 4 to 4 lack"),
        (5, "it does not follow the entry before it"),
        (0, "the wallet says 10 available and 0 reserved, the journal 12 and 0"),
    ]


def test_a_newest_entry_that_is_gone_is_found(after: Any) -> None:
    found = after("delete from journal_entries where account_id = :a and seq = 5")

    assert found == [
        (0, "the wallet's head is entry 5, not 4"),
        (0, "the wallet says 10 available and 0 reserved, the journal 5 and 0"),
    ]


def test_entries_in_another_order_are_found(after: Any) -> None:
    found = after(
        "update journal_entries set seq = seq + 100 where account_id = :a and seq = 4",
        "update journal_entries set seq = 4 where account_id = :a and seq = 5",
        "update journal_entries set seq = 5 where account_id = :a and seq = 104",
    )

    assert {seq for seq, _ in found} >= {4, 5}


def test_an_entry_that_was_hashed_anew_no_longer_has_a_follower(after: Any) -> None:
    found = after(
        "update journal_entries set hash = repeat('a', 64) where account_id = :a and seq = 3"
    )

    assert found == [
        (3, "it is not as it was written"),
        (4, "it does not follow the entry before it"),
    ]


@pytest.mark.parametrize("change", ["wallet = 11, available = 11", "wallet = 11, reserved = 1"])
def test_counters_that_were_moved_alone_are_found(after: Any, change: str) -> None:
    found = after(f"update credit_wallets set {change} where account_id = :a")  # noqa: S608

    assert [seq for seq, _ in found] == [0]


def test_a_head_that_was_moved_is_found(after: Any) -> None:
    found = after("update credit_wallets set journal_seq = 6 where account_id = :a")

    assert found == [(0, "the wallet's head is entry 6, not 5")]


def test_the_audit_trail_names_the_hash_of_each_movement(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    """Whoever writes a whole journal anew has the sealed audit chain against them."""
    account = new_account(10)
    story(service, account)
    with acting(service, studio(account.tenant_id)) as connection:
        names = {"tenant": account.tenant_id, "account": account.account_id}
        told = connection.scalars(
            text(
                "select d.details from audit_events e join audit_details d using (tenant_id, event_id)"
                " where e.tenant_id = :tenant and e.subject_id = cast(:account as text)"
                " and e.action like 'billing:credits:%' order by e.event_id"
            ),
            names,
        ).all()
        hashes = connection.scalars(
            text("select hash from journal_entries where account_id = :account order by seq"), names
        ).all()

    assert [read_json(one, "details").value["after"]["entry_hash"] for one in told] == hashes


def test_entries_and_audit_tell_what_was_done_in_its_own_words(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = new_account(10)
    story(service, account)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        ref = ("channel_request", "two")
        credits.reserve(connection, actor, account, 99, key="o", ref=ref, override_reason="urgent")
        credits.release(connection, actor, account, key="x", ref=ref, reason="dead", kind="expire")
        names = {"account": account.account_id}
        entries = connection.execute(
            text(
                "select kind, postings from journal_entries where account_id = :account order by seq"
            ),
            names,
        ).all()
        actions = connection.scalars(
            text(
                "select action from audit_events where subject_id = cast(:account as text)"
                " and action like 'billing:credits:%' order by event_id"
            ),
            names,
        ).all()

    assert [tuple(entry) for entry in entries] == [
        ("grant", {"credits:issued": -10, "credits:available": 10}),
        ("reserve", {"credits:available": -4, "credits:held": 4}),
        ("consume", {"credits:held": -4, "credits:consumed": 3, "credits:available": 1}),
        ("adjustment", {"credits:adjusted": 2, "credits:available": -2}),
        ("topup", {"credits:issued": -5, "credits:available": 5}),
        ("override", {"credits:override": -89, "credits:available": 89}),
        ("reserve", {"credits:available": -99, "credits:held": 99}),
        ("expire", {"credits:held": -99, "credits:available": 99}),
    ]
    assert [action.rpartition(":")[2] for action in actions] == [
        "granted",
        "reserved",
        "consumed",
        "adjusted",
        "topped_up",
        "overridden",
        "reserved",
        "expired",
    ]


def test_an_account_that_is_not_there_has_no_books(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = dataclasses.replace(new_account(1), account_id=new_id())
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        with pytest.raises(ServiceError) as refused:
            credits.grant(connection, actor, account, 1, key="k")
        assert refused.value.status == 404
        # And the transaction is its own again.
        assert connection.scalar(text("select current_setting('role')")) == "zen_studio"


def test_a_hash_covers_the_canonical_json_of_what_is_not_null(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    account = new_account(3)
    with acting(service, studio(account.tenant_id)) as connection:
        row = dict(
            connection.execute(
                text("select * from journal_entries where account_id = :account"),
                {"account": account.account_id},
            )
            .mappings()
            .one()
        )
    written = row.pop("hash")
    row["at"] = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    plain = {
        name: value if isinstance(value, int | dict) else str(value)
        for name, value in row.items()
        if value is not None
    }

    assert written == digest(plain)


# --- What the database refuses


@pytest.mark.parametrize(
    "statement",
    [
        "update journal_entries set reason = 'another' where account_id = :a",
        "delete from journal_entries where account_id = :a",
        "truncate journal_entries cascade",
    ],
)
def test_entries_stand_even_against_their_owner(
    owner_engine: Engine, new_account: Callable[[int], Account], statement: str
) -> None:
    account = new_account(3)

    with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text(statement), {"a": account.account_id})


@pytest.mark.parametrize("role", ["zen_web", "zen_studio", "zen_portal"])
@pytest.mark.parametrize(
    "statement",
    [
        "update credit_wallets set wallet = wallet + 1, available = available + 1",
        "update billing_accounts set billing_mode = 'CREDIT'",
        "update credit_holds set amount = amount + 1",
        "insert into credit_wallets (tenant_id, account_id) values (gen_random_uuid(), gen_random_uuid())",
        "delete from journal_entries",
    ],
)
def test_nobody_but_billing_writes_the_ledger(service: Service, role: str, statement: str) -> None:
    with service.engine.begin() as connection:
        connection.execute(text("select set_config('role', :role, true)"), {"role": role})
        with pytest.raises(ProgrammingError, match="permission denied"):
            connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement", ["update journal_entries set kind = 'grant'", "delete from journal_entries"]
)
def test_not_even_billing_changes_an_entry(
    service: Service, new_account: Callable[[int], Account], statement: str
) -> None:
    account = new_account(3)

    with (
        acting(service, studio(account.tenant_id)) as connection,
        pytest.raises(ProgrammingError, match="permission denied"),
        as_billing(connection),
    ):
        connection.execute(text(statement))


@pytest.mark.parametrize(
    "postings",
    [
        '{"credits:issued": -5, "credits:available": 4}',
        '{"credits:available": 5}',
        '{"credits:issued": -5, "inr:bank": 5}',
        '{"credits:issued": 0, "credits:available": 0}',
        '{"Credits:issued": -5, "Credits:available": 5}',
        "[]",
    ],
)
def test_the_database_refuses_an_entry_that_does_not_balance(
    owner_engine: Engine, new_account: Callable[[int], Account], postings: str
) -> None:
    account = new_account(3)

    with pytest.raises(IntegrityError, match="postings"), owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into journal_entries (tenant_id, entry_id, account_id, seq, kind,"
                " operation_key, request_sha256, actor_kind, at, postings, result, previous_hash,"
                " hash) values (:t, gen_random_uuid(), :a, 99, 'grant', 'x', repeat('0', 64),"
                " 'user', now(), :postings, '{}', '', repeat('0', 64))"
            ),
            {"t": account.tenant_id, "a": account.account_id, "postings": postings},
        )


@pytest.mark.parametrize(
    "counters",
    [
        "wallet = 2, reserved = 0, available = 3",
        "wallet = -1, available = -1",
        "reserved = -1, available = 4",
    ],
)
def test_the_database_refuses_counters_that_cannot_be(
    owner_engine: Engine, new_account: Callable[[int], Account], counters: str
) -> None:
    account = new_account(3)

    with pytest.raises(IntegrityError, match="credit_wallets"), owner_engine.begin() as connection:
        connection.execute(
            text(f"update credit_wallets set {counters} where account_id = :a"),  # noqa: S608
            {"a": account.account_id},
        )


# --- What the code refuses


@pytest.mark.parametrize(
    ("postings", "what"),
    [
        ({"credits:issued": -5, "credits:available": 4}, "add up to -1"),
        ({"credits:issued": -5, "credits:available": 5, "inr:bank": 1}, "inr add up to 1"),
        ({"credits:issued": 0}, "move nothing"),
        ({}, "move nothing"),
        ({"credits:issued": -5, "credits:elsewhere": 5}, "no ledger credits:elsewhere"),
    ],
)
def test_postings_that_are_no_double_entry_are_a_mistake_of_the_caller(
    service: Service, new_account: Callable[[int], Account], postings: dict[str, int], what: str
) -> None:
    account = new_account(3)
    with acting(service, studio(account.tenant_id)) as connection:
        wallet = journal.find_wallet(connection, account.tenant_id, account.account_id)

    with pytest.raises(ValueError, match=what):
        journal.moved_by(wallet, postings)


@pytest.mark.parametrize(
    "postings",
    [
        {"credits:available": -4, "credits:adjusted": 4},
        {"credits:held": -1, "credits:consumed": 1},
    ],
)
def test_a_counter_below_nothing_is_refused_by_name(
    service: Service, new_account: Callable[[int], Account], postings: dict[str, int]
) -> None:
    account = new_account(3)
    with acting(service, studio(account.tenant_id)) as connection:
        wallet = journal.find_wallet(connection, account.tenant_id, account.account_id)

    with pytest.raises(ServiceError) as refused:
        journal.moved_by(wallet, postings)
    assert (refused.value.status, refused.value.code) == (409, "CREDIT_BALANCE_INVARIANT_FAILED")


def test_the_last_credit_may_go(service: Service, new_account: Callable[[int], Account]) -> None:
    account = new_account(3)
    with acting(service, studio(account.tenant_id)) as connection:
        wallet = journal.find_wallet(connection, account.tenant_id, account.account_id)
    left = journal.moved_by(wallet, {"credits:available": -3, "credits:held": 3})

    assert (left.wallet, left.reserved, left.available) == (3, 3, 0)


def test_one_entry_moves_credits_and_money(
    service: Service, new_account: Callable[[int], Account]
) -> None:
    """What an invoice or a payment posts; credits stay where they are."""
    account = new_account(3)
    actor = studio(account.tenant_id)
    with acting(service, actor) as connection:
        with as_billing(connection):
            wallet = journal.lock_account(connection, account.tenant_id, account.account_id)
            moved = journal.post(
                connection,
                wallet,
                actor=actor,
                kind="invoice_issue",
                operation_key="issue",
                request_sha256=journal.request_digest("invoice_issue", amount=11_800),
                postings={
                    "inr:receivable": 11_800,
                    "inr:revenue": -10_000,
                    "inr:output_igst": -1_800,
                    "inr:rounding": 0,
                },
                result={"number": "one"},
            )
            known = journal.known_entry(
                connection, moved, "issue", journal.request_digest("invoice_issue", amount=11_800)
            )
        assert (moved.wallet, moved.reserved, moved.available) == (3, 0, 3)
        assert moved.journal_seq == wallet.journal_seq + 1
        assert known == '{"number":"one"}'
        with pytest.raises(ServiceError) as refused, as_billing(connection):
            journal.known_entry(
                connection, moved, "issue", journal.request_digest("invoice_issue", amount=1)
            )
        assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"
        found = journal.balance_at(connection, account.tenant_id, account.account_id, clock.now())
        assert found == journal.Balance(3, 0, 3, 11_800)
        assert journal.verify_journal(connection, account.tenant_id, account.account_id) == []


# --- Time


def test_a_balance_includes_the_entry_of_that_very_instant_and_none_later(
    service: Service, new_account: Callable[[int], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = new_account(0)
    actor = studio(account.tenant_id)
    noon = datetime(2027, 4, 1, 12, tzinfo=UTC)
    for hours in range(3):
        monkeypatch.setattr(clock, "now", lambda hours=hours: noon + timedelta(hours=hours))
        with acting(service, actor) as connection:
            credits.grant(connection, actor, account, 1, key=f"k{hours}")

    instant = timedelta(microseconds=1)
    with acting(service, actor) as connection:
        had = [
            journal.balance_at(connection, account.tenant_id, account.account_id, at).wallet
            for at in (
                noon - instant,
                noon,
                noon + timedelta(hours=1) - instant,
                noon + timedelta(hours=1),
                noon + timedelta(days=900),
            )
        ]
    assert had == [0, 1, 1, 2, 3]


def test_a_clock_that_goes_back_writes_no_entry_before_the_last(
    service: Service, new_account: Callable[[int], Account], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = new_account(5)
    actor = studio(account.tenant_id)
    before = clock.now()
    monkeypatch.setattr(clock, "now", lambda: before - timedelta(days=1))
    with acting(service, actor) as connection:
        credits.grant(connection, actor, account, 1, key="k")
        first, second = connection.scalars(
            text("select at from journal_entries where account_id = :a order by seq"),
            {"a": account.account_id},
        ).all()
        assert first == second
        assert journal.verify_journal(connection, account.tenant_id, account.account_id) == []
