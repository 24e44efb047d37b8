"""Draw the desk's pages for docs/pictures, from a whole service that works on the specimen house.

Needs Chromium. Colours are few, so that a picture stays small.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

from PIL import Image

from contracts.canonical_json import to_plain
from contracts.strict_yaml import read_yaml
from service.demonstration import ORDERS, Caller, running_alone, send_evidence
from service.local_services import scratch_folder
from service.people.seeding import Credentials

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
    document = read_yaml((SPECIMEN / "case.yaml").read_text("utf-8"), "case.yaml")
    folder = scratch_folder()
    further = {"ZENOPS_WORKERS": "1", "ZENOPS_PDF": "off"}
    try:
        with (
            Path(os.devnull).open("wb", buffering=0) as log,
            running_alone(folder, log, further) as (running, caller),
        ):
            people = {one.email: one for one in running.first_people}
            made = _fill(caller.log_in(people["admin@demo.example"]), document.value)
            _draw(program, running.settings.public_url, people["valuer@demo.example"], made)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sizes = {path.name: path.stat().st_size for path in sorted(PICTURES.glob("desk-*.png"))}
    for name, size in sizes.items():
        print(f"{name}: {size:,} bytes")
    return int(any(size > LARGEST for size in sizes.values()))


def _fill(desk: Caller, case: Any) -> dict[str, str]:
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
        made[name] = desk.ask("POST", ORDERS, body)["work_order_id"]
        if not title:
            _enter(desk, f"{ORDERS}/{made[name]}", case)
    for status in ("DATA_PENDING", "READY_FOR_RENDER"):
        desk.ask("POST", f"{ORDERS}/{made['report']}/status", {"status": status})
    return made


def _enter(desk: Caller, at: str, case: Any) -> None:
    plain = to_plain(case)
    desk.ask("PATCH", f"{at}/contract", {"patch": plain["contract"]})
    send_evidence(desk, at, plain, SPECIMEN)
    desk.ask("POST", f"{at}/evidence/auto-order", {})


def _draw(program: str, url: str, valuer: Credentials, made: dict[str, str]) -> None:
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
            page.fill("#email", valuer.email)
            page.fill("#password", valuer.password)
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
