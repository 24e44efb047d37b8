"""The blueprint that every page belongs to, and the headers that every page is sent with."""

from __future__ import annotations

from flask import Blueprint, Response

#: No style or script stands in a page, none is taken from elsewhere, and no other site may frame
#: one. Bootstrap's own marks (ticks, arrows) are data: pictures inside its style sheet.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

desk = Blueprint("desk", "service.web", template_folder="templates")


@desk.after_request
def _send_with(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    # A part that was fetched by htmx must never be shown for the page at the same address.
    response.headers.add("Vary", "HX-Request")
    return response
