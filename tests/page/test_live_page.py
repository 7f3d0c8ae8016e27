"""A live page answers its own address, with its token, to small requests only; and it ends by itself."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from unrolled.errors import DataError
from unrolled.page.live_page import HOST, LivePage


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    if asked.get("bad"):
        raise DataError("the row is odd", file="here")
    return {"is": 2 * asked["x"]}


@pytest.fixture
def page() -> Iterator[LivePage]:
    live = LivePage("<p>Hello</p>", {"/double": _answer}, idle=60)
    server = threading.Thread(target=live.serve)
    server.start()
    yield live
    live.stop()
    server.join(10)
    assert not server.is_alive()


def asks(page: LivePage, method: str, path: str, body: str = "", **head: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection(HOST, page.port, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in head.items()})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return found


def token(page: LivePage) -> dict[str, str]:
    return {"X_Unrolled_Token": page.address.partition("#")[2]}


def test_the_page_and_an_answer(page: LivePage) -> None:
    status, body, head = asks(page, "GET", "/")
    assert (status, body) == (200, "<p>Hello</p>")
    assert head["Cache-Control"] == "no-store"
    assert not [name for name in head if name.lower().startswith("access-control")]
    assert asks(page, "POST", "/double", '{"x": 4}', **token(page))[:2] == (200, '{"is": 8}')


def test_who_has_no_token_or_asks_in_another_name_is_refused(page: LivePage) -> None:
    assert asks(page, "POST", "/double", '{"x": 4}')[0] == 403
    assert asks(page, "POST", "/double", '{"x": 4}', X_Unrolled_Token="guessed")[0] == 403
    assert asks(page, "POST", "/quit", "{}")[0] == 403
    for name in ("evil.example", f"localhost:{page.port}", HOST, f"{HOST}:1"):
        assert asks(page, "GET", "/", Host=name)[0] == 421
        assert asks(page, "POST", "/double", '{"x": 4}', Host=name, **token(page))[0] == 421


def test_large_and_odd_requests_are_refused_and_the_server_lives(page: LivePage) -> None:
    mine = token(page)
    assert asks(page, "POST", "/double", Content_Length=str(10 << 20), **mine)[0] == 413
    for body in ("", "[1]", "{", '{"x"', '{"y": 1}', "[" * 100_000):
        assert asks(page, "POST", "/double", body, **mine)[0] == 400
    status, said, _ = asks(page, "POST", "/double", '{"bad": 1}', **mine)
    assert status == 422 and "the row is odd" in json.loads(said)["error"]
    assert asks(page, "POST", "/double", '{"x": 1}', **mine)[0] == 200


def test_no_path_reads_a_file(page: LivePage) -> None:
    for path in ("/etc/passwd", "/../../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd", "/?x", "/parts/main.js"):
        assert asks(page, "GET", path)[0] == 404
        assert asks(page, "POST", path, "{}", **token(page))[0] == 404
    assert asks(page, "PUT", "/", "{}")[0] == 501


def test_it_listens_on_the_loopback_address_alone(page: LivePage) -> None:
    mine = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for other in mine - {HOST}:
        with pytest.raises(OSError), socket.create_connection((other, page.port), timeout=2):
            pass
    assert page._server.server_address[0] == HOST


def test_it_ends_when_nobody_asks() -> None:
    live = LivePage("", {}, idle=0.1)
    server = threading.Thread(target=live.serve)
    server.start()
    server.join(20)
    assert not server.is_alive()


def test_the_page_can_end_it(page: LivePage) -> None:
    assert asks(page, "POST", "/quit", "{}", **token(page))[0] == 200
