"""Answers every row with the most frequent training answer. Axes: B rows, U symbols of the answer."""

from __future__ import annotations

from collections import Counter
from typing import Self

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.config import Part
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.solved._whole_answers import WholeAnswers, answers_of
from unrolled.tasks.task import Task

__all__ = ["Commonest"]


class Commonest(WholeAnswers):
    r"""The most frequent answer in training; ties go to the shortest, then to the first one.

    .. math:: \hat y = \arg\max_y n(y)

    What it shows: the score of a prediction that ignores the input.

    Applies to: targets that are sequences with their own length.

    Cost: one pass; O(1) per prediction.

    References:
        Majority-class answers, for whole sequences: Manning, Raghavan and Schütze, chapter 13.
        https://nlp.stanford.edu/IR-book/
    """

    class Options(Part):
        """Its size: the number of symbols of the answer."""

        symbols: int = 0

    name = "commonest answer"
    options: Options
    answer: Tensor

    def __init__(self, task: Task, options: Options) -> None:
        super().__init__(task, options)
        self.register_buffer("answer", torch.zeros(options.symbols, dtype=torch.int64))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for answers that are sequences with their own length."""
        return isinstance(task.coder.answer, Text) and train.form.own_length

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Options, seed: int) -> Self:
        """Count the answers."""
        counts = Counter(map(tuple, answers_of(task, train)))
        most = max(counts.values(), default=0)
        answer = min((answer for answer, count in counts.items() if count == most), key=len, default=())
        model = cls(task, cls.Options(symbols=len(answer)))
        model.answer.copy_(torch.tensor(answer, dtype=torch.int64))
        model._with_frequencies(task, train)
        return model

    @property
    def longest(self) -> int:
        """The number of its symbols."""
        return len(self.answer)

    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same for each row."""
        rows = len(batch.lengths)
        return self.answer.expand(rows, -1), torch.full_like(batch.lengths, len(self.answer))


MEMBER = Commonest
