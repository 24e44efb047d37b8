"""Draw the desk's pages for docs/pictures, from a whole service that works on the specimen house.

Needs Chromium. Colours are few, so that a picture stays small.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sys
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

from PIL import Image

from contracts.canonical_json import to_plain
from contracts.case import Case, read_case
from contracts.strict_yaml import read_yaml
from service.local_services import scratch_folder
from service.serving import running_service

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
SPECIMEN = ROOT / "fixtures" / "cases" / "specimen-house"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
LARGEST = 300_000
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def main() -> int:
    """Starts a service, works in it, draws; the exit code."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        print("Chromium is not installed", file=sys.stderr)
        return 1
    case, problems = read_case(read_yaml((SPECIMEN / "case.yaml").read_text("utf-8"), "case.yaml"))
    if case is None:
        print(problems[0].what, file=sys.stderr)
        return 1
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    folder = scratch_folder()
    environ = {
        "PATH": os.environ["PATH"],
        "ZENOPS_STATE_FOLDER": str(folder),
        "ZENOPS_LISTEN": listen,
        "ZENOPS_PUBLIC_URL": f"http://{listen}",
        "ZENOPS_WORKERS": "1",
        "ZENOPS_PDF": "off",
    }
    try:
        with (
            Path(os.devnull).open("wb", buffering=0) as log,
            running_service(environ, log) as running,
        ):
            people = {one.email: one.password for one in running.first_people}
            desk = _Desk(listen, "admin@demo.example", people["admin@demo.example"])
            _draw(program, f"http://{listen}", people, _fill(desk, case))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sizes = {path.name: path.stat().st_size for path in sorted(PICTURES.glob("desk-*.png"))}
    for name, size in sizes.items():
        print(f"{name}: {size:,} bytes")
    return int(any(size > LARGEST for size in sizes.values()))


class _Desk:
    """Calls of the interface as somebody of the firm."""

    def __init__(self, listen: str, email: str, password: str) -> None:
        self.listen = listen
        self.token = ""
        body = {"email": email, "password": password, "audience": "web"}
        self.token = self.send("POST", "/v1/auth/login", body)["token"]

    def send(self, method: str, path: str, body: Any) -> Any:
        """The answer, which has to be a good one."""
        return self._sent(method, path, json.dumps(body).encode(), "application/json")

    def upload(self, path: str, work_order: str) -> str:
        """A file as a document; its id."""
        content = (SPECIMEN / path).read_bytes()
        boundary = "specimen-boundary"
        lines = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="work_order_id"\r\n\r\n'
            f"{work_order}\r\n--{boundary}\r\nContent-Disposition: form-data; "
            f'name="file"; filename="{Path(path).name}"\r\nContent-Type: image/jpeg\r\n\r\n'
        )
        body = lines.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        answer = self._sent("POST", "/v1/files/upload", body, kind)
        return str(answer.get("document", answer)["id"])

    def _sent(self, method: str, path: str, body: bytes, kind: str) -> Any:
        connection = http.client.HTTPConnection(self.listen, timeout=60)
        headers = {"Content-Type": kind}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)


def _fill(desk: _Desk, case: Case) -> dict[str, str]:
    """Work orders in several states: one just begun, one ready, one with a report."""
    made = {}
    for name, title in (("begun", "Flat 402, Lake Road, Pune"), ("ready", ""), ("report", "")):
        body = {
            "report_type": "VALUATION",
            "bank_type": "SBI" if not title else "PSU_GENERIC",
            "bank_name": "State Bank of India" if not title else "Canara Bank",
            "title": title or "House No. 117, Chaitra Layout, Mysuru",
            "reference": f"SPV-{len(made) + 117}",
        }
        answer = desk.send("POST", "/v1/repogen/work-orders", body)
        made[name] = answer.get("work_order", answer)["work_order_id"]
        if not title:
            _enter(desk, made[name], case)
    for status in ("DATA_PENDING", "READY_FOR_RENDER"):
        desk.send("POST", f"/v1/repogen/work-orders/{made['report']}/status", {"status": status})
    return made


def _enter(desk: _Desk, work_order: str, case: Case) -> None:
    at = f"/v1/repogen/work-orders/{work_order}"
    desk.send("PATCH", f"{at}/contract", {"patch": to_plain(case.contract)})
    items = []
    for piece in case.evidence:
        assert piece.file is not None
        item = {
            "key": piece.key,
            "document_id": desk.upload(piece.file, work_order),
            "evidence_type": piece.type,
            "doc_type": piece.doc_type,
            "tags": piece.tags,
            "label": piece.label,
            "taken_on_site": piece.taken_on_site,
        }
        items.append({name: value for name, value in item.items() if value is not None})
    desk.send("POST", f"{at}/evidence/link", {"items": items})
    desk.send("POST", f"{at}/evidence/auto-order", {})


def _draw(program: str, url: str, people: dict[str, str], made: dict[str, str]) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - it is slow to load

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))

        def shoot(
            name: str, path: str, *, size: Any = WIDE, at: str = "", dark: bool = False
        ) -> None:
            context = browser.new_context(
                base_url=url, viewport=size, color_scheme="dark" if dark else "light"
            )
            page = context.new_page()
            page.goto("/desk/login?" + urllib.parse.urlencode({"next": path}))
            page.fill("#email", "valuer@demo.example")
            page.fill("#password", people["valuer@demo.example"])
            page.click("button[type=submit]")
            page.wait_for_url(f"**{path}")
            if path.endswith(made["report"]):
                page.wait_for_selector("#bundle-digest", timeout=120_000)
            if at:
                page.evaluate(
                    "at => { const one = document.querySelector(at); if (one.tagName === 'DETAILS')"
                    " one.open = true; scrollTo({top: one.getBoundingClientRect().top + scrollY"
                    " - 24, behavior: 'instant'}); }",
                    at,
                )
            page.wait_for_load_state("networkidle")
            raw = Path(scratch) / f"{name}.png"
            page.screenshot(path=raw)
            context.close()
            with Image.open(raw) as picture:
                small = picture.convert("RGB").quantize(96)
                small.save(PICTURES / f"desk-{name}.png", optimize=True)

        orders = {name: f"/desk/work-orders/{work_order}" for name, work_order in made.items()}
        shoot("queue", "/desk/")
        shoot("begun", orders["begun"])
        shoot("evidence", orders["ready"], at=".pieces")
        shoot("facts", orders["ready"], at="#facts-building")
        shoot("figures", orders["ready"], at="#figure-fmv", dark=True)
        shoot("report", orders["report"])
        shoot("narrow", orders["report"], size=NARROW)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
