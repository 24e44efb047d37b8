"""Nothing that must not be read stands in a log line."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog

from service.privacy.masking import MASKED, is_secret_name, mask, masked_text


def line(**event: Any) -> str:
    return json.dumps(mask(None, "info", event))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("zt_Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4zAb3dEf6hIj9", MASKED),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: {MASKED} {MASKED}"),
        ("bearer abc.def-ghi, then", f"bearer {MASKED}, then"),
        ("/v1/x?token=abc&limit=3", f"/v1/x?token={MASKED}&limit=3"),
        ('{"password": "a \\"b\\" c", "n": 1}', f'{{"password": {MASKED}, "n": 1}}'),
        ("password='a b c' rest", f"password={MASKED} rest"),
        ("postgresql://zen_api:hunter2@db/zen", f"postgresql://{MASKED}@db/zen"),
        ("redis://:hunter2@q:6379/0", f"redis://{MASKED}@q:6379/0"),
        ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA of", f"{MASKED} of"),
        ("for asha.rao+bank@mail.specimen.test, twice", f"for {MASKED}@mail.specimen.test, twice"),
        ("no 2345 6789 0123.", f"no {MASKED}."),
        ("no 2345-6789-0123.", f"no {MASKED}."),
        ("no 234567890123.", f"no {MASKED}."),
        ("PAN ABCDE1234F.", f"PAN {MASKED}."),
        ("passport M1234567.", f"passport {MASKED}."),
        ("call 98450 12345 or +91 9845012345 or 09845012345", f"call {MASKED} or {MASKED} or {MASKED}"),
        ("at 12.97160, 77.59456", f"at {MASKED}, {MASKED}"),
        ("at 12°58'17\"N, 77°35'E", f"at {MASKED}, {MASKED}"),
        ("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\nx", f"{MASKED}\nx"),
        (
            "(x) duplicate\nDETAIL:  Key (tenant_id, lower(name))=(1, asha) exists.",
            f"(x) duplicate\nDETAIL: {MASKED}",
        ),
        ("[SQL: insert]\n[parameters: {'name': 'Asha'}]\n(Background on", f"[SQL: insert]\n[parameters: {MASKED}\n(Background on"),
        ("[type=int, input_value='Asha Rao', input_type=str]", f"[type=int, input_value={MASKED}, input_type=str]"),
        ("session of qUe7xP2mKd9sLw4nBv6cZa1rTy8hGj3f", f"session of {MASKED}"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_or_like_personal_data_is_masked(text: str, left: str) -> None:
    assert masked_text(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "d8a7d23b-8dbf-4762-9d37-38317afbc911",
        "01a20c82-99c0-74f3-94b7-123456789012",
        "7a1c74154759198adeea3517e6151d417348e8ced55f76df81c6c87cbc1a6b76",
        "2026-11-24T07:43:35.123456Z",
        "/v1/repogen/work-orders/{work_order_id}/evidence",
        "CAPABILITY_MISSING",
        "rule set psu@1, 12.345 square metres, 5,00,00,000 rupees",
        "127.0.0.1:8000 answered in 12.5 ms",
        "a token has expired",
        "service.api.request_life, line 12, in _begin",
    ],
)
def test_what_a_log_is_read_for_stays(text: str) -> None:
    assert masked_text(text) == text


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "Authorization", "X-CSRF-Token", "secretKey", "SECRET_KEY",
        "session", "set-cookie", "body", "details", "borrower_name", "latitude", "phone",
        "property_address",
    ],
)  # fmt: skip
def test_a_field_with_a_telling_name_is_masked_whatever_it_holds(name: str) -> None:
    assert is_secret_name(name)
    assert line(**{name: "plain"}) == json.dumps({name: MASKED})
    assert line(inner=[{name: 7}]) == json.dumps({"inner": [{name: MASKED}]})


@pytest.mark.parametrize(
    "name",
    ["event", "request_id", "token_id", "tenant", "user", "status", "route", "seq", "milliseconds"],
)
def test_a_field_with_a_harmless_name_stays(name: str) -> None:
    assert line(**{name: "plain"}) == json.dumps({name: "plain"})


def test_keys_lists_objects_and_bytes_are_masked_too() -> None:
    class Odd:
        def __str__(self) -> str:
            return "of asha@specimen.test"

    found = line(
        deep={"asha@specimen.test": {"x": ("ABCDE1234F", Odd())}}, raw=b"ABCDE1234F", text={1}
    )

    assert found == json.dumps(
        {
            "deep": {f"{MASKED}@specimen.test": {"x": [MASKED, f"of {MASKED}@specimen.test"]}},
            "raw": MASKED,
            "text": [1],
        }
    )


def test_what_is_nested_without_end_is_masked_and_ends() -> None:
    loop: list[Any] = []
    loop.append(loop)

    assert MASKED in line(loop=loop)


def test_a_traceback_keeps_its_lines_and_loses_the_values() -> None:
    def fail() -> None:
        message = "duplicate\nDETAIL:  Failing row contains (1, Asha Rao, ABCDE1234F)."
        raise RuntimeError(message)

    log = structlog.wrap_logger(
        structlog.ReturnLogger(),
        processors=[
            structlog.processors.format_exc_info,
            mask,
            structlog.processors.JSONRenderer(),
        ],
    )
    try:
        fail()
    except RuntimeError as error:
        written = log.exception("unforeseen", exc_info=error)

    assert "in fail" in written
    assert "Asha" not in written
    assert "ABCDE1234F" not in written
