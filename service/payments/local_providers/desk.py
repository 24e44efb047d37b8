"""The page that a payer sees, and what a test or the demo tells a stand-in to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template_string, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from service.payments.local_providers.delivering import Deliveries
from service.payments.local_providers.store import Store

OUTCOMES = ("paid", "failed", "later")
#: What a request can meet: no connection, a failure before or after the work, no answer after it.
FAULTS = ("unheard", "broken", "lost", "silent")
_SILENCE_S = 30.0
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Payment (local stand-in)</title>
<h1>{{ provider }} (local stand-in)</h1>
<p>{{ about }}: {{ amount }} {{ currency }}. No money moves here.</p>
{% if open %}<form method="post">
<button name="outcome" value="paid">Pay</button>
<button name="outcome" value="failed">Let it fail</button>
<button name="outcome" value="later">Pay later</button>
</form>{% else %}<p>This link is {{ status }}.</p>{% endif %}
"""


def blueprint(store: Store, deliveries: Deliveries, provider: ModuleType) -> Blueprint:
    """The page of a stand-in, and its levers under `/local`."""
    desk = Blueprint("desk", __name__)

    def link(link_id: str) -> dict[str, Any]:
        found = store.objects.get(link_id)
        if found is None or not link_id.startswith(("cs_", "plink_")):
            raise NotFound
        return found

    @desk.get("/pay/<link_id>")
    def show_page(link_id: str) -> str:
        found = link(link_id)
        paise = int(found["amount_total"] if "amount_total" in found else found["amount"])
        return render_template_string(
            _PAGE,
            provider=deliveries.provider.capitalize(),
            about=found.get("_description", found.get("description")),
            amount=f"{paise // 100}.{paise % 100:02d}",
            currency=found["currency"].upper(),
            status=found["status"],
            open=found["status"] in {"open", "created"},
        )

    @desk.post("/pay/<link_id>")
    def pay(link_id: str) -> AnyResponse:
        found = link(link_id)
        outcome = request.form.get("outcome", "paid")
        if outcome not in OUTCOMES:
            raise NotFound
        with store.lock:
            provider.pay(store, deliveries, found, outcome)
        back = str(found.get("success_url") or found.get("callback_url"))
        return redirect(back) if outcome != "failed" else redirect(request.url)

    def lever(do: Callable[[dict[str, Any], dict[str, Any]], object], link_id: str) -> Response:
        found, said = link(link_id), request.get_json(silent=True) or {}
        with store.lock:
            do(found, said)
        return jsonify({"done": True})

    @desk.post("/local/<link_id>/pay")
    def pay_now(link_id: str) -> Response:
        return lever(
            lambda found, said: provider.pay(store, deliveries, found, said.get("outcome", "paid")),
            link_id,
        )

    @desk.post("/local/<link_id>/expire")
    def expire(link_id: str) -> Response:
        return lever(lambda found, _: provider.expire(store, deliveries, found), link_id)

    @desk.post("/local/<link_id>/dispute")
    def dispute(link_id: str) -> Response:
        return lever(
            lambda found, said: provider.dispute(
                store, deliveries, found, said.get("outcome", "created")
            ),
            link_id,
        )

    @desk.post("/local/<link_id>/refund")
    def refund(link_id: str) -> Response:
        return lever(
            lambda found, said: provider.refund_at_desk(
                store, deliveries, found, int(said["amount"])
            ),
            link_id,
        )

    @desk.post("/local/deliveries")
    def set_deliveries() -> Response:
        said = request.get_json()
        deliveries.copies = int(said.get("copies", deliveries.copies))
        deliveries.held = bool(said.get("held", deliveries.held))
        released = 0 if deliveries.held else deliveries.release(shuffled=bool(said.get("shuffled")))
        return jsonify({"released": released})

    @desk.get("/local/deliveries")
    def show_deliveries() -> Response:
        return jsonify({"under_way": deliveries.under_way})

    @desk.post("/local/faults")
    def add_fault() -> Response:
        said = request.get_json()
        if said["kind"] not in FAULTS:
            raise NotFound
        with store.lock:
            store.faults += [(said["method"], said["path"], said["kind"])] * said.get("times", 1)
        return jsonify({"waiting": len(store.faults)})

    @desk.get("/local/objects")
    def show_objects() -> Response:
        return jsonify(list(store.objects.values()))

    @desk.get("/local/events")
    def show_events() -> Response:
        return jsonify([{"id": one, "event": event} for one, event in store.events])

    return desk


def meet_fault(kind: str, work: Callable[[], AnyResponse]) -> AnyResponse:
    """What becomes of a request that meets a fault; of some the work is done all the same."""
    if kind in {"lost", "silent"}:
        work()
    if kind in {"unheard", "silent"}:
        time.sleep(_SILENCE_S)
    return Response('{"error":{"message":"no answer"}}', 502, content_type="application/json")
