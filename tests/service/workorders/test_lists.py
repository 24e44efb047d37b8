import pytest

from tests.service.workorders.conftest import ORDERS


@pytest.fixture(scope="module")
def listed(make_firm, make_user, sign_in):
    """A firm with 12 work orders, and their references by the order of their making."""
    client = sign_in(make_user(make_firm()))
    for number in range(12):
        body = {
            "reference": f"SPV-{number:02}",
            "report_type": ("VALUATION", "DPR", "REVALUATION")[number % 3],
            "bank_type": ("SBI", "COOP")[number % 2],
            "bank_name": f"Bank {number}",
            "borrower_name": "Ms. Pārvatī 50%_off" if number == 7 else f"Borrower {number}",
            "source_type": "EXTERNAL" if number == 3 else "TENANT",
            "title": "House in Mysuru" if number == 5 else None,
        }
        assert client.post(ORDERS, json=body).status_code == 201
    return client


def found(client, query=""):
    answer = client.get(f"{ORDERS}?{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [int(item["reference"][-2:]) for item in answer.get_json()["items"]]


def test_the_latest_change_comes_first(listed):
    assert found(listed) == list(range(11, -1, -1))


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("report_type=DPR", [10, 7, 4, 1]),
        ("report_type=DPR&bank_type=COOP", [7, 1]),
        ("source_type=EXTERNAL", [3]),
        ("status=CANCELLED", []),
        ("status=DRAFT&limit=2", [11, 10]),
        ("template_selector=COOP_GENERIC&report_type=VALUATION", [9, 3]),
        ("ready=true", []),
        ("ready=false&bank_type=SBI&report_type=REVALUATION", [8, 2]),
        ("search=spv-04", [4]),
        ("search=Bank%207", [7]),
        ("search=mysuru", [5]),
        ("search=BORROWER%2010", [10]),
        ("search=p%C4%81rvat%C4%AB", [7]),
        ("search=50%25", [7]),
        ("search=0%25_o", [7]),
        ("search=_", [7]),
        ("search=nothing-like-it", []),
        ("search=%27%3B%20drop%20table", []),
        ("search=%5C", []),
        ("search=", list(range(11, -1, -1))),
        ("search=%20", list(range(11, -1, -1))),
    ],
)
def test_filters_and_search(listed, query, numbers):
    assert found(listed, query) == numbers


def test_an_exact_id_is_found_and_any_other_text_is_no_error(listed):
    item = listed.get(f"{ORDERS}?search=SPV-06").get_json()["items"][0]

    assert found(listed, f"search={item['work_order_id']}") == [6]
    assert found(listed, f"search={item['work_order_id'][:-1]}") == []


def test_pages_follow_each_other_without_gap_or_repeat_while_others_write(listed):
    seen, cursor = [], ""
    while cursor is not None:
        answer = listed.get(f"{ORDERS}?report_type=VALUATION&limit=1{cursor}").get_json()
        seen += [int(item["reference"][-2:]) for item in answer["items"]]
        cursor = answer["next_cursor"] and f"&cursor={answer['next_cursor']}"
        if len(seen) == 1:
            new = {"report_type": "VALUATION", "reference": "SPV-99"}
            assert listed.post(ORDERS, json=new).status_code == 201

    assert seen == [9, 6, 3, 0]


@pytest.mark.parametrize("limit", [1, 100])
def test_both_ends_of_the_limit_are_taken(listed, limit):
    assert len(found(listed, f"limit={limit}")) == min(limit, 13)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "status=READY", "sort=id"])
def test_what_a_list_does_not_know_is_refused_by_name(listed, query):
    answer = listed.get(f"{ORDERS}?{query}")

    assert (answer.status_code, answer.get_json()["code"]) == (422, "VALIDATION_FAILED")
    assert answer.get_json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    "cursor", ["x", "e30", "WzEsMl0", "bnVsbA", "WyJhIiwiYiJd", "%C4%81", "===="]
)
def test_a_cursor_of_another_making_is_refused(listed, cursor):
    answer = listed.get(f"{ORDERS}?cursor={cursor}")

    assert (answer.status_code, answer.get_json()["code"]) == (400, "CURSOR_INVALID")
