"""Exported models take the data's own units and give them back: what `predict` says, from the numbers of the file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from exported import opened

import unrolled
from unrolled.errors import UsageError
from unrolled.export._file import to_onnx
from unrolled.export._graphs import graphs_of
from unrolled.runs.trained import Trained
from unrolled.state import flatten

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

PLAIN: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "steps": 3, "hidden": 6}


def wave(row: int, steps: int = 30) -> list[float | None]:
    """A series with another level and scale in each row; some values are missing."""
    values: list[float | None] = [100 * row + 7 * math.sin(i / 3 + row) for i in range(steps)]
    for at in range(row % 3, steps, 7):
        values[at] = None
    return values


DATA = {"load": [wave(row) for row in range(12)], "site": ["a", "b", "c"] * 4}


def ran(model: Trained, feed: dict[str, Any], name: str = "model") -> dict[str, np.ndarray]:
    """The outputs of an exported graph; states that are not given are the first ones."""
    session = opened(to_onnx(graphs_of(model.task, model.network)[name]))
    rows = len(next(iter(feed.values())))
    state = model.network.initial_state(rows) if model.network.causal else None
    first = {name: value.numpy() for name, value in flatten(state)}
    names = [one.name for one in session.get_outputs()]
    wanted = {one.name for one in session.get_inputs()}
    feed = {name: value for name, value in {**first, **feed}.items() if name in wanted}
    return dict(zip(names, session.run(names, feed), strict=True))


def gaps(missing: np.ndarray) -> np.ndarray:
    """(B, T, C): for how many steps each value has been missing, 0 at the first one of a row."""
    found = np.zeros(missing.shape, np.int64)
    for t in range(1, missing.shape[1]):
        found[:, t] = np.where(missing[:, t], found[:, t - 1] + 1, 0)
    return found


def of_data(model: Trained, data: dict[str, list[Any]]) -> dict[str, Any]:
    """Rows of one length as the inputs of a graph: numbers as they are, NaN where one is missing."""
    feed: dict[str, Any] = {}
    for name, spec in model.task.coder.specs.items():
        if name in data and isinstance(data[name][0], str):
            column = model.encode(model.read(data), target=False).inputs[name].values
            feed[name] = column.astype(np.int64)
        else:
            array = np.array([[np.nan if v is None else v for v in row] for row in data.get(name, data["load"])])
            feed[name] = array[..., None]
            feed[f"{name}.gaps"] = gaps(np.isnan(feed[name]))
        assert spec.time == (feed[name].ndim == 3)
    return {**feed, "lengths": np.full(len(next(iter(feed.values()))), 30)}


@pytest.mark.parametrize("options", [{}, {"quantiles": [0.1, 0.9]}, {"distribution": "gaussian"}], ids=str)
def test_a_forecast_is_that_of_predict(options: dict[str, Any]) -> None:
    model = unrolled.fit(DATA, target="load", horizon=3, lookback=30, model="gru", **PLAIN, **options)
    found, table = ran(model, of_data(model, DATA)), model.predict(DATA)
    names = [name for name in table.column_names if name.startswith("load_") and not name.endswith(("last", "ahead"))]
    assert len(names) >= 2
    for name in names:
        wanted = np.array(table.column(name).to_pylist())
        assert np.allclose(found[name.replace("load_", "answer.")][..., 0], wanted, rtol=1e-5, atol=1e-3), name


def test_one_number_for_a_row() -> None:
    data = {**DATA, "cost": [float(1000 * row) for row in range(12)]}
    model = unrolled.fit(data, target="cost", model="bilstm", **PLAIN)
    found = ran(model, of_data(model, data))["answer.predicted"]
    assert np.allclose(found, model.predict(data).column("cost_predicted").to_pylist(), rtol=1e-5)


def test_a_window_that_is_scaled_by_itself_is_refused() -> None:
    model = unrolled.fit(DATA, target="load", horizon=3, scale="window", model="gru", **PLAIN)
    with pytest.raises(UsageError, match="a model that scales each window"):
        graphs_of(model.task, model.network)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lstm", {"coverage": True, "attention": "additive"}),
        ("gru", {"layers": 2, "attention": "cosine", "tied": True}),
        ("transformer", {"layers": 2}),
        ("gru", {"attention": "none"}),
    ],
)
def test_an_answer_is_written_symbol_by_symbol(name: str, options: dict[str, Any]) -> None:
    data = {"read": ["abcd", "bca", "cab", "dcba"] * 4, "written": ["dcba", "acb", "bac", "abcd"] * 4}
    model = unrolled.fit(
        data,
        task="translate",
        target="written",
        tokens="characters",
        kinds={"read": "tokens"},
        model=name,
        **PLAIN,
        **options,
    )
    examples = model.encode(model.read(data), target=False).inputs["read"]
    rows = np.split(examples.values, examples.offsets[1:-1])
    lengths = np.array([len(row) for row in rows])
    ids = np.array([np.pad(row, (0, int(lengths.max()) - len(row))) for row in rows]).astype(np.int64)
    state, answer = ran(model, {"read": ids, "lengths": lengths}, "encoder"), model.task.coder.answer
    last, here = np.full(len(rows), answer.begin), torch.full((len(rows),), answer.begin)
    start = model.network.read({"read": torch.from_numpy(ids)}, torch.from_numpy(lengths))
    for _ in range(4):
        found = ran(model, {"symbols": last, **state}, "decoder")
        with torch.no_grad():
            scores, start = model.network.step(here, start)
        assert np.allclose(found["outputs"], scores.numpy(), rtol=1e-5, atol=1e-5)
        state |= {name.removesuffix(".after"): value for name, value in found.items() if name.endswith(".after")}
        here = scores.argmax(-1)
        last = here.numpy()
        if "attention" in found:
            assert np.allclose(found["attention"].sum(1), 1, atol=1e-5)
