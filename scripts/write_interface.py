"""Writes docs/openapi.json, the description of the interface; with --check, compares it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from service.api.application import create_app
from service.api.description import describe

PAGE = Path(__file__).parent.parent / "docs" / "openapi.json"


def main(arguments: list[str]) -> int:
    """Write the file, or say that it is not what the routes give."""
    # Nothing of a service is needed to describe its routes.
    nothing: Any = None
    written = json.dumps(describe(create_app(nothing)), indent=1, sort_keys=True) + "\n"
    if "--check" in arguments:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != written:
            print(f"{PAGE.name} is not what the routes give: make docs")
            return 1
        return 0
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
