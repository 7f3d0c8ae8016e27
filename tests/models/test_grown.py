"""Weights with more rows at their end: the old ones as they are, the new ones with a start."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from configs import model_config

from unrolled.batch import Discrete
from unrolled.models._grown import grow
from unrolled.models.network import Network


def network(symbols: int, outputs: int, seed: int, appended: int = 0, **options: Any) -> Network:
    torch.manual_seed(seed)
    return Network(
        {"x": Discrete(symbols, appended=appended)}, model_config(name="gru", hidden=4), outputs, False, **options
    )


def test_old_rows_are_as_they_were_and_new_ones_are_their_mean() -> None:
    old, new = network(5, 2, 0), network(7, 3, 1, 2)
    first = new.head.bias.clone()
    assert grow(new, old.state_dict()) is None
    for name in ("columns.embeddings.0.weight", "head.weight"):
        before, after = old.state_dict()[name], new.state_dict()[name]
        assert torch.equal(after[: len(before)], before)
        assert torch.equal(after[len(before) :], before.mean(0).expand(len(after) - len(before), -1))
    assert torch.equal(new.head.bias[:2], old.head.bias)
    assert torch.equal(new.head.bias[2:], first[2:])
    same = [name for name in old.state_dict() if name.startswith("layer.")]
    assert all(torch.equal(old.state_dict()[name], new.state_dict()[name]) for name in same)


def test_the_transitions_of_a_crf_stay_between_the_old_labels() -> None:
    old, new = network(5, 3 * 2, 0, crf=True), network(5, 4 * 3, 1, crf=True)
    old.head.bias.data = torch.arange(6.0)
    new.head.bias.data = torch.full((12,), -1.0)
    assert grow(new, old.state_dict()) is None
    assert new.head.bias.view(4, 3).tolist() == [[0, 1, -1], [2, 3, -1], [-1, -1, -1], [4, 5, -1]]
    assert torch.equal(new.head.weight[2], old.head.weight.mean(0))


@pytest.mark.parametrize(
    ("symbols", "outputs", "odd"),
    [(4, 2, "columns.embeddings.0.weight"), (5, 1, "head.bias"), (6, 2, "columns.embeddings.0.weight")],
)
def test_what_does_not_fit_is_named_and_nothing_is_copied(symbols: int, outputs: int, odd: str) -> None:
    """A vocabulary that shrinks, a head that does, and an embedding that is wider, which only `appended` prevents."""
    old, new = network(5, 2, 0), network(symbols, outputs, 1)
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    assert grow(new, old.state_dict()) == odd
    assert all(torch.equal(before[name], tensor) for name, tensor in new.state_dict().items())
