"""What becomes of a request when it is too late for its view to say anything."""

import pytest
from flask import Response, g, request
from sqlalchemy import text

from service.api.access import access
from service.api.application import create_app
from service.api.request_life import current
from service.database.connections import send
from tests.service.clients import Client


@pytest.fixture(scope="module")
def late_app(service, owner_engine):
    """The application with three more routes: one streams, one loses its connection at the commit,
    one sends what may be refused.
    """
    app = create_app(service)

    @app.post("/v1/streamed")
    @access(None)
    def stream():
        return Response(iter([b"piece"]))

    @app.post("/v1/lost")
    @access(None)
    def lose():
        g.lost = current().connection.scalar(text("select pg_backend_pid()"))
        return Response(b"{}")

    @app.post("/v1/sent")
    @access(None)
    def send_on():
        values = {"divisor": int(request.args["divisor"])}
        send(current().connection, text("select 1 / cast(:divisor as int)"), values)
        return Response(b"{}")

    @app.after_request
    def lose_connection(response):
        # What is registered last runs first: before the commit.
        if (lost := g.pop("lost", None)) is not None:
            with owner_engine.begin() as connection:
                connection.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": lost})
        return response

    return app


@pytest.fixture(scope="module")
def late_client(late_app, sign_in, make_user, make_firm):
    return Client(late_app, sign_in(make_user(make_firm())).token)


def test_a_streamed_answer_is_never_kept_as_an_empty_one(late_client, owner_engine):
    kept = {"Idempotency-Key": "streamed-1"}

    assert late_client.post("/v1/streamed").get_data() == b"piece"
    for _ in range(2):
        refused = late_client.post("/v1/streamed", headers=kept)
        assert (refused.status_code, refused.get_json()["code"]) == (500, "INTERNAL_ERROR")
    with owner_engine.begin() as connection:
        assert not connection.scalar(
            text("select count(*) from idempotency_keys where key = 'streamed-1'")
        )


def test_a_commit_that_fails_is_told_as_one_that_may_have_counted(late_client):
    answer = late_client.post("/v1/lost")

    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["code"] == "INTERNAL_ERROR"
    assert "may have been done" in answer.get_json()["detail"]
    assert answer.headers["X-Request-Id"] in answer.get_json()["instance"]


def test_what_was_sent_and_is_refused_is_told_before_anything_is_committed(late_client):
    answer = late_client.post("/v1/sent?divisor=0")

    assert answer.status_code == 422
    assert answer.get_json()["code"] == "VALIDATION_FAILED"
    assert late_client.post("/v1/sent?divisor=1").status_code == 200
