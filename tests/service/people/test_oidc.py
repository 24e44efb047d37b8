"""Login through an identity provider that really answers, and signs with its own key."""

import dataclasses
import http.client
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text

from service.bootstrap import make_service
from tests.service.people.oidc_provider import CLIENT, SECRET


class Provider:
    """The provider's process as the tests speak to it."""

    def __init__(self, port):
        self.issuer = f"http://127.0.0.1:{port}"
        self.port = port

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def bend(self, email, **more):
        claims = {"email": email, **more.pop("claims", {})}
        assert self.ask("POST", "/bend", json.dumps({"claims": claims, **more})).status == 200


@pytest.fixture(scope="module")
def provider():
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("oidc_provider.py"))],
        stdout=subprocess.PIPE,
        text=True,
    )
    port = int(process.stdout.readline())
    process.stdout.close()
    yield Provider(port)
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def oidc_app(settings, provider):
    from service.api.application import create_app

    made = make_service(
        dataclasses.replace(
            settings,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
        ),
        "api",
    )
    yield create_app(made)
    made.engine.dispose()
    made.redis.close()


@pytest.fixture(autouse=True)
def _direct(monkeypatch, service):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    service.redis.flushall()


@pytest.fixture
def browser(oidc_app):
    return oidc_app.test_client()


@pytest.fixture
def user(make_firm, make_user):
    return make_user(make_firm(), roles=["valuer"])


def there_and_back(browser, provider, query=""):
    """The address that the provider sends a browser back to."""
    leaving = browser.get(f"/v1/auth/oidc{query}")
    assert leaving.status_code == 302
    answer = provider.ask("GET", leaving.headers["Location"].removeprefix(provider.issuer))
    url = urlsplit(answer.getheader("Location"))
    return f"{url.path}?{url.query}"


def code_of(answer):
    return answer.status_code, answer.get_json()["code"]


def test_a_member_whose_address_is_proved_gets_a_session(browser, provider, user):
    provider.bend(user.email.upper())
    done = browser.get(there_and_back(browser, provider))

    assert (done.status_code, done.headers["Location"]) == (303, "/desk/")
    assert browser.get(done.headers["Location"]).status_code == 200
    me = browser.get("/v1/auth/me").get_json()
    assert (me["user_id"], me["audience"]) == (str(user.user_id), "web")


def test_the_cookies_are_read_by_the_server_alone(browser, provider, user):
    provider.bend(user.email)
    leaving = browser.get("/v1/auth/oidc")
    kept = leaving.headers["Set-Cookie"]
    back = browser.get(there_and_back(browser, provider)).headers.getlist("Set-Cookie")

    assert "HttpOnly" in kept
    assert "SameSite=Lax" in kept
    session = next(one for one in back if one.startswith("zenops="))
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session


def test_what_is_asked_for_has_pkce_a_state_and_a_nonce(browser, provider):
    given = parse_qs(urlsplit(browser.get("/v1/auth/oidc").headers["Location"]).query)

    assert given["code_challenge_method"] == ["S256"]
    assert all(len(given[name][0]) >= 43 for name in ("code_challenge", "state", "nonce"))
    assert "client_secret" not in given
    assert provider.issuer


def test_nobody_is_made_by_logging_in(browser, provider, owner_engine):
    provider.bend("nobody@specimen.test")
    answer = browser.get(there_and_back(browser, provider))

    assert code_of(answer) == (401, "LOGIN_FAILED")
    with owner_engine.connect() as connection:
        assert not connection.scalar(
            text("select count(*) from users where email = 'nobody@specimen.test'")
        )


@pytest.mark.parametrize(
    "bent",
    [
        {"claims": {"email_verified": False}},
        {"claims": {"email_verified": None}},
        {"claims": {"email_verified": "true"}},
        {"claims": {"email": None}},
        {"claims": {"email": ["a@b.test"]}},
        {"claims": {"iss": "https://another.issuer"}},
        {"claims": {"aud": "another-client"}},
        {"claims": {"aud": [CLIENT, "another-client"]}},
        {"claims": {"nonce": "another"}},
        {"claims": {"nonce": None}},
        {"claims": {"exp": None}},
        {"lasts": -3600},
        {"signed_by": "other"},
        {"signed_by": "nobody"},
        {"signed_by": "secret"},
    ],
    ids=lambda bent: json.dumps(bent.get("claims", bent)),
)
def test_a_token_that_is_not_the_providers_for_us_is_refused(browser, provider, user, bent):
    more = {**bent, "claims": {**bent.get("claims", {})}}
    provider.bend(user.email, **more)
    answer = browser.get(there_and_back(browser, provider))

    assert code_of(answer) == (401, "LOGIN_FAILED")
    assert browser.get("/v1/auth/me").status_code == 401


def test_a_way_back_is_good_once_and_for_its_own_browser(
    browser, provider, user, oidc_app, service
):
    provider.bend(user.email)
    path = there_and_back(browser, provider)

    # Somebody else's browser, which was given no state or one of its own.
    assert code_of(oidc_app.test_client().get(path)) == (401, "LOGIN_FAILED")
    other = oidc_app.test_client()
    other.get("/v1/auth/oidc")
    assert code_of(other.get(path)) == (401, "LOGIN_FAILED")
    left = len(list(service.redis.scan_iter("zenops:oidc:*")))
    assert browser.get(path).status_code == 303
    # Even a provider that takes a code twice is not asked again.
    assert len(list(service.redis.scan_iter("zenops:oidc:*"))) == left - 1
    assert code_of(browser.get(path)) == (401, "LOGIN_FAILED")


def test_an_invented_code_or_state_is_refused(browser, provider, user):
    provider.bend(user.email)
    path = there_and_back(browser, provider)
    state = parse_qs(urlsplit(path).query)["state"][0]

    assert code_of(browser.get("/v1/auth/oidc/callback?code=x&state=y")) == (401, "LOGIN_FAILED")
    assert code_of(browser.get("/v1/auth/oidc/callback")) == (401, "LOGIN_FAILED")
    wrong = browser.get(f"/v1/auth/oidc/callback?code=invented&state={state}")
    assert code_of(wrong) == (401, "LOGIN_FAILED")


def test_a_state_that_valkey_has_lost_means_to_begin_again(browser, provider, user, service):
    provider.bend(user.email)
    path = there_and_back(browser, provider)
    service.redis.flushall()

    assert code_of(browser.get(path)) == (401, "LOGIN_FAILED")


@pytest.mark.parametrize(
    "change",
    [
        "update users set status = 'disabled' where user_id = :person",
        "update memberships set disabled_at = now() where user_id = :person",
        "update memberships set role = 'portal_user' where user_id = :person",
    ],
)
def test_whoever_may_not_come_in_by_password_may_not_this_way(
    browser, provider, user, owner_engine, change
):
    with owner_engine.begin() as connection:
        connection.execute(text(change), {"person": user.user_id})
    provider.bend(user.email)

    answer = browser.get(there_and_back(browser, provider))
    assert code_of(answer) == (401, "LOGIN_FAILED")


def test_somebody_of_several_firms_names_one(browser, provider, user, make_firm, owner_engine):
    other = make_firm()
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into memberships (tenant_id, user_id, role, created_at)"
                " values (:tenant, :person, 'staff', now())"
            ),
            {"tenant": other.tenant_id, "person": user.user_id},
        )
    provider.bend(user.email)

    asked = browser.get(there_and_back(browser, provider))
    assert code_of(asked) == (409, "FIRM_REQUIRED")
    assert browser.get(there_and_back(browser, provider, f"?firm={other.slug}")).status_code == 303
    assert browser.get("/v1/auth/me").get_json()["firm"] == other.slug


def test_a_provider_that_is_another_or_leads_elsewhere_is_not_believed(browser, provider, user):
    provider.bend(user.email, issuer="https://another.issuer")
    assert code_of(browser.get("/v1/auth/oidc")) == (503, "LOGIN_UNAVAILABLE")

    provider.bend(user.email, token_path="elsewhere")
    answer = browser.get(there_and_back(browser, provider))
    assert code_of(answer) == (503, "LOGIN_UNAVAILABLE")


def test_a_provider_that_is_away_is_said(settings):
    from service.api.application import create_app

    gone = dataclasses.replace(
        settings,
        oidc_issuer="http://127.0.0.1:9",
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
    )
    made = make_service(gone, "api")
    answer = create_app(made).test_client().get("/v1/auth/oidc")
    made.engine.dispose()
    made.redis.close()

    assert code_of(answer) == (503, "LOGIN_UNAVAILABLE")


def test_without_a_provider_there_is_no_such_way(client):
    for path in ("/v1/auth/oidc", "/v1/auth/oidc/callback?state=x&code=y"):
        assert code_of(client.get(path)) == (404, "NOT_FOUND")
