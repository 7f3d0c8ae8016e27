"""The outputs of two models as those of one: numbers, probabilities, and items."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.layers.item_logits import LazyLogits
from unrolled.models._mixing import MixedItems, mix, mixed


@pytest.mark.parametrize(
    ("how", "share", "wanted"),
    [
        ("sum", 0.3, [3.0, 1.0]),
        ("mean", 0.25, [1.25, 0.25]),
        ("softmax", 0.0, [1.0, 0.0]),
        ("softmax", 1.0, [2.0, 1.0]),
        ("sigmoid", 0.0, [1.0, 0.0]),
        ("sigmoid", 1.0, [2.0, 1.0]),
    ],
)
def test_the_outputs_of_two(how: Any, share: float, wanted: list[float]) -> None:
    found = mix(torch.tensor([1.0, 0.0]), torch.tensor([2.0, 1.0]), torch.tensor(share), how)
    if how == "softmax":
        found, wanted = found.softmax(0), torch.tensor(wanted).softmax(0).tolist()
    assert found.tolist() == pytest.approx(wanted, abs=1e-6)


def test_probabilities_are_averaged() -> None:
    a, b, share = torch.tensor([2.0, -1.0, 0.0]), torch.tensor([0.0, 3.0, 1.0]), torch.tensor(0.25)
    assert torch.allclose(mix(a, b, share, "softmax").softmax(0), 0.75 * a.softmax(0) + 0.25 * b.softmax(0))
    assert torch.allclose(mix(a, b, share, "sigmoid").sigmoid(), 0.75 * a.sigmoid() + 0.25 * b.sigmoid())


def items(seed: int) -> LazyLogits:
    random = torch.Generator().manual_seed(seed)
    return LazyLogits(*(torch.randn(shape, generator=random) for shape in ((6, 4), (30, 4), (30,))))


RIGHT = torch.tensor([3, 0, 29, 3, 11, 8])


@pytest.mark.parametrize("how", ["softmax", "sum"])
def test_a_mixture_over_items_is_that_of_their_scores(how: Any) -> None:
    share = torch.tensor(0.25)
    found, wanted = mixed(items(0), items(1), share, how), mix(items(0).scores(), items(1).scores(), share, how)
    assert isinstance(found, MixedItems) and found.size == 30
    assert torch.equal(found.scores(), wanted)
    torch.testing.assert_close(found.at(slice(2, 4)).scores(), wanted[2:4])
    chances = found.chances(RIGHT)
    torch.testing.assert_close(chances.every, wanted.softmax(-1))
    torch.testing.assert_close(chances.nats, F.cross_entropy(wanted, RIGHT, reduction="none"))
    torch.testing.assert_close(found.nats(RIGHT), chances.nats.sum())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_with_the_whole_share_a_mixture_over_items_is_one_of_them(share: float) -> None:
    found = mixed(items(0), items(1), torch.tensor(share), "softmax")
    assert isinstance(found, MixedItems)
    for one, wanted in zip(found.chances(RIGHT), items(int(share)).chances(RIGHT), strict=True):
        torch.testing.assert_close(one, wanted)


def test_a_very_unlikely_item_is_mixed_with_its_finite_loss() -> None:
    parts = [LazyLogits(torch.ones(1, 1), torch.tensor([[0.0], [-nats]]), torch.zeros(2)) for nats in (400.0, 300.0)]
    found = mixed(*parts, torch.tensor(0.5), "softmax")
    assert isinstance(found, MixedItems)
    nats: Tensor = found.chances(torch.tensor([1])).nats
    assert nats.tolist() == pytest.approx([300 + torch.tensor(2.0).log().item()])
