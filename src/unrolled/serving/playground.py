"""The page at ``/``: values in by hand or from a file, and answers drawn as they come."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from unrolled.page.document import Section, document

__all__ = ["playground"]

_BODY = (
    "<p>Type, or drop a file, and watch the answers live. The page asks the server that it came from, and nobody "
    "else.</p>"
)
_STATE = "<p>The numbers that the model remembers, after each answer that is drawn.</p>"
_INSIDE = "<p>The gates, states and chances of an inspection, over what the session has read so far.</p>"
_VIEWS = (  # that an inspection may have
    *("attention", "developing", "fan", "gates", "labels", "loss", "next", "picture", "ranked", "roll", "strips"),
    *("text", "units", "unrolled"),
)
_SCRIPT = re.compile("<script>(.*?)</script>", re.DOTALL)


async def playground(_: Request) -> Response:
    """``GET /``: a page on which to try the models. It says nothing of them; it asks, with a token if there is one."""
    html, policy = _page()
    return HTMLResponse(
        html,
        headers={
            "content-security-policy": policy,
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        },
    )


@cache
def _page() -> tuple[str, str]:
    """The page, and what a browser lets it do: run this one script, and talk to this server."""
    sections = [
        Section("Live answers", _BODY, "playground", group="live"),
        Section("What the session carries", _STATE, "state", group="live"),
        Section("Inside the model", _INSIDE, "inside", group="live"),
    ]
    html = document("Playground", "unrolled serve", sections, live=True, later=_VIEWS)
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in _SCRIPT.findall(html)
    )
    return html, (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
