"""Predicts how often each token occurs, whatever came before."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.batch import Batch
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.fill import FillIn
from unrolled.data.forms.next import Next
from unrolled.layers.item_logits import LazyLogits
from unrolled.models._mixing import Outputs
from unrolled.solved._lookup import Constant
from unrolled.state import State
from unrolled.tasks.task import Task

__all__ = ["Unigram"]


class Unigram(Constant):
    r"""Predicts the frequencies of the training tokens, with add-one smoothing: :math:`p_v = (n_v + 1) / (n + V)`.

    What it shows: how much can be predicted without any memory. The difference between its loss and a model's is what
    the model gains from context; a recurrent network that is no better has not learned to use its state.

    Of items these are their popularity.

    Applies to: the next token of a text, the next item of a list, and hidden tokens.

    Cost: one count of the training tokens, O(1) per prediction.

    References:
        Shannon, Prediction and Entropy of Printed English, 1951. https://doi.org/10.1002/j.1538-7305.1951.tb01366.x
    """

    name: ClassVar[str] = "unigram"

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self._items = task.coder.target if task.coder.first_item is not None else None

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for the next token of a text, the next item of a list, and hidden tokens."""
        asks = isinstance(train.form, Next | FillIn)
        return asks and task.outputs == classes(train) > 0 and len(asked_values(train)) > 0

    @staticmethod
    def counted(task: Task, train: Examples) -> Tensor:  # noqa: ARG004 - for members that need it
        """The logarithms of the frequencies."""
        counts = np.bincount(target_of(train).values[asked_values(train)], minlength=classes(train)) + 1
        return torch.from_numpy(np.log(counts / counts.sum()))

    def run(self, batch: Batch, state: State = None) -> tuple[Outputs, State]:
        """The outputs (B, T, O); of items only where they are needed."""
        if self._items is None:
            return super().run(batch, state)
        nothing = self.outputs.new_zeros(*batch.inputs[self._items].shape, 0)  # all that they depend on
        return LazyLogits(nothing, self.outputs.new_zeros(len(self.outputs), 0), self.outputs), None


MEMBER = Unigram
