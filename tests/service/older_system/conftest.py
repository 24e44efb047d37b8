"""The running service over HTTP, the studio's token, and accounts of the older system."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from werkzeug.serving import make_server

from service.billing.accounts import Account
from service.bootstrap import Service
from service.clock import now
from tests.service.billing.conftest import open_account


@pytest.fixture(scope="module")
def studio(make_firm: Any) -> Any:
    return make_firm(kind="service")


@pytest.fixture(scope="module")
def make_token(make_user: Any, sign_in: Any) -> Callable[..., str]:
    """make_token(firm, audience, scopes) -> a service token of the firm's."""

    def make(firm: Any, audience: str = "web", scopes: tuple[str, ...] = ("billing.write",)) -> str:
        client = sign_in(make_user(firm, ["super_admin"]), audience)
        made = client.post(
            "/v1/tokens",
            json={
                "kind": "service",
                "label": "older system",
                "scopes": list(scopes),
                "expires_at": (now() + timedelta(days=30)).isoformat(),
            },
        )
        assert made.status_code in {200, 201}, made.get_data(as_text=True)
        token: str = json.loads(made.get_data())["token"]
        return token

    return make


@pytest.fixture(scope="module")
def studio_token(studio: Any, make_token: Callable[..., str]) -> str:
    return make_token(studio, "studio", ("billing.write", "billing.read"))


@pytest.fixture(scope="module")
def server(app: Any) -> Iterator[str]:
    """The application behind a socket, a thread for each request."""
    made = make_server("127.0.0.1", 0, app, threaded=True)
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def new_account(service: Service, studio: Any) -> Callable[..., Account]:
    """new_account(credits) -> an account of the older system, in the studio's tenant."""

    def make(granted: int = 0, *, tenant_id: UUID | None = None, kind: str = "partner") -> Account:
        return open_account(
            service,
            tenant_id or studio.tenant_id,
            granted,
            mode="CREDIT" if granted else "POSTPAID",
            kind=kind,
            account_type="external_associate",
        )

    return make
