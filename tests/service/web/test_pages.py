"""The pages over HTTP without a browser: headers, sessions, refusals, files."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from service.api.application import create_app
from service.web.assets import manifest

ROOT = Path(__file__).resolve().parents[3]


class Browser:
    """A client with a cookie jar that has logged in, as a form does."""

    def __init__(self, app, user):
        self.client = app.test_client()
        answer = self.client.post(
            "/desk/login", data={"email": user.email, "password": user.password}
        )
        assert answer.status_code == 303, answer.get_data(as_text=True)
        page = self.get("/desk/").get_data(as_text=True)
        self.token = re.search(r'name="csrf-token" content="([^"]+)"', page)[1]

    def get(self, path, **more):
        return self.client.get(path, **more)

    def post(self, path, data=None, **more):
        return self.client.post(path, data={"csrf_token": self.token, **(data or {})}, **more)

    def create(self, **more):
        answer = self.post("/desk/work-orders", {"report_type": "VALUATION", **more})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return answer.headers["Location"].partition("?")[0]


@pytest.fixture(scope="module")
def firm(make_firm):
    return make_firm()


@pytest.fixture(scope="module")
def browser(app, firm, make_user):
    return Browser(app, make_user(firm))


@pytest.fixture(scope="module")
def work_order(browser):
    return browser.create(title="A house")


def picture(kind="JPEG", size=(400, 300)):
    out = BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(out, kind)
    return out.getvalue()


def test_every_page_is_sent_with_a_strict_policy_and_is_kept_by_nobody(browser, work_order, client):
    for answer in (
        browser.get("/desk/"),
        browser.get(work_order),
        browser.get("/desk/nowhere"),
        client.get("/desk/login"),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Referrer-Policy" in answer.headers


def test_no_page_has_a_script_or_style_of_its_own(browser, work_order):
    for path in ("/desk/", work_order):
        html = browser.get(path).get_data(as_text=True)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|hx-on", html)
        assert not re.search(r"<script(?![^>]*\ssrc=)", html)
        assert not re.search(r'(src|href)="(https?:)?//', html)


def test_assets_are_kept_for_a_year_and_nothing_else_is_there(client):
    for name in manifest().values():
        answer = client.get(f"/assets/{name}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for name in ("manifest.json", "desk.js", "..%2f..%2ffacts.yaml"):
        assert client.get(f"/assets/{name}").status_code == 404


def test_a_form_without_its_token_changes_nothing(browser, work_order):
    answer = browser.client.post(f"{work_order}/comments", data={"body": "not this"})

    assert answer.status_code == 403
    assert "The page is out of date" in answer.get_data(as_text=True)
    assert "not this" not in browser.get(work_order).get_data(as_text=True)


def test_a_bearer_of_another_firm_sees_the_same_page_of_nothing(
    app, make_firm, make_user, work_order
):
    stranger = Browser(app, make_user(make_firm()))

    foreign = stranger.get(work_order)
    unknown = stranger.get("/desk/work-orders/01a20c9d-0000-7000-8000-3a47262ed98a")
    malformed = stranger.get("/desk/work-orders/..%00")

    def bare(answer):
        return re.sub(r"request [0-9a-f-]{36}", "", answer.get_data(as_text=True))

    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert bare(foreign) == bare(unknown)
    assert malformed.status_code in {400, 404}


@pytest.mark.parametrize(
    "path",
    [
        "facts", "findings", "comments", "status", "pack/sign-off", "pack/retry", "evidence",
        "evidence/order", "evidence/{id}", "evidence/{id}/remove", "links", "links/{id}/remove",
    ],
)  # fmt: skip
def test_no_form_of_another_firm_can_be_sent(app, make_firm, make_user, work_order, path):
    stranger = Browser(app, make_user(make_firm()))
    ours = stranger.create()
    data = {
        "group": "parties", "party.owner_name": "x", "code": "X", "reason": "because", "body": "x",
        "status": "CANCELLED", "have_read": "yes", "pack_version": "1", "field_key":
        "party.bank_name", "evidence_item_id": ours.rpartition("/")[2], "label": "x",
    }  # fmt: skip
    target = path.format(id="01a20c9d-0000-7000-8000-3a47262ed98a")

    answer = stranger.post(f"{work_order}/{target}", data)

    assert answer.status_code == 404


def test_whoever_is_not_logged_in_is_led_to_the_login_and_back(client, work_order):
    answer = client.get(f"{work_order}?done=facts")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/desk/login?next=%2Fdesk%2Fwork-orders%2F")

    part = client.get(
        "/desk/",
        headers={"HX-Request": "true", "HX-Current-URL": f"http://localhost{work_order}"},
    )
    assert part.status_code == 401
    assert part.headers["HX-Redirect"].startswith("/desk/login?next=%2Fdesk%2Fwork-orders%2F")


def test_logging_out_ends_the_session_whoever_has_the_cookie(app, firm, make_user):
    leaving = Browser(app, make_user(firm))
    cookie = leaving.client.get_cookie("zenops")
    answer = leaving.post("/desk/logout")
    assert answer.status_code == 303

    thief = app.test_client()
    thief.set_cookie("zenops", cookie.value)

    assert thief.get("/desk/").status_code == 303


def test_somebody_of_several_firms_is_asked_which(app, firm, make_firm, make_user, owner_engine):
    from sqlalchemy import text

    from service.clock import now

    user, second = make_user(firm), make_firm()
    with owner_engine.begin() as connection:
        connection.execute(
            text("insert into memberships (tenant_id, user_id, role, created_at)"
                 " values (:tenant, :user, 'super_admin', :now)"),
            {"tenant": second.tenant_id, "user": user.user_id, "now": now()},
        )  # fmt: skip
    form = {"email": user.email, "password": user.password}

    asked = app.test_client().post("/desk/login", data=form)
    assert asked.status_code == 409
    for slug in (firm.slug, second.slug):
        assert f'value="{slug}"' in asked.get_data(as_text=True)
    entered = app.test_client().post("/desk/login", data={**form, "firm": second.slug})
    assert entered.status_code == 303


def test_a_reader_is_offered_no_form_and_refused_one(app, firm, make_user, work_order):
    reader = Browser(app, make_user(firm, ["accounts"]))

    html = reader.get(work_order).get_data(as_text=True)
    assert "data-upload" not in html
    assert "Save parcels" not in html
    assert reader.post(f"{work_order}/facts", {"group": "parties"}).status_code == 403


def test_a_refused_change_of_facts_leaves_nothing_behind(browser, work_order):
    answer = browser.post(
        f"{work_order}/facts",
        {
            "group": "parties",
            "version": "1",
            "party.owner_name": "Kept only on the page",
            "party.owners.rows": "0",
            "party.owners[0].name": "Somebody",
            "party.owners[0].share_percent": "half",
        },
    )

    assert answer.status_code == 422
    assert "Kept only on the page" in answer.get_data(as_text=True)
    assert "Kept only on the page" not in browser.get(work_order).get_data(as_text=True)


def test_a_form_of_no_part_of_the_facts_is_refused(browser, work_order):
    assert browser.post(f"{work_order}/facts", {"group": "nothing"}).status_code == 400


def upload(browser, work_order, **fields):
    return browser.post(
        f"{work_order}/evidence",
        {
            "shows": "type:PHOTO",
            "files": (BytesIO(fields.pop("content", picture())), fields.pop("filename", "a.jpg")),
            **fields,
        },
        content_type="multipart/form-data",
        headers={"Accept": "application/json"},
    )


def test_an_upload_becomes_evidence_with_a_thumbnail_and_a_file_that_cannot_act(browser):
    work_order = browser.create(title="Pictures")

    assert upload(browser, work_order).get_json() == {"taken": 1, "refused": []}
    html = browser.get(work_order).get_data(as_text=True)
    thumbnail = browser.get(re.search(r'src="([^"]+/thumbnail)"', html)[1])
    file = browser.get(re.search(r'href="([^"]+/file)"', html)[1])

    with Image.open(BytesIO(thumbnail.data)) as small:
        assert small.width <= 410
    assert thumbnail.headers["Cache-Control"] == "private, max-age=3600"
    assert file.status_code == 200
    assert file.headers["Content-Disposition"].startswith("inline")
    assert "sandbox" in file.headers["Content-Security-Policy"]


def test_a_guarded_picture_has_no_thumbnail_and_opens_for_few(app, firm, browser, make_user):
    work_order = browser.create(title="Identity papers")
    upload(browser, work_order, sensitivity="pii")
    html = browser.get(work_order).get_data(as_text=True)
    file = re.search(r'href="([^"]+/file)"', html)[1]
    other = Browser(app, make_user(firm, ["accounts"]))

    assert "/thumbnail" not in html
    assert browser.get(file.replace("/file", "/thumbnail")).status_code == 404
    assert browser.get(file).status_code == 200
    assert "opened a guarded file" in browser.get(work_order).get_data(as_text=True)
    assert (other.get(file).status_code == 200) == (
        "/file" in other.get(work_order).get_data(as_text=True)
    )


def test_a_deed_put_in_by_the_checklist_is_guarded_though_nobody_said_so(browser):
    work_order = browser.create(title="A deed", bank_type="SBI", bank_name="State Bank of India")
    html = browser.get(work_order).get_data(as_text=True)
    line = re.search(r'<option value="([a-z_]*deed[a-z_]*)"', html)[1]
    assert upload(browser, work_order, shows=line).get_json()["taken"] == 1

    html = browser.get(work_order).get_data(as_text=True)
    file = re.search(r'href="([^"]+/file)"', html)[1]
    assert "/thumbnail" not in html
    assert browser.get(file.replace("/file", "/thumbnail")).status_code == 404
    assert browser.get(file).status_code == 200
    assert "opened a guarded file" in browser.get(work_order).get_data(as_text=True)


def test_a_copy_of_a_guarded_file_is_named_to_those_alone_who_may_open_it(
    app, firm, browser, make_user
):
    work_order = browser.create(title="The same paper twice")
    content = picture()
    upload(
        browser, work_order, content=content, filename="passport-of-somebody.jpg", sensitivity="pii"
    )
    upload(browser, work_order, content=content, filename="b.jpg")
    other = Browser(app, make_user(firm, ["accounts"]))

    theirs = other.get(work_order).get_data(as_text=True)
    assert "passport" not in theirs
    assert "The same file as a guarded file, in this work order" in theirs
    ours = browser.get(work_order).get_data(as_text=True)
    assert "The same file as passport-of-somebody.jpg, in this work order" in ours


def test_an_upload_of_nothing_and_of_no_known_kind_is_told(browser, work_order):
    nothing = browser.post(
        f"{work_order}/evidence", {"shows": "type:PHOTO"}, content_type="multipart/form-data"
    )
    assert nothing.status_code == 400
    unknown = upload(browser, work_order, shows="no-such-line")
    assert unknown.status_code == 400
    assert unknown.get_json()["code"] == "REQUIREMENT_UNKNOWN"


def test_pages_of_production_are_bound_to_encryption(service):
    from dataclasses import replace

    production = replace(service, settings=replace(service.settings, mode="production"))

    answer = create_app(production).test_client().get("/desk/login")

    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


def test_the_lock_of_the_assets_holds_no_address_of_a_download():
    lock = (ROOT / "package-lock.json").read_text("utf-8")

    assert '"resolved"' not in lock
    assert ".tgz" not in lock
    assert '"integrity": "sha512-' in lock


def test_an_old_address_with_an_unknown_filter_still_shows_the_queue(browser):
    answer = browser.get("/desk/?status=GONE&ready=maybe&cursor=x")

    assert answer.status_code in {200, 400}
    assert browser.get("/desk/?status=GONE&ready=maybe").status_code == 200
