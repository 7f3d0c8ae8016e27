"""A store that speaks as much of S3 as reading needs, on the loopback, and fails when it is told to."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["S3Stub"]


class S3Stub:
    """One bucket, ``b``.

    Attributes:
        files: key -> content.
        times: key -> seconds since 1970 of its last change.
        asked: how many requests of each kind came: list, head, get.
        failing: the share of requests that are answered with 503.
        cut: the share of contents that end in the middle.
        before_get: called with a key before its content is sent.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.times: dict[str, float] = {}
        self.asked: Counter[str] = Counter()
        self.failing, self.cut, self.random = 0.0, 0.0, random.Random(0)
        self.before_get: Callable[[str], object] = lambda _: None
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Tests are quiet."""

            def do_HEAD(self) -> None:
                stub._object(self, head=True)

            def do_GET(self) -> None:
                (stub._list if "list-type=2" in self.path else stub._object)(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def put(self, key: str, content: bytes, time: float = 1_700_000_000.0) -> None:
        self.files[key], self.times[key] = content, time

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _list(self, request: BaseHTTPRequestHandler) -> None:
        self.asked["list"] += 1
        prefix = parse_qs(urlsplit(request.path).query).get("prefix", [""])[0]
        keys = [key for key in sorted(self.files) if key.startswith(prefix)]
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.files[key])}</Size><ETag>{self._tag(key)}</ETag>"
            f"<LastModified>{datetime.fromtimestamp(self.times[key], UTC):%Y-%m-%dT%H:%M:%S.%f}Z</LastModified></Contents>"
            for key in keys
        )
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        text = f"<ListBucketResult {space}><Name>b</Name><KeyCount>{len(keys)}</KeyCount>{found}</ListBucketResult>"
        self._send(request, 200, {}, text.encode())

    def _object(self, request: BaseHTTPRequestHandler, *, head: bool = False) -> None:
        self.asked["head" if head else "get"] += 1
        key = unquote(urlsplit(request.path).path).removeprefix("/b/")
        if self.random.random() < self.failing:
            return self._send(request, 503, {}, b"" if head else b"<Error><Code>SlowDown</Code></Error>")
        if not head:
            self.before_get(key)
        if key not in self.files:
            return self._send(request, 404, {}, b"" if head else b"<Error><Code>NoSuchKey</Code></Error>")
        content = self.files[key]
        modified = datetime.fromtimestamp(self.times[key], UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"ETag": self._tag(key), "Last-Modified": modified}
        if head:
            return self._send(request, 200, headers, b"", length=len(content))
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        assert asked is not None, "files are read by ranges"
        first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self._send(request, 206, headers, content[first : last + 1], cut=self.random.random() < self.cut)

    def _tag(self, key: str) -> str:
        return f'"{hashlib.md5(self.files[key] + str(self.times[key]).encode(), usedforsecurity=False).hexdigest()}"'

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        body: bytes,
        length: int | None = None,
        *,
        cut: bool = False,
    ) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body) if length is None else length)}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            request.wfile.flush()
            request.close_connection = True
