"""The forward algorithm as a recurrence: against sums over all paths, live, in chunks, and rebuilt."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from samples import SAMPLES, Sample, sequences

from unrolled.batch import Batch
from unrolled.solved import hidden_markov
from unrolled.solved.hidden_markov import HiddenMarkov
from unrolled.training.config import TrainingConfig
from unrolled.training.evaluate import evaluate, outputs_over


def solve(sample: Sample) -> tuple[Any, Any, Any]:
    task = sample.ask()
    train = sample.examples(task)
    assert HiddenMarkov.applies(task, train)
    return HiddenMarkov.solve(task, train, HiddenMarkov.Options(), 0), task, train


def test_it_sums_over_all_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_markov, "_STATES", 2)
    model, _, _ = solve(SAMPLES["next_step"])
    pi, A, B = (part.double().numpy() for part in (model.begin, model.transitions, model.emissions))
    assert pi.sum() == pytest.approx(1) and A.sum(1) == pytest.approx(1) and B.sum(1) == pytest.approx(1)

    def chance(row: list[int]) -> float:
        paths = itertools.product(range(2), repeat=len(row))
        return sum(
            pi[z[0]]
            * np.prod([A[i, j] for i, j in itertools.pairwise(z)])
            * np.prod([B[s, x] for s, x in zip(z, row, strict=True)])
            for z in paths
        )

    row = [B.shape[1] - 1, B.shape[1] - 2, B.shape[1] - 3, B.shape[1] - 1]
    found = model.run(Batch({"text": torch.tensor([row])}, torch.tensor([4]), torch.tensor([0])))[0][0].exp()
    for at in range(4):
        wanted = [chance([*row[: at + 1], x]) / chance(row[: at + 1]) for x in range(B.shape[1])]
        np.testing.assert_allclose(found[at], wanted, rtol=1e-4)


def test_whole_is_live_is_chunks_and_rebuilt() -> None:
    model, task, train = solve(SAMPLES["next_step"])
    with torch.device("meta"):
        again = HiddenMarkov(task, model.options)
    again.load_state_dict(model.state_dict(), assign=True)
    for outputs, batch in outputs_over(model, task, train, TrainingConfig()):
        x = batch.inputs["text"]
        real = torch.arange(x.shape[1]) < batch.lengths[:, None]
        whole, end = again.run(Batch({"text": x.masked_fill(~real, 99_999)}, batch.lengths, batch.rows))
        assert torch.equal(whole, outputs) and whole.isfinite().all() and not whole[~real].any()
        live = model.session(len(x))
        pushed = torch.stack([live.push({"text": x[:, t]}) for t in range(x.shape[1])], 1)
        assert torch.equal(pushed[real], whole[real])
        early, state = model.run(Batch({"text": x[:, :3]}, batch.lengths.clamp(max=3), batch.rows))
        late, after = model.run(Batch({"text": x[:, 3:]}, (batch.lengths - 3).clamp(min=0), batch.rows), state)
        assert torch.equal(torch.cat([early, late], 1), whole) and torch.equal(after.chances, end.chances)
        alone, _ = model.run(Batch({"text": x[1:2]}, batch.lengths[1:2], batch.rows[1:2]))
        assert torch.equal(alone[0], whole[1])


def test_two_alternating_letters_are_learned() -> None:
    texts = ["abababababab"[n % 2 :] for n in range(20)]
    model, task, _ = solve(Sample("next_step", sequences({"text": texts}, {"text": "tokens"})))
    part = task.coder.encode(sequences({"text": ["babababababab"]}, {"text": "tokens"}))
    assert evaluate(model, task, part, TrainingConfig())["loss_nats_per_token"] < 0.3  # a coin is 0.69


def test_what_it_applies_to() -> None:
    asked = {name: sample.ask() for name, sample in SAMPLES.items()}
    able = {name for name, task in asked.items() if HiddenMarkov.applies(task, SAMPLES[name].examples(task))}
    assert able == {"next_step", "next_step symbols"}
