"""Nothing is found in books that only the service has written."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.size import IS_FULL
from tests.service.reconciliation.history import History

OPERATIONS = 10_000 if IS_FULL else 400


def test_nothing_is_invented_in_a_random_clean_history(
    new_history: Callable[[int], History],
) -> None:
    history = new_history(5)

    history.run(OPERATIONS)

    of_firm, of_studio = history.compare(), history.compare(tenant_id=history.books.studio_id)
    assert of_firm.findings == ()
    assert of_studio.findings == ()
    # It was a history in which everything happens.
    assert len(history.done) == 31, history.done
    scanned = {**of_firm.scanned, "payment_events": of_studio.scanned["payment_events"]}
    assert all(scanned.values()), scanned
