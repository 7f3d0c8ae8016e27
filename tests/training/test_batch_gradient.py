from __future__ import annotations

from pathlib import Path

import pytest
import torch
from trainers import trainer

from unrolled.training.batch_gradient import said_of_shares
from unrolled.training.saving import step_seed
from unrolled.training.together import Together


@pytest.mark.parametrize("sample", ["classify", "next_step"])
def test_micro_batches_have_the_gradient_of_the_batch(sample: str, tmp_path: Path) -> None:
    found = []
    for micro in (1, 3):
        one = trainer(tmp_path / str(micro), sample=sample, accumulate=micro)
        told = one.gradient.find(one._loaders(), 0, lambda: None, None, lambda: 0.0)
        found.append((told, [weight.grad for weight in one.network.parameters()]))
    (whole, expected), (parts, gradients) = found
    assert parts.total == pytest.approx(whole.total) and parts.count == whole.count and parts.seconds is None
    for a, b in zip(gradients, expected, strict=True):
        assert (a is None) == (b is None) and (b is None or torch.allclose(a, b, atol=1e-6))  # type: ignore[arg-type]


def test_a_state_that_was_carried_in_parts_goes_on_in_others(tmp_path: Path) -> None:
    """Saved in three micro-batches, continued in one: the lanes are those of a run in one from the start."""
    options = {"bptt": 2, "steps": 4, "checkpoint_every": "1"}
    whole = trainer(tmp_path / "whole", sample="next_step", model="lstm", **options)
    whole.run(until=2)
    first = trainer(tmp_path / "parts", sample="next_step", model="lstm", accumulate=3, **options)
    first.run(until=2)
    then = trainer(tmp_path / "parts", sample="next_step", model="lstm", **options)
    saved = first.checkpoints.newest()
    assert saved is not None and then.restore(saved) == ""
    for (a, b), (c, d) in zip(whole.gradient.carries[0].state.layer, then.gradient.carries[0].state.layer, strict=True):
        assert torch.allclose(a, c, atol=1e-6) and torch.allclose(b, d, atol=1e-6)


def test_how_a_batch_is_shared_is_told() -> None:
    assert said_of_shares(32, Together(0, 4), 1) == "32 rows a step: 8 a rank on 4 ranks"
    assert said_of_shares(32, Together(), 4) == "32 rows a step: in 4 micro-batches"


def test_steps_and_ranks_have_seeds_of_their_own() -> None:
    seeds = {step_seed(seed, step, rank) for seed in (0, 1, 2**63 - 1) for step in range(9) for rank in range(9)}
    assert len(seeds) == 3 * 9 * 9 and all(0 <= seed < 2**63 for seed in seeds)
