from __future__ import annotations

import pytest
import torch
from torch import nn

from unrolled.training.averaging import Average


def of(value: float) -> nn.Linear:
    network = nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(value)
        network.bias.fill_(-value)
    return network


def put(network: nn.Linear, value: float) -> None:
    with torch.no_grad():
        network.weight.fill_(value)


def test_by_hand() -> None:
    network = of(1.0)
    average = Average(network)
    expected = 1.0
    for n, value in enumerate((2.0, 5.0, -1.0)):
        put(network, value)
        average.update(n)
        expected += 9 / (10 + n) * (value - expected)  # 1 − (1 + n)/(10 + n)
    assert average.tensors()["weight"].item() == pytest.approx(expected, rel=1e-6)
    assert average.tensors()["bias"].item() == -1.0
    put(network, 0.0)
    average.update(10**6)
    assert average.tensors()["weight"].item() == pytest.approx(0.998 * expected, rel=1e-6)


def test_the_network_has_them_while_it_is_asked_and_its_own_after() -> None:
    network = of(1.0)
    average = Average(network)
    put(network, 3.0)
    with average.applied():
        assert network.weight.item() == 1.0
    assert network.weight.item() == 3.0
    average.put()
    assert network.weight.item() == 1.0


def test_a_row_that_never_changes_stays_the_same_to_the_bit() -> None:
    network = nn.Embedding(50, 7)
    average, kept = Average(network), network.weight.detach().clone()
    for n in range(200):
        with torch.no_grad():
            network.weight[1:] += torch.randn(49, 7)
        average.update(n)
    assert torch.equal(average.tensors()["weight"][0], kept[0])
    assert not torch.equal(average.tensors()["weight"][1], kept[1])


def test_weights_with_sparse_gradients_are_left_as_they_are() -> None:
    network = nn.Sequential(nn.Embedding(9, 2, sparse=True), nn.Linear(2, 1))
    average = Average(network)
    network(torch.tensor([3])).sum().backward()
    average.leave_out_sparse()
    assert average.tensors().keys() == {"1.weight", "1.bias"}
    with torch.no_grad():
        network[0].weight.fill_(7.0)
    average.update(0)
    average.put()
    assert network[0].weight.eq(7.0).all()


def test_saved_and_restored() -> None:
    network = of(1.0)
    average = Average(network)
    put(network, 3.0)
    average.update(0)
    again = Average(of(3.0))
    again.restore(average.tensors())
    assert all(torch.equal(again.tensors()[name], value) for name, value in average.tensors().items())


def test_a_checkpoint_without_them_begins_from_the_weights() -> None:
    network = of(1.0)
    average = Average(network)
    put(network, 3.0)
    average.restore({})
    assert average.tensors()["weight"].item() == 3.0
