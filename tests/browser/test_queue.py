import re

import pytest
from playwright.sync_api import expect

ROWS = ".queue tbody tr"


def rows_are(page, count):
    expect(page.locator(ROWS)).to_have_count(count)


@pytest.fixture(scope="module")
def many(running):
    """Thirty work orders, so that the queue has a second page."""
    for number in range(28):
        running.new_work_order(f"Plot {number:02}", "REVALUATION", bank_name="Canara Bank")
    running.new_work_order("The only project", "DPR")
    return running.new_work_order("House in Arasikere", borrower_name="Needle Haystack")


def titles(page):
    return page.locator(".queue td:first-child div:not(.small)").all_inner_texts()


@pytest.mark.usefixtures("many")
def test_a_filter_narrows_the_queue_at_once_and_stands_in_the_address(open_desk):
    page = open_desk("operator@demo.example")

    page.select_option("#report_type", "DPR")
    rows_are(page, 1)

    assert titles(page) == ["The only project"]
    assert "report_type=DPR" in page.url
    page.reload()
    assert titles(page) == ["The only project"]
    assert page.input_value("#report_type") == "DPR"


@pytest.mark.usefixtures("many")
def test_the_way_back_leads_to_the_queue_as_it_was(open_desk):
    page = open_desk("operator@demo.example")

    page.select_option("#report_type", "DPR")
    rows_are(page, 1)
    page.go_back()
    expect(page.locator(ROWS).nth(1)).to_be_visible()

    assert "report_type" not in page.url


@pytest.mark.usefixtures("many")
def test_a_search_finds_a_borrower_while_it_is_typed(open_desk):
    page = open_desk("operator@demo.example")

    page.locator("#search").press_sequentially("haystack needle", delay=20)
    rows_are(page, 1)

    assert titles(page) == ["House in Arasikere"]


@pytest.mark.usefixtures("many")
def test_pages_follow_each_other_without_gap_or_repetition(open_desk):
    page = open_desk("operator@demo.example")
    page.goto("/desk/?report_type=REVALUATION")
    first = titles(page)

    page.click("text=Older")
    rows_are(page, 3)
    second = titles(page)

    assert len(first) == 25
    assert sorted(first + second) == [f"Plot {number:02}" for number in range(28)]
    page.click("text=To the first")
    rows_are(page, 25)


@pytest.mark.usefixtures("many")
def test_a_queue_without_a_hit_says_so_and_how_to_go_on(open_desk):
    page = open_desk("operator@demo.example")

    page.goto("/desk/?search=nobody+has+this+name")
    assert "No work order fits" in page.inner_text("#queue")
    page.click("text=Show all")

    assert len(titles(page)) == 25


@pytest.mark.usefixtures("many")
def test_a_row_says_in_words_what_is_missing(open_desk):
    page = open_desk("operator@demo.example")
    page.goto("/desk/?report_type=DPR")

    row = page.inner_text(".queue tbody tr")
    assert re.search(r"Bank name.*and \d+ more", row, re.DOTALL)
    assert "Draft" in row


@pytest.mark.usefixtures("many")
def test_without_scripts_the_queue_is_filtered_paged_and_opened(open_desk):
    page = open_desk("operator@demo.example", java_script_enabled=False)

    page.select_option("#report_type", "REVALUATION")
    page.click("text=Filter")
    assert len(titles(page)) == 25
    page.click("text=Older")
    assert len(titles(page)) == 3
    page.click(".queue tbody tr:first-child a")

    assert page.inner_text("h1").startswith("Plot ")
    # What only a script could do is not offered.
    assert page.locator(".needs-script:visible").count() == 0


def test_without_scripts_a_work_order_is_created_and_its_facts_are_saved(open_desk):
    page = open_desk("operator@demo.example", java_script_enabled=False)

    page.click("#new summary")
    page.fill("#new-title", "Made by hand")
    page.click("text=Create and open")
    page.click("#facts-parties summary")
    page.fill('[id="party.owner_name"]', "Owner by hand")
    page.click("#facts-parties button[type=submit]")

    assert "Saved" in page.inner_text("[role=status]")
    assert page.input_value('[id="party.owner_name"]') == "Owner by hand"


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_is_wider_than_the_window(open_desk, many, width):
    page = open_desk("operator@demo.example", viewport={"width": width, "height": 844})

    for address in ("/desk/", f"/desk/work-orders/{many}"):
        page.goto(address)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
