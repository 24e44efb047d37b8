"""A firm with somebody at its desk, and what they do with files."""

from __future__ import annotations

import hashlib
import io
import itertools
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.service.evidence import files

_numbers = itertools.count(1000)


@dataclass(frozen=True)
class Desk:
    """Somebody of a firm, logged in."""

    firm: Any
    user: Any
    client: Any

    def upload(self, content: bytes, name: str = "front.jpg", **said: Any) -> Any:
        """The answer to a direct upload."""
        return self.client.post(
            "/v1/files/upload",
            data={"file": (io.BytesIO(content), name), **said},
            content_type="multipart/form-data",
        )

    def document(self, content: bytes | None = None, name: str = "front.jpg", **said: Any) -> Any:
        """A document that was uploaded; without content, of a picture that is like no other."""
        answer = self.upload(content or files.jpeg(next(_numbers)), name, **said)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.get_json()

    def announce(self, content: bytes, **said: Any) -> Any:
        """The answer to announcing a file."""
        body = {"filename": "front.jpg", "content_type": "image/jpeg", "size_bytes": len(content)}
        return self.client.post("/v1/files/presign-upload", json=body | said)

    def pending(self, content: bytes, *, send: bool = True, **said: Any) -> str:
        """The id of an announced document, whose file was sent."""
        announced = self.announce(content, **said)
        assert announced.status_code == 201, announced.get_data(as_text=True)
        if send:
            assert self.send(announced.get_json()["upload"]["url"], content).status_code == 200
        return announced.get_json()["document_id"]

    def send(self, url: str, content: bytes) -> Any:
        """The answer to a PUT by somebody who has nothing but the address."""
        path = url.partition("://")[2].partition("/")[2]
        return self.client.app.test_client().put(f"/{path}", data=content)

    def confirm(self, document_id: str, **said: Any) -> Any:
        return self.client.post(
            "/v1/files/confirm-upload", json={"document_id": document_id} | said
        )

    def work_order(self, **more: Any) -> str:
        """The id of a new valuation for State Bank of India."""
        body = {"report_type": "VALUATION", "bank_name": "State Bank of India", "bank_type": "SBI"}
        answer = self.client.post("/v1/repogen/work-orders", json=body | more)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.get_json()["work_order_id"]

    def link(self, work_order: str, *items: dict[str, Any], **more: Any) -> Any:
        """The answer to linking evidence."""
        headers = more.pop("headers", {})
        return self.client.post(
            f"/v1/repogen/work-orders/{work_order}/evidence/link",
            json={"items": list(items)} | more,
            headers=headers,
        )

    def evidence(self, work_order: str) -> Any:
        answer = self.client.get(f"/v1/repogen/work-orders/{work_order}/evidence")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()

    def checklist(self, work_order: str) -> Any:
        answer = self.client.get(f"/v1/repogen/work-orders/{work_order}/evidence-profiles")
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return {item["id"]: item for item in answer.get_json()["checklist"]}


@pytest.fixture(scope="module")
def make_desk(make_firm: Any, make_user: Any, sign_in: Any) -> Any:
    """make_desk(roles=[...], firm=None, audience='web') -> Desk."""

    def make(roles: Any = ("super_admin",), firm: Any = None, audience: str = "web") -> Desk:
        firm = firm or make_firm()
        user = make_user(firm, roles=roles)
        return Desk(firm, user, sign_in(user, audience))

    return make


@pytest.fixture(scope="module")
def desk(make_desk: Any) -> Desk:
    return make_desk()


@pytest.fixture
def rows(owner_engine: Any) -> Any:
    """rows(sql, **values) -> what stands in the database, behind all policies."""

    def read(sql: str, **values: Any) -> list[dict[str, Any]]:
        with owner_engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(text(sql), values)]

    return read


@pytest.fixture
def set_status(owner_engine: Any) -> Any:
    """set_status(work order id, state): as if it had come there by itself."""

    def write(work_order: str, status: str) -> None:
        with owner_engine.begin() as connection:
            connection.execute(
                text("update work_orders set status = :status where work_order_id = :id"),
                {"status": status, "id": UUID(work_order)},
            )

    return write


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
