"""Runs that were saved in format 1 open today, and answer as they did then.

Each file in ``runs/expected/format-1`` is one run with its data and its answers; the README.md there says how they were
made. They are never made anew: whoever changes the format keeps these readable.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled as ur
from unrolled.errors import UsageError
from unrolled.kernels.library import active
from unrolled.runs.trained import Trained
from unrolled.storage.tensors import load_tensors
from unrolled.tasks.next_step import END

FOLDER = Path(__file__).parent / "expected" / "format-1"
NAMES = sorted(path.stem for path in FOLDER.glob("*.zip"))
STOPPED = [name for name in NAMES if name.startswith("stopped-")]
FINISHED = [name for name in NAMES if name not in STOPPED]
DESCRIBED = ("weights", "parameters", "multiply_adds_per_step", "multiply_adds_per_step_seen")
DESCRIBED += ("state_bytes", "state_bytes_per_step", "sight")
RENAMED = {"sight": "attention_window"}


class Saved:
    """One saved run, unpacked into the folder where the test runs: its paths are relative."""

    def __init__(self, name: str) -> None:
        if name == "vectors-encoder":
            pytest.importorskip("transformers", reason="this run holds an encoder of transformers")
        with zipfile.ZipFile(FOLDER / f"{name}.zip") as file:
            file.extractall()
        self.expected: dict[str, Any] = json.loads(Path("expected.json").read_text("utf-8"))
        self.data = _data(self.expected["source"])

    def open(self) -> Trained:
        return ur.load("run")


KEPT_OTHERWISE = {
    # Of equally good validations, the weights with the lowest loss are kept; it was the first of them.
    *("stopped-pair", "stopped-rows", "stopped-sampled"),
    "stopped-windows",  # at least one whole forecast is held out; it was a tenth of the steps
}


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Saved]:
    monkeypatch.chdir(tmp_path)
    return Saved


def _data(source: str) -> Any:
    return json.loads(Path(source).read_text("utf-8")) if source.endswith(".json") else source


def same(found: Any, expected: Any, place: str = "") -> None:
    """Assert that two values are the same; numbers within 1e-5, for vectors of other widths add up in another order."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), place
        for name in expected:
            same(found[name], expected[name], f"{place}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            same(one, other, f"{place}[{number}]")
    elif isinstance(expected, float):
        assert type(found) is float, place
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=place)
    else:
        assert found == expected and type(found) is type(expected), place


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def added(trained: Trained, data: Any, **options: Any) -> dict[str, Any]:
    """The columns that an answer adds to those of its question."""
    table, before = trained.predict(data, **options), trained.read(data).table.column_names
    return {name: as_json(table[name].to_pylist()) for name in table.column_names if name not in before}


def as_then(answers: dict[str, Any]) -> dict[str, Any]:
    """Answers as they were: the end of a row was empty and no candidate."""
    told = {name: _unnamed(value) if name.endswith("_predicted") else value for name, value in answers.items()}
    for name in [name for name in answers if name.endswith("_top")]:
        told[name], told[f"{name}_p"] = _without_end(answers[name], answers[f"{name}_p"])
    return told


def _unnamed(value: Any) -> Any:
    return [_unnamed(one) for one in value] if isinstance(value, list) else "" if value == END else value


def _without_end(names: list[Any], chances: list[Any]) -> tuple[list[Any], list[Any]]:
    if names and isinstance(names[0], list):
        both = [_without_end(*row) for row in zip(names, chances, strict=True)]
        return [row[0] for row in both], [row[1] for row in both]
    places = [place for place, name in enumerate(names) if name != END]
    return [names[place] for place in places], [chances[place] for place in places]


def same_answers(found: dict[str, Any], expected: dict[str, Any], place: str) -> None:
    """Assert that the columns that there were hold what they held; the end may have taken a candidate's place."""
    then = as_then(measured(found, expected))
    for name in [name for name in then if "_top" in name]:
        for row, other in _rows(then[name], expected[name]):
            same(row, other[: len(row)], f"{place}.{name}")
            assert len(other) - len(row) <= 1
    same(
        {n: v for n, v in then.items() if "_top" not in n},
        {n: v for n, v in expected.items() if "_top" not in n},
        place,
    )


def same_live(found: Any, expected: Any, place: str) -> None:
    """`same_answers` of a live step, whose answer may be none."""
    if isinstance(expected, dict):
        same_answers(found, expected, place)
    else:
        same(found, expected, place)


def _rows(found: list[Any], expected: list[Any]) -> list[tuple[list[Any], list[Any]]]:
    nested = bool(expected) and isinstance(expected[0], list)
    return list(zip(found, expected, strict=True)) if nested else [(found, expected)]


def measured(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Only the measures and columns that there were when the run was saved."""
    return {name: value for name, value in found.items() if name in expected}


def comparable(metrics: dict[str, float]) -> dict[str, float]:
    """The measures that are defined as they were: since then, MASE is the mean over series, not over forecasts."""
    return {name: value for name, value in metrics.items() if name != "mase"}


def test_there_is_a_run_of_every_task_kind_and_model() -> None:
    """A member that came later has none here, and needs none."""
    assert len(FINISHED) >= 100 and len(STOPPED) >= 5


@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_answers_as_it_did(name: str, saved: Callable[[str], Saved]) -> None:
    run = saved(name)
    trained, expected = run.open(), run.expected
    asked = _data(expected["asked"])
    same_answers(added(trained, asked), expected["predict"], "predict")
    wanted = comparable(expected["evaluate"])
    same(measured(trained.evaluate(run.data), wanted), wanted, "evaluate")
    for beam, answers in expected.get("beams", {}).items():
        same(measured(added(trained, asked, beam=int(beam)), answers), answers, f"beam {beam}")
    if "backtest" in expected:
        wanted = comparable(expected["backtest"])
        same(measured(trained.backtest(run.data, 2).metrics, wanted), wanted, "backtest")
    if "generate" in expected:
        texts = ["".join(trained.generate(**expected["generate"]["asked"], seed=seed)) for seed in (0, 1)]
        assert texts == expected["generate"]["texts"]


@pytest.mark.parametrize("name", FINISHED)
def test_its_weights_and_encodings_are_read_to_the_bit(name: str, saved: Callable[[str], Saved]) -> None:
    run = saved(name)
    trained, kept = run.open(), load_tensors(Path("run/model.safetensors"))
    state = trained.network.state_dict()
    assert state.keys() == kept.keys()
    for key, tensor in kept.items():
        assert torch.equal(state[key], tensor), key
    for file, content in trained.task.coder.to_files().items():
        if file.endswith("-tokenizer.json"):  # for other programs; runs of this format did not have it
            continue
        expected = json.loads(Path("run/encodings", file).read_bytes())
        if file == "coder.json":  # the numbers of a form, which had none in this format
            expected = {**{name: value for name, value in json.loads(content).items() if name == "numbers"}, **expected}
        assert json.loads(content) == expected, file
    results = json.loads(Path("run/results.json").read_bytes())
    assert trained.metrics == results["metrics"] and trained.baselines == results["baselines"]
    description = trained.describe()
    found = {name: getattr(description, RENAMED.get(name, name)) for name in DESCRIBED}
    same(found, run.expected["describe"], "describe")


@pytest.mark.parametrize("name", FINISHED)
def test_it_streams_as_it_did_and_goes_on_from_its_snapshot(name: str, saved: Callable[[str], Saved]) -> None:
    run = saved(name)
    trained = run.open()
    streams = run.expected.get("stream", ...)
    if streams is None:
        with pytest.raises(UsageError):
            trained.stream()
        return
    for number, stream in enumerate([] if streams is ... else streams):
        live = trained.stream()
        for value, answer in zip(stream["push"], stream["answers"], strict=True):
            same_live(as_json(live.push(value)), answer, f"stream {number}")
    if streams is not ...:  # the snapshot was taken in the middle of the last stream
        live = trained.stream(Path("snapshot").read_bytes())
        begin = stream["from"]
        for value, answer in zip(stream["push"][begin:], stream["answers"][begin:], strict=True):
            same_live(as_json(live.push(value)), answer, "from the snapshot")


@pytest.mark.parametrize("name", STOPPED)
def test_a_stopped_run_ends_as_it_would_have(name: str, saved: Callable[[str], Saved]) -> None:
    run = saved(name)
    assert run.open().evaluate(run.data)  # it answers with its best weights so far
    ur.fit(run.data, out="run", resume=True)
    if name in KEPT_OTHERWISE:
        return
    found = Path("run/model.safetensors").read_bytes()
    here = {
        "torch": torch.__version__,
        "processor": torch.backends.cpu.get_cpu_capability(),
        "kernels": active(),
    }
    if here == run.expected["machine"]:
        assert hashlib.sha256(found).hexdigest() == run.expected["sha256"]
    weights, expected = load_tensors(found), load_tensors(Path("finished.safetensors"))
    assert weights.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(weights[key], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["fill", "next-characters"])
def test_another_run_can_begin_with_it(name: str, saved: Callable[[str], Saved]) -> None:
    texts = saved(name).data["text"]
    data = {"review": texts, "long": [len(text) > 5 for text in texts]}
    small = {"steps": 1, "batch": 4, "lr": 1e-12, "device": "cpu", "plan": "fixed"}  # so little that the weights stay
    tuned = ur.fit(data, target="long", init_from="run", out="tuned", **small)
    before, after = load_tensors(Path("run/model.safetensors")), tuned.network.state_dict()
    kept = [key for key in before if not key.startswith("head.")]
    assert kept
    for key in kept:
        torch.testing.assert_close(after[key], before[key], rtol=0, atol=1e-9)
