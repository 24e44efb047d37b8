"""Random operations on a real ledger and on a plain model, and what holds after every one of them.

The invariants are numbered as the goals of this project number them. The eighth, that what was
delivered was paid for, is the release gate's and is proved there.
"""

from __future__ import annotations

import copy
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from service import clock
from service.billing import accounts, credits, journal
from service.billing.accounts import Account
from service.billing.credits import CreditStatus
from service.bootstrap import Service
from service.database.connections import become
from service.errors import ServiceError
from service.identifiers import new_id
from tests.chaos.size import NAME
from tests.service.billing import model
from tests.service.billing.conftest import studio
from tests.service.billing.model import ModelAccount, Outcome, RefusedError

#: Sequences in one part, their steps, and parts: 100 x 50, or 20,000 x 200.
SEQUENCES, STEPS, PARTS = {"small": (100, 50, 1)}.get(NAME, (1_000, 200, 20))
#: How often each outcome has to be met, or the operations are not random enough to prove a thing. A
#: hundred sequences need not meet every refusal.
LEAST_HITS = 1 if NAME == "small" else 100

#: Everything that the two accounts' rows say, and what has to hold of them whatever was done.
_BOOKS = text("""
select w.account_id, w.wallet, w.reserved, w.available, a.billing_mode, a.is_enabled, a.status,
    -- 1. The postings of each entry add up to nothing, credits and money each for itself.
    (select count(*) from journal_entries e where e.tenant_id = w.tenant_id
        and e.account_id = w.account_id and exists (
            select from jsonb_each_text(e.postings) as line (ledger, amount)
            group by left(ledger, 3) having sum(amount::bigint) <> 0)) as unbalanced,
    -- 2. The counters are what the journal adds up to.
    (select array[coalesce(sum((postings ->> 'credits:available')::bigint), 0),
                  coalesce(sum((postings ->> 'credits:held')::bigint), 0)]
        from journal_entries e where e.tenant_id = w.tenant_id and e.account_id = w.account_id) as fold,
    -- 4. What is reserved is what the open holds hold.
    (select coalesce(sum(amount), 0) from credit_holds h where h.tenant_id = w.tenant_id
        and h.account_id = w.account_id and h.status = 'active') as held,
    -- 5. A hold ends once at most, and all of it: what was consumed and what went back.
    (select count(*) from credit_holds h left join lateral (
            select count(*) as ends,
                coalesce(sum(-(postings ->> 'credits:held')::bigint), 0) as ended,
                coalesce(sum((postings ->> 'credits:consumed')::bigint), 0) as consumed,
                coalesce(sum((postings ->> 'credits:available')::bigint), 0) as freed
            from journal_entries e where e.tenant_id = h.tenant_id and e.hold_id = h.hold_id
                and e.kind in ('consume', 'release', 'expire')) e on true
        where h.tenant_id = w.tenant_id and h.account_id = w.account_id and not (
            case when h.status = 'active' then e.ends = 0
            else e.ends = 1 and e.ended = h.amount and e.consumed = h.consumed
                and e.consumed + e.freed = h.amount end)) as badly_ended,
    -- 7. A key has one effect at most.
    (select array[count(*), count(distinct operation_key), coalesce(max(seq), 0)]
        from journal_entries e where e.tenant_id = w.tenant_id and e.account_id = w.account_id) as keys,
    -- 6. Everything there is, so that what was refused is seen to have changed nothing.
    (select md5(string_agg(h::text, ' ' order by hold_id)) from credit_holds h
        where h.tenant_id = w.tenant_id and h.account_id = w.account_id) as holds_digest,
    (select md5(string_agg(e::text, ' ' order by seq)) from journal_entries e
        where e.tenant_id = w.tenant_id and e.account_id = w.account_id) as entries_digest
from credit_wallets w join billing_accounts a using (tenant_id, account_id)
where w.tenant_id = :tenant order by w.account_id
""")
_HOLDS = text(
    "select hold_id, ref_id, amount, status, consumed from credit_holds"
    " where tenant_id = :tenant and account_id = :account order by created_at, hold_id"
)

#: What the sequences have met; compared with OUTCOMES when they are through.
MET: Counter[str] = Counter()
OUTCOMES = {
    *(f"{kind} done" for kind in ("grant", "topup", "adjustment", "reserve", "override")),
    *(f"{kind} done" for kind in ("consume", "consume a part", "release", "expire", "switch")),
    *(f"{kind} replayed" for kind in ("grant", "reserve", "consume", "release")),
    *(f"{kind} tried" for kind in ("grant", "reserve", "consume", "release")),
    *(f"{kind} IDEMPOTENCY_KEY_REUSED" for kind in ("reserve", "consume", "release")),
    *(f"{kind} NOT_FOUND" for kind in ("consume", "release", "expire")),
    "adjustment INSUFFICIENT_CREDITS",
    "reserve ACCOUNT_NOT_ACTIVE",
    "reserve BILLING_MODE_NOT_CREDIT",
    "reserve HOLD_EXISTS",
    "reserve INSUFFICIENT_CREDITS",
    "consume RESERVATION_ALREADY_CONSUMED",
    "consume RESERVATION_ALREADY_RELEASED",
    "consume RESERVATION_TOO_SMALL",
    "release RESERVATION_ALREADY_CONSUMED",
    "release RESERVATION_ALREADY_RELEASED",
    "switch CREDIT_MODE_NEEDS_CREDITS",
}

WHICH = st.sampled_from((0, 0, 0, 1))
# Few keys, so that they come again; among them the very names that overrides give theirs.
KEYS = st.sampled_from([f"k{n}" for n in range(40)] + ["k1:override", "k2:override"])
REFS = st.sampled_from(["a", "b", "c", "d"])
RARELY = st.sampled_from([False] * 4 + [True])


class Ledger(RuleBasedStateMachine):
    """Two accounts of one firm; each sequence is one transaction that is rolled back."""

    service: Service
    firm_id: UUID

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.service.engine.connect()
        self.whole = self.connection.begin()
        become(self.connection, "zen_studio", tenant_id=self.firm_id, audience="studio")
        self.actor = studio(self.firm_id)
        self.accounts: list[Account] = []
        self.models: list[ModelAccount] = []
        self.past: list[tuple[datetime, list[tuple[int, int, int]]]] = []
        self.last: tuple[Any, ...] | None = None
        self.before: Any = None
        self.must_be_unchanged = False
        for _ in range(2):
            made = accounts.create_account(
                self.connection,
                self.actor,
                self.firm_id,
                external_key=f"v1:client:{new_id()}",
                display_name="Specimen Client",
            )
            self.accounts.append(
                accounts.change_policy(
                    self.connection,
                    self.actor,
                    made,
                    billing_mode="CREDIT",
                    force_enable_credit=True,
                )
            )
            self.models.append(ModelAccount())
        self.grant(0, "the first", "grant", 12, dry_run=False)

    def teardown(self) -> None:
        try:
            for account, expected in zip(self.accounts, self.models, strict=True):
                assert (
                    journal.verify_journal(self.connection, self.firm_id, account.account_id) == []
                )
                rows = self.connection.execute(
                    _HOLDS, {"tenant": self.firm_id, "account": account.account_id}
                )
                assert [tuple(row) for row in rows] == [
                    (name, hold.ref, hold.amount, hold.status, hold.consumed)
                    for name, hold in expected.holds.items()
                ]
        finally:
            self.whole.rollback()
            self.connection.close()

    # --- What is done

    @rule(
        which=WHICH,
        key=KEYS,
        kind=st.sampled_from(["grant", "topup", "adjustment"]),
        amount=st.sampled_from([1, 2, 3, 4, 5, 6, -1, -2, -9, 0]),
        dry_run=RARELY,
    )
    def grant(self, which: int, key: str, kind: Any, amount: int, dry_run: bool) -> None:
        self.last = ("grant", which, key, kind, amount)
        self.compare(
            kind,
            which,
            dry_run,
            lambda it, _: model.grant(it, key, kind, amount),
            lambda account: credits.grant(
                self.connection,
                self.actor,
                account,
                amount,
                key=key,
                kind=kind,
                reason="put right" if kind == "adjustment" else None,
                dry_run=dry_run,
            ),
        )

    @rule(
        which=WHICH,
        key=KEYS,
        amount=st.sampled_from([1, 1, 1, 2, 2, 3, 9, 0]),
        ref=REFS,
        override=RARELY,
        dry_run=RARELY,
    )
    def reserve(
        self, which: int, key: str, amount: int, ref: str, override: bool, dry_run: bool
    ) -> None:
        self.last = ("reserve", which, key, amount, ref, override)
        self.compare(
            "reserve",
            which,
            dry_run,
            lambda it, hold_id: model.reserve(
                it, key, amount, ref, override=override, hold_id=hold_id
            ),
            lambda account: credits.reserve(
                self.connection,
                self.actor,
                account,
                amount,
                key=key,
                ref=("channel_request", ref),
                override_reason="it is urgent" if override else None,
                dry_run=dry_run,
            ),
        )

    @precondition(lambda self: self.open_holds())
    @rule(
        key=KEYS,
        place=st.integers(0, 5),
        amount=st.sampled_from([None, None, 1, 1, 2, 3]),
        dry_run=RARELY,
    )
    def consume(self, key: str, place: int, amount: int | None, dry_run: bool) -> None:
        which, hold_id = self.open_hold(place)
        self.end_it(which, key, "consume", hold_id, amount, dry_run)

    @precondition(lambda self: self.open_holds())
    @rule(
        key=KEYS,
        kind=st.sampled_from(["release", "release", "expire"]),
        place=st.integers(0, 5),
        dry_run=RARELY,
    )
    def release(self, key: str, kind: Any, place: int, dry_run: bool) -> None:
        which, hold_id = self.open_hold(place)
        self.end_it(which, key, kind, hold_id, None, dry_run)

    @rule(
        which=WHICH,
        key=KEYS,
        kind=st.sampled_from(["consume", "release", "expire"]),
        by_ref=st.booleans(),
        ref=REFS,
        place=st.integers(0, 30),
    )
    def end_any(self, which: int, key: str, kind: Any, by_ref: bool, ref: str, place: int) -> None:
        """Any hold there is or was, of the other account too, or whatever is held for something."""
        known = [name for it in self.models for name in it.holds]
        target: Any = ref if by_ref or not known else known[place % len(known)]
        self.end_it(which, key, kind, target, None, dry_run=False)

    def open_holds(self) -> list[tuple[int, Any]]:
        """Which account has an open hold, and the hold's id."""
        return [
            (which, name)
            for which, it in enumerate(self.models)
            for name, hold in it.holds.items()
            if hold.status == "active"
        ]

    def open_hold(self, place: int) -> tuple[int, Any]:
        holds = self.open_holds()
        return holds[place % len(holds)]

    def end_it(
        self, which: int, key: str, kind: Any, target: Any, amount: int | None, dry_run: bool
    ) -> None:
        self.last = ("end_it", which, key, kind, target, amount)
        by = (
            {"ref": ("channel_request", target)} if isinstance(target, str) else {"hold_id": target}
        )
        options: dict[str, Any] = {"key": key, "dry_run": dry_run, **by}

        def act(account: Account) -> CreditStatus:
            if kind == "consume":
                return credits.consume(
                    self.connection, self.actor, account, amount=amount, **options
                )
            return credits.release(
                self.connection, self.actor, account, kind=kind, reason="dead", **options
            )

        self.compare(
            kind,
            which,
            dry_run,
            lambda it, _: model.end(it, key, kind, target, amount),
            act,
            is_part=amount is not None,
        )

    @precondition(lambda self: self.last is not None)
    @rule()
    def again(self) -> None:
        """What a caller does who has not heard the answer."""
        assert self.last is not None
        name, *values = self.last
        {"grant": self.grant, "reserve": self.reserve, "end_it": self.end_it}[name](*values, False)

    @rule(
        which=WHICH,
        mode=st.sampled_from(["CREDIT"] * 5 + ["POSTPAID"]),
        is_enabled=st.sampled_from([True] * 9 + [False]),
        status=st.sampled_from(["active"] * 9 + ["suspended"]),
        force=st.booleans(),
    )
    def switch(self, which: int, mode: Any, is_enabled: bool, status: Any, force: bool) -> None:
        def act(account: Account) -> CreditStatus:
            changed = accounts.change_policy(
                self.connection,
                self.actor,
                account,
                billing_mode=mode,
                is_enabled=is_enabled,
                force_enable_credit=force,
            )
            accounts.change_account(self.connection, self.actor, changed, status=status)
            wallet = journal.find_wallet(self.connection, self.firm_id, account.account_id)
            return CreditStatus(
                account.account_id, wallet.wallet, wallet.reserved, wallet.available, None, None
            )

        self.compare(
            "switch",
            which,
            False,
            lambda it, _: model.switch(it, mode, is_enabled, status, force=force),
            act,
        )

    @precondition(lambda self: self.past)
    @rule(place=st.integers(0, 1_000))
    def look_back(self, place: int) -> None:
        """What the account had at any time is what it was seen to have then."""
        at, counters = self.past[place % len(self.past)]
        for account, seen in zip(self.accounts, counters, strict=True):
            found = journal.balance_at(self.connection, self.firm_id, account.account_id, at)
            assert (found.wallet, found.reserved, found.available) == seen

    def compare(
        self, kind: str, which: int, dry_run: bool, predict: Any, act: Any, is_part: bool = False
    ) -> None:
        """Do it to both, and see that they answer alike."""
        trial = copy.deepcopy(self.models[which])
        place = new_id()
        try:
            expected = predict(trial, place)
        except RefusedError as refusal:
            expected = Outcome(code=str(refusal))
        savepoint = self.connection.begin_nested()
        try:
            answer = act(self.accounts[which])
        except ServiceError as refusal:
            code = refusal.code
        else:
            code = None
        savepoint.commit()
        assert code == expected.code
        if code is not None:
            MET[f"{kind} {code}"] += 1
            self.must_be_unchanged = True
            return
        assert (answer.wallet, answer.reserved, answer.available) == expected.counters
        assert answer.replayed == expected.is_replay
        if expected.is_replay:
            MET[f"{kind} replayed"] += 1
            self.must_be_unchanged = True
        elif dry_run:
            MET[f"{kind} tried"] += 1
            assert answer.entry_id is None
            self.must_be_unchanged = True
        else:
            MET[f"{kind} a part done" if is_part else f"{kind} done"] += 1
            MET["override done"] += bool(expected.override)
            if kind == "reserve":
                assert answer.hold is not None
                trial.holds[answer.hold.hold_id] = trial.holds.pop(place)
            self.models[which] = trial
            self.must_be_unchanged = False
        self.past.append((clock.now(), [it.counters for it in self.models]))

    # --- What holds after every step

    @invariant()
    def the_books_are_right(self) -> None:
        rows = self.connection.execute(_BOOKS, {"tenant": self.firm_id}).all()
        assert len(rows) == len(self.accounts)
        for row, account, expected in zip(rows, self.accounts, self.models, strict=True):
            assert row.account_id == account.account_id
            assert row.unbalanced == 0, "1: an entry does not add up to nothing"
            assert (row.available, row.reserved) == tuple(row.fold), "2: counters and journal"
            assert min(row.wallet, row.reserved, row.available) >= 0, "3: below nothing"
            assert row.reserved == row.held, "4: reserved is not what is held"
            assert row.badly_ended == 0, "5: a hold has not ended once and whole"
            entries, keys, seq = row.keys
            assert entries == keys == seq == len(expected.keys), "7: a key has another effect"
            assert (row.wallet, row.reserved, row.available) == expected.counters
            assert (row.billing_mode, row.is_enabled, row.status) == (
                expected.mode,
                expected.is_enabled,
                expected.status,
            )
        if self.must_be_unchanged:
            assert rows == self.before, "6: what was refused has changed something"
        self.before, self.must_be_unchanged = rows, False


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_the_ledger_does_what_the_model_does(service: Service, make_firm: Any, part: int) -> None:  # noqa: ARG001
    Ledger.service, Ledger.firm_id = service, make_firm().tenant_id
    MET.clear()

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Ledger,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            derandomize=NAME == "small",
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

    wanted = {one for one in OUTCOMES if NAME != "small" or one.endswith(" done")}
    assert {one: MET[one] for one in wanted if MET[one] < LEAST_HITS} == {}
