"""What a route demands of whoever calls it, declared beside the route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

#: Whoever does a firm's work: its people, its programs, and the studio in its name.
OPERATORS = ("web", "service", "studio")
#: Those, and whoever asked the firm for the work.
EVERYBODY = (*OPERATORS, "portal")

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a route.

    `capability` is None where being logged in is enough; `is_public` routes know no actor and get
    no transaction. `takes_files` lets a body be as large as a file may be.
    """

    capability: str | None = None
    audiences: tuple[str, ...] = ("web",)
    is_public: bool = False
    takes_files: bool = False


def access(
    capability: str | None,
    *,
    audiences: tuple[str, ...] = ("web", "service"),
    takes_files: bool = False,
) -> Callable[[View], View]:
    """Declare the capability and the audiences of a view."""

    def declare(view: View) -> View:
        view.access = Access(capability, audiences, takes_files=takes_files)  # type: ignore[attr-defined]
        return view

    return declare


def public(view: View) -> View:
    """Declare that anybody may call a view: login, health, callbacks that prove themselves."""
    view.access = Access(is_public=True)  # type: ignore[attr-defined]
    return view


def with_signed_address(view: View) -> View:
    """Declare that whoever has a signed, short-lived address may send a file to it."""
    view.access = Access(is_public=True, takes_files=True)  # type: ignore[attr-defined]
    return view


def access_of(view: Any) -> Access | None:
    """What a view declares; None is a programmer's mistake, which a test finds."""
    found = getattr(view, "access", None)
    return found if isinstance(found, Access) else None
