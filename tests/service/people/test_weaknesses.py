"""The original's numbered weaknesses that belong to people and logins."""

import pytest
from sqlalchemy import text

from service.people.limits import LIMITS
from tests.service.clients import Client


@pytest.mark.parametrize(
    "wished",
    [
        {"user_id": "00000000-0000-0000-0000-000000000001"},
        {"tenant_id": "00000000-0000-0000-0000-000000000001"},
        {"roles": ["super_admin"]},
        {"capabilities": ["*"]},
    ],
)
def test_weakness_51_nobody_says_who_they_are_or_what_they_may(
    client, make_firm, make_user, owner_engine, wished
):
    """There, a login gave whatever identity, role and capability was asked for."""
    user = make_user(make_firm(), ["staff"])
    said = {"email": user.email, "audience": "web"}

    for body in (said | wished, said | wished | {"password": user.password}):
        assert client.post("/v1/auth/login", json=body).status_code == 422
    with owner_engine.connect() as connection:
        tokens = connection.scalar(
            text("select count(*) from access_tokens where user_id = :id"), {"id": user.user_id}
        )
    assert tokens == 0


def test_weakness_56_everything_that_is_counted_is_forgotten_by_itself(client, service):
    """There, a map in memory grew by each address and minute."""
    service.redis.flushall()
    for number in range(5):
        client.post(
            "/v1/auth/login",
            json={"email": f"nobody-{number}@specimen.test", "password": "x", "audience": "web"},
        )
    left = [service.redis.ttl(key) for key in service.redis.scan_iter()]

    assert len(left) >= 5
    assert min(left) > 0
    assert max(left) <= max(one.window_seconds for one in LIMITS.values())


def test_weakness_56_the_studio_acts_under_an_id_that_the_record_takes(
    app, make_firm, make_user, sign_in, owner_engine
):
    """There, the studio's administrator was called by no uuid, and such columns refused it."""
    firm = make_firm()
    person = make_user(make_firm(kind="service"), ["super_admin"])
    inside = sign_in(person, "studio")
    studio = Client(app, inside.token, {"X-Zenops-Tenant": str(firm.tenant_id)})
    made = studio.post(
        "/v1/repogen/work-orders", json={"report_type": "VALUATION", "bank_name": "A Bank"}
    )

    assert made.status_code == 201, made.get_data(as_text=True)
    with owner_engine.connect() as connection:
        acted = connection.scalars(
            text("select actor_id::text from audit_events where work_order_id = :id"),
            {"id": made.get_json()["work_order_id"]},
        ).all()
    assert set(acted) == {str(person.user_id)}
