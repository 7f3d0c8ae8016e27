"""What an examination shows equals what predict and evaluate give."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled
from unrolled.errors import UsageError
from unrolled.metrics._tally import auroc
from unrolled.runs.trained import Trained

WORDS = ["good", "fine", "bad", "dull", "film", "plot", "the"]


def texts(rows: int) -> dict[str, list[Any]]:
    random = np.random.default_rng(0)
    found: dict[str, list[Any]] = {"text": [], "mood": [], "shop": []}
    for row in range(rows):
        words = random.choice(WORDS, int(random.integers(1, 9))).tolist()
        found["text"].append(" ".join(words))
        found["mood"].append(
            "happy" if sum(w in WORDS[:2] for w in words) >= sum(w in WORDS[2:4] for w in words) else "sad"
        )
        found["shop"].append(f"shop {row % 3}")
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("runs") / "moods"
    return unrolled.fit(texts(200), target="mood", inputs=["text"], steps=40, hidden=8, lr=0.01, out=out)


def test_labels_and_errors_are_those_of_the_answers(model: Trained) -> None:
    data = texts(200)
    found, answers = model.examine(data, worst=5), model.predict(data)
    chosen, right = np.array(answers["mood_predicted"]), np.array(data["mood"])
    for row in found.labels:
        hits = int(((chosen == row.label) & (right == row.label)).sum())
        assert (row.support, row.predicted) == (int((right == row.label).sum()), int((chosen == row.label).sum()))
        assert row.recall == pytest.approx(hits / row.support)
        assert row.precision == pytest.approx(hits / max(1, row.predicted))
    for line, true in zip(found.confusion, found.confused, strict=True):
        assert line == tuple(int(((right == true) & (chosen == given)).sum()) for given in found.confused)
    chances = np.array(answers[f"mood_p_{found.positive}"])
    assert found.two_classes["auroc"] == pytest.approx(auroc(chances, right == found.positive))
    assert found.metrics == model.evaluate(data)
    assert sum(one.answers for one in found.calibration) == 200


def test_the_worst_examples_have_the_lowest_probability_of_what_is_right(model: Trained) -> None:
    data = texts(200)
    found, answers = model.examine(data, worst=5), model.predict(data)
    nats = [-math.log(answers[f"mood_p_{label}"][row].as_py()) for row, label in enumerate(data["mood"])]
    order = np.argsort(nats)[::-1][:5]
    assert [one.value for one in found.worst] == pytest.approx([nats[row] for row in order], rel=1e-4)
    first = found.worst[0]
    assert (first.right, first.inputs) == (data["mood"][first.row - 1], {"text": data["text"][first.row - 1]})
    assert first.answer == answers["mood_predicted"][first.row - 1].as_py()


def test_each_group_and_length_has_the_metrics_of_its_rows(model: Trained) -> None:
    data = texts(200)
    found = model.examine(data, group="shop")
    assert [share.name for share in found.by_group] == ["shop 0", "shop 1", "shop 2"]
    for number, share in enumerate(found.by_group):
        part = {name: column[number::3] for name, column in data.items()}
        assert share.metrics == pytest.approx(model.evaluate(part), rel=1e-4)
        assert share.units == len(part["mood"])
    assert sum(share.units for share in found.by_length) == 200
    shortest = [row for row, text in enumerate(data["text"]) if f"{len(text.split())} steps" == found.by_length[0].name]
    if shortest:
        part = {name: [column[row] for row in shortest] for name, column in data.items()}
        assert found.by_length[0].metrics == pytest.approx(model.evaluate(part), rel=1e-4)


def test_an_interval_holds_the_value_and_is_drawn_with_a_seed(model: Trained) -> None:
    data = texts(200)
    found = model.examine(data)
    assert found.intervals.keys() == found.metrics.keys()
    for name, (low, high) in found.intervals.items():
        assert low <= found.metrics[name] <= high
    assert model.examine(data).intervals == found.intervals
    share = found.metrics["accuracy"]
    low, high = found.intervals["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(share * (1 - share) / 200), rel=0.35)
    json.dumps(found.to_json())


def test_what_cannot_be_grouped_by_is_refused(model: Trained) -> None:
    with pytest.raises(UsageError, match="group: .* has no column 'shops'.*Did you mean"):
        model.examine(texts(9), group="shops")
    with pytest.raises(UsageError, match="worst must be at least 0, got -1"):
        model.examine(texts(9), worst=-1)


def test_a_forecast_has_its_error_by_step_ahead(tmp_path: Path) -> None:
    hours = np.arange(300)
    table = {"hour": hours.tolist(), "load": (np.sin(hours / 4) + hours * 0.01).tolist()}
    model = unrolled.fit(table, order="hour", horizon=4, steps=10, hidden=8, plan="fixed", out=tmp_path / "run")
    found, wanted = model.examine(table, worst=2), model.backtest(table, 1000)
    assert [share.name for share in found.by_step] == ["1 ahead", "2 ahead", "3 ahead", "4 ahead"]
    for share, expected in zip(found.by_step, wanted.by_step, strict=True):
        assert share.metrics["mae"] == pytest.approx(expected["mae"], rel=1e-5)
    assert found.intervals.keys() >= {"mae", "mse_scaled"}
    assert found.worst[0].part is not None and found.worst[0].value >= found.worst[1].value


def test_a_tag_and_a_written_sequence_are_examined(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    words = [random.choice(WORDS, 5).tolist() for _ in range(40)]
    tags = [["N" if word in ("film", "plot") else "O" for word in row] for row in words]
    tagger = unrolled.fit(
        {"words": words, "tags": tags}, target="tags", steps=5, hidden=8, plan="fixed", out=tmp_path / "tags"
    )
    found = tagger.examine({"words": words, "tags": tags}, worst=1)
    assert sum(map(sum, found.confusion)) == 200
    assert len(found.worst[0].answer) == 5
    pairs = {"text": [" ".join(row) for row in words], "back": [" ".join(row[::-1]) for row in words]}
    asked = {"task": "translate", "target": "back", "steps": 5, "hidden": 8, "plan": "fixed", "out": tmp_path / "back"}
    writer = unrolled.fit(pairs, **asked)
    written = writer.examine(pairs, worst=3)
    assert written.metrics == writer.evaluate(pairs)
    assert len(written.worst) == 3 and written.intervals
