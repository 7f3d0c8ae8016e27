"""Triton's own client reads what the server says in the Open Inference Protocol, and gets the answers of predict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.loopback import Loopback

from unrolled.runs.trained import Trained

triton = pytest.importorskip("tritonclient.http", reason="the client of Triton is not installed")
LOAD, TEMP = [10.0, 11.0, 9.5, 12.0], [5.0, 4.0, 6.0, 5.5]


@pytest.fixture
def client(writing: Loopback) -> Any:
    return triton.InferenceServerClient(f"127.0.0.1:{writing.port}")


def tensor(name: str, values: Any, kind: str) -> Any:
    array = np.asarray(values)
    found = triton.InferInput(name, list(array.shape), kind)
    found.set_data_from_numpy(array.astype(object) if kind == "BYTES" else array, binary_data=False)
    return found


def asked(client: Any, model: str, inputs: list[Any], names: list[str]) -> Any:
    outputs = [triton.InferRequestedOutput(name, binary_data=False) for name in names]
    return client.infer(model, inputs, outputs=outputs, request_id="7")


def test_health_and_what_there_is(client: Any, load: Trained) -> None:
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("load")
    assert client.get_server_metadata()["name"] == "unrolled"
    told = client.get_model_metadata("load")
    assert {one["name"]: (one["datatype"], one["shape"]) for one in told["inputs"]} == {
        "load": ("FP64", [-1, -1]),
        "temp": ("FP64", [-1, -1]),
        "lengths": ("INT64", [-1]),
    }
    assert client.get_model_metadata("load", model_version=told["versions"][0]) == told
    with pytest.raises(Exception, match="has the version"):
        client.get_model_metadata("load", model_version="2")


def test_rows_of_different_lengths_are_answered_as_by_predict(client: Any, load: Trained) -> None:
    inputs = [
        tensor("load", [LOAD, [10.0, 11.0, 0, 0]], "FP64"),
        tensor("temp", [TEMP, [5.0, 4.0, 0, 0]], "FP64"),
        tensor("lengths", [4, 2], "INT64"),
    ]
    found = asked(client, "load", inputs, ["load_predicted"])
    rows = [{"load": LOAD, "temp": TEMP}, {"load": LOAD[:2], "temp": TEMP[:2]}]
    wanted = load.predict(rows).column("load_predicted").to_pylist()
    np.testing.assert_array_equal(found.as_numpy("load_predicted"), wanted)
    assert found.get_response()["id"] == "7"


def test_texts_are_bytes(client: Any, writer: Trained) -> None:
    found = asked(client, "texts", [tensor("x", [b"the dog", b"the d"], "BYTES")], ["x_predicted", "x_p"])
    wanted = writer.predict(["the dog", "the d"])
    assert found.as_numpy("x_predicted").tolist() == wanted.column("x_predicted").to_pylist()
    np.testing.assert_array_equal(found.as_numpy("x_p"), wanted.column("x_p").to_pylist())


def test_no_file_of_the_server_is_read(both: Loopback, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"no picture: whoever opens it says so")
    texts = {"name": "text", "shape": [2], "datatype": "BYTES", "data": [str(tmp_path / "secret.png")] * 2}
    said = both.ask("POST", "/v2/models/moods/infer", {"inputs": [texts]})
    assert (said.status, said.json["outputs"][0]["name"]) == (200, "mood_predicted"), said.body


def test_bad_tensors_are_refused_in_a_sentence(writing: Loopback) -> None:
    good = {"name": "x", "shape": [1], "datatype": "BYTES", "data": ["the"]}
    for changed, status, message in (
        ({"name": "y"}, 400, "the input 'x' is missing; the model reads x"),
        ({"shape": [1, 1]}, 400, "expected BYTES"),
        ({"shape": [2]}, 400, "has 1 values for the shape"),
        ({"shape": [0], "data": []}, 400, "at least one"),
        ({"data": 1}, 400, "cannot be read"),
    ):
        said = writing.ask("POST", "/v2/models/texts/infer", {"inputs": [{**good, **changed}]})
        assert (said.status, message in said.json["error"]) == (status, True), said.body
    binary = {"inference-header-content-length": "5"}
    assert writing.ask("POST", "/v2/models/texts/infer", {"inputs": [good]}, headers=binary).status == 415
    assert writing.ask("POST", "/v2/models/no/infer", {"inputs": [good]}).status == 404
    other = {"inputs": [good], "outputs": [{"name": "z"}]}
    assert "no output 'z'; there are x_predicted" in writing.ask("POST", "/v2/models/texts/infer", other).body.decode()
