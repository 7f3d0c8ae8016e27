from __future__ import annotations

import dataclasses

import pytest
import torch

from unrolled.batch import Batch, Continuous, Discrete


def batch(**more: torch.Tensor) -> Batch:
    return Batch({"x": torch.ones(2, 3, 1)}, torch.tensor([3, 1]), torch.tensor([7, 4]), **more)


def test_moving_takes_every_tensor_and_leaves_what_is_not_there() -> None:
    fields = {name: torch.tensor([1, 0]) for name in ("target", "target_lengths", "scored", "fresh")}
    for one in (batch(), batch(**fields)):
        moved = one.to("meta")
        for field in dataclasses.fields(Batch):
            before, after = getattr(one, field.name), getattr(moved, field.name)
            if field.name == "inputs":
                assert {name: tensor.device.type for name, tensor in after.items()} == {"x": "meta"}
            else:
                assert (after is None) == (before is None)
                assert after is None or after.device.type == "meta"
        assert one.lengths.device.type == "cpu"


def test_a_batch_and_a_spec_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch().rows = torch.zeros(2)  # type: ignore[misc]
    assert Discrete(3) == Discrete(3, True) != Discrete(3, False)
    assert len({Discrete(3), Continuous(3), Discrete(3)}) == 2
