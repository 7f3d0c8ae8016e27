"""What classical forecasters share: they read a window step by step, and answer with the change from its last value.

Axes: B rows, T steps, H horizon, C channels, Q quantiles.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.facets import Numbers
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Windows
from unrolled.layers.graph import Value, concat, is_real, where
from unrolled.layers.lengths import real_steps
from unrolled.solved._known import known_graph, known_values
from unrolled.solved.solved_model import SolvedModel
from unrolled.state import State, leaves, planted
from unrolled.state import where as where_rows
from unrolled.tasks._spread import growth, independent, step_quantiles
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Task

__all__ = ["Forecaster", "Reading", "forecasts", "step_by_step"]

_LEAST = 6  # known values of a series from which it can be solved
_WINDOWS, _ROWS = 400, 64  # windows whose errors are measured, and rows at a time
_SURE = 0.01  # the least deviation of an error, in standard deviations of the values


class Reading(NamedTuple):
    """The state of a forecaster.

    Attributes:
        last: (B, C), the last step as the task reads it.
        seen: (B, C) int64, how many values were known.
        own: the state of the method.
    """

    last: Tensor
    seen: Tensor
    own: State


class Forecaster(SolvedModel):
    """A recurrence over each channel that forecasts all H steps from its state.

    A value z that the method reads is a scaled value, or, for a channel that is ``relative``, the logarithm of the
    value in the user's units; in both cases less the channel's ``centre``. Quantiles, and the deviation of a Gaussian,
    are those of the errors of z on the training split, by step ahead.

    Where a value is missing, the method goes on without it. Before a first known value the answer is no change.
    """

    starts = True
    relative: Tensor  # (C,) 1 where logarithms are read
    centre: Tensor  # (C,)
    units: Tensor  # (3, C): mean and deviation in the user's units, and the least value that has a logarithm
    spread: Tensor  # (H, C, Q): added to the forecast; for a Gaussian 0 and log σ

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        answer = task.coder.answer
        assert isinstance(answer, Numbers)
        channels, horizon = len(answer.mean), max(1, task.coder.horizon)
        self._task, self._name = task, task.coder.target
        self.gaussian = task.gaussian if isinstance(task, Forecast) else True
        self._quantiles = task.quantiles if isinstance(task, Forecast) else ()
        for name, shape in (
            *(("relative", (channels,)), ("centre", (channels,)), ("units", (3, channels))),
            ("spread", (horizon, channels, task.outputs // (horizon * channels))),
        ):
            self.register_buffer(name, torch.zeros(shape))

    @abstractmethod
    def begin(self, rows: int) -> State:
        """The method's state before the first step."""

    @abstractmethod
    def read(self, z: Tensor, known: Tensor, lengths: Tensor, state: State) -> State:
        """The method's state after the steps of each row: z (B, T, C), where it is known, and how many are real."""

    @abstractmethod
    def ahead(self, state: State) -> Tensor:
        """(B, H, C) the forecasts of z."""

    def initial_state(self, batch: int) -> Reading:
        """The state before the first step of ``batch`` rows."""
        zeros = self.centre.new_zeros(batch, len(self.centre))
        return Reading(zeros, zeros.long(), self.begin(batch))

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, State]:
        """The outputs after the last step of each row, (B, H·C·Q), and the state there."""
        x = batch.inputs[self._name]
        state = self.initial_state(len(x)) if state is None else state
        return self._after(x, batch.lengths, state)

    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, State]:
        """The outputs after one more step of each row, (B, H·C·Q)."""
        x = inputs[self._name][:, None]
        return self._after(x, torch.ones(len(x), dtype=torch.int64, device=x.device), state)

    def read_graph(self, z: Value, known: Value, real: Value, state: Any) -> Any:
        """`read` as operators: z (B, T, C), where it is known, and (B, T) where there is a step.

        Raises:
            UsageError: the method cannot be exported.
        """
        raise self.without_graph()

    def ahead_graph(self, state: Any) -> Value:
        """`ahead` as operators.

        Raises:
            UsageError: the method cannot be exported.
        """
        raise self.without_graph()

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        x = inputs[self._name]
        g, first = x.graph, self.initial_state(1)
        if state is None:
            parts = (g.constant(part).expand(x.size(0), *part.shape[1:]) for part in leaves(first, first))
            state = planted(first, parts)
        last, seen, own = state
        values, gone = known_graph(x, self._task.coder.answer)
        real = is_real(x, lengths)
        there = values.apply("Abs") >= 0.0 if gone is None else ~gone
        there = there & real.unsqueeze(2)
        own = self.read_graph(self._z_graph(values), there, real, own)
        last = concat([last.unsqueeze(1), values], 1).rows(lengths.unsqueeze(1)).squeeze(1)
        seen = seen + there.to(np.int64).sum(1)
        answer = forecast_graph(self, self.ahead_graph(own), last, seen)
        return answer, Reading(*cast(Any, (last, seen, own)))

    def _z_graph(self, values: Value) -> Value:
        g = values.graph
        mean, std, least, relative, centre = (g.constant(one) for one in (*self.units, self.relative, self.centre))
        logs = g.op("Max", values * std + mean, least).apply("Log")
        return where(relative > 0.0, logs, values) - centre

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(…, C) the values in ``x`` (…, W), and which of them are known."""
        return known_values(x, self._task.coder.answer)

    def _z(self, values: Tensor) -> Tensor:
        mean, std, least = self.units
        logs = torch.maximum(values * std + mean, least).log() if bool(self.relative.any()) else values
        return torch.where(self.relative > 0, logs, values) - self.centre

    def _after(self, x: Tensor, lengths: Tensor, state: Reading) -> tuple[Tensor, Reading]:
        """The outputs and the state after the steps ``x`` (B, T, W) of rows with so many of them."""
        values, known = self._read(x)
        rows, real = torch.arange(len(x), device=x.device), real_steps(lengths, x.shape[1])[..., None]
        last = torch.cat([state.last[:, None], values], 1)[rows, lengths]
        own = self.read(self._z(values), known & real, lengths, state.own)
        after = Reading(last, state.seen + (known & real).sum(1), own)
        return self._answer(after), after

    def _answer(self, state: Reading) -> Tensor:
        """(B, H·C·Q)."""
        z = self.ahead(state.own)[..., None]  # (B, H, C, 1)
        value = self._scaled(z if self.gaussian else z + self.spread)
        change = torch.where(state.seen[:, None, :, None] > 0, value - state.last[:, None, :, None], 0.0)
        if self.gaussian:
            deviation = self.spread[..., 1] + self._steepness(z)[..., 0].log()
            change = torch.stack([change[..., 0], deviation], -1)
        return change.flatten(1)

    def _scaled(self, z: Tensor) -> Tensor:
        """Forecasts of z, (B, H, C, Q), in scaled units."""
        mean, std, _ = (part[:, None] for part in self.units)
        z = z + self.centre[:, None]
        relative = self.relative[:, None] > 0
        return torch.where(relative, (torch.where(relative, z, 0.0).exp() - mean) / std, z)

    def _steepness(self, z: Tensor) -> Tensor:
        """How many scaled units one unit of z is at a forecast."""
        relative = self.relative[:, None] > 0
        z = torch.where(relative, z + self.centre[:, None], 0.0)
        return torch.where(relative, z.exp() / self.units[1][:, None], 1.0)

    def _with_units(self, relative: np.ndarray, centre: np.ndarray, least: np.ndarray) -> None:
        """Set how values are read: (C,) each."""
        answer = self._task.coder.units
        assert answer is not None
        self.relative.copy_(torch.from_numpy(relative.astype(np.float32)))
        self.centre.copy_(torch.from_numpy(centre.astype(np.float32)))
        self.units.copy_(torch.from_numpy(np.stack([answer.mean, answer.std, least]).astype(np.float32)))

    @torch.no_grad()
    def _with_spread(self, train: Examples) -> None:
        """Measure how far forecasts are off on training windows, step by step ahead."""
        if self.spread.shape[-1] == 1:
            return
        missed = self._missed(train)  # (N, H, C)
        count = independent(len(train.window_ends()[0]), self.spread.shape[0], len(train.steps()))
        # Errors of 0 on training data do not promise that there will be none.
        least = _SURE * np.nanstd(self._z(torch.from_numpy(_values(train))).numpy(), 0) + 1e-6
        for channel in range(missed.shape[2]):
            own = missed[..., channel]
            if self.gaussian:
                deviation = np.maximum(growth(own, count), least[channel])
                self.spread[:, channel, 1] = torch.from_numpy(np.log(deviation))
            else:
                spread = step_quantiles(own, self._quantiles, count)
                spread[:, self._quantiles.index(0.5)] = 0  # the median is the method's own forecast
                self.spread[:, channel] = torch.from_numpy(spread)

    def _missed(self, train: Examples) -> np.ndarray:
        """(N, H, C) right less forecast z; NaN where it is not known."""
        lookback, (rows, stops) = self._task.batching.lookback, train.window_ends()
        full = stops >= min(lookback, int(np.median(stops)) if len(stops) else 0)
        rows, stops = rows[full], stops[full]
        some = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _WINDOWS)).astype(np.int64))
        missed = [np.zeros((0, *self.spread.shape[:2]), np.float32)]
        for batch in Loader(train, Windows(rows[some], stops[some], lookback, _ROWS)):
            state = self.run(replace(batch, target=None))[1]
            assert batch.target is not None
            missed.append((self._z(batch.target) - self.ahead(state.own)).numpy())
        found = np.concatenate(missed)
        if len(found):
            return found
        # Too short to look back at a whole forecast: errors grow as those of the last value do.
        apart = np.diff(self._z(torch.from_numpy(_values(train))).numpy(), axis=0)[:, None]
        return np.asarray(np.concatenate([apart, -apart]) * np.sqrt(np.arange(1, self.spread.shape[0] + 1))[:, None])


def forecast_graph(owner: Forecaster, ahead: Value, last: Value, seen: Value) -> Value:
    """(B, H·C·Q) as operators: the change from the last values (B, C) to the forecasts of z (B, H, C)."""
    g, shape = ahead.graph, (1, 1, -1, 1)
    mean, std = (g.constant(one.reshape(shape)) for one in owner.units[:2])
    relative, centre = (g.constant(one.reshape(shape)) for one in (owner.relative > 0, owner.centre))
    spread, z = owner.spread, ahead.unsqueeze(3)  # (B, H, C, 1)
    moved = z + centre if owner.gaussian else z + g.constant(spread) + centre
    scaled = where(relative, (where(relative, moved, 0.0).apply("Exp") - mean) / std, moved)
    change = where((seen > 0).unsqueeze(1, 3), scaled - last.unsqueeze(1, 3), 0.0)
    if owner.gaussian:
        steep = where(relative, where(relative, moved, 0.0).apply("Exp") / std, 1.0).apply("Log")
        change = concat([change, steep + g.constant(spread[..., 1:])], 3)
    return change.reshape(0, spread.numel())


def _values(examples: Examples) -> np.ndarray:
    assert examples.target is not None
    return examples.target.values


def step_by_step(
    update: Callable[[Tensor, Tensor, State], State], z: Tensor, known: Tensor, lengths: Tensor, state: State
) -> State:
    """What `Forecaster.read` returns, for a method that has a function for one step of all rows.

    Args:
        update: from z (B, C), where it is known, and the state, to the state after the step.
        z, known, lengths, state: as for `Forecaster.read`.
    """
    for t in range(z.shape[1]):
        real, after = t < lengths, update(z[:, t], known[:, t], state)
        state = after if bool(real.all()) else where_rows(real, after, state)
    return state


def forecasts(task: Task, train: Examples) -> bool:
    """True if ``task`` forecasts numbers, and a series of ``train`` has enough known values to solve its method."""
    if not isinstance(task, Forecast) or train.target is None:
        return False
    known = ~np.isnan(train.target.values).all(1)
    rows = np.repeat(np.arange(len(train.target.lengths())), train.target.lengths())
    return bool((np.bincount(rows[known], minlength=1) >= _LEAST).any())
