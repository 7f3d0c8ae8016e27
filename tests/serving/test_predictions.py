from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv
from serving.loopback import Loopback
from serving.test_sockets import value

from unrolled.errors import DataError
from unrolled.runs.trained import Trained

CSV, ARROW, LINES = "text/csv", "application/vnd.apache.arrow.stream", "application/x-ndjson"
TEXTS = ["good food", "bad, bad wine"]


def arrow(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def test_every_form_gives_what_predict_gives(both: Loopback, moods: Trained) -> None:
    expected = moods.predict(TEXTS)
    rows = [{"text": text} for text in TEXTS]
    said = both.ask("POST", "/v1/predict", {"rows": rows})
    assert (said.status, said.headers["content-type"]) == (200, "application/json")
    assert said.json == {"rows": expected.to_pylist()}
    assert both.ask("POST", "/v1/predict?model=moods", {"rows": TEXTS}).json == said.json
    assert both.ask("POST", "/v1/predict", {"columns": {"text": TEXTS}}).json == {"columns": expected.to_pydict()}
    lines = b'text\ngood food\n"bad, bad wine"\n'
    said = both.ask("POST", "/v1/predict", lines, {"content-type": CSV})
    assert said.headers["content-type"].startswith(CSV)
    assert csv.read_csv(io.BytesIO(said.body)).column("mood_predicted") == expected.column("mood_predicted")
    lines_of_json = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    said = both.ask("POST", "/v1/predict", lines_of_json, {"content-type": LINES})
    assert [json.loads(line) for line in said.body.splitlines()] == expected.to_pylist()
    accept = {"content-type": CSV, "accept": f"text/html, {ARROW};q=0.9"}
    said = both.ask("POST", "/v1/predict", lines, accept)
    assert pa.ipc.open_stream(said.body).read_all().to_pydict() == expected.to_pydict()
    said = both.ask("POST", "/v1/predict", arrow(pa.table({"text": TEXTS})), {"content-type": ARROW})
    assert pa.ipc.open_stream(said.body).read_all().to_pydict() == expected.to_pydict()


def test_a_forecast_is_predicted_too(both: Loopback, load: Trained) -> None:
    rows = [value(n) for n in range(30)]
    assert both.ask("POST", "/v1/predict?model=load", {"rows": rows}).json["rows"] == load.predict(rows).to_pylist()
    said = both.ask("POST", "/v1/predict?model=load", {"rows": rows}, {"accept": CSV})
    assert (said.status, said.json["error"]["type"]) == (400, "UsageError")
    assert "CSV has no lists" in said.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (json.dumps({"rows": [{"text": "a"}] * 1_500 + [{"text": [1]}]}).encode(), {}, 422),
        (b"{", {}, 400),
        (b"[]", {}, 400),
        (b"{}", {}, 400),
        (b'{"rows":[],"columns":{}}', {}, 400),
        (b'{"columns":{"text":["a"],"more":[]}}', {}, 422),
        (b'{"rows":[{"text":1},5]}', {}, 422),
        (b'{"rows":[{"txet":"a"}]}', {}, 422),
        (b"no arrow", {"content-type": ARROW}, 400),
        (arrow(pa.table({"text": TEXTS}))[:-30], {"content-type": ARROW}, 400),
        (b"a,b\n1\n", {"content-type": CSV}, 422),
        (b"x", {"content-type": "text/html"}, 415),
        (b'{"rows":["a"]}', {"accept": "text/html"}, 406),
    ],
)
def test_what_cannot_be_read_is_refused(both: Loopback, body: bytes, headers: dict[str, str], status: int) -> None:
    said = both.ask("POST", "/v1/predict", body, headers)
    assert said.status == status, said.json


def test_no_file_of_the_server_is_read(both: Loopback, tmp_path: Path, moods: Trained) -> None:
    (tmp_path / "secret.png").write_bytes(b"no picture: whoever opens it says so")
    paths = [str(tmp_path / "secret.png")] * 2
    with pytest.raises(DataError):
        moods.predict({"text": paths})  # where the data is the user's own, it is opened
    asked: list[tuple[Any, dict[str, str]]] = [
        ({"rows": [{"text": path} for path in paths]}, {}),
        ({"rows": paths}, {}),
        ({"columns": {"text": paths}}, {"accept": "application/json"}),
        ("\n".join(["text", *paths]).encode(), {"content-type": CSV, "accept": "application/json"}),
        (arrow(pa.table({"text": paths})), {"content-type": ARROW, "accept": "application/json"}),
    ]
    for body, headers in asked:
        said = both.ask("POST", "/v1/predict", body, headers).json
        columns = said.get("columns") or {"text": [row["text"] for row in said["rows"]]}
        assert columns["text"] == paths, said
        assert set(said.get("columns", said.get("rows", [{}])[0])) >= {"text", "mood_predicted"}
    assert both.ask("POST", "/v1/predict", {"rows": str(tmp_path)}).status == 400


def test_a_model_that_cannot_stream_says_why(both: Loopback, moods: Trained) -> None:
    with pytest.raises(ValueError) as refused:
        moods.stream()
    for method, path in (("POST", "/v1/sessions"), ("POST", "/v1/sessions?model=moods")):
        said = both.ask(method, path)
        assert (said.status, said.json["error"]["message"]) == (409, str(refused.value))
    with both.connect() as socket:
        error = json.loads(socket.recv(20))["error"]
        assert (error["type"], error["message"]) == ("CannotStream", str(refused.value))
    told = both.ask("GET", "/v1/model").json
    assert (told["streams"], told["cannot_stream"]) == (False, str(refused.value))
    assert both.ask("POST", "/v1/sessions?model=load").status == 201
