from __future__ import annotations

import pytest
import torch

from unrolled.layers.sampled_softmax import CandidateSampler

WEIGHTS = 1 / torch.arange(1, 41, dtype=torch.float64)


def test_how_often_each_is_drawn_is_what_is_said() -> None:
    torch.manual_seed(0)
    sampler = CandidateSampler(WEIGHTS[torch.randperm(40)], 9)
    counts = torch.zeros(40)
    for _ in range(20_000):
        ids, chances = sampler.draw()
        assert len(ids) == len(ids.unique())
        assert torch.equal(chances, sampler.chances[ids])
        counts[ids] += 1
    deviation = (sampler.chances * (1 - sampler.chances) / 20_000).sqrt()
    assert ((counts / 20_000 - sampler.chances).abs() <= 4.5 * deviation + 1e-6).all()


def test_a_sum_over_all_is_right_on_average() -> None:
    torch.manual_seed(1)
    values = torch.rand(40) * WEIGHTS.float()
    sampler = CandidateSampler(WEIGHTS, 9)
    found = []
    for _ in range(4_000):
        ids, chances = sampler.draw()
        found.append(float((values[ids] / chances).sum()))
    estimate = torch.tensor(found)
    assert abs(float(estimate.mean() - values.sum())) < 4.5 * float(estimate.std()) / 4_000**0.5


@pytest.mark.parametrize("size", [40, 100])
def test_all_are_all(size: int) -> None:
    ids, chances = CandidateSampler(WEIGHTS, size).draw()
    assert sorted(ids.tolist()) == list(range(40))
    torch.testing.assert_close(chances, torch.ones(40))


def test_heavy_ones_are_always_there_and_light_ones_as_likely_as_they_weigh() -> None:
    sampler = CandidateSampler(torch.tensor([1.0, 1.0, 1000.0, 2.0]), 2)
    assert sampler.chances[2] == 1
    assert sampler.chances.sum() <= 2 + 1e-6
    torch.testing.assert_close(sampler.chances[[0, 1, 3]], torch.tensor([0.25, 0.25, 0.5]))


def test_the_global_generator_decides() -> None:
    sampler = CandidateSampler(WEIGHTS, 9)
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(sampler.draw()[0].tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_seed_decides_what_is_drawn() -> None:
    one, other = CandidateSampler(WEIGHTS, 2), CandidateSampler(WEIGHTS, 2)
    one.reseed(3)
    other.reseed(3)
    torch.manual_seed(1)
    assert one.draw()[0].tolist() == other.draw()[0].tolist()
