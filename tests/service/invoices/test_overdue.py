"""Each night every overdue invoice is noted, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from service import clock
from service.bootstrap import Service
from service.invoices import records, settling
from service.invoices.overdue import notice_overdue
from service.jobs.tasks import TASKS
from tests.service.invoices.conftest import Books


def test_an_overdue_invoice_is_noted_once_and_others_are_not(
    books: Books, jobs_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, later = books.account(payment_terms_days=0), books.account(payment_terms_days=365)
    late, paid, open_ = books.issued(account), books.issued(account), books.issued(later)
    draft = books.draft(account)
    books.run(settling.settle, account, paid.invoice_id, amount=paid.due, mode="upi", key="paid")
    assert late.due_on is not None
    midnight = datetime(late.due_on.year, late.due_on.month, late.due_on.day, 18, 30, tzinfo=UTC)

    monkeypatch.setattr(clock, "now", lambda: midnight - timedelta(seconds=1))
    assert notice_overdue(jobs_service) == 0
    monkeypatch.setattr(clock, "now", lambda: midnight)
    assert notice_overdue(jobs_service) == 1
    assert notice_overdue(jobs_service) == 0
    monkeypatch.setattr(clock, "now", lambda: midnight + timedelta(days=1))
    assert notice_overdue(jobs_service) == 0

    with books.acting() as connection:
        noted = {
            made.invoice_id: [
                one.kind for one in records.notices_of(connection, books.firm_id, made.invoice_id)
            ]
            for made in (late, paid, open_, draft)
        }
        actions = connection.scalars(
            text("select actor_kind from audit_events where action = 'invoice:invoice:overdue'")
        ).all()
    assert noted == {
        late.invoice_id: ["overdue"],
        **{one.invoice_id: [] for one in (paid, open_, draft)},
    }
    assert actions == ["system"]


def test_the_night_in_india_has_begun_when_it_is_done() -> None:
    (task,) = (one for one in TASKS if one.run is notice_overdue)
    at = task.slot(datetime(2026, 11, 24, 23, 59, tzinfo=UTC))
    assert at > datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
