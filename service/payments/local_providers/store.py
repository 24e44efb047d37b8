"""What a stand-in knows: its objects by id, its events, and the answers it gave under a key."""

from __future__ import annotations

import copy
import hashlib
import json
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request

from service import clock

#: Letters and digits, as the providers' ids have them.
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass
class Store:
    """The memory of one provider, written to a file after each request if there is one."""

    path: Path | None = None
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: [event id, the event], oldest first.
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: Key -> [digest of the request, status, answer].
    answers: dict[str, tuple[str, int, Any]] = field(default_factory=dict)
    #: What the next requests meet: [method, path's beginning, kind].
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            self.objects = kept["objects"]
            self.events = [(one, event) for one, event in kept["events"]]
            self.answers = {key: tuple(value) for key, value in kept["answers"].items()}

    def save(self) -> None:
        """Write everything to the file, whole or not at all."""
        if self.path is None:
            return
        with self.lock:
            kept = {"objects": self.objects, "events": self.events, "answers": self.answers}
            written = json.dumps(kept)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(written, encoding="utf-8")
            fresh.replace(self.path)

    def add(self, made: dict[str, Any]) -> dict[str, Any]:
        """Keep an object."""
        self.objects[made["id"]] = made
        return made

    def find(self, object_id: str, kind: str) -> dict[str, Any] | None:
        """The object with an id, if it is of a kind."""
        found = self.objects.get(object_id)
        return found if found is not None and _kind(found) == kind else None

    def all_of(self, kind: str, **values: Any) -> list[dict[str, Any]]:
        """The objects of a kind that have these values, newest first."""
        return [
            one
            for one in reversed(list(self.objects.values()))
            if _kind(one) == kind and all(one.get(name) == it for name, it in values.items())
        ]

    def take_fault(self, method: str, path: str) -> str | None:
        """What this request is to meet, which then is over."""
        with self.lock:
            for place, (wanted, beginning, kind) in enumerate(self.faults):
                if wanted == method and path.startswith(beginning):
                    del self.faults[place]
                    return kind
        return None


def _kind(of: dict[str, Any]) -> Any:
    return of.get("object") or of.get("entity")


def random_id(prefix: str, length: int) -> str:
    """An id as providers give them."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def unix_now() -> int:
    """The time as providers write it."""
    return int(clock.now().timestamp())


def as_it_is(one: dict[str, Any]) -> dict[str, Any]:
    """An object as it is at this moment, for an event that is told later."""
    return copy.deepcopy(one)


def public(one: dict[str, Any]) -> dict[str, Any]:
    """An object as the provider shows it: without what is kept beside it under `_` names."""
    return {name: value for name, value in one.items() if not name.startswith("_")}


def digest_of(request: Request) -> str:
    """What makes a request the same one, for the answers that are kept under a key."""
    return hashlib.sha256(request.path.encode() + b"?" + request.get_data()).hexdigest()
