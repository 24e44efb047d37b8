import hashlib
import re
import time
import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.desk import photograph


def choose(page, group):
    """Open a group of the facts."""
    if page.get_attribute(f"#facts-{group}", "open") is None:
        page.click(f"#facts-{group} > summary")


def enter(page, group, values, *, reason=""):
    choose(page, group)
    for name, value in values.items():
        field = page.locator(f'[id="{name}"]')
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    page.fill(f"#reason-{group}", reason)
    save(page, group)


def save(page, group):
    with page.expect_response(lambda answer: answer.request.method == "POST") as answer:
        page.click(f"#facts-{group} button[type=submit]")
    # The page that follows a redirect, or the refusal itself.
    is_quiet(page)
    return answer.value


def upload(page, shows, files):
    page.select_option("#shows", shows)
    page.set_input_files(
        "#files",
        [
            {"name": name, "mimeType": "image/jpeg", "buffer": content}
            for name, content in files.items()
        ],
    )
    expect(page.locator("form[data-busy]")).to_have_count(0, timeout=60_000)
    is_quiet(page)


def is_quiet(page):
    """Nothing is under way any more."""
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def score(page):
    return int(page.inner_text("#score").split()[0])


@pytest.fixture(scope="module")
def stage(running):
    return running.new_work_order("House under construction", "STAGE_PROGRESS")


def test_a_work_order_goes_from_creation_to_a_released_report(running, open_desk):
    page = open_desk("operator@demo.example")

    # Created.
    page.click("#new > summary")
    page.select_option("#new-report-type", "STAGE_PROGRESS")
    page.fill("#new-bank-name", "State Bank of India")
    page.fill("#new-title", "From creation to the report")
    page.click("text=Create and open")
    page.wait_for_selector("#work-order")
    address = page.url.partition("?")[0]
    assert score(page) < 100
    assert page.inner_text("#next-action") == "Enter the facts that are missing"

    # Facts, a table among them.
    page.click("#next-action")
    enter(page, "property", {"property.address": "Site 44, Specimen Extension, Tumakuru"})
    enter(page, "assignment", {"valuation_inputs.inspection_date": "2026-11-10"})
    enter(
        page,
        "building",
        {
            "property.floors[0].label": "Ground floor",
            "property.floors[0].plinth": "1,050",
            "property.floors[0].rate": "2,000",
            "property.floors[0].done_percent": "85",
        },
    )
    enter(page, "stage", {"stage.description": "Slabs cast", "stage.done_percent": "74.25"})
    enter(
        page,
        "land",
        {
            "property.land_area": "1,500",
            "property.parcels[0].label": "Site 44",
            "property.parcels[0].deed": "1500",
            "property.parcels[0].rate": "2800",
        },
    )
    assert page.input_value('[id="property.floors[0].plinth"]') == "1,050"
    assert "Missing facts" not in page.locator(".gaps").inner_text()

    # Evidence: four photographs at once, and the plan.
    upload(
        page,
        "stage_progress",
        {f"p{n}.jpg": photograph((60 * n, 240 - 50 * n, 90 + 30 * n)) for n in range(4)},
    )
    assert "4 of 4" in page.inner_text("#needs-stage_progress")
    upload(page, "plan", {"plan.jpg": photograph((10, 10, 200), located=False)})
    assert score(page) == 100
    assert "nothing is missing" in page.inner_text("#verdict")
    picture = page.locator(".piece img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", value=True)
    assert picture.evaluate("one => one.naturalWidth") > 100

    # The usual order of the annexures.
    page.click("#auto-order")
    page.wait_for_selector("text=The annexures are in the usual order")
    assert "Annexure 1" in page.inner_text(".piece >> nth=0")

    # Each figure says where it comes from.
    page.locator("#figures-1 > summary").wait_for()
    figure = page.locator('[id="figure-land_value"]')
    figure.locator("> summary").click()
    assert "₹42,00,000" in figure.inner_text()
    assert "Formula" in figure.inner_text()
    assert "Source" in figure.inner_text()

    # On to the report.
    for status in ("DATA_PENDING", "READY_FOR_RENDER"):
        page.click(f"#move-{status} > summary")
        page.click(f"#move-{status} button[type=submit]")
        page.wait_for_selector(f"#move-{status}", state="detached")
    assert "cannot be changed" in page.inner_text("#facts header").lower()
    page.wait_for_selector("#bundle-digest", timeout=120_000)
    digest = page.inner_text("#bundle-digest")
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert page.locator("text=Your role does not sign reports").count() == 1

    # Signed by the registered valuer.
    valuer = open_desk("valuer@demo.example")
    valuer.goto(address)
    assert "1 registered valuer must sign" in valuer.inner_text("#sign-off-state")
    valuer.check("#have-read")
    valuer.click("#sign")
    valuer.wait_for_selector("text=Nothing more is needed")
    assert "CAT-I/SPECIMEN/0042" in valuer.inner_text("#sign-off")
    admin = open_desk("admin@demo.example")
    admin.goto(address)
    assert "signed the report" in admin.inner_text("#history")

    # Nobody has paid: the gate says so to the operator, and the report stays in.
    page.reload()
    assert "The invoice is not paid" in page.inner_text("#gate")
    assert page.inner_text("#next-action") == "See what the release waits for"
    assert page.locator("#release-now, #download-docx").count() == 0

    # Paid on the provider's page; its signed webhook tells the service, and the gate opens.
    invoice = next(
        one
        for one in running.call("GET", "/v1/invoices", None)["items"]
        if one["work_order_id"] == address.rpartition("/")[2]
    )
    order = running.call(
        "POST",
        "/v1/payments/checkout-link",
        {"provider": "stripe", "invoice_id": invoice["id"], "idempotency_key": "from-the-browser"},
    )
    till = open_desk()
    till.goto(order["checkout_url"])
    assert "1770.00 INR" in till.inner_text("body")
    till.click("button[value=paid]")
    deadline = time.monotonic() + 30
    while not page.locator("#release-now").count() and time.monotonic() < deadline:
        page.wait_for_timeout(200)
        page.reload()
    page.click("#release-now")
    page.wait_for_selector("#deliverable-1")
    assert "released the report" in page.inner_text("#history")

    # Downloaded, and it is the bundle whose digest was signed.
    page.reload()
    with page.expect_download() as got:
        page.click("#released-1-bundle")
    path = got.value.path()
    with zipfile.ZipFile(path) as bundle:
        manifest = next(name for name in bundle.namelist() if name.startswith("manifest"))
        assert hashlib.sha256(bundle.read(manifest)).hexdigest() == digest
    with page.expect_download() as got:
        page.click("#released-1-docx")
    assert got.value.suggested_filename.endswith(".docx")

    # Taken back: nobody gets it any more, and the reason stands.
    page.click("#withdraw-1 > summary")
    page.fill("#withdraw-reason-1", "The wrong house")
    page.click("#withdraw-1 button[type=submit]")
    page.wait_for_selector("text=Withdrawn: The wrong house")
    assert page.locator("#released-1-docx").count() == 0


def test_a_changed_area_wants_a_reason_and_keeps_what_was_typed(open_desk, stage):
    page = open_desk("operator@demo.example")
    page.goto(f"/desk/work-orders/{stage}")
    enter(page, "land", {"property.land_area": "1,500"})

    enter(page, "land", {"property.land_area": "1,600"})
    assert "A reason is needed" in page.inner_text("#refused")
    assert page.input_value('[id="property.land_area"]') == "1,600"
    assert page.get_attribute("#reason-land", "aria-invalid") == "true"

    enter(page, "land", {"property.land_area": "1,600"}, reason="Measured again at the site")
    assert page.locator("#refused").count() == 0
    assert "Saved" in page.inner_text("[role=status]")
    admin = open_desk("admin@demo.example")
    admin.goto(f"/desk/work-orders/{stage}")
    assert "Measured again at the site" in admin.inner_text("#history")


def test_what_cannot_be_a_date_or_a_number_is_said_at_its_input(open_desk, stage):
    page = open_desk("operator@demo.example")
    page.goto(f"/desk/work-orders/{stage}")

    enter(page, "building", {"property.floors[0].plinth": "twelve", "property.year_built": "old"})

    wrong = page.locator('[id="property.floors[0].plinth-wrong"]')
    assert "number with" in wrong.inner_text()
    assert page.locator('[id="property.year_built-wrong"]').count() == 1
    assert page.input_value('[id="property.floors[0].plinth"]') == "twelve"


def test_an_edit_on_an_older_version_is_refused_and_keeps_what_was_typed(open_desk, running):
    work_order = running.new_work_order("Two at once")
    first, second = open_desk("operator@demo.example"), open_desk("admin@demo.example")
    for page in (first, second):
        page.goto(f"/desk/work-orders/{work_order}")
        choose(page, "parties")

    enter(first, "parties", {"party.owner_name": "First"})
    enter(second, "parties", {"party.owner_name": "Second"})

    assert "Somebody has changed this meanwhile" in second.inner_text("#refused")
    assert second.input_value('[id="party.owner_name"]') == "Second"
    first.reload()
    assert first.input_value('[id="party.owner_name"]') == "First"


def test_a_file_that_is_no_picture_is_refused_by_name_and_the_others_are_taken(open_desk, running):
    work_order = running.new_work_order("Uploads")
    page = open_desk("operator@demo.example")
    page.goto(f"/desk/work-orders/{work_order}")

    upload(
        page,
        "exterior",
        {"good.jpg": photograph((90, 20, 150)), "bad.jpg": b"<html>not a picture</html>"},
    )

    assert "1 piece" in page.inner_text("#evidence header")
    assert "bad.jpg" in page.inner_text(".uploads")
    assert "Files of this kind are not taken" in page.inner_text(".uploads .wrong")


def test_the_same_picture_twice_is_warned_of_and_a_piece_is_taken_out_with_a_reason(
    open_desk, running
):
    work_order = running.new_work_order("Twice")
    page = open_desk("operator@demo.example")
    page.goto(f"/desk/work-orders/{work_order}")
    content = photograph((120, 60, 30))
    upload(page, "exterior", {"one.jpg": content})
    upload(page, "surroundings", {"two.jpg": content})

    assert "The same file" in page.inner_text(".pieces")
    page.click("#edit-surroundings-1 > summary")
    page.fill("#remove-surroundings-1", "It is the exterior once more")
    page.click("#edit-surroundings-1 .btn-grave")
    page.wait_for_selector("#piece-surroundings-1", state="detached")

    assert page.locator(".piece").count() == 1


def test_a_fact_is_linked_to_its_evidence_and_the_link_taken_away(open_desk, running):
    work_order = running.new_work_order("Links", bank_name="State Bank of India")
    page = open_desk("operator@demo.example")
    page.goto(f"/desk/work-orders/{work_order}")
    upload(page, "bank_letter", {"letter.jpg": photograph((200, 200, 20), located=False)})

    page.click("#links-part > summary")
    page.select_option("#link-field", "party.bank_name")
    page.fill("#link-confidence", "0.9")
    page.click("#links-part form.actions button[type=submit]")
    page.wait_for_selector("text=The fact is linked")
    assert "bank-letter-1" in page.inner_text("#links-part table")
    page.click("#links-part table button")
    page.wait_for_selector("text=The link is gone")


def test_a_comment_stands_with_its_author(open_desk, stage):
    page = open_desk("operator@demo.example")
    page.goto(f"/desk/work-orders/{stage}")

    page.fill("#comment-body", "The owner was <b>present</b>.")
    page.click("#comments button[type=submit]")
    page.wait_for_selector("text=The comment is there")

    assert "The owner was <b>present</b>." in page.inner_text("#comments")
    assert "Olivia Operator" in page.inner_text("#comments")


def test_another_firm_finds_nothing_at_the_address(open_desk, stage):
    page = open_desk("admin@other.example")

    answer = page.goto(f"/desk/work-orders/{stage}")

    assert answer.status == 404
    assert page.inner_text("h1") == "Not found"
    nothing = page.goto("/desk/work-orders/01a20c9d-0000-7000-8000-3a47262ed98a")
    assert nothing.status == 404
    assert "House under construction" not in page.content()


def test_a_page_of_yesterday_is_refused_with_what_to_do(open_desk, stage):
    page = open_desk("operator@demo.example")
    page.goto(f"/desk/work-orders/{stage}")
    page.evaluate("document.querySelector('meta[name=csrf-token]').content = 'stale'")

    page.fill("#comment-body", "Not to be kept")
    page.click("#comments button[type=submit]")
    page.wait_for_selector("text=The page is out of date")

    page.goto(f"/desk/work-orders/{stage}")
    assert "Not to be kept" not in page.inner_text("#comments")
