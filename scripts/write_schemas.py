"""Writes contracts/schemas/*.schema.json from the models; `--check` only says what is out of date.

Run from the repository's root: python scripts/write_schemas.py [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from contracts.json_schemas import json_schemas  # noqa: E402

FOLDER = ROOT / "contracts" / "schemas"


def wanted() -> dict[Path, str]:
    """Each schema file with the text it should have."""
    return {
        FOLDER / f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in json_schemas().items()
    }


def out_of_date(files: dict[Path, str]) -> list[Path]:
    """Files that differ, are missing, or describe nothing any more."""
    differ = [
        path
        for path, text in files.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    return differ + [path for path in FOLDER.glob("*.json") if path not in files]


def main(arguments: list[str]) -> int:
    """Writes, or with `--check` compares; 1 says that something was out of date."""
    files = wanted()
    stale = out_of_date(files)
    if "--check" in arguments:
        for path in sorted(stale):
            print(f"{path.relative_to(ROOT)} is out of date: run scripts/write_schemas.py")
        return 1 if stale else 0
    for path in stale:
        if path in files:
            path.write_text(files[path], encoding="utf-8", newline="\n")
        else:
            path.unlink()
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
