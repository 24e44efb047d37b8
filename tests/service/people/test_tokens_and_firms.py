"""Tokens for programs, the firm's settings, the studio; and what the database itself refuses."""

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from service.clock import now
from service.database.connections import become, transaction
from service.identifiers import new_id
from service.people.access_tokens import forget_ended
from service.people.acting import as_login, put
from service.people.limits import LONGEST_TOKEN_LIFE, TOKEN_KEPT_AFTER_END
from service.people.tokens import make_token, token_digest
from tests.service.clients import Client


@pytest.fixture(autouse=True)
def _fresh_counts(service):
    service.redis.flushall()


@pytest.fixture(scope="module")
def firm(make_firm):
    return make_firm()


@pytest.fixture(scope="module")
def admin(firm, make_user, sign_in):
    return sign_in(make_user(firm))


@pytest.fixture(scope="module")
def studio(make_firm, make_user, sign_in):
    return sign_in(make_user(make_firm(kind="service")), "studio")


def wish(**more):
    return {
        "label": "sweep",
        "scopes": ["repogen.read", "jobs.read"],
        "expires_at": (now() + timedelta(days=30)).isoformat(),
        **more,
    }


def code_of(answer):
    return answer.status_code, answer.get_json()["code"]


# --- Tokens


def test_a_token_can_do_what_its_scopes_say_and_no_more(admin, app):
    made = admin.post("/v1/tokens", json=wish()).get_json()
    inside = Client(app, made["token"])

    assert inside.get("/v1/auth/me").get_json()["capabilities"] == ["jobs.read", "repogen.read"]
    assert code_of(inside.get("/v1/people")) == (403, "CAPABILITY_MISSING")
    assert admin.get("/v1/people").status_code == 200


def test_a_token_loses_what_its_owner_loses(firm, make_user, sign_in, app, owner_engine):
    user = make_user(firm)
    inside = sign_in(user)
    token = inside.post("/v1/tokens", json=wish(scopes=["audit.read", "repogen.read"])).get_json()
    with owner_engine.begin() as connection:
        connection.execute(
            text("update memberships set role = 'staff' where user_id = :person"),
            {"person": user.user_id},
        )

    found = Client(app, token["token"]).get("/v1/auth/me").get_json()
    assert found["capabilities"] == ["repogen.read"]


def test_a_service_token_is_the_firms_own_and_outlives_its_maker(
    firm, make_user, sign_in, app, admin
):
    maker = make_user(firm)
    body = wish(kind="service", label="the older system", scopes=["people.read"])
    inside = Client(app, sign_in(maker).post("/v1/tokens", json=body).get_json()["token"])
    admin.patch(f"/v1/people/{maker.user_id}", json={"is_disabled": True})
    me = inside.get("/v1/auth/me").get_json()

    assert (me["user_id"], me["email"], me["audience"]) == (None, None, "service")
    assert (me["name"], me["capabilities"]) == ("the older system", ["people.read"])
    assert inside.get("/v1/people").status_code == 200
    assert code_of(inside.get("/v1/audit-is-nowhere")) == (404, "NOT_FOUND")
    assert inside.post("/v1/auth/logout").status_code == 204
    assert code_of(inside.get("/v1/auth/me")) == (401, "TOKEN_INVALID")


def test_a_service_token_cannot_do_what_only_people_do(admin, app):
    scopes = ["people.write", "tokens.write", "firm.settings"]
    made = admin.post("/v1/tokens", json=wish(kind="service", scopes=scopes)).get_json()
    inside = Client(app, made["token"])

    for answer in (
        inside.post("/v1/people", json={"email": "a@b.test", "roles": ["portal_user"]}),
        inside.post("/v1/tokens", json=wish(scopes=["people.write"])),
        inside.patch("/v1/firm", json={"retention_years": 5}),
        inside.post("/v1/auth/password", json={"current": "x", "new": "y"}),
    ):
        assert code_of(answer) == (403, "AUDIENCE_MISMATCH")


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"scopes": []}, 422, "VALIDATION_FAILED"),
        ({"scopes": ["no.such"]}, 422, "VALIDATION_FAILED"),
        ({"scopes": ["*"]}, 422, "VALIDATION_FAILED"),
        ({"kind": "session"}, 422, "VALIDATION_FAILED"),
        ({"kind": "invitation"}, 422, "VALIDATION_FAILED"),
        ({"audience": "studio"}, 422, "VALIDATION_FAILED"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "VALIDATION_FAILED"),
        ({"expires_at": "2027-01-01T00:00:00"}, 422, "VALIDATION_FAILED"),
        ({"label": " "}, 422, "VALIDATION_FAILED"),
    ],
)
def test_what_is_no_token_is_refused(admin, more, status, code):
    assert code_of(admin.post("/v1/tokens", json=wish(**more))) == (status, code)


def test_a_token_lasts_a_year_at_most(admin):
    longest = now() + LONGEST_TOKEN_LIFE
    too_long = wish(expires_at=(longest + timedelta(minutes=1)).isoformat())
    just = wish(expires_at=(longest - timedelta(minutes=1)).isoformat())

    assert code_of(admin.post("/v1/tokens", json=too_long)) == (422, "VALIDATION_FAILED")
    assert admin.post("/v1/tokens", json=just).status_code == 201


def test_a_tokens_end_is_its_end(admin, app, owner_engine):
    made = admin.post("/v1/tokens", json=wish()).get_json()
    with owner_engine.begin() as connection:
        connection.execute(
            text("update access_tokens set expires_at = now() where token_id = :token"),
            {"token": made["token_id"]},
        )

    assert code_of(Client(app, made["token"]).get("/v1/auth/me")) == (401, "TOKEN_INVALID")


def test_what_ended_long_ago_is_forgotten_and_nothing_else(admin, jobs_service, owner_engine):
    minute = timedelta(minutes=1)
    ends = {
        "just": -TOKEN_KEPT_AFTER_END + minute,
        "long": -TOKEN_KEPT_AFTER_END - minute,
        "never": timedelta(days=1),
    }
    tokens = {name: admin.post("/v1/tokens", json=wish()).get_json()["token_id"] for name in ends}
    with owner_engine.begin() as connection:
        for name, token in tokens.items():
            connection.execute(
                text("update access_tokens set expires_at = :at where token_id = :token"),
                {"at": now() + ends[name], "token": token},
            )

    assert forget_ended(jobs_service) == 1
    with owner_engine.connect() as connection:
        left = connection.scalars(
            text("select token_id::text from access_tokens where token_id = any(:tokens)"),
            {"tokens": list(tokens.values())},
        ).all()
    assert set(left) == {tokens["just"], tokens["never"]}


def test_the_clock_can_delete_no_token_that_is_good(admin, jobs_service, owner_engine):
    token = admin.post("/v1/tokens", json=wish()).get_json()["token_id"]
    with transaction(jobs_service.engine, role="zen_system") as connection:
        connection.execute(text("delete from access_tokens"))

    with owner_engine.connect() as connection:
        assert connection.scalar(
            text("select 1 from access_tokens where token_id = :token"), {"token": token}
        )


def test_people_see_and_end_their_own_tokens_and_an_administrator_the_firms(
    firm, make_user, sign_in, app, admin, make_firm
):
    person = make_user(firm, roles=["valuer"])
    one, two = sign_in(person), sign_in(person)
    own = one.get("/v1/tokens").get_json()["items"]
    assert len(own) == 2
    assert {each["user_id"] for each in own} == {str(person.user_id)}
    others = {each["token_id"] for each in admin.get("/v1/tokens").get_json()["items"]}
    assert {each["token_id"] for each in own} < others

    foreign = min(others - {each["token_id"] for each in own})
    assert code_of(one.delete(f"/v1/tokens/{foreign}")) == (404, "NOT_FOUND")
    stranger = sign_in(make_user(make_firm()))
    for each in own:
        assert code_of(stranger.delete(f"/v1/tokens/{each['token_id']}")) == (404, "NOT_FOUND")
    ids = {token: Client(app, token) for token in (one.token, two.token)}
    me = sorted(own, key=lambda each: each["created_at"])
    assert one.delete(f"/v1/tokens/{me[1]['token_id']}").status_code == 204
    assert ids[two.token].get("/v1/auth/me").status_code == 401
    assert admin.delete(f"/v1/tokens/{me[0]['token_id']}").status_code == 204
    assert one.get("/v1/auth/me").status_code == 401
    assert code_of(admin.delete(f"/v1/tokens/{me[0]['token_id']}")) == (404, "NOT_FOUND")


def test_a_repeated_write_is_answered_again_without_the_secret(admin, firm, owner_engine):
    """An idempotency key keeps answers for ever, and no token is ever kept in clear."""
    for path, body in (
        ("/v1/tokens", wish()),
        ("/v1/people", {"email": "again@specimen.test", "roles": ["staff"]}),
    ):
        headers = {"Idempotency-Key": str(new_id())}
        first = admin.post(path, json=body, headers=headers)
        again = admin.post(path, json=body, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.get_json()["token"].startswith("zt_")
        assert again.get_json() == {**first.get_json(), "token": None}
        with owner_engine.connect() as connection:
            kept = connection.scalars(
                text("select body from idempotency_keys where tenant_id = :tenant"),
                {"tenant": firm.tenant_id},
            ).all()
        assert kept
        assert not [one for one in kept if b"zt_" in bytes(one)]


def test_every_route_of_people_names_who_may_call_it(app):
    from service.api.access import access_of

    found = {
        f"{method} {rule.rule}": access_of(app.view_functions[rule.endpoint])
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("people.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert {name for name, one in found.items() if one.is_public} == {
        "POST /v1/auth/login",
        "POST /v1/auth/invitations/accept",
        "GET /v1/auth/oidc",
        "GET /v1/auth/oidc/callback",
    }
    assert {name for name, one in found.items() if "portal" in one.audiences} == {
        "POST /v1/auth/logout",
        "GET /v1/auth/me",
        "POST /v1/auth/password",
    }
    assert {one.audiences for name, one in found.items() if "/studio/" in name} == {("studio",)}
    writes = {name: one for name, one in found.items() if not name.startswith("GET")}
    assert {name for name, one in writes.items() if one.capability is None} == {
        "POST /v1/auth/login",
        "POST /v1/auth/invitations/accept",
        "POST /v1/auth/logout",
        "POST /v1/auth/password",
        "DELETE /v1/tokens/<token_id>",
    }


# --- The firm


def test_a_firm_without_a_letterhead_has_its_name(make_firm, make_user, sign_in):
    firm = make_firm(name="Nameful Valuers")
    body = sign_in(make_user(firm)).get("/v1/firm").get_json()

    assert body["firm"]["name"] == "Nameful Valuers"
    assert (body["slug"], body["retention_years"], body["version"]) == (firm.slug, 3, 1)


def test_settings_change_under_their_version_and_the_record_says_so(
    make_firm, make_user, sign_in, owner_engine
):
    firm = make_firm()
    inside = sign_in(make_user(firm))
    first = inside.get("/v1/firm")
    assert first.headers["ETag"] == '"1"'
    letterhead = {"name": "New Name", "address": ["One Street"], "validity_days": 90}
    changed = inside.patch(
        "/v1/firm",
        json={"firm": letterhead, "retention_years": 7},
        headers={"If-Match": '"1"'},
    )

    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert changed.get_json()["firm"]["validity_days"] == 90
    assert inside.get("/v1/firm").get_json() == changed.get_json()
    stale = inside.patch("/v1/firm", json={"retention_years": 8}, headers={"If-Match": '"1"'})
    assert code_of(stale) == (412, "VERSION_CONFLICT")
    assert stale.get_json()["current_version"] == 2
    same = inside.patch("/v1/firm", json={"retention_years": 7})
    assert same.get_json()["version"] == 2
    with owner_engine.connect() as connection:
        details = connection.scalars(
            text(
                "select d.details from audit_events e join audit_details d"
                " using (tenant_id, event_id)"
                " where e.tenant_id = :tenant and e.action = 'people:firm:changed'"
            ),
            {"tenant": firm.tenant_id},
        ).all()
    assert len(details) == 1
    assert '"retention_years":7' in details[0]
    assert '"retention_years":3' in details[0]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"retention_years": 2}, "retention_years"),
        ({"retention_years": 101}, "retention_years"),
        ({"firm": {"address": ["x"]}}, "firm.name"),
        ({"firm": {"name": "N", "colour": "red"}}, "firm.colour"),
        ({"firm": {"name": "N", "logo": "evidence/logo.png"}}, "firm.logo"),
        ({"logo_document_id": "01890000-0000-7000-8000-000000000000"}, "logo_document_id"),
        ({"tenant_id": "x"}, "tenant_id"),
        ({"version": 9}, "version"),
    ],
)
def test_what_is_no_setting_is_refused(admin, body, field):
    answer = admin.patch("/v1/firm", json=body)

    assert code_of(answer) == (422, "VALIDATION_FAILED")
    assert [one["field"] for one in answer.get_json()["errors"]] == [field]


@pytest.mark.parametrize("years", [3, 100])
def test_the_longest_and_the_shortest_time_are_taken(admin, years):
    assert admin.patch("/v1/firm", json={"retention_years": years}).status_code == 200


def test_a_logo_is_an_uploaded_picture_of_the_firm(
    make_firm, make_user, sign_in, owner_engine, admin
):
    firm = make_firm()
    inside = sign_in(make_user(firm))

    def document(status, media_type):
        made = new_id()
        with owner_engine.begin() as connection:
            connection.execute(
                text(
                    "insert into documents (tenant_id, document_id, status, filename, object_key,"
                    " media_type, size, sha256, facts, uploaded_at, created_at) values (:tenant, :id,"
                    " :status, 'logo.png', cast(:id as text), :type, 1, repeat('0', 64), '{}', now(), now())"
                ),
                {"tenant": firm.tenant_id, "id": made, "status": status, "type": media_type},
            )
        return str(made)

    def put(client, given):
        return client.patch("/v1/firm", json={"logo_document_id": given}).status_code

    logo = document("uploaded", "image/png")
    assert put(inside, document("pending", "image/png")) == 422
    assert put(inside, document("uploaded", "application/pdf")) == 422
    assert put(admin, logo) == 422
    assert put(inside, logo) == 200
    assert inside.get("/v1/firm").get_json()["logo_document_id"] == logo
    assert put(inside, None) == 200
    assert inside.get("/v1/firm").get_json()["logo_document_id"] is None


def test_a_valuer_reads_the_letterhead_and_changes_nothing(firm, make_user, sign_in):
    inside = sign_in(make_user(firm, roles=["valuer"]))

    assert inside.get("/v1/firm").status_code == 200
    answer = inside.patch("/v1/firm", json={"retention_years": 5})
    assert code_of(answer) == (403, "CAPABILITY_MISSING")


# --- The studio


def test_the_studio_founds_a_firm_whose_invited_head_takes_it_over(studio, client, app):
    made = studio.post(
        "/v1/studio/tenants",
        json={
            "slug": "founded",
            "name": "Founded Valuers",
            "admin_email": "head@founded.test",
            "firm": {"name": "Founded Valuers", "address": ["Two Street"]},
        },
        headers={"Idempotency-Key": "found-once"},
    )
    assert made.status_code == 201
    body = made.get_json()
    assert body["invitation"]["roles"] == ["super_admin"]
    joined = client.post(
        "/v1/auth/invitations/accept",
        json={
            "token": body["invitation"]["token"],
            "name": "Hema Head",
            "password": "a river of small lamps",
        },
    )
    assert joined.get_json()["firm"] == "founded"
    login = {
        "email": "head@founded.test",
        "password": "a river of small lamps",
        "audience": "web",
    }
    head = Client(app, client.post("/v1/auth/login", json=login).get_json()["token"])
    assert head.get("/v1/firm").get_json()["firm"]["address"] == ["Two Street"]
    again = studio.post(
        "/v1/studio/tenants",
        json={"slug": "founded", "name": "N", "admin_email": "a@b.test"},
    )
    assert code_of(again) == (409, "SLUG_TAKEN")


def test_the_studio_sees_every_firm_over_its_pages(studio, make_firm):
    made = {make_firm().slug for _ in range(3)}
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = studio.get("/v1/studio/tenants", query_string={"limit": 2, **more}).get_json()
        found += [one["slug"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert made <= set(found)
    assert len(found) == len(set(found))


def test_a_suspended_firm_is_out_until_it_is_taken_back(
    studio, make_firm, make_user, sign_in, app, owner_engine
):
    firm = make_firm()
    user = make_user(firm)
    inside = sign_in(user)
    service_token = inside.post(
        "/v1/tokens", json=wish(kind="service", scopes=["people.read"])
    ).get_json()["token"]
    path = f"/v1/studio/tenants/{firm.tenant_id}"

    assert code_of(studio.patch(path, json={"status": "suspended"})) == (422, "VALIDATION_FAILED")
    put = studio.patch(path, json={"status": "suspended", "reason": "fees"})
    assert put.get_json()["status"] == "suspended"
    for each in (inside, Client(app, service_token)):
        assert code_of(each.get("/v1/auth/me")) == (401, "TOKEN_INVALID")
    studio.patch(path, json={"status": "active", "reason": "paid"})
    assert inside.get("/v1/auth/me").status_code == 200
    with owner_engine.connect() as connection:
        found = connection.execute(
            text(
                "select action, reason from audit_events where tenant_id = :tenant"
                " and action like 'people:firm:%' order by event_id"
            ),
            {"tenant": firm.tenant_id},
        ).all()
    assert [tuple(row) for row in found] == [
        ("people:firm:suspended", "fees"),
        ("people:firm:resumed", "paid"),
    ]


def test_the_studio_cannot_suspend_itself(studio):
    own = studio.get("/v1/auth/me").get_json()["tenant_id"]
    body = {"status": "suspended", "reason": "x"}

    assert code_of(studio.patch(f"/v1/studio/tenants/{own}", json=body)) == (409, "NOT_YOURSELF")
    assert code_of(studio.patch(f"/v1/studio/tenants/{new_id()}", json=body))[0] == 404
    assert code_of(studio.patch("/v1/studio/tenants/x", json=body))[0] == 404


def test_the_studio_disables_a_person_in_every_firm(
    studio, make_firm, make_user, sign_in, owner_engine
):
    user = make_user(make_firm())
    inside = sign_in(user)
    path = f"/v1/studio/people/{user.user_id}"
    done = studio.patch(path, json={"status": "disabled", "reason": "left"})

    assert done.status_code == 204
    assert code_of(inside.get("/v1/auth/me")) == (401, "TOKEN_INVALID")
    studio.patch(path, json={"status": "active", "reason": "back"})
    # The old login stays ended; a new one is possible.
    assert code_of(inside.get("/v1/auth/me")) == (401, "TOKEN_INVALID")
    assert sign_in(user).get("/v1/auth/me").status_code == 200
    with owner_engine.connect() as connection:
        found = connection.scalars(
            text(
                "select action from audit_events where tenant_id = :tenant"
                " and subject_id = :person order by event_id"
            ),
            {"tenant": user.tenant_id, "person": str(user.user_id)},
        ).all()
    assert found == ["people:user:disabled", "people:user:enabled"]
    nobody = studio.patch(
        f"/v1/studio/people/{new_id()}", json={"status": "disabled", "reason": "x"}
    )
    assert code_of(nobody) == (404, "NOT_FOUND")
    own = studio.get("/v1/auth/me").get_json()["user_id"]
    answer = studio.patch(f"/v1/studio/people/{own}", json={"status": "disabled", "reason": "x"})
    assert code_of(answer) == (409, "NOT_YOURSELF")


def test_the_studio_changes_people_of_the_firm_it_names(studio, make_firm, make_user):
    firm = make_firm()
    person = make_user(firm, roles=["staff"])
    headers = {"X-Zenops-Tenant": str(firm.tenant_id)}
    path = f"/v1/people/{person.user_id}"

    assert code_of(studio.patch(path, json={"roles": ["valuer"]})) == (404, "NOT_FOUND")
    answer = studio.patch(path, json={"roles": ["valuer"]}, headers=headers)
    assert answer.get_json()["roles"] == ["valuer"]


# --- What the database refuses by itself


@pytest.mark.parametrize("role", ["zen_web", "zen_studio", "zen_portal"])
@pytest.mark.parametrize(
    "statement",
    [
        "select password_hash from users",
        "select * from users",
        "select token_sha256 from access_tokens",
        "select * from access_tokens",
        "update users set status = 'active'",
        "update users set password_hash = 'x'",
        "update access_tokens set expires_at = now()",
        "update access_tokens set scopes = null",
        "delete from users",
        "delete from access_tokens",
    ],
)
def test_no_role_but_login_reads_or_changes_secrets(service, firm, role, statement):
    with (
        pytest.raises(DBAPIError) as caught,
        transaction(service.engine, role=role, tenant_id=firm.tenant_id) as connection,
    ):
        connection.execute(text(statement))

    assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege)


@pytest.mark.parametrize("role", ["zen_worker", "zen_system"])
def test_a_worker_reads_no_secret_either(jobs_service, firm, role):
    for statement in (
        "select password_hash from users",
        "select token_sha256 from access_tokens",
        "select token_id from access_tokens",
    ):
        with (
            pytest.raises(DBAPIError) as caught,
            transaction(jobs_service.engine, role=role, tenant_id=firm.tenant_id) as connection,
        ):
            connection.execute(text(statement))
        assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege)


def test_login_sees_the_one_address_token_or_person_it_names_and_no_others(
    service, make_firm, make_user, sign_in
):
    one, other = make_user(make_firm()), make_user(make_firm())
    token = sign_in(one).token
    sign_in(other)

    def seen(connection):
        return [
            connection.scalar(text(f"select count(*) from {table}"))  # noqa: S608 - from below
            for table in ("users", "memberships", "access_tokens", "tenants")
        ]

    with transaction(service.engine, role="zen_login") as connection:
        assert seen(connection) == [0, 0, 0, 0]
        put(connection, "app.login_email", one.email)
        assert seen(connection) == [1, 0, 0, 0]
        put(connection, "app.login_email", "")
        put(connection, "app.token_sha256", token_digest(token))
        assert seen(connection) == [0, 0, 1, 1]
        put(connection, "app.token_sha256", "")
        put(connection, "app.user_id", str(one.user_id))
        assert seen(connection) == [1, 1, 1, 1]


def test_a_firms_web_sees_its_own_people_and_tokens_alone(service, make_firm, make_user, sign_in):
    firm, other = make_firm(), make_firm()
    own, stranger = make_user(firm), make_user(other)
    sign_in(own)
    sign_in(stranger)
    with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
        emails = connection.scalars(text("select email from users")).all()
        tokens = connection.scalars(text("select tenant_id from access_tokens")).all()
        changed = connection.execute(
            text("update access_tokens set revoked_at = now() where tenant_id = :other"),
            {"other": other.tenant_id},
        ).rowcount

    assert (emails, set(tokens), changed) == ([own.email], {firm.tenant_id}, 0)


def test_the_portal_sees_itself_and_no_colleague(service, firm, make_user):
    person, _ = make_user(firm, roles=["portal_user"]), make_user(firm, roles=["portal_user"])
    with transaction(
        service.engine, role="zen_portal", tenant_id=firm.tenant_id, user_id=person.user_id
    ) as connection:
        assert connection.scalars(text("select email from users")).all() == [person.email]


def _new_token(kind, audience):
    return (
        text(
            "insert into access_tokens (tenant_id, token_id, kind, token_sha256, audience,"
            " created_at, expires_at) values (:tenant, :token, :kind, :sha256, :audience,"
            " now(), now() + interval '1 hour')"
        ),
        {"token": new_id(), "kind": kind, "sha256": make_token().sha256, "audience": audience},
    )


@pytest.mark.parametrize(
    ("kind", "audience", "is_taken"),
    [
        ("bearer", "web", True),
        ("service", "service", True),
        ("bearer", "studio", False),
        ("session", "web", False),
    ],
)
def test_a_firm_makes_no_session_and_no_token_for_the_studio(
    service, firm, kind, audience, is_taken
):
    statement, values = _new_token(kind, audience)

    def make(tenant_id):
        with transaction(service.engine, role="zen_web", tenant_id=firm.tenant_id) as connection:
            connection.execute(statement, {**values, "tenant": tenant_id})

    if is_taken:
        make(firm.tenant_id)
    else:
        with pytest.raises(DBAPIError, match="row-level security"):
            make(firm.tenant_id)


def test_login_gives_roles_only_by_an_invitation_that_stands(
    service, firm, admin, make_user, owner_engine
):
    stranger = make_user(firm, roles=["portal_user"])
    made = admin.post(
        "/v1/people", json={"email": "door@specimen.test", "roles": ["staff"]}
    ).get_json()

    def take(role, token):
        with transaction(service.engine, role="zen_login") as connection:
            put(connection, "app.user_id", str(stranger.user_id))
            put(connection, "app.tenant_id", str(firm.tenant_id))
            put(connection, "app.token_sha256", token_digest(token))
            connection.execute(
                text(
                    "insert into memberships (tenant_id, user_id, role, created_at)"
                    " values (:tenant, :person, :role, now())"
                ),
                {"tenant": firm.tenant_id, "person": stranger.user_id, "role": role},
            )

    for role, token in (
        ("super_admin", made["token"]),
        ("staff", make_token().clear),
        ("staff", admin.token),
    ):
        with pytest.raises(DBAPIError, match="row-level security"):
            take(role, token)

    def put_kind(kind):
        with owner_engine.begin() as connection:
            connection.execute(
                text("update access_tokens set kind = :kind where token_id = :token"),
                {"kind": kind, "token": made["invitation_id"]},
            )

    # What only looks like one is none.
    put_kind("bearer")
    with pytest.raises(DBAPIError, match="row-level security"):
        take("staff", made["token"])
    put_kind("invitation")
    take("staff", made["token"])
    admin.delete(f"/v1/invitations/{made['invitation_id']}")
    with pytest.raises(DBAPIError, match="row-level security"):
        take("staff", made["token"])


def test_stepping_aside_into_login_is_put_back_as_it_was(service, firm, make_user):
    user = make_user(firm)
    wanted = text(
        "select current_user, current_setting('app.tenant_id'), current_setting('app.user_id'),"
        " current_setting('app.audience'), current_setting('app.login_email', true)"
    )
    with transaction(
        service.engine, role="zen_web", tenant_id=firm.tenant_id, user_id=user.user_id
    ) as connection:
        before = connection.execute(wanted).one()
        with as_login(connection, email="a@b.test"):
            inside = connection.execute(wanted).one()
        after = connection.execute(wanted).one()
        become(connection, "zen_web")

    assert inside[0] == "zen_login"
    assert [value or "" for value in after] == [value or "" for value in before]
