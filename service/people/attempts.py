"""Counts failed attempts in Valkey, so that passwords cannot be tried out.

An attempt is counted before it is made, and given back if it succeeds: of many attempts at the same
moment no more than the limit get through. Without Valkey nobody logs in: letting everybody try as
often as they like would be worse.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import redis

from service.errors import ServiceError
from service.people.limits import LIMITS, most_attempts

if TYPE_CHECKING:
    from service.bootstrap import Service

# Counts one more under each key; a window begins with its first attempt and is not prolonged.
_COUNT = """
local found = {}
for index, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  if count == 1 then redis.call('EXPIRE', key, ARGV[index]) end
  found[#found + 1] = count
  found[#found + 1] = redis.call('TTL', key)
end
return found
"""
# A window that has ended in the meantime is not begun again.
_GIVE_BACK = """
for _, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then redis.call('DECR', key) end
end
return 0
"""


def count_attempt(service: Service, subjects: Mapping[str, str]) -> tuple[str, ...]:
    """Count an attempt that is about to be made.

    Args:
        service: whose Valkey counts.
        subjects: name of a limit -> whose attempt it is, such as an e-mail address.

    Returns:
        What `give_back` takes if the attempt succeeds.

    Raises:
        ServiceError: 429 with Retry-After, there were too many; 503, Valkey is away.
    """
    names = tuple(subjects)
    keys = tuple(_key(name, subjects[name]) for name in names)
    windows = [LIMITS[name].window_seconds for name in names]
    found = cast("Sequence[int]", _run(service, _COUNT, keys, windows))
    waits = [
        max(left, 1)
        for name, count, left in zip(names, found[::2], found[1::2], strict=True)
        if count > most_attempts(name, service.settings.login_failures)
    ]
    if waits:
        raise ServiceError(
            429,
            "TOO_MANY_ATTEMPTS",
            "Too many attempts failed",
            "Wait as long as the header Retry-After says, then try again.",
            headers={"Retry-After": str(max(waits))},
        )
    return keys


def give_back(service: Service, keys: Sequence[str]) -> None:
    """Forget an attempt that did not fail."""
    _run(service, _GIVE_BACK, keys, ())


def address_counted(address: str) -> str:
    """What an address counts as: a household or office has 2^64 addresses of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)


def _key(name: str, subject: str) -> str:
    # Addresses of people are not kept in Valkey, only what they count under.
    return f"zenops:attempts:{name}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"


def _run(service: Service, script: str, keys: Sequence[str], rest: Sequence[int]) -> Any:
    try:
        return service.redis.eval(script, len(keys), *keys, *rest)
    except redis.RedisError as error:
        raise login_unavailable() from error


def login_unavailable() -> ServiceError:
    """The refusal of a login that nobody can check at the moment."""
    return ServiceError(
        503,
        "LOGIN_UNAVAILABLE",
        "Nobody can log in at the moment",
        "A part of the service is away. Try again in a minute.",
        headers={"Retry-After": "60"},
    )
