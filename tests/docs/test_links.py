import pytest

from tests.docs.pages import INDEX, PAGES, ROOT, anchors, links, name_of


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_something(page):
    lost = [
        f"{target.relative_to(ROOT)}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]

    assert lost == []


def test_every_page_is_listed_in_the_index():
    listed = {target for target, _ in links(INDEX)}

    assert {page for page in PAGES if page.parent != ROOT} <= {INDEX, *listed}


def test_the_index_is_reached_from_the_first_page():
    assert INDEX in {target for target, _ in links(ROOT / "README.md")}


def test_every_picture_is_shown_somewhere():
    shown = {target for page in PAGES for target, _ in links(page)}

    assert set((ROOT / "docs/pictures").iterdir()) <= shown
