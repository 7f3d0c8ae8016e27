"""Every network that the contracts run over: each model name, with each kind of column and each kind of answer.

Axes: B rows, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from configs import model_config
from contracts.members import tolerance
from torch import Tensor

from unrolled.batch import Continuous, Discrete, Spec
from unrolled.layers.factory import model_names
from unrolled.models.network import Network

__all__ = ["CASES", "CAUSAL", "Case", "at", "part", "whole"]

COLUMNS: dict[str, dict[str, Spec]] = {
    "discrete": {"ids": Discrete(7)},
    "continuous": {"x": Continuous(2)},
    "all": {"ids": Discrete(7), "age": Continuous(1, False), "x": Continuous(2), "city": Discrete(3, False)},
}


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

    def network(self, dtype: torch.dtype = torch.float32) -> Network:
        """The same weights each time."""
        torch.manual_seed(11)
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
        return {name: every[name] for name in COLUMNS[self.columns]}


_EVERY = [Case(m, c, pool) for m in model_names() for c in COLUMNS for pool in (None, "last", "mean", "max")]
_CAUSAL = {name for name in model_names() if Case(name, "discrete", None).network().causal}
CASES = [pytest.param(case, id=str(case)) for case in _EVERY]
CAUSAL = [pytest.param(case, id=str(case)) for case in _EVERY if case.model in _CAUSAL]


def whole(network: Network, inputs: dict[str, Tensor], lengths: list[int]) -> tuple[Tensor, Any]:
    """Outputs and state over whole rows, without gradients."""
    with torch.no_grad():
        return network(inputs, torch.tensor(lengths))


def part(inputs: dict[str, Tensor], network: Network, start: int, stop: int) -> dict[str, Tensor]:
    """The steps ``start … stop`` of each column with time."""
    return {name: value[:, start:stop] if network.columns.specs[name].time else value for name, value in inputs.items()}


def at(inputs: dict[str, Tensor], network: Network, step: int) -> dict[str, Tensor]:
    """One step of each column."""
    return {name: value[:, step] if network.columns.specs[name].time else value for name, value in inputs.items()}
