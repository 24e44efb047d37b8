"""The first people of an installation: for trying things, and for real."""

import threading

import pytest
from sqlalchemy import text

from contracts.canonical_json import to_plain
from service.errors import ServiceError
from service.people.seeding import (
    SPECIMEN,
    create_firm,
    create_user,
    letterhead_of,
    reset_password,
    seed_demo,
)


@pytest.fixture(scope="module")
def seeded(service):
    return seed_demo(service.engine)


def enter(client, credentials):
    return client.post(
        "/v1/auth/login",
        json={
            "email": credentials.email,
            "password": credentials.password,
            "audience": credentials.audience,
        },
    )


def test_everybody_who_is_seeded_can_log_in_where_they_belong(seeded, client):
    found = {
        (one.email, one.role, one.audience, one.firm): enter(client, one).status_code
        for one in seeded
    }

    assert found == {
        ("studio@zenops.example", "super_admin", "studio", "studio"): 200,
        ("operator@demo.example", "ops_manager", "web", "demo"): 200,
        ("valuer@demo.example", "valuer", "web", "demo"): 200,
        ("admin@demo.example", "super_admin", "web", "demo"): 200,
        ("portal@demo.example", "portal_user", "portal", "demo"): 200,
    }


def test_a_second_seeding_says_that_all_is_there(seeded, service):
    assert seeded
    assert seed_demo(service.engine) == ()


def test_no_password_is_in_what_is_printed_of_credentials(seeded):
    assert not [one for one in seeded if one.password in repr(one)]
    assert len({one.password for one in seeded}) == len(seeded)


def test_the_demo_firm_has_the_letterhead_of_the_specimen(seeded, client, app):
    from tests.service.clients import Client

    admin = next(one for one in seeded if one.email == "admin@demo.example")
    inside = Client(app, enter(client, admin).get_json()["token"])
    body = inside.get("/v1/firm").get_json()
    letterhead = to_plain(letterhead_of(SPECIMEN))

    assert {key: value for key, value in body["firm"].items() if value is not None} | {
        "valuer": {k: v for k, v in body["firm"]["valuer"].items() if v is not None}
    } == letterhead
    assert body["name"] == letterhead["name"]


def test_the_valuer_is_registered_as_the_letterhead_says_and_may_sign(seeded, owner_engine):
    assert seeded
    with owner_engine.connect() as connection:
        row = connection.execute(
            text(
                "select v.name, v.registration, v.may_sign, u.email, u.name as user_name,"
                " v.registration_valid_until > current_date as is_valid"
                " from valuers v join users u using (user_id)"
            )
        ).one()
    valuer = letterhead_of(SPECIMEN).valuer

    assert (row.name, row.registration) == (valuer.name, valuer.registration)
    assert (row.may_sign, row.is_valid) == (True, True)
    assert (row.email, row.user_name) == ("valuer@demo.example", valuer.name)


def test_what_was_seeded_is_in_the_record(seeded, owner_engine):
    with owner_engine.connect() as connection:
        found = connection.execute(
            text(
                "select n.slug, e.action, e.actor_kind, count(*) from audit_events e"
                " join tenants n using (tenant_id) where e.action not like 'people:session:%'"
                " and n.slug in ('studio', 'demo') group by 1, 2, 3"
            )
        ).all()

    assert seeded
    assert {tuple(row) for row in found} == {
        ("studio", "people:firm:founded", "system", 1),
        ("studio", "people:person:added", "system", 1),
        ("demo", "people:firm:founded", "system", 1),
        ("demo", "people:person:added", "system", 4),
        ("demo", "registers:valuer:added", "system", 1),
    }


def test_two_seedings_at_the_same_moment_make_one_demo(postgres, template_database):
    from service.database.connections import make_engine
    from tests.service.conftest import drop_database, new_database

    fresh = new_database(postgres, template_database)
    engine = make_engine(fresh.api_url)
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(len(seed_demo(engine)))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    drop_database(postgres, fresh)

    assert sorted(made) == [0, 0, 5]


def test_a_real_firm_is_founded_with_somebody_to_run_it(service, client):
    made = create_firm(
        service.engine,
        slug="real-firm",
        name="Real Firm",
        admin_email="Head@Real.Example",
        admin_name="Hema Head",
    )
    assert made.email == "head@real.example"
    assert enter(client, made).get_json()["roles"] == ["super_admin"]

    staff = create_user(
        service.engine, firm="real-firm", email="staff@real.example", name="S", role="staff"
    )
    assert enter(client, staff).get_json()["roles"] == ["staff"]
    portal = create_user(
        service.engine, firm="real-firm", email="p@real.example", name="P", role="portal_user"
    )
    assert (portal.audience, enter(client, portal).status_code) == ("portal", 200)


@pytest.fixture(scope="module")
def _taken(service):
    for slug, kind in (("taken", "firm"), ("taken-studio", "service")):
        create_firm(
            service.engine,
            slug=slug,
            name="Taken",
            admin_email=f"{slug}@real.example",
            admin_name="T",
            kind=kind,
        )


@pytest.mark.parametrize(
    ("action", "more", "code"),
    [
        (create_firm, {"slug": "taken"}, "SLUG_TAKEN"),
        (create_firm, {"slug": "Not a slug"}, "VALIDATION_FAILED"),
        (create_firm, {"name": ""}, "VALIDATION_FAILED"),
        (create_firm, {"admin_email": "taken@real.example"}, "EMAIL_TAKEN"),
        (create_firm, {"admin_email": "no address"}, "VALIDATION_FAILED"),
        (create_user, {"firm": "nowhere"}, "FIRM_UNKNOWN"),
        (create_user, {"role": "god"}, "ROLE_UNKNOWN"),
        (create_user, {"firm": "taken-studio", "role": "valuer"}, "ROLE_NOT_HERE"),
        (create_user, {"email": "TAKEN@real.example"}, "EMAIL_TAKEN"),
    ],
)
@pytest.mark.usefixtures("_taken")
def test_what_cannot_be_founded_leaves_nothing_behind(service, owner_engine, action, more, code):
    def count():
        with owner_engine.connect() as connection:
            return connection.execute(
                text(
                    "select (select count(*) from tenants), (select count(*) from users),"
                    " (select count(*) from memberships), (select count(*) from audit_events)"
                )
            ).one()

    before = count()
    given = (
        {"slug": "new-firm", "name": "N", "admin_email": "n@real.example", "admin_name": "N"}
        if action is create_firm
        else {"firm": "taken", "email": "n@real.example", "name": "N", "role": "staff"}
    )
    with pytest.raises(ServiceError) as caught:
        action(service.engine, **{**given, **more})

    assert caught.value.code == code
    assert count() == before


def test_whoever_forgot_their_password_gets_a_new_one_and_the_old_logins_end(
    service, client, app, make_firm, make_user, owner_engine
):
    from tests.service.clients import Client

    person = make_user(make_firm(), roles=["valuer"])
    body = {"email": person.email, "password": person.password, "audience": "web"}
    inside = Client(app, client.post("/v1/auth/login", json=body).get_json()["token"])
    made = reset_password(service.engine, email=person.email.upper())

    assert (made.role, made.audience) == ("valuer", "web")
    assert inside.get("/v1/auth/me").status_code == 401
    assert client.post("/v1/auth/login", json=body).status_code == 401
    assert enter(client, made).status_code == 200
    with owner_engine.connect() as connection:
        assert connection.scalar(
            text(
                "select count(*) from audit_events where tenant_id = :tenant"
                " and action = 'people:password:reset' and actor_kind = 'system'"
            ),
            {"tenant": person.tenant_id},
        )
    with pytest.raises(ServiceError, match="PERSON_UNKNOWN"):
        reset_password(service.engine, email="nobody@specimen.test")
