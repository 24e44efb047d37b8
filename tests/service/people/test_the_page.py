"""docs/people-and-access.md says of roles what roles.yaml says."""

from pathlib import Path

import service
from service.people import limits
from service.people.passwords import password_rules
from service.people.roles import HIGHEST, the_roles

PAGE = Path(service.__file__).parent.parent / "docs/people-and-access.md"


def rows():
    """The rows of the page's two tables, as the data give them."""
    known = the_roles()
    roles = [
        f"| `{name}` | {role.means} | {', '.join(role.audiences)} |"
        for name, role in known.roles.items()
    ]
    capabilities = [
        f"| `{capability}` | {means} | "
        + ", ".join(
            name
            for name, role in known.roles.items()
            if name != HIGHEST and capability in role.capabilities
        )
        + " |"
        for capability, means in known.capabilities.items()
    ]
    return roles, capabilities


def test_the_page_lists_every_role_and_capability_as_they_are():
    said = PAGE.read_text(encoding="utf-8").splitlines()
    for group in rows():
        start = said.index(group[0])
        assert said[start : start + len(group)] == group
        assert said[start + len(group)] == ""


def test_the_page_names_the_limits_as_they_are():
    said = PAGE.read_text(encoding="utf-8")
    rules = password_rules()

    assert f"{rules.shortest} to {rules.longest} characters" in said
    assert f"uses it for {limits.SESSION_IDLE.seconds // 3600} hours" in said
    assert limits.INVITATION_LIFE.days == 7
    assert "invitation of seven days" in said
    assert (limits.LIMITS["login_email"].window_seconds, limits.LONGEST_TOKEN_LIFE.days) == (
        15 * 60,
        365,
    )
    assert limits.LIMITS["login_address"].most == 10 * limits.LIMITS["login_email"].most
