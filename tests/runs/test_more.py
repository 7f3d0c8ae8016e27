"""Going on from a run with new data: what stays, what is appended, what is replayed, and what is refused."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import unrolled as ur
from unrolled.cli.main import main
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.runs.held_out import held_out_again, splits_again
from unrolled.training.trainer import Trainer

WORDS = {"sport": ["goal", "team", "ball"], "food": ["bread", "soup", "salt"], "art": ["paint", "brush", "canvas"]}
SMALL: dict[str, Any] = {"model": "gru", "hidden": 8, "lr": 0.02, "plan": "fixed", "refit": "no", "device": "cpu"}


def write(place: Path, labels: list[str], rows: int, seed: int, *, shift: float = 0) -> Path:
    dice = random.Random(seed)
    with place.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "size", "label"])
        for _ in range(rows):
            label = dice.choice(labels)
            text = " ".join(dice.choices([*WORDS[label], "the", "a"], k=6))
            table.writerow([text, round(dice.gauss(shift, 1), 3), label])
    return place


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files, and a run on the first: the second has a label, and words, that the first lacks."""
    home = tmp_path_factory.mktemp("more")
    write(home / "a.csv", ["sport", "food"], 120, 1)
    write(home / "b.csv", ["sport", "food", "art"], 160, 2, shift=3)
    ur.fit(home / "a.csv", out=home / "a", target="label", steps=60, **SMALL)
    return home


@pytest.fixture(scope="module")
def second(home: Path) -> ur.Trained:
    """The run that goes on with the second file."""
    return ur.fit(home / "b.csv", more=home / "a", out=home / "b", steps=120)


def files_of(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


# --- B14 -------------------------------------------------------------------------------------------------------------


def test_ids_stay_and_what_is_new_comes_last(home: Path, second: ur.Trained) -> None:
    before, after = ur.load(home / "a").task.coder, second.task.coder
    assert (before.answer.labels, after.answer.labels) == (["food", "sport"], ["food", "sport", "art"])  # type: ignore[attr-defined]
    known, now = before.inputs["text"].words, after.inputs["text"].words  # type: ignore[attr-defined]
    assert now[: len(known)] == known
    assert {*now[len(known) :]} == {*WORDS["art"]}
    assert after.inputs["size"].to_config() == before.inputs["size"].to_config()
    assert second.config.model.hidden == 8


def test_the_old_validation_rows_stay_and_are_reported(home: Path, second: ur.Trained) -> None:
    old = held_out_again(ur.load(home / "a").config, "a", "")["valid"].table
    splits = splits_again(second.config, "b", "")
    assert splits.apart["valid_old"].table.select(old.column_names).equals(old)
    assert splits.new == 144
    assert len(splits.train) == 144 + 108
    assert list(second.metrics) == ["valid", "valid_new", "valid_old"]


def test_nothing_much_is_forgotten_and_new_labels_are_predicted(home: Path, second: ur.Trained, tmp_path: Path) -> None:
    both = tmp_path / "ab.csv"
    both.write_text((home / "a.csv").read_text() + "".join((home / "b.csv").read_text().splitlines(True)[1:]))
    joint = ur.fit(both, out=tmp_path / "ab", target="label", steps=180, **SMALL)
    old = held_out_again(ur.load(home / "a").config, "a", "")["valid"].table.to_pydict()
    reached = joint.evaluate(old)["accuracy"]
    assert second.metrics["valid_old"]["accuracy"] >= reached - 0.02
    assert second.metrics["valid_new"]["accuracy"] >= 0.9
    answers = second.predict({"text": ["brush canvas the paint a paint"], "size": [3.0]})
    assert ["art"] in answers.to_pydict().values()


def test_the_run_before_is_left_as_it_is(home: Path, tmp_path: Path) -> None:
    before = files_of(home / "a")
    ur.fit(home / "b.csv", more=home / "a", out=tmp_path / "b", steps=2)
    assert files_of(home / "a") == before


def test_a_third_run_has_the_rows_of_both(home: Path, second: ur.Trained, tmp_path: Path) -> None:
    write(tmp_path / "c.csv", ["art", "food"], 40, 3)
    third = ur.fit(tmp_path / "c.csv", more=home / "b", out=tmp_path / "c", steps=3, replay=0.5)
    splits = splits_again(third.config, "c", "")
    assert (splits.new, len(splits.train), len(splits.apart["valid_old"])) == (36, 36 + 144 + 108, 16 + 12)
    assert third.task.coder.answer.to_config() == second.task.coder.answer.to_config()
    text = (tmp_path / "c" / "README.md").read_text()
    assert f"goes on from the run `{home / 'b'}` with new data" in text
    assert "50% were drawn from the data before" in text
    assert "3 to `text`, 1 to `label`" in text


def test_drift_is_told(home: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    ur.fit(home / "b.csv", more=home / "a", out=tmp_path / "b", steps=1, say=lines.append)
    told = next(line for line in lines if line.startswith("size: mean"))
    assert float(told.split()[2].rstrip(",")) == pytest.approx(3, abs=0.5)
    assert any("% of the words are rare, or were not seen in training" in line for line in lines)
    assert "label: 1 new value is appended; the ids of the others stay" in lines


def test_the_drift_of_a_number_that_is_predicted_is_told(tmp_path: Path) -> None:
    data = {"x": [n % 7 / 7 for n in range(60)], "y": [n % 5 / 5 for n in range(60)]}
    ur.fit(
        data,
        target="y",
        out=tmp_path / "a",
        steps=2,
        only="none",
        start="none",
        blend="none",
        **SMALL | {"model": "mlp"},
    )
    lines: list[str] = []
    later = {**data, "y": [5 + value for value in data["y"]]}
    ur.fit(later, more=tmp_path / "a", out=tmp_path / "b", steps=1, replay=0, say=lines.append)
    told = next(line for line in lines if line.startswith("y: mean"))
    assert float(told.split()[2].rstrip(",")) > 10


def test_what_does_not_grow_is_told(tmp_path: Path) -> None:
    data = {"text": ["abc cba", "bca abc"] * 10, "label": ["x", "y"] * 10}
    ur.fit(data, target="label", kinds={"text": "tokens"}, tokens="characters", out=tmp_path / "a", steps=2, **SMALL)
    lines: list[str] = []
    ur.fit(data, more=tmp_path / "a", out=tmp_path / "b", steps=1, replay=0, say=lines.append)
    assert "text: its characters do not grow, so what is new in them stays unknown" in lines


# --- other questions -------------------------------------------------------------------------------------------------

TAGGED = {"word": [["a", "b"], ["b", "a", "b"]] * 8, "tag": [["X", "Y"], ["Y", "X", "Y"]] * 8}
NEW_TAGS = {"word": [["a", "c"], ["c", "b"]] * 8, "tag": [["X", "Z"], ["Z", "Y"]] * 8}
CLICKS = {"clicks": [["p", "q", "r", "p"], ["q", "r", "p"]] * 10}
NEW_CLICKS = {"clicks": [["p", "s", "r", "s"], ["s", "r", "t"]] * 10}


@pytest.mark.parametrize(
    ("old", "new", "options"),
    [
        (TAGGED, NEW_TAGS, {"target": "tag"}),
        (TAGGED, NEW_TAGS, {"target": "tag", "crf": True}),
        (CLICKS, NEW_CLICKS, {"task": "next_step", "target": "clicks"}),
        (CLICKS, NEW_CLICKS, {"task": "next_step", "target": "clicks", "tied": True}),
        ({"text": ["abba", "baab"] * 9}, {"text": ["bab", "aab"] * 9}, {"task": "next_step"}),
        ({"y": [[float(n % 5) for n in range(60)]]}, {"y": [[float(n % 4) for n in range(50)]]}, {"horizon": 3}),
    ],
    ids=["tag", "crf", "items", "tied", "characters", "forecast"],
)
def test_other_questions_go_on(old: Any, new: Any, options: Any, tmp_path: Path) -> None:
    first = ur.fit(old, out=tmp_path / "a", steps=2, **SMALL, **options)
    more = ur.fit(new, more=tmp_path / "a", out=tmp_path / "b", steps=2, replay=0)
    assert more.task.coder.answer_spec.__class__ is first.task.coder.answer_spec.__class__
    assert ur.load(tmp_path / "b").metrics == more.metrics


# --- C9 --------------------------------------------------------------------------------------------------------------


class Stop(Exception):
    """As sudden as a kill: nothing of ours catches it."""


@pytest.mark.parametrize("step", [0, 14])
def test_a_stopped_one_is_resumed_to_the_bit(
    step: int, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"more": home / "a", "steps": 20, "checkpoint_every": "4"}
    ur.fit(home / "b.csv", out=tmp_path / "whole", **given)
    take = Trainer._step

    def until(self: Trainer, *arguments: Any) -> None:
        if self.progress.step == step:
            raise Stop
        take(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(Trainer, "_step", until)
        ur.fit(home / "b.csv", out=tmp_path / "cut", **given)
    resumed = ur.fit(home / "b.csv", out=tmp_path / "cut", resume=True)
    whole = ur.load(tmp_path / "whole")
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    assert whole.metrics == resumed.metrics


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "tag"}, r"has task = 'classify', not 'tag': leave task out, or more"),
        ({"model": "lstm"}, r"has model = 'gru', not 'lstm': leave model out, or more"),
        ({"hidden": 9}, r"has hidden = 8, not 9: leave hidden out, or more"),
        ({"kinds": {"size": "category"}}, r"has kinds = "),
        ({"init_from": "x"}, "init_from does not go with more: leave one of them out"),
        ({"refit": "yes"}, "refit does not go with more: leave one of them out"),
        ({"cache": "x"}, "cache does not go with more: leave one of them out"),
        ({"replay": 1.0}, "replay"),
    ],
)
def test_options_that_contradict_the_run_before(
    options: dict[str, Any], message: str, home: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        ur.fit(home / "b.csv", more=home / "a", out=tmp_path / "b", **options)
    assert not (tmp_path / "b").exists()


def test_the_same_options_may_be_repeated(home: Path, tmp_path: Path) -> None:
    assert ur.fit(home / "b.csv", more=home / "a", out=tmp_path / "b", target="label", model="gru", steps=1).metrics


def test_replay_needs_more(home: Path) -> None:
    with pytest.raises(UsageError, match="replay only works with more"):
        ur.fit(home / "b.csv", replay=0.5)


def test_a_column_that_is_missing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="size"):
        ur.fit({"text": ["a"] * 20, "label": ["food"] * 20}, more=home / "a", out=tmp_path / "b")


def test_a_column_that_is_new_is_not_read(home: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader((home / "b.csv").read_text().splitlines()))
    data = {name: [row[name] for row in rows] for name in ("text", "label")}
    data |= {"size": [float(row["size"]) for row in rows], "other": [1.0] * len(rows)}
    run = ur.fit(data, more=home / "a", out=tmp_path / "b", steps=1)
    assert list(run.task.coder.inputs) == ["text", "size"]


def test_without_the_data_before_only_new_rows_are_learned(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "a.csv", tmp_path / "a.csv")
    ur.fit(tmp_path / "a.csv", out=tmp_path / "a", target="label", steps=2, **SMALL)
    (tmp_path / "a.csv").write_text("text,size,label\nx,1,food\n")
    with pytest.raises(DataError, match="the data has changed since .*set replay 0, which goes on without it"):
        ur.fit(home / "b.csv", more=tmp_path / "a", out=tmp_path / "b", steps=1)
    lines: list[str] = []
    run = ur.fit(home / "b.csv", more=tmp_path / "a", out=tmp_path / "c", steps=1, replay=0, say=lines.append)
    assert list(run.metrics) == ["valid"]
    told = f"the data of {tmp_path / 'a'} cannot be read as it was, so the results are on the new validation rows only"
    assert told in lines


def test_a_solved_model_does_not_go_on(home: Path, tmp_path: Path) -> None:
    ur.fit(home / "a.csv", out=tmp_path / "a", target="label", only="ngrams_of_text", device="cpu")
    with pytest.raises(UsageError, match="is solved from all its data at once and cannot go on"):
        ur.fit(home / "b.csv", more=tmp_path / "a", out=tmp_path / "b")


def test_places_that_cannot_be_gone_on_from(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more and out are both"):
        ur.fit(home / "b.csv", more=home / "a", out=home / "a")
    with pytest.raises(ModelError, match="no such run directory"):
        ur.fit(home / "b.csv", more=tmp_path / "x", out=tmp_path / "b")


def test_the_command(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "b"
    assert (
        main(["fit", str(home / "b.csv"), "--more", str(home / "a"), "--out", str(out), "--steps", "2", "--json"]) == 0
    )
    assert [*json.loads(capsys.readouterr().out)["metrics"]] == ["valid", "valid_new", "valid_old"]
    again = ["fit", str(home / "b.csv"), "--more", str(home / "a"), "--hidden", "9", "--out", str(tmp_path / "c")]
    assert main(again) == 2
    assert "has hidden = 8, not 9: leave --hidden out, or --more" in capsys.readouterr().err
