"""What the service says to a payment provider and hears from it, whichever it is.

Each module speaks through its provider's own package, which is imported only when it is needed. All
of them offer the same functions, and tell what they hear as `News`. None of them is ever called
inside a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast
from uuid import UUID

from service.errors import ServiceError
from service.identifiers import read_id

if TYPE_CHECKING:
    from service.payments.records import Order, Refund
    from service.settings import Settings

Name = Literal["stripe", "razorpay"]
NAMES: tuple[Name, ...] = ("stripe", "razorpay")
#: What we write into the provider's objects, so that its news names our rows.
ORDER_NOTE, REFUND_NOTE = "zenops_order", "zenops_refund"

Says = Literal[
    # There is a link, and nobody has paid by it yet.
    "open",
    # Somebody has begun to pay, or it is authorised: no money yet.
    "authorized",
    "paid",
    # An attempt failed; by most links another one may be made.
    "failed",
    "expired",
    "cancelled",
    # One refund and its state; or how much has gone back in all.
    "refund",
    "refunded_in_all",
    # One dispute and its state.
    "disputed",
    "dispute_won",
    "dispute_lost",
    # Of a subscription whose price the provider collects by itself.
    "subscription",
    # Nothing that changes what we know.
    "nothing",
]
RefundStatus = Literal["pending", "succeeded", "failed"]
SubscriptionNews = Literal["paid", "cancelled", "past_due", "suspended", "resumed"]


@dataclass(frozen=True, slots=True)
class News:
    """What a provider says of an order, by itself or because it was asked."""

    says: Says
    #: Our order, where the provider's object names it.
    order_id: UUID | None = None
    provider_order_id: str | None = None
    provider_payment_id: str | None = None
    #: In paise, of what is said: paid, refunded, disputed.
    amount: int | None = None
    currency: str | None = None
    url: str | None = None
    #: Why it failed, as the provider's code for it.
    why: str | None = None
    refund_id: UUID | None = None
    provider_refund_id: str | None = None
    refund_status: RefundStatus | None = None
    provider_dispute_id: str | None = None
    #: The provider's id of a subscription, and what is said of it; `provider_payment_id` paid it.
    provider_subscription_id: str | None = None
    of_subscription: SubscriptionNews | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A verified event, as far as storing it needs."""

    provider_event_id: str
    event_type: str
    created_at: datetime | None


class NoAnswerError(Exception):
    """The provider did not answer, or not in a way that says what it did: that is unknown."""


class RefusedError(Exception):
    """The provider said no, and has done nothing; the message holds its code alone."""


class NotSignedError(Exception):
    """No secret of ours has signed these bytes, or too long ago."""


class NotAnEventError(Exception):
    """The bytes are signed, but they are no event."""


class Provider(Protocol):
    """What each module of a provider offers."""

    def is_configured(self, settings: Settings) -> bool:
        """Whether we have an account there."""

    def open_checkout(self, settings: Settings, order: Order) -> News:
        """Have a link made for an order, or find the one that was made for it before.

        Raises:
            NoAnswerError: it is unknown whether there is one.
            RefusedError: there is none.
        """

    def ask(self, settings: Settings, order: Order) -> tuple[News, ...]:
        """Everything that the provider knows of an order.

        Raises:
            NoAnswerError: it did not answer.
            RefusedError: it knows of no such thing.
        """

    def refund(self, settings: Settings, order: Order, refund: Refund) -> News:
        """Give money back; the same refund again is the same refund there.

        Raises:
            NoAnswerError: it is unknown whether it goes back.
            RefusedError: it does not.
        """

    def verify(self, settings: Settings, raw: bytes, headers: Mapping[str, str]) -> Heard:
        """See that the provider has sent these very bytes.

        Raises:
            ServiceError: 401, with the code that says what is missing.
            NotSignedError: the signature is none of ours.
            NotAnEventError: what is signed is no event.
        """

    def read_news(self, event: Mapping[str, object]) -> News:
        """What a stored event says; whatever is not about our orders says nothing."""


def provider_of(name: str) -> Provider:
    """The module of a provider."""
    assert name in NAMES
    return cast("Provider", import_module(f"service.payments.providers.{name}"))


def not_configured(provider: str) -> ServiceError:
    """The refusal of a payment through somebody we have no account with."""
    return ServiceError(
        409,
        "PAYMENT_PROVIDER_NOT_CONFIGURED",
        "Payments through this provider are not set up",
        f"Set the settings ZENOPS_{provider.upper()}_..., or pay through another provider.",
    )


def proof_missing(code: str, title: str, detail: str) -> ServiceError:
    """The refusal of a webhook that does not prove itself."""
    return ServiceError(401, code, title, detail)


def check_signature(
    provider: Name,
    header: str,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    is_signed: Callable[[str, str], bool],
) -> None:
    """See that the signature in a header was made with one of our secrets.

    Args:
        provider: whose event it says it is.
        header: where its signature stands.
        headers: of the request.
        secrets: ours, of which several count while they are exchanged.
        is_signed: whether a signature was made with a secret.

    Raises:
        ServiceError: 401, there is no secret or no signature.
        NotSignedError: it was made with none of them.
    """
    if not secrets:
        raise proof_missing(
            f"{provider.upper()}_WEBHOOK_SECRET_NOT_CONFIGURED",
            f"Events of {provider.capitalize()} are not taken here",
            f"Set ZENOPS_{provider.upper()}_WEBHOOK_SECRETS.",
        )
    signature = headers.get(header, "")
    if not signature:
        raise proof_missing(
            f"MISSING_{provider.upper()}_SIGNATURE",
            "The event is not signed",
            f"{provider.capitalize()} sends the header {header}.",
        )
    if not any(is_signed(signature, secret) for secret in secrets):
        raise NotSignedError


def noted_id(notes: object, name: str) -> UUID | None:
    """The id of ours in what we wrote into a provider's object."""
    found = notes.get(name) if isinstance(notes, Mapping) else None
    return read_id(found) if isinstance(found, str) else None


def part(of: object, *names: str) -> object:
    """What lies at a path of a JSON value; None where the path ends."""
    for name in names:
        of = of.get(name) if isinstance(of, Mapping) else None
    return of


def text_at(of: object, *names: str) -> str | None:
    """The text at a path of a JSON value."""
    found = part(of, *names)
    return found if isinstance(found, str) and found else None


def paise_at(of: object, *names: str) -> int | None:
    """The amount at a path of a JSON value; providers write whole paise."""
    found = part(of, *names)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def currency_at(of: object, *names: str) -> str | None:
    """The currency at a path of a JSON value, in capitals."""
    found = text_at(of, *names)
    return None if found is None else found.upper()
