"""Requests full of secrets leave none of them in the log, whatever becomes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.settings import VARIABLES

ROOT = Path(__file__).parents[3]
CANARIES = {
    "password": "canary-Passw0rd-of-asha",
    "token": "zt_CANARY3xT9qLm2Vb7Kd5Zr8Nw1Yc4Hf6Jg0Sp2Ua3Ei9",
    "cookie": "canary-cookie-Value-77",
    "email": "canary.asha",
    "aadhaar": "2345 6789 0123",
    "pan": "ABCDE1234F",
    "phone": "9845012345",
    "latitude": "12.9715987",
    "key": "canary-idempotency",
    "name": "Canary Borrower",
}


def environ_of(settings: Any) -> dict[str, str]:
    """The settings of the tests' service as another process takes them."""
    return {
        variable.name: str(getattr(settings, variable.field))
        for variable in VARIABLES
        if isinstance(getattr(settings, variable.field), str | Path)
    }


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_request_leaves_a_secret_in_the_log(
    settings: Any, make_firm: Any, make_user: Any, sign_in: Any, form: str
) -> None:
    token = sign_in(make_user(make_firm(), ["owner"])).token
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.privacy.canary_requests"],
        input=json.dumps({"token": token, "canaries": CANARIES}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environ_of(settings) | {"ZENOPS_LOG_FORMAT": form, "PATH": "/usr/bin:/bin"},
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr) == [201, 422, 422, 404, 401, 401, 400, 500, 422, 500]
    # Every request and every failure has its line.
    assert done.stdout.count("/v1/properties") >= 8
    assert "RuntimeError" in done.stdout
    assert "NotNullViolation" in done.stdout
    assert [name for name, canary in CANARIES.items() if canary in done.stdout] == []
    assert token not in done.stdout
