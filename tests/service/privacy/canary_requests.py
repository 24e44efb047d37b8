"""A process of its own that sends requests full of secrets to the application, with its real log.

Logs are set up once for each process; in the tests' own process they would stay so.
"""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from service.api.application import create_app
from service.bootstrap import make_service
from service.settings import read_settings
from service.telemetry.logs import configure_logs
from tests.service.clients import Client


def main() -> None:
    """Reads a login's token and the canaries; the log goes to stdout, the statuses to stderr."""
    given = json.load(sys.stdin)
    canaries: dict[str, str] = given["canaries"]
    settings, problems = read_settings(os.environ, logins=("api", "jobs"))
    assert settings is not None, problems
    configure_logs(settings, "web")
    service = make_service(settings, "api")
    app = create_app(service)
    app.testing = False
    owner, nobody = Client(app, given["token"]), Client(app, None)
    headers = {
        "Cookie": f"session={canaries['cookie']}; zenops={canaries['token']}",
        "Idempotency-Key": canaries["key"],
        "X-CSRF-Token": canaries["token"],
        "User-Agent": f"{canaries['email']}@specimen.test",
    }
    body = {
        "label": canaries["name"],
        "property": {
            "address": f"{canaries['name']}, {canaries['aadhaar']}, {canaries['pan']}",
            "coordinates": {"latitude": canaries["latitude"], "longitude": "77.5945627"},
        },
    }
    login = {"email": f"{canaries['email']}@specimen.test", "password": canaries["password"]}
    query = f"?q={canaries['name']}&token={canaries['token']}&phone={canaries['phone']}"

    def fail(*_: Any, **__: Any) -> Any:
        everything = f"{body} {login} {query} {headers}".replace(canaries["name"], "")
        raise RuntimeError(everything)

    # Taken, refused by its fields, by its sender, by its form, and not found.
    answers = [
        owner.post("/v1/properties", json=body, headers=headers),
        owner.post("/v1/properties", json=body | {"x": canaries["pan"]}),
        owner.get(f"/v1/properties{query}"),
        owner.get(f"/v1/{canaries['token']}/nothing{query}"),
        nobody.post("/v1/auth/login", json=login | {"audience": "web"}, headers=headers),
        Client(app, canaries["token"]).post("/v1/properties", json=body),
        owner.post("/v1/properties", body=f'{{"label": "{canaries["name"]}'.encode()),
    ]
    # And what nobody has foreseen: with everything in its message, and refused by the database.
    with patch("service.registers.changing.insert", fail):
        answers.append(owner.post("/v1/properties", json=body))
    with patch("service.registers.changing.new_id", lambda: f"{body}"):
        answers.append(owner.post("/v1/properties", json=body))
    with patch("service.registers.changing.clock", SimpleNamespace(now=lambda: None)):
        answers.append(owner.post("/v1/properties", json=body))
    json.dump([answer.status_code for answer in answers], sys.stderr)
    service.engine.dispose()
    service.redis.close()


if __name__ == "__main__":
    main()
