"""Finding entries: by any part, in any capitals, with % and _ as they are, page by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

NAMES = ("Alpha Bank", "beta_bank", "BETA bank", "Gamma 100% Bank", "Délhi Bank", "back\\slash")


@pytest.fixture(scope="module")
def owner(make_firm: Any, make_user: Any, sign_in: Any) -> Any:
    client = sign_in(make_user(make_firm(), ["owner"]))
    for name in NAMES:
        assert client.post("/v1/banks", json={"name": name}).status_code == 201
    bank = client.post("/v1/banks", json={"name": "Omega", "code": "OMG"}).get_json()
    for name, city in (("Main", "Udupi"), ("Main", "Karwar"), ("Fort", "Udupi")):
        body = {"bank_id": bank["bank_id"], "name": name, "city": city}
        assert client.post("/v1/bank-branches", json=body).status_code == 201
    assert (
        client.post(
            "/v1/properties",
            json={"label": "A house", "property": {"address": "Mango Lane", "survey_no": "45/2A"}},
        ).status_code
        == 201
    )
    return client


def found(client: Any, path: str, words: str, **more: Any) -> list[str]:
    address = f"/v1/{path}?q={quote(words)}" + "".join(f"&{k}={v}" for k, v in more.items())
    answer = client.get(address)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [one.get("name") or one["label"] for one in answer.get_json()["items"]]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["Alpha Bank", "back\\slash", "BETA bank", "beta_bank", "Délhi Bank", "Gamma 100% Bank", "Omega"]),
        ("BANK", ["Alpha Bank", "BETA bank", "beta_bank", "Délhi Bank", "Gamma 100% Bank"]),
        ("eta ban", ["BETA bank", "beta_bank"]),
        ("bank beta", ["BETA bank", "beta_bank"]),
        ("a_b", ["beta_bank"]),
        ("%", ["Gamma 100% Bank"]),
        ("_", ["beta_bank"]),
        ("\\", ["back\\slash"]),
        ("\\%", []),
        ("DÉLHI", ["Délhi Bank"]),
        ("omg", ["Omega"]),
        ("'; drop table banks; --", []),
    ],
)  # fmt: skip
def test_banks_are_found_by_any_part(owner: Any, words: str, names: list[str]) -> None:
    assert found(owner, "banks", words) == names


def test_branches_are_found_by_bank_and_place_too(owner: Any) -> None:
    assert found(owner, "bank-branches", "omega udupi") == ["Fort", "Main"]
    assert found(owner, "bank-branches", "karwar") == ["Main"]


def test_properties_are_found_by_what_the_contract_says(owner: Any) -> None:
    assert found(owner, "properties", "45/2a mango") == ["A house"]
    assert found(owner, "properties", "45/2b") == []


def test_pages_hold_everything_once_and_in_order(owner: Any) -> None:
    whole = found(owner, "banks", "")
    for limit in (1, 2, 3, 7, 100):
        names: list[str] = []
        cursor = ""
        while True:
            page = owner.get(f"/v1/banks?limit={limit}{cursor}").get_json()
            assert len(page["items"]) <= limit
            names += [one["name"] for one in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert names == whole


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5"])
def test_a_page_has_from_one_to_a_hundred_entries(owner: Any, limit: str) -> None:
    assert owner.get(f"/v1/banks?limit={limit}").status_code == 422


def test_a_cursor_of_somebody_elses_making_is_refused(owner: Any) -> None:
    refused = owner.get("/v1/banks?cursor=abc")

    assert (refused.status_code, refused.get_json()["code"]) == (400, "CURSOR_INVALID")


def test_entries_are_narrowed_down_by_their_marks(owner: Any) -> None:
    assert found(owner, "banks", "omega", is_verified="true") == ["Omega"]
    assert found(owner, "banks", "omega", is_verified="false") == []
    assert owner.get("/v1/banks?is_verified=maybe").status_code == 422
    bank = owner.get("/v1/banks?q=alpha").get_json()["items"][0]
    assert found(owner, "bank-branches", "", bank_id=bank["bank_id"]) == []
