"""Signed reports of firms that pay in one way or the other."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from docx import Document
from reportlab.pdfgen.canvas import Canvas
from sqlalchemy import text

from service.billing import accounts, credits
from service.billing.accounts import Account
from service.bootstrap import Service
from service.clock import now
from service.identifiers import new_id
from service.invoices import issuers, prices
from service.invoices import records as invoices
from service.invoices.drafting import draft_for_work_order
from service.invoices.issuing import issue
from service.invoices.settling import settle
from service.objects.storage import put_new
from tests.service.billing.conftest import acting, studio
from tests.service.clients import Client
from tests.service.conftest import Firm
from tests.service.invoices.conftest import ISSUER_GSTIN
from tests.service.packs.specimen import actor_of, as_web, enter, force_ready, read_specimen

CASE = "P04-below-five-crore"


@dataclass(frozen=True)
class Order:
    """A work order, by its address, the firm's person who keeps it, and the studio, which overrides."""

    id: UUID
    user: Any
    desk: Any
    studio: Callable[[], Any] | None = None

    @property
    def path(self) -> str:
        return f"/v1/repogen/work-orders/{self.id}"

    def release(self, key: str | None, client: Any = None, **body: Any) -> Any:
        """The gate's answer; to the studio if it is an override and nobody else is said."""
        given = {} if key is None else {"idempotency_key": key}
        if client is None:
            client = self.studio() if body.get("override") and self.studio else self.desk
        return client.post(f"{self.path}/release-deliverables", json=given | body)

    def pack(self) -> dict[str, Any]:
        found: dict[str, Any] = self.desk.get(f"{self.path}/pack").get_json()
        return found


@pytest.fixture(scope="module")
def look(owner_engine: Any) -> Any:
    """look(query, **values) -> rows as tuples, whoever's they are."""

    def run(query: str, **values: Any) -> list[tuple[Any, ...]]:
        with owner_engine.begin() as connection:
            found = connection.execute(text(query), values)
            return [tuple(row) for row in found] if found.returns_rows else []

    return run


@pytest.fixture
def owner(make_firm: Any, make_user: Any) -> Any:
    """Somebody who may do everything in a firm of their own."""
    return make_user(make_firm(), roles=["super_admin"])


@pytest.fixture
def desk(owner: Any, sign_in: Any) -> Any:
    return sign_in(owner)


@pytest.fixture
def colleague(owner: Any, make_user: Any, sign_in: Any) -> Callable[[str], Any]:
    """colleague(role) -> the client of another person of the firm."""
    return lambda role: sign_in(make_user(Firm(owner.tenant_id, "", ""), [role]))


@pytest.fixture
def studio_desk(
    request: pytest.FixtureRequest, owner: Any, make_user: Any, sign_in: Any
) -> Callable[[], Client]:
    """studio_desk() -> the client of the studio's administrator, in the name of the owner's firm."""

    @cache
    def enter() -> Client:
        # Not before somebody asks: there are tests without a studio.
        studio_tenant = request.getfixturevalue("studio_books")
        inside = sign_in(make_user(Firm(studio_tenant, "", ""), ["super_admin"]), "studio")
        return Client(inside.app, inside.token, {"X-Zenops-Tenant": str(owner.tenant_id)})

    return enter


@pytest.fixture
def make_order(
    service: Service,
    owner: Any,
    desk: Any,
    studio_desk: Callable[[], Client],
    owner_engine: Any,
    look: Any,
) -> Callable[..., Order]:
    """make_order() -> a work order whose report is made, proved and signed.

    Printing is for other tests: the superuser says that it was done, and stores a file for it.
    """

    def make(*, signed: bool = True, generated: bool = True, proven: bool = True) -> Order:
        work_order_id = enter(
            service, owner, read_specimen(CASE), reference=f"release-{new_id().hex[-8:]}"
        )
        force_ready(owner_engine, work_order_id)
        order = Order(work_order_id, owner, desk, studio_desk)
        assert desk.post(f"{order.path}/create-pack").status_code == 201
        if generated:
            finish_pack(service, look, order, proven=proven)
        if signed:
            sign_pack(look, order)
        return order

    return make


def make_next_version(service: Service, look: Any, order: Order) -> None:
    """Make, prove and sign the next version of an order that was reopened."""
    look(
        "update work_orders set status = 'READY_FOR_RENDER' where work_order_id = :id", id=order.id
    )
    assert order.desk.post(f"{order.path}/create-pack").status_code == 201
    finish_pack(service, look, order)
    sign_pack(look, order)


def finish_pack(service: Service, look: Any, order: Order, *, proven: bool = True) -> None:
    """Say of the current pack that its report was printed and proved."""
    ((pack,),) = look(
        "select pack_id from packs where work_order_id = :id"
        " and status in ('generating', 'failed')",
        id=order.id,
    )
    look("update operations set status = 'done' where subject_id = :pack", pack=pack)
    look(
        "update packs set status = 'generated', generated_at = :now where pack_id = :pack",
        now=now(),
        pack=pack,
    )
    for kind in ("bundle", "docx", "pdf") if proven else ("bundle",):
        content = _content(kind, f"the {kind} of {pack}")
        operation = new_id()
        key = f"{order.user.tenant_id}/packs/{pack}/{operation}.{kind}"
        stored = put_new(service.objects, key, content)
        look(
            "insert into operations (tenant_id, operation_id, kind, operation_key, work_order_id,"
            " subject_id, status, created_at, run_after) values (:tenant, :operation,"
            " 'system.probe', :key, :order, :pack, 'done', :now, :now)",
            tenant=order.user.tenant_id,
            operation=operation,
            key=key,
            order=order.id,
            pack=pack,
            now=now(),
        )
        look(
            "insert into pack_artifacts (tenant_id, artifact_id, pack_id, kind, filename,"
            " object_key, media_type, size, sha256, operation_id, created_at) values (:tenant,"
            " :artifact, :pack, :kind, :name, :key, 'application/octet-stream', :size, :sha256,"
            " :operation, :now)",
            tenant=order.user.tenant_id,
            artifact=new_id(),
            pack=pack,
            kind=kind,
            name=f"report.{kind}",
            key=key,
            size=stored.size,
            sha256=stored.sha256,
            operation=operation,
            now=now(),
        )


def _content(kind: str, words: str) -> bytes:
    """A file of the kind that says a few words; what is read before its release is marked."""
    written = io.BytesIO()
    if kind == "docx":
        document = Document()
        document.add_paragraph(words)
        document.save(written)
    elif kind == "pdf":
        canvas = Canvas(written, invariant=True)
        canvas.drawString(72, 700, words)
        canvas.save()
    return written.getvalue() or words.encode()


def sign_pack(look: Any, order: Order) -> None:
    """Have a registered valuer sign the current pack."""
    valuer = new_id()
    look(
        "insert into valuers (tenant_id, valuer_id, name, registration, may_sign, created_at,"
        " updated_at) values (:tenant, :id, 'A. Specimen', :number, true, :now, :now)",
        tenant=order.user.tenant_id,
        id=valuer,
        number=f"CAT-I/SPECIMEN/{valuer.hex[-8:]}",
        now=now(),
    )
    look(
        "insert into sign_offs (tenant_id, sign_off_id, pack_id, bundle_digest, valuer_id,"
        " valuer_name, registration, signed_by, signed_at) select tenant_id, :id, pack_id,"
        " bundle_digest, :valuer, 'A. Specimen', 'CAT-I/SPECIMEN/1', :person, :now from packs"
        " where work_order_id = :order and status = 'generated'",
        id=new_id(),
        valuer=valuer,
        person=order.user.user_id,
        order=order.id,
        now=now(),
    )


@pytest.fixture
def open_credit(service: Service, owner: Any) -> Callable[..., Account]:
    """open_credit(credits) -> the firm's account, which pays with them."""

    def make(granted: int = 10) -> Account:
        actor = studio(owner.tenant_id)
        with acting(service, actor) as connection:
            account = accounts.ensure_account_for(connection, actor)
            if granted:
                credits.grant(connection, actor, account, granted, key=f"grant-{new_id()}")
            return accounts.change_policy(
                connection, actor, account, billing_mode="CREDIT", force_enable_credit=True
            )

    return make


@pytest.fixture
def hold(service: Service) -> Callable[..., UUID]:
    """hold(account, order) -> the id of a hold of one credit for the work order."""

    def make(account: Account, order: Order) -> UUID:
        actor = actor_of(order.user)
        with as_web(service, order.user) as connection:
            status = credits.reserve(
                connection,
                actor,
                account,
                1,
                key=f"work_order_reserve:{order.id}:{new_id()}",
                ref=("work_order", str(order.id)),
                work_order_id=order.id,
            )
        assert status.hold is not None
        return status.hold.hold_id

    return make


@pytest.fixture(scope="module")
def studio_books(service: Service, make_firm: Any) -> UUID:
    """The studio, which has an issuer and a price for reports: its tenant."""
    tenant_id: UUID = make_firm(kind="service").tenant_id
    actor = studio(tenant_id)
    with acting(service, actor) as connection:
        issuers.set_issuer(
            connection,
            actor,
            legal_name="Specimen Studio Private Limited",
            gstin=ISSUER_GSTIN,
            details={"address": ["1 Specimen Road", "Mysuru 570001"], "email": "a@specimen.test"},
        )
        prices.add_price(
            connection,
            actor,
            item="report",
            description="Valuation report",
            sac="998399",
            unit_price=Decimal("1500.00"),
            tax_rate=Decimal(18),
            valid_from=date(2026, 4, 1),
        )
    return tenant_id


@pytest.fixture
def pay(service: Service) -> Callable[..., None]:
    """pay(firm's tenant, invoice id, amount=all) settles an invoice, as the studio."""

    def settled(tenant_id: UUID, invoice_id: UUID, amount: Decimal | None = None) -> None:
        actor = studio(tenant_id)
        with acting(service, actor) as connection:
            found = invoices.find(connection, tenant_id, invoice_id)
            account = accounts.find_account(connection, tenant_id, found.account_id)
            settle(
                connection,
                actor,
                account,
                invoice_id,
                amount=found.due if amount is None else amount,
                mode="bank_transfer",
                reference="NEFT",
                key=f"pay-{new_id()}",
            )

    return settled


@pytest.fixture
def invoice(
    service: Service, owner: Any, studio_books: UUID, pay: Callable[..., None]
) -> Callable[..., UUID]:
    """invoice(order, 'issued') -> the id of an invoice of the work order in that state."""

    def make(order: Order, status: str = "issued") -> UUID:
        assert studio_books, "the studio has to be there to issue"
        actor = studio(owner.tenant_id)
        with acting(service, actor) as connection:
            account = accounts.ensure_account_for(connection, actor)
            drafted = draft_for_work_order(
                connection, actor, account, order.id, key=f"draft-{new_id()}"
            )
            assert drafted is not None
            if status != "draft":
                issue(connection, actor, account, drafted.invoice_id, key=f"i-{new_id()}")
        if status == "paid":
            pay(owner.tenant_id, drafted.invoice_id)
        return drafted.invoice_id

    return make


@pytest.fixture
def credits_of(look: Any) -> Callable[[Account], tuple[int, int, int]]:
    """credits_of(account) -> wallet, reserved and available."""

    def read(account: Account) -> tuple[int, int, int]:
        ((wallet, reserved, available),) = look(
            "select wallet, reserved, available from credit_wallets where account_id = :id",
            id=account.account_id,
        )
        return wallet, reserved, available

    return read


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]
