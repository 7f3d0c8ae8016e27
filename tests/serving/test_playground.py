"""The page at ``/`` as a file; `tests/browser/test_playground.py` uses it."""

from __future__ import annotations

import base64
import hashlib
import re

from serving.loopback import Loopback, serving

from unrolled.runs.trained import Trained


def test_the_page_needs_no_token_and_says_nothing_of_the_models(load: Trained) -> None:
    with serving({"load": load}, tokens=("secret",)) as server:
        said = server.ask("GET", "/")
        assert (said.status, said.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"load_predicted" not in said.body and b"secret" not in said.body
        assert server.ask("GET", "/v1/model").status == 401
        assert server.ask("GET", "/", headers={"Host": "evil.example"}).status == 421


def test_a_browser_runs_its_one_script_and_asks_nobody_else(server: Loopback) -> None:
    said = server.ask("GET", "/")
    html, policy = said.body.decode(), said.headers["content-security-policy"]
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert not re.search("(?:src|href)=[\"'](?:https?:)?//", html)


def test_what_the_page_asks_of_a_model(writing: Loopback) -> None:
    asked = [writing.ask("GET", f"/v1/model?model={name}").json for name in ("texts", "load")]
    assert [(one["writes"], one["by"], one["models"]) for one in asked] == [
        (True, "character", ["texts", "load"]),
        (False, None, ["texts", "load"]),
    ]
