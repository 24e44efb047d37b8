"""What holds for every route there is, and will hold for the next one: who may call it, and whom it knows."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from service.api.access import access_of
from service.clock import now
from service.identifiers import new_id
from service.people.roles import the_roles
from tests.service.api.example_bodies import BODIES, NAMED_BY, VALUES
from tests.service.clients import Client
from tests.service.tenancy.specimen_rows import insert_specimen

_PARAMETER = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")


def _routes(app: Any) -> list[tuple[str, str, Any]]:
    """Method, rule and view of each route of the API; the pages have tests of their own."""
    found = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("desk."):
            continue
        found += [
            (method, rule.rule, app.view_functions[rule.endpoint])
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        ]
    return sorted(found, key=lambda one: (one[1], one[0]))


def _address(rule: str, values: dict[str, Any]) -> str:
    return _PARAMETER.sub(lambda found: str(values[found[1]]), rule)


def _send(client: Client, method: str, rule: str, values: dict[str, Any], **more: Any) -> Any:
    body = BODIES.get((method, rule))
    address = _address(rule, values)
    if callable(body):
        return client.send(method, address, **body(values), **more)
    if body is not None:
        return client.send(method, address, json=body, **more)
    if method in {"POST", "PUT", "PATCH"}:
        return client.send(method, address, json={}, **more)
    return client.send(method, address, **more)


def _values(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A value for each name that an address may hold, from a firm's rows."""
    return {name: rows[table][column] for name, (table, column) in NAMED_BY.items()} | VALUES


@pytest.fixture(scope="module")
def two_firms(make_firm: Any, make_user: Any, sign_in: Any, owner_engine: Any) -> Any:
    """Another firm with a row of everything, and an administrator of our own."""
    with owner_engine.begin() as connection:
        theirs = insert_specimen(connection, new_id(), "their-firm")
    return theirs, sign_in(make_user(make_firm("our-firm"), ["super_admin"]))


def test_every_route_declares_who_may_call_it(app: Any) -> None:
    undeclared = [rule for _, rule, view in _routes(app) if access_of(view) is None]

    assert undeclared == []


def test_every_capability_that_a_route_demands_is_a_known_one(app: Any) -> None:
    demanded = {
        found.capability
        for _, _, view in _routes(app)
        if (found := access_of(view)) and found.capability
    }

    assert demanded - set(the_roles().capabilities) == set()


def test_nothing_but_what_is_declared_public_answers_without_a_login(
    app: Any, client: Client, two_firms: Any
) -> None:
    values = _values(two_firms[0])
    open_routes = {}
    for method, rule, view in _routes(app):
        found = access_of(view)
        assert found is not None
        answer = _send(client, method, rule, values)
        if not found.is_public and answer.status_code != 401:
            open_routes[method, rule] = answer.status_code

    assert open_routes == {}


def test_every_refusal_is_a_problem_document(app: Any, client: Client, two_firms: Any) -> None:
    values = _values(two_firms[0])
    for method, rule, _ in _routes(app):
        answer = _send(client, method, rule, values)
        if answer.status_code >= 400:
            document = json.loads(answer.get_data())
            assert answer.content_type == "application/problem+json", (method, rule)
            assert {"type", "title", "status", "code", "detail", "instance"} <= set(document)


def test_each_capability_opens_its_routes_and_lacking_it_closes_them(
    app: Any, make_firm: Any, make_user: Any, sign_in: Any, two_firms: Any
) -> None:
    """A person of no role worth naming is refused by code; nobody is refused for another reason."""
    portal = sign_in(make_user(make_firm(kind="external"), ["portal_user"]), "portal")
    values = _values(two_firms[0])
    wrong = {}
    for method, rule, view in _routes(app):
        found = access_of(view)
        assert found is not None
        if found.is_public or "portal" in found.audiences:
            continue
        answer = _send(portal, method, rule, values)
        if (
            answer.status_code != 403
            or json.loads(answer.get_data())["code"] != "AUDIENCE_MISMATCH"
        ):
            wrong[method, rule] = answer.status_code

    assert wrong == {}


def test_a_token_without_the_capability_is_refused_by_name(app: Any, two_firms: Any) -> None:
    theirs, ours = two_firms
    made = ours.post(
        "/v1/tokens",
        json={
            "kind": "bearer",
            "label": "narrow",
            "scopes": ["attendance.read"],
            "expires_at": (now() + timedelta(days=1)).isoformat(),
        },
    )
    assert made.status_code in {200, 201}, made.get_data(as_text=True)
    narrow = Client(app, json.loads(made.get_data())["token"])
    values = _values(theirs)
    wrong = {}
    for method, rule, view in _routes(app):
        found = access_of(view)
        assert found is not None
        if found.capability is None or "web" not in found.audiences:
            continue
        answer = _send(narrow, method, rule, values)
        document = json.loads(answer.get_data())
        if answer.status_code != 403 or document.get("capability") != found.capability:
            wrong[method, rule] = (answer.status_code, document.get("code"))

    assert wrong == {}


def test_another_firms_ids_are_as_unknown_as_ids_that_never_were(app: Any, two_firms: Any) -> None:
    theirs, ours = two_firms
    known = _values(theirs)
    never = {
        name: (value if name in VALUES else new_id() if not isinstance(value, str) else value)
        for name, value in known.items()
    }
    told = {}
    for method, rule, view in _routes(app):
        found = access_of(view)
        assert found is not None
        names = [name for name in _PARAMETER.findall(rule) if name not in VALUES]
        if found.is_public or not names or "web" not in found.audiences:
            continue
        answers = [_send(ours, method, rule, values) for values in (known, never)]
        bodies = [
            {
                name: value
                for name, value in json.loads(one.get_data()).items()
                if name != "instance"
            }
            for one in answers
        ]
        if [one.status_code for one in answers] != [404, 404] or bodies[0] != bodies[1]:
            told[method, rule] = [
                (one.status_code, body.get("detail"), body.get("errors"))
                for one, body in zip(answers, bodies, strict=True)
            ]

    assert told == {}


@pytest.mark.parametrize(
    "wrong", ["nonsense", "00000000", "..%2f..%2fetc", "%00", "'; drop table packs; --"]
)
def test_what_is_no_id_at_all_is_as_unknown(app: Any, two_firms: Any, wrong: str) -> None:
    theirs, ours = two_firms
    known = _values(theirs)
    told = {}
    for method, rule, view in _routes(app):
        found = access_of(view)
        assert found is not None
        names = [name for name in _PARAMETER.findall(rule) if name not in VALUES]
        if found.is_public or not names or "web" not in found.audiences:
            continue
        values = known | dict.fromkeys(names, wrong)
        answer = _send(ours, method, rule, values)
        allowed = {400, 404} if wrong == "%00" else {404}
        if answer.status_code not in allowed:
            told[method, rule] = (answer.status_code, json.loads(answer.get_data()).get("code"))

    assert told == {}


def test_their_rows_are_as_they_were(owner_engine: Any, two_firms: Any) -> None:
    """Runs last in this file: nothing above has changed the other firm's work order."""
    from sqlalchemy import text

    theirs = two_firms[0]
    with owner_engine.connect() as connection:
        row = connection.execute(
            text("select version, status from work_orders where tenant_id = :tenant"),
            {"tenant": theirs["tenants"]["tenant_id"]},
        ).one()

    assert (row.version, row.status) == (1, "DRAFT")
