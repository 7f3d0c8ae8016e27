"""Several choices at once: their frequencies against the probabilities, the cut, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unrolled.decoding.sampling import Sampling
from unrolled.decoding.switches import switch, switch_each
from unrolled.errors import ModelError, ShapeError

LOGITS = torch.tensor([4.0, 1.0, 0.0, -0.5, -3.0])
DRAWS = 20_000


def shares(settings: Sampling) -> np.ndarray:
    on: np.ndarray = switch(LOGITS.repeat(DRAWS, 1), settings, settings.generator()).double().mean(0).numpy()
    return on


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_each_switch_is_on_as_often_as_it_should(temperature: float) -> None:
    p = 1 / (1 + np.exp(-LOGITS.double().numpy() / temperature))
    error = np.abs(shares(Sampling(temperature=temperature, seed=1)) - p)
    assert (error <= 4 * np.sqrt(p * (1 - p) / DRAWS)).all()


def test_switches_do_not_know_of_each_other() -> None:
    on = switch(torch.zeros(DRAWS, 2), Sampling(), torch.Generator().manual_seed(0)).double()
    assert abs(float((on[:, 0] * on[:, 1]).mean()) - 0.25) < 0.015


def test_the_likeliest_alone_may_be_on() -> None:
    whole, cut = shares(Sampling(seed=3)), shares(Sampling(seed=3, top_k=2))
    assert (cut[:2] == whole[:2]).all()
    assert (cut[2:] == 0).all()
    assert (shares(Sampling(seed=3, top_k=99)) == whole).all()
    equal = switch(torch.full((1, 4), 9.0), Sampling(temperature=0, top_k=2), torch.Generator())
    assert equal.tolist() == [[True, True, False, False]]


def test_without_temperature_nothing_is_drawn() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert switch(LOGITS[None], Sampling(temperature=0), generator).tolist() == [[True, True, False, False, False]]
    assert (generator.get_state() == before).all()


def test_what_cannot_be_switched_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"^logits is \(5,\), expected \(B, K\)$"):
        switch(LOGITS, Sampling(), torch.Generator())
    for broken in (float("nan"), float("inf")):
        with pytest.raises(ModelError, match="^row 1: the scores are not finite"):
            switch(torch.tensor([[0.0], [broken]]), Sampling(), torch.Generator())


def test_each_row_with_settings_and_a_generator_of_its_own_is_switched_as_by_itself() -> None:
    logits = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    settings = [Sampling(seed=1), Sampling(temperature=0), Sampling(seed=2, top_k=3), Sampling(seed=1, temperature=4)]
    together = switch_each(logits, settings, [one.generator() for one in settings])
    alone = [switch(logits[row : row + 1], one, one.generator()) for row, one in enumerate(settings)]
    assert torch.equal(together, torch.cat(alone))
