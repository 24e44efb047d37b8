"""A client that behaves as the older system's does: it waits five seconds, remembers, and goes on.

It knows none of the service's code. Whatever goes wrong, it does not stop the older system: without
an answer an account is as it was last seen, and one that was never seen pays later.
"""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 5.0
REMEMBERED_S = 45.0
#: What is believed of an account that was never seen.
DEFAULT = {"billing_mode": "POSTPAID", "account_status": "active", "fail_open": True}


class OlderClient:
    """What the older system's workers share."""

    def __init__(
        self,
        base: str,
        token: str,
        *,
        timeout: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base, self.token, self.timeout, self.clock = base, token, timeout, clock
        self.seen: dict[str, tuple[float, dict[str, Any]]] = {}
        #: Every request that was sent, and its status; None if nothing came.
        self.sent: list[tuple[str, str, int | None]] = []

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """Status and JSON of an answer; 0 and None if there is none in time."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(  # noqa: S310 - the test's own server
            f"{self.base}/v1/billing/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-service-token": self.token, "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:  # noqa: S310
                told = answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                told = refused.code, json.loads(refused.read())
        except (OSError, TimeoutError):
            self.sent.append((method, path, None))
            return 0, None
        self.sent.append((method, path, told[0]))
        return told

    def status(self, key: str) -> dict[str, Any]:
        """How an account stands: remembered, asked for, remembered although old, or assumed."""
        at, known = self.seen.get(key, (float("-inf"), None))
        if known is not None and self.clock() - at < REMEMBERED_S:
            return known
        code, told = self.call("GET", "accounts/status", external_key=key)
        if code == 200:
            # It reads the fields that it knows, and no others.
            picked = {name: told[name] for name in ("billing_mode", "account_status", "is_enabled")}
            picked["available"] = told["credit"]["available"]
            self.seen[key] = self.clock(), picked
            return picked
        return {**(known or {}), "stale": True} if known else dict(DEFAULT)

    def reserve(self, key: str, work: str, *, attempts: int = 3) -> tuple[int, Any]:
        """Reserve a credit; without an answer the same is sent again, under the same key."""
        body = {
            "external_key": key,
            "amount": 1,
            "ref_type": "channel_request",
            "ref_id": work,
            "idempotency_key": f"v1:reserve:{work}",
            "requested_by_worker": "older-7",
        }
        for _ in range(attempts):
            code, told = self.call("POST", "credits/reserve", body)
            if code and code < 500:
                break
        return code, told

    def emit(self, event: str, key: str, invoice: int, payment: int = 0) -> tuple[int, Any]:
        """Tell of something; what comes of it does not matter to the older system."""
        body = {
            "event_type": event,
            "external_account_key": key,
            "idempotency_key": f"v1:{event}:{invoice}:{payment}:{secrets.token_hex(8)}",
            "payload": {"invoice_id": invoice},
            "emitted_by": "older-7",
        }
        return self.call("POST", "events", body)
