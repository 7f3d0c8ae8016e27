"""Sampling: the cuts against a plain NumPy form, the frequencies against the probabilities, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.decoding.sampling import Sampling, choose, choose_each
from unrolled.errors import ModelError, ShapeError, UsageError

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -3.0])


def frequencies(settings: Sampling, draws: int = 20_000, banned: tuple[int, ...] = ()) -> np.ndarray:
    ids = choose(LOGITS.repeat(draws, 1), settings, settings.generator(), banned)
    return np.bincount(ids.numpy(), minlength=len(LOGITS))


def expected(temperature: float, top_k: int = 6, top_p: float = 1.0) -> np.ndarray:
    p = np.exp(LOGITS.double().numpy() / temperature)
    p[np.argsort(-p)[top_k:]] = 0
    p /= p.sum()
    order = np.argsort(-p)
    last = int(np.argmax(np.cumsum(p[order]) >= top_p - 1e-12))
    p[order[last + 1 :]] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1, None, None), (0.5, None, None), (3, None, None), (1, 3, None), (1, None, 0.8), (2, 4, 0.7), (1, 1, None)],
)
def test_frequencies_are_the_probabilities(temperature: float, top_k: int | None, top_p: float | None) -> None:
    counts = frequencies(Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=11))
    p = expected(temperature, top_k or 6, top_p or 1.0)
    assert (counts[p == 0] == 0).all()
    kept = p > 0
    chi_square = (np.square(counts - p * counts.sum())[kept] / (p * counts.sum())[kept]).sum()
    assert chi_square < 22  # the 0.9995 quantile at 5 degrees of freedom


def test_temperature_acts_before_top_p() -> None:
    hot = frequencies(Sampling(temperature=10, top_p=0.5)) > 0
    cold = frequencies(Sampling(temperature=0.3, top_p=0.5)) > 0
    assert hot.sum() == 3
    assert cold.sum() == 1


def test_top_p_keeps_the_likeliest_even_if_p_is_tiny() -> None:
    assert frequencies(Sampling(top_p=1e-9)).tolist() == [20_000, 0, 0, 0, 0, 0]


def test_top_k_larger_than_the_vocabulary_keeps_all() -> None:
    one, other = Sampling(top_k=50, seed=3), Sampling(seed=3)
    assert (frequencies(one) == frequencies(other)).all()


def test_equal_scores_are_cut_in_the_order_of_ids() -> None:
    ids = choose(torch.zeros(500, 4), Sampling(top_k=2), torch.Generator().manual_seed(0))
    assert sorted(set(ids.tolist())) == [0, 1]


def test_temperature_zero_is_greedy_and_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert choose(torch.stack([LOGITS, -LOGITS]), Sampling(temperature=0), generator).tolist() == [0, 5]
    assert torch.equal(before, generator.get_state())


def test_a_tiny_temperature_does_not_overflow() -> None:
    assert choose(LOGITS[None] * 1e30, Sampling(temperature=1e-300), torch.Generator()).tolist() == [0]


def test_banned_ids_are_never_chosen() -> None:
    assert (frequencies(Sampling(), banned=(0, 2))[[0, 2]] == 0).all()
    assert choose(LOGITS[None], Sampling(temperature=0), torch.Generator(), banned=[0, 1]).tolist() == [2]


def test_minus_infinity_is_never_chosen() -> None:
    logits = torch.tensor([[float("-inf"), 0.0, float("-inf"), 0.0, float("-inf")]]).repeat(2_000, 1)
    ids = choose(logits, Sampling(), torch.Generator().manual_seed(1))
    assert sorted(set(ids.tolist())) == [1, 3]


def test_the_seed_repeats() -> None:
    settings = Sampling(seed=5)
    logits = LOGITS.repeat(64, 1)
    one = choose(logits, settings, settings.generator())
    assert torch.equal(one, choose(logits, settings, settings.generator()))
    assert not torch.equal(one, choose(logits, settings, Sampling(seed=6).generator()))


def test_rows_draw_in_order_from_the_one_generator() -> None:
    settings = Sampling(seed=5)
    logits = torch.randn(7, 20, generator=torch.Generator().manual_seed(0))
    together = choose(logits, settings, settings.generator())
    generator = settings.generator()
    alone = torch.cat([choose(row[None], settings, generator) for row in logits])
    assert torch.equal(together, alone)


def test_half_precision_scores() -> None:
    assert choose(LOGITS[None].bfloat16(), Sampling(temperature=0.01), torch.Generator()).tolist() == [0]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"temperature": -0.1}, "temperature must be at least 0, got -0.1"),
        ({"temperature": 11}, "at most 10"),
        ({"temperature": float("nan")}, "temperature must be a finite number, got nan"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_p": 0.0}, "top_p must be above 0, got 0.0"),
        ({"top_p": 1.5}, "at most 1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"temprature": 1}, "unknown option temprature. Did you mean temperature?"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Sampling.check(values)
    assert text in str(caught.value)


def test_what_choose_refuses() -> None:
    settings, generator = Sampling(), torch.Generator()
    with pytest.raises(ShapeError, match=r"logits is \(6,\), expected \(B, V\)"):
        choose(LOGITS, settings, generator)
    with pytest.raises(UsageError, match="banned id 6 is outside the vocabulary of 6: give ids from 0 to 5"):
        choose(LOGITS[None], settings, generator, banned=[6])
    with pytest.raises(UsageError, match="all 6 ids are banned"):
        choose(LOGITS[None], settings, generator, banned=range(6))
    for broken in ("nan", "inf"):
        logits = torch.stack([LOGITS, LOGITS])
        logits[1, 2] = float(broken)
        for temperature in (0.0, 1.0):
            with pytest.raises(ModelError, match=r"row 1: the scores are not finite, .* use an earlier model"):
                choose(logits, Sampling(temperature=temperature), generator)
    only = torch.tensor([[0.0, float("-inf")]])
    with pytest.raises(ModelError, match="row 0: every allowed id has probability 0"):
        choose(only, settings, generator, banned=[0])


@pytest.mark.parametrize("size", [5, 60, 3000])
@pytest.mark.parametrize("tied", [False, True])
def test_each_row_with_settings_and_a_generator_of_its_own_is_drawn_as_by_itself(size: int, tied: bool) -> None:
    dice = torch.Generator().manual_seed(size)
    for trial in range(12):
        logits = 3 * torch.randn(8, size, generator=dice)
        logits = (2 * logits).round() / 2 if tied else logits
        settings = [
            Sampling(
                temperature=[0, 1, 0.4, 3][(row + trial) % 4],
                top_k=[None, 1, 3, 40, 9000][row % 5],
                top_p=[None, 0.5, 1.0][(row + trial) % 3],
                seed=row,
            )
            for row in range(8)
        ]
        together = choose_each(logits, settings, [one.generator() for one in settings], banned=[2])
        alone = [choose(logits[row : row + 1], one, one.generator(), [2]) for row, one in enumerate(settings)]
        assert together.tolist() == [int(one) for one in alone]
