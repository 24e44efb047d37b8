"""Who is let in, and who is not: tokens and sessions as the frame asks for them."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from service.clock import now
from service.database.connections import transaction
from service.errors import ServiceError
from service.identifiers import new_id
from service.people import signing_in
from service.people.limits import SESSION_IDLE, TOUCH_EVERY
from service.people.roles import capabilities_of
from service.people.tokens import make_token, token_digest

NOON = now().replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def firm(make_firm):
    return make_firm()


@pytest.fixture(scope="module")
def studio(make_firm):
    return make_firm(kind="service", name="Specimen Studio")


@pytest.fixture
def log_in(service):
    def enter(user, audience="web", **more):
        return signing_in.log_in(
            service,
            email=more.pop("email", user.email),
            password=more.pop("password", user.password),
            audience=audience,
            address="192.0.2.1",
            request_id="r",
            **more,
        )

    return enter


@pytest.fixture
def authenticate(service):
    def ask(token=None, *, session=None, at=None, wanted=None):
        with transaction(service.engine, role="zen_login") as connection:
            return signing_in.authenticate(
                connection,
                token=token,
                session=session,
                request_id="r",
                wanted_tenant=wanted,
                at=at,
            )

    return ask


def code_of(action, *args, **more):
    with pytest.raises(ServiceError) as caught:
        action(*args, **more)
    return caught.value.code


def run(owner_engine, statement, **values):
    with owner_engine.begin() as connection:
        return connection.execute(text(statement), values)


def test_a_login_gives_a_token_that_says_who_and_what(firm, make_user, log_in, authenticate):
    user = make_user(firm, roles=["valuer"])
    made = log_in(user)
    actor = authenticate(made.token)

    assert (actor.tenant_id, actor.user_id, actor.audience) == (firm.tenant_id, user.user_id, "web")
    assert actor.capabilities == capabilities_of(["valuer"])
    assert actor.name == "Specimen Person"
    assert made.token.startswith("zt_")
    assert len(made.token) == 46


def test_a_tokens_clear_text_is_nowhere_in_the_database(firm, make_user, log_in, owner_engine):
    made = log_in(make_user(firm))
    with owner_engine.connect() as connection:
        tables = connection.scalars(
            text(
                "select c.relname from pg_class c where c.relkind in ('r', 'p')"
                " and c.relnamespace = 'public'::regnamespace"
            )
        ).all()
        holding = [
            name
            for name in tables
            if connection.scalar(
                text(f'select count(*) from "{name}" t where t::text like :part'),  # noqa: S608
                {"part": f"%{made.token[3:]}%"},
            )
        ]
        digests = connection.scalar(
            text("select count(*) from access_tokens where token_sha256 = :sha256"),
            {"sha256": token_digest(made.token)},
        )

    assert (holding, digests) == ([], 1)
    assert made.token not in repr(made)


def test_roles_add_up_and_those_of_another_audience_do_not_count(
    firm, make_user, log_in, authenticate
):
    user = make_user(firm, roles=["hr", "accounts", "portal_user"])

    assert authenticate(log_in(user).token).capabilities == capabilities_of(["hr", "accounts"])
    assert authenticate(log_in(user, "portal").token).capabilities == capabilities_of(
        ["portal_user"]
    )


@pytest.mark.parametrize(
    ("kind", "role", "audience", "is_let_in"),
    [
        ("firm", "valuer", "web", True),
        ("firm", "valuer", "portal", False),
        ("firm", "super_admin", "studio", False),
        ("firm", "portal_user", "portal", True),
        ("firm", "portal_user", "web", False),
        ("external", "portal_user", "portal", True),
        ("service", "super_admin", "studio", True),
        ("service", "super_admin", "web", False),
        ("service", "valuer", "studio", False),
        ("service", "portal_user", "portal", False),
    ],
)
def test_each_role_logs_in_where_it_belongs_and_nowhere_else(
    make_firm, make_user, log_in, kind, role, audience, is_let_in
):
    user = make_user(make_firm(kind=kind), roles=[role])
    if is_let_in:
        assert log_in(user, audience).roles == (role,)
    else:
        assert code_of(log_in, user, audience) == "LOGIN_FAILED"


def test_no_token_wrong_tokens_and_other_texts_are_refused(authenticate):
    for token in (make_token().clear, "zt_", "x", "zt_" + "ü" * 43, make_token().clear + " "):
        assert code_of(authenticate, token) == "TOKEN_INVALID"
    for none in (None, ""):
        assert code_of(authenticate, none) == "TOKEN_MISSING"


def test_a_refusal_asks_for_a_bearer_token(authenticate):
    with pytest.raises(ServiceError) as caught:
        authenticate(make_token().clear)

    assert caught.value.status == 401
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}


def test_a_login_ends_after_its_hours_and_not_before(
    firm, make_user, log_in, authenticate, service
):
    made = log_in(make_user(firm), at=NOON)
    end = NOON + timedelta(hours=service.settings.session_hours)

    assert made.expires_at == end
    assert authenticate(made.token, at=end - timedelta(microseconds=1))
    assert code_of(authenticate, made.token, at=end) == "TOKEN_INVALID"


def test_a_session_ends_when_nobody_uses_it_and_each_use_prolongs_it(
    firm, make_user, log_in, authenticate
):
    session = log_in(make_user(firm), kind="session", at=NOON).token
    just = timedelta(microseconds=1)

    assert authenticate(session=session, at=NOON + SESSION_IDLE - just)
    used = NOON + SESSION_IDLE - just
    assert authenticate(session=session, at=used + SESSION_IDLE - just)
    assert code_of(authenticate, session=session, at=used + 2 * SESSION_IDLE) == "TOKEN_INVALID"


def test_an_idle_session_is_over_at_two_hours_sharp(firm, make_user, log_in, authenticate):
    session = log_in(make_user(firm), kind="session", at=NOON).token

    assert code_of(authenticate, session=session, at=NOON + SESSION_IDLE) == "TOKEN_INVALID"


def test_a_used_session_ends_after_its_hours_all_the_same(
    firm, make_user, log_in, authenticate, service
):
    session = log_in(make_user(firm), kind="session", at=NOON).token
    end = NOON + timedelta(hours=service.settings.session_hours)
    at = NOON
    while at + timedelta(hours=1) < end:
        at += timedelta(hours=1)
        assert authenticate(session=session, at=at)

    assert code_of(authenticate, session=session, at=end) == "TOKEN_INVALID"


def test_a_bearer_token_does_not_mind_being_idle(firm, make_user, log_in, authenticate):
    made = log_in(make_user(firm), at=NOON)

    assert authenticate(made.token, at=NOON + 3 * SESSION_IDLE)


def test_the_time_of_last_use_is_written_every_few_minutes(
    firm, make_user, log_in, authenticate, owner_engine
):
    made = log_in(make_user(firm), at=NOON)

    def last_used():
        return run(
            owner_engine,
            "select last_used_at from access_tokens where token_sha256 = :sha256",
            sha256=token_digest(made.token),
        ).scalar_one()

    authenticate(made.token, at=NOON + TOUCH_EVERY - timedelta(microseconds=1))
    assert last_used() == NOON
    authenticate(made.token, at=NOON + TOUCH_EVERY)
    assert last_used() == NOON + TOUCH_EVERY


def test_writing_the_time_of_last_use_waits_for_nobody(
    firm, make_user, log_in, service, authenticate
):
    made = log_in(make_user(firm), at=NOON)
    later = NOON + 2 * TOUCH_EVERY
    with transaction(service.engine, role="zen_login") as first:
        first.execute(text("set local lock_timeout = '500ms'"))
        signing_in.authenticate(
            first, token=made.token, session=None, request_id="r", wanted_tenant=None, at=later
        )
        # The first request is still under way, and holds the token's row.
        assert authenticate(made.token, at=later)


def test_a_token_is_no_cookie_and_other_kinds_prove_nothing(
    firm, make_user, log_in, authenticate, owner_engine
):
    bearer = log_in(make_user(firm)).token
    assert code_of(authenticate, session=bearer) == "TOKEN_INVALID"

    for kind in ("invitation", "download"):
        run(
            owner_engine,
            "update access_tokens set kind = :kind where token_sha256 = :sha256",
            kind=kind,
            sha256=token_digest(bearer),
        )
        assert code_of(authenticate, bearer) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "change",
    [
        "update access_tokens set revoked_at = now() where user_id = :person",
        "update users set status = 'disabled' where user_id = :person",
        "update tenants set status = 'suspended' where tenant_id = :tenant",
        "update memberships set disabled_at = now() where user_id = :person",
        "delete from memberships where user_id = :person",
        "update memberships set role = 'portal_user' where user_id = :person",
        "update memberships set role = 'no_longer_known' where user_id = :person",
    ],
)
def test_whoever_may_not_come_in_any_more_is_out_at_once(
    make_firm, make_user, log_in, authenticate, owner_engine, change
):
    firm = make_firm()
    user = make_user(firm)
    made = log_in(user)
    assert authenticate(made.token)
    run(
        owner_engine,
        change,
        **{
            name: value
            for name, value in (("person", user.user_id), ("tenant", firm.tenant_id))
            if f":{name}" in change
        },
    )

    assert code_of(authenticate, made.token) == "TOKEN_INVALID"
    if "access_tokens" not in change:
        assert code_of(log_in, user) == "LOGIN_FAILED"


def test_a_change_of_roles_counts_from_the_next_request(
    firm, make_user, log_in, authenticate, owner_engine
):
    user = make_user(firm, roles=["super_admin"])
    made = log_in(user)
    run(
        owner_engine,
        "update memberships set role = 'staff' where user_id = :person",
        person=user.user_id,
    )

    assert authenticate(made.token).capabilities == capabilities_of(["staff"])


def test_the_studio_names_a_firm_and_nobody_else_does(
    firm, studio, make_firm, make_user, log_in, authenticate
):
    other = make_firm()
    staff = log_in(make_user(studio), "studio").token
    member = log_in(make_user(firm)).token

    assert authenticate(staff).tenant_id == studio.tenant_id
    assert authenticate(staff, wanted=other.tenant_id).tenant_id == other.tenant_id
    assert code_of(authenticate, staff, wanted=new_id()) == "NOT_FOUND"
    assert authenticate(member, wanted=firm.tenant_id).tenant_id == firm.tenant_id
    assert code_of(authenticate, member, wanted=other.tenant_id) == "TENANT_NOT_YOURS"
    # Whether there is such a firm makes no difference to somebody outside of the studio.
    assert code_of(authenticate, member, wanted=new_id()) == "TENANT_NOT_YOURS"


def test_a_login_ends_on_the_server(firm, make_user, log_in, authenticate, service):
    user = make_user(firm)
    one, other = log_in(user), log_in(user)
    with transaction(
        service.engine,
        role="zen_login",
    ) as connection:
        actor = signing_in.authenticate(
            connection, token=one.token, session=None, request_id="r", wanted_tenant=None
        )
        signing_in.end_session(connection, actor)

    assert code_of(authenticate, one.token) == "TOKEN_INVALID"
    assert authenticate(other.token).user_id == user.user_id


def test_logging_in_again_takes_a_fresh_token_and_ends_the_browsers_old_one(
    firm, make_user, log_in, authenticate
):
    user = make_user(firm)
    first = log_in(user, kind="session").token
    second = log_in(user, kind="session", former=first).token

    assert first != second
    assert authenticate(session=second).user_id == user.user_id
    assert code_of(authenticate, session=first) == "TOKEN_INVALID"


def test_a_former_cookie_that_is_no_session_ends_nothing(firm, make_user, log_in, authenticate):
    bearer = log_in(make_user(firm)).token
    log_in(make_user(firm), kind="session", former=bearer)

    assert authenticate(bearer)


def test_a_forms_token_is_for_one_session_and_outlives_a_change_of_the_key(service):
    import dataclasses

    session, other = make_token().clear, make_token().clear
    token = signing_in.csrf_token(service, session)
    settings = service.settings
    changed = dataclasses.replace(
        service,
        settings=dataclasses.replace(
            settings, secret_key="n" * 40, secret_key_fallbacks=(settings.secret_key,)
        ),
    )
    forgotten = dataclasses.replace(
        changed, settings=dataclasses.replace(changed.settings, secret_key_fallbacks=())
    )

    assert signing_in.is_csrf_token(service, session, token)
    assert signing_in.is_csrf_token(changed, session, token)
    assert not signing_in.is_csrf_token(forgotten, session, token)
    assert not signing_in.is_csrf_token(service, other, token)
    for wrong in ("", session, token + "0", "ü"):
        assert not signing_in.is_csrf_token(service, session, wrong)
    assert session not in token
