"""Settings: all faults at once, nothing lax in production, no secret in any text."""

import re
import secrets
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.settings import VARIABLES, Settings, default_state_folder, read_settings
from tests.docs.pages import ROOT

KEY = "4lQp0wz9Ct7Rk2Vb8Ys1Xm6Jh3Gd5Nf-Eu_Ao"
PASSWORD = "v8Kq2Zt5Lw9Xr3Bn"

DEVELOPMENT = {
    "DATABASE_URL": "postgresql://zen_api@/zenops?host=/run/postgresql",
    "JOBS_DATABASE_URL": "postgresql://zen_jobs@/zenops?host=/run/postgresql",
    "REDIS_URL": "unix:///run/valkey.sock?db=0",
    "ZENOPS_OBJECTS_URL": "file:///srv/zenops/objects",
    "ZENOPS_SECRET_KEY": KEY,
}
PRODUCTION = {
    **DEVELOPMENT,
    "ZENOPS_MODE": "production",
    "DATABASE_URL": f"postgresql://zen_api:{PASSWORD}@db/zenops",
    "JOBS_DATABASE_URL": f"postgresql://zen_jobs:{PASSWORD}@db/zenops",
    "REDIS_URL": f"redis://:{PASSWORD}@valkey:6379/0",
    "ZENOPS_PUBLIC_URL": "https://reports.valuers.in",
}


def problems_of(environ, **options):
    settings, problems = read_settings(environ, **options)
    assert (settings is None) == bool(problems)
    return problems


def test_every_field_has_one_variable_and_the_other_way_round():
    assert sorted(variable.field for variable in VARIABLES) == sorted(
        entry.name for entry in fields(Settings)
    )
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES)


def test_development_needs_addresses_and_a_key_and_has_defaults_for_the_rest():
    settings, problems = read_settings(DEVELOPMENT)

    assert problems == ()
    assert settings.mode == "development"
    assert not settings.is_production
    assert settings.database_url == "postgresql+psycopg://zen_api@/zenops?host=/run/postgresql"
    assert settings.owner_database_url == ""
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.log_format == "console"
    assert settings.debug is False
    assert settings.secret_key_fallbacks == ()


def test_an_empty_environment_names_all_that_is_missing_at_once():
    assert [problem.split(" is missing:")[0] for problem in problems_of({})] == [
        "DATABASE_URL",
        "JOBS_DATABASE_URL",
        "REDIS_URL",
        "ZENOPS_OBJECTS_URL",
        "ZENOPS_SECRET_KEY",
    ]


def test_a_process_needs_only_the_logins_it_uses():
    web = {name: text for name, text in DEVELOPMENT.items() if name != "JOBS_DATABASE_URL"}

    assert problems_of(web, logins=("api",)) == ()
    assert len(problems_of(web, logins=("jobs",))) == 1
    (problem,) = problems_of(web, logins=("api", "owner"))
    assert problem.startswith("OWNER_DATABASE_URL is missing: the database as whoever may create")
    # One that is given all the same has to be right.
    assert problems_of({**web, "JOBS_DATABASE_URL": "mysql://"}, logins=("api",))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("ZENOPS_MODE", "prod", "must be one of development, production, test"),
        ("DATABASE_URL", "sqlite:///here", "must be the address of a PostgreSQL database"),
        ("DATABASE_URL", "postgresql://db/zenops", "must name the user"),
        ("DATABASE_URL", "postgresql://zen_api@db", "must name the database"),
        ("REDIS_URL", "localhost:6379", "must be the address of Valkey or Redis"),
        ("ZENOPS_OBJECTS_URL", "/srv/objects", "must be file:///"),
        ("ZENOPS_OBJECTS_URL", "file://srv/objects", "must be file:///"),
        ("ZENOPS_OBJECTS_URL", "s3://", "must be file:///"),
        ("ZENOPS_SECRET_KEY", KEY[:31], "must have at least 32 characters"),
        ("ZENOPS_SECRET_KEY_FALLBACKS", f"{KEY} short", "must have at least 32 characters"),
        ("ZENOPS_PUBLIC_URL", "reports.valuers.in", "must be where browsers find the service"),
        ("ZENOPS_PUBLIC_URL", "https://valuers.in/zenops", "must have no path"),
        ("ZENOPS_STATE_FOLDER", "state", "must be an absolute folder"),
        ("ZENOPS_LISTEN", "8000", "must be an address and a port"),
        ("ZENOPS_LISTEN", "127.0.0.1:65536", "must be an address and a port"),
        ("ZENOPS_WORKERS", "0", "must be a whole number from 1 to 64"),
        ("ZENOPS_WORKERS", "65", "must be a whole number from 1 to 64"),
        ("ZENOPS_WORKERS", "2.5", "must be a whole number from 1 to 64"),
        ("ZENOPS_DEBUG", "yes", "must be one of on, off"),
        ("ZENOPS_PDF", "maybe", "must be one of auto, on, off"),
        ("ZENOPS_LOG_FORMAT", "xml", "must be one of console, json, nothing"),
        ("ZENOPS_OIDC_ISSUER", "http://login.valuers.in", "must begin with https:"),
        ("ZENOPS_GIT_SHA", "a1b2c3", "must be a commit's name"),
        ("ZENOPS_GIT_SHA", "release-1", "must be a commit's name"),
        ("ZENOPS_BUILD_TIME", "yesterday", "must be an instant with its offset"),
        ("ZENOPS_BUILD_TIME", "2026-02-28T09:30:00", "must be an instant with its offset"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_should_be_and_not_repeated(name, text, why):
    problems = [
        problem
        for problem in problems_of({**DEVELOPMENT, name: text})
        if not problem.startswith("ZENOPS_OIDC_CLIENT")
    ]

    assert len(problems) == 1
    assert problems[0].startswith(f"{name} {why}")
    assert text not in problems[0].removeprefix(name) or len(text) < 6


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DATABASE_URL", "postgres://a@b/c", "database_url", "postgresql+psycopg://a@b/c"),
        ("ZENOPS_SECRET_KEY", KEY[:32], "secret_key", KEY[:32]),
        ("ZENOPS_SECRET_KEY_FALLBACKS", f" {KEY}  {KEY} ", "secret_key_fallbacks", (KEY, KEY)),
        ("ZENOPS_WORKERS", "1", "workers", 1),
        ("ZENOPS_WORKERS", "64", "workers", 64),
        ("ZENOPS_LISTEN", "[::1]:65535", "listen", "[::1]:65535"),
        ("ZENOPS_PUBLIC_URL", "https://valuers.in/", "public_url", "https://valuers.in"),
        ("ZENOPS_OBJECTS_URL", "s3://bucket/prefix", "objects_url", "s3://bucket/prefix"),
        ("ZENOPS_STATE_FOLDER", "/srv/zenops", "state_folder", Path("/srv/zenops")),
        ("ZENOPS_LOG_FORMAT", "json", "log_format", "json"),
        ("ZENOPS_DEBUG", "on", "debug", True),
        ("ZENOPS_GIT_SHA", "a1b2c3d", "git_sha", "a1b2c3d"),
        ("ZENOPS_BUILD_TIME", "", "built_at", None),
        (
            "ZENOPS_BUILD_TIME",
            "2026-03-01T15:45:00+05:30",
            "built_at",
            datetime(2026, 3, 1, 10, 15, tzinfo=UTC),
        ),
    ],
)
def test_a_right_value_is_read(name, text, field, value):
    settings, problems = read_settings({**DEVELOPMENT, name: text})

    assert problems == ()
    assert getattr(settings, field) == value


def test_an_identity_provider_needs_all_of_its_settings():
    issuer = {"ZENOPS_OIDC_ISSUER": "https://login.valuers.in"}
    rest = {"ZENOPS_OIDC_CLIENT_ID": "zenops", "ZENOPS_OIDC_CLIENT_SECRET": KEY}

    assert len(problems_of({**DEVELOPMENT, **issuer})) == 2
    assert len(problems_of({**DEVELOPMENT, **rest})) == 1
    assert problems_of({**DEVELOPMENT, **issuer, **rest}) == ()


STRIPE = {"ZENOPS_STRIPE_SECRET_KEY": "sk_live_4fT9", "ZENOPS_STRIPE_WEBHOOK_SECRETS": KEY}
RAZORPAY = {
    "ZENOPS_RAZORPAY_KEY_ID": "rzp_live_4fT9",
    "ZENOPS_RAZORPAY_KEY_SECRET": KEY,
    "ZENOPS_RAZORPAY_WEBHOOK_SECRETS": f"{KEY} {KEY[::-1]}",
}


@pytest.mark.parametrize("whole", [STRIPE, RAZORPAY])
@pytest.mark.parametrize("base", [DEVELOPMENT, PRODUCTION])
def test_a_payment_provider_needs_all_of_its_settings(whole, base):
    for missing in whole:
        rest = {name: text for name, text in whole.items() if name != missing}
        problems = problems_of({**base, **rest})
        assert len(problems) == 1
        assert problems[0].startswith(f"{missing} is missing")

    assert problems_of({**base, **whole}) == ()


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("ZENOPS_STRIPE_SECRET_KEY", "sk_test_4fT9", "is that of a trial"),
        ("ZENOPS_RAZORPAY_KEY_ID", "rzp_test_4fT9", "is that of a trial"),
        ("ZENOPS_STRIPE_WEBHOOK_SECRETS", "change-me-change-me", "looks like a placeholder"),
        ("ZENOPS_STRIPE_URL", "http://127.0.0.1:8010/stripe", "must begin with https:"),
        ("ZENOPS_RAZORPAY_URL", "http://127.0.0.1:8010/razorpay", "must begin with https:"),
    ],
)
def test_production_takes_no_payments_on_trial(name, text, why):
    problems = problems_of({**PRODUCTION, **STRIPE, **RAZORPAY, name: text})

    assert len(problems) == 1
    assert problems[0].startswith(f"{name} {why}")
    assert problems_of({**DEVELOPMENT, **STRIPE, **RAZORPAY, name: text}) == ()


def test_production_is_taken_when_nothing_is_lax():
    settings, problems = read_settings(PRODUCTION)

    assert problems == ()
    assert settings.is_production
    assert settings.log_format == "json"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("ZENOPS_SECRET_KEY", "change-me-" * 4, "looks like a placeholder"),
        ("ZENOPS_SECRET_KEY", "0123456789" * 4 + "password", "looks like a placeholder"),
        ("ZENOPS_SECRET_KEY", "<48 random characters, see runbook>", "looks like a placeholder"),
        ("ZENOPS_SECRET_KEY", "abcdefghi" * 4, "looks like a placeholder"),
        ("ZENOPS_SECRET_KEY_FALLBACKS", f"{KEY} {'a' * 40}", "looks like a placeholder"),
        ("DATABASE_URL", "postgresql://zen_api@db/zenops", "has no password"),
        ("DATABASE_URL", "postgresql://zen_api:zen_api@db/zenops", "has a password that is short"),
        ("JOBS_DATABASE_URL", f"postgresql://j:{PASSWORD[:15]}@db/z", "has a password that is sh"),
        ("OWNER_DATABASE_URL", "postgresql://o:changeme-changeme1@db/z", "has a password that is"),
        ("REDIS_URL", "redis://valkey:6379/0", "has no password"),
        ("REDIS_URL", "redis://:redis@valkey:6379/0", "has a password that is short"),
        ("ZENOPS_PUBLIC_URL", "http://reports.valuers.in", "must begin with https:"),
        ("ZENOPS_PUBLIC_URL", "", "must begin with https:"),
        ("ZENOPS_DEBUG", "on", "must be off in production"),
        ("ZENOPS_CRASH_AT", "effect", "is no setting"),
        ("ZENOPS_WORKER", "4", "is no setting; did you mean ZENOPS_WORKERS?"),
    ],
)
def test_production_refuses_what_development_lets_pass(name, text, why):
    problems = problems_of({**PRODUCTION, name: text})

    assert len(problems) == 1
    assert problems[0].startswith(f"{name} {why}")
    assert problems_of({**PRODUCTION, "ZENOPS_MODE": "development", name: text}) == ()


@pytest.mark.parametrize("name", ["DATABASE_URL", "JOBS_DATABASE_URL", "REDIS_URL"])
def test_production_does_not_start_servers_of_its_own(name):
    problems = problems_of({**PRODUCTION, name: ""})

    assert len(problems) == 1
    assert problems[0].startswith(f"{name} is missing")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://zen_api@/zenops?host=/run/postgresql",
        "postgresql://zen_api@db/zenops?passfile=/run/secrets/pgpass",
        "postgresql://zen_api@db/zenops?sslcert=/run/secrets/api.crt",
        f"postgresql://zen_api:{PASSWORD[:16]}@db/zenops",
    ],
)
def test_a_database_may_know_its_users_by_other_means_than_a_password(url):
    assert problems_of({**PRODUCTION, "DATABASE_URL": url}) == ()


def test_generated_secrets_are_never_taken_for_placeholders():
    for _ in range(200):
        key = secrets.token_hex(32)
        assert problems_of({**PRODUCTION, "ZENOPS_SECRET_KEY": key}) == ()


def test_no_secret_is_in_the_text_of_settings_or_problems():
    secret = {
        **PRODUCTION,
        "OWNER_DATABASE_URL": f"postgresql://owner:{PASSWORD}@db/zenops",
        "ZENOPS_SECRET_KEY_FALLBACKS": KEY[::-1].ljust(32, "x"),
        "ZENOPS_OIDC_ISSUER": "https://login.valuers.in",
        "ZENOPS_OIDC_CLIENT_ID": "zenops",
        "ZENOPS_OIDC_CLIENT_SECRET": KEY,
        **STRIPE,
        **RAZORPAY,
    }
    settings, problems = read_settings(secret)
    assert problems == ()
    broken = {name: text + " " for name, text in secret.items()} | {
        "DATABASE_URL": f"mysql://zen_api:{PASSWORD}@db/zenops",
        "REDIS_URL": f"http://:{PASSWORD}@valkey",
        "ZENOPS_SECRET_KEY": "0123456789" * 4 + "secret",
    }

    for text in (repr(settings), str(settings), *problems_of(broken)):
        for hidden in (KEY, KEY[::-1], PASSWORD, "0123456789"):
            assert hidden not in text


def test_the_state_of_root_lies_outside_private_folders_and_that_of_others_at_home(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_state_folder({}) == Path("/var/lib/zenops")

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_state_folder({"XDG_STATE_HOME": "/data/x"}) == Path("/data/x/zenops")
    assert default_state_folder({}) == Path.home() / ".local/state/zenops"


def test_a_bucket_without_tls_has_to_be_wished_for():
    bucket = {"ZENOPS_OBJECTS_URL": "s3://firm/zenops", "AWS_ENDPOINT_URL": "http://minio:9000"}

    for base in (DEVELOPMENT, PRODUCTION):
        (problem,) = problems_of({**base, **bucket})
        assert problem.startswith("AWS_ENDPOINT_URL begins with http:")
        assert problems_of({**base, **bucket, "AWS_ALLOW_HTTP": "true"}) == ()
        assert problems_of({**base, **bucket, "AWS_ENDPOINT_URL": "https://minio:9000"}) == ()
        assert problems_of({**base, "AWS_ENDPOINT_URL": "http://minio:9000"}) == ()


def test_the_page_lists_every_setting_with_its_default_and_meaning():
    page = (ROOT / "docs/running-the-service.md").read_text(encoding="utf-8")

    def shown(variable):
        if variable.default is None:
            return "required"
        return f"`{variable.default}`" if variable.default else ""

    rows = re.findall(r"^\| (`[A-Z_]+`) \| (.*?) ?\| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (f"`{variable.name}`", shown(variable), variable.means) for variable in VARIABLES
    ]
