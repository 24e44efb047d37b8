"""Settings of the service: read once from the environment, all faults named at once.

What a setting is called, how it is read and what it means stands in one table, `VARIABLES`;
docs/running-the-service.md prints it. No message and no `repr` holds a secret's value.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

Mode = Literal["development", "production", "test"]
Login = Literal["api", "jobs", "owner"]

SHORTEST_SECRET = 32
SHORTEST_PASSWORD = 16
SHORTEST_SIGNING_SECRET = 16
# A random text has more different characters than this, even in hexadecimal.
FEWEST_CHARACTERS = 10
PLACEHOLDER = re.compile(
    r"change.?me|changeme|replace|example|placeholder|password|secret|default|[<>${}]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Settings:
    """What one process of the service has to know; see `VARIABLES` for the meanings."""

    mode: Mode
    database_url: str = field(repr=False)
    jobs_database_url: str = field(repr=False)
    owner_database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    objects_url: str
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(repr=False)
    public_url: str
    state_folder: Path
    listen: str
    trusted_proxies: int
    web_processes: int
    web_threads: int
    workers: int
    database_connections: int
    statement_seconds: int
    pdf: Literal["auto", "on", "off"]
    log_format: Literal["console", "json"]
    debug: bool
    request_max_bytes: int
    evidence_max_bytes: int
    evidence_max_pixels: int
    session_hours: int
    login_failures: int
    lease_seconds: int
    reaper_seconds: int
    dispatch_seconds: int
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str = field(repr=False)
    stripe_url: str
    stripe_secret_key: str = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    razorpay_url: str
    razorpay_key_id: str
    razorpay_key_secret: str = field(repr=False)
    razorpay_webhook_secrets: tuple[str, ...] = field(repr=False)
    provider_seconds: int
    git_sha: str
    built_at: datetime | None

    @property
    def is_production(self) -> bool:
        """Whether the service holds real work, so that nothing may be lax."""
        return self.mode == "production"


@dataclass(frozen=True)
class Variable:
    """One environment variable: the field it fills, how its text is read, and what it means."""

    name: str
    field: str
    read: Callable[[str], Any]
    # None: it has to be given.
    default: str | None
    means: str


def read_settings(
    environ: Mapping[str, str], *, logins: Sequence[Login] = ("api", "jobs")
) -> tuple[Settings | None, tuple[str, ...]]:
    """The settings in an environment, or everything that is wrong with them.

    Args:
        environ: the environment; an empty variable counts as not given.
        logins: which of the database's addresses this process needs. Others may be missing and
            are empty then: web processes have no business knowing the owner's.

    Returns:
        The settings and no problems, or None and at least one problem. A problem begins with the
        variable's name, and says what to do; it never repeats the value.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    needed = {LOGIN_VARIABLES[login] for login in logins}
    for variable in VARIABLES:
        text = environ.get(variable.name, "").strip()
        if not text and variable.name in LOGIN_VARIABLES.values() and variable.name not in needed:
            values[variable.field] = ""
        elif not text and variable.default is None:
            problems.append(f"{variable.name} is missing: {variable.means}")
        else:
            try:
                values[variable.field] = variable.read(text or cast("str", variable.default))
            except ValueError as error:
                problems.append(f"{variable.name} {error}")
    problems += _half_given(environ)
    problems += _unsaid_http(values, environ)
    if values.get("mode") == "production":
        problems += _laxness(values, environ)
    if problems:
        return None, tuple(sorted(problems))
    values["state_folder"] = values["state_folder"] or default_state_folder(environ)
    values["log_format"] = values["log_format"] or (
        "json" if values["mode"] == "production" else "console"
    )
    return Settings(**values), ()


def default_state_folder(environ: Mapping[str, str]) -> Path:
    """Where a local service keeps its data if it is not told: outside private folders for root."""
    if os.geteuid() == 0:
        return Path("/var/lib/zenops")
    base = environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "state") / "zenops"


#: What a service knows of a payment provider, and the provider of it.
PAYMENT_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "stripe": ("ZENOPS_STRIPE_SECRET_KEY", "ZENOPS_STRIPE_WEBHOOK_SECRETS"),
    "razorpay": (
        "ZENOPS_RAZORPAY_KEY_ID",
        "ZENOPS_RAZORPAY_KEY_SECRET",
        "ZENOPS_RAZORPAY_WEBHOOK_SECRETS",
    ),
}
#: What is of use only as a whole: who, and the settings of it.
_TOGETHER: Mapping[str, tuple[str, ...]] = {
    "an identity provider": (
        "ZENOPS_OIDC_ISSUER",
        "ZENOPS_OIDC_CLIENT_ID",
        "ZENOPS_OIDC_CLIENT_SECRET",
    ),
    **{name.capitalize(): variables for name, variables in PAYMENT_VARIABLES.items()},
}


def _half_given(environ: Mapping[str, str]) -> list[str]:
    """A provider needs all of its settings: money must not come whose news cannot be read."""
    problems = []
    for who, names in _TOGETHER.items():
        missing = [name for name in names if not environ.get(name, "").strip()]
        if len(missing) < len(names):
            problems += [f"{name} is missing: {who} needs all of its settings" for name in missing]
    return problems


def _unsaid_http(values: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """A bucket without TLS has to be wished for: its client would refuse every call."""
    wished = environ.get("AWS_ALLOW_HTTP", "").strip().lower() == "true"
    if wished or not str(values.get("objects_url", "")).startswith("s3:"):
        return []
    return [
        f"{name} begins with http:, so files would travel openly; "
        "where that is meant, AWS_ALLOW_HTTP has to be true"
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
        if environ.get(name, "").strip().lower().startswith("http:")
    ]


def _laxness(values: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """What development lets pass and production does not."""
    problems = []
    if values.get("debug"):
        problems.append("ZENOPS_DEBUG must be off in production: it shows the inside of failures")
    if not str(values.get("public_url", "https:")).startswith("https:"):
        problems.append("ZENOPS_PUBLIC_URL must begin with https: in production; see deploy/")
    problems += [
        f"{name} must begin with https: in production; payments are not tried out there"
        for name in ("ZENOPS_STRIPE_URL", "ZENOPS_RAZORPAY_URL")
        if not str(values.get(FIELD_OF[name], "https:")).startswith("https:")
    ]
    problems += [
        f"{name} is that of a trial: no money comes by it, but credits would be given"
        for name in ("ZENOPS_STRIPE_SECRET_KEY", "ZENOPS_RAZORPAY_KEY_ID")
        if str(values.get(FIELD_OF[name], "")).startswith(("sk_test_", "rk_test_", "rzp_test_"))
    ]
    problems += [
        f"{name} looks like a placeholder: take it from the provider, or make one there"
        for name in ("ZENOPS_STRIPE_WEBHOOK_SECRETS", "ZENOPS_RAZORPAY_WEBHOOK_SECRETS")
        if not all(
            _is_random(one, SHORTEST_SIGNING_SECRET) for one in values.get(FIELD_OF[name], ())
        )
    ]
    for name, secrets in (
        ("ZENOPS_SECRET_KEY", [values.get("secret_key")]),
        ("ZENOPS_SECRET_KEY_FALLBACKS", values.get("secret_key_fallbacks", ())),
    ):
        if any(
            secret is not None and not _is_random(secret, SHORTEST_SECRET) for secret in secrets
        ):
            problems.append(
                f"{name} looks like a placeholder: make one with "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
    for name in (*LOGIN_VARIABLES.values(), "REDIS_URL"):
        if url := values.get(FIELD_OF[name]):
            problems += [f"{name} {why}" for why in _weak_password(urlsplit(url))]
    known = {variable.name for variable in VARIABLES}
    for name in sorted(environ):
        if name.startswith("ZENOPS_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{name} is no setting{meant}")
    return problems


def _is_random(secret: str, shortest: int) -> bool:
    """Whether a text may be a generated secret: long, varied, and no placeholder's word in it."""
    varied = len(set(secret)) >= FEWEST_CHARACTERS
    return len(secret) >= shortest and varied and not PLACEHOLDER.search(secret)


def _weak_password(url: SplitResult) -> list[str]:
    """What is wrong with the password of a server's address; a socket's needs none."""
    query = parse_qs(url.query)
    if not url.password:
        by_socket = url.scheme == "unix" or not url.hostname
        other_proof = {"passfile", "sslcert", "service"} & query.keys()
        return [] if by_socket or other_proof else ["has no password"]
    if not _is_random(unquote(url.password), SHORTEST_PASSWORD):
        return ["has a password that is short or looks like a placeholder"]
    return []


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(word or 'nothing' for word in words)}")
        return text

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,15}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _switch(text: str) -> bool:
    return _one_of("on", "off")(text) == "on"


def _database_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ValueError("must be the address of a PostgreSQL database: postgresql://...")
    if url.username is None:
        raise ValueError("must name the user to log in as: postgresql://user@...")
    if not url.path.strip("/"):
        raise ValueError("must name the database: postgresql://user@host/database")
    return text.replace(url.scheme, "postgresql+psycopg", 1)


def _redis_url(text: str) -> str:
    if urlsplit(text).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("must be the address of Valkey or Redis: redis://, rediss:// or unix://")
    return text


def _objects_url(text: str) -> str:
    url = urlsplit(text)
    is_folder = url.scheme == "file" and not url.netloc and url.path.startswith("/")
    is_bucket = url.scheme == "s3" and url.netloc
    if not (is_folder or is_bucket):
        raise ValueError("must be file:///an/absolute/folder or s3://bucket/prefix")
    return text


def _public_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ValueError("must be where browsers find the service: https://host")
    if url.path.strip("/"):
        raise ValueError("must have no path: the service has a host of its own")
    return text.rstrip("/")


def _secret(text: str) -> str:
    if len(text) < SHORTEST_SECRET:
        raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
    return text


def _secrets(text: str) -> tuple[str, ...]:
    return tuple(_secret(part) for part in text.split())


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("must be an address and a port: 127.0.0.1:8000")
    return text


def _folder(text: str) -> Path | None:
    if text and not Path(text).is_absolute():
        raise ValueError("must be an absolute folder")
    return Path(text) if text else None


def _server_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        raise ValueError("must be a server's address: https://host")
    return text.rstrip("/")


def _signing_secrets(text: str) -> tuple[str, ...]:
    secrets = tuple(text.split())
    if any(len(secret) < SHORTEST_SIGNING_SECRET for secret in secrets):
        raise ValueError(
            f"must be secrets of at least {SHORTEST_SIGNING_SECRET} characters, parted by blanks"
        )
    return secrets


def _issuer(text: str) -> str:
    if text and urlsplit(text).scheme != "https":
        raise ValueError("must begin with https:")
    return text


def _commit(text: str) -> str:
    if text and not re.fullmatch(r"[0-9a-f]{7,64}", text):
        raise ValueError("must be a commit's name: 7 to 64 hexadecimal digits")
    return text


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ValueError("must be an instant with its offset: 2026-03-01T10:15:00Z")
    return read.astimezone(UTC)


LOGIN_VARIABLES: Mapping[Login, str] = {
    "api": "DATABASE_URL",
    "jobs": "JOBS_DATABASE_URL",
    "owner": "OWNER_DATABASE_URL",
}

VARIABLES = (
    Variable(
        "ZENOPS_MODE",
        "mode",
        _one_of("development", "production", "test"),
        "development",
        "`production` refuses whatever is lax; `test` also allows crash points",
    ),
    Variable(
        "DATABASE_URL",
        "database_url",
        _database_url,
        None,
        "the database as `zen_api`, for web processes",
    ),
    Variable(
        "JOBS_DATABASE_URL",
        "jobs_database_url",
        _database_url,
        None,
        "the database as `zen_jobs`, for workers, dispatcher, reaper and scheduler",
    ),
    Variable(
        "OWNER_DATABASE_URL",
        "owner_database_url",
        _database_url,
        None,
        "the database as whoever may create roles and tables, for `migrate` alone",
    ),
    Variable("REDIS_URL", "redis_url", _redis_url, None, "Valkey or Redis, for the queue"),
    Variable(
        "ZENOPS_OBJECTS_URL",
        "objects_url",
        _objects_url,
        None,
        "where evidence and packs lie: `file:///folder` or `s3://bucket/prefix`",
    ),
    Variable(
        "ZENOPS_SECRET_KEY",
        "secret_key",
        _secret,
        None,
        "signs cookies; at least 32 random characters",
    ),
    Variable(
        "ZENOPS_SECRET_KEY_FALLBACKS",
        "secret_key_fallbacks",
        _secrets,
        "",
        "former keys, parted by blanks, whose cookies still count",
    ),
    Variable(
        "ZENOPS_PUBLIC_URL",
        "public_url",
        _public_url,
        "http://127.0.0.1:8000",
        "where browsers find the service",
    ),
    Variable(
        "ZENOPS_STATE_FOLDER",
        "state_folder",
        _folder,
        "",
        "where `serve` keeps data, secrets and the servers' files; "
        "nothing means `/var/lib/zenops` for root and the user's state folder for others",
    ),
    Variable(
        "ZENOPS_LISTEN",
        "listen",
        _listen,
        "127.0.0.1:8000",
        "address and port of the web processes",
    ),
    Variable(
        "ZENOPS_TRUSTED_PROXIES",
        "trusted_proxies",
        _whole(0, 5),
        "0",
        "how many proxies in front set `X-Forwarded-For`; 0 believes none",
    ),
    Variable("ZENOPS_WEB_PROCESSES", "web_processes", _whole(1, 64), "2", "web processes"),
    Variable("ZENOPS_WEB_THREADS", "web_threads", _whole(1, 64), "4", "threads of each"),
    Variable("ZENOPS_WORKERS", "workers", _whole(1, 64), "2", "workers that `serve` starts"),
    Variable(
        "ZENOPS_DATABASE_CONNECTIONS",
        "database_connections",
        # A job extends its lease beside its effect.
        _whole(2, 200),
        "20",
        "how many connections one process may hold; more than a web process has threads",
    ),
    Variable(
        "ZENOPS_STATEMENT_SECONDS",
        "statement_seconds",
        _whole(1, 600),
        "30",
        "how long a statement may take; a server silent for a quarter longer is given up",
    ),
    Variable(
        "ZENOPS_PDF",
        "pdf",
        _one_of("auto", "on", "off"),
        "auto",
        "whether packs hold a PDF; `auto`: where LibreOffice is installed",
    ),
    Variable(
        "ZENOPS_LOG_FORMAT",
        "log_format",
        _one_of("console", "json", ""),
        "",
        "`console` or `json`; nothing means `json` in production",
    ),
    Variable(
        "ZENOPS_DEBUG", "debug", _switch, "off", "`on` shows the inside of failures to whoever asks"
    ),
    Variable(
        "ZENOPS_REQUEST_MAX_BYTES",
        "request_max_bytes",
        _whole(65_536, 67_108_864),
        "2097152",
        "the largest body of a request that is no upload",
    ),
    Variable(
        "ZENOPS_EVIDENCE_MAX_BYTES",
        "evidence_max_bytes",
        _whole(1_048_576, 1_073_741_824),
        "52428800",
        "the largest file",
    ),
    Variable(
        "ZENOPS_EVIDENCE_MAX_PIXELS",
        "evidence_max_pixels",
        _whole(1_000_000, 500_000_000),
        "100000000",
        "the largest picture",
    ),
    Variable("ZENOPS_SESSION_HOURS", "session_hours", _whole(1, 24), "8", "how long a login lasts"),
    Variable(
        "ZENOPS_LOGIN_FAILURES",
        "login_failures",
        _whole(3, 100),
        "10",
        "failed logins of a quarter of an hour, after which an account or address has to wait",
    ),
    Variable(
        "ZENOPS_LEASE_SECONDS",
        "lease_seconds",
        _whole(1, 3600),
        "60",
        "how long a worker may be silent before its job is taken back",
    ),
    Variable(
        "ZENOPS_REAPER_SECONDS",
        "reaper_seconds",
        _whole(1, 600),
        "5",
        "how often lost jobs are looked for",
    ),
    Variable(
        "ZENOPS_DISPATCH_SECONDS",
        "dispatch_seconds",
        _whole(1, 60),
        "1",
        "how often waiting work is looked for when no notice came",
    ),
    Variable(
        "ZENOPS_OIDC_ISSUER", "oidc_issuer", _issuer, "", "an identity provider's address, if any"
    ),
    Variable("ZENOPS_OIDC_CLIENT_ID", "oidc_client_id", str, "", "our name there"),
    Variable("ZENOPS_OIDC_CLIENT_SECRET", "oidc_client_secret", str, "", "our secret there"),
    Variable(
        "ZENOPS_STRIPE_SECRET_KEY",
        "stripe_secret_key",
        str,
        "",
        "our key at Stripe; nothing: no payments through it",
    ),
    Variable(
        "ZENOPS_STRIPE_WEBHOOK_SECRETS",
        "stripe_webhook_secrets",
        _signing_secrets,
        "",
        "what Stripe signs its events with; several, parted by blanks, while they are exchanged",
    ),
    Variable(
        "ZENOPS_STRIPE_URL",
        "stripe_url",
        _server_url,
        "https://api.stripe.com",
        "where Stripe answers",
    ),
    Variable(
        "ZENOPS_RAZORPAY_KEY_ID",
        "razorpay_key_id",
        str,
        "",
        "our name at Razorpay; nothing: no payments through it",
    ),
    Variable("ZENOPS_RAZORPAY_KEY_SECRET", "razorpay_key_secret", str, "", "our secret there"),
    Variable(
        "ZENOPS_RAZORPAY_WEBHOOK_SECRETS",
        "razorpay_webhook_secrets",
        _signing_secrets,
        "",
        "what Razorpay signs its events with; several, as above",
    ),
    Variable(
        "ZENOPS_RAZORPAY_URL",
        "razorpay_url",
        _server_url,
        "https://api.razorpay.com",
        "where Razorpay answers",
    ),
    Variable(
        "ZENOPS_PROVIDER_SECONDS",
        "provider_seconds",
        _whole(1, 50),
        "15",
        "how long a payment provider may take to answer; then it is unknown what it did",
    ),
    Variable(
        "ZENOPS_GIT_SHA",
        "git_sha",
        _commit,
        "",
        "the commit that was built; an image knows it, and `/v1/meta` tells it",
    ),
    Variable(
        "ZENOPS_BUILD_TIME",
        "built_at",
        _instant,
        "",
        "when it was built, such as `2026-03-01T10:15:00Z`; likewise",
    ),
)
FIELD_OF: Mapping[str, str] = {variable.name: variable.field for variable in VARIABLES}
