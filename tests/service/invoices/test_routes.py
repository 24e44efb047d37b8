"""Invoices over HTTP: the studio writes, whoever is billed reads and brings proof."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from service import clock
from service.bootstrap import Service
from service.evidence.sweeping import sweep_orphans
from service.identifiers import new_id
from service.invoices import drafting
from service.invoices.prices import price_of_report
from service.objects import storage
from tests.service.clients import Client
from tests.service.conftest import Firm
from tests.service.evidence.files import jpeg, pdf
from tests.service.evidence.hostile_files import others, papers
from tests.service.invoices.conftest import ISSUER_GSTIN, Books

LINE = {
    "description": "Report",
    "unit_price": "1000.00",
    "tax_rate": "18",
    "service_code": "998399",
}


@pytest.fixture(scope="module")
def studio(books: Books, make_user: Any, sign_in: Any) -> Client:
    """Somebody of the studio who keeps the books."""
    firm = Firm(books.studio_id, "", "", "service")
    found: Client = sign_in(make_user(firm, ["accounts"]), "studio")
    return found


@pytest.fixture(scope="module")
def firm(books: Books, make_user: Any, sign_in: Any) -> Client:
    """The owner of the firm."""
    found: Client = sign_in(make_user(Firm(books.firm_id, "", ""), ["owner"]))
    return found


def read(answer: Any, status: int = 200) -> Any:
    """The body of an answer that has to have a status."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    return json.loads(answer.get_data())


def key() -> dict[str, Any]:
    """A fresh key for a write."""
    return {"headers": {"Idempotency-Key": str(new_id())}}


def drafted(studio: Client, account: Any, **more: Any) -> Any:
    """A draft to an account."""
    body = {"account_id": str(account.account_id), "items": [LINE], **more}
    return read(studio.post("/v1/invoices", json=body), 201)


def issued(studio: Client, account: Any) -> Any:
    """An issued invoice to an account."""
    made = drafted(studio, account)
    return read(studio.post(f"/v1/invoices/{made['id']}/issue", json={}))


def test_from_draft_to_paid_and_what_each_answer_says(books: Books, studio: Client) -> None:
    made = drafted(studio, books.account())
    assert (made["status"], made["invoice_number"], made["total_amount"]) == (
        "DRAFT",
        None,
        "1180.00",
    )
    address = f"/v1/service-invoices/{made['id']}"
    changed = read(studio.patch(address, json={"items": [LINE, LINE], "notes": "Thank you"}))
    assert (changed["subtotal"], changed["tax_total"], changed["version"]) == (
        "2000.00",
        "360.00",
        2,
    )
    done = read(studio.post(f"{address}/issue", json={}))
    assert (done["status"], done["amount_due"]) == ("ISSUED", "2360.00")
    assert done["issuer"]["gstin"] == ISSUER_GSTIN
    assert read(studio.post(f"{address}/send", json={}))["status"] == "SENT"
    assert read(studio.post(f"{address}/remind", json={}, **key()))["status"] == "SENT"
    part = read(
        studio.post(f"{address}/payments", json={"amount": "360", "mode": "upi"}, **key()), 201
    )
    assert (part["status"], part["amount_due"]) == ("PARTIALLY_PAID", "2000.00")
    credited = read(
        studio.post(f"{address}/adjustments", json={"amount": "500.00", "reason": "x"}, **key()),
        201,
    )
    assert (credited["amount_credited"], credited["amount_due"]) == ("500.00", "1500.00")
    for _ in range(2):
        paid = read(studio.post(f"{address}/mark-paid", json={}))
        assert (paid["status"], paid["amount_due"], len(paid["settlements"])) == ("PAID", "0.00", 3)
    (note,) = (one for one in paid["settlements"] if one["kind"] == "credit_note")
    for path in ("pdf", f"credit-notes/{note['id']}/pdf"):
        document = studio.get(f"{address}/{path}")
        assert document.content_type == "application/pdf"
        assert document.get_data().startswith(b"%PDF-")
        assert document.get_data() == studio.get(f"{address}/{path}").get_data()
    context = read(studio.get(f"{address}/context"))
    assert [one["kind"] for one in context["notices"]] == ["sent", "reminder"]


def test_the_same_key_twice_is_one_payment(books: Books, studio: Client) -> None:
    made = issued(studio, books.account())
    header = key()
    body = {"amount": "100.00", "mode": "upi"}
    first, second = (
        studio.post(f"/v1/invoices/{made['id']}/payments", json=body, **header) for _ in range(2)
    )
    assert first.get_data() == second.get_data()
    # Nor does another person's use of the key pay twice.
    assert read(studio.get(f"/v1/invoices/{made['id']}"))["amount_paid"] == "100.00"


@pytest.mark.parametrize("path", ["payments", "adjustments", "refunds", "remind"])
def test_what_moves_money_or_reminds_needs_a_key(books: Books, studio: Client, path: str) -> None:
    made = issued(studio, books.account())
    paid = read(
        studio.post(
            f"/v1/invoices/{made['id']}/payments", json={"amount": "5", "mode": "upi"}, **key()
        ),
        201,
    )["settlements"][0]["id"]
    bodies: dict[str, Any] = {
        "payments": {"amount": "1.00", "mode": "upi"},
        "adjustments": {"amount": "1.00", "reason": "x"},
        "refunds": {"amount": "1.00", "settlement_id": paid, "reason": "x"},
        "remind": {},
    }
    address = f"/v1/invoices/{made['id']}/{path}"
    assert read(studio.post(address, json=bodies[path]), 400)["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    read(studio.post(address, json=bodies[path], **key()), 200 if path == "remind" else 201)


def test_more_than_is_due_is_refused_in_the_originals_words(books: Books, studio: Client) -> None:
    made = issued(studio, books.account())
    for path, body in (
        ("payments", {"amount": "1180.01", "mode": "upi"}),
        ("adjustments", {"amount": "1180.01", "reason": "x"}),
    ):
        refused = read(studio.post(f"/v1/invoices/{made['id']}/{path}", json=body, **key()), 400)
        assert (refused["title"], refused["amount_due"]) == ("amount exceeds due", "1180.00")


def test_46_a_debit_does_not_credit(books: Books, studio: Client) -> None:
    made = issued(studio, books.account())
    address = f"/v1/invoices/{made['id']}"
    body = {"amount": "10.00", "type": "debit", "reason": "x"}
    refused = read(studio.post(f"{address}/adjustments", json=body, **key()), 400)
    assert refused["code"] == "DEBIT_IS_AN_INVOICE"
    assert read(studio.get(address))["amount_credited"] == "0.00"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("unit_price", "1.001"),
        ("unit_price", "-1"),
        ("unit_price", "NaN"),
        ("unit_price", "1e30"),
        ("quantity", "0"),
        ("quantity", "1.001"),
        ("tax_rate", "101"),
        ("service_code", "123456"),
        ("service_code", "99839"),
        ("description", " "),
    ],
)
def test_a_line_that_cannot_be_is_refused(
    books: Books, studio: Client, field: str, wrong: str
) -> None:
    body = {"account_id": str(books.account().account_id), "items": [LINE | {field: wrong}]}
    refused = read(studio.post("/v1/invoices", json=body), 422)
    assert refused["errors"][0]["field"].endswith(field)


def test_44_numbers_of_json_are_read_digit_by_digit(books: Books, studio: Client) -> None:
    account = books.account()
    made = read(
        studio.post(
            "/v1/invoices",
            body=json.dumps(
                {"account_id": str(account.account_id), "items": [LINE | {"unit_price": "P"}]}
            ).replace('"P"', "999999999999.99"),
        ),
        201,
    )
    assert made["subtotal"] == "999999999999.99"


def test_a_customer_abroad_is_refused_with_what_to_do_and_can_be_put_right(
    books: Books, studio: Client
) -> None:
    bill_to = {"name": "Specimen Overseas", "address": ["1 Street", "Leeds"], "supply": "overseas"}
    account = read(
        studio.post(
            "/v1/control/accounts",
            json={
                "tenant_id": str(books.firm_id),
                "external_key": f"v1:partner:{new_id()}",
                "display_name": "Specimen Overseas",
                "bill_to": bill_to,
            },
        ),
        201,
    )
    assert account["bill_to"]["supply"] == "overseas"
    made = read(
        studio.post("/v1/invoices", json={"account_id": account["account_id"], "items": [LINE]}),
        201,
    )
    issue = f"/v1/invoices/{made['id']}/issue"

    refused = read(studio.post(issue, json={}, **key()), 409)
    assert refused["code"] == "CUSTOMER_ABROAD"
    assert "bill_to.supply" in refused["detail"]
    path = f"/v1/control/accounts/{account['account_id']}/status"
    wrong = {"bill_to": {**bill_to, "supply": "export"}}
    read(studio.patch(path, json=wrong), 422)
    read(studio.patch(path, json={"bill_to": {**bill_to, "supply": "sez"}, "state_code": "29"}))

    issued = read(studio.post(issue, json={}, **key()))
    assert (issued["igst"], issued["cgst"], issued["place_of_supply"]) == ("180.00", "0.00", "29")
    assert issued["bill_to"]["supply"] == "sez"


def test_a_firm_reads_its_invoices_and_writes_none(
    books: Books, studio: Client, firm: Client
) -> None:
    made = issued(studio, books.account())
    address = f"/v1/invoices/{made['id']}"
    assert read(firm.get(address))["invoice_number"] == made["invoice_number"]
    assert made["id"] in {one["id"] for one in read(firm.get("/v1/invoices"))["items"]}
    _writes_none(firm, made)
    assert read(studio.get(address)) == made


def test_the_portal_reads_its_own_invoice_and_writes_none(
    books: Books, studio: Client, make_user: Any, sign_in: Any
) -> None:
    """The original's PORTAL_INVOICE_WRITE_FORBIDDEN, for an invoice that the person may read."""
    person = make_user(Firm(books.firm_id, "", ""), ["portal_user"])
    made = issued(studio, books.account(owner_user_id=person.user_id))
    portal = sign_in(person, "portal")
    address = f"/v1/invoices/{made['id']}"
    assert read(portal.get(address))["invoice_number"] == made["invoice_number"]
    _writes_none(portal, made)
    assert read(studio.get(address)) == made


def _writes_none(client: Client, made: Any) -> None:
    """Whatever writes an invoice is refused, by either of its addresses, and by one code."""
    for base in ("/v1/invoices", "/v1/service-invoices"):
        refused = [
            client.post(f"{base}/{made['id']}/{path}", json={})
            for path in (
                "issue",
                "send",
                "void",
                "payments",
                "mark-paid",
                "adjustments",
                "remind",
                "refunds",
            )
        ]
        refused.append(client.patch(f"{base}/{made['id']}", json={}))
        body = {"account_id": made["account_id"], "items": [LINE]}
        refused.append(client.post(base, json=body))
        for one in refused:
            assert read(one, 403)["code"] == "AUDIENCE_MISMATCH"
    assert read(client.get("/v1/price-lists"), 403)["code"] == "AUDIENCE_MISMATCH"


def test_another_firm_sees_none_of_it(
    books: Books, studio: Client, make_firm: Any, make_user: Any, sign_in: Any
) -> None:
    made = issued(studio, books.account())
    stranger = sign_in(make_user(make_firm(), ["super_admin"]))
    for path in ("", "/pdf", "/context"):
        read(stranger.get(f"/v1/invoices/{made['id']}{path}"), 404)
    assert read(stranger.get("/v1/invoices"))["items"] == []


def test_52_the_portal_sees_its_own_account_alone_and_may_bring_proof(
    books: Books, studio: Client, make_user: Any, sign_in: Any
) -> None:
    people = [make_user(Firm(books.firm_id, "", ""), ["portal_user"]) for _ in range(2)]
    accounts = [books.account(owner_user_id=one.user_id) for one in people]
    mine, theirs = (issued(studio, account) for account in accounts)
    issued(studio, books.account())
    portal = sign_in(people[0], "portal")

    assert [one["id"] for one in read(portal.get("/v1/invoices"))["items"]] == [mine["id"]]
    whole = read(portal.get(f"/v1/invoices/{mine['id']}"))
    assert len(whole["items"]) == 1
    assert portal.get(f"/v1/invoices/{mine['id']}/pdf").status_code == 200
    read(portal.get(f"/v1/invoices/{theirs['id']}"), 404)

    brought = _bring(portal, mine["id"], jpeg(), "proof.jpg")
    assert read(brought, 201)["kind"] == "payment_proof"
    read(_bring(portal, theirs["id"], jpeg(), "proof.jpg"), 404)
    # It is seen, and it has settled nothing.
    seen = read(studio.get(f"/v1/invoices/{mine['id']}"))
    assert (len(seen["attachments"]), seen["status"]) == (1, "ISSUED")


def _bring(client: Client, invoice_id: str, content: bytes, name: str, **fields: Any) -> Any:
    form = {"file": (io.BytesIO(content), name), **fields}
    return client.post(
        f"/v1/invoices/{invoice_id}/payment-proof", data=form, content_type="multipart/form-data"
    )


def test_proof_is_a_real_file_and_comes_back_as_it_was(
    books: Books, studio: Client, firm: Client, service: Service
) -> None:
    made = issued(studio, books.account())
    content = pdf(text=b"a receipt")
    brought = read(_bring(firm, made["id"], content, "../receipt.exe"), 201)
    assert (brought["filename"], brought["media_type"]) == ("receipt.exe.pdf", "application/pdf")
    assert brought["sha256"] == hashlib.sha256(content).hexdigest()
    back = studio.get(f"/v1/invoices/{made['id']}/attachments/{brought['id']}")
    assert back.get_data() == content
    assert "attachment" in back.headers["Content-Disposition"]
    key_ = f"{books.firm_id}/invoices/{brought['id']}"
    assert storage.get_bytes(service.objects, key_) == content
    read(studio.get(f"/v1/invoices/{made['id']}/attachments/{new_id()}"), 404)


def test_what_is_no_plain_file_is_refused_and_leaves_nothing(
    books: Books, studio: Client, firm: Client
) -> None:
    made = issued(studio, books.account())
    assert (
        read(_bring(firm, made["id"], b"MZ program", "a.pdf"), 415)["code"] == "FILE_KIND_REFUSED"
    )
    assert read(_bring(firm, made["id"], b"", "a.pdf"), 422)["code"] == "FILE_DAMAGED"
    # Those that evidence takes are taken here, those that it refuses are refused.
    told, taken = {}, 0
    for one in (*papers(), *others()):
        answer = _bring(firm, made["id"], one.content, one.name)
        found = (answer.status_code, json.loads(answer.get_data()).get("code", ""))
        taken += found[0] == 201
        if found not in one.answers:
            told[one.about] = found
    assert told == {}
    assert len(read(firm.get(f"/v1/invoices/{made['id']}"))["attachments"]) == taken
    draft = drafted(studio, books.account())
    assert read(_bring(firm, draft["id"], jpeg(), "a.jpg"), 409)["code"] == "INVOICE_NOT_ISSUED"


def test_lists_filter_by_account_state_and_overdue(books: Books, studio: Client) -> None:
    account = books.account(payment_terms_days=0)
    one, other = issued(studio, account), drafted(studio, account)

    def ids(query: str) -> list[str]:
        found = read(studio.get(f"/v1/invoices?account_id={account.account_id}&{query}"))
        return [row["id"] for row in found["items"]]

    assert ids("") == [other["id"], one["id"]]
    assert ids("status=DRAFT") == [other["id"]]
    assert ids("overdue=true") == []
    assert ids("overdue=false") == [other["id"], one["id"]]
    first = read(studio.get(f"/v1/invoices?account_id={account.account_id}&limit=1"))
    assert ids(f"cursor={first['next_cursor']}") == [one["id"]]
    read(studio.get("/v1/invoices?status=UNKNOWN"), 422)


def test_an_account_has_its_own_price_from_its_day_until_its_last(
    books: Books, studio: Client
) -> None:
    account = books.account()
    price = {
        "item": "report_valuation", "description": "Report, as agreed", "service_code": "998399",
        "unit_price": "900.00", "tax_rate": "18", "valid_from": "2026-10-01",
        "external_key": account.external_key,
    }  # fmt: skip
    made = read(studio.post("/v1/price-lists", json=price), 201)
    assert read(studio.post("/v1/price-lists", json=price), 409)["code"] == "PRICE_EXISTS"

    def costs(on: str, key: str | None = account.external_key, kind: str = "VALUATION") -> Any:
        with books.acting() as connection:
            found = price_of_report(connection, kind, external_key=key, on=date.fromisoformat(on))
        return None if found is None else found.unit_price

    assert costs("2026-09-30") == Decimal("1500.00")
    assert costs("2026-10-01") == Decimal("900.00")
    assert costs("2026-10-01", None) == costs("2026-10-01", kind="DPR") == Decimal("1500.00")
    assert costs("2026-03-31") is None
    ended = read(studio.patch(f"/v1/price-lists/{made['id']}", json={"valid_until": "2026-10-31"}))
    assert ended["valid_until"] == "2026-10-31"
    assert (costs("2026-10-31"), costs("2026-11-01")) == (Decimal("900.00"), Decimal("1500.00"))
    for wrong, code in (
        ({"tax_rate": "17"}, "TAX_RATE_UNKNOWN"),
        ({"valid_until": "2026-09-30"}, "PRICE_PERIOD_INVALID"),
    ):
        refused = read(studio.post("/v1/price-lists", json=price | wrong), 400)
        assert refused["code"] == code
    # What the account has agreed for any report counts before what one kind costs all others.
    read(
        studio.post("/v1/price-lists", json=price | {"unit_price": "700.00", "item": "report"}),
        201,
    )
    read(
        studio.post(
            "/v1/price-lists",
            json=price
            | {"external_key": None, "item": "report_revaluation", "unit_price": "800.00"},
        ),
        201,
    )
    assert costs("2026-10-01", kind="REVALUATION") == Decimal("700.00")
    assert costs("2026-10-01", None, kind="REVALUATION") == Decimal("800.00")
    listed = read(
        studio.get(f"/v1/price-lists?external_key={account.external_key}&item=report_valuation")
    )
    assert [one["id"] for one in listed["items"]] == [made["id"]]


def test_the_issuer_needs_a_gstin_that_can_be_right(books: Books, studio: Client) -> None:
    body = {
        "legal_name": "Specimen Studio",
        "gstin": f"{ISSUER_GSTIN[:-1]}3",
        "address": ["1 Road"],
    }
    read(studio.put("/v1/invoice-issuer", json=body), 422)
    kept = read(studio.get("/v1/invoice-issuer"))
    assert (kept["gstin"], kept["state"]) == (ISSUER_GSTIN, "Karnataka")
    made = issued(studio, books.account())
    read(studio.put("/v1/invoice-issuer", json=body | {"gstin": ISSUER_GSTIN}))
    # What is issued keeps whom it names.
    assert read(studio.get(f"/v1/invoices/{made['id']}"))["issuer"] == made["issuer"]


def test_no_price_is_said_and_noted(books: Books, studio: Client, owner_engine: Any) -> None:
    """A work order before any price: nothing is drafted, and the books say why."""
    order = new_id()
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "insert into work_orders (tenant_id, work_order_id, reference, report_type,"
                " bank_type, source_type, contract, created_at, updated_at) values (:tenant, :order,"
                " 'WO-NP', 'DPR', 'SBI', 'TENANT', '{}', :now, :now)"
            ),
            {"tenant": books.firm_id, "order": order, "now": clock.now()},
        )
        connection.execute(text("update price_lists set valid_until = date '2026-10-31'"))
    account = books.account()
    body = {"account_id": str(account.account_id), "work_order_id": str(order)}
    try:
        refused = read(studio.post("/v1/invoices", json=body), 400)
        assert refused["code"] == "PRICE_MISSING"
        assert books.run(drafting.draft_for_work_order, account, order, key="np") is None
    finally:
        with owner_engine.begin() as connection:
            connection.execute(text("update price_lists set valid_until = null"))
    with owner_engine.connect() as connection:
        noted = connection.scalars(
            text("select event_type from usage_events where account_id = :id"),
            {"id": account.account_id},
        ).all()
    assert noted == ["billing_price_missing"]
    made = read(studio.post("/v1/invoices", json={**body, "notes": "As agreed"}), 201)
    assert (made["subtotal"], made["notes"]) == ("1500.00", "As agreed")


def test_a_file_whose_row_was_never_written_is_swept_and_others_stay(
    books: Books, studio: Client, firm: Client, service: Service, jobs_service: Service
) -> None:
    made = issued(studio, books.account())
    kept = read(_bring(firm, made["id"], jpeg(), "a.jpg"), 201)["id"]
    orphan = f"{books.firm_id}/invoices/{new_id()}"
    storage.put_new(service.objects, orphan, b"nobody's")
    assert sweep_orphans(jobs_service).orphans == 0
    assert sweep_orphans(jobs_service, clock.now() + timedelta(days=2)).orphans == 1
    assert not storage.exists(service.objects, orphan)
    assert storage.exists(service.objects, f"{books.firm_id}/invoices/{kept}")


def test_a_part_without_a_name_is_refused_and_not_by_failing(
    books: Books, studio: Client, firm: Client
) -> None:
    """Found by generated requests: with a key, the form is compared part by part."""
    made = issued(studio, books.account())
    file = b'--x\r\nContent-Disposition: form-data; filename="a.pdf"; name="file"\r\n\r\n%PDF-\r\n'
    nameless = b"--x\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n"
    for address in (f"/v1/invoices/{made['id']}/payment-proof", "/v1/files/upload"):
        for parts in (nameless, nameless * 2):
            refused = firm.post(
                address,
                body=file + parts + b"--x--\r\n",
                content_type="multipart/form-data; boundary=x",
                **key(),
            )
            assert refused.status_code == 422, refused.get_data(as_text=True)


def test_a_field_of_the_form_is_there_once(books: Books, studio: Client, firm: Client) -> None:
    made = issued(studio, books.account())
    form = {"file": (io.BytesIO(jpeg()), "a.jpg"), "filename": ["paid.jpg", "unpaid.jpg"]}
    address = f"/v1/invoices/{made['id']}/payment-proof"
    refused = read(firm.post(address, data=form, content_type="multipart/form-data"), 422)
    assert [one["field"] for one in refused["errors"]] == ["filename"]
    assert read(firm.get(f"/v1/invoices/{made['id']}"))["attachments"] == []


def test_marked_as_paid_again_after_the_money_went_back(books: Books, studio: Client) -> None:
    made = issued(studio, books.account())
    address = f"/v1/invoices/{made['id']}"
    paid = read(studio.post(f"{address}/mark-paid", json={}))
    assert paid["status"] == "PAID"
    (payment,) = paid["settlements"]
    back = {"settlement_id": payment["id"], "amount": "1180.00", "reason": "bounced"}
    assert read(studio.post(f"{address}/refunds", json=back, **key()), 201)["status"] == "ISSUED"

    assert read(studio.post(f"{address}/mark-paid", json={}))["status"] == "PAID"
