"""POST /v1/auth/login and what it refuses, over HTTP, with the real Valkey."""

import re
from pathlib import Path

import argon2
import pytest
from sqlalchemy import text

from service.bootstrap import make_service
from service.local_services import start_valkey
from service.people import attempts, limits, passwords
from service.people.roles import capabilities_of
from service.people.signing_in import client_address


@pytest.fixture(scope="module")
def firm(make_firm):
    return make_firm()


@pytest.fixture
def user(firm, make_user):
    return make_user(firm, roles=["valuer"])


@pytest.fixture
def try_login(client, service):
    service.redis.flushall()

    def send(email, password, audience="web", *, headers=None, **more):
        body = {"email": email, "password": password, "audience": audience, **more}
        return client.post("/v1/auth/login", json=body, headers=headers or {})

    return send


def without_ids(answer):
    body = answer.get_json()
    body.pop("instance", None)
    return answer.status_code, body


def test_a_login_answers_with_a_token_and_what_it_is_good_for(try_login, user, firm):
    answer = try_login(user.email, user.password)
    body = answer.get_json()

    assert answer.status_code == 200
    assert body["token_type"] == "Bearer"
    assert (body["firm"], body["audience"], body["roles"]) == (firm.slug, "web", ["valuer"])
    assert "repogen.sign" in body["capabilities"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_address_is_the_same_in_capitals_and_with_blanks(try_login, user):
    assert try_login(f"  {user.email.upper()} ", user.password).status_code == 200


def test_every_failure_has_one_body(try_login, make_firm, make_user, owner_engine, user):
    suspended = make_user(make_firm())
    disabled = make_user(make_firm())
    homeless = make_user(make_firm())
    with owner_engine.begin() as connection:
        for statement, person in (
            ("update tenants set status = 'suspended' where tenant_id = :id", suspended.tenant_id),
            ("update users set status = 'disabled' where user_id = :id", disabled.user_id),
            ("delete from memberships where user_id = :id", homeless.user_id),
        ):
            connection.execute(text(statement), {"id": person})
    failures = [
        try_login(user.email, "a wrong password, quite"),
        try_login("nobody@specimen.test", user.password),
        try_login("no address at all", user.password),
        try_login(user.email, user.password, "studio"),
        try_login(user.email, user.password, "portal"),
        try_login(user.email, user.password, firm="another-firm"),
        try_login(user.email, ""),
        try_login(suspended.email, suspended.password),
        try_login(disabled.email, disabled.password),
        try_login(homeless.email, homeless.password),
    ]

    assert {repr(without_ids(one)) for one in failures} == {repr(without_ids(failures[0]))}
    assert failures[0].status_code == 401
    assert failures[0].get_json()["code"] == "LOGIN_FAILED"


@pytest.mark.parametrize("email", ["known", "nobody@specimen.test", "no address", "x" * 200])
def test_every_failure_costs_one_verification(try_login, user, monkeypatch, email):
    verified = []
    real = argon2.PasswordHasher.verify

    def counting(self, kept, password):
        verified.append(argon2.extract_parameters(kept))
        return real(self, kept, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counting)
    try_login(user.email if email == "known" else email, "a wrong password, quite")

    costs = argon2.extract_parameters(passwords.hash_password("x"))
    assert verified == [costs]
    assert (costs.type, costs.memory_cost, costs.time_cost, costs.parallelism) == (
        argon2.Type.ID,
        19 * 1024,
        2,
        1,
    )


def test_the_hash_of_nobody_lets_nobody_in():
    assert not passwords.verify_password(None, "")
    assert not passwords.verify_password(None, "anything else")


def test_a_hash_of_other_costs_is_made_anew_at_the_next_login(try_login, user, owner_engine):
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)

    def kept():
        with owner_engine.connect() as connection:
            return connection.scalar(
                text("select password_hash from users where user_id = :person"),
                {"person": user.user_id},
            )

    with owner_engine.begin() as connection:
        connection.execute(
            text("update users set password_hash = :hash where user_id = :person"),
            {"hash": weak.hash(user.password), "person": user.user_id},
        )
    assert "m=8192" in kept()
    assert try_login(user.email, "a wrong password, quite").status_code == 401
    assert "m=8192" in kept()
    assert try_login(user.email, user.password).status_code == 200
    assert "m=19456" in kept()
    assert try_login(user.email, user.password).status_code == 200


def test_somebody_of_several_firms_is_asked_which_only_with_the_right_password(
    try_login, user, firm, make_firm, owner_engine
):
    other, asleep = make_firm(), make_firm()
    with owner_engine.begin() as connection:
        for tenant in (other, asleep):
            connection.execute(
                text(
                    "insert into memberships (tenant_id, user_id, role, created_at)"
                    " values (:tenant, :person, 'staff', now())"
                ),
                {"tenant": tenant.tenant_id, "person": user.user_id},
            )
        connection.execute(
            text("update tenants set status = 'suspended' where tenant_id = :tenant"),
            {"tenant": asleep.tenant_id},
        )
    wrong = try_login(user.email, "a wrong password, quite")
    asked = try_login(user.email, user.password)

    assert wrong.get_json()["code"] == "LOGIN_FAILED"
    assert "firms" not in wrong.get_json()
    assert (asked.status_code, asked.get_json()["code"]) == (409, "FIRM_REQUIRED")
    assert asked.get_json()["firms"] == sorted([firm.slug, other.slug])
    assert try_login(user.email, user.password, firm=other.slug).get_json()["roles"] == ["staff"]
    assert try_login(user.email, user.password, firm=asleep.slug).status_code == 401


def test_unknown_fields_and_missing_ones_are_named(client):
    answer = client.post("/v1/auth/login", json={"email": "a@b", "password": "x", "roles": ["x"]})

    assert answer.status_code == 422
    assert {one["field"] for one in answer.get_json()["errors"]} == {"audience", "roles"}


def test_after_so_many_failures_an_address_has_to_wait_and_the_right_password_too(
    try_login, user, firm, make_user, service
):
    most = service.settings.login_failures
    for _ in range(most):
        assert try_login(user.email, "a wrong password, quite").status_code == 401
    refused = try_login(user.email, user.password)

    assert refused.status_code == 429
    assert refused.get_json()["code"] == "TOO_MANY_ATTEMPTS"
    assert 0 < int(refused.headers["Retry-After"]) <= limits.LIMITS["login_email"].window_seconds
    # Others, of the same office, are not held up.
    other = make_user(firm, roles=["valuer"])
    assert try_login(other.email, other.password).status_code == 200


def test_one_failure_less_and_the_right_password_is_taken(try_login, user, service):
    for _ in range(service.settings.login_failures - 1):
        try_login(user.email, "a wrong password, quite")

    assert try_login(user.email, user.password).status_code == 200
    # The success was given back: there is room for one more failure, and not for two.
    assert try_login(user.email, "a wrong password, quite").status_code == 401
    assert try_login(user.email, "a wrong password, quite").status_code == 429


def test_an_unknown_address_is_counted_like_a_known_one(try_login, service):
    answers = [
        try_login("nobody@specimen.test", "a wrong password, quite").status_code
        for _ in range(service.settings.login_failures + 1)
    ]

    assert answers == [401] * service.settings.login_failures + [429]


def test_successes_are_never_held_up(try_login, user, service):
    answers = {
        try_login(user.email, user.password).status_code
        for _ in range(service.settings.login_failures + 2)
    }

    assert answers == {200}


def test_an_office_that_tries_many_accounts_has_to_wait(try_login, service):
    most = limits.most_attempts("login_address", service.settings.login_failures)
    key = attempts._key("login_address", "127.0.0.1")
    service.redis.set(key, most - 1, ex=60)

    assert try_login("one@specimen.test", "a wrong password, quite").status_code == 401
    assert try_login("two@specimen.test", "a wrong password, quite").status_code == 429


def test_a_window_ends_by_itself_and_is_not_prolonged(service):
    service.redis.flushall()
    attempts.count_attempt(service, {"login_email": "a"})
    key = attempts._key("login_email", "a")
    service.redis.expire(key, 5)
    attempts.count_attempt(service, {"login_email": "a"})

    assert 0 < service.redis.ttl(key) <= 5


def test_no_address_of_a_person_is_kept_in_valkey(try_login, service):
    try_login("somebody.known@specimen.test", "a wrong password, quite")

    assert not [key for key in service.redis.scan_iter() if b"somebody" in key]


def test_without_valkey_nobody_logs_in_and_nothing_is_tried(settings, user, monkeypatch):
    import dataclasses

    from service.api.application import create_app
    from tests.service.clients import Client

    gone = dataclasses.replace(settings, redis_url="unix:///nowhere/valkey.sock")
    made = make_service(gone, "api")
    tried = []
    monkeypatch.setattr(passwords, "verify_password", lambda *_: tried.append(1))
    answer = Client(create_app(made), None).post(
        "/v1/auth/login",
        json={"email": user.email, "password": user.password, "audience": "web"},
    )
    made.engine.dispose()

    assert (answer.status_code, answer.get_json()["code"]) == (503, "LOGIN_UNAVAILABLE")
    assert answer.headers["Retry-After"]
    assert tried == []


def test_a_valkey_that_is_killed_stops_logins_and_no_request_of_whoever_is_in(
    settings, user, scratch: Path
):
    import dataclasses

    from service.api.application import create_app
    from tests.service.clients import Client

    server = start_valkey(scratch / "kv-of-login", durable=False)
    made = make_service(dataclasses.replace(settings, redis_url=server.url), "api")
    try:
        app = create_app(made)
        body = {"email": user.email, "password": user.password, "audience": "web"}
        inside = Client(
            app, Client(app, None).post("/v1/auth/login", json=body).get_json()["token"]
        )
        server.stop(immediate=True)

        assert Client(app, None).post("/v1/auth/login", json=body).status_code == 503
        assert inside.get("/v1/auth/me").status_code == 200
    finally:
        made.engine.dispose()
        made.redis.close()
        server.remove()


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (0, None, "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (1, None, "127.0.0.1"),
        (3, "203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_what_our_own_proxies_wrote_says_where_a_request_comes_from(
    app, settings, service, proxies, forwarded, expected
):
    import dataclasses

    from flask import request

    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    told = dataclasses.replace(
        service, settings=dataclasses.replace(settings, trusted_proxies=proxies)
    )
    with app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": "127.0.0.1"}):
        assert client_address(told, request) == expected


def test_an_invented_forwarding_does_not_escape_the_count(try_login, service):
    for number in range(3):
        try_login(
            f"n{number}@specimen.test",
            "a wrong password, quite",
            headers={"X-Forwarded-For": f"198.51.100.{number}"},
        )

    assert service.redis.get(attempts._key("login_address", "127.0.0.1")) == b"3"


def test_addresses_of_one_household_count_as_one():
    counted = attempts.address_counted

    assert counted("2001:db8:1:2::5") == counted("2001:db8:1:2:ffff::9")
    assert counted("2001:db8:1:2::5") != counted("2001:db8:1:3::5")
    assert counted("::ffff:192.0.2.1") == counted("192.0.2.1")
    assert counted("192.0.2.1") != counted("192.0.2.2")
    assert counted("not an address") == counted("")


def test_logging_out_ends_the_token_on_the_server(user, sign_in):
    inside = sign_in(user)
    assert inside.get("/v1/auth/me").status_code == 200
    assert inside.post("/v1/auth/logout").status_code == 204

    after = inside.get("/v1/auth/me")
    assert (after.status_code, after.get_json()["code"]) == (401, "TOKEN_INVALID")
    assert after.headers["WWW-Authenticate"] == "Bearer"


def test_me_says_who_and_where(user, firm, sign_in):
    body = sign_in(user).get("/v1/auth/me").get_json()

    assert body["email"] == user.email
    assert (body["tenant_id"], body["firm"]) == (str(firm.tenant_id), firm.slug)
    assert body["audience"] == "web"


def test_me_works_at_the_portal(firm, make_user, sign_in):
    person = make_user(firm, roles=["portal_user"])
    body = sign_in(person, "portal").get("/v1/auth/me").get_json()

    assert body["email"] == person.email
    assert body["capabilities"] == sorted(capabilities_of(["portal_user"]))


def test_nothing_of_a_login_is_in_the_log(try_login, user, capfd, caplog):
    token = try_login(user.email, user.password).get_json()["token"]
    try_login(user.email, "a wrong password, quite")
    written = "".join(capfd.readouterr()) + caplog.text

    for secret in (token, user.password, "a wrong password, quite", user.email):
        assert secret not in written


# --- Passwords


@pytest.mark.parametrize(
    "password",
    [
        "elevenchars",
        "aaaaaaaaaaaa",
        "abababababab",
        "password1234",
        "Passw0rd-2026!",
        "PASSWORD password",
        "qwertyuiop123",
        "123456789012",
        "abcdefghijklmno",
        "Welcome@2026!!",
        "Bengaluru@1234",
        "Adm1n1strator!",
        "olivia.operator-1",
        "x" * 129,
    ],
)
def test_a_password_that_would_be_guessed_is_refused(password):
    with pytest.raises(Exception, match="PASSWORD_REFUSED") as caught:
        passwords.check_password(password, email="olivia.operator@specimen.test")

    assert password not in str(caught.value)


@pytest.mark.parametrize(
    "password",
    [
        "twelve-lines",
        "correct horse battery",
        "மழை நாளில் தேநீர்",
        "bank of the river at dusk",
        "cricketers whistle loudly",
        "k7#Tq!vZ2m@9",
        "".join(chr(33 + number * 7 % 90) for number in range(128)),
    ],
)
def test_a_password_of_some_words_is_taken(password):
    passwords.check_password(password, email="olivia.operator@specimen.test")
    assert passwords.verify_password(passwords.hash_password(password), password)
    assert not passwords.verify_password(passwords.hash_password(password), password + "x")


def test_a_password_is_the_same_however_a_keyboard_composes_it():
    composed, apart = "Café am Fluß hier", "Cafe\u0301 am Fluß hier"

    assert composed != apart
    assert passwords.verify_password(passwords.hash_password(composed), apart)


def test_changing_the_password_ends_every_session_and_token_in_every_firm(
    try_login, make_firm, make_user, sign_in, owner_engine
):
    firm, other = make_firm(), make_firm()
    user = make_user(firm, roles=["super_admin"])
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into memberships (tenant_id, user_id, role, created_at)"
                " values (:tenant, :person, 'super_admin', now())"
            ),
            {"tenant": other.tenant_id, "person": user.user_id},
        )
    tokens = [
        try_login(user.email, user.password, firm=slug).get_json()["token"]
        for slug in (firm.slug, firm.slug, other.slug)
    ]
    bystander = sign_in(make_user(firm, roles=["valuer"]))
    one, two, three = (type(bystander)(bystander.app, token) for token in tokens)
    new = "a wholly different one"

    wrong = one.post("/v1/auth/password", json={"current": "not the right one", "new": new})
    assert (wrong.status_code, wrong.get_json()["code"]) == (403, "PASSWORD_WRONG")
    weak = one.post("/v1/auth/password", json={"current": user.password, "new": "password1234"})
    assert (weak.status_code, weak.get_json()["code"]) == (422, "PASSWORD_REFUSED")
    assert one.get("/v1/auth/me").status_code == 200
    done = one.post("/v1/auth/password", json={"current": user.password, "new": new})
    assert done.status_code == 204
    assert [each.get("/v1/auth/me").status_code for each in (one, two, three)] == [401] * 3
    assert bystander.get("/v1/auth/me").status_code == 200
    assert try_login(user.email, user.password, firm=firm.slug).status_code == 401
    assert try_login(user.email, new, firm=firm.slug).status_code == 200


def test_the_current_password_cannot_be_tried_out(firm, make_user, sign_in, service):
    service.redis.flushall()
    inside = sign_in(make_user(firm))
    body = {"current": "not the right one", "new": "a wholly different one"}
    answers = [
        inside.post("/v1/auth/password", json=body).status_code
        for _ in range(service.settings.login_failures + 1)
    ]

    assert answers == [403] * service.settings.login_failures + [429]


def test_the_limits_stand_in_one_place():
    folder = Path(limits.__file__).parent
    elsewhere = [
        path.name
        for path in folder.glob("*.py")
        if path.name != "limits.py"
        and re.search(r"timedelta\((?!hours=service\.settings)", path.read_text(encoding="utf-8"))
    ]

    assert elsewhere == []
