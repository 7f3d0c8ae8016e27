"""Columns side by side. Axes: B rows, T steps."""

from __future__ import annotations

import pytest
import torch

from unrolled.batch import Continuous, Discrete
from unrolled.errors import ShapeError
from unrolled.layers.inputs import InputEmbedding

SPECS = {"ids": Discrete(4), "x": Continuous(2), "age": Continuous(1, time=False)}


def test_a_step_is_a_column_of_the_whole() -> None:
    columns = InputEmbedding(SPECS, embedding=3)
    inputs = {"ids": torch.tensor([[0, 3], [1, 2]]), "x": torch.randn(2, 2, 2), "age": torch.randn(2, 1)}
    x, real = columns(inputs, torch.tensor([2, 2]))
    assert x.shape == (2, 2, columns.output_size) == (2, 2, 6)
    assert real is None
    step = columns.step({"ids": inputs["ids"][:, 1], "x": inputs["x"][:, 1], "age": inputs["age"]})
    assert torch.equal(step, x[:, 1])


def test_what_lies_in_the_padding_is_not_looked_at() -> None:
    columns = InputEmbedding({"ids": Discrete(4), "x": Continuous(2)}, embedding=3)
    inputs = {"ids": torch.tensor([[1, -7]]), "x": torch.tensor([[[1.0, 2.0], [torch.nan, torch.inf]]])}
    x, real = columns(inputs, torch.tensor([1]))
    assert real is not None and real.tolist() == [[True, False]]
    assert x.isfinite().all()


def test_columns_that_do_not_fit_are_named() -> None:
    columns = InputEmbedding(SPECS, embedding=3)
    with pytest.raises(ShapeError, match="column 'x' is missing; the inputs are ids, x, age"):
        columns({"ids": torch.zeros(1, 2, dtype=torch.int64)}, torch.tensor([2]))
