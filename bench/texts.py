"""S16 of `bench/serve.py`: texts that a server writes for many clients, whatever runs beside them."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from load import cpu_of
from served import Server, started, trained

__all__ = ["written"]

_ASKED = {"prompt": "the dog ", "length": 200, "temperature": 0.8}


def written(quick: bool) -> Iterator[tuple[Any, ...]]:
    """The rows of the table: what was measured, the value, its unit, and the most that it may be."""
    clients = 8 if quick else 32
    run = trained("text")
    with started(run) as server:
        _text(server, seed=0)
        whole, ends = _text(server, seed=1)
        yield "the first piece of a text of 200 tokens", 1000 * ends[0], "ms", None
        yield "the last one", 1000 * ends[-1], "ms", None
        one = _together(server, 1)
        many = _together(server, clients)
        yield "one text at a time: a token", one[1], "µs CPU", None
        yield f"{clients} texts at a time: a token, {many[2]:,.0f} a second", many[1], "µs CPU", None
        yield "the same, one at a time against together", one[1] / many[1], "×", None
        texts = {1: whole, **many[0]}
        yield f"texts of {len(texts)} that differ from those of Trained.generate", _wrong(run, texts), "", 0
        yield "tokens that are written for a client who has left", _after_leaving(server), "", 1


def _text(server: Server, seed: int) -> tuple[str, list[float]]:
    """A text, and when each of its events came."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    start = time.perf_counter()
    connection.request("POST", "/v1/generate", json.dumps({**_ASKED, "seed": seed}), {"Accept": "text/event-stream"})
    told, when = "", []
    for line in connection.getresponse():
        if line.startswith(b"data: "):
            told += json.loads(line.removeprefix(b"data: ")).get("text", "")
            when.append(time.perf_counter() - start)
    connection.close()
    return told, when


def _together(server: Server, clients: int) -> tuple[dict[int, str], float, float]:
    """Texts by their seeds, written at the same time: µs of the server for a token, and tokens a second."""
    texts: dict[int, str] = {}

    def ask(seed: int) -> None:
        for each in (seed, seed + clients):
            texts[each], _ = _text(server, each)

    asking = [threading.Thread(target=ask, args=(100 + number,)) for number in range(clients)]
    cpu, tokens, start = cpu_of(server.pid), _metric(server, "unrolled_tokens_total"), time.perf_counter()
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    tokens = _metric(server, "unrolled_tokens_total") - tokens
    return texts, (cpu_of(server.pid) - cpu) * 1e6 / tokens, tokens / (time.perf_counter() - start)


def _wrong(run: Any, texts: dict[int, str]) -> int:
    import unrolled

    model = unrolled.load(run)
    return sum("".join(model.generate(**_ASKED, seed=seed)) != text for seed, text in texts.items())  # type: ignore[arg-type]


def _after_leaving(server: Server) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    asked = json.dumps({**_ASKED, "length": 4096})
    connection.request("POST", "/v1/generate", asked, {"Accept": "text/event-stream"})
    answer = connection.getresponse()
    answer.readline()
    answer.close()
    connection.close()
    while _metric(server, "unrolled_texts"):
        time.sleep(0.001)
    tokens = _metric(server, "unrolled_tokens_total")
    time.sleep(0.3)
    return _metric(server, "unrolled_tokens_total") - tokens


def _metric(server: Server, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")))
