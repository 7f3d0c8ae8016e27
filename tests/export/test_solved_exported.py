"""Solved models, and networks that start from them or are mixed with them, in onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from export.test_units import DATA, of_data, ran

import unrolled
from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.errors import UsageError
from unrolled.runs.trained import Trained
from unrolled.state import flatten

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

NETWORK: dict[str, Any] = {"steps": 2, "hidden": 4, "model": "gru"}
SHORT: dict[str, Any] = {"horizon": 3, "lookback": 30, "target": "load"}
ROWS = {
    "age": [float(n % 9) for n in range(60)],
    "city": ["a", "b", "c"] * 20,
    "kind": ["x" if n % 9 > 4 else "y" for n in range(60)],
}


@pytest.mark.parametrize(
    "options",
    [
        {"only": "linear_window"},
        {"only": "last_value"},
        {"only": "arima"},
        {"only": "ets", "season": 6},
        {"only": "theta", "quantiles": [0.1, 0.9]},
        {"only": "median_forecast", "distribution": "gaussian"},
        {"only": "mean"},
        {"only": "seasonal_naive", "season": 4, "quantiles": [0.1, 0.9]},
        {"start": "last_value", "blend": ["linear_window"], **NETWORK},
        {"start": "linear_window", "distribution": "gaussian", "only": "none", "blend": ["none"], **NETWORK},
    ],
    ids=lambda one: "-".join(str(value) for value in one.values()),
)
def test_a_forecast_is_that_of_predict_whole_and_in_chunks(options: dict[str, Any]) -> None:
    model = unrolled.fit(DATA, **{**SHORT, **options})
    feed, table = of_data(model, DATA), model.predict(DATA)
    states: dict[str, Any] = {}
    for begin, end in ((0, 9), (9, 30)):
        part = {name: value[:, begin:end] if value.ndim == 3 else value for name, value in feed.items()}
        found = ran(model, {**part, "lengths": np.full(12, end - begin), **states})
        states = {name.removesuffix(".after"): value for name, value in found.items() if name.endswith(".after")}
    for which in (found, ran(model, feed)):
        wanted = np.array(table.column("load_predicted").to_pylist())
        assert np.allclose(which["answer.predicted"][..., 0], wanted, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    "options", [{"only": "linear"}, {"only": "majority"}, {"blend": ["linear"], "start": "none", **NETWORK}]
)
def test_labels_of_rows_are_those_of_the_model(options: dict[str, Any]) -> None:
    model = unrolled.fit(ROWS, target="kind", **{**options, "model": "mlp"} if "model" in options else options)
    wanted, batch = outputs_of(model)
    ages = np.array(ROWS["age"])[batch.rows.numpy(), None]
    found = ran(model, {"age": ages, "city": batch.inputs["city"].numpy()})
    assert np.allclose(found["outputs"], wanted, rtol=1e-5, atol=1e-5)


def test_random_convolutions_count_the_same_steps() -> None:
    data = {**DATA, "kind": ["up" if n % 2 else "down" for n in range(12)]}
    model = unrolled.fit(data, target="kind", only="rocket")
    feed, states = of_data(model, data), dict[str, Any]()
    for begin, end in ((0, 4), (4, 30)):
        part = {name: value[:, begin:end] if value.ndim == 3 else value for name, value in feed.items()}
        found = ran(model, {**part, "lengths": np.full(12, end - begin), **states})
        states = {name.removesuffix(".after"): value for name, value in found.items() if name.endswith(".after")}
    table = model.predict(data)
    wanted = np.array([table.column(f"kind_p_{label}").to_pylist() for label in model.task.labels]).T
    assert np.allclose(ran(model, feed)["answer.p"], wanted, atol=1e-5)
    assert np.allclose(found["answer.p"], wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["ngram", "hidden_markov"])
def test_what_is_counted_of_texts_in_chunks_of_any_lengths(name: str) -> None:
    texts = {"text": ["a long road home", "the long way", "a way home"] * 14}
    model = unrolled.fit(texts, task="next_step", target="text", only=name, tokens="words")
    ids = model.encode(model.read(texts), target=False).inputs["text"].values[:12]
    rows = torch.from_numpy(ids.reshape(3, 4)).long()
    state: Any = model.network.initial_state(3)
    for begin, end, lengths in ((0, 1, [1, 0, 1]), (1, 4, [3, 2, 0])):
        ids, counts = rows[:, begin:end].clone(), torch.tensor(lengths)
        ids[torch.arange(end - begin) >= counts[:, None]] = 10**9  # padding may hold anything
        before = {path: value.numpy() for path, value in flatten(state)}
        found = ran(model, {"text": ids.numpy(), "lengths": np.array(lengths), **before})
        with torch.no_grad():
            wanted, state = model.network({"text": ids}, counts, state)
        assert np.allclose(found["outputs"], wanted, atol=1e-6)
        for path, value in flatten(state):
            assert np.allclose(found[f"{path}.after"], value, atol=1e-6)


def test_the_tag_of_a_token_is_looked_up() -> None:
    data = {
        "w": [["the", "dog", "runs"], ["a", "dog", "sat", "down"]] * 10,
        "y": [["D", "N", "V"], ["D", "N", "V", "P"]] * 10,
    }
    model = unrolled.fit(data, target="y", only="most_frequent_tag")
    ids, lengths = torch.tensor([[3, 4, 10**9], [4, 3, 2]]), torch.tensor([2, 3])
    found = ran(model, {"w": ids.numpy(), "lengths": lengths.numpy()})
    ids[0, 2] = 0
    with torch.no_grad():
        assert np.allclose(found["outputs"], model.network({"w": ids}, lengths)[0], atol=1e-6)


def test_letters_by_place_are_summed_up() -> None:
    letters = np.random.default_rng(3).choice(list("ACGT"), (40, 12))
    data = {"dna": ["".join(row) for row in letters], "kind": [str(row[5]) for row in letters]}
    model = unrolled.fit(data, target="kind", only="letters_by_place", kinds={"dna": "symbols"})
    ids = model.encode(model.read(data), target=False).inputs["dna"].values.reshape(40, -1).astype(np.int64)
    first = ran(model, {"dna": ids[:, :5], "lengths": np.full(40, 5)})
    states = {name.removesuffix(".after"): value for name, value in first.items() if name.endswith(".after")}
    found = ran(model, {"dna": ids[:, 5:], "lengths": np.full(40, ids.shape[1] - 5), **states})
    wanted = model.predict(data).column("kind_predicted").to_pylist()
    assert [model.task.labels[k] for k in found["answer.p"].argmax(1)] == wanted
    whole = ran(model, {"dna": ids, "lengths": np.full(40, ids.shape[1])})
    assert np.allclose(whole["outputs"], found["outputs"], atol=1e-5)


def test_what_has_no_graph_says_how_to_train_one_that_has(tmp_path: Path) -> None:
    texts = {"text": ["a long road home", "the long way"] * 20, "kind": ["a", "b"] * 20}
    model = unrolled.fit(texts, target="kind", kinds={"text": "tokens"}, only="ngrams_of_text")
    with pytest.raises(UsageError, match="train a network without it, with start none blend none only none"):
        model.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def outputs_of(model: Trained) -> tuple[np.ndarray, Batch]:
    """What the model itself gives for a batch of `ROWS`."""
    part = model.read(ROWS)
    examples = model.encode(part, target=False)
    batch = Loader(examples, model._answering(part, examples)[1])[0]
    with torch.no_grad():
        return model.network.run(batch)[0].numpy(), batch
