"""What a column becomes, and what is said of a symbol that does not exist."""

from __future__ import annotations

import pytest
import torch

from unrolled.batch import Continuous, Discrete
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.embed import Embedding, Numbers, OneHot, embed


def test_what_each_spec_becomes() -> None:
    assert isinstance(embed(Discrete(5)), Embedding)
    assert (embed(Discrete(5)).output_size, embed(Discrete(50_000)).output_size) == (5, 128)
    assert embed(Discrete(5), 32).output_size == 32
    assert isinstance(embed(Discrete(5), 0), OneHot)
    assert isinstance(embed(Continuous(7), 16), Numbers)
    assert embed(Continuous(7), 16).output_size == 7


def test_one_hot_and_embedding_are_one_thing() -> None:
    ids = torch.tensor([[0, 2], [1, 1]])
    table = Embedding(3, 4)
    torch.testing.assert_close(OneHot(3)(ids) @ table.weight, table(ids))


def test_without_time_and_of_a_small_dtype() -> None:
    assert Embedding(3, 4)(torch.tensor([2], dtype=torch.uint8)).shape == (1, 4)
    assert OneHot(3)(torch.tensor([2], dtype=torch.int16)).tolist() == [[0, 0, 1]]
    assert Embedding(3, 4)(torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 0, 4)


def test_one_hot_follows_the_dtype_of_its_module() -> None:
    assert OneHot(3).double()(torch.tensor([1])).dtype == torch.float64
    assert not OneHot(3).state_dict()


@pytest.mark.parametrize("module", [Embedding(3, 4), OneHot(3)], ids=["embedding", "one-hot"])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.tensor([[0, 1], [2, 3]]), r"x\[1, 1\] is 3, expected 0 … 2"),
        (torch.tensor([[0, -1]]), r"x\[0, 1\] is -1, expected 0 … 2"),
        (torch.tensor([2**40]), r"x\[0\] is 1099511627776, expected 0 … 2"),
        (torch.tensor([0.5]), r"x is \(1,\) torch.float32, expected integers \(B, T\) or \(B,\)"),
        (torch.tensor([True]), r"torch.bool, expected integers"),
        (torch.zeros(1, 1, 1, dtype=torch.int64), r"x is \(1, 1, 1\) torch.int64"),
    ],
)
def test_what_is_not_a_symbol_is_named(module: torch.nn.Module, ids: torch.Tensor, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        module(ids)


def test_sizes() -> None:
    with pytest.raises(UsageError, match="Embedding: width must be at least 1, got 0"):
        Embedding(3, 0)
    with pytest.raises(UsageError, match="OneHot: size must be at least 1, got 0"):
        OneHot(0)
    with pytest.raises(ShapeError, match=r"Numbers: x has shape \(2, 3\), expected \(B, T, 2\) or \(B, 2\)"):
        Numbers(2)(torch.zeros(2, 3))
