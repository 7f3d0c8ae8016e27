"""Random convolutions and ridge: labels and numbers of whole series, solved in seconds.

Axes: B rows, T steps, C channels, P steps kept of the past, F features of the kernels, R of the row, O outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from unrolled.batch import MISSING, Batch, Continuous, Discrete
from unrolled.config import Part
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.data.plans.windows import Rows
from unrolled.layers.graph import Value, concat, where, zeroed
from unrolled.layers.lengths import zero_padding
from unrolled.solved._convolutions import KERNELS, Convolutions, dilations_of
from unrolled.solved._ridge import heat_of, solve_ridge
from unrolled.solved._series import RowNumbers, SeriesColumns
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks.task import Task

__all__ = ["Rocket"]

_SHORTEST = 9  # steps of the longest row: a kernel has nine taps
_FEWEST = 4  # rows
_SIZES = ((32, 4), (32, 1), (8, 1))  # dilations, and biases of each kernel: for few rows, for many, for long ones
_FEW_ROWS, _MOST_ROWS = 2048, 20_000
_LOOKED_AT = 512  # rows from which biases are taken
_MOST_WORK = 3e10  # comparisons while solving: some twenty seconds
_MOST_CHANNELS = 64
_BATCH = 64
_LEAST = 1e-6  # deviation of a feature that says something
_WEIGHT = 10.0  # of a number of the row: as many as a hundred features of the kernels


class RocketState(NamedTuple):
    """What has been read of each row.

    Attributes:
        past: (B, P, C) float32, the last steps, after zeros.
        last: (B, C') float32, the last values of all channels.
        counts: (B, F) int32, the steps at which each feature was on.
        steps: (B,) int64.
    """

    past: Tensor
    last: Tensor
    counts: Tensor
    steps: Tensor


class Rocket(SolvedModel):
    r"""How often fixed convolutions of a row's series exceed their biases, and ridge regression on these shares.

    .. math:: o = s\, (W^\top (\phi - \bar\phi) + b), \qquad
        \phi_f = \frac{1}{n} \sum_{t \le n} [\, r_{f,t} > b_f \,]

    84 kernels of nine taps at 32 dilations give 10 752 shares, 2 688 with more than 2 048 rows (see `Convolutions`);
    those that a row is too short for are at their mean. Several channels are added up, up to nine of them at random
    for each kernel, of at most 64 in all. Numbers and categories of the row are read too, symbols over time are not.
    The targets of the ridge are ±1 for each label, or the number; its penalty leaves out each row once, and so does
    the scale s that makes labels probabilities. Of more than 20 000 rows so many are drawn.

    The state is the last 8 · (largest dilation) steps and the counts, so it streams; whole rows, chunks and single
    steps count the same.

    Cost: solving takes F comparisons a step and O(N F min(N, F)) for N rows; a step F comparisons, 84 · 9 C
    multiply-adds for each dilation and F O for the answer.

    References:
        Dempster, Schmidt, Webb 2021, MiniRocket. https://arxiv.org/abs/2012.08791
    """

    class Options(Part):
        """Its sizes."""

        dilations: tuple[int, ...] = ()
        biases: int = 1

    name = "rocket"
    effort = 1

    drawn: Tensor
    mean: Tensor

    def __init__(self, task: Task, options: Rocket.Options) -> None:
        super().__init__(task, options)
        self._series, self._rows = SeriesColumns(task.coder), RowNumbers(task.coder)
        channels = min(_MOST_CHANNELS, self._series.count)
        self.kernels = Convolutions(channels, options.dilations, options.biases)
        features = self.kernels.size + self._rows.count
        self.register_buffer("drawn", torch.zeros(channels, dtype=torch.int64))  # which of more channels are read
        self.register_buffer("mean", torch.zeros(features))
        self.weight = nn.Parameter(torch.zeros(features, task.outputs), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(task.outputs), requires_grad=False)

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for a label, a set of labels or a number for each row of numbers over time, nine steps or more."""
        if not isinstance(train.form, One | Set) or not task.pooled:
            return False
        spec, columns = train.target_spec, train.specs.items()
        outputs = spec.size if isinstance(spec, Discrete) else 1
        timed = any(isinstance(one, Continuous) and one.time for _, one in columns)
        symbols = [name for name, one in columns if isinstance(one, Discrete) and one.time]
        text = any(isinstance(task.coder.inputs[name], Text) for name in symbols)
        if not timed or text or task.outputs != outputs:
            return False
        steps = train.steps()
        if isinstance(train.form, One) and train.target is not None:
            steps = steps[train.form.asked(train.target, train.first, isinstance(spec, Discrete))]
        return int(steps.max(initial=0)) >= _SHORTEST and int((steps > 0).sum()) >= _FEWEST

    @classmethod
    @torch.no_grad()
    def solve(cls, task: Task, train: Examples, options: Rocket.Options, seed: int) -> Self:
        """Solve it on the training split.

        Args:
            task, train, options: as for every solved model.
            seed: for the channels and rows that are drawn.
        """
        generator = np.random.default_rng(seed)
        chosen, count, biases = _chosen(train, generator)
        dilations = dilations_of(int(train.steps()[chosen].max()), count)
        model = cls(task, options.model_copy(update={"dilations": dilations, "biases": biases}))
        drawn = generator.permutation(model._series.count)[: len(model.drawn)]
        model.drawn.copy_(torch.from_numpy(np.sort(drawn)))
        model.kernels.draw(model._some_rows(train, chosen, generator), generator)
        features, targets = [], []
        for batch in Loader(train, Rows(train.steps(), _BATCH, kept=chosen)):
            assert batch.target is not None
            known = batch.target != MISSING if batch.target.dtype == torch.int64 else ~batch.target.isnan()
            known = known if known.dim() == 1 else known.all(1)
            features.append(model._features(batch.inputs, model._after(batch.inputs, batch.lengths, None))[known])
            targets.append(batch.target[known])
        model._fill(torch.cat(features), torch.cat(targets), isinstance(train.target_spec, Discrete))
        return model

    def _some_rows(self, train: Examples, chosen: np.ndarray, generator: np.random.Generator) -> list[Tensor]:
        """The channels (T, C) of some of the ``chosen`` rows, from which kernels take their biases."""
        places = generator.choice(np.flatnonzero(chosen), min(_LOOKED_AT, int(chosen.sum())), replace=False)
        kept = np.isin(np.arange(len(chosen)), places)
        rows: list[Tensor] = []
        for batch in Loader(train, Rows(train.steps(), _BATCH, kept=kept)):
            x = self._series.read(batch.inputs, torch.zeros(len(batch.lengths), self._series.count))[..., self.drawn]
            rows.extend(row[:length] for row, length in zip(x, batch.lengths.tolist(), strict=True))
        return rows

    def _fill(self, features: Tensor, target: Tensor, labels: bool) -> None:
        """Fill the weights, from ``features`` (N, F + R), NaN where a row is too short, and their targets."""
        mean = features.nanmean(0)
        self.mean.copy_(torch.where(mean.isnan(), 0.5, mean))
        features = torch.where(features.isnan(), self.mean, features).sub_(self.mean)
        deviation = features.square().mean(0).sqrt()
        scale = torch.where(deviation > _LEAST, 1 / deviation, 0.0)
        scale[self.kernels.size :] *= _WEIGHT
        wanted = target
        if labels:
            hot = functional.one_hot(target, len(self.bias)) if target.dtype == torch.int64 else target
            wanted = 2.0 * hot - 1
        found = solve_ridge(features.mul_(scale), wanted.float())
        heat = heat_of(found.left_out, target) if labels else 1.0
        self.weight.copy_(scale[:, None] * found.weight * heat)
        self.bias.copy_(found.bias * heat)

    def run(self, batch: Batch, state: RocketState | None = None) -> tuple[Tensor, RocketState]:
        """(B, O) and the state after the batch."""
        state = self._after(batch.inputs, batch.lengths, state)
        return self._answer(batch.inputs, state), state

    def step(self, inputs: dict[str, Tensor], state: RocketState) -> tuple[Tensor, RocketState]:
        """One step of each row."""
        timed = {name: value[:, None] for name, value in inputs.items()}
        state = self._after(timed, torch.ones_like(state.steps), state)
        return self._answer(inputs, state), state

    def initial_state(self, batch: int) -> RocketState:
        """No steps yet."""
        like = self.weight
        past = like.new_zeros(batch, self.kernels.past, len(self.drawn))
        counts = torch.zeros(batch, self.kernels.size, dtype=torch.int32, device=like.device)
        steps = torch.zeros(batch, dtype=torch.int64, device=like.device)
        return RocketState(past, like.new_zeros(batch, self._series.count), counts, steps)

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        g, first = lengths.graph, self.initial_state(1)
        if state is None:
            state = (g.constant(part).expand(lengths.size(0), *part.shape[1:]) for part in first)
        past, last, counts, steps = state
        x = zeroed(self._series.graph(inputs, last), lengths)
        read = g.op("Gather", x, g.constant(self.drawn), axis=2)
        seen = concat([past, self.kernels.rounded_graph(read)], 1)
        new, whole = self.kernels.graph(seen, steps, lengths)
        counts = counts + new
        past = seen.rows(lengths.unsqueeze(1) + g.constant(np.arange(self.kernels.past)))
        last = concat([last.unsqueeze(1), x], 1).rows(lengths.unsqueeze(1)).squeeze(1)
        after = RocketState(*cast(Any, (past, last, counts, steps + lengths)))
        return self._answered(inputs, counts, whole), after

    def _answered(self, inputs: dict[str, Value], counts: Value, whole: Value) -> Value:
        """`_answer` as operators, from the counts (B, F) and the steps that each kernel counted (B, D, 84)."""
        g, size = counts.graph, self.kernels.size
        each = counts.reshape(0, *self.kernels.biases.shape).to(np.float32)
        shares = each / g.op("Max", whole, 1).unsqueeze(1).to(np.float32)
        mean = self.mean[:size].view(self.kernels.biases.shape)
        centred = where((whole > 0).unsqueeze(1), shares - g.constant(mean), 0.0).reshape(0, size)
        beside = self._rows.graph(inputs)
        if beside:
            centred = concat([centred, concat(beside, 1) - g.constant(self.mean[size:])], 1)
        weights, bias = g.constant(self.weight).to(np.float64), g.constant(self.bias).to(np.float64)
        return (centred.to(np.float64) @ weights + bias).to(np.float32)

    @torch.no_grad()
    def _after(self, inputs: dict[str, Tensor], lengths: Tensor, state: RocketState | None) -> RocketState:
        """The state after ``lengths`` (B,) more steps."""
        state = state or self.initial_state(len(lengths))
        x = zero_padding(self._series.read(inputs, state.last), lengths)  # (B, T, C')
        seen = torch.cat([state.past, self.kernels.rounded(x[..., self.drawn])], 1)  # (B, P + T, C)
        counts = state.counts + self.kernels.count(seen, state.steps, lengths)
        at = lengths[:, None] + torch.arange(self.kernels.past, device=x.device)  # (B, P)
        past = seen.gather(1, at[..., None].expand(-1, -1, seen.shape[2]))
        every = torch.cat([state.last[:, None], x], 1)
        last = every[torch.arange(len(x), device=x.device), lengths]
        return RocketState(past, last, counts, state.steps + lengths)

    def _features(self, inputs: dict[str, Tensor], state: RocketState) -> Tensor:
        """(B, F + R): the share of steps at which each feature was on, NaN before the first; the numbers of the row."""
        shares = self.kernels.shares(state.counts, state.steps)
        return torch.cat([shares, self._rows.read(inputs, shares)], 1)

    def _answer(self, inputs: dict[str, Tensor], state: RocketState) -> Tensor:
        """(B, O), in float64 inside, so that a row's answer is the same beside any others."""
        features = self._features(inputs, state) - self.mean
        features = torch.where(features.isnan(), 0.0, features).double()
        return (features @ self.weight.double() + self.bias.double()).float()


def _chosen(train: Examples, generator: np.random.Generator) -> tuple[np.ndarray, int, int]:
    """The rows (N,) bool that it is solved from, the number of dilations, and that of a kernel's biases."""
    steps = train.steps()
    places = generator.permutation(np.flatnonzero(steps))[:_MOST_ROWS]
    work = KERNELS * int(steps[places].sum())
    few = len(places) <= _FEW_ROWS
    fitting = [(d, a) for d, a in _SIZES if d * a * work <= _MOST_WORK and (few or a == 1)]
    dilations, biases = (*fitting, _SIZES[-1])[0]
    rows = max(_FEWEST, int(len(places) * min(1.0, _MOST_WORK / (dilations * biases * work))))
    return np.isin(np.arange(len(steps)), places[:rows]), dilations, biases


MEMBER = Rocket
