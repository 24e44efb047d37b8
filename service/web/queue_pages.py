"""The queue: which work orders there are, what each still needs, and a form for a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, redirect, request, url_for
from pydantic import ValidationError

from service.api.access import access
from service.api.failures import validation_failed
from service.api.request_life import current
from service.errors import ServiceError
from service.web.blueprint import desk
from service.web.rendering import page
from service.workorders.creating import create as create_work_order
from service.workorders.listing import list_work_orders
from service.workorders.shapes import ListQuery, NewWorkOrder

_FILTERS = ("search", "status", "report_type", "bank_type", "ready")
_NEW = ("report_type", "bank_name", "bank_type", "title", "source_type", "source_ref_id")
_READY = {"yes": True, "no": False}
_ON_A_PAGE = 25
#: So many gaps are named in a row of the queue; the rest is counted.
_NAMED = 2


@desk.get("/desk/")
@access("repogen.read", audiences=("web",))
def queue() -> Response:
    """The work orders that fit the filters, the latest change first, a page at a time."""
    return _queue_page()


@desk.post("/desk/work-orders")
@access("repogen.write", audiences=("web",))
def create() -> Response:
    """Create a work order and open it; what does not fit is shown beside what was typed."""
    now = current()
    typed = {name: request.form.get(name, "").strip() for name in _NEW}
    try:
        with now.connection.begin_nested():
            try:
                body = NewWorkOrder.model_validate(
                    {name: text for name, text in typed.items() if text}
                )
            except ValidationError as error:
                raise validation_failed(error) from None
            order = create_work_order(now.connection, now.actor, body)
    except ServiceError as error:
        return _queue_page(error.status, new_error=error, typed=typed)
    target = url_for("desk.work_order", work_order_id=order.work_order_id, done="created")
    response: Response = redirect(target, 303)  # type: ignore[assignment]
    return response


def _queue_page(
    status: int = 200,
    *,
    new_error: ServiceError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    now = current()
    # A filter that there is none of is as good as none: an old address still shows the queue.
    filters = {name: request.args.get(name, "")[:200] for name in _FILTERS}
    asked: dict[str, Any] = {name: text for name, text in filters.items() if text.strip()}
    if "ready" in asked:
        asked["ready"] = _READY.get(asked["ready"])
    cursor = request.args.get("cursor")
    if cursor:
        asked["cursor"] = cursor
    try:
        query = ListQuery.model_validate({**asked, "limit": _ON_A_PAGE})
    except ValidationError as error:
        wrong = {one["loc"][0] for one in error.errors()}
        filters = {name: "" if name in wrong else text for name, text in filters.items()}
        kept = {name: value for name, value in asked.items() if name not in wrong}
        query = ListQuery.model_validate({**kept, "limit": _ON_A_PAGE})
    rows, next_cursor = list_work_orders(now.connection, now.actor.tenant_id, query)
    given: dict[str, Any] = {name: text for name, text in filters.items() if text}
    return page(
        "queue.html",
        status,
        rows=rows,
        filters=filters,
        is_filtered=bool(given or cursor),
        first_url=url_for("desk.queue", **given) if cursor else None,
        next_url=url_for("desk.queue", **given, cursor=next_cursor) if next_cursor else None,
        missing_words=missing_words,
        new_error=new_error,
        typed=typed or {},
    )


def missing_words(missing: Sequence[str]) -> str:
    """What is missing, shortly: the first gaps by name, the rest as a number.

    >>> missing_words(["Owner is missing (party.owner_name)", "Khata: need at least 1, found 0"])
    'Owner; Khata (0 of 1)'
    >>> missing_words(["A is missing (a.b)", "B is missing (a.c)", "C is missing (a.d)"])
    'A; B and 1 more'
    """
    named = "; ".join(map(_short, missing[:_NAMED]))
    more = len(missing) - _NAMED
    return named + (f" and {more} more" if more > 0 else "")


def _short(sentence: str) -> str:
    if ": need at least " in sentence:
        label, _, numbers = sentence.partition(": need at least ")
        least, _, found = numbers.partition(", found ")
        return f"{label} ({found} of {least})"
    return sentence.partition(" is missing (")[0]
