"""Signs events and delivers them to a webhook, as often as it takes."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import queue
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import structlog

from service.payments.local_providers.store import unix_now

#: Pauses before an event is sent again, in seconds; providers go on for days.
RETRIES_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)

log = structlog.get_logger("zenops.payment_provider")


def stripe_headers(secret: str, body: bytes, event_id: str) -> dict[str, str]:  # noqa: ARG001 - alike
    """The signature over time and body."""
    at = unix_now()
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={signed}"}


def razorpay_headers(secret: str, body: bytes, event_id: str) -> dict[str, str]:
    """The signature over the body, and beside it the event's id."""
    signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Razorpay-Signature": signed, "X-Razorpay-Event-Id": event_id}


@dataclass
class Deliveries:
    """Events on their way to one webhook.

    `copies` are sent of each; while `held`, events wait for `release`, which may shuffle them.
    """

    provider: str
    webhook: str
    secret: str
    copies: int = 1
    held: bool = False
    _waiting: list[tuple[str, bytes]] = field(default_factory=list)
    _queue: queue.Queue[tuple[str, bytes]] = field(default_factory=queue.Queue)
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Begin to deliver, in a thread of its own."""
        threading.Thread(target=self._go, name=f"{self.provider}-events", daemon=True).start()

    def send(self, event_id: str, event: Mapping[str, Any]) -> None:
        """Have an event delivered, now or when it is released."""
        body = json.dumps(event, separators=(",", ":")).encode()
        with self._lock:
            for _ in range(self.copies):
                if self.held:
                    self._waiting.append((event_id, body))
                else:
                    self._under_way += 1
                    self._queue.put((event_id, body))

    def release(self, *, shuffled: bool = False) -> int:
        """Deliver what was held; how many deliveries that makes."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            if shuffled:
                random.shuffle(waiting)
            self._under_way += len(waiting)
            for one in waiting:
                self._queue.put(one)
        return len(waiting)

    @property
    def under_way(self) -> int:
        """How many deliveries have not succeeded yet."""
        with self._lock:
            return self._under_way

    def _go(self) -> None:
        while True:
            event_id, body = self._queue.get()
            for pause in (*RETRIES_S, None):
                if (status := self._post(event_id, body)) == http.HTTPStatus.OK or pause is None:
                    break
                log.info("delivery.again", provider=self.provider, event_id=event_id, status=status)
                time.sleep(pause)
            log.info("delivery.over", provider=self.provider, event_id=event_id, status=status)
            with self._lock:
                self._under_way -= 1

    def _post(self, event_id: str, body: bytes) -> int:
        """The webhook's answer; 0 if there is none."""
        url = urlsplit(self.webhook)
        sign = stripe_headers if self.provider == "stripe" else razorpay_headers
        headers = {"Content-Type": "application/json", **sign(self.secret, body, event_id)}
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=10)
        try:
            connection.request("POST", url.path, body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            return answer.status
        finally:
            connection.close()
