"""Letters by place: labels and numbers of sequences that are cut so that a place means the same in all of them.

Axes: B rows, T steps, V ids of the column, L places, G longest group, F weights, O outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.batch import MISSING, Batch, Discrete, Spec
from unrolled.config import Part
from unrolled.data.batches.loader import Loader
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.data.plans.windows import Rows
from unrolled.layers.graph import Value, concat, is_real, where
from unrolled.layers.lengths import real_steps
from unrolled.solved._places import Answer, Groups, fit_places, numbers_graph
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks.task import Task

__all__ = ["LettersByPlace"]

_FEWEST, _SHORTEST, _LONGEST = 20, 8, 2000  # rows; steps of them
_EVEN = 0.9  # the shortest row in the longest
_LETTERS = 64
_LARGEST, _MOST_WEIGHTS = 5, 300_000  # letters of a group; weights of all groups of a length, for each output
_MOST_GROUPS = 10_000_000  # in all rows that are read
_BATCH = 256


class PlacedState(NamedTuple):
    """What has been read of each row.

    Attributes:
        before: (B, G − 1) int64, the last letters, after zeros.
        total: (B, O) float64, the sum of the weights.
        steps: (B,) int64.
    """

    before: Tensor
    total: Tensor
    steps: Tensor


class LettersByPlace(SolvedModel):
    r"""A logistic (or ridge) regression on the groups of one to five letters that end at each place of a row.

    .. math:: o = b + \sum_{t \le n} \sum_{g=1}^{G} W_g[t, (u_{t-g+1}, \dots, u_t)]

    The weights of a group at neighbouring places are near each other, and how near is chosen, see `fit_places`. It is
    for rows of nearly the same length, such as the letters around the start of a gene. Groups are as long as their
    weights are few enough: five letters of DNA, two of proteins. Steps beyond the longest training row are not read.

    The state is the sum so far and the last letters, so it streams.

    Cost: solving takes at most 300 steps of L-BFGS, see `fit_places`; a step G look-ups.

    References:
        Rätsch and Sonnenburg 2004, groups by place with shifts. https://doi.org/10.7551/mitpress/4057.003.0017
    """

    class Options(Part):
        """Its sizes."""

        letters: int = 0
        places: int = 0
        longest: int = 1

    name = "letters by place"
    effort = 1

    known: Tensor

    def __init__(self, task: Task, options: LettersByPlace.Options) -> None:
        super().__init__(task, options)
        ((self._column, spec),) = _symbols(task.coder.specs)
        self._groups = Groups(options.letters, options.places, options.longest)
        self.register_buffer("known", torch.zeros(spec.size, dtype=torch.int64))  # id -> letter
        self.weight = nn.Parameter(torch.zeros(self._groups.size + 1, task.outputs), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(task.outputs), requires_grad=False)

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for one answer for each row of one column of few symbols, if the rows are nearly equally long."""
        found, spec = _symbols(train.specs), train.target_spec
        outputs = spec.size if isinstance(spec, Discrete) else 1
        if not isinstance(train.form, One | Set) or not task.pooled or task.outputs != outputs or len(found) != 1:
            return False
        steps, different = train.steps(), np.unique(train.inputs[found[0][0]].values)
        if isinstance(train.form, One) and train.target is not None:
            steps = steps[train.form.asked(train.target, train.first, isinstance(spec, Discrete))]
        if len(steps) < _FEWEST or not 2 <= len(different) <= _LETTERS:
            return False
        shortest, longest = int(steps.min()), int(steps.max())
        return shortest >= _SHORTEST and longest <= _LONGEST and shortest >= _EVEN * longest

    @classmethod
    @torch.no_grad()
    def solve(cls, task: Task, train: Examples, options: LettersByPlace.Options, seed: int) -> Self:
        """Solve it on the training split; of very many rows some are drawn.

        Args:
            task, train, options: as for every solved model.
            seed: for the rows and the folds of the cross-validation that are drawn.
        """
        ((column, _),) = _symbols(train.specs)
        different, places = np.unique(train.inputs[column].values).astype(np.int64), int(train.steps().max())
        base = len(different) + 1
        longest = max(g for g in range(1, _LARGEST + 1) if g == 1 or base**g * places <= _MOST_WEIGHTS)
        sizes = {"letters": len(different), "places": places, "longest": longest}
        model = cls(task, options.model_copy(update=sizes))
        model.known[torch.from_numpy(different)] = torch.arange(1, base)
        rows = np.random.default_rng(seed).permutation(len(train.steps()))[: max(1, _MOST_GROUPS // (places * longest))]
        numbers, targets = [], []
        for batch in Loader(train, Rows(train.steps(), _BATCH, kept=np.isin(np.arange(len(train.steps())), rows))):
            assert batch.target is not None
            asked = batch.target != MISSING if batch.target.dtype == torch.int64 else ~batch.target.isnan()
            asked = asked if asked.dim() == 1 else asked.all(1)
            found = model._numbers(batch.inputs[column], batch.lengths, model.initial_state(len(batch.lengths)))[0]
            wide = found.new_full((len(found), places * longest), model._groups.size)
            wide[:, : found[0].numel()] = found.flatten(1)
            numbers.append(wide[asked])
            targets.append(batch.target[asked])
        answer: Answer = "number"
        if isinstance(train.target_spec, Discrete):
            answer = "set" if isinstance(train.form, Set) else "label"
        weight, bias = fit_places(model._groups, torch.cat(numbers), torch.cat(targets), task.outputs, answer, seed)
        model.weight[:-1].copy_(weight)
        model.bias.copy_(bias)
        return model

    def run(self, batch: Batch, state: PlacedState | None = None) -> tuple[Tensor, PlacedState]:
        """(B, O) and the state after the batch."""
        return self._after(batch.inputs[self._column], batch.lengths, state or self.initial_state(len(batch.lengths)))

    def step(self, inputs: dict[str, Tensor], state: PlacedState) -> tuple[Tensor, PlacedState]:
        """One step of each row."""
        return self._after(inputs[self._column][:, None], torch.ones_like(state.steps), state)

    def initial_state(self, batch: int) -> PlacedState:
        """No steps yet."""
        none = torch.zeros(batch, self._groups.longest - 1, dtype=torch.int64, device=self.weight.device)
        total = torch.zeros(batch, len(self.bias), dtype=torch.float64, device=self.weight.device)
        return PlacedState(none, total, none.new_zeros(batch))

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        g, ids, first = lengths.graph, inputs[self._column], self.initial_state(1)
        if state is None:
            state = (g.constant(part).expand(lengths.size(0), *part.shape[1:]) for part in first)
        before, total, steps = state
        real = is_real(ids, lengths)
        letters = where(real, g.op("Gather", g.constant(self.known), where(real, ids, 0)), 0)
        letters = concat([before, letters], 1)
        numbers = numbers_graph(self._groups, letters, steps, lengths)
        found = g.op("Gather", g.constant(self.weight), numbers).to(np.float64).sum(2).sum(1)
        total = total + found
        held = letters.rows(lengths.unsqueeze(1) + g.constant(np.arange(self._groups.longest - 1)))
        answer = (total + g.constant(self.bias).to(np.float64)).to(np.float32)
        return answer, PlacedState(*cast(Any, (held, total, steps + lengths)))

    def _after(self, ids: Tensor, lengths: Tensor, state: PlacedState) -> tuple[Tensor, PlacedState]:
        numbers, letters = self._numbers(ids, lengths, state)
        total = state.total + self.weight[numbers].double().sum((1, 2))
        at = lengths[:, None] + torch.arange(self._groups.longest - 1, device=ids.device)
        after = PlacedState(letters.gather(1, at), total, state.steps + lengths)
        return (total + self.bias).float(), after

    def _numbers(self, ids: Tensor, lengths: Tensor, state: PlacedState) -> tuple[Tensor, Tensor]:
        """The groups (B, T, G) of ``ids`` (B, T), and the letters (B, G − 1 + T)."""
        real = real_steps(lengths, ids.shape[1])
        letters = torch.where(real, self.known[torch.where(real, ids, 0)], 0)
        letters = torch.cat([state.before, letters], 1)
        return self._groups.numbers(letters, state.steps, lengths), letters


def _symbols(specs: dict[str, Spec]) -> list[tuple[str, Discrete]]:
    """The columns of symbols over time."""
    return [(name, spec) for name, spec in specs.items() if isinstance(spec, Discrete) and spec.time]


MEMBER = LettersByPlace
