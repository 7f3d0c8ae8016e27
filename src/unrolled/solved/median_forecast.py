"""The median of several solved forecasts, which is hard to beat where a series is short.

Axes: B rows, H horizon, C channels, Q numbers of each value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.layers.graph import Value, concat
from unrolled.solved.solved_model import SOLVED, SolvedModel
from unrolled.state import State
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Task

__all__ = ["MedianForecast"]

_MOST = 50_000  # values of training: with more of them the best of the parts can be told apart


class MedianForecast(SolvedModel):
    r"""The median of exponential smoothing, seasonal ARIMA and the linear window.

    .. math:: \hat y_{t+h} = \operatorname{median}_k \hat y^{(k)}_{t+h}, \qquad k = 1 \dots 3

    Each part errs in its own way, so their median errs less than most of them, and which of them will be best is hard
    to tell from a short past. Unlike a mean it is not moved by one part that is far off. Of two it is their mean.
    Quantiles are treated alike.

    Cost: that of its parts.

    References:
        Bates and Granger, The Combination of Forecasts, 1969. https://doi.org/10.1057/jors.1969.103
        Petropoulos and Svetunkov, medians of four forecasts, 2020. https://doi.org/10.1016/j.ijforecast.2019.01.006
    """

    class Options(Part):
        """The sizes of its parts: name -> options."""

        parts: dict[str, dict[str, Any]] = Field(default_factory=dict)

    name = "median of forecasts"
    effort = 2
    starts = True
    combines = True
    built_of = ("arima", "ets", "linear_window")

    def __init__(self, task: Task, options: MedianForecast.Options) -> None:
        super().__init__(task, options)
        made = {name: _member(name)(task, _member(name).Options(**own)) for name, own in options.parts.items()}
        self.parts = nn.ModuleDict(made)

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts of little data by more than one of the parts."""
        if not isinstance(task, Forecast) or train.steps().sum() * len(task.channels) > _MOST:
            return False
        return sum(_member(name).applies(task, train) for name in MedianForecast.built_of) > 1

    @classmethod
    def solve(cls, task: Task, train: Examples, options: MedianForecast.Options, seed: int) -> Self:
        """Solve each part."""
        able = {name: _member(name) for name in cls.built_of if _member(name).applies(task, train)}
        solved = {name: member.solve(task, train, member.Options(), seed) for name, member in able.items()}
        return cls.build(task, solved)

    @classmethod
    def build(cls, task: Task, parts: Mapping[str, SolvedModel]) -> Self:
        """A copy of each part."""
        model = cls(task, cls.Options(parts={name: part.options.model_dump() for name, part in parts.items()}))
        for name, part in parts.items():
            model.parts[name].load_state_dict(part.state_dict())
        return model

    def initial_state(self, batch: int) -> State:
        """The states of all parts."""
        return tuple(part.initial_state(batch) for part in self._each())

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, State]:
        """(B, H·C·Q), the median outputs after the last step of each row."""
        before = self.initial_state(len(batch.lengths)) if state is None else state
        return _median([part.run(batch, own) for part, own in zip(self._each(), before, strict=True)])

    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, State]:
        """(B, H·C·Q), the median outputs after one more step of each row."""
        return _median([part.step(inputs, own) for part, own in zip(self._each(), state, strict=True)])

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        parts = self._each()
        before = [None] * len(parts) if state is None else state
        found = [part.graph(inputs, lengths, own) for part, own in zip(parts, before, strict=True)]
        g, count = lengths.graph, len(parts)
        every = concat([outputs.unsqueeze(2) for outputs, _ in found], 2)
        order, _ = g.ops("TopK", every, g.sizes(count), outputs=2, axis=2, largest=0, sorted=1)
        middle = order.part((count - 1) // 2, count // 2 + 1, 2).mean(2).squeeze(2)
        return middle, tuple(after for _, after in found)

    def _each(self) -> list[Any]:
        return list(self.parts.values())


def _member(name: str) -> type[SolvedModel]:
    found: type[SolvedModel] = SOLVED.get(name)
    return found


def _median(found: list[tuple[Tensor, State]]) -> tuple[Tensor, State]:
    return torch.stack([outputs for outputs, _ in found]).quantile(0.5, 0), tuple(state for _, state in found)


MEMBER = MedianForecast
