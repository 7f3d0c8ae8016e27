"""How far back one answer reaches: the gradient of its score with respect to each embedded step and shown state.

Axes: T steps, B rows, E width of an embedded step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.inspection.answer import InputLeaves, Of, answer_of, without_dropout
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.watch import watching

__all__ = ["Reach", "reach_of"]

_STATES = ("h", "c", "memory")
_MOST, _FADED = 0.9, 0.01


@dataclass(frozen=True, slots=True, repr=False)
class Reach:
    r"""The gradient of one answer by step: ‖∂F/∂x_t‖ of each embedded step x_t, and the same of each state.

    Attributes:
        answer: which answer it is, in words.
        step: its number; ``None``: that of the row.
        of: what F is: the ``logit`` of what came, or the ``loss``. Where the model is sure, the loss hardly has a
            gradient.
        score: F.
        inputs: ‖∂F/∂x_t‖ for t = 0, 1 …, over all columns together.
        columns: the same of each column.
        values: path -> the same of each hidden state, cell state or matrix memory.
    """

    answer: str
    step: int | None
    of: Of
    score: float
    inputs: tuple[float, ...]
    columns: dict[str, tuple[float, ...]]
    values: dict[str, tuple[float, ...]]

    @property
    def distances(self) -> tuple[int, ...]:
        """How far each step is from the answer; from the last one where the answer has no step among them."""
        at = len(self.inputs) - 1 if self.step is None or self.step >= len(self.inputs) else self.step
        return tuple(abs(at - t) for t in range(len(self.inputs)))

    @property
    def sentence(self) -> str:
        """Where most of the gradient lies, and how far it can still be seen."""
        norms, away = torch.tensor(self.inputs, dtype=torch.float64), torch.tensor(self.distances)
        total = float(norms.sum())
        what = f"{self.answer} ({'loss' if self.of == 'loss' else 'score'} {self.score:.3g})"
        if not torch.isfinite(norms).all():
            return f"{what}: the gradient overflows on its way back; clip it, or start from smaller recurrent weights"
        if not total:
            return f"{what}: no step has any gradient, so the answer does not depend on them"
        order = away.argsort(stable=True)
        within = int(away[order][int((norms[order].cumsum(0) >= _MOST * total).nonzero()[0])])
        seen = int(away[norms >= _FADED * norms.max()].max())
        left = f"; beyond {seen:,} steps less than a hundredth of that is left" if seen < int(away.max()) else ""
        most = (
            f"{_MOST:.0%} of its gradient lies within {within:,} steps, and step {int(norms.argmax()):,} has the most"
        )
        return f"{what}: {most}{left}"

    def __str__(self) -> str:
        return self.sentence


def reach_of(
    network: Model,
    task: Task,
    batch: Batch,
    step: int = -1,
    of: Of = "logit",
    keep: Callable[[str], bool] | None = None,
) -> Reach:
    """Measure the reach of one answer, by one pass forward and one back; weights do not change.

    Args:
        network, task: the model; dropout is off.
        batch: one row.
        step: the answer's step, from 0, or from the end if it is negative.
        of: what is differentiated, see `Reach`.
        keep: the paths of the values whose gradient is wanted; ``None``: states.

    Raises:
        UsageError: the model is no network or reads no steps, or there is no such step.
        DataError: the score needs a target, and there is none.

    Cost: the row step by step without the kernels, forward and backward, with all that is computed kept in memory.
    """
    answer = answer_of(network, task, batch, step, of)
    inputs, wanted = InputLeaves(network), _of_states if keep is None else keep
    with without_dropout(network), torch.enable_grad(), watching(recorder := Recorder(network, wanted, inputs)):
        outputs, _ = network.run(answer.batch)
        score = answer.score(outputs, answer.batch)[0]
    shown = [value for parts in recorder.shown.values() for value in parts]
    wanted_of = [value for value in (*inputs.leaves.values(), *shown) if value.requires_grad]
    gradients = torch.autograd.grad(score, wanted_of, allow_unused=True)
    found = {id(value): gradient for value, gradient in zip(wanted_of, gradients, strict=True)}
    norms = inputs.norms({path: _of(leaf, found) for path, leaf in inputs.leaves.items()})
    columns = {name: tuple(values[0].tolist()) for name, values in norms.items()}
    return Reach(
        answer=answer.name,
        step=answer.step,
        of=of,
        score=float(score.detach()),
        inputs=columns.pop(""),
        columns=columns,
        values={
            path: tuple(_by_step(parts, found, several=path in recorder.several).tolist())
            for path, parts in recorder.shown.items()
        },
    )


def _of(value: Tensor, found: Mapping[int, Tensor | None]) -> Tensor:
    """The gradient of a value; 0 where the score does not depend on it."""
    gradient = found.get(id(value))
    return torch.zeros_like(value) if gradient is None else gradient


def _by_step(parts: list[Tensor], found: Mapping[int, Tensor | None], *, several: bool) -> Tensor:
    """(T,) float64: the norm of the gradient of a value at each step."""
    gradients = [_of(value, found) for value in parts]
    runs = gradients if several else [torch.stack(gradients, 1)]  # each (1, n, …)
    return torch.cat([run[0].flatten(1).double().norm(dim=1) for run in runs])


def _of_states(path: str) -> bool:
    return path.rpartition(".")[2] in _STATES
