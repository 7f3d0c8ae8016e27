from __future__ import annotations

import pytest
import torch
from torch import nn

from unrolled.training.gradients import norms_by_part, part_of


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Embedding(4, 2, sparse=True)
        self.layers = nn.ModuleList([nn.Linear(2, 1), nn.Linear(1, 1)])
        self.unused = nn.Linear(1, 1)


def test_each_part_has_the_norm_of_all_its_gradients() -> None:
    net = Net()
    net.layers[0].weight.grad, net.layers[0].bias.grad = torch.tensor([[2.0, 1.0]]), torch.tensor([2.0])
    net.layers[1].weight.grad = torch.tensor([[-0.5]])
    # Row 1 occurs twice, so its gradient is the sum of both.
    places, values = torch.tensor([[1, 3, 1]]), torch.tensor([[1.0, 0], [0, 4], [2, 0]])
    net.rows.weight.grad = torch.sparse_coo_tensor(places, values, (4, 2), check_invariants=True)
    assert norms_by_part(net) == pytest.approx({"rows": 5.0, "layers.0": 3.0, "layers.1": 0.5})
    assert list(norms_by_part(net)) == ["rows", "layers.0", "layers.1"]


def test_both_directions_and_all_weights_of_a_block_are_one_part() -> None:
    assert part_of("layer.layers.0.1.weight_ih") == part_of("layer.layers.0.0.bias_hh") == "layer.layers.0"
    assert part_of("layer.blocks.3.own.out.weight") == "layer.blocks.3"
    assert part_of("scale") == ""


def test_without_gradients_there_are_none() -> None:
    assert norms_by_part(Net()) == {}
