from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving.loopback import Loopback, serving
from websockets.exceptions import InvalidStatus

from unrolled.runs.trained import Trained
from unrolled.serving.guard import PROTOCOL

TOKEN = "a token of 24 characters"[:16].replace(" ", "-")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def guarded(load: Trained) -> Iterator[Loopback]:
    with serving({"load": load}, tokens=("another", TOKEN), origin=("https://ours.org",), name=("seq.lan",)) as server:
        yield server


# What a request says of itself, and the status; the same before every address.
TABLE = [
    ({}, 401),
    (BEARER, 200),
    ({"Authorization": "Bearer another"}, 200),
    ({"Authorization": "Bearer anothe"}, 401),
    ({"Authorization": f"Basic {TOKEN}"}, 401),
    ({"Authorization": "Bearer "}, 401),
    ({"Authorization": "Bearer \xe9"}, 401),
    ({**BEARER, "Host": "evil.org"}, 421),
    ({**BEARER, "Host": "127.0.0.1.evil.org"}, 421),
    ({**BEARER, "Host": ""}, 421),
    ({**BEARER, "Host": "seq.lan:8080"}, 200),
    ({**BEARER, "Host": "SEQ.LAN"}, 200),
    ({**BEARER, "Host": "localhost"}, 200),
    ({**BEARER, "Host": "[::1]:80"}, 200),
    ({**BEARER, "Host": "evil.org", "X-Forwarded-Host": "localhost"}, 421),
    ({**BEARER, "Origin": "https://ours.org"}, 200),
    ({**BEARER, "Origin": "http://ours.org"}, 403),
    ({**BEARER, "Origin": "https://ours.org:444"}, 403),
    ({**BEARER, "Origin": "https://ours.org.evil.org"}, 403),
    ({**BEARER, "Origin": "null"}, 403),
    ({**BEARER, "Origin": ""}, 403),
    ({**BEARER, "Origin": "https://localhost", "Host": "localhost"}, 403),
    ({**BEARER, "Origin": "http://localhost:1", "Host": "localhost"}, 403),
    ({**BEARER, "Origin": "http://localhost", "Host": "localhost"}, 200),
    ({**BEARER, "Origin": "https://localhost", "Host": "localhost", "X-Forwarded-Proto": "https"}, 403),
    ({"Origin": "https://ours.org"}, 401),
]


@pytest.mark.parametrize(("headers", "status"), TABLE, ids=str)
def test_who_may_ask(guarded: Loopback, headers: dict[str, str], status: int) -> None:
    sessions = len(guarded.service.sessions)
    assert guarded.ask("GET", "/v1/model", headers=headers).status == status
    if status != 200:
        assert guarded.ask("POST", "/v1/sessions", headers=headers).status == status
        assert guarded.ask("POST", "/v1/never", headers=headers).status == status
        assert len(guarded.service.sessions) == sessions


@pytest.mark.parametrize(
    ("headers", "protocols", "status"),
    [
        ({}, None, 401),
        (BEARER, None, 101),
        ({}, [PROTOCOL, f"bearer.{TOKEN}"], 101),
        ({}, [PROTOCOL, "bearer.wrong"], 401),
        ({**BEARER, "Origin": "https://evil.org"}, None, 403),
        ({**BEARER, "Origin": "null"}, None, 403),
        ({**BEARER, "Origin": "https://ours.org"}, None, 101),
    ],
)
def test_who_may_connect(guarded: Loopback, headers: dict[str, str], protocols: list[str] | None, status: int) -> None:
    sessions = len(guarded.service.sessions)
    if status == 101:
        with guarded.connect(additional_headers=headers, subprotocols=protocols) as socket:
            assert socket.subprotocol == (PROTOCOL if protocols else None)
            assert '"session"' in str(socket.recv(20))
        return
    with pytest.raises(InvalidStatus) as refused:
        guarded.connect(additional_headers=headers, subprotocols=protocols)
    assert refused.value.response.status_code == status
    assert len(guarded.service.sessions) == sessions


def test_health_needs_no_token_but_the_right_host(guarded: Loopback) -> None:
    for path in ("/healthz", "/readyz"):
        assert guarded.ask("GET", path).status == 200
        assert guarded.ask("GET", path, headers={"Host": "evil.org"}).status == 421


def test_a_page_of_an_allowed_origin_is_told_so(guarded: Loopback) -> None:
    asked = {"Origin": "https://ours.org", "Access-Control-Request-Method": "POST"}
    preflight = guarded.ask("OPTIONS", "/v1/sessions", headers=asked)
    assert preflight.status == 204
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    said = guarded.ask("GET", "/v1/model", headers={**BEARER, "Origin": "https://ours.org"})
    assert said.headers["access-control-allow-origin"] == "https://ours.org"
    assert guarded.ask("OPTIONS", "/v1/sessions", headers={"Origin": "https://evil.org"}).status == 403
