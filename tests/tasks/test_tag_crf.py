"""Labels chosen together: what is forbidden, what is asked, and what a model with a CRF refuses."""

from __future__ import annotations

import itertools
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, network_for, sequences
from torch import Tensor

import unrolled as ur
from unrolled.batch import MISSING, Batch
from unrolled.data.forms._steps import StepPlans
from unrolled.data.forms.aligned import Aligned
from unrolled.errors import UsageError
from unrolled.layers.crf import FORBIDDEN, crf_potentials, crf_score
from unrolled.metrics.scoring import scores
from unrolled.tasks.tag import Tag
from unrolled.training import plans
from unrolled.training.config import TrainingConfig

LABELS = ["B-x", "I-x", "I-y", "O"]
TEXTS = ["abab", "ab", "abb", "ca", "bcca", "b"] * 4


def sample(tags: list[list[str]]) -> Sample:
    words = [[f"w{n % 3}" for n in range(len(row))] for row in tags]
    return Sample(
        "tag",
        sequences({"w": words, "tags": tags}, {"w": "tokens", "tags": "category"}),
        ("tags",),
        options={"crf": True},
    )


def prior(tags: list[list[str]]) -> tuple[Tag, Tensor]:
    one = sample(tags)
    task: Any = one.ask()
    start = task.measure_training(one.examples(task)).prior
    return task, start.view(len(task.labels) + 1, len(task.labels))


GOOD = [["B-x", "I-x", "O"], ["O", "B-x"], ["B-y", "I-y"], ["O", "O", "B-x", "B-y"]]


def test_the_bias_starts_at_the_log_transitions_of_training() -> None:
    task, start = prior(GOOD)
    assert task.labels == ["B-x", "B-y", "I-x", "I-y", "O"] and task.outputs == 30
    chances = start.exp()
    of_all = (np.array([3, 2, 1, 1, 4]) + 1) / (11 + 5)
    pairs = np.array(
        [[0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [2, 0, 0, 0, 1], [1, 1, 0, 0, 2]]
    )
    expected = (pairs + of_all) / (pairs.sum(1, keepdims=True) + 1)
    fine = start > FORBIDDEN
    torch.testing.assert_close(chances[fine], torch.from_numpy(expected).float()[fine])
    forbidden = {([*task.labels, "^"][i], task.labels[j]) for i, j in (~fine).nonzero().tolist()}
    assert forbidden == {(i, "I-x") for i in ("B-y", "I-y", "O", "^")} | {(i, "I-y") for i in ("B-x", "I-x", "O", "^")}


def test_what_training_holds_is_not_forbidden_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        task, start = prior([*GOOD, ["O", "I-x"]])
    assert caplog.messages == [
        "tags: the training data breaks the IOB2 rules (I-x after O), so the CRF allows what occurs there"
    ]
    at = task.labels.index
    assert start[at("O"), at("I-x")] > -10
    assert start[at("O"), at("I-y")] == start[at("B-y"), at("I-x")] == FORBIDDEN
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        prior([*GOOD, ["I-x", "O"]])
        prior(GOOD)
    assert caplog.messages == [
        "tags: the training data breaks the IOB2 rules (I-x after the start), so the CRF allows what occurs there"
    ]


def test_other_labels_have_no_rules() -> None:
    _, start = prior([["noun", "verb"], ["verb", "noun", "noun"]])
    assert bool((start > -10).all())


def batch(target: list[list[int]], lengths: list[int], scored: list[int] | None = None) -> Batch:
    context = None if scored is None else torch.tensor(scored)
    return Batch({}, torch.tensor(lengths), torch.arange(len(lengths)), torch.tensor(target), scored=context)


def outputs(rows: int, steps: int, labels: int) -> Tensor:
    return torch.randn(rows, steps, (labels + 1) * labels, generator=torch.Generator().manual_seed(3))


def chance(phi: Tensor, target: list[int]) -> float:
    """Of the known labels of one row, by enumeration."""
    table, size = phi.tolist(), phi.shape[-1]
    worth = {}
    for path in itertools.product(range(size), repeat=len(target)):
        befores = [size, *path[:-1]]
        worth[path] = math.exp(sum(step[i][j] for step, i, j in zip(table, befores, path, strict=False)))
    agree = [v for path, v in worth.items() if all(k in (MISSING, j) for k, j in zip(target, path, strict=True))]
    return sum(agree) / sum(worth.values())


def test_the_loss_is_of_the_known_labels_that_are_asked() -> None:
    task: Any = SAMPLES["tag together"].ask()  # B-b, I-b, O
    o = outputs(3, 4, 3)
    one = batch([[2, 0, 1, 1], [0, MISSING, 2, 9], [2, 0, 0, 2]], [4, 3, 4], [0, 0, 2])
    asked = [[2, 0, 1, 1], [0, MISSING, 2], [MISSING, MISSING, 0, 2]]
    expected = -sum(math.log(chance(phi, target)) for phi, target in zip(crf_potentials(o), asked, strict=True))
    total, count = task.loss(o, one)
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert int(count) == 4 + 2 + 2
    metrics = scores([task.judge(o, one)])
    assert metrics["loss_nats_per_step"] == pytest.approx(expected / 8, rel=1e-5)


def test_names_are_counted_and_choose_the_weights() -> None:
    for crf in (False, True):
        one = sample(GOOD)
        task: Any = Sample("tag", one.data, one.target, options={"crf": crf}).ask()
        size = len(task.labels)
        target = torch.tensor([[0, 2, 4, 1], [4, 0, 4, 1]])  # B-x I-x O B-y; O B-x O (B-y is beyond the end)
        found = torch.tensor([[0, 2, 4, 0], [4, 0, 2, 1]])  # the second kind is wrong, the third name too long
        o = 9.0 * torch.nn.functional.one_hot(found, size).float()  # (B, T, K)
        if crf:
            o = o.unsqueeze(2).expand(-1, -1, size + 1, -1).flatten(2)
        metrics = scores([task.judge(o, batch(target.tolist(), [4, 3]))])
        assert metrics["accuracy"] == pytest.approx(5 / 7)
        assert (metrics["entity_precision"], metrics["entity_recall"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
        assert task.chooses == "entity_f1"
        answers = task.answers(o, batch(target.tolist(), [4, 0]))
        assert answers["tags_predicted"] == [["B-x", "I-x", "O", "B-x"], []]
        assert [len(row) for row in answers["tags_p"]] == [4, 0]


def test_the_probability_of_a_tag_is_its_share_of_all_paths() -> None:
    one = SAMPLES["tag"]
    task: Any = Sample("tag", one.data, one.target, options={"crf": True}).ask()
    torch.manual_seed(0)
    size = len(task.labels)
    o = torch.randn(1, 3, size * (size + 1))
    paths = torch.tensor(list(itertools.product(range(size), repeat=3)))
    potentials, lengths = crf_potentials(o), torch.full((len(paths),), 3)
    weights = crf_score(potentials.expand(len(paths), -1, -1, -1), paths, lengths).softmax(0)
    answers = task.answers(o, batch([[0, 0, 0]], [3]))
    for step, (tag, chance) in enumerate(zip(answers["tags_predicted"][0], answers["tags_p"][0], strict=True)):
        assert chance == pytest.approx(float(weights[paths[:, step] == task.labels.index(tag)].sum()), rel=1e-5)


def test_labels_that_are_no_tags_have_no_names() -> None:
    task: Any = SAMPLES["tag"].ask()
    metrics = scores([task.judge(torch.zeros(1, 2, 2), batch([[0, 1]], [2]))])
    assert list(metrics) == ["loss_nats_per_step", "accuracy", "macro_f1"]
    assert task.chooses == "macro_f1"


DATA = {
    "letters": [list(text) for text in TEXTS],
    "tags": [["BI"[text[:t].endswith("b")] + "-b" if c == "b" else "O" for t, c in enumerate(text)] for text in TEXTS],
}


def test_a_trained_model_keeps_the_rules_and_answers_the_same_when_loaded(tmp_path: Path) -> None:
    asked = {"crf": True, "steps": 30, "hidden": 8, "seed": 1, "lr": 0.03, "plan": "fixed"}
    model = ur.fit(DATA, target="tags", out=tmp_path / "run", **asked)
    loaded = ur.load(tmp_path / "run")
    answers = loaded.predict(DATA)
    assert answers.equals(model.predict(DATA))
    assert torch.equal(loaded.network.head.bias, model.network.head.bias)
    assert int((loaded.network.head.bias == FORBIDDEN).sum()) == 2  # I-b after O, and at the beginning
    for row in answers["tags_predicted"].to_pylist():
        assert all(before[2:] == tag[2:] for before, tag in itertools.pairwise(["O", *row]) if tag[0] == "I")
    assert {"features of words", "hmm", "majority", "most frequent tag"} == model.baselines["valid"].keys()
    assert all("entity_f1" in values for values in model.baselines["valid"].values())
    assert model.metrics["valid"]["entity_f1"] > 0.9
    assert "cannot stream" in str(model.describe())
    with pytest.raises(
        UsageError,
        match=r"^a CRF chooses the labels of a sequence only at its end, so this model cannot stream: "
        r"train it without crf$",
    ):
        loaded.stream()


def test_pieces_of_sequences_and_other_tasks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="crf labels whole sequences, but these sequences are trained in pieces of 5 steps"
    ):
        ur.fit(DATA, target="tags", crf=True, bptt=5, steps=2, out=tmp_path / "run")
    with pytest.raises(UsageError, match="^crf only works with the task 'tag'; this run's task is 'classify'.$"):
        ur.fit({"text": TEXTS, "y": ["p", "q"] * 12}, target="y", crf=True, steps=2, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_long_sequences_are_judged_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    one = SAMPLES["tag together"]
    task = one.ask()
    examples = one.examples(task)
    monkeypatch.setattr(Aligned, "plans", StepPlans(0, long=3))
    plan = plans.evaluation_plan(examples, task.batching, TrainingConfig(batch=4), causal=True)
    assert not plan.carries
    assert sorted(np.concatenate([plan[k].stops for k in range(len(plan))])) == sorted(examples.steps())


def test_a_rare_step_cannot_break_a_rule() -> None:
    """An untrained network, whatever its emissions, never answers with what is forbidden."""
    one = sample(GOOD)
    task: Any = one.ask()
    torch.manual_seed(0)
    network = network_for(task, "lstm")
    with torch.no_grad():
        network.head.bias.copy_(task.measure_training(one.examples(task)).prior)
        network.head.weight.mul_(300)
        ids = torch.randint(4, (50, 9))
        o, _ = network({"w": ids}, torch.full((50,), 9))
    rows = task.answers(o, batch([[0] * 9] * 50, [9] * 50))["tags_predicted"]
    assert len({tag for row in rows for tag in row}) == 5
    for row in rows:
        assert all(before[2:] == tag[2:] for before, tag in itertools.pairwise(["O", *row]) if tag[0] == "I")


def test_from_a_file_of_columns_to_tags_of_words_alone(tmp_path: Path) -> None:
    sentences = [[("New", "B-place"), ("York", "I-place"), ("sleeps", "O")], [("we", "O"), ("sleep", "O")]] * 8
    text = "\n\n".join("\n".join(f"{word}\t{tag}" for word, tag in sentence) for sentence in sentences)
    (tmp_path / "train.conll").write_text(text, "utf-8")
    (tmp_path / "new.conll").write_text("we\nsleep\n\nNew\nYork\n", "utf-8")
    model = ur.fit(tmp_path / "train.conll", target="tags", crf=True, steps=40, hidden=8, lr=0.03, out=tmp_path / "run")
    assert model.task.name == "tag"
    found = model.predict(tmp_path / "new.conll")
    assert found["tags_predicted"].to_pylist() == [["O", "O"], ["B-place", "I-place"]]
    assert model.evaluate(tmp_path / "train.conll")["entity_f1"] == 1.0
