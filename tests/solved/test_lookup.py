"""Frequencies of labels, sets, tags, tokens and keys: right numbers, every form, live, and rebuilt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, sequences

from unrolled.batch import Batch
from unrolled.solved._lookup import Lookup
from unrolled.solved.majority import Majority
from unrolled.solved.marginals import Marginals
from unrolled.solved.mean_of_rows import MeanOfRows
from unrolled.solved.most_frequent_tag import MostFrequentTag
from unrolled.solved.repeat import Repeat
from unrolled.solved.solved_model import SOLVED
from unrolled.solved.unigram import Unigram
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate, outputs_over

TAGS = {name for name in SAMPLES if name.startswith("tag")}
LABELS = {name for name in SAMPLES if name.startswith("classify")}
ANSWERS: dict[type[Lookup], set[str]] = {
    Majority: TAGS | LABELS,
    MeanOfRows: {"regress"},
    MostFrequentTag: TAGS,
    Unigram: {"next_step", "next_step symbols", "fill"},
    Marginals: {"next_step several"},
    Repeat: {"next_step several"},
}
CASES = [(member, name) for member, names in ANSWERS.items() for name in sorted(names)]


def solve(member: type[Lookup], sample: Sample, **options: Any) -> tuple[Any, Any, Any]:
    task = sample.ask()
    train = sample.examples(task)
    assert member.applies(task, train)
    return member.solve(task, train, member.Options(**options), 0), task, train


def measured(member: type[Lookup], sample: Sample, later: dict[str, Any] | None = None) -> dict[str, float]:
    model, task, train = solve(member, sample)
    part = train if later is None else task.coder.encode(sequences(later, dict(sample.data.kinds)))
    return evaluate(model, task, part, TrainingConfig())


@pytest.mark.parametrize("member", ANSWERS)
def test_what_it_applies_to(member: type[Lookup]) -> None:
    asked = {name: sample.ask() for name, sample in SAMPLES.items()}
    able = {name for name, task in asked.items() if member.applies(task, SAMPLES[name].examples(task))}
    assert able == ANSWERS[member]
    assert member in SOLVED.members().values()


@pytest.mark.parametrize(("member", "name"), CASES)
def test_whole_is_live_is_chunks_and_padding_is_not_read(member: type[Lookup], name: str) -> None:
    model, task, train = solve(member, SAMPLES[name])
    with torch.device("meta"):
        again = member(task, model.options)
    again.load_state_dict(model.state_dict(), assign=True)
    timed = [column for column, spec in task.coder.specs.items() if spec.time]
    for outputs, batch in outputs_over(model, task, train, TrainingConfig()):
        whole, _ = again.run(batch)
        assert torch.equal(whole, outputs) and whole.isfinite().all()
        if task.pooled:
            assert whole.shape == (len(batch.lengths), task.outputs)
            pushed = model.session(len(whole)).push(batch.inputs)
            assert torch.equal(pushed, whole)
            continue
        steps = whole.shape[1]
        real = torch.arange(steps) < batch.lengths[:, None]
        assert not whole[~real].any()
        live = model.session(len(whole))
        for t in range(steps):
            now = live.push({column: x[:, t] if column in timed else x for column, x in batch.inputs.items()})
            assert torch.equal(now[real[:, t]], whole[real[:, t], t])
        parts = []
        for begin, end in ((0, 2), (2, steps)):
            cut = {column: x[:, begin:end] if column in timed else x for column, x in batch.inputs.items()}
            parts.append(model.run(Batch(cut, (batch.lengths - begin).clamp(0, end - begin), batch.rows))[0])
        assert torch.equal(torch.cat(parts, 1), whole)


def test_one_label() -> None:
    sample = Sample(
        "classify",
        sequences({"n": [0.0] * 4, "y": ["c", "c", "b", "c"]}, {"n": "number", "y": "category"}),
        ("y",),
    )
    model, task, _ = solve(Majority, sample)
    chances = dict(zip(task.labels, model.outputs.exp()[-len(task.labels) :].tolist(), strict=True))
    assert chances == pytest.approx({"b": 2 / 6, "c": 4 / 6})
    found = measured(Majority, sample, {"n": [0.0] * 2, "y": ["c", "b"]})
    assert found["loss_nats_per_label"] == pytest.approx((math.log(6 / 4) + math.log(3)) / 2)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx(1 / 3)


def test_sets() -> None:
    sample = Sample(
        "classify",
        sequences({"n": [0.0] * 4, "y": [["a"], ["a", "b"], ["a"], ["c"]]}, {"n": "number", "y": "category"}),
        ("y",),
    )
    model, _, _ = solve(Majority, sample)
    assert torch.sigmoid(model.outputs)[-3:].tolist() == pytest.approx([4 / 6, 2 / 6, 2 / 6])
    assert measured(Majority, sample)["micro_f1"] == pytest.approx(2 * 3 / (4 + 5))


@pytest.mark.parametrize("crf", [False, True])
def test_tags(crf: bool) -> None:
    words, tags = [["u", "u", "u", "v", "v"], ["u"]], [["B-x", "B-x", "O", "O", "O"], ["B-x"]]
    kinds = {"w": "tokens", "t": "category"}
    sample = Sample("tag", sequences({"w": words, "t": tags}, kinds), ("t",), options={"crf": crf})
    of_all = np.array([4, 4]) / 8
    u, v = (np.array([3, 1]) + of_all) / 5, (np.array([0, 2]) + of_all) / 3
    found = measured(MostFrequentTag, sample)
    assert found["loss_nats_per_step"] == pytest.approx(-np.log([u[0]] * 3 + [u[1]] + [v[1]] * 2).mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx(5 / 6)
    found = measured(Majority, sample)
    assert found["loss_nats_per_step"] == pytest.approx(math.log(2))
    never = measured(MostFrequentTag, sample, {"w": [["new"]], "t": [["O"]]})
    assert never["loss_nats_per_step"] == pytest.approx(math.log(2), rel=1e-5)


def test_tags_are_read_from_the_column_that_tells_most() -> None:
    columns = {"a": [["p", "p", "q", "q"]], "w": [["u", "v", "u", "v"]], "t": [["x", "y", "x", "y"]]}
    sample = Sample("tag", sequences(columns, {"a": "tokens", "w": "tokens", "t": "category"}), ("t",))
    assert solve(MostFrequentTag, sample)[0].options.column == "w"


def test_tokens() -> None:
    sample = Sample(
        "next_step",
        sequences({"x": ["caab", "c"]}, {"x": "tokens"}),
    )
    model, task, train = solve(Unigram, sample)
    asked = train.form.asked(train.target, train.first, True)
    counts = np.bincount(train.target.values[asked], minlength=task.outputs) + 1
    np.testing.assert_allclose(model.outputs.exp(), counts / counts.sum(), rtol=1e-6)
    found = measured(Unigram, sample)
    nats = -np.log((counts / counts.sum())[train.target.values[asked]]).mean()
    assert found["loss_nats_per_token"] == pytest.approx(nats, rel=1e-6)


def keys(*rows: Any) -> Sample:
    return Sample(
        "next_step", sequences({"keys": [np.asarray(row, float).tolist() for row in rows]}, {"keys": "series"})
    )


def piano(seed: int, steps: int = 400) -> np.ndarray:
    """Four keys that are held for long, in one row."""
    random = np.random.default_rng(seed)
    found = np.zeros((steps, 4))
    for step in range(1, steps):
        found[step] = np.where(random.random(4) < 0.1, random.random(4) < 0.3, found[step - 1])
    return found


def test_keys_by_themselves() -> None:
    sample = keys([[0, 1], [1, 1], [1, 0], [1, 0]])
    assert torch.sigmoid(solve(Marginals, sample)[0].outputs).tolist() == pytest.approx([4 / 5, 2 / 5])
    found = measured(Marginals, sample, {"keys": [[[0, 0], [1, 1]]]})
    assert found["nll_nats_per_step"] == pytest.approx(-math.log(4 / 5 * 2 / 5))


def test_keys_after_on_off_and_missing() -> None:
    row = [[0], [0], [1], [1], [1], [0], [None], [1]]
    sample = Sample("next_step", sequences({"keys": [row]}, {"keys": "series"}))
    model, _, _ = solve(Repeat, sample)
    assert torch.sigmoid(model.after)[:, 0].tolist() == pytest.approx([2 / 4, 3 / 5, 2 / 3])
    found = measured(Repeat, sample, {"keys": [[[1], [1], [0]]]})
    assert found["nll_nats_per_step"] == pytest.approx(-math.log(3 / 5 * 2 / 5) / 2)
    found = measured(Repeat, sample, {"keys": [[[None], [1]]]})
    assert found["nll_nats_per_step"] == pytest.approx(-math.log(2 / 3))


def test_keys_that_are_held() -> None:
    sample, later = keys(piano(0), piano(1)), {"keys": [piano(2).tolist()]}
    held, apart = (measured(member, sample, later)["nll_nats_per_step"] for member in (Repeat, Marginals))
    assert held < 0.7 * apart


def test_the_mean_of_rows() -> None:
    sample = Sample("regress", sequences({"n": [0.0] * 2, "y": [1.0, 3.0]}, {"n": "number", "y": "number"}), ("y",))
    found = measured(MeanOfRows, sample, {"n": [0.0] * 2, "y": [2.0, 4.0]})
    assert found == pytest.approx({"mse_scaled": 2.0, "mse": 2.0, "mae": 1.0, "r2": -1.0})
