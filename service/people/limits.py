"""How long things last and how often they may be tried: all of it, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

#: A session that nobody uses for this long is over.
SESSION_IDLE = timedelta(hours=2)
#: How often the time of last use is written down; a write for every request would be a waste.
TOUCH_EVERY = timedelta(minutes=5)
INVITATION_LIFE = timedelta(days=7)
LONGEST_TOKEN_LIFE = timedelta(days=365)
#: How long a row is kept after its end, for whoever looks into what happened; the policy of
#: zen_system in 0002_people.sql says the same.
TOKEN_KEPT_AFTER_END = timedelta(days=30)
#: How long somebody who went to an identity provider may take to come back.
SIGN_IN_ELSEWHERE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many attempts one window of time allows.

    `most` is multiplied by the setting ZENOPS_LOGIN_FAILURES where `per_failure_setting` holds.
    """

    window_seconds: int
    most: int
    per_failure_setting: bool = False


#: What is counted -> how often it may fail. An office shares one address, so that has room for more.
LIMITS = {
    "login_email": Limit(900, 1, per_failure_setting=True),
    "login_address": Limit(900, 10, per_failure_setting=True),
    "invitation_address": Limit(900, 50),
    "elsewhere_address": Limit(900, 200),
    "password_user": Limit(900, 1, per_failure_setting=True),
}


def most_attempts(name: str, login_failures: int) -> int:
    """How many failed attempts of a kind are allowed in its window."""
    limit = LIMITS[name]
    return limit.most * (login_failures if limit.per_failure_setting else 1)
