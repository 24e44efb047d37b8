"""Inviting, roles, shutting out; and nobody gains what they were not given."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from service.clock import now
from service.database.connections import transaction
from service.errors import ServiceError
from service.identifiers import new_id
from service.people import members
from service.people.limits import INVITATION_LIFE, LIMITS
from service.people.roles import HIGHEST, capabilities_of, roles_for, the_roles

GOOD = "a river of small lamps"


@pytest.fixture(autouse=True)
def _fresh_counts(service):
    service.redis.flushall()


@pytest.fixture
def firm(make_firm):
    return make_firm()


@pytest.fixture
def admin(firm, make_user, sign_in):
    return sign_in(make_user(firm, roles=["super_admin"]))


@pytest.fixture
def accept(client):
    def send(token, password=GOOD, name="New Person"):
        return client.post(
            "/v1/auth/invitations/accept",
            json={"token": token, "name": name, "password": password},
        )

    return send


def invite(inside, email="new@specimen.test", roles=("staff",), **more):
    return inside.post("/v1/people", json={"email": email, "roles": list(roles)}, **more)


def fresh_email():
    return f"{new_id().hex[-12:]}@specimen.test"


def code_of(answer):
    return answer.status_code, answer.get_json()["code"]


# --- Roles as data


def test_the_original_capabilities_and_role_sets_are_kept():
    original = (
        "masterdata.read masterdata.write masterdata.approve employees.read employees.write"
        " attendance.read attendance.write assignments.transition tasks.read tasks.write"
        " payroll.read payroll.write payroll.run notifications.routes.read"
        " notifications.routes.write notifications.send invoices.read invoices.write"
    )
    names = set(original.split())
    assert len(names) == 18
    assert names <= set(the_roles().capabilities)
    kept = {
        "ops_manager": "masterdata.read masterdata.write employees.read attendance.read"
        " attendance.write assignments.transition tasks.read tasks.write"
        " notifications.routes.read notifications.send invoices.read",
        "valuer": "attendance.write masterdata.read",
        "accounts": "masterdata.read tasks.read payroll.read payroll.write payroll.run"
        " invoices.read invoices.write",
        "hr": "masterdata.read employees.read employees.write attendance.read attendance.write"
        " tasks.read payroll.read",
        # There the portal saw its invoices by being the portal; here nothing is given by a name.
        "portal_user": "invoices.read",
    }

    assert {role: capabilities_of([role]) & names for role in kept} == {
        role: frozenset(listed.split()) for role, listed in kept.items()
    }
    assert capabilities_of([HIGHEST]) == set(the_roles().capabilities)
    assert set(the_roles().roles) >= {*kept, HIGHEST, "owner", "manager", "staff"}


def test_every_capability_says_what_it_is_for_and_none_is_a_wildcard():
    for name, means in the_roles().capabilities.items():
        assert "*" not in name
        assert len(means) > 5


def test_every_capability_that_a_route_demands_exists(app):
    from service.api.access import access_of

    demanded = {
        found.capability
        for view in app.view_functions.values()
        if (found := access_of(view)) and found.capability
    }

    assert demanded
    assert demanded <= set(the_roles().capabilities)


@pytest.mark.parametrize(
    "broken",
    [
        lambda data: data["roles"]["valuer"]["capabilities"].append("no.such"),
        lambda data: data["roles"]["super_admin"]["capabilities"].pop(),
        lambda data: data["roles"]["valuer"]["capabilities"].append("*"),
        lambda data: data["roles"]["valuer"].update(audiences=[]),
        lambda data: data["roles"]["valuer"].update(audiences=["worker"]),
        lambda data: data["roles"]["hr"]["capabilities"].append("people.read"),
        lambda data: data["roles"].pop("super_admin"),
        lambda data: data.update(extra=1),
    ],
)
def test_a_faulty_file_of_roles_is_refused(broken):
    from pydantic import ValidationError

    from service.people.roles import Roles

    data = the_roles().model_dump(mode="json")
    Roles.model_validate(data)
    broken(data)
    with pytest.raises(ValidationError):
        Roles.model_validate(data)


def test_an_unknown_audience_or_kind_lets_no_role_in():
    assert roles_for("worker", "firm", ["super_admin"]) == ()
    assert roles_for("web", "other", ["super_admin"]) == ()


# --- Invitations


def test_somebody_new_is_invited_accepts_and_logs_in(admin, firm, accept, client):
    email = fresh_email()
    made = invite(admin, email.upper(), ["valuer", "staff"]).get_json()
    assert (made["email"], made["roles"]) == (email, ["staff", "valuer"])
    done = accept(made["token"])
    assert (done.status_code, done.get_json()["firm"]) == (201, firm.slug)
    inside = client.post(
        "/v1/auth/login", json={"email": email, "password": GOOD, "audience": "web"}
    )

    assert inside.status_code == 200
    assert inside.get_json()["roles"] == ["staff", "valuer"]


def test_the_answer_tells_nothing_about_the_address(admin, make_firm, make_user, firm):
    answers = [
        invite(admin, email)
        for email in (
            fresh_email(),
            make_user(make_firm()).email,
            make_user(firm, roles=["staff"]).email,
        )
    ]

    shapes = set()
    for answer in answers:
        body = answer.get_json()
        shapes.add((answer.status_code, tuple(sorted(body)), len(body["token"])))
    assert len(shapes) == 1


def test_an_invited_person_is_nobodys_before_they_accept(admin, make_firm, make_user):
    stranger = make_user(make_firm())
    invite(admin, stranger.email)
    listed = {one["email"] for one in admin.get("/v1/people").get_json()["items"]}

    assert stranger.email not in listed
    assert admin.get(f"/v1/people/{stranger.user_id}").status_code == 404


def test_an_invitation_is_good_once(admin, accept):
    token = invite(admin, fresh_email()).get_json()["token"]

    assert accept(token).status_code == 201
    assert code_of(accept(token)) == (401, "INVITATION_INVALID")


def test_an_invitation_accepted_twice_at_once_is_accepted_once(admin, service):
    made = invite(admin, fresh_email()).get_json()
    done = []

    def take():
        try:
            members.accept_invitation(
                service,
                token=made["token"],
                name="N",
                password=GOOD,
                address="192.0.2.1",
                request_id="r",
            )
            done.append("in")
        except ServiceError as error:
            done.append(error.code)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == ["INVITATION_INVALID"] * 3 + ["in"]


def test_an_invitation_lasts_seven_days_to_the_microsecond(admin, service):
    def take(made, at):
        return members.accept_invitation(
            service,
            token=made["token"],
            name="N",
            password=GOOD,
            address="192.0.2.1",
            request_id="r",
            at=at,
        )

    from datetime import datetime

    made = invite(admin, fresh_email()).get_json()
    end = datetime.fromisoformat(made["expires_at"])
    assert abs(end - now() - INVITATION_LIFE) < timedelta(minutes=1)
    with pytest.raises(ServiceError, match="INVITATION_INVALID"):
        take(made, end)
    assert take(made, end - timedelta(microseconds=1)).email == made["email"]


def test_an_invitation_is_no_login_and_a_login_no_invitation(admin, app, accept):
    from tests.service.clients import Client

    token = invite(admin, fresh_email()).get_json()["token"]

    assert code_of(Client(app, token).get("/v1/auth/me")) == (401, "TOKEN_INVALID")
    assert code_of(accept(admin.token)) == (401, "INVITATION_INVALID")
    assert code_of(accept("not a token")) == (401, "INVITATION_INVALID")


def test_an_invitation_takes_nobodys_account(admin, make_firm, make_user, accept, client):
    """Whoever holds the link of a known address has to know its password too."""
    known = make_user(make_firm())
    token = invite(admin, known.email).get_json()["token"]

    assert code_of(accept(token, "an attackers own choice")) == (401, "LOGIN_FAILED")
    assert accept(token, known.password, name="Renamed").status_code == 201
    # The password and the name are still the person's own.
    body = {"email": known.email, "password": known.password, "audience": "web"}
    assert client.post("/v1/auth/login", json=body).get_json()["code"] == "FIRM_REQUIRED"
    listed = {one["email"]: one for one in admin.get("/v1/people").get_json()["items"]}
    assert listed[known.email]["name"] == "Specimen Person"


def test_the_password_of_a_known_address_cannot_be_tried_out_by_invitation(
    admin, make_firm, make_user, accept, service
):
    known = make_user(make_firm())
    token = invite(admin, known.email).get_json()["token"]
    answers = [
        accept(token, "an attackers own choice").status_code
        for _ in range(service.settings.login_failures + 1)
    ]

    assert answers == [401] * service.settings.login_failures + [429]


def test_invitations_cannot_be_guessed_at_for_ever(accept, service):
    key = members.count_attempt(service, {"invitation_address": "127.0.0.1"})[0]
    service.redis.set(key, LIMITS["invitation_address"].most - 1, ex=60)

    assert accept("x").status_code == 401
    assert accept("x").status_code == 429


def test_a_disabled_user_accepts_nothing(admin, make_firm, make_user, accept, owner_engine):
    known = make_user(make_firm())
    token = invite(admin, known.email).get_json()["token"]
    with owner_engine.begin() as connection:
        connection.execute(
            text("update users set status = 'disabled' where user_id = :person"),
            {"person": known.user_id},
        )

    assert code_of(accept(token, known.password)) == (401, "LOGIN_FAILED")


def test_a_weak_password_keeps_the_invitation_open(admin, accept):
    token = invite(admin, fresh_email()).get_json()["token"]

    assert code_of(accept(token, "password1234")) == (422, "PASSWORD_REFUSED")
    assert accept(token).status_code == 201


def test_a_second_invitation_ends_the_first_and_one_can_be_withdrawn(admin, accept):
    email = fresh_email()
    first = invite(admin, email).get_json()
    second = invite(admin, email).get_json()
    assert code_of(accept(first["token"])) == (401, "INVITATION_INVALID")
    listed = admin.get("/v1/invitations").get_json()["items"]
    assert [one["invitation_id"] for one in listed] == [second["invitation_id"]]
    assert "token" not in listed[0]

    assert admin.delete(f"/v1/invitations/{second['invitation_id']}").status_code == 204
    assert admin.delete(f"/v1/invitations/{second['invitation_id']}").status_code == 404
    assert code_of(accept(second["token"])) == (401, "INVITATION_INVALID")


def test_another_firms_invitation_cannot_be_withdrawn(admin, make_firm, make_user, sign_in, accept):
    made = invite(admin, fresh_email()).get_json()
    other = sign_in(make_user(make_firm()))

    assert other.get("/v1/invitations").get_json()["items"] == []
    assert other.delete(f"/v1/invitations/{made['invitation_id']}").status_code == 404
    assert accept(made["token"]).status_code == 201


def test_a_suspended_firms_invitations_stand_still(admin, firm, accept, owner_engine):
    token = invite(admin, fresh_email()).get_json()["token"]

    def put(status):
        with owner_engine.begin() as connection:
            connection.execute(
                text("update tenants set status = :status where tenant_id = :tenant"),
                {"status": status, "tenant": firm.tenant_id},
            )

    put("suspended")
    assert code_of(accept(token)) == (401, "INVITATION_INVALID")
    put("active")
    assert accept(token).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "no address", "roles": ["staff"]}, 422, "VALIDATION_FAILED"),
        ({"email": "a@b.test", "roles": []}, 422, "VALIDATION_FAILED"),
        ({"email": "a@b.test", "roles": ["god"]}, 422, "ROLE_UNKNOWN"),
        ({"email": "a@b.test", "roles": ["*"]}, 422, "VALIDATION_FAILED"),
        ({"email": "a@b.test"}, 422, "VALIDATION_FAILED"),
        ({"email": "a@b.test", "roles": ["staff"], "tenant_id": "x"}, 422, "VALIDATION_FAILED"),
    ],
)
def test_what_is_no_invitation_is_refused(admin, body, status, code):
    assert code_of(admin.post("/v1/people", json=body)) == (status, code)


# --- Nobody gains what they were not given


def test_nobody_invites_to_more_than_they_have(firm, make_user, sign_in):
    hr = sign_in(make_user(firm, roles=["hr"]))

    assert invite(hr, fresh_email(), ["hr"]).status_code == 201
    for role in ("super_admin", "valuer", "accounts", "owner", "portal_user"):
        assert code_of(invite(hr, fresh_email(), [role])) == (403, "CAPABILITY_NOT_YOURS")
        assert code_of(invite(hr, fresh_email(), ["hr", role])) == (403, "CAPABILITY_NOT_YOURS")


def test_nobody_gives_themselves_more(firm, make_user, sign_in):
    user = make_user(firm, roles=["hr"])
    answer = sign_in(user).patch(
        f"/v1/people/{user.user_id}", json={"roles": ["hr", "super_admin"]}
    )

    assert code_of(answer) == (403, "CAPABILITY_NOT_YOURS")


def test_nobody_changes_or_shuts_out_somebody_who_can_do_more(firm, make_user, sign_in):
    hr = sign_in(make_user(firm, roles=["hr"]))
    head = make_user(firm, roles=["super_admin"])
    make_user(firm, roles=["super_admin"])

    for change in ({"roles": ["portal_user"]}, {"is_disabled": True}):
        answer = hr.patch(f"/v1/people/{head.user_id}", json=change)
        assert code_of(answer) == (403, "CAPABILITY_NOT_YOURS")


def test_a_narrow_token_gives_no_more_than_it_holds(firm, make_user, sign_in, app):
    from tests.service.clients import Client

    admin = sign_in(make_user(firm))
    body = {
        "label": "narrow",
        "scopes": [
            "people.write", "people.read", "tokens.write", *capabilities_of(["portal_user"]),
        ],
        "expires_at": (now() + timedelta(days=1)).isoformat(),
    }  # fmt: skip
    narrow = Client(app, admin.post("/v1/tokens", json=body).get_json()["token"])

    assert code_of(invite(narrow, fresh_email(), ["staff"])) == (403, "CAPABILITY_NOT_YOURS")
    assert invite(narrow, fresh_email(), ["portal_user"]).status_code == 201
    wider = {**body, "scopes": ["people.write", "audit.read"]}
    assert code_of(narrow.post("/v1/tokens", json=wider)) == (403, "CAPABILITY_NOT_YOURS")


@pytest.mark.parametrize("role", ["staff", "valuer", "accounts", "ops_manager", "manager"])
def test_whoever_may_not_write_people_changes_nobody(firm, make_user, sign_in, role):
    inside = sign_in(make_user(firm, roles=[role]))
    other = make_user(firm, roles=["portal_user"])

    assert code_of(invite(inside)) == (403, "CAPABILITY_MISSING")
    answer = inside.patch(f"/v1/people/{other.user_id}", json={"is_disabled": True})
    assert code_of(answer) == (403, "CAPABILITY_MISSING")
    assert code_of(
        inside.post(
            "/v1/tokens",
            json={"label": "x", "scopes": ["repogen.read"], "expires_at": now().isoformat()},
        )
    ) == (403, "CAPABILITY_MISSING")


def test_a_firm_has_no_role_for_the_studio_and_the_studio_none_for_the_portal(
    make_firm, make_user, sign_in, admin
):
    studio = sign_in(make_user(make_firm(kind="service")), "studio")

    assert code_of(invite(studio, fresh_email(), ["portal_user"])) == (422, "ROLE_NOT_HERE")
    assert code_of(invite(studio, fresh_email(), ["valuer"])) == (422, "ROLE_NOT_HERE")
    # super_admin of a firm is the firm's: the studio's routes know them not.
    assert code_of(admin.get("/v1/studio/tenants")) == (403, "AUDIENCE_MISMATCH")


# --- Changing people


def test_roles_are_given_and_taken_and_the_record_says_so(admin, firm, make_user, owner_engine):
    person = make_user(firm, roles=["staff"])
    answer = admin.patch(
        f"/v1/people/{person.user_id}",
        json={"roles": ["valuer", "manager"], "reason": "passed the examination"},
    )

    assert answer.get_json()["roles"] == ["manager", "valuer"]
    with owner_engine.connect() as connection:
        row = connection.execute(
            text(
                "select e.action, e.reason, d.details from audit_events e join audit_details d"
                " using (tenant_id, event_id) where e.subject_id = :person"
            ),
            {"person": str(person.user_id)},
        ).one()
    assert (row.action, row.reason) == ("people:roles:changed", "passed the examination")
    assert '"roles":["staff"]' in row.details
    assert '"roles":["manager","valuer"]' in row.details


def test_a_change_that_changes_nothing_is_not_recorded(admin, firm, make_user, owner_engine):
    person = make_user(firm, roles=["staff"])
    for body in ({}, {"roles": ["staff"]}, {"is_disabled": False}):
        assert admin.patch(f"/v1/people/{person.user_id}", json=body).status_code == 200
    with owner_engine.connect() as connection:
        assert not connection.scalar(
            text("select count(*) from audit_events where subject_id = :person"),
            {"person": str(person.user_id)},
        )


def test_shutting_out_ends_logins_here_and_nowhere_else(
    admin, firm, make_firm, make_user, owner_engine, app, client, accept
):
    from tests.service.clients import Client

    person, other = make_user(firm, roles=["owner"]), make_firm()
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into memberships (tenant_id, user_id, role, created_at)"
                " values (:tenant, :person, 'owner', now())"
            ),
            {"tenant": other.tenant_id, "person": person.user_id},
        )
    body = {"email": person.email, "password": person.password, "audience": "web"}
    here, there = (
        Client(app, client.post("/v1/auth/login", json={**body, "firm": slug}).get_json()["token"])
        for slug in (firm.slug, other.slug)
    )
    sent_to = invite(admin, person.email, ["staff"]).get_json()["token"]
    made_by = invite(here, fresh_email(), ["staff"]).get_json()["token"]
    bystander = invite(admin, fresh_email(), ["staff"]).get_json()["token"]
    done = admin.patch(f"/v1/people/{person.user_id}", json={"is_disabled": True})

    assert done.get_json()["is_disabled"] is True
    assert code_of(here.get("/v1/auth/me")) == (401, "TOKEN_INVALID")
    assert there.get("/v1/auth/me").status_code == 200
    assert client.post("/v1/auth/login", json={**body, "firm": firm.slug}).status_code == 401
    assert code_of(accept(sent_to, person.password)) == (401, "INVITATION_INVALID")
    assert code_of(accept(made_by)) == (401, "INVITATION_INVALID")
    assert accept(bystander).status_code == 201
    # The name stays beside what the person did.
    assert person.email in {one["email"] for one in admin.get("/v1/people").get_json()["items"]}

    # Let in again, the old logins stay ended.
    admin.patch(f"/v1/people/{person.user_id}", json={"is_disabled": False})
    assert code_of(here.get("/v1/auth/me")) == (401, "TOKEN_INVALID")
    assert client.post("/v1/auth/login", json={**body, "firm": firm.slug}).status_code == 200


def test_a_later_invitation_does_not_let_in_whoever_was_shut_out(admin, firm, make_user, accept):
    person = make_user(firm, roles=["staff"])
    admin.patch(f"/v1/people/{person.user_id}", json={"is_disabled": True})
    token = invite(admin, person.email, ["valuer"]).get_json()["token"]

    assert code_of(accept(token, person.password)) == (401, "INVITATION_INVALID")


def test_a_role_given_to_somebody_shut_out_lets_them_in_nowhere(admin, firm, make_user, client):
    person = make_user(firm, roles=["staff"])
    path = f"/v1/people/{person.user_id}"
    admin.patch(path, json={"is_disabled": True})

    assert admin.patch(path, json={"roles": ["staff", "valuer"]}).get_json()["is_disabled"] is True
    body = {"email": person.email, "password": person.password, "audience": "web"}
    assert client.post("/v1/auth/login", json=body).status_code == 401


def test_the_last_who_runs_the_firm_stays(firm, make_user, sign_in):
    head = make_user(firm)
    inside = sign_in(head)
    path = f"/v1/people/{head.user_id}"
    assert code_of(inside.patch(path, json={"roles": ["staff"]})) == (409, "LAST_ADMIN")
    assert code_of(inside.patch(path, json={"is_disabled": True})) == (409, "NOT_YOURSELF")

    second = make_user(firm)
    assert inside.patch(path, json={"roles": ["staff"]}).status_code == 200
    other = sign_in(second)
    answer = other.patch(f"/v1/people/{second.user_id}", json={"roles": ["owner"]})
    assert code_of(answer) == (409, "LAST_ADMIN")


def test_somebody_shut_out_or_disabled_does_not_count_as_running_the_firm(
    firm, make_user, sign_in, owner_engine
):
    head, shut, disabled = make_user(firm), make_user(firm), make_user(firm)
    with owner_engine.begin() as connection:
        connection.execute(
            text("update memberships set disabled_at = now() where user_id = :person"),
            {"person": shut.user_id},
        )
        connection.execute(
            text("update users set status = 'disabled' where user_id = :person"),
            {"person": disabled.user_id},
        )
    answer = sign_in(head).patch(f"/v1/people/{head.user_id}", json={"roles": ["staff"]})

    assert code_of(answer) == (409, "LAST_ADMIN")


def test_two_who_take_the_role_from_each_other_at_once_leave_one(firm, make_user, service):
    from service.actor import Actor

    one, two = make_user(firm), make_user(firm)
    start, done = threading.Barrier(2), []

    def take(actor_of, target):
        actor = Actor(
            firm.tenant_id,
            actor_of.user_id,
            "web",
            capabilities_of([HIGHEST]),
            "N",
            "r",
        )
        try:
            with transaction(
                service.engine,
                role="zen_web",
                tenant_id=firm.tenant_id,
                user_id=actor_of.user_id,
            ) as connection:
                start.wait()
                members.change_person(connection, actor, target.user_id, roles=["staff"])
            done.append("taken")
        except ServiceError as error:
            done.append(error.code)

    threads = [threading.Thread(target=take, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == ["LAST_ADMIN", "taken"]


@pytest.mark.parametrize("other", ["stranger", "nobody", "malformed"])
def test_another_firms_person_is_not_there(admin, make_firm, make_user, other):
    stranger = make_user(make_firm())
    wanted = {"stranger": stranger.user_id, "nobody": new_id(), "malformed": "x"}[other]

    for answer in (
        admin.get(f"/v1/people/{wanted}"),
        admin.patch(f"/v1/people/{wanted}", json={"is_disabled": True}),
    ):
        assert code_of(answer) == (404, "NOT_FOUND")


def test_the_list_has_every_member_once_over_its_pages(admin, firm, make_user):
    made = {make_user(firm, roles=["staff", "valuer"]).email for _ in range(4)}
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = admin.get("/v1/people", query_string={"limit": 2, **more}).get_json()
        assert len(page["items"]) <= 2
        found += [one["email"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert len(found) == len(set(found)) == 5
    assert made < set(found)


def test_no_answer_about_people_holds_a_password_or_a_digest(admin, firm, make_user):
    make_user(firm)
    for path in ("/v1/people", "/v1/tokens", "/v1/invitations", "/v1/auth/me"):
        said = admin.get(path).get_data(as_text=True)
        assert "argon2" not in said
        assert "sha256" not in said
        assert "zt_" not in said
