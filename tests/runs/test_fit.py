"""The whole way, and what is said on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from contracts.runs import as_lines

import unrolled as ur
from unrolled.errors import DataError, UsageError
from unrolled.training.hooks import Event

LABELLED = {"text": ["a b", "b c", "c a", "d a"] * 5, "label": ["x", "y", "x", "y"] * 5}


@pytest.mark.parametrize(("model", "said"), [("lstm", 1), ("gru", 1), ("bigru", 0), ("window", 0)])
def test_both_directions_are_suggested_where_they_help(model: str, said: int, tmp_path: Path) -> None:
    lines: list[str] = []
    options = {"kinds": {"text": "tokens"}, "steps": 1, "hidden": 3, "model": model}
    ur.fit(LABELLED, target="label", out=tmp_path / "run", say=lines.append, **options)
    assert sum(f"try model bi{model}" in line for line in lines) == said


def test_parts_of_words_are_said_where_they_were_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.data.encodings._text_statistics._MANY_WORDS", 2)
    options: dict[str, Any] = {"target": "label", "kinds": {"text": "tokens"}, "steps": 1, "hidden": 2}
    said = "tokens: subwords (bpe) for text, which has more words than a vocabulary should hold; tokens words overrides this"
    for asked, told in ((None, 1), ("bpe", 0), ("words", 0)):
        lines: list[str] = []
        model = ur.fit(LABELLED, tokens=asked, out=tmp_path / str(asked), say=lines.append, **options)
        assert sum(line.startswith(said) for line in lines) == told
        assert model.task.coder.inputs["text"].to_config()["level"] == (asked or "bpe")
    onward = ur.fit(LABELLED, task="next_step", inputs=["text"], kinds={"text": "tokens"}, steps=1, out=tmp_path / "on")
    assert onward.task.coder.inputs["text"].to_config()["level"] == "characters"


@pytest.mark.parametrize("target", [[1.5, 2.5, 3.5] * 10, [1, 2, 3] * 10])
def test_a_horizon_asks_for_a_forecast_whatever_the_target_looks_like(target: list[float], tmp_path: Path) -> None:
    lines: list[str] = []
    options = {"horizon": 1, "lookback": 4, "steps": 1, "hidden": 3}
    trained = ur.fit({"x": [target]}, target="x", out=tmp_path / "run", say=lines.append, **options)
    assert trained.task.name == "forecast"
    assert "task: forecast (horizon is 1); task overrides it" in lines


def begun(tmp_path: Path, source: Any, **options: Any) -> Path:
    """A run that was stopped after its first step."""

    def stop(event: Event) -> None:
        raise KeyboardInterrupt

    more = {"steps": 40, "hidden": 3, "checkpoint_every": "1", **options}
    with pytest.raises(KeyboardInterrupt):
        ur.fit(source, out=tmp_path / "run", hooks=(stop,), **more)
    return tmp_path / "run"


def test_a_run_that_began_with_another_goes_on_though_it_had_no_checkpoint(tmp_path: Path) -> None:
    given: dict[str, Any] = {"target": "label", "kinds": {"text": "tokens", "label": "category"}}
    ur.fit(LABELLED, out=tmp_path / "first", vocabulary=8, steps=1, hidden=3, only="none", **given)
    small: dict[str, Any] = {"init_from": str(tmp_path / "first"), "steps": 8, "checkpoint_every": "1000"}
    run = begun(tmp_path, LABELLED, hidden=None, **small, **given)
    trained = ur.fit(LABELLED, out=run, resume=True)
    assert trained.config.data.of("encoding", "tokens").vocabulary == 8


def test_a_run_goes_on_with_its_own_data_alone(tmp_path: Path) -> None:
    data = {"x": [float(n) for n in range(30)], "y": [float(n % 7) for n in range(30)]}
    other = {**data, "x": [100.0 + n for n in range(30)]}
    file, different = as_lines(data, tmp_path / "a.jsonl"), as_lines(other, tmp_path / "b.jsonl")
    run = begun(tmp_path, file, target="y")
    with pytest.raises(DataError, match="the data has changed"):
        ur.fit(different, out=run, resume=True)
    with pytest.raises(UsageError, match="it can only be resumed with the same data"):
        ur.fit(data, out=run, resume=True)
    moved = Path(file).rename(tmp_path / "moved.jsonl")
    with pytest.raises(DataError, match="there is no such file"):
        ur.fit(None, out=run, resume=True)
    assert ur.fit(moved, out=run, resume=True).metrics["valid"]


def test_data_in_memory_must_be_the_same_too(tmp_path: Path) -> None:
    data = {"x": [float(n) for n in range(30)], "y": [float(n % 7) for n in range(30)]}
    run = begun(tmp_path, data, target="y")
    with pytest.raises(DataError, match="your data: the data has changed: it has the same size"):
        ur.fit({**data, "x": [*data["x"][:-1], 7.5]}, out=run, resume=True)
    assert ur.fit(pa.table(data), out=run, resume=True).metrics["valid"]


def test_a_test_split_that_cannot_be_used_is_found_before_training(tmp_path: Path) -> None:
    seen: list[Event] = []
    bad = tmp_path / "test.csv"
    bad.write_text("text,label\na b,z\n")
    with pytest.raises(DataError, match="row 1, column 'label': the label 'z' was not seen in training"):
        ur.fit(LABELLED, target="label", test=str(bad), steps=3, out=tmp_path / "run", hooks=(seen.append,))
    assert not seen
    waves = as_lines({"x": [[1.0, 2.0]]}, tmp_path / "short.jsonl")
    data = {"x": [[float(n % 5) for n in range(60)]]}
    with pytest.raises(DataError, match="no test sequence is long enough to be scored"):
        ur.fit(data, horizon=4, lookback=4, test=waves, steps=3, out=tmp_path / "run", hooks=(seen.append,))
    assert not seen


def test_what_is_missing_in_a_test_split_is_not_scored(tmp_path: Path) -> None:
    """Also where training missed nothing."""
    options = {"horizon": 1, "lookback": 2, "steps": 2, "hidden": 3, "valid": 0}
    model = ur.fit({"x": [[float(n % 5) for n in range(60)]]}, out=tmp_path / "run", **options)
    whole, gap = [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, None]
    nothing = model.evaluate({"x": [[*whole, None]]})
    assert nothing == pytest.approx(model.evaluate({"x": [whole]}))
    with pytest.raises(DataError, match="holds nothing that could be scored: a forecast needs more than 1 steps"):
        model.evaluate({"x": [[1.0, None]]})
    assert model.evaluate({"x": [gap]})["mae"] >= 0


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"tied": True}, "if the target is the next item of a list"),
        ({"beam": 3}, "with the task 'transcribe' or 'translate'; this run's task is 'classify'."),
        (
            {"attention": "dot"},
            "with a model of type 'encoder_decoder'; this run's model is of type 'network'.",
        ),
        ({"label_smoothing": 0.1}, "with the task 'translate'; this run's task is 'classify'."),
    ],
)
def test_an_option_of_another_task_is_refused(option: dict[str, Any], why: str, tmp_path: Path) -> None:
    (name,) = option
    with pytest.raises(UsageError) as caught:
        ur.fit(LABELLED, target="label", out=tmp_path / "run", **option)
    assert str(caught.value) == f"{name} only works {why}"
    assert not (tmp_path / "run").exists()


def test_fit_prints_what_it_does_unless_it_is_told_where_or_not_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    for name, options in {"printed": {}, "quiet": {"quiet": True}, "told": {"say": lines.append}}.items():
        ur.fit(LABELLED, target="label", out=tmp_path / name, steps=1, hidden=2, **options)
        out, err = capsys.readouterr()
        assert out == ""
        assert ("task: classify" in err and "step 1," in err) if name == "printed" else err == ""
    assert any("task: classify" in line for line in lines)


def test_one_call_starts_continues_and_loads_a_run(tmp_path: Path) -> None:
    options: dict[str, Any] = {"target": "label", "model": "gru", "hidden": 3, "steps": 4, "out": tmp_path / "run"}
    steps: list[int] = []

    class Stop(Exception):
        pass

    def stop(event: Event) -> None:
        steps.append(event["step"])
        if event["kind"] == "valid" and event["step"] == 2:
            raise Stop

    with pytest.raises(Stop):
        ur.fit(LABELLED, go_on=True, hooks=(stop,), checkpoint_every="1", **options)
    lines: list[str] = []
    model = ur.fit(LABELLED, go_on=True, say=lines.append, **options)
    assert "resuming from step 1" in lines and not any(line.startswith("resuming from step 0") for line in lines)
    lines.clear()
    again = ur.fit(LABELLED, go_on=True, say=lines.append, **options)
    assert again.metrics == model.metrics and lines == [f"{tmp_path / 'run'} is finished: nothing is left to train"]
    for wrong in ({"out": None}, {"overwrite": True}):
        with pytest.raises(UsageError, match="go_on"):
            ur.fit(LABELLED, go_on=True, **{**options, **wrong})


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(20))
    one, same, other = (tmp_path / name for name in ("one.csv", "same.csv", "other.csv"))
    for path in (one, same):
        path.write_text(text)
    other.write_text(text.replace("3,1", "3,0"))
    options: dict[str, Any] = {"target": "y", "model": "mlp", "steps": 2, "out": tmp_path / "run", "go_on": True}
    weights = ur.fit(one, **options).network.state_dict()
    assert ur.fit(same, **options).network.state_dict().keys() == weights.keys()
    with pytest.raises(DataError, match=r"other\.csv: the data has changed.*put the old data back, or start a new run"):
        ur.fit(other, **options)
