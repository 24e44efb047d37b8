"""The limits are those that the page names, and fit what else the system says."""

from typing import get_args

import pytest

from contracts.evidence import Evidence
from factory.rendering.pictures import MOST_PIXELS, MOST_PIXELS_OF_JPEG
from factory.rendering.renderer import Limits as RendererLimits
from service.evidence import shapes
from service.evidence.limits import limits, limits_of
from tests.docs.pages import ROOT


def test_the_page_names_every_limit():
    page = (ROOT / "docs/evidence.md").read_text(encoding="utf-8")
    kinds = limits().kinds.values()
    numbers = [
        *(one.bytes for one in kinds),
        *(one.pixels for one in kinds if one.pixels),
        *limits().pdf.model_dump().values(),
        *limits().looking.model_dump().values(),
        limits().files_per_work_order,
        limits().evidence_items_per_work_order,
        limits().field_links_per_work_order,
        limits().pending_files_per_firm,
        limits().bytes_per_firm,
        limits().address_seconds,
        limits().similar_bits,
    ]

    table = page.partition("## Limits")[2].partition("\n## ")[0]
    assert [one for one in numbers if f"| {one:,.0f}" not in table] == []


def test_what_is_accepted_can_be_printed():
    assert limits().looking.memory_bytes == RendererLimits().memory
    for media_type, one in limits().kinds.items():
        most = MOST_PIXELS_OF_JPEG if media_type == "image/jpeg" else MOST_PIXELS
        assert one.pixels is None or one.pixels <= most


def test_a_setting_bounds_every_kind(settings):
    for media_type in limits().kinds:
        found = limits_of(media_type, settings)
        assert found is not None
        assert found.bytes <= settings.evidence_max_bytes
        assert found.pixels is None or found.pixels <= settings.evidence_max_pixels
    assert limits_of("image/gif", settings) is None


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("classification", shapes.Classification),
        ("sensitivity", shapes.Sensitivity),
        ("source", shapes.Source),
    ],
)
def test_the_words_are_the_contracts(field, words):
    (literal, _none) = get_args(Evidence.model_fields[field].annotation)

    assert get_args(words) == get_args(literal)
