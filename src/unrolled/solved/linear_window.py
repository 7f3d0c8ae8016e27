"""The linear window: each channel's next H steps from its own last L, solved by least squares.

Axes: B rows, T steps, W width of the input, C channels, L steps of the window, H horizon, Q numbers of each value.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unrolled.baselines._arrays import target_of
from unrolled.baselines._forecasts import known_so_far
from unrolled.baselines._season import season
from unrolled.batch import Batch
from unrolled.config import Part
from unrolled.data.encodings.facets import Flagged
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.horizon import Horizon
from unrolled.layers.graph import Value, concat, last_steps, where
from unrolled.program.instructions import Dot, Gather, Push, Source, Vector
from unrolled.program.program import Program
from unrolled.solved._known import filled_graph, known_graph, write_known
from unrolled.solved._window_choice import Choice, choose, lengths, refit
from unrolled.solved._window_moments import WindowSource, spread_evenly
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks._spread import growth, step_quantiles
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Task

__all__ = ["LinearWindow"]

_LONGEST = 1024  # steps of a window
_MOST_WINDOWS = 200_000
_MOST_WORK = 3e10  # multiplications: some seconds
_LARGEST = 20_000_000  # weights
_LEAST = 1e-6  # deviation


class WindowState(NamedTuple):
    """The last steps of each row.

    Attributes:
        values: (B, L, C) float32, filled up with the first value of the row, without gaps.
        steps: (B,) int64, the steps read so far.
    """

    values: Tensor
    steps: Tensor


class LinearWindow(SolvedModel):
    r"""The next H steps of each channel as linear functions of its own last L steps, the same for all channels.

    .. math:: \hat y_{t+h} = \sum_{l=0}^{L-1} w_{hl} x_{t-l} + a_h

    The weights are the mean of ridge regressions on every window of the training split, of several lengths, that shrink
    to 0, the last value or the last season. They are solved on the windows before the last fifth of each series; those
    that forecast that fifth about as well as the best of them are solved once more on all windows. The last value, the
    last season, the mean and the drift of so many steps are such maps too: one of them is taken where the regressions
    are not clearly better. The shorter and fewer the series, the more is clearly: up to half of the squared error.

    A window that starts before its row is filled up with the row's first value, in training too. A missing value is the
    last known one. Other inputs are not read. Quantiles and deviations are those of the errors on the last fifth.

    Cost: solving O(N L (L + H)) for N windows, at most 200 000 or some seconds; a step O(C L H).

    References:
        Toner and Darlow 2024, linear forecasts in closed form. https://arxiv.org/abs/2403.14587
    """

    class Options(Part):
        """Its sizes."""

        steps: int | None = None
        method: str = ""

    name = "linear window"
    effort = 1
    starts = True

    def __init__(self, task: Task, options: LinearWindow.Options) -> None:
        super().__init__(task, options)
        assert isinstance(task, Forecast)
        self._answer_coding = answer = task.coder.answer
        self._target, self._flagged = task.coder.target, list(answer.flagged) if isinstance(answer, Flagged) else []
        self._channels, self._horizon = len(task.channels), task.coder.horizon
        numbers = task.outputs // (self._horizon * self._channels)
        self._steps = options.steps or 1
        self._deviates = task.gaussian  # the last number of each value is a log deviation
        self.weight = nn.Parameter(torch.zeros(self._horizon, self._steps))
        self.bias = nn.Parameter(torch.zeros(self._horizon, numbers))
        if options.method:
            self.title = f"{self.name} ({options.method})"

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for forecasts of a horizon that is not too long."""
        return isinstance(task, Forecast) and isinstance(train.form, Horizon) and train.horizon <= _LARGEST

    @classmethod
    def solve(cls, task: Task, train: Examples, options: LinearWindow.Options, seed: int) -> Self:
        """Solve it on the training split, however short its series are.

        Args:
            task, train, options: as for every solved model; a window holds at most ``task.batching.lookback`` steps.
            seed: not used: nothing is drawn.
        """
        assert isinstance(task, Forecast)
        period = task.coder.season or season(train)
        divided = _Divided.of(task, train, period)
        source = divided.source
        fit, held, others = (source.moments(part) for part in (divided.early, divided.late, divided.others))
        whole = fit + held + others
        tried = lengths(train.horizon, period, source.steps)
        if options.steps is not None:
            tried = [min(options.steps, source.steps)]
        grown = whole - source.moments(divided.young)
        chosen = choose(fit, held, grown, tried, period, divided.origins)
        model = cls(task, options.model_copy(update={"steps": len(chosen.weights) - 1, "method": chosen.name}))
        model._take(refit(chosen, fit, whole), _spread(chosen, divided, task))
        return model

    def run(self, batch: Batch, state: WindowState | None = None) -> tuple[Tensor, WindowState]:
        """(B, O) and the state after the batch."""
        x = batch.inputs[self._target]  # (B, T, W)
        state = state or self.initial_state(len(x), x)
        return self._read(x, batch.lengths, state)

    def step(self, inputs: dict[str, Tensor], state: WindowState) -> tuple[Tensor, WindowState]:
        """One step of each row."""
        x = inputs[self._target][:, None]  # (B, 1, W)
        return self._read(x, torch.ones(len(x), dtype=torch.int64, device=x.device), state)

    def initial_state(self, batch: int, like: Tensor | None = None) -> WindowState:
        """No steps yet."""
        like = self.weight if like is None else like
        values = torch.zeros(batch, self._steps, self._channels, dtype=torch.float32, device=like.device)
        return WindowState(values, torch.zeros(batch, dtype=torch.int64, device=like.device))

    def write_step(self, program: Program) -> Vector:
        """Write the window as a register, and the map of each channel."""
        x, channels = program.inputs[self._target], self._channels
        assert isinstance(x, Vector)
        window = program.state("window", self._steps * channels)
        last = window.part(window.size - channels, channels)
        program.add(Push(window, write_known(program, x, last, self._flagged), repeat=True))
        numbers = self.bias.shape[1]
        y = program.local("linear_window", self._horizon * channels * numbers)
        weight = program.constant("window_weight", self.weight)
        biases = [program.constant(f"window_bias_{number}", self.bias[:, number]) for number in range(numbers)]
        for c in range(channels):
            own, change = window, program.local("change", self._horizon)
            if channels > 1:
                own = program.local("own", self._steps)
                program.add(Gather(own, window.part(c, window.size - c), self._steps, 1, channels))
            values: dict[str, Source] = {"a": Dot(weight, own), "last": last.part(c, 1, 0), "now": x.part(c, 1, 0)}
            program.each({"y": "a + (last - now)"}, values, {"y": change}, change.size)
            for number, bias in enumerate(biases):
                into = y.part(c * numbers + number, self._horizon, channels * numbers)
                deviation = self._deviates and number == 1
                program.each(
                    {"y": "0 + bias" if deviation else "change + bias"},
                    {"change": change, "bias": bias},
                    {"y": into},
                    change.size,
                )
        return y

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        x, count = inputs[self._target], self._steps
        g, first = x.graph, self.initial_state(1)
        if state is None:
            held, steps = (g.constant(part).expand(x.size(0), *part.shape[1:]) for part in first)
        else:
            held, steps = state
        values, gone = known_graph(x, self._answer_coding)
        seen = concat([held, filled_graph(values, gone, held.part(count - 1, count, 1).squeeze(1))], 1)
        at = lengths.unsqueeze(1) + g.constant(np.arange(count))
        at = where((steps > 0).unsqueeze(1), at, g.op("Max", at, count))
        after = steps + lengths
        window = seen.rows(g.op("Min", at, seen.size(1) - 1))
        window = where((after > 0).unsqueeze(1, 2), window, 0.0)
        return self._answered(window, last_steps(values, lengths)), WindowState(*cast(Any, (window, after)))

    def _answered(self, window: Value, last: Value) -> Value:
        """`_answer` as operators."""
        g = window.graph
        change = g.constant(self.weight).to(np.float64) @ window.to(np.float64)  # (B, H, C)
        now = window.part(self._steps - 1, self._steps, 1).squeeze(1) - last
        change = (change + now.to(np.float64).unsqueeze(1)).unsqueeze(3)
        if self._deviates:
            change = concat([change, change * 0.0], 3)
        change = change + g.constant(self.bias.detach().double()[:, None])
        return change.to(np.float32).reshape(0, self.bias.numel() * self._channels)

    def _read(self, x: Tensor, lengths: Tensor, state: WindowState) -> tuple[Tensor, WindowState]:
        last = x[torch.arange(len(x), device=x.device), (lengths - 1).clamp(min=0), : self._channels]  # (B, C)
        seen = torch.cat([state.values, self._filled(x, state)], 1)  # (B, L + T, C)
        at = lengths[:, None] + torch.arange(self._steps, device=x.device)  # (B, L)
        at = torch.where(state.steps[:, None] > 0, at, at.clamp(min=self._steps))  # before the first step: its value
        window = seen.gather(1, at.clamp(max=seen.shape[1] - 1)[..., None].expand(-1, -1, self._channels))
        after = state.steps + lengths
        window = torch.where((after > 0)[:, None, None], window, 0.0)
        return self._answer(window, last), WindowState(window, after)

    def _filled(self, x: Tensor, state: WindowState) -> Tensor:
        """(B, T, C): the values, those that are missing replaced by the last known one, or by 0."""
        values = x[..., : self._channels]
        if not self._flagged:
            return values
        gone = torch.zeros(values.shape, dtype=torch.bool, device=x.device)
        gone[..., self._flagged] = x[..., self._channels : self._channels + len(self._flagged)] > 0.5
        whole = torch.cat([state.values[:, -1:], values], 1)  # a row's first value is 0 where it is missing
        place = torch.arange(1, whole.shape[1], device=x.device)[:, None].expand_as(values)
        return whole.gather(1, torch.where(gone, 0, place).cummax(1).values)

    def _answer(self, window: Tensor, last: Tensor) -> Tensor:
        """(B, O), in float64 inside, so that a row's answer is the same beside any others."""
        change = functional.linear(window.transpose(1, 2).double(), self.weight.double()).transpose(1, 2)  # (B, H, C)
        change = (change + (window[:, -1] - last).double()[:, None])[..., None]  # from the value that the task adds to
        if self._deviates:
            change = torch.cat([change, torch.zeros_like(change)], -1)
        return (change + self.bias.double()[:, None]).float().reshape(len(window), -1)

    def _take(self, weights: np.ndarray, spread: np.ndarray) -> None:
        """Hold the map ``weights`` (L + 1, H) of the level, and what is added to it for each number, (H, Q)."""
        change = weights.copy()
        change[-2] -= 1  # the task adds the last value
        constant = np.repeat(change[-1][:, None], spread.shape[1], 1)
        if self._deviates:
            constant[:, 1] = 0
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(change[:-1].T))
            self.bias.copy_(torch.from_numpy(constant + spread))


class _Divided(NamedTuple):
    """The windows of the training split.

    Attributes:
        source: all of them.
        early: the places of those to solve from at first.
        late: of those to choose by, whose futures lie after all that ``early`` holds.
        others: of those whose futures lie in both parts.
        young: of those that hold less than a season, where others hold one: they do not show what a season is worth.
        origins: about how many of ``late`` do not overlap.
    """

    source: WindowSource
    early: np.ndarray
    late: np.ndarray
    others: np.ndarray
    young: np.ndarray
    origins: float

    @classmethod
    def of(cls, task: Forecast, train: Examples, period: int) -> Self:
        """Hold out the last fifth of each series; of short ones a horizon, or one and a half if a third is as long."""
        horizon, lengths = train.horizon, train.steps()
        held = np.maximum(lengths // 5, np.minimum(horizon + horizon // 2, lengths // 3))
        held = np.maximum(held, horizon)
        long = lengths > 2 * horizon  # others have no window before their last horizon
        source, rows = _windows(task, train)
        ends = source.stops - _offsets(train)[rows]
        cut = np.where(long, lengths - held, 0)[rows]
        early, late = ends + horizon <= cut, long[rows] & (ends >= cut)
        origins = float((held[long] / horizon).sum()) * source.known.shape[1]
        young = (ends < period) & (ends.max(initial=0) >= period)
        others, at = ~early & ~late, np.flatnonzero
        return cls(source, at(early), at(late), at(others), at(young), origins)


def _windows(task: Forecast, train: Examples) -> tuple[WindowSource, np.ndarray]:
    """The windows, evenly spread where there are too many, and the row of each."""
    horizon, channels = train.horizon, len(task.channels)
    longest = int(train.steps().max(initial=0)) - horizon
    steps = max(1, min(_LONGEST, _LARGEST // horizon, task.batching.lookback, longest))
    known, values = known_so_far(train, np.zeros(channels, np.float32)), target_of(train).values
    missing = np.isnan(values)
    rows, ends = train.window_ends()
    most = min(_MOST_WINDOWS, int(_MOST_WORK / ((steps + 1) * (steps + 1 + horizon))))
    kept = spread_evenly(len(rows), max(1, most // channels))
    begins = _offsets(train)[rows[kept]]
    lookback = task.batching.lookback if train.by_window else None
    gaps = missing if missing.any() else None
    return WindowSource(known, gaps, begins, begins + ends[kept], steps, horizon, lookback), rows[kept]


def _offsets(train: Examples) -> np.ndarray:
    offsets = target_of(train).offsets
    assert offsets is not None
    return offsets


def _spread(chosen: Choice, divided: _Divided, task: Forecast) -> np.ndarray:
    """(H, Q): what is added to the level for each number of a value, from the errors of the windows held out."""
    source = divided.source
    places = divided.late if len(divided.late) else divided.others
    if not task.gaussian and not task.quantiles:
        return np.zeros((source.horizon, 1))
    errors = source.residuals(chosen.weights, places)
    if task.gaussian:
        deviation = growth(errors, divided.origins)
        return np.stack([np.zeros_like(deviation), np.log(np.maximum(deviation, _LEAST))], 1)
    return step_quantiles(errors, task.quantiles, divided.origins)


MEMBER = LinearWindow
