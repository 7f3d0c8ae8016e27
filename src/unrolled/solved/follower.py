"""Predicts the items that most often follow the last ones.

Axes: B rows, T steps, N steps, V symbols, P distinct pairs of items, R = 10 items before a step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.batch import Batch
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.layers.item_outputs import Chances, ItemOutputs
from unrolled.solved._pair_counts import RECENT, count_pairs
from unrolled.solved._pair_mixture import fit_mixture
from unrolled.solved.solved_model import SolvedModel
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["Follower", "FollowerScores", "Recent"]


class Recent(NamedTuple):
    """``items`` (B, R) int64: the last items of each row, the newest first; -1 where it has had fewer."""

    items: Tensor


class Follower(SolvedModel):
    r"""Predicts an item by how often it came after the last ten items in training.

    .. math::
        p(v \mid u_1 \dots u_R) &= \lambda_0\, p(v) + \lambda_1\, p_1(v \mid u_1)
            + \sum_{r=1}^{R} \lambda_{1+r}\, p_{10}(v \mid u_r), \\
        p_d(v \mid u) &= \frac{\max(n_d(u, v) - D_d, 0)}{\sum_w n_d(u, w)}
            + \frac{D_d\, |\{w : n_d(u, w) > 0\}|}{\sum_w n_d(u, w)}\, p(v)

    :math:`u_1` is the last item, :math:`n_d(u, v)` counts how often v came at most d steps after u, and p(v) is the
    popularity, :math:`(n_v + 1) / (n + V)`. Pairs at some distance are many more than neighbours, which helps where
    most items are rare. The discounts are :math:`D = (N_1 + 1) / (N_1 + 2 N_2 + 2)` for :math:`N_c` pairs that were
    seen c times. Of a row with fewer items the weights that it has are scaled to sum to 1.

    The chances of :math:`u_1 \dots u_R` themselves are then multiplied by ρ, and all are divided by their sum: ρ is low
    where what was bought is not bought again. ρ and the weights λ are the likeliest ones for the training steps, each
    predicted without its own counts. The outputs are the logarithms of p.

    What it shows: how much can be predicted from which items go together, with simple database queries. A model of
    whole histories has to beat it, or their order adds nothing.

    Applies to: the next item of a list.

    Cost: solving O(R N log N) for N steps; memory 16 bytes per distinct pair, at most R N of them; a step O(V + R F)
    for F followers of an item.

    References:
        Ney, Essen and Kneser, On structuring probabilistic dependences, 1994. https://doi.org/10.1006/csla.1994.1001
        Raftery, A model for high-order Markov chains, 1985. https://doi.org/10.1111/j.2517-6161.1985.tb01383.x
        Ludewig and Jannach, Evaluation of session-based recommendation algorithms, 2018.
        https://doi.org/10.1007/s11257-018-9209-6
    """

    class Options(Part):
        """Its size: the number of distinct pairs."""

        pairs: int = 0

    name: ClassVar[str] = "follower"
    keys: Tensor  # (P,) int64, ascending: item · V + an item after it
    chances: Tensor  # (2, P): next, and soon
    left: Tensor  # (2, V): what the discounts leave to the popularity
    popular: Tensor  # (V,)
    weights: Tensor  # (2 + R,) λ
    returns: Tensor  # () ρ

    def __init__(self, task: Task, options: Follower.Options) -> None:
        super().__init__(task, options)
        self._target = task.coder.target
        self.register_buffer("keys", torch.zeros(options.pairs, dtype=torch.int64))
        self.register_buffer("chances", torch.zeros(2, options.pairs))
        self.register_buffer("left", torch.zeros(2, task.outputs))
        self.register_buffer("popular", torch.zeros(task.outputs))
        self.register_buffer("weights", torch.zeros(2 + RECENT))
        self.register_buffer("returns", torch.zeros(()))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for the next item of a list."""
        items = isinstance(train.form, Next) and train.first_item is not None
        return items and task.outputs == classes(train) and len(asked_values(train)) > 0

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Follower.Options, seed: int) -> Self:
        """Count the pairs of the training split; nothing is drawn at random."""
        target = target_of(train)
        seen = np.bincount(target.values[asked_values(train)], minlength=task.outputs) + 1
        pairs = count_pairs(target, task.outputs)
        before, kinds = pairs.keys // task.outputs, (pairs.next, pairs.soon)
        model, (weights, factor) = cls(task, cls.Options(pairs=len(pairs.keys))), fit_mixture(target, pairs, seen)
        found = {
            "keys": pairs.keys,
            "chances": np.stack([kind.chances(before) for kind in kinds]),
            "left": np.stack([kind.left() for kind in kinds]),
            "popular": (seen / seen.sum()).astype(np.float32),
            "weights": weights,
            "returns": np.array(factor, np.float32),
        }
        model.load_state_dict({name: torch.from_numpy(array) for name, array in found.items()})
        return model

    def initial_state(self, batch: int) -> Recent:
        """No item yet."""
        return Recent(torch.full((batch, RECENT), -1, dtype=torch.int64, device=self.keys.device))

    def run(self, batch: Batch, state: Recent | None = None) -> tuple[FollowerScores, Recent]:
        """The log probabilities (B, T, V) of the item after each step, computed where they are needed."""
        items = batch.inputs[self._target]
        before = (self.initial_state(len(items)) if state is None else state).items
        recent = torch.cat([before.flip(1), items], 1).unfold(1, RECENT, 1).flip(2)  # (B, T + 1, R)
        rows = torch.arange(len(items), device=items.device)
        return FollowerScores(recent[:, 1:], self), Recent(recent[rows, batch.lengths])

    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, Recent]:
        """The log probabilities (B, V) of the item after this one."""
        recent = torch.cat([inputs[self._target][:, None], state.items[:, :-1]], 1)
        return self.after(recent).log(), Recent(recent)

    def after(self, recent: Tensor) -> Tensor:
        """(N, V): the probability of each item after the items ``recent`` (N, R), the newest first."""
        there = recent >= 0
        items = torch.where(there, recent, recent[:, :1]).clamp(min=0)
        near, weights = there[:, :1] * self.weights[1], there * self.weights[2:]  # (N, 1), (N, R)
        total = self.weights[0] + near + weights.sum(1, keepdim=True)
        near, weights = near / total, weights / total
        rest = self.weights[0] / total + near * self.left[0][items[:, :1]]
        rest = rest + (weights * self.left[1][items]).sum(1, keepdim=True)
        found = rest * self.popular
        for nth in range(recent.shape[1]):
            rows = there[:, nth].nonzero()[:, 0]
            first = items[rows, nth] * len(self.popular)
            begin, end = torch.searchsorted(self.keys, first), torch.searchsorted(self.keys, first + len(self.popular))
            counts = end - begin
            which = torch.arange(len(rows), device=rows.device).repeat_interleave(counts)  # (F,) followers end to end
            at = torch.arange(len(which), device=rows.device) + (begin - counts.cumsum(0) + counts)[which]
            chances = self.chances[1][at] * weights[rows, nth][which]
            if nth == 0:
                chances = chances + self.chances[0][at] * near[rows, 0][which]
            found[rows[which], self.keys[at] - first[which]] += chances
        found.scatter_(1, items, found.gather(1, items) * self.returns)  # once each, however often it is there
        return found / found.sum(1, keepdim=True)


@dataclass(frozen=True, slots=True)
class FollowerScores(ItemOutputs):
    """The log probabilities of a `Follower`.

    Attributes:
        recent: (..., R) int64, the items before and at each step, the newest first; -1 where there are fewer.
        model: what knows their followers.
    """

    recent: Tensor
    model: Follower

    @property
    def size(self) -> int:
        """V."""
        return len(self.model.popular)

    def at(self, *index: Tensor | slice) -> Self:
        """The log probabilities after the steps at ``index``."""
        return replace(self, recent=self.recent[index])

    def chances(self, right: Tensor) -> Chances:
        """The probability of every symbol at each of N steps."""
        every = self.model.after(self.recent)
        return Chances(every, every.gather(1, right[:, None])[:, 0].log().neg())

    def scores(self) -> Tensor:
        """(..., V): the log probability of every symbol."""
        found = self.model.after(self.recent.reshape(-1, RECENT)).log()
        return found.view(*self.recent.shape[:-1], self.size)


MEMBER = Follower
