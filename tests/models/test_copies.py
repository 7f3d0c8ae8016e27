from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from unrolled.batch import Continuous
from unrolled.layers.config import ModelConfig
from unrolled.models import _copies as copies
from unrolled.models._copies import Copies
from unrolled.models.network import Network


def network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    config = ModelConfig(name="lstm", hidden=3)
    return Network({"x": Continuous(1)}, config, outputs=1, pooled=False).eval()


def train_on(model: Network) -> None:
    """A step of a fused optimiser, which torch does not count."""
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    model({"x": torch.ones(1, 2, 1)}, torch.tensor([2]))[0].sum().backward()
    optimiser.step()


CHANGES: dict[str, Callable[[Network], object]] = {
    "an optimiser": train_on,
    "other weights": lambda model: model.load_state_dict(network(1).state_dict()),
    "behind the back of torch": lambda model: model.head.bias.data.add_(1),
    "rows in another order": lambda model: model.load_state_dict(
        {name: weight.flip(0) for name, weight in model.state_dict().items()}
    ),
}


def test_the_identity_is_that_of_the_weights() -> None:
    one, other = Copies(network()), Copies(network())
    assert one.identity() == other.identity() != Copies(network(1)).identity()


def test_the_identity_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Copies(network())
    first = one.identity()
    monkeypatch.setattr(copies, "save_tensors", None)
    assert one.identity() == first


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_weights_is_seen(change: Callable[[Network], object]) -> None:
    model = network()
    one = Copies(model)
    before, elsewhere = one.identity(), one.on("meta")
    change(model)
    assert one.identity() == Copies(model).identity() != before
    assert one.on("meta") is not elsewhere


def test_a_copy_elsewhere_is_made_once_and_the_network_stays() -> None:
    model = network()
    one = Copies(model)
    elsewhere = one.on("meta")
    assert {weight.device.type for weight in elsewhere.parameters()} == {"meta"}
    assert {weight.device.type for weight in model.parameters()} == {"cpu"}
    assert one.on("cpu") is model
    assert one.on("meta") is elsewhere


def test_a_copy_is_in_the_mode_of_the_network() -> None:
    model = network()
    one = Copies(model)
    assert not one.on("meta").training
    model.train()
    assert one.on("meta").training
