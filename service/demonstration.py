"""Drives a case through the running service, as people would by HTTP, to a released report.

One firm is billed for it and pays the invoice, another has bought credits; both pay at the local
stand-ins of the payment providers, whose signed webhooks tell the service.

The service is started for this alone, with servers and data of its own, and ended again. What comes
out is held to `zenops build`: the bundle's digest has to be that of the same case on the command
line.
"""

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from contracts.canonical_json import to_plain
from engine.evaluation import examine
from factory.bundle import as_bundled, write_bundle
from factory.case_files import CaseFile, read_case_file
from factory.catalogue import read_catalogue
from service.clock import now
from service.local_services import scratch_folder
from service.people.seeding import DEMO_SLUG, Credentials
from service.serving import Running, running_service

PACK_S = 180.0
PAYMENT_S = 60.0
_NOTHING: Mapping[str, str] = MappingProxyType({})
ORDERS = "/v1/repogen/work-orders"
#: How a file's name ends where it is not called by its kind.
_SUFFIXES = MappingProxyType({"bundle": "zip"})


class DemonstrationError(Exception):
    """A step did not give what it has to give; the message says which and what."""


class Caller:
    """Speaks JSON with the service, as one person."""

    def __init__(self, address: tuple[str, int], token: str | None = None) -> None:
        self.address = address
        self.token = token

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON."""
        text = None if body is None else json.dumps(body).encode()
        return json.loads(self.send(method, path, text, {"Content-Type": "application/json"}))

    def upload(self, path: str, file: Path, fields: Mapping[str, str]) -> Any:
        """Send a file and what is said of it, as a form."""
        edge = secrets.token_hex(16)
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
            for name, text in fields.items()
        ]
        parts.append(
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
        )
        body = b"".join([*parts, file.read_bytes(), f"\r\n--{edge}--\r\n".encode()])
        kind = f"multipart/form-data; boundary={edge}"
        return json.loads(self.send("POST", path, body, {"Content-Type": kind}))

    def send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        """The answer's bytes.

        Raises:
            DemonstrationError: the service refused; its reason is in the message.
        """
        proof = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request(method, path, body, {**headers, **proof})
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise DemonstrationError(f"{method} {path}: {answer.status} {read.decode()[:2000]}")
        return read

    def log_in(self, person: Credentials) -> "Caller":
        """The same service, spoken with by somebody who has logged in."""
        proof = {"email": person.email, "password": person.password, "audience": person.audience}
        return Caller(self.address, self.ask("POST", "/v1/auth/login", proof)["token"])


def demonstrate(case_folder: Path, output: Path, say: Callable[[str], None]) -> None:
    """Take a case from its folder to released reports of two firms, over HTTP.

    Args:
        case_folder: of a case whose letterhead is the demo firm's.
        output: the folder that gets bundle, report, PDF if there is one, and the service's log.
        say: gets a line for each step.

    Raises:
        DemonstrationError: a step failed.
        NotServable: the service cannot be started.
    """
    folder = scratch_folder()
    try:
        digest, files = drive(case_folder, output, folder, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("service   ended, nothing of it is left")
    expected = _digest_by_command_line(read_case_file(case_folder), output)
    if digest != expected:
        raise DemonstrationError(f"the service's bundle is {digest}, zenops build's is {expected}")
    say(f"digest    {digest}, as zenops build gives it")
    for file in files:
        say(f"file      {file}")


def drive(
    case_folder: Path, output: Path, folder: Path, say: Callable[[str], None]
) -> tuple[str, list[Path]]:
    """Take a case to released reports through a service whose data stay in a folder.

    Args:
        case_folder: of a case whose letterhead is the demo firm's.
        output: the folder that gets what is downloaded, and the service's log.
        folder: a scratch folder; the service's state is in `state` there, and is left.
        say: gets a line for each step.

    Returns:
        The bundle's digest, and the files that were downloaded. The service has ended.

    Raises:
        DemonstrationError: a step failed.
        NotServable: the service cannot be started.
    """
    read = read_case_file(case_folder)
    if read.case is None:
        raise DemonstrationError(f"{case_folder} has {len(read.problems)} problems: zenops check")
    output.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with (
        (output / "service.log").open("wb") as log,
        running_alone(folder, log) as (running, caller),
    ):
        address = "{}:{}".format(*caller.address)
        say(f"service   http://{address} after {time.monotonic() - began:.1f} s")
        return _through_the_service(read, case_folder, caller, running, output, say)


@contextlib.contextmanager
def running_alone(
    folder: Path, log: Any, further: Mapping[str, str] = _NOTHING
) -> Iterator[tuple[Running, Caller]]:
    """A fresh service of its own, looked after until the block is left.

    Args:
        folder: a scratch folder; the service's state is in `state` there, and is left.
        log: gets the merged log.
        further: more settings, by their variables.

    Yields:
        The service, and somebody at its address who has not logged in.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {
        # Nothing of whoever runs this may change what happens.
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "ZENOPS_STATE_FOLDER": str(folder / "state"),
        "ZENOPS_LISTEN": f"127.0.0.1:{port}",
        "ZENOPS_PUBLIC_URL": f"http://127.0.0.1:{port}",
        **further,
    }
    with running_service(environ, log) as running:
        # What dies is started again here too, while we are waiting for answers.
        looking_after = threading.Thread(target=running.supervisor.run)
        looking_after.start()
        try:
            yield running, Caller(("127.0.0.1", port))
        finally:
            running.supervisor.stop()
            looking_after.join()


def people_of(running: Running) -> dict[str, Credentials]:
    """The people of the demo firm by their roles."""
    return {one.role: one for one in running.first_people if one.firm == DEMO_SLUG}


def _through_the_service(
    read: CaseFile,
    case_folder: Path,
    caller: Caller,
    running: Running,
    output: Path,
    say: Callable[[str], None],
) -> tuple[str, list[Path]]:
    """A firm that is billed afterwards, then one that pays with credits; what the first one gets."""
    people = people_of(running)
    say("")
    say("A firm that is billed (POSTPAID)")
    firm = _Firm(
        operator=caller.log_in(people["ops_manager"]),
        valuer=caller.log_in(people["valuer"]),
        payer=caller.log_in(people["super_admin"]),
    )
    say(f"login     {people['ops_manager'].email}, who looks after the work")
    at = _enter(firm.operator, read, case_folder, say)
    digest = _make_report(firm, at, say)
    _release(firm, at, "demo-1", say, expected="BLOCKED")
    (invoice,) = firm.payer.ask("GET", "/v1/invoices")["items"]
    say(
        f"invoice   {invoice['invoice_number']}, {invoice['status']},"
        f" due INR {invoice['amount_due']}"
    )
    _pay(firm.payer, {"provider": "stripe", "invoice_id": invoice["id"]}, "demo-pay-1", say)
    _release(firm, at, "demo-2", say, expected="PAID")
    case: dict[str, Any] = to_plain(read.document.value)
    files = _download(firm.operator, caller, at, output / case["case"], say)
    file = output / "invoice.pdf"
    file.write_bytes(firm.payer.send("GET", f"/v1/invoices/{invoice['id']}/pdf", None, {}))
    say(f"invoice   {file.name}")
    _tell_story(firm.payer, say)

    say("")
    say("A firm that pays with credits (CREDIT)")
    studio = caller.log_in(next(one for one in running.first_people if one.audience == "studio"))
    firm = _found_credit_firm(studio, caller, case["firm"], say)
    at = _enter(firm.operator, read, case_folder, say, until="EVIDENCE_PENDING")
    try:
        firm.operator.ask("POST", f"{at}/status", {"status": "DATA_PENDING"})
    except DemonstrationError as refused:
        say(f"refused   {_reason_of(refused)}")
    else:
        raise DemonstrationError("work was begun without a credit to pay for it")
    _pay(firm.payer, {"provider": "razorpay", "purpose": "topup", "credits": 2}, "demo-buy-1", say)
    firm.operator.ask("POST", f"{at}/status", {"status": "DATA_PENDING"})
    say(f"hold      1 credit for the report; {_credits(firm.payer)}")
    again = _make_report(firm, at, say)
    if again != digest:
        raise DemonstrationError(f"two firms with one letterhead got {digest} and {again}")
    _release(firm, at, "demo-1", say, expected="CREDIT_CONSUMED")
    say(f"credits   {_credits(firm.payer)}")
    _tell_story(firm.payer, say)
    say("")
    return digest, [*files, file]


@dataclass(frozen=True)
class _Firm:
    """Who does what in a firm, each of them logged in."""

    operator: Caller
    valuer: Caller
    payer: Caller


def _enter(
    operator: Caller,
    read: CaseFile,
    case_folder: Path,
    say: Callable[[str], None],
    until: str = "DATA_PENDING",
) -> str:
    """Enter a case as a work order, up to a state; where it is found."""
    case: dict[str, Any] = to_plain(read.document.value)
    meta = case["contract"]["meta"]
    order = operator.ask(
        "POST",
        ORDERS,
        {
            "reference": case["case"],
            "report_type": meta["report_type"],
            "bank_type": meta["bank_type"],
            **{name: case[name] for name in ("title", "source", "as_of") if name in case},
        },
    )
    at = f"{ORDERS}/{order['work_order_id']}"
    say(f"order     {order['reference']}, {order['status']}")

    changed = operator.ask("PATCH", f"{at}/contract", {"patch": case["contract"]})
    say(f"contract  {len(changed['changes'])} fields, {_readiness(changed['readiness'])}")

    keys = send_evidence(operator, at, case, case_folder)
    say(f"evidence  {len(keys)} files sent, looked at and listed")
    links = [
        {"field_key": link["field"], "evidence_item_id": keys[link["evidence"]]}
        | {name: link[name] for name in ("confidence", "note") if name in link}
        for link in case.get("links", ())
    ]
    if links:
        operator.ask("POST", f"{at}/field-evidence-links", {"links": links})
    detail = operator.ask("GET", at)
    say(f"links     {len(links)} facts shown by evidence, {_readiness(detail['readiness'])}")
    for status in ("EVIDENCE_PENDING", "DATA_PENDING"):
        moved = operator.ask("POST", f"{at}/status", {"status": status})
        say(f"state     {moved['work_order']['status']}")
        if status == until:
            break
    return at


def _make_report(firm: _Firm, at: str, say: Callable[[str], None]) -> str:
    """Have the pack made and signed; its bundle's digest."""
    moved = firm.operator.ask("POST", f"{at}/status", {"status": "READY_FOR_RENDER"})
    say(f"state     {moved['work_order']['status']}")
    pack = _wait_for_pack(firm.operator, at, say)
    signed = firm.valuer.ask(
        "POST",
        f"{at}/pack/sign-off",
        {"pack_version": pack["version"], "bundle_digest": pack["bundle_digest"]},
    )
    for signature in signed["sign_off"]["signed"]:
        say(f"signed    by {signature['valuer_name']}, {signature['registration']}")
    digest: str = pack["bundle_digest"]
    return digest


def _release(firm: _Firm, at: str, key: str, say: Callable[[str], None], *, expected: str) -> None:
    """Ask the gate to let the report out, and see that it decides as it has to."""
    said = firm.operator.ask("POST", f"{at}/release-deliverables", {"idempotency_key": key})
    if said["gate_result"] != expected:
        raise DemonstrationError(f"the gate said {said['gate_result']}, not {expected}")
    reason = f", {said['blocked_reason']}" if said["blocked"] else ""
    say(f"gate      {said['gate_result']}{reason}: {said['message']}")


def _pay(payer: Caller, wish: Mapping[str, Any], key: str, say: Callable[[str], None]) -> None:
    """Pay on the provider's page, and wait until its webhook has told us."""
    order = payer.ask("POST", "/v1/payments/checkout-link", {**wish, "idempotency_key": key})
    say(f"checkout  INR {order['amount']} for {order['description']}, by {order['provider']}")
    page = urlsplit(order["checkout_url"])
    Caller((page.hostname or "", page.port or 80)).send(
        "POST", page.path, b"outcome=paid", {"Content-Type": "application/x-www-form-urlencoded"}
    )
    deadline = time.monotonic() + PAYMENT_S
    while (found := payer.ask("GET", f"/v1/payments/orders/{order['payment_order_id']}"))[
        "status"
    ] != "paid":
        if time.monotonic() > deadline:
            raise DemonstrationError(f"the payment is {found['status']} after {PAYMENT_S:.0f} s")
        time.sleep(0.1)
    say(f"paid      {found['provider_payment_id']}, as the provider's signed webhook says")


def _download(
    operator: Caller, anybody: Caller, at: str, stem: Path, say: Callable[[str], None]
) -> list[Path]:
    """The files of what was let out, each by a link that is enough by itself."""
    (released,) = operator.ask("GET", f"{at}/deliverables")["items"]
    files = []
    for link in operator.ask("POST", f"{at}/deliverables/{released['version']}/links")["links"]:
        file = stem.with_name(f"{stem.name}.{_SUFFIXES.get(link['kind'], link['kind'])}")
        file.write_bytes(anybody.send("GET", _path_of(link["url"]), None, {}))
        files.append(file)
    say(f"download  {', '.join(file.name for file in files)}")
    return files


def _found_credit_firm(
    studio: Caller, caller: Caller, letterhead: Mapping[str, Any], say: Callable[[str], None]
) -> _Firm:
    """A firm of one person, who does all of its work, with an account in the mode CREDIT."""
    email, password = "owner@credit.example", secrets.token_urlsafe(15)
    founded = studio.ask(
        "POST",
        "/v1/control/onboard",
        {"name": "Demo firm on credits", "slug": "demo-credit", "owner_email": email},
    )
    account = founded["account"]
    studio.ask(
        "PATCH",
        f"/v1/control/accounts/{account['account_id']}/policy",
        {"billing_mode": "CREDIT", "force_enable_credit": True, "reason": "pays in advance"},
    )
    caller.ask(
        "POST",
        "/v1/auth/invitations/accept",
        {
            "token": founded["invitation"]["token"],
            "name": letterhead["valuer"]["name"],
            "password": password,
        },
    )
    owner = caller.log_in(Credentials(email, password, "super_admin", "web", "demo-credit"))
    owner.ask("PATCH", "/v1/firm", {"firm": letterhead})
    me = owner.ask("GET", "/v1/people")["items"][0]
    owner.ask(
        "POST",
        "/v1/valuers",
        {
            "user_id": me["user_id"],
            "may_sign": True,
            "registration_valid_until": f"{now().year + 2}-01-01",
            **{
                name: letterhead["valuer"][name]
                for name in ("name", "qualifications", "designation", "registration")
            },
        },
    )
    say(f"founded   {founded['tenant']['name']}, by the studio; {email} has accepted")
    return _Firm(owner, owner, owner)


def _tell_story(payer: Caller, say: Callable[[str], None]) -> None:
    """What happened on the account, from the first to the last."""
    for item in reversed(payer.ask("GET", "/v1/billing/timeline")["items"]):
        moved = "" if item["credits"] is None else f" {item['credits']:+d} credits"
        money = "" if item["amount"] is None else f" INR {item['amount']}"
        say(f"account   {item['at'][11:19]} {item['source']}: {item['event']}{moved}{money}")


def _credits(payer: Caller) -> str:
    found = payer.ask("GET", "/v1/billing/credits/summary")
    return f"{found['available']} of {found['wallet']} available"


def _reason_of(refused: DemonstrationError) -> str:
    """What a refusal says, without the request that it was the answer to."""
    _, _, body = str(refused).partition("{")
    try:
        problem = json.loads("{" + body)
    except ValueError:
        return str(refused)
    return f"{problem['code']}: {problem['detail']}"


def _path_of(url: str) -> str:
    """What of an address is asked of the service."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def send_evidence(
    operator: Caller, at: str, case: Mapping[str, Any], case_folder: Path
) -> dict[str, str]:
    """Upload each file and list it; the item's id by the evidence's key."""
    items = []
    for piece in case.get("evidence", ()):
        about = {
            name: piece[name]
            for name in ("classification", "sensitivity", "source", "captured_at", "taken_on_site")
            if name in piece
        }
        document = operator.upload(
            "/v1/files/upload",
            case_folder / piece["file"],
            {name: json.dumps(said).strip('"') for name, said in about.items()},
        )
        items.append(
            {
                "key": piece["key"],
                "document_id": document["id"],
                "evidence_type": piece["type"],
                **{
                    name: piece[name]
                    for name in ("doc_type", "tags", "label", "annexure_order", "located_at")
                    if name in piece
                },
            }
        )
    if not items:
        return {}
    listed = operator.ask("POST", f"{at}/evidence/link", {"items": items})
    return {item["key"]: item["id"] for item in listed["evidence_items"]}


def _wait_for_pack(operator: Caller, at: str, say: Callable[[str], None]) -> Any:
    """The pack once all of its jobs are done."""
    deadline = time.monotonic() + PACK_S
    told = ""
    while time.monotonic() < deadline:
        state = operator.ask("GET", f"{at}/pack")
        job = state["generation_job"]
        step = f"{job['kind']}: {job['step'] or job['status']}, {job['percent']} %"
        if step != told:
            say(f"pack      v{state['pack']['version']} {step}")
            told = step
        if job["status"] in {"dead", "cancelled"} or state["pack"]["status"] == "failed":
            raise DemonstrationError(f"the pack failed: {job['reason']}")
        if state["pack"]["status"] == "generated" and job["status"] == "done":
            return state["pack"]
        time.sleep(0.2)
    raise DemonstrationError(f"the pack was not made within {PACK_S:.0f} seconds: {told}")


def _readiness(readiness: Mapping[str, Any]) -> str:
    score = readiness["completeness_score"]
    return "ready" if readiness["ready"] else f"{score} % complete"


def _digest_by_command_line(read: CaseFile, output: Path) -> str:
    """The digest of the bundle that `zenops build` makes of the same case."""
    library = read_catalogue()
    assert read.case is not None
    assert library.catalogue is not None
    case = as_bundled(read.case)
    path = output / "by-command-line.zip"
    try:
        bundle, problems = write_bundle(
            case, examine(case, library.catalogue).evaluation, library, read.files, path
        )
    finally:
        path.unlink(missing_ok=True)
    if bundle is None:
        raise DemonstrationError(f"zenops build refuses the case: {problems[0].what}")
    return bundle.digest
