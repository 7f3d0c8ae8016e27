"""What a client asks over HTTP: predictions, generated text, what the server says of itself."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from unrolled.client.faults import Broken, ServerRefused, error_of
from unrolled.client.links import Server, refusal
from unrolled.client.patience import Patience
from unrolled.client.wire import encoded

__all__ = ["Requests"]

_EVENT = b"data:"


class Requests:
    """Requests to one server, blocking; each is made again while the server asks to wait.

    Args:
        server: where it is.
        patience: seconds after which a request is given up.
        sleep: for tests.
    """

    def __init__(self, server: Server, patience: float, sleep: Callable[[float], object] = time.sleep) -> None:
        self._server, self._patience, self._sleep = server, patience, sleep

    def json(self, method: str, path: str, body: Any = None, **query: str | None) -> Any:
        """The answer to a request, both as JSON."""
        text = None if body is None else encoded(body).encode()
        with self._opened(method, path, text, "application/json", query) as answer:
            found = answer.read()
        return json.loads(found) if found else None

    def state(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The state of a session, read or written."""
        with self._opened(method, path, body, "application/vnd.safetensors", {}) as answer:
            found: bytes = answer.read()
        return found

    def events(self, path: str, body: Any) -> Iterator[Any]:
        """The events of a stream, as JSON, as they come; closing the iterator closes the connection.

        Raises:
            ServerRefused: the server refused it, or an error ended it.
        """
        with self._opened("POST", path, encoded(body).encode(), "text/event-stream", {}) as answer:
            for line in answer:
                if line.startswith(_EVENT) and (data := line.removeprefix(_EVENT).strip()) != b"[DONE]":
                    event = json.loads(data)
                    if isinstance(event, dict) and "error" in event:
                        raise error_of(event["error"])
                    yield event

    def _opened(self, method: str, path: str, body: bytes | None, kind: str, query: Mapping[str, str | None]) -> Any:
        asked = {name: value for name, value in query.items() if value is not None}
        address = f"{self._server.url}{quote(path)}" + (f"?{urlencode(asked)}" if asked else "")
        headers = {**self._server.headers, "Accept": kind, "Content-Type": "application/json"}
        if body is not None and kind != "text/event-stream":
            headers["Content-Type"] = kind
        patience = Patience(self._patience)
        while True:
            # The scheme is http or https: `Server` looks at it.
            request = urllib.request.Request(address, body, headers, method=method)  # noqa: S310
            try:
                return urllib.request.urlopen(request, timeout=self._server.timeout)  # noqa: S310
            except urllib.error.HTTPError as error:
                with error:
                    refused = refusal(error.code, error.read(), error.headers.get("Retry-After"))
                if not isinstance(refused, ServerRefused) or refused.retry_after_s is None:
                    raise refused from None
                failure = Broken(str(refused), refused.retry_after_s)
            except OSError as error:
                failure = Broken(f"{type(error).__name__}: {error}")
            self._sleep(patience.wait(failure))
