"""A client of the API as the tests use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class Client:
    """Sends requests to an application with one bearer token, and with headers that are always sent."""

    def __init__(
        self, app: Any, token: str | None, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.app = app
        self.token = token
        self.headers = headers

    def send(self, method: str, path: str, **more: Any) -> Any:
        """The answer to a request; `headers` are added to the token's, `body` is sent as it is."""
        headers = {**self.headers, **more.pop("headers", {})}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if "body" in more:
            more["data"] = more.pop("body")
            more.setdefault("content_type", "application/json")
        elif "json" in more:
            more["data"] = json.dumps(more.pop("json"))
            more.setdefault("content_type", "application/json")
        return self.app.test_client().open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.send("GET", path, **more)

    def post(self, path: str, **more: Any) -> Any:
        return self.send("POST", path, **more)

    def patch(self, path: str, **more: Any) -> Any:
        return self.send("PATCH", path, **more)

    def put(self, path: str, **more: Any) -> Any:
        return self.send("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> Any:
        return self.send("DELETE", path, **more)
