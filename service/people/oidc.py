"""Login through an identity provider: OpenID Connect's code flow with PKCE.

The provider only proves an address. Who belongs to a firm, and as what, is decided here: nobody is
made by logging in, and an address that the provider has not verified proves nothing. There is one
provider for the installation, and it is believed for every address; see docs/people-and-access.md.

Needs the extra `oidc`, and the settings ZENOPS_OIDC_...
"""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import urllib.error
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import redis
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import text

from service import clock
from service.database.connections import transaction
from service.people.acting import put
from service.people.attempts import address_counted, count_attempt, login_unavailable
from service.people.limits import SIGN_IN_ELSEWHERE
from service.people.signing_in import (
    LoggedIn,
    login_failed,
    normal_email,
    places_of,
    start_session,
    the_place,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.bootstrap import Service

CALLBACK = "/v1/auth/oidc/callback"
#: Signatures that only the provider can make; never `none`, never one made with a shared secret.
_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
_TIMEOUT_S = 10
_LARGEST_ANSWER = 1_000_000
# Clocks differ a little.
_LEEWAY_S = 60


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where to send somebody, and what their browser has to bring back."""

    address: str
    state: str = field(repr=False)


def leave(service: Service, *, firm: str | None, address: str) -> Leaving:
    """Prepare a login at the provider.

    Args:
        service: whose provider.
        firm: the slug of the firm, for people who belong to several.
        address: where the request came from, for the count of attempts.

    Raises:
        ServiceError: 429; 503, the provider or Valkey is away.
    """
    settings = service.settings
    count_attempt(service, {"elsewhere_address": address_counted(address)})
    provider = _provider(service)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    kept = json.dumps({"nonce": nonce, "verifier": verifier, "firm": firm})
    try:
        service.redis.set(_key(state), kept, ex=SIGN_IN_ELSEWHERE)
    except redis.RedisError as error:
        raise login_unavailable() from error
    query = urlencode(
        {
            "response_type": "code",
            "client_id": settings.oidc_client_id,
            "redirect_uri": settings.public_url + CALLBACK,
            "scope": "openid email",
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
    )
    return Leaving(f"{provider['authorization_endpoint']}?{query}", state)


def come_back(
    service: Service,
    *,
    state: str,
    expected_state: str,
    code: str,
    request_id: str,
    former: str | None = None,
) -> LoggedIn:
    """Let in somebody whom the provider sends back.

    Args:
        service: database and counters.
        state: what the provider sent along.
        expected_state: what the same browser had been given; both have to be the same, or somebody
            is being logged in as another.
        code: what the provider gives a token for.
        request_id: under which this is told.
        former: a session that the same browser had; it ends.

    Raises:
        ServiceError: 401 LOGIN_FAILED whatever was wrong; 409 FIRM_REQUIRED; 503.
    """
    if not state or not secrets.compare_digest(state.encode(), expected_state.encode()):
        raise login_failed()
    try:
        # Taken out, so that it is good once.
        found = service.redis.getdel(_key(state))
    except redis.RedisError as error:
        raise login_unavailable() from error
    if found is None:
        raise login_failed()
    kept = json.loads(str(found, "utf-8") if isinstance(found, bytes) else str(found))
    email = _proved_address(service, code, kept)
    with transaction(service.engine, role="zen_login") as connection:
        put(connection, "app.login_email", email)
        person = connection.execute(
            text("select user_id, name, status from users where email = :email"), {"email": email}
        ).one_or_none()
        if person is None or person.status != "active":
            raise login_failed()
        put(connection, "app.user_id", str(person.user_id))
        place = the_place(places_of(connection, person.user_id, "web", kept["firm"]))
        return start_session(
            connection,
            service,
            person=person,
            place=place,
            audience="web",
            kind="session",
            request_id=request_id,
            at=clock.now(),
            former=former,
        )


def _proved_address(service: Service, code: str, kept: Mapping[str, str]) -> str:
    """The address that the provider has verified, from a token that it has signed for us."""
    settings = service.settings
    provider = _provider(service)
    basic = f"{quote_plus(settings.oidc_client_id)}:{quote_plus(settings.oidc_client_secret)}"
    answer = _ask(
        service,
        provider["token_endpoint"],
        form={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": settings.public_url + CALLBACK,
            "code_verifier": kept["verifier"],
        },
        headers={"Authorization": f"Basic {b64encode(basic.encode()).decode()}"},
    )
    try:
        keys = KeySet.import_key_set(_ask(service, provider["jwks_uri"]))  # type: ignore[arg-type]
        token = jwt.decode(str(answer["id_token"]), keys, algorithms=_ALGORITHMS)
        claims = CodeIDToken(
            token.claims,
            token.header,
            options={
                "iss": {"essential": True, "value": settings.oidc_issuer},
                "aud": {"essential": True, "value": settings.oidc_client_id},
                "nonce": {"essential": True, "value": kept["nonce"]},
                "email": {"essential": True},
            },
            params={"nonce": kept["nonce"], "client_id": settings.oidc_client_id},
        )
        claims.validate(now=int(clock.now().timestamp()), leeway=_LEEWAY_S)
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise login_failed() from error
    email = claims["email"]
    # `email_verified` has to be the JSON true: some providers let people type in any address.
    if claims.get("email_verified") is not True or not isinstance(email, str):
        raise login_failed()
    return normal_email(email)


def _provider(service: Service) -> dict[str, str]:
    """The provider's addresses, from its own description of itself."""
    issuer = service.settings.oidc_issuer
    found = _ask(service, issuer.rstrip("/") + "/.well-known/openid-configuration")
    wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    if found.get("issuer") != issuer or not all(isinstance(found.get(one), str) for one in wanted):
        raise login_unavailable()
    return {one: found[one] for one in wanted}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An answer that leads elsewhere is a failure: our secret goes to no other host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


def _ask(
    service: Service,
    address: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the provider answers, a JSON object; over TLS, if its own address is."""
    if urlsplit(address).scheme != urlsplit(service.settings.oidc_issuer).scheme:
        raise login_unavailable()
    request = urllib.request.Request(  # noqa: S310 - the scheme is that of the setting
        address,
        data=None if form is None else urlencode(form).encode(),
        headers={"Accept": "application/json", **(headers or {})},
    )
    try:
        with urllib.request.build_opener(_NoRedirects).open(
            request, timeout=_TIMEOUT_S
        ) as response:
            found = json.loads(response.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            # The provider does not take the code: it is wrong, used, or of another login.
            is_refusal = form is not None and error.code in {400, 401, 403}
        raise (login_failed() if is_refusal else login_unavailable()) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise login_unavailable() from error
    if not isinstance(found, dict):
        raise login_unavailable()
    return found


def _key(state: str) -> str:
    return f"zenops:oidc:{hashlib.sha256(state.encode()).hexdigest()}"
