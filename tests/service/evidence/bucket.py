"""A bucket in this process that speaks S3, as far as the object storage asks anything of one.

Objects lie in memory. Requests without a signature, or with an address whose time is over, are refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

from service import clock

KEY_ID = "key-id-of-tests"
NAME = "firm"
_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True)
class Bucket:
    """What a bucket has, and what it was asked: each a method and a key."""

    url: str
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def content(self, key: str) -> bytes:
        """The bytes of an object."""
        return self.objects[key][0]


@contextlib.contextmanager
def bucket_server() -> Iterator[Bucket]:
    """A bucket that answers until the block is left."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Requests) as server:
        made = Bucket(f"http://127.0.0.1:{server.server_address[1]}")
        server.bucket = made  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        key, content = self._key(), self._body()
        if not self._is_signed():
            self._answer(403)
        elif self.headers.get("If-None-Match") == "*" and key in self._bucket.objects:
            self._answer(412, _error("PreconditionFailed"))
        else:
            self._bucket.objects[key] = (content, clock.now())
            self._answer(200, headers={"ETag": _etag(content)})

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        key = self._key()
        if not self._is_signed():
            self._answer(403)
        elif "list-type" in asked:
            self._answer(200, self._listing(asked["prefix"][0]))
        elif key not in self._bucket.objects:
            self._answer(404, _error("NoSuchKey"))
        else:
            content, written = self._bucket.objects[key]
            headers = {"ETag": _etag(content), "Last-Modified": _http_date(written)}
            status, whole = 200, len(content)
            if (wanted := self.headers.get("Range")) is not None:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                end = min(int(last) + 1, whole) if last else whole
                content, status = content[int(first) : end], 206
                headers["Content-Range"] = f"bytes {first}-{end - 1}/{whole}"
            self._answer(status, content, headers)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def do_DELETE(self) -> None:
        if self._is_signed():
            self._bucket.objects.pop(self._key(), None)
        self._answer(204 if self._is_signed() else 403)

    def do_POST(self) -> None:
        """Several are deleted at once: `POST /bucket?delete`."""
        body = ET.fromstring(self._body())  # noqa: S314 - the client's own
        keys = [one.text or "" for one in body.iter() if one.tag.rpartition("}")[2] == "Key"]
        for key in keys:
            self._bucket.objects.pop(key, None)
        gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f'<DeleteResult xmlns="{_XMLNS}">{gone}</DeleteResult>'.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    @property
    def _bucket(self) -> Bucket:
        made: Bucket = self.server.bucket  # type: ignore[attr-defined]
        return made

    def _key(self) -> str:
        key = unquote(urlsplit(self.path).path).removeprefix(f"/{NAME}").lstrip("/")
        self._bucket.asked.append((self.command, key))
        return key

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _is_signed(self) -> bool:
        asked = {key: texts[0] for key, texts in parse_qs(urlsplit(self.path).query).items()}
        if "X-Amz-Signature" not in asked:
            start = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/"
            return self.headers.get("Authorization", "").startswith(start)
        signed_at = datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        until = signed_at + timedelta(seconds=int(asked["X-Amz-Expires"]))
        return asked["X-Amz-Credential"].startswith(f"{KEY_ID}/") and clock.now() < until

    def _listing(self, prefix: str) -> bytes:
        found = "".join(
            f"<Contents><Key>{key}</Key><LastModified>{written:%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><ETag>{_etag(content)}</ETag><Size>{len(content)}</Size></Contents>"
            for key, (content, written) in sorted(self._bucket.objects.items())
            if key.startswith(prefix)
        )
        return (
            f'<ListBucketResult xmlns="{_XMLNS}"><Name>{NAME}</Name><Prefix>{prefix}</Prefix>'
            f"<IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
        ).encode()

    def _answer(
        self, status: int, content: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _http_date(at: datetime) -> str:
    return f"{at:%a, %d %b %Y %H:%M:%S} GMT"
