"""The release part of a work order's page, as forms without a browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.service.conftest import Firm
from tests.service.release.conftest import Order
from tests.service.web.test_pages import Browser


@pytest.fixture
def visit(app: Any, owner: Any, make_user: Any) -> Any:
    """visit(role) -> a person of the firm who has logged in to the pages."""
    return lambda role: Browser(app, make_user(Firm(owner.tenant_id, "", ""), [role]))


def page_of(browser: Any, order: Order) -> str:
    found: str = browser.get(f"/desk/work-orders/{order.id}").get_data(as_text=True)
    return found


def form_of(html: str) -> dict[str, str]:
    """The hidden fields of the page's first form that releases."""
    found = re.search(r'action="/desk/work-orders/[0-9a-f-]+/release"', html)
    assert found is not None
    form = html[found.end() :]
    fields = re.findall(r'type="hidden" name="([a-z_]+)" value="([^"]*)"', form)
    first: dict[str, str] = {}
    for name, value in fields:
        if name in first:
            break
        first[name] = value
    first.pop("csrf_token")
    return first


def test_what_is_paid_for_is_released_by_a_button_and_twice_is_once(
    visit: Any, make_order: Any, open_credit: Any, hold: Any, credits_of: Any
) -> None:
    order, account, manager = make_order(), open_credit(5), visit("ops_manager")
    hold(account, order)
    before = page_of(manager, order)
    form = form_of(before)
    answers = [manager.post(f"/desk/work-orders/{order.id}/release", form) for _ in range(2)]
    after = page_of(manager, order)

    assert "releasing the report uses them" in before
    assert 'id="release-now"' in before
    assert 'id="override"' not in before
    assert [one.status_code for one in answers] == [303, 303]
    assert 'id="deliverable-1"' in after
    assert 'id="released-1-docx"' in after
    assert credits_of(account) == (4, 0, 4)


def test_what_is_blocked_meanwhile_says_why_and_is_on_record(
    visit: Any, make_order: Any, look: Any
) -> None:
    order, manager = make_order(), visit("ops_manager")
    html = page_of(manager, order)
    answer = manager.post(f"/desk/work-orders/{order.id}/release", {"key": "from-the-page"})

    assert 'id="release-now"' not in html
    assert "There is no invoice" in html
    assert answer.status_code == 200
    assert "Not released" in answer.get_data(as_text=True)
    assert "was blocked, and that is on record" in page_of(manager, order)
    assert look("select result from releases where work_order_id = :id", id=order.id) == [
        ("BLOCKED",)
    ]


def test_the_page_offers_no_override_and_shows_the_studios(visit: Any, make_order: Any) -> None:
    order, admin = make_order(), visit("super_admin")
    html = page_of(admin, order)
    forged = admin.post(
        f"/desk/work-orders/{order.id}/release",
        {"key": "forged", "override": "yes", "override_reason": "the bank waits"},
    )
    order.release("k", override=True, override_reason="the bank waits")

    assert "override" not in html
    assert forged.status_code == 403
    assert "Only the studio lets out what is not paid for" in forged.get_data(as_text=True)
    assert "by override: the bank waits" in page_of(admin, order)


def test_a_version_is_withdrawn_with_a_reason(visit: Any, make_order: Any) -> None:
    order, admin = make_order(), visit("super_admin")
    order.release("k", override=True, override_reason="for this test")
    path = f"/desk/work-orders/{order.id}/deliverables/1/withdraw"

    assert admin.post(path, {"reason": ""}).status_code == 422
    assert admin.post(path, {"reason": "the wrong house"}).status_code == 303
    assert "Withdrawn: the wrong house" in page_of(admin, order)
    assert visit("ops_manager").get(f"/desk/work-orders/{order.id}/packs/1/docx").status_code == 410
