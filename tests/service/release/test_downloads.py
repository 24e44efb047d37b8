"""Who gets a report before it is released and after, by links that end, and what is taken back."""

from __future__ import annotations

import hashlib
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from service.clock import now
from service.evidence import signed_addresses
from service.evidence.limits import limits
from service.objects.storage import get_bytes
from service.privacy.firm_archive import write_archive
from tests.service.conftest import Firm
from tests.service.release.conftest import Order, make_next_version, refused


def artifact(client: Any, order: Order, kind: str, version: int = 1) -> Any:
    return client.get(f"{order.path}/packs/{version}/artifacts/{kind}")


def links(client: Any, order: Order, version: int = 1) -> Any:
    return client.post(f"{order.path}/deliverables/{version}/links")


def listing(client: Any, order: Order) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{order.path}/deliverables").get_json()["items"]
    return found


def local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def let_out(order: Order, key: str = "out") -> None:
    answer = order.release(key, override=True, override_reason="for this test")
    assert answer.get_json()["blocked"] is False, answer.get_json()


@pytest.fixture
def correct(service: Any, look: Any) -> Any:
    """correct(order) -> its next version is made, signed and released."""

    def made(order: Order, why: str = "wrong area", *, released: bool = True) -> None:
        move = order.desk.post(f"{order.path}/status", json={"status": "DATA_PENDING", "note": why})
        assert move.status_code == 200, move.get_json()
        make_next_version(service, look, order)
        if released:
            let_out(order, "corrected")

    return made


@pytest.fixture
def visitor(owner: Any, make_user: Any, sign_in: Any, look: Any) -> Any:
    """visitor(order) -> the person of the portal who asked for the work order."""

    def enter(order: Order) -> Any:
        person = make_user(Firm(owner.tenant_id, "", ""), ["portal_user"])
        look(
            "update work_orders set requested_by = :person where work_order_id = :id",
            person=person.user_id,
            id=order.id,
        )
        return sign_in(person, "portal")

    return enter


def actions_of(look: Any, order: Order) -> list[Any]:
    return [
        one
        for (one,) in look(
            "select action from audit_events where work_order_id = :id and (action like 'release:%'"
            " or action in ('pack:artifact:reviewed', 'pack:artifact:downloaded')) order by at, event_id",
            id=order.id,
        )
    ]


def test_before_its_release_a_report_is_opened_by_its_signers_alone(
    make_order: Any, colleague: Any, look: Any
) -> None:
    order = make_order(signed=False)
    valuer, manager = colleague("valuer"), colleague("ops_manager")
    read = artifact(valuer, order, "docx")
    refusal = artifact(manager, order, "docx")

    assert read.status_code == 200
    assert refused(refusal) == (403, "DELIVERABLE_NOT_RELEASED")
    assert refusal.get_json()["waits_for"] == "SIGN_OFF_MISSING"
    assert refused(artifact(manager, order, "pdf")) == (403, "DELIVERABLE_NOT_RELEASED")
    assert artifact(manager, order, "bundle").status_code == 200
    assert refused(links(manager, order)) == (403, "DELIVERABLE_NOT_RELEASED")
    assert refused(links(valuer, order)) == (403, "DELIVERABLE_NOT_RELEASED")
    assert actions_of(look, order) == ["pack:artifact:reviewed", "pack:artifact:reviewed"]


def test_before_its_release_a_report_is_a_marked_copy_and_after_it_the_bytes_that_were_stored(
    service: Any, make_order: Any, colleague: Any, look: Any
) -> None:
    order = make_order()
    valuer = colleague("valuer")
    stored = {
        kind: (get_bytes(service.objects, key), sha256)
        for kind, key, sha256 in look(
            "select kind, object_key, a.sha256 from pack_artifacts a join packs using (pack_id)"
            " where work_order_id = :id and kind <> 'bundle'",
            id=order.id,
        )
    }
    before = {kind: artifact(valuer, order, kind) for kind in stored}
    let_out(order)
    page = f"/desk/work-orders/{order.id}/packs/1"

    assert set(stored) == {"docx", "pdf"}
    for kind, (content, sha256) in stored.items():
        copy = before[kind]
        tag = {"If-None-Match": copy.headers["ETag"]}
        after = valuer.get(f"{order.path}/packs/1/artifacts/{kind}", headers=tag)
        assert copy.headers["Zenops-Review-Copy"] == "1"
        assert copy.headers["ETag"] == f'"{hashlib.sha256(copy.data).hexdigest()}"'
        assert copy.headers["Content-Length"] == str(len(copy.data))
        assert copy.data != content
        # Who holds the marked copy is not told that nothing has changed.
        assert (after.status_code, after.data) == (200, content)
        assert after.headers["ETag"] == f'"{sha256}"'
        assert "Zenops-Review-Copy" not in after.headers
        assert order.desk.get(f"{page}/{kind}").data == content


def test_what_a_signed_report_waits_for_is_what_the_gate_waits_for(
    make_order: Any, colleague: Any, open_credit: Any, hold: Any
) -> None:
    order, manager, account = make_order(), colleague("ops_manager"), open_credit(1)
    lacking = artifact(manager, order, "docx").get_json()["waits_for"]
    hold(account, order)

    assert lacking == "credit_reservation_missing"
    assert artifact(manager, order, "docx").get_json()["waits_for"] == "RELEASE"


def test_a_blocked_release_opens_nothing(make_order: Any, colleague: Any) -> None:
    order, manager = make_order(), colleague("ops_manager")
    assert order.release("k").get_json()["blocked"] is True

    assert refused(artifact(manager, order, "docx")) == (403, "DELIVERABLE_NOT_RELEASED")
    assert listing(manager, order) == []


def test_after_its_release_whoever_downloads_reports_gets_it_by_a_link_without_a_login(
    make_order: Any, colleague: Any, client: Any, look: Any
) -> None:
    order, manager = make_order(), colleague("ops_manager")
    let_out(order)
    made = links(manager, order)
    by_kind = {one["kind"]: one for one in made.get_json()["links"]}
    got = client.get(local(by_kind["docx"]["url"]))

    assert made.status_code == 201
    assert set(by_kind) == {"bundle", "docx", "pdf"}
    assert (got.status_code, got.data[:2]) == (200, b"PK")
    assert got.headers["Zenops-Deliverable-State"] == "released"
    assert "Zenops-Replaced-By" not in got.headers
    assert got.headers["ETag"] == f'"{by_kind["docx"]["sha256"]}"'
    assert artifact(manager, order, "docx").status_code == 200
    assert actions_of(look, order)[1:] == [
        "release:link:made",
        "release:file:downloaded",
        "pack:artifact:downloaded",
    ]
    ((maker, actor),) = look(
        "select d.details::json->'after'->>'link_made_by', e.actor_id::text from audit_events e"
        " join audit_details d using (tenant_id, event_id)"
        " where e.action = 'release:file:downloaded' and e.work_order_id = :id",
        id=order.id,
    )
    assert maker == actor


def test_a_link_ends_and_is_for_one_file_of_one_release(
    make_order: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, other = make_order(), make_order()
    let_out(order, "one")
    let_out(other, "two")
    url = local(links(order.desk, order).get_json()["links"][0]["url"])
    others = local(links(order.desk, other).get_json()["links"][0]["url"])
    token = url.partition("?")[2]
    at, seconds = now(), limits().address_seconds

    assert client.get(url).status_code == 200
    assert refused(client.get(f"{others.partition('?')[0]}?{token}")) == (403, "ADDRESS_EXPIRED")
    assert refused(client.get(url.replace("/bundle?", "/pdf?"))) == (404, "NOT_FOUND")
    assert refused(client.get(url[:-2])) == (403, "ADDRESS_EXPIRED")
    monkeypatch.setattr(signed_addresses, "now", lambda: at + timedelta(seconds=seconds - 5))
    assert client.get(url).status_code == 200
    monkeypatch.setattr(signed_addresses, "now", lambda: at + timedelta(seconds=seconds + 2))
    assert refused(client.get(url)) == (403, "ADDRESS_EXPIRED")


def test_a_correction_says_what_it_replaces_and_why_and_the_old_one_says_that_it_was_replaced(
    make_order: Any, correct: Any, client: Any
) -> None:
    order = make_order()
    let_out(order)
    old_link = local(links(order.desk, order).get_json()["links"][1]["url"])
    correct(order, "the plot is smaller")
    newest, oldest = listing(order.desk, order)
    got = client.get(old_link)

    assert (newest["version"], newest["state"], newest["replaced_by"]) == (2, "released", None)
    assert (newest["replaces_version"], newest["correction_reason"]) == (1, "the plot is smaller")
    assert (oldest["version"], oldest["state"], oldest["replaced_by"]) == (1, "superseded", 2)
    assert got.status_code == 200
    assert got.headers["Zenops-Deliverable-State"] == "superseded"
    assert got.headers["Zenops-Replaced-By"] == "2"
    assert links(order.desk, order).get_json()["replaced_by"] == 2


def test_while_a_correction_is_made_the_old_version_says_so_and_the_new_one_stays_in(
    make_order: Any, correct: Any, colleague: Any
) -> None:
    order, manager = make_order(), colleague("ops_manager")
    let_out(order)
    correct(order, released=False)
    (only,) = listing(manager, order)

    assert (only["version"], only["state"], only["replaced_by"]) == (1, "superseded", None)
    assert artifact(manager, order, "docx", 1).status_code == 200
    assert refused(artifact(manager, order, "docx", 2)) == (403, "DELIVERABLE_NOT_RELEASED")


def test_a_withdrawn_version_is_gone_at_once_with_the_reason(
    make_order: Any, colleague: Any, client: Any, look: Any
) -> None:
    order, manager = make_order(), colleague("ops_manager")
    let_out(order)
    url = local(links(manager, order).get_json()["links"][1]["url"])
    withdrawn = manager.post(
        f"{order.path}/deliverables/1/withdraw", json={"reason": "the wrong house"}
    )
    dead = client.get(url)

    assert withdrawn.status_code == 200
    (only,) = withdrawn.get_json()["items"]
    assert (only["state"], only["withdrawn_reason"]) == ("withdrawn", "the wrong house")
    assert refused(dead) == (410, "DELIVERABLE_WITHDRAWN")
    assert "the wrong house" in dead.get_json()["detail"]
    assert refused(links(manager, order)) == (410, "DELIVERABLE_WITHDRAWN")
    assert refused(artifact(manager, order, "docx")) == (410, "DELIVERABLE_WITHDRAWN")
    # Whoever signed it has no need of it any more; the bundle is data, and stays with its makers.
    valuer = colleague("valuer")
    assert refused(artifact(valuer, order, "pdf")) == (410, "DELIVERABLE_WITHDRAWN")
    assert artifact(valuer, order, "bundle").status_code == 200
    page = order.desk.get(f"/desk/work-orders/{order.id}").get_data(as_text=True)
    assert 'id="download-docx"' not in page
    assert 'id="download-bundle"' in page
    assert refused(order.release("again")) == (409, "DELIVERABLE_WITHDRAWN")
    again = manager.post(f"{order.path}/deliverables/1/withdraw", json={"reason": "once more"})
    assert refused(again) == (409, "DELIVERABLE_WITHDRAWN")
    assert actions_of(look, order)[-2:] == [
        "release:deliverable:withdrawn",
        "pack:artifact:reviewed",
    ]


def test_withdrawing_needs_a_reason_its_capability_and_something_that_was_let_out(
    make_order: Any, colleague: Any
) -> None:
    order = make_order()
    path = f"{order.path}/deliverables/1/withdraw"
    early = order.desk.post(path, json={"reason": "wrong"})
    let_out(order)

    assert early.status_code == 404
    assert order.desk.post(path, json={"reason": " "}).status_code == 422
    assert refused(colleague("valuer").post(path, json={"reason": "x"})) == (
        403,
        "CAPABILITY_MISSING",
    )
    assert order.desk.post(f"{order.path}/deliverables/2/withdraw", json={"reason": "x"}).status_code == 404  # fmt: skip


def test_a_cancelled_work_orders_report_is_withdrawn_with_it(make_order: Any, client: Any) -> None:
    order = make_order()
    let_out(order)
    url = local(links(order.desk, order).get_json()["links"][1]["url"])
    order.desk.post(f"{order.path}/status", json={"status": "CANCELLED", "note": "a duplicate"})

    assert refused(client.get(url)) == (410, "DELIVERABLE_WITHDRAWN")
    assert listing(order.desk, order)[0]["withdrawn_reason"] == "a duplicate"


def test_the_bundle_of_a_released_report_is_for_those_who_make_reports(
    make_order: Any, visitor: Any
) -> None:
    order = make_order()
    asked = visitor(order)
    let_out(order)

    assert [one["kind"] for one in listing(asked, order)[0]["files"]] == ["docx", "pdf"]
    assert [one["kind"] for one in links(asked, order).get_json()["links"]] == ["docx", "pdf"]


def test_the_portals_person_sees_what_was_let_out_and_nothing_of_how_it_was_paid(
    make_order: Any, visitor: Any, owner: Any, make_user: Any, sign_in: Any, client: Any
) -> None:
    order = make_order()
    asked = visitor(order)
    stranger = sign_in(make_user(Firm(owner.tenant_id, "", ""), ["portal_user"]), "portal")
    before = (listing(asked, order), links(asked, order).status_code)
    let_out(order)
    (only,) = listing(asked, order)
    url = links(asked, order).get_json()["links"][0]["url"]

    assert before == ([], 404)
    assert (only["state"], only["paid_by"], only["override_reason"]) == ("released", None, None)
    assert client.get(local(url)).status_code == 200
    assert stranger.get(f"{order.path}/deliverables").status_code == 404
    assert links(stranger, order).status_code == 404
    assert refused(asked.post(f"{order.path}/release-deliverables", json={})) == (
        403,
        "AUDIENCE_MISMATCH",
    )


def test_another_firm_finds_nothing_of_a_release(
    make_order: Any, make_firm: Any, make_user: Any, sign_in: Any
) -> None:
    order = make_order()
    let_out(order)
    stranger = sign_in(make_user(make_firm(), ["super_admin"]))

    assert stranger.get(f"{order.path}/deliverables").status_code == 404
    assert links(stranger, order).status_code == 404
    assert order.release("k", stranger).status_code == 404


def test_what_was_purged_has_no_link_and_is_gone_from_those_there_are(
    make_order: Any, client: Any, look: Any
) -> None:
    order = make_order()
    let_out(order)
    url = local(links(order.desk, order).get_json()["links"][0]["url"])
    look(
        "update pack_artifacts set purged_at = :now where kind = 'bundle' and pack_id in"
        " (select pack_id from packs where work_order_id = :id)",
        now=now(),
        id=order.id,
    )

    assert [one["kind"] for one in links(order.desk, order).get_json()["links"]] == ["docx", "pdf"]
    assert refused(client.get(url)) == (410, "ARTIFACT_PURGED")


def test_an_id_that_is_no_release_and_a_token_that_is_none_give_nothing(client: Any) -> None:
    release = UUID(int=7)

    assert refused(client.get(f"/v1/deliverables/{release}/docx?token=x")) == (
        403,
        "ADDRESS_EXPIRED",
    )
    assert client.get("/v1/deliverables/nonsense/docx?token=x").status_code == 404
    assert client.get(f"/v1/deliverables/{release}/docx").status_code == 422


def test_a_firms_archive_is_no_way_around_the_gate(
    make_order: Any, jobs_service: Any, tmp_path: Path
) -> None:
    let_out_one, kept_in = make_order(), make_order()
    let_out(let_out_one)
    assert kept_in.release("k").get_json()["blocked"] is True
    write_archive(jobs_service, kept_in.user.tenant_id, tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        names = {name for name in archive.namelist() if name.startswith("data/objects/packs/")}

    packs = [order.pack()["pack"]["pack_id"] for order in (let_out_one, kept_in)]
    assert [
        sorted(name.rpartition(".")[2] for name in names if pack in name) for pack in packs
    ] == [["bundle", "docx", "pdf"], ["bundle"]]
