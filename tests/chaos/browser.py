"""A client that repeats what was not answered, under the same key, as clients are told to."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from service.identifiers import new_id
from service.people.passwords import hash_password
from tests.chaos.world import World

PASSWORD = "a long password for tests"


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


class Persistent:
    """Somebody of the world's firm, or of another tenant, who is logged in."""

    def __init__(
        self, world: World, tenant_id: UUID | None = None, *, audience: str = "web"
    ) -> None:
        self._socket = world.folder / "web.sock"
        self.repeats = 0
        email = f"{new_id()}@specimen.test"
        user = new_id()
        world.execute(
            "insert into users (user_id, email, name, password_hash, created_at)"
            " values (:user, :email, 'Specimen Person', :hash, now())",
            user=user,
            email=email,
            hash=hash_password(PASSWORD),
        )
        world.execute(
            "insert into memberships (tenant_id, user_id, role, created_at)"
            " values (:tenant, :user, 'super_admin', now())",
            tenant=tenant_id or world.tenant_id,
            user=user,
        )
        self.login = {"email": email, "password": PASSWORD, "audience": audience}
        self._token = self.post("/v1/auth/login", self.login, token=False)["token"]

    def once(self, method: str, path: str, body: Any = None) -> tuple[int, float]:
        """The status of an answer and how many seconds it took, without any patience."""
        began = time.monotonic()
        connection = _Connection(self._socket)
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._token}",
            "Idempotency-Key": str(new_id()),
        }
        try:
            sent = None if body is None else json.dumps(body).encode()
            connection.request(method, path, sent, headers)
            return connection.getresponse().status, time.monotonic() - began
        finally:
            connection.close()

    def post(self, path: str, body: Any, *, token: bool = True, seconds: float = 15) -> Any:
        """The answer, however often it takes; each write under one key."""
        sent, kind = (
            (body, "multipart/form-data; boundary=part")
            if isinstance(body, bytes)
            else (json.dumps(body).encode(), "application/json")
        )
        headers = {"Content-Type": kind, "Idempotency-Key": str(new_id())}
        if token:
            headers["Authorization"] = f"Bearer {self._token}"
        until = time.monotonic() + seconds
        while True:
            connection = _Connection(self._socket)
            try:
                connection.request("POST", path, sent, headers)
                found = connection.getresponse()
                text = found.read()
                if found.status < 500:
                    assert found.status < 400, text
                    return json.loads(text)
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            assert time.monotonic() < until, f"no answer to POST {path}"
            self.repeats += 1
            time.sleep(0.1)
