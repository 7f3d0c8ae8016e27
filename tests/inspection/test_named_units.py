"""A unit that counts is found and is used; random features find none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from configs import model_config
from torch import Tensor

from unrolled.batch import Batch, Discrete
from unrolled.inspection.ablation import Worth, ablate_units
from unrolled.inspection.features import Feature
from unrolled.inspection.named_units import units_for
from unrolled.inspection.unit_search import states_of
from unrolled.models.network import Network

LAYER = "layer 1, cell state"
OPEN, CLOSE, OTHER = range(3)


class _Counting:
    """The task to tell at each step how many brackets are open."""

    watch = "mse"

    def each(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        assert batch.target is not None
        losses = (outputs - batch.target).square()[..., 0]
        return losses, torch.ones_like(losses)


def brackets(rows: int, steps: int, seed: int) -> Batch:
    chance = np.random.default_rng(seed)
    ids, depths = np.zeros((rows, steps), np.int64), np.zeros((rows, steps, 1), np.float32)
    for row in range(rows):
        depth = 0
        for step in range(steps):
            one = int(chance.integers(3))
            one = OTHER if (one == CLOSE and depth == 0) or (one == OPEN and depth == 8) else one
            depth += (one == OPEN) - (one == CLOSE)
            ids[row, step], depths[row, step] = one, depth
    lengths, numbers = torch.full((rows,), steps), torch.arange(rows)
    return Batch({"ids": torch.from_numpy(ids)}, lengths, numbers, target=torch.from_numpy(depths))


@pytest.fixture(scope="module")
def counting() -> Network:
    torch.manual_seed(0)
    network = Network({"ids": Discrete(3)}, model_config(name="lstm", hidden=4), outputs=1, pooled=False)
    data, optimizer = brackets(256, 50, 0), torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(200):
        batch = data.only(torch.randint(256, (32,)))
        optimizer.zero_grad()
        _Counting().each(network.run(batch)[0], batch)[0].mean().backward()
        optimizer.step()
    return network


def test_an_lstm_that_counts_brackets_has_a_unit_for_it_that_it_needs(counting: Network) -> None:
    batch, task = brackets(40, 50, 99), _task()
    assert batch.target is not None
    ((path, states),) = states_of(counting, batch).items()
    assert path == "layer.layers.0.0.c" and states.shape == (2_000, 4)

    def ablate(layer: str, units: Sequence[int]) -> Sequence[Worth]:
        assert layer == LAYER
        return ablate_units(counting, task, batch, path, units).worth

    depth = Feature(batch.target.numpy().reshape(-1).astype(np.float64))
    (found,) = units_for({LAYER: states}, {"depth of brackets": depth}, ablate).found
    assert found.named and abs(found.r) > 0.8 and found.chance < 0.3
    assert found.used and found.worth is not None and found.worth.harm > 10 * found.worth.error
    assert found.read > 0.8 > 0.1 > found.read_chance
    assert found.sentence.startswith(f"{LAYER}, unit {found.unit} follows “depth of brackets”: r = {found.r:.2f} on")
    assert f"; used: held at its mean, it changes the loss by {found.worth.harm:+.2g} ± " in found.sentence


def _task() -> Any:
    return _Counting()


@pytest.mark.parametrize("slow", [1, 25])
def test_at_most_one_of_twenty_random_features_is_named(counting: Network, slow: int) -> None:
    ((_, states),) = states_of(counting, brackets(40, 50, 7)).items()
    named = 0
    for seed in range(20):
        drawn = np.random.default_rng(seed).integers(0, 2, 2_000 // slow).repeat(slow)
        named += bool(units_for({LAYER: states}, {"random": Feature(drawn.astype(np.float64))}).named)
    assert named <= 1


def planted(steps: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """(T, 5) noise, of which unit 3 follows the feature (T,)."""
    chance = np.random.default_rng(0)
    feature = chance.integers(0, 2, steps // 6).repeat(6).astype(np.float64)
    states = chance.normal(size=(steps, 5))
    states[:, 3] -= 4 * feature
    return states, feature


def test_a_planted_unit_keeps_its_number_and_its_sign() -> None:
    states, feature = planted()
    noise = np.random.default_rng(1).normal(size=600)
    found = units_for({"a": states[:, :2], "b": states[:, 2:]}, {"noise": Feature(noise), "planted": Feature(feature)})
    assert [(one.feature, one.layer, one.unit, one.named) for one in found.found[:1]] == [("planted", "b", 1, True)]
    assert found.found[0].r == pytest.approx(-0.9, abs=0.05) and found.found[0].used is None
    assert found.found[0].sentence.endswith("whether it is used was not tested")
    assert not found.found[1].named and found.found[1].worth is None
    assert (found.layers["b"].units[0], found.layers["b"].features[0]) == (1, "planted")
    assert [len(layer.units) for layer in found.layers.values()] == [2, 3]
    (layer,) = units_for({"b": states}, {"planted": Feature(feature)}).layers.values()
    assert layer.units[0] == 3 and sorted(layer.units) == [0, 1, 2, 3, 4]


def test_a_unit_that_is_not_used_is_only_correlated() -> None:
    states, feature = planted()
    asked = []

    def ablate(layer: str, units: Sequence[int]) -> Sequence[Worth]:
        asked.append((layer, tuple(units)))
        return [Worth(0.001, 0.002) for _ in units]

    found = units_for({LAYER: states}, {"planted": Feature(feature), "twice": Feature(2 * feature)}, ablate)
    assert asked == [(LAYER, (3,))]
    assert [one.used for one in found.named] == [False, False]
    assert "; only correlated: held at its mean, it changes the loss by +0.001 ± 0.002" in found.verdicts[0]


def test_a_feature_with_a_period_is_compared_with_ones_out_of_step() -> None:
    steps = np.arange(24 * 40)
    wave = np.cos(2 * np.pi * steps / 24)
    states = np.random.default_rng(0).normal(size=(len(steps), 3)) + 2 * np.outer(wave, [0, 1, 0])
    (found,) = units_for({LAYER: states}, {"season": Feature(wave, 24)}).named
    assert found.unit == 1 and found.chance < 0.25


def test_where_nothing_can_be_said_a_sentence_says_why() -> None:
    short = units_for({LAYER: np.zeros((30, 2))}, {"planted": Feature(np.arange(30.0))})
    assert short.verdicts == ("only 30 steps were read, too few to name a unit: give at least 200",)
    assert units_for({LAYER: np.zeros((300, 2))}, {}).verdicts == (
        "nothing can be said of these steps that a unit could follow",
    )
    still = units_for({LAYER: np.zeros((300, 2))}, {"step": Feature(np.arange(300.0))})
    assert still.found[0].r == 0.0
    assert still.verdicts[0].startswith(
        "no unit surely follows the only feature that was tried: the nearest is layer 1, cell state, unit 0 with"
    )
