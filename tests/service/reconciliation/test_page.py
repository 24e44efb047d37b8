"""The page says of each kind what the sweep says."""

from __future__ import annotations

from pathlib import Path

from service.reconciliation.comparing import DRIFTS

PAGE = Path(__file__).parents[3] / "docs" / "reconciliation.md"


def test_the_page_has_a_row_for_each_kind() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]

    assert rows == [
        f"| `{one.code}` | {one.subject_type.replace('_', ' ')} | {one.compares} | {one.means}"
        f" | {one.proposes} |"
        for one in DRIFTS
    ]
