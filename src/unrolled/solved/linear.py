"""A linear model of plain rows, without time or a hidden layer.

Axes: B rows, F features, K outputs.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from unrolled.baselines._arrays import classes
from unrolled.baselines._subsample import for_fitting
from unrolled.batch import Batch, Discrete, Spec
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.forms.set import Set
from unrolled.layers.graph import Value
from unrolled.solved._linear_rows import fit_linear
from unrolled.solved._row_targets import answer_of, asked_rows, minus_loss, row_targets
from unrolled.solved._sparse_rows import SparseRows
from unrolled.solved.solved_model import SolvedModel
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["Linear"]

_SMALLEST = 1 / 64  # the smallest C, the inverse of the penalty in scikit-learn's terms
_CELLS = 10_000_000  # numbers that are read


class Linear(SolvedModel):
    r"""Logistic (or ridge) regression on the row's numbers and one-hot categories: :math:`o = x W + b`.

    The penalty of W is chosen by the loss in cross-validation on the training rows: C is 1/64, 1/16, 1/4, 1 or 4. With
    fewer than ten rows it is 1/64.

    What it shows: how much each column contributes by itself. It is hard to beat on a few hundred rows; a network
    only gains from nonlinear effects and interactions between columns.

    Applies to: a label, a set of labels or a number for each row, if no column has a time axis.

    Cost: at most 300 steps of O(rows · columns · K); at most ten million numbers of the training split are read.

    References:
        Cox, 1958. https://doi.org/10.1111/j.2517-6161.1958.tb00292.x
        Hoerl and Kennard, 1970 (ridge). https://doi.org/10.1080/00401706.1970.10488634
    """

    name: ClassVar[str] = "linear"
    effort = 1

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self._specs = dict(task.coder.specs)
        self.weight = nn.Parameter(torch.zeros(sum(map(_width, self._specs.values())), task.outputs), False)
        self.bias = nn.Parameter(torch.zeros(task.outputs), requires_grad=False)

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for a label, a set of labels or a number for each row, without a column over time or beside."""
        plain = not any(spec.time or spec.side for spec in train.specs.values()) and bool(train.specs)
        fits = isinstance(train.form, One | Set) and task.outputs == (classes(train) or 1)
        return plain and fits and len(asked_rows(train)) > 0

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Solve it on the training split.

        Args:
            task, train, options: as for every solved model.
            seed: for the folds.
        """
        model, train = cls(task, options), for_fitting(train, _CELLS)
        answer, rows = answer_of(train), model._sparse(train).take(asked_rows(train))
        asked = (rows, row_targets(train), task.outputs, answer, minus_loss(answer))
        found = fit_linear(*asked, balanced=False, seed=seed, smallest=_SMALLEST)
        model.weight.copy_(found.weight)
        model.bias.copy_(found.bias)
        return model

    def initial_state(self, batch: int) -> None:
        """None: a row has no steps."""

    def run(self, batch: Batch, state: State = None) -> tuple[Tensor, State]:
        """The outputs (B, K)."""
        outputs, first = self.bias.expand(len(batch.lengths), -1), 0
        for name, spec in self._specs.items():
            weight, x = self.weight[first : first + _width(spec)], batch.inputs[name]
            outputs = outputs + (functional.embedding(x, weight) if isinstance(spec, Discrete) else x @ weight)
            first += _width(spec)
        return outputs, None

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        g, first = lengths.graph, 0
        outputs = g.constant(self.bias).expand(lengths.size(0), len(self.bias))
        for name, spec in self._specs.items():
            weight, x = g.constant(self.weight[first : first + _width(spec)]), inputs[name]
            outputs = outputs + (g.op("Gather", weight, x) if isinstance(spec, Discrete) else x @ weight)
            first += _width(spec)
        return outputs, None

    def step(self, inputs: dict[str, Tensor], state: State) -> tuple[Tensor, State]:
        """A row, to its outputs (B, K)."""
        rows = torch.ones(len(next(iter(inputs.values()))), dtype=torch.int64)
        return self.run(Batch(inputs, rows, rows))

    def _sparse(self, train: Examples) -> SparseRows:
        ids, values, first = [], [], 0
        rows = len(train.steps())
        for name, spec in self._specs.items():
            column = train.inputs[name].values
            if isinstance(spec, Discrete):
                ids.append(first + column[:, None].astype(np.int64))
                values.append(np.ones((rows, 1), np.float32))
            else:
                ids.append(np.broadcast_to(first + np.arange(_width(spec)), column.shape))
                values.append(column.astype(np.float32))
            first += _width(spec)
        joined = np.concatenate(ids, 1)
        offsets = np.arange(rows + 1) * joined.shape[1]
        return SparseRows(joined.reshape(-1), np.concatenate(values, 1).reshape(-1), offsets, first)


def _width(spec: Spec) -> int:
    return spec.size if isinstance(spec, Discrete) else spec.width


MEMBER = Linear
