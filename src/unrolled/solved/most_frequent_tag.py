"""Predicts each token's most frequent tag, whatever its context."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.batch import Discrete
from unrolled.config import Part
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.aligned import Aligned
from unrolled.layers.graph import Value, is_real, where, zeroed
from unrolled.solved._lookup import Lookup, potentials
from unrolled.tasks.task import Task

__all__ = ["MostFrequentTag"]


class MostFrequentTag(Lookup):
    r"""Predicts the tag that a token had most often in training; an unseen token gets the overall frequencies.

    .. math:: p(k \mid v) = \frac{n_{vk} + p_k}{n_v + 1}, \qquad p_k = \frac{n_k + 1}{n + K}

    Of several columns of tokens, the most accurate one on the training split is used. In a chain, the tag before says
    nothing.

    What it shows: how much can be predicted from each step without its context. About 90 % of English words in text
    have their most frequent part of speech, so a tagger's use of context only shows in what it gains over this.

    Applies to: a label for each step, with a column of tokens.

    Cost: one count; memory O(V K) for V tokens and K tags; O(1) per prediction.

    References:
        Jurafsky and Martin, Speech and Language Processing, chapter 17. https://web.stanford.edu/~jurafsky/slp3/
    """

    class Options(Part):
        """What it reads: the column of tokens, which the training split decides."""

        column: str | None = None

    name: ClassVar[str] = "most frequent tag"
    logs: Tensor  # (V, K)

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self._chain = task.chain
        size = _token_columns(task).get(options.column or "", 0)
        self.register_buffer("logs", torch.zeros(size, len(task.labels)))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for a label at each step, with a column of tokens."""
        labels = classes(train)
        return isinstance(train.form, Aligned) and 0 < labels == len(task.labels) and bool(_token_columns(task))

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Count; nothing is drawn at random."""
        steps, labels = asked_values(train), classes(train)
        tags = target_of(train).values[steps].astype(np.int64)
        counts: dict[str, np.ndarray] = {}
        for name, size in _token_columns(task).items():
            pairs = train.inputs[name].values[steps] * np.int64(labels) + tags
            counts[name] = np.bincount(pairs, minlength=size * labels).reshape(size, labels)
        column = options.column or max(counts, key=lambda name: int(counts[name].max(1).sum()))
        of_token, of_all = counts[column], counts[column].sum(0) + 1
        model = cls(task, options.model_copy(update={"column": column}))
        chances = (of_token + of_all / of_all.sum()) / (of_token.sum(1, keepdims=True) + 1)
        model.logs.copy_(torch.from_numpy(np.log(chances)))
        return model

    def answer(self, inputs: dict[str, Tensor]) -> Tensor:
        """The logarithms of the tag's frequencies (..., O)."""
        logs = self.logs[inputs[self.options.column]]
        return potentials(logs, self._chain)

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        tokens = inputs[self.options.column]
        outputs = tokens.graph.constant(potentials(self.logs, self._chain))
        return zeroed(tokens.graph.op("Gather", outputs, where(is_real(tokens, lengths), tokens, 0)), lengths), None


def _token_columns(task: Task) -> dict[str, int]:
    """The vocabulary of each column that has a token at every step."""
    specs = task.coder.specs.items()
    return {name: spec.size for name, spec in specs if isinstance(spec, Discrete) and spec.time}


MEMBER = MostFrequentTag
