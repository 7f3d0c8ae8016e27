"""What a model is made of besides its network: chosen on the validation data, kept with the run, the same again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contracts.runs import same_run

import unrolled as ur
from unrolled.cli.main import main
from unrolled.errors import ModelError, UsageError
from unrolled.metrics.metric import cost
from unrolled.runs import fit as runs_fit
from unrolled.runs.composition import solved_again
from unrolled.runs.trained import Trained
from unrolled.solved.solved_model import SOLVED, SolvedModel

_dice = random.Random(0)
_words = ["ab", "cd", "efg", "hij"]
TEXTS = [" ".join(_dice.choice(_words) for _ in range(8)) for _ in range(240)]
LETTERS: dict[str, Any] = {"text": TEXTS[:40]}
WAVE: dict[str, Any] = {"load": (5 * np.sin(np.arange(150) * 2 * np.pi / 7)).round(2).tolist()}
SMALL: dict[str, Any] = {"steps": 3, "hidden": 4, "device": "cpu", "quiet": True}
NEXT: dict[str, Any] = {"tokens": "characters", **SMALL}
AHEAD: dict[str, Any] = {"horizon": 3, **SMALL}


@pytest.fixture(scope="module")
def forecast(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return ur.fit(WAVE, out=tmp_path_factory.mktemp("forecast") / "run", **AHEAD)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Words of letters after three steps of training: their n-grams know far more."""
    return ur.fit(LETTERS, out=tmp_path_factory.mktemp("letters") / "run", **NEXT)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The same words after training: network and n-grams know more together."""
    more = {"steps": 90, "hidden": 16, "lr": 0.02, "model": "lstm"}  # a network that is asked for stays
    return ur.fit({"text": TEXTS}, out=tmp_path_factory.mktemp("mixed") / "run", **NEXT | more)


def chosen(model: Trained, field: str) -> list[Any]:
    return [choice.value for choice in model.config.plan if choice.field == field]


def test_a_network_starts_from_the_best_on_validation(forecast: Trained) -> None:
    members: dict[str, type[SolvedModel]] = SOLVED.members()
    measure, rows = forecast.task.chooses, forecast.baselines["valid"]
    able = {name: rows[one.name][measure] for name, one in members.items() if one.starts and one.name in rows}
    assert len(able) > 2
    best = min(able, key=lambda name: (cost(measure, able[name]), name))
    assert (forecast.config.model.start, chosen(forecast, "start")) == (best, [best])
    assert cost(measure, forecast.metrics["valid"][measure]) <= cost(measure, able[best]) + 1e-6


def test_a_mixture_over_items_is_one_model(tmp_path: Path) -> None:
    """The followers of a ring know more than three steps of training: judged, kept, continued and live as one."""
    rings = {"item": [[f"i{(start + step) % 9}" for step in range(start % 5 + 3)] for start in range(60)]}
    options: dict[str, Any] = {"kinds": {"item": "tokens"}, "blend": ["follower", "unigram"], **SMALL}
    model = ur.fit(rings, out=tmp_path / "run", **options)
    assert {*model.config.model.blend} == {"follower", "unigram"}
    again = ur.load(tmp_path / "run")
    table = model.predict(rings)
    assert again.predict(rings).equals(table)
    assert again.evaluate(rings) == model.evaluate(rings)
    for row, chances in zip(rings["item"][:6], table["item_top_p"].to_pylist(), strict=False):
        live = again.stream()
        for item in row:
            answer = live.push(item)
            live = again.stream(live.snapshot())
        assert answer["item_top_p"] == pytest.approx(chances, rel=1e-4)


def test_a_network_never_starts_from_what_memorises(letters: Trained) -> None:
    """N-grams have seen the training data, so that nothing is left to learn there."""
    assert not SOLVED.get("ngram").starts
    assert letters.config.model.start is None


def test_a_network_that_knows_less_is_mixed(mixed: Trained) -> None:
    assert mixed.config.model.blend[0] == "ngram" == chosen(mixed, "blend")[0]
    measure = mixed.task.chooses
    assert mixed.metrics["valid"][measure] <= mixed.baselines["valid"]["5-gram"][measure] + 1e-6


def test_a_network_that_knows_nothing_more_is_left_out(letters: Trained, forecast: Trained) -> None:
    """One is mixed in with a share of 1, the other is what the network started from."""
    start = forecast.config.model.start
    assert (letters.config.model.only, letters.config.model.blend) == ("ngram", ())
    assert (forecast.config.model.only, forecast.config.model.blend) == (start, ())
    assert (chosen(letters, "only"), chosen(forecast, "only")) == (["ngram"], [start])
    for model in (letters, forecast):
        assert isinstance(model.network, SolvedModel) and not list(model.network.parameters())
        measure = model.task.chooses
        assert model.metrics["valid"][measure] == model.baselines["valid"][model.network.title][measure]
        assert "steps of a network did not better it" in " ".join(model.sentences("valid"))
        assert type(ur.load(model.folder).network) is type(model.network)


@pytest.mark.parametrize("options", [{"only": "none"}, {"model": "gru"}, {"plan": "fixed"}])
def test_a_network_that_was_asked_for_stays(options: dict[str, Any], tmp_path: Path) -> None:
    model = ur.fit(LETTERS, out=tmp_path / "run", **NEXT, **options)
    assert model.config.model.alone is None and model.network.layer is not None
    assert chosen(model, "only") == []


@pytest.mark.parametrize(
    ("data", "options", "names"),
    [
        (WAVE, {"horizon": 3}, ["theta"]),
        (LETTERS, {"tokens": "characters"}, ["ngram", "unigram"]),
        (
            {"words": [t.split() for t in TEXTS], "tag": [t.split() for t in TEXTS]},
            {"target": "tag"},
            ["word_features"],
        ),
        ({"text": TEXTS, "first": [t[0] for t in TEXTS]}, {"target": "first"}, ["majority", "ngrams_of_text"]),
    ],
)
def test_a_solved_model_is_a_run_without_training(
    data: Any, options: dict[str, Any], names: list[str], tmp_path: Path
) -> None:
    for name in names:
        seen: list[Any] = []
        given = {"only": name, "device": "cpu", "quiet": True, **options}
        model = ur.fit(data, out=tmp_path / name, hooks=(seen.append,), **given)
        assert {event["kind"] for event in seen} == {"valid_final"}
        assert model.network.title == SOLVED.get(name).name and chosen(model, "only") == []
        measure = model.task.chooses
        assert model.metrics["valid"][measure] == model.baselines["valid"][model.network.title][measure]
        again = ur.load(tmp_path / name)
        assert (again.config, again.metrics) == (model.config, model.metrics)
        assert again.predict(data).equals(model.predict(data))
        assert again.evaluate(data) == model.evaluate(data)
        assert SOLVED.get(name).name in str(again.describe())
        card = (tmp_path / name / "README.md").read_text()
        assert "Solved with" in card and "Gradients" not in card


def test_a_solved_model_learns_the_validation_data_and_streams(tmp_path: Path) -> None:
    given = {"only": "last_value", "device": "cpu", "quiet": True, "horizon": 2}
    weights = [
        ur.fit(WAVE, out=tmp_path / refit, refit=refit, **given).network.get_buffer("mean") for refit in ("no", "yes")
    ]
    values = torch.tensor(WAVE["load"])
    assert weights[0].item() == pytest.approx(0, abs=1e-6) and weights[1].item() != weights[0].item()
    live, snapshot = ur.load(tmp_path / "yes").stream(), None
    for value in values.tolist():
        live = ur.load(tmp_path / "yes").stream(snapshot)
        found = live.push({"load": value})
        snapshot = live.snapshot()
    assert found["load_predicted"] == pytest.approx([values[-1].item()] * 2, abs=1e-5)


def test_solved_models_are_mixed_without_a_network(tmp_path: Path) -> None:
    given = {"only": "theta", "blend": ["last_value"], "horizon": 2, "device": "cpu", "quiet": True}
    model = ur.fit(WAVE, out=tmp_path / "run", **given)
    assert model.network.title == "theta and last value" and not list(model.network.parameters())
    again = ur.load(tmp_path / "run")
    assert again.predict(WAVE).equals(model.predict(WAVE))
    live = again.stream()
    for value in WAVE["load"]:
        found = live.push({"load": value})
    assert found["load_predicted"] == pytest.approx(again.predict(WAVE)["load_predicted"][0].as_py(), abs=1e-4)
    with pytest.raises(UsageError, match="memory only works with a network; this model is the theta and last value"):
        ur.memory(again, WAVE)


def test_what_only_a_network_can_is_refused(letters: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="memory only works with a network; this model is the 5-gram, which is solved"):
        ur.memory(letters, LETTERS)
    with pytest.raises(
        UsageError, match="is the 5-gram, which is solved: train that run with only none to keep its network"
    ):
        ur.fit(LETTERS, init_from=str(letters.folder), out=tmp_path / "run", steps=1)
    for option, value in {"hidden": 3, "steps": 2, "start": "ngram", "init_from": str(letters.folder)}.items():
        with pytest.raises(UsageError, match=f"{option} is about a network, and only ngram is a model without one"):
            ur.fit(LETTERS, only="ngram", out=tmp_path / "run", **{option: value})


def test_a_solved_model_continues_a_text(letters: Trained) -> None:
    text = "".join(ur.load(letters.folder).generate("ab c", length=30, temperature=0.1))
    assert text.startswith("d ") and {*text.split()[1:-1]} <= {*_words}


def test_a_solved_run_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"only": "ets", "horizon": 3, "device": "cpu", "quiet": True}

    def stop(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runs_fit, "judge", stop)
        ur.fit(WAVE, out=tmp_path / "run", **given)
    with pytest.raises(ModelError, match="has no weights yet"):
        ur.load(tmp_path / "run")
    again = ur.fit(WAVE, out=tmp_path / "run", resume=True)
    assert again.network.title == "exponential smoothing"
    assert ur.fit(WAVE, out=tmp_path / "run", resume=True).metrics == again.metrics


def test_nothing_is_mixed_where_it_does_not_help(tmp_path: Path) -> None:
    """Letters by chance: no n-gram is better than their frequencies, which the network begins with."""
    draw = random.Random(1)
    table = {"text": ["".join(draw.choice("abcdefgh") for _ in range(30)) for _ in range(30)]}
    model = ur.fit(table, out=tmp_path / "run", **NEXT)
    assert (model.config.model.blend, chosen(model, "blend")) == ((), [])


@pytest.mark.parametrize(
    ("options", "start", "blend"),
    [
        ({"start": "none", "blend": ["none"]}, "none", ("none",)),
        ({"start": "theta", "blend": ["none"]}, "theta", ("none",)),
        ({"plan": "fixed"}, None, ()),
        ({"plan": "fixed", "start": "ets", "blend": ["theta"]}, "ets", ("theta",)),
        ({"start": "ets", "valid": 0}, "ets", ()),
        ({"only": "none"}, "arima", ()),
    ],
)
def test_what_a_user_asks_for_is_taken(
    options: dict[str, Any], start: str | None, blend: tuple[str, ...], tmp_path: Path
) -> None:
    model = ur.fit(WAVE, out=tmp_path / "run", **AHEAD, **options)
    assert model.config.model.start == start
    if "blend" in options or options.get("plan") == "fixed" or "valid" in options:
        assert (model.config.model.blend or ()) == blend
    again = ur.load(tmp_path / "run")
    assert again.network.title == model.network.title
    assert again.predict(WAVE).equals(model.predict(WAVE))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "etc"}, r"there is no solved model 'etc'\. Did you mean 'ets'\?"),
        ({"blend": ["etc"]}, r"there is no solved model 'etc'\. Did you mean 'ets'\?"),
        ({"only": "etc"}, r"there is no solved model 'etc'\. Did you mean 'ets'\?"),
        ({"start": "rocket"}, "the solved model 'rocket' cannot answer the task 'forecast' on this data"),
        ({"blend": ["rocket"]}, "the solved model 'rocket' cannot answer the task 'forecast' on this data"),
        ({"blend": ["ets"], "valid": 0}, "blend ets: its share is chosen on validation data, and there is none"),
    ],
)
def test_what_cannot_be_is_refused_before_training(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    seen: list[Any] = []
    with pytest.raises(UsageError, match=message):
        small = {"horizon": 3, "device": "cpu"} if "only" in options else AHEAD
        ur.fit(WAVE, out=tmp_path / "run", hooks=(seen.append,), **small, **options)
    assert seen == [] and not (tmp_path / "run").exists()


def test_an_unknown_name_is_an_error_of_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "load.csv"
    file.write_text("load\n" + "\n".join(map(str, WAVE["load"])))
    words = ["fit", str(file), "--horizon", "3", "--steps", "1", "--out", str(tmp_path / "run")]
    for name in ("--start", "--blend"):
        assert main([*words, name, "etc"]) == 2
        assert "etc" in capsys.readouterr().err


def test_what_cannot_stream_is_left_out_of_a_live_model(tmp_path: Path) -> None:
    wave = [[float(np.sin((0.8 if n % 2 else 0.4) * t + n)) for t in range(40)] for n in range(30)]
    table = {"wave": wave, "quick": [bool(n % 2) for n in range(30)]}
    model = ur.fit(table, target="quick", live=True, out=tmp_path / "run", **SMALL)
    assert model.network.cannot_stream is None
    for name in model.config.model.blend:
        assert SOLVED.get(name).causal
    model.stream().push({"wave": 0.5})


def test_a_mixture_is_kept_with_the_run_and_streams_as_it_predicts(mixed: Trained) -> None:
    letters, again = mixed, ur.load(mixed.folder)
    assert again.network.title == letters.network.title
    assert again.metrics == letters.metrics
    row = {"text": TEXTS[0]}
    assert again.predict([row]).equals(letters.predict([row]))
    assert again.evaluate(LETTERS) == letters.evaluate(LETTERS)
    whole, parts = again.stream(), again.stream()
    expected = whole.push(row)
    for piece in (TEXTS[0][:7], TEXTS[0][7:]):
        found = parts.push({"text": piece})
        parts = letters.stream(parts.snapshot())
    assert found == expected


def test_a_forecast_from_a_solved_model_streams_as_it_predicts(forecast: Trained) -> None:
    values = WAVE["load"][:100]
    expected = forecast.predict({"load": values}).column("load_predicted")[0].as_py()
    live = forecast.stream()
    for value in values:
        found = live.push({"load": value})
    assert found["load_predicted"] == pytest.approx(expected, abs=1e-4)


def test_what_does_not_apply_to_more_data_stays_as_it_is(forecast: Trained) -> None:
    before = {name: weights.clone() for name, weights in forecast.network.state_dict().items()}
    assert solved_again(forecast.config, forecast.network, {}) == (forecast.config, forecast.network)
    assert all(torch.equal(weights, before[name]) for name, weights in forecast.network.state_dict().items())


@pytest.mark.parametrize(
    ("where", "name"), [("train", "letters"), ("judge", "forecast"), ("manifest", "letters"), ("manifest", "forecast")]
)
def test_a_run_that_stops_beside_its_training_ends_the_same(
    where: str, name: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished: Trained = request.getfixturevalue(name)
    out, (data, options) = tmp_path / "run", {"letters": (LETTERS, NEXT), "forecast": (WAVE, AHEAD)}[name]

    def stop(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if where == "manifest":  # everything is written but the line that ends the run
            patch.setattr("unrolled.runs.outcome.write_manifest", stop)
        else:
            patch.setattr(runs_fit, where, stop)
        ur.fit(data, out=out, **options)
    assert not (out / "manifest.json").exists()
    again = ur.fit(data, out=out, resume=True)
    assert again.config.plan == finished.config.plan
    same_run(out, Path(str(finished.folder)))


def test_the_plan_of_a_resumed_run_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"

    def stop(*arguments: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(runs_fit, "train", stop)
        ur.fit(WAVE, out=out, **AHEAD)
    monkeypatch.setattr("unrolled.runs.encode.choose_open", stop)  # never asked again
    model = ur.fit(WAVE, out=out, resume=True)
    assert chosen(model, "start") == [model.config.model.start]
