"""Every network that the contracts run over: each model name, with each kind of column and each kind of answer.

Axes: B rows, T steps.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from configs import model_config
from contracts.members import tolerance
from torch import Tensor

from unrolled.batch import Continuous, Discrete, Side, Spec, Spelled, lengths_of, letters_of
from unrolled.layers.factory import model_names
from unrolled.models.network import Network

__all__ = ["CASES", "CAUSAL", "Case", "at", "padding", "part", "whole"]

_TITLE, _MARKS = Side("title"), Side("marks", ordered=False)

COLUMNS: dict[str, dict[str, Spec]] = {
    "discrete": {"ids": Discrete(7)},
    "continuous": {"x": Continuous(2)},
    "words": {"ids": Discrete(7), letters_of("ids"): Spelled(9, 4, "ids")},
    "all": {"ids": Discrete(7), "age": Continuous(1, False), "x": Continuous(2), "city": Discrete(3, False)},
    "sides": {
        "title": Discrete(5, False, side=_TITLE),
        "ids": Discrete(7),
        "loud": Continuous(1, False, side=_TITLE),
        "marks": Discrete(4, False, side=_MARKS),
    },
}
_BESIDE = {"title": [2, 0, 3, 1, 3, 1], "marks": [1, 2, 0, 1, 2, 0]}  # the steps of the side sequences of each row


@dataclass(frozen=True)
class Case:
    """One network and how to feed it."""

    model: str
    columns: str
    pool: str | None  # None: an answer a step

    def __str__(self) -> str:
        return f"{self.model}-{self.columns}-{self.pool or 'per step'}"

    @property
    def tolerance(self) -> float:
        """How far apart two ways of one computation may be."""
        return tolerance(self.network().layer)

    @functools.cache  # noqa: B019 - there are a few hundred cases, and their networks are tiny
    def network(self, dtype: torch.dtype = torch.float32) -> Network:
        """The same weights each time, which tests only read."""
        torch.default_generator.manual_seed(5)
        options: dict[str, Any] = {"name": self.model, "layers": 2, "hidden": 5, "pool": self.pool, "window": 4}
        return (
            Network(COLUMNS[self.columns], model_config(**options), outputs=3, pooled=self.pool is not None)
            .to(dtype)
            .eval()
        )

    def inputs(
        self, lengths: list[int], steps: int | None = None, dtype: torch.dtype = torch.float32
    ) -> dict[str, Tensor]:
        """Random columns of as many steps as the longest row."""
        random = torch.Generator().manual_seed(5)
        rows, steps = len(lengths), max(lengths) if steps is None else steps
        every: dict[str, Tensor] = {
            "ids": torch.randint(7, (rows, steps), generator=random),
            "x": torch.randn(rows, steps, 2, generator=random).to(dtype),
            "age": torch.randn(rows, 1, generator=random).to(dtype),
            "city": torch.randint(3, (rows,), generator=random),
        }
        kept = torch.arange(4) < torch.randint(5, (rows, steps, 1), generator=random)
        every[letters_of("ids")] = torch.randint(1, 9, (rows, steps, 4), generator=random) * kept
        if self.columns == "sides":
            every["title"] = torch.randint(5, (rows, 3), generator=random)
            every["loud"] = torch.randn(rows, 3, 1, generator=random).to(dtype)
            every["marks"] = torch.randint(4, (rows, 2), generator=random)
        beside = {lengths_of(name): torch.tensor(sizes[:rows]) for name, sizes in _BESIDE.items()}
        return {name: every[name] for name in COLUMNS[self.columns]} | (beside if self.columns == "sides" else {})


_POOLS: dict[str, tuple[str | None, ...]] = {  # what pools sees nothing of the columns, so each pair need not be there
    "discrete": (None, "last", "mean", "max"),
    "continuous": (None,),
    "words": (None, "mean"),
    "all": (None, "last"),
    "sides": (None, "max"),
}
_EVERY = [Case(m, c, pool) for m in model_names() for c in COLUMNS for pool in _POOLS[c]]
_CAUSAL = {name for name in model_names() if Case(name, "discrete", None).network().causal}
CASES = [pytest.param(case, id=str(case)) for case in _EVERY]
CAUSAL = [pytest.param(case, id=str(case)) for case in _EVERY if case.model in _CAUSAL]


def whole(network: Network, inputs: dict[str, Tensor], lengths: list[int]) -> tuple[Tensor, Any]:
    """Outputs and state over whole rows, without gradients."""
    with torch.no_grad():
        return network(inputs, torch.tensor(lengths))


def timed(network: Network, name: str) -> bool:
    """Whether a column has one value for each step of the main sequence."""
    return name in network.columns.specs and network.columns.specs[name].time


def part(inputs: dict[str, Tensor], network: Network, start: int, stop: int) -> dict[str, Tensor]:
    """The steps ``start … stop`` of each column with time."""
    return {name: value[:, start:stop] if timed(network, name) else value for name, value in inputs.items()}


def at(inputs: dict[str, Tensor], network: Network, step: int) -> dict[str, Tensor]:
    """One step of each column."""
    return {name: value[:, step] if timed(network, name) else value for name, value in inputs.items()}


def padding(inputs: dict[str, Tensor], network: Network, lengths: list[int]) -> dict[str, list[int]]:
    """The real steps of each row of each column that has padding."""
    own = {name: lengths for name in inputs if timed(network, name)}
    for name, axis in (("title", "title"), ("loud", "title"), ("marks", "marks")):
        if name in inputs:
            own[name] = inputs[lengths_of(axis)].tolist()
    return own
