"""A way to a server that can swallow what is sent: the sockets stay open, and nothing arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@dataclass
class Way:
    """One connection through the relay."""

    near: socket.socket
    far: socket.socket
    is_open: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        # Whoever waited finds its socket closed.
        self.is_open.set()


class Relay:
    """Takes TCP connections on a port of its own and carries them to a Unix socket."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._ways: list[Way] = []
        self._threads: list[threading.Thread] = []
        self._takes_new = True
        self._changing = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._run(self._accept)

    def url(self, url: str) -> str:
        """A database's address, by this way."""
        parts = urlsplit(url)
        assert parse_qs(parts.query)["host"] == [str(self._target.parent)]
        user, _, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}@127.0.0.1:{self.port}", query="").geturl()

    def carried(self) -> int:
        """How many connections there have been."""
        return len(self._ways)

    def swallow(self, *, also_new: bool) -> None:
        """Forward nothing more on what is connected, and if so wished on what will be."""
        with self._changing:
            self._takes_new = not also_new
            for way in self._ways:
                way.is_open.clear()

    def go_on(self) -> None:
        """Forward again; what was sent meanwhile arrives now."""
        with self._changing:
            self._takes_new = True
            for way in self._ways:
                way.is_open.set()

    def close(self) -> None:
        """End every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changing:
            for way in self._ways:
                way.close()
        for thread in self._threads:
            thread.join()
        for way in self._ways:
            way.near.close()
            way.far.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with contextlib.suppress(OSError):
                far.connect(str(self._target))
            way = Way(near, far)
            with self._changing:
                if self._takes_new:
                    way.is_open.set()
                self._ways.append(way)
            self._run(self._carry, way, near, far)
            self._run(self._carry, way, far, near)

    def _carry(self, way: Way, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                way.is_open.wait()
                target.sendall(data)
        # An end is swallowed like anything else.
        way.is_open.wait()
        way.close()

    def _run(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
