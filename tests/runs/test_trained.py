"""A trained model meets later data: it is read as the training data was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

import unrolled as ur
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.models import _copies as copies
from unrolled.runs.trained import Trained

SHORT: dict[str, Any] = {"steps": 2, "hidden": 3}


def test_labels_that_look_like_numbers_stay_labels(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x,y\n" + "".join(f"{n},00{7 + n % 2}\n" for n in range(20)))
    model = ur.fit(file, target="y", kinds={"y": "category"}, out=tmp_path / "run", **SHORT)
    assert model.task.labels == ["007", "008"]  # type: ignore[attr-defined]
    assert model.evaluate(file)["accuracy"] >= 0


def test_texts_that_look_like_numbers_stay_texts(tmp_path: Path) -> None:
    model = ur.fit(
        {"review": ["was good", "so bad", "1984 is good", "bad"] * 5, "y": ["p", "n", "p", "n"] * 5},
        target="y",
        kinds={"review": "tokens"},
        out=tmp_path / "run",
        **SHORT,
    )
    (tmp_path / "b.csv").write_text("review\n1984\n2024\n")
    assert model.predict(tmp_path / "b.csv").column("review").to_pylist() == ["1984", "2024"]
    # A list of texts is the one column that the model reads, whatever its name.
    assert model.predict(["the food was good"]).column_names[0] == "review"


def test_a_prompt_of_items_is_taken_apart(tmp_path: Path) -> None:
    rows = [["a", "b", "c"], ["b", "c", "a"], ["c", "New York"]] * 4
    model = ur.fit({"items": rows}, kinds={"items": "tokens"}, out=tmp_path / "run", **SHORT)
    answer: Any = model.task.coder.answer
    assert len(answer.encode_text("a b")) == 1 + 2
    assert len(answer.encode_text("")) == 1
    assert answer.never[0] not in answer.encode_text("a b").tolist()
    assert model.stream().push("New York")


def test_a_text_beside_other_inputs_streams_as_it_trained(tmp_path: Path) -> None:
    data = {"text": ["abcab", "bcabc", "cabca"] * 6, "size": [1.0, 2.0, 3.0] * 6}
    options: dict[str, Any] = {
        "task": "next_step",
        "target": "text",
        "inputs": ["text", "size"],
        "kinds": {"text": "tokens"},
    }
    model = ur.fit(data, out=tmp_path / "run", tokens="characters", **options, **SHORT)
    live = model.stream()
    for letter in "abca":
        last = live.push({"text": letter, "size": 1.0})
    whole = model.predict({"text": ["abca"], "size": [1.0]}).to_pylist()[0]
    assert last["text_p"] == pytest.approx(whole["text_p"], abs=1e-6)
    with pytest.raises(UsageError, match="this model also reads size"):
        list(model.generate("a"))


def test_a_word_goes_on_behind_the_prompt_with_a_blank(tmp_path: Path) -> None:
    model = ur.fit(
        {"text": ["the cat sat on the mat"] * 12},
        tokens="words",
        out=tmp_path / "run",
        kinds={"text": "tokens"},
        steps=80,
        hidden=16,
        lr=0.02,
    )
    assert "".join(model.generate("the cat", length=3)).startswith(" ")
    assert not "".join(model.generate("the cat ", length=3)).startswith(" ")
    assert not "".join(model.generate("", length=3)).startswith(" ")


@pytest.mark.parametrize("quantiles", [[0.1, 0.9], [0.25, 0.75], [0.95]])
def test_the_forecast_beside_quantiles_is_the_median(quantiles: list[float], tmp_path: Path) -> None:
    waves = {"x": [[float(n % 6) for n in range(90)]]}
    model = ur.fit(
        waves, horizon=2, lookback=6, quantiles=quantiles, plan="fixed", out=tmp_path / "run", **{**SHORT, "steps": 20}
    )
    answer = model.predict(waves).to_pylist()[0]
    assert {name for name in answer if "_q" in name} == {f"x_q{100 * q:g}" for q in quantiles}
    low, high = (answer.get(f"x_q{100 * q:g}") for q in (min(quantiles), max(quantiles)))
    middle = answer["x_predicted"]
    assert all(m <= h for m, h in zip(middle, high, strict=True))
    assert len(quantiles) == 1 or all(a < m < b for a, m, b in zip(low, middle, high, strict=True))


WAVES = {"x": [[float(n % 6) for n in range(90)]]}
ON: dict[str, Callable[[Trained, str], Any]] = {
    "evaluate": lambda model, device: model.evaluate(WAVES, device=device),
    "predict": lambda model, device: model.predict(WAVES, device=device).to_pydict(),
    "backtest": lambda model, device: model.backtest(WAVES, 2, device=device),
    "stream": lambda model, device: model.stream(device=device).push(1.0),
    "pool": lambda model, device: [(pool := model.pool(device=device)).push([(pool.open(), 1.0)])],
}


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return ur.fit(WAVES, horizon=2, lookback=6, out=tmp_path_factory.mktemp("forecast") / "run", **SHORT)


@pytest.mark.parametrize("how", ON.values(), ids=ON)
def test_a_device_is_chosen_or_refused(
    how: Callable[[Trained, str], Any], forecast: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert how(forecast, "cpu") == how(forecast, "auto")
    with pytest.raises(UsageError, match="^device is cuda, but torch finds no GPU; use cpu$"):
        how(forecast, "cuda")
    with pytest.raises(UsageError, match="^device must be auto, cpu or cuda, not 'tpu'$"):
        how(forecast, "tpu")


def test_the_weights_are_hashed_once_for_all_sessions(forecast: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    one = forecast.stream()
    one.push(1.0)
    monkeypatch.setattr(copies, "save_tensors", None)
    other = forecast.stream(one.snapshot())
    pool = forecast.pool()
    pooled = pool.open(one.snapshot())
    assert [one.push(2.0)] == [other.push(2.0)] == pool.push([(pooled, 2.0)])


def test_a_snapshot_of_weights_that_were_trained_further_is_refused(tmp_path: Path) -> None:
    model = ur.fit(WAVES, horizon=2, lookback=6, out=tmp_path / "run", only="none", **SHORT)
    before = model.stream().snapshot()
    optimiser = torch.optim.AdamW(model.network.parameters(), lr=0.1, fused=True)
    for weight in model.network.parameters():
        weight.grad = torch.ones_like(weight)
    optimiser.step()
    with pytest.raises(ModelError, match="belongs to a model with other weights"):
        model.stream(before)
    assert model.stream(model.stream().snapshot()).push(1.0)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    data = {"text": ["was good", "so bad", "is good", "bad"] * 5, "y": ["p", "n", "p", "n"] * 5}
    out = tmp_path_factory.mktemp("reviews") / "run"
    return ur.fit(data, target="y", kinds={"text": "tokens"}, live=True, out=out, **SHORT)


@pytest.mark.parametrize("name", [None, "text", "review"])
def test_a_series_is_the_one_column_that_a_model_reads(name: str | None, reviews: Trained) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is an extra of the tests")
    series = pandas.Series(["good", "bad"], name=name)
    wanted = reviews.predict(["good", "bad"]).to_pydict()
    for column in (series, pa.array(["good", "bad"]), pa.chunked_array([["good"], ["bad"]])):
        assert reviews.predict(column).to_pydict() == wanted


def test_a_series_of_a_forecast_is_one_sequence(forecast: Trained) -> None:
    waves = WAVES["x"][0]
    assert forecast.predict(pa.array(waves)).to_pydict() == forecast.predict({"x": [waves]}).to_pydict()


def test_a_column_is_no_table_for_a_model_that_reads_several(tmp_path: Path) -> None:
    data = {"a": [float(n) for n in range(20)], "b": [float(n % 3) for n in range(20)], "y": [1.0, 2.0] * 10}
    model = ur.fit(data, target="y", out=tmp_path / "run", **SHORT)
    with pytest.raises(UsageError, match="^a DoubleArray without a name is a column, not a table"):
        model.predict(pa.array([1.5]))
    pandas = pytest.importorskip("pandas", reason="pandas is an extra of the tests")
    with pytest.raises(DataError, match="^the model reads the column 'b', which your data lacks; it has: a$"):
        model.predict(pandas.Series([1.5], name="a"))


def test_a_column_that_is_lacking_is_named_by_what_the_model_does_with_it(reviews: Trained, tmp_path: Path) -> None:
    message = r"^the model reads the column 'text', which your data lacks; it has: txt \(did you mean 'txt'\?\)$"
    for ask in (reviews.predict, reviews.evaluate):
        with pytest.raises(DataError, match=message):
            ask({"txt": ["good"]})
    with pytest.raises(DataError, match=message.replace("your data", "this step of the stream")):
        reviews.stream().push({"txt": "good"})
    with pytest.raises(DataError, match="^the model answers the column 'y', which your data lacks; it has: text$"):
        reviews.evaluate({"text": ["good"]})
    (tmp_path / "new.csv").write_text("txt\ngood\n")
    with pytest.raises(DataError, match="^the model reads the column 'text', which .*new.csv lacks; it has: txt"):
        reviews.predict(tmp_path / "new.csv")


def test_what_groups_the_steps_must_be_there_too(tmp_path: Path) -> None:
    steps = {
        "shop": [n // 20 for n in range(80)],
        "day": [n % 20 for n in range(80)],
        "sold": [n % 5 * 1.0 for n in range(80)],
    }
    model = ur.fit(steps, by="shop", order="day", target="sold", horizon=2, lookback=4, out=tmp_path / "run", **SHORT)
    for name in ("shop", "day"):
        left = {column: cells for column, cells in steps.items() if column != name}
        with pytest.raises(DataError, match=f"^the model reads the column '{name}', which your data lacks; it has: "):
            model.predict(left)


def test_a_loop_of_ones_own_gets_the_batches_of_training(tmp_path: Path) -> None:
    data = {"walk": [[0.0, 1.0], [2.0], [3.0, 1.0, 2.0]], "rises": [True, False, True]}
    options: dict[str, Any] = {"model": "lstm", "steps": 1, "hidden": 2, "batch": 2, "valid": 0, "quiet": True}
    model = ur.fit(data, target="rises", out=tmp_path / "run", **options)
    assert repr(model) == f"Trained('classify', 'lstm', of 'walk', in '{tmp_path / 'run'}')"
    first, again, other = (model.batches(data, epoch=epoch) for epoch in (0, 0, 1))
    assert sorted(int(n) for batch in first for n in batch.lengths) == [1, 2, 3]
    assert all(torch.equal(a.lengths, b.lengths) for a, b in zip(first, again, strict=True))
    assert len(other) == 2
    outputs, _ = model.network.run(first[0])
    loss, count = model.task.loss(outputs, first[0])
    assert count == len(first[0].lengths) and loss.requires_grad
