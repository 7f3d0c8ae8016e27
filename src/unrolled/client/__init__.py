"""A client of ``unrolled serve``: live sessions that survive cut connections and restarts, predictions, generated text.

Nothing heavy is imported: neither torch nor NumPy. It needs the extra ``client``.

    from unrolled.client import Client

    with Client("http://127.0.0.1:8080").session() as live:
        for row in meter:
            print(live.push(row))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unrolled.client.awaited import AsyncClient
    from unrolled.client.blocking import Client
    from unrolled.client.faults import ServerRefused, Unreachable

__all__ = ["AsyncClient", "Client", "ServerRefused", "Unreachable"]

_HOMES = {"AsyncClient": "awaited", "Client": "blocking", "ServerRefused": "faults", "Unreachable": "faults"}


def __getattr__(name: str) -> Any:
    # So that a module of this folder can be imported without the others, which need a package.
    if name in _HOMES:
        return getattr(importlib.import_module(f"unrolled.client.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'unrolled.client' has no attribute {name!r}")
