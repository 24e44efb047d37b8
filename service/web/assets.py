"""The pages' scripts and styles, as `make web-assets` has bundled them.

A file's name carries a hash of its content, so browsers may keep it for ever.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from flask import Response, url_for

from service.api.access import public
from service.errors import ServiceError, not_found
from service.web.blueprint import desk

BUILT = Path(__file__).with_name("static") / "built"


def manifest() -> Mapping[str, str]:
    """The present name of each asset.

    Raises:
        ServiceError: 500, the assets have not been made.
    """
    path = BUILT / "manifest.json"
    if not path.is_file():
        raise ServiceError(
            500,
            "ASSETS_MISSING",
            "The pages' scripts and styles have not been made",
            "Run `make web-assets` and start the service again. The API works without them.",
        )
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, _written_at: int) -> Mapping[str, str]:
    """The manifest, read anew when the assets were made anew under a running service."""
    found: Mapping[str, str] = json.loads(path.read_text("utf-8"))
    return found


def asset_url(name: str) -> str:
    """Where a page finds an asset: `desk.css`."""
    return url_for("desk.asset", name=manifest()[name])


@desk.get("/assets/<name>")
@public
def asset(name: str) -> Response:
    """One asset, to be kept for a year; only what the manifest names is there."""
    if name not in manifest().values():
        raise not_found()
    kind, _ = mimetypes.guess_type(name)
    response = Response((BUILT / name).read_bytes(), mimetype=kind)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
