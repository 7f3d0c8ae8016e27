"""What the simplest forecasters share: they repeat what was last known, and read nothing else.

Axes: B rows, T steps, H horizon, C channels, m steps that are remembered.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, target_of
from unrolled.baselines._forecasts import asks_for_numbers, known_so_far, means
from unrolled.batch import Batch
from unrolled.data.encodings.facets import Flagged, Numbers
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.horizon import Horizon
from unrolled.layers.graph import Value, concat, is_real
from unrolled.layers.lengths import real_steps
from unrolled.program.instructions import Push, Source, Vector
from unrolled.program.program import Program
from unrolled.solved._forecaster import Forecaster, Reading, step_by_step
from unrolled.solved._known import filled_graph, known_graph, write_known
from unrolled.state import State, leaves, planted
from unrolled.tasks.task import Task

__all__ = ["Naive", "Recent", "numbers_over_time"]


class Recent(NamedTuple):
    """The last steps of each row.

    Attributes:
        values: (B, m, C), the oldest first; a missing value is the one before it, or before a first one the mean.
        steps: (B,) int64, how many steps there were, at most m.
    """

    values: Tensor
    steps: Tensor


class Naive(Forecaster):
    """A forecast that is made of the last m steps, and of the training mean; all windows of a batch at once.

    It answers forecasts with H steps ahead, and the next step of real numbers with one, after each step.
    """

    mean: Tensor  # (C,) of the training split

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self.register_buffer("mean", torch.zeros_like(self.centre))

    @property
    def remembered(self) -> int:
        """M."""
        return 1

    @abstractmethod
    def ahead(self, state: Recent) -> Tensor:
        """(B, H, C) the forecasts."""

    @torch.no_grad()
    def _solved(self, train: Examples) -> None:
        """Take the mean of the training split, and measure how far forecasts are off on it."""
        if not train.by_window:  # else it is 0 where each window is scaled by itself
            self.mean.copy_(torch.from_numpy(means(train)))
        self._with_units(np.zeros(len(self.mean)), np.zeros(len(self.mean)), np.ones(len(self.mean)))
        self._with_spread(train)

    def begin(self, rows: int) -> Recent:
        """Before the first step."""
        count = torch.zeros(rows, dtype=torch.int64, device=self.mean.device)
        return Recent(self.mean.expand(rows, self.remembered, -1).clone(), count)

    def read(self, z: Tensor, known: Tensor, lengths: Tensor, state: Recent) -> Recent:
        """The state after the steps of each row."""
        found: Recent = step_by_step(self.update, z, known, lengths, state)
        return found

    def update(self, z: Tensor, known: Tensor, state: Recent) -> Recent:
        """One step."""
        now = torch.where(known, z, state.values[:, -1])
        return Recent(torch.cat([state.values[:, 1:], now[:, None]], 1), (state.steps + 1).clamp(max=self.remembered))

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, State]:
        """The outputs after the last step of each row (B, O), or after each step (B, T, O); and the state there."""
        x = batch.inputs[self._name]
        before: Reading = self.initial_state(len(x)) if state is None else state
        values, known = self._read(x)  # (B, T, C)
        at = torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        last = torch.where(known, at, 0).cummax(1).values  # the step that was known last; 0: the one before the first
        since = torch.cat([before.own.values[:, -1:], torch.where(known, values, 0.0)], 1).gather(1, last)
        steps = torch.cat([before.own.values, since], 1)  # (B, m + T, C)
        after = self._at(batch.lengths, values, known, steps, before)
        if self._task.pooled:
            return self._answer(after), after
        rows, times = real_steps(batch.lengths, x.shape[1]).nonzero(as_tuple=True)
        outputs = x.new_zeros(*x.shape[:2], self.spread.numel())
        own = Recent(since[rows, times][:, None], torch.ones_like(rows))
        outputs[rows, times] = self._answer(Reading(values[rows, times], before.seen[rows], own))
        return outputs, after

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`.

        Raises:
            UsageError: there is an answer for each step.
        """
        if not self._task.pooled:
            raise self.without_graph()
        x = inputs[self._name]
        if state is None:
            first = self.initial_state(1)
            parts = (x.graph.constant(part).expand(x.size(0), *part.shape[1:]) for part in leaves(first, first))
            state = planted(first, parts)
        values, gone = known_graph(x, self._task.coder.answer)
        count, (last, seen, (held, steps)) = self.remembered, state
        every = concat([held, filled_graph(values, gone, held.part(count - 1, count, 1).squeeze(1))], 1)
        held = every.rows(lengths.unsqueeze(1) + x.graph.constant(np.arange(count)))
        steps = x.graph.op("Min", steps + lengths, count)
        last = concat([last.unsqueeze(1), values], 1).rows(lengths.unsqueeze(1)).squeeze(1)
        known = is_real(x, lengths).unsqueeze(2) & (~gone if gone is not None else values.apply("Abs") >= 0.0)
        own = Recent(*cast(Any, (held, steps)))
        after = Reading(*cast(Any, (last, seen + known.to(np.int64).sum(1), own)))
        return self._changed(self.ahead_graph(own), last), after

    def _changed(self, ahead: Value, last: Value) -> Value:
        """(B, H C Q): nothing is relative or centred, so the numbers are those of the last step and their spread."""
        g, change = ahead.graph, (ahead - last.unsqueeze(1)).unsqueeze(3)
        spread = g.constant(self.spread)
        if self.gaussian:
            change = concat([change, change * 0.0 + g.constant(self.spread[..., 1:])], 3)
        else:
            change = change + spread
        return change.reshape(0, self.spread.numel())

    def _at(self, lengths: Tensor, values: Tensor, known: Tensor, steps: Tensor, before: Reading) -> Reading:
        """The state after ``lengths`` (B,) more steps."""
        rows = torch.arange(len(lengths), device=lengths.device)
        held = lengths[:, None] + torch.arange(self.remembered, device=lengths.device)  # (B, m)
        own = Recent(steps[rows[:, None], held], (before.own.steps + lengths).clamp(max=self.remembered))
        ends = torch.cat([before.last[:, None], values], 1)[rows, lengths]
        seen = before.seen + (known & real_steps(lengths, known.shape[1])[..., None]).sum(1)
        return Reading(ends, seen, own)

    def write_step(self, program: Program) -> Vector:
        """Write the last m steps as a register, and the forecast of each channel."""
        x, channels = program.inputs[self._name], len(self.mean)
        assert isinstance(x, Vector)
        first = self.mean.repeat(self.remembered)
        recent = program.state("recent", len(first), first.cpu().numpy())
        answer = self._task.coder.answer
        flagged = answer.flagged if isinstance(answer, Flagged) else ()
        before = recent.part(len(first) - channels, channels)
        program.add(Push(recent, write_known(program, x, before, flagged)))
        horizon, _, numbers = self.spread.shape
        y = program.local("naive", horizon * channels * numbers)
        for c in range(channels):
            ahead = self.write_ahead(program, recent, c)
            for number in range(numbers):
                spread = program.constant("spread", self.spread[:, c, number])
                deviation = self.gaussian and number == 1
                equation = "0 + spread" if deviation else "ahead - now" if self.gaussian else "ahead + spread - now"
                values: dict[str, Source] = {"ahead": ahead, "spread": spread, "now": x.part(c, 1, 0)}
                place, apart = (
                    (c * numbers + number, channels * numbers) if self._task.pooled else (number * channels + c, 1)
                )
                program.each({"y": equation}, values, {"y": y.part(place, horizon, apart)}, horizon)
        return y

    def write_ahead(self, program: Program, recent: Vector, channel: int) -> Source:
        """Where the forecast of a channel at each step ahead stands: the last known value, unless a method differs."""
        channels = len(self.mean)
        return recent.part(recent.size - channels + channel, 1, 0)

    def _answer(self, state: Reading) -> Tensor:
        """(B, O): also before a first known value, where the answer is the mean."""
        outputs = super()._answer(state._replace(seen=torch.ones_like(state.seen)))
        if self._task.pooled:
            return outputs
        return outputs.view(len(outputs), -1, 2).transpose(1, 2).flatten(1)  # all means, then all log σ

    def _missed(self, train: Examples) -> np.ndarray:
        if isinstance(train.form, Horizon):
            return super()._missed(train)
        steps = asked_values(train)
        known = torch.from_numpy(known_so_far(train, self.mean.numpy())[steps - 1])
        state = Recent(known[:, None], torch.ones(len(known), dtype=torch.int64))
        return np.asarray(target_of(train).values[steps][:, None] - self.ahead(state).numpy())


def numbers_over_time(task: Task, train: Examples) -> bool:
    """True for forecasts, and for the next step of real numbers."""
    return isinstance(task.coder.answer, Numbers) and train.target is not None and asks_for_numbers(train)
