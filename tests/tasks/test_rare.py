"""Rare labels: weights and thresholds, on data where a label is otherwise never given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled
from unrolled.errors import UsageError
from unrolled.tasks._rare import Cut, best_cut, label_weights


def faults(rows: int = 600, share: float = 0.04) -> dict[str, list[Any]]:
    """A sign that comes before one fault in two and before one good row in 20."""
    random = np.random.default_rng(0)
    fault = random.random(rows) < share
    sign = np.where(fault, random.random(rows) < 0.5, random.random(rows) < 0.05)
    return {"words": ["high" if s else "low" for s in sign], "state": ["fault" if f else "ok" for f in fault]}


def recall(tmp_path: Path, name: str, **options: Any) -> tuple[float, unrolled.api.Trained]:
    asked = {
        "target": "state",
        "steps": 60,
        "hidden": 8,
        "lr": 0.05,
        "valid": 0.3,
        "plan": "fixed",
        "out": tmp_path / name,
    }
    model = unrolled.fit(faults(), **asked, **options)
    rows = {row.label: row for row in model.examine(faults()).labels}
    return rows["fault"].recall, model


def test_weights_and_thresholds_find_a_label_that_is_never_given(tmp_path: Path) -> None:
    without, model = recall(tmp_path, "plain")
    assert without == 0
    assert any(
        "Never predicted: 'fault'" in line and "class_weights balanced" in line for line in model.findings.advice
    )
    balanced, weighted = recall(tmp_path, "balanced", class_weights="balanced")
    assert balanced > 0.3
    assert not any("Never predicted" in line for line in weighted.findings.advice)
    assert recall(tmp_path, "named", class_weights={"fault": 30})[0] > 0.3
    assert recall(tmp_path, "least", threshold=0.1)[0] > 0.3
    chosen, cut = recall(tmp_path, "f1", threshold="f1")
    assert chosen > 0.3
    again = unrolled.load(tmp_path / "f1")
    assert dict(again.task.coder.learned) == dict(cut.task.coder.learned)
    assert again.evaluate(faults()) == cut.evaluate(faults())
    assert again.predict(faults())["state_predicted"].to_pylist().count("fault") > 0
    # The loss that is reported is not weighted, so it can be compared with that of the baselines.
    assert (
        weighted.metrics["valid"]["loss_nats_per_label"]
        > weighted.baselines["valid"]["majority"]["loss_nats_per_label"]
    )


def test_tags_have_them_too(tmp_path: Path) -> None:
    table = faults()
    rows = {name: [column[at : at + 6] for at in range(0, 600, 6)] for name, column in table.items()}
    asked = {"task": "tag", "target": "state", "steps": 60, "hidden": 8, "lr": 0.05, "valid": 0.3, "plan": "fixed"}
    plain = unrolled.fit(rows, **asked, out=tmp_path / "plain")
    weighted = unrolled.fit(rows, **asked, class_weights="balanced", out=tmp_path / "weighted")
    least = unrolled.fit(rows, **asked, threshold="f1", out=tmp_path / "least")
    found = [
        {row.label: row.recall for row in model.examine(rows).labels}["fault"] for model in (plain, weighted, least)
    ]
    assert found[0] < 0.1 and min(found[1:]) > 0.3
    with pytest.raises(UsageError, match="class_weights does not work with crf"):
        unrolled.fit(rows, **asked, crf=True, class_weights="balanced")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"class_weights": "faults=3"}, "class_weights: 'faults' is not a label. Did you mean 'fault'"),
        ({"class_weights": "fault=much"}, "the weight of fault must be a number, not 'much'"),
        ({"class_weights": "fault=0"}, "each weight must be above 0"),
        ({"class_weights": "heavy"}, "class_weights: 'heavy' is not a label"),
        ({"threshold": "2"}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
    ],
)
def test_what_cannot_be_weighted_is_refused(asked: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        unrolled.fit(faults(60), target="state", steps=1, out=tmp_path / "run", **asked)


def test_a_threshold_wants_two_labels() -> None:
    with pytest.raises(UsageError, match="threshold only works with two labels; the target has 3"):
        Cut.asked("0.3", ["a", "b", "c"], np.array([1, 2, 3]))


def test_balanced_weights_are_one_in_the_mean_over_the_training_data() -> None:
    counts = np.array([10, 0, 30, 60])
    weights = label_weights("balanced", list("abcd"), counts)
    assert weights is not None
    assert float((weights * torch.from_numpy(counts)).sum() / 100) == pytest.approx(1)
    assert label_weights(None, list("abcd"), counts) is None


@pytest.mark.parametrize("seed", range(5))
def test_the_chosen_threshold_has_the_highest_f1_of_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    right = torch.from_numpy((random.random(80) < 0.2).astype(np.int64))
    sure = np.round(np.clip(random.random(80) * 0.4 + 0.2 * right.numpy(), 0, 1), 2)
    chances = torch.from_numpy(np.stack([1 - sure, sure], 1))

    def f1(cut: Cut) -> float:
        given = cut.choose(chances)
        return 2 * int((given & right).sum()) / int(given.sum() + right.sum())

    found = best_cut(Cut(1, 0.5), [(chances[:30], right[:30]), (chances[30:], right[30:])])
    assert f1(found) == pytest.approx(max(f1(Cut(1, least)) for least in np.linspace(0.005, 0.995, 199)))
