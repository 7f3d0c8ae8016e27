from __future__ import annotations

import json

from prometheus_client.parser import text_string_to_metric_families
from serving.loopback import Loopback, serving
from serving.test_sockets import ask, value

from unrolled.runs.trained import Trained


def numbers(server: Loopback) -> dict[str, float]:
    said = server.ask("GET", "/metrics")
    assert said.status == 200
    return {
        f"{sample.name} {' '.join(sample.labels.values())}".strip(): sample.value
        for family in text_string_to_metric_families(said.body.decode())
        for sample in family.samples
    }


def test_the_counts_are_what_clients_sent(load: Trained) -> None:
    with serving({"load": load}) as server:
        ids = [server.ask("POST", "/v1/sessions").json["session"] for _ in range(30)]
        for n in range(1, 4):
            server.ask("POST", "/v1/steps", [[id_, n, value(n)] for id_ in ids])
        with server.connect(f"/v1/live?session={ids[0]}") as socket:
            json.loads(socket.recv(20))
            ask(socket, {"n": 3, "x": value(3)})  # answered again, and not taken
            ask(socket, {"n": 9, "x": value(9)})
            ask(socket, {"n": 4, "x": {"load": ids[1], "temp": ids[2]}})
            found = numbers(server)
        assert found["unrolled_steps_total load"] == 90
        assert found["unrolled_sessions"] == 30
        assert found["unrolled_sockets"] == 1
        assert found["unrolled_steps_waiting load"] == 0
        assert (found["unrolled_errors_total load Conflict"], found["unrolled_errors_total load DataError"]) == (1, 1)
        assert found["unrolled_tick_steps_sum load"] >= 90
        assert found["unrolled_ready"] == 1
        assert found["process_resident_memory_bytes"] > 1e6
        assert len(found) < 100  # however many sessions there are
        assert not any(id_ in name for name in found for id_ in ids)


def test_tokens_are_counted(writing: Loopback) -> None:
    before = numbers(writing)["unrolled_tokens_total"]
    told = writing.ask("POST", "/v1/generate", {"model": "texts", "prompt": "the ", "length": 9, "seed": 1}).json
    found = numbers(writing)
    ended = told["reason"] == "stop"  # the end is a token too
    assert (found["unrolled_tokens_total"] - before, found["unrolled_texts"]) == (told["tokens"] + ended, 0)
