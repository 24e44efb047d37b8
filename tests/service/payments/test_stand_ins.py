"""The stand-ins of the providers: where they run, where they do not, and what a payer sees."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from service.payments.local_providers.running import NotHereError, make_app
from service.privacy.masking import masked_text
from tests.service.payments.conftest import (
    KNOWN,
    RAZORPAY_KEY,
    RAZORPAY_SECRET,
    STRIPE_KEY,
    STRIPE_SECRET,
    Till,
)

COMMAND = [sys.executable, "-m", "service.command_line", "payment-provider"]


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({**KNOWN, "ZENOPS_MODE": "production"}, "ZENOPS_MODE is production"),
        ({**KNOWN, "ZENOPS_STRIPE_SECRET_KEY": ""}, "ZENOPS_STRIPE_SECRET_KEY is missing"),
    ],
)
def test_stand_ins_refuse_production_and_half_an_account(environ: Any, why: str) -> None:
    with pytest.raises(NotHereError, match=why):
        make_app(environ, ("stripe", "razorpay"))
    ended = subprocess.run(
        COMMAND,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert why in ended.stderr


def _page(till: Till, path: str, form: str | None = None) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", till.stand_ins.port, timeout=10)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("GET" if form is None else "POST", path, form, kind if form else {})
    answer = connection.getresponse()
    read = answer.read().decode()
    connection.close()
    return answer.status, read, answer.headers.get("Location", "")


@pytest.mark.parametrize("provider", ["stripe", "razorpay"])
def test_a_payer_sees_what_is_asked_and_pays_by_the_page(till: Till, provider: str) -> None:
    order = till.opened(till.books.account(), provider=provider)
    assert order.checkout_url is not None
    path = order.checkout_url.removeprefix(till.stand_ins.url)

    status, page, _ = _page(till, path)
    assert status == 200
    assert "10 credits: 1180.00 INR" in page
    assert _page(till, path, "outcome=failed")[0] == 302
    status, _, back = _page(till, path, "outcome=paid")
    assert (status, back) == (302, f"{till.service.settings.public_url}/v1/payments/return")
    assert "This link is" in _page(till, path)[1]
    assert _page(till, path, "outcome=stolen")[0] == 404


def test_whoever_has_another_key_is_refused(till: Till) -> None:
    for path, proof in (
        ("/stripe/v1/checkout/sessions", "Bearer sk_test_another"),
        ("/razorpay/v1/payment_links", "Basic YTpi"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", till.stand_ins.port, timeout=10)
        connection.request("POST", path, "{}", {"Authorization": proof})
        assert connection.getresponse().status == 401
        connection.close()


def test_what_a_stand_in_knows_outlives_it(tmp_path: Path) -> None:
    app, _ = make_app(KNOWN, ("razorpay",), tmp_path)
    proof = base64.b64encode(f"rzp_test_specimen:{RAZORPAY_KEY}".encode()).decode()
    given = {
        "amount": 100,
        "currency": "INR",
        "accept_partial": False,
        "reference_id": "r-1",
        "description": "one rupee",
        "expire_by": int(time.time()) + 3600,
        "notes": {},
        "notify": {},
        "reminder_enable": False,
    }
    headers = {"Authorization": f"Basic {proof}"}
    made = Client(app).post("/razorpay/v1/payment_links", json=given, headers=headers)
    assert made.status_code == 200

    again, _ = make_app(KNOWN, ("razorpay",), tmp_path)
    found = Client(again).get("/razorpay/v1/payment_links?reference_id=r-1", headers=headers)
    assert json.loads(found.data)["payment_links"][0]["id"] == json.loads(made.data)["id"]
    second = Client(again).post("/razorpay/v1/payment_links", json=given, headers=headers)
    assert second.status_code == 400


def test_its_log_is_its_own_and_holds_no_secret(till: Till) -> None:
    till.opened(till.books.account())
    said = till.stand_ins.log.read_text()

    assert '"path": "/stripe/v1/checkout/sessions"' in said
    for secret in (STRIPE_KEY, STRIPE_SECRET, RAZORPAY_KEY, RAZORPAY_SECRET):
        assert secret not in said


@pytest.mark.parametrize("secret", [STRIPE_KEY, STRIPE_SECRET, "rk_live_0123456789"])
def test_a_providers_secret_is_masked_wherever_a_log_line_holds_it(secret: str) -> None:
    assert secret not in masked_text(f"Invalid API Key provided: {secret}.")
