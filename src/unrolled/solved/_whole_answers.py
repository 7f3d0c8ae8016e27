"""What solved models share that answer a row with a whole answer of the training split.

Axes: B rows, T steps of the input, U symbols of an answer, W steps of the target, N steps of all rows, V symbols.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import written_rows
from unrolled.batch import Batch
from unrolled.data.encodings.facets import Text
from unrolled.data.examples.examples import Examples
from unrolled.decoding.ctc import BLANK
from unrolled.layers.lengths import real_steps
from unrolled.models._sketch import Sketch, Stack
from unrolled.models.encoder_decoder import SearchStart, Written
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks.task import Task

__all__ = ["WholeAnswers", "answers_of"]

_OTHER = 1e-3  # the probability, at each step of an input, that its symbol is another one


class Writing(NamedTuple):
    """The state of writing.

    Attributes:
        answer: (B, U + 1) int64, the symbols of the answer, then ``<end>``.
        at: (B,) int64, how many symbols are written.
    """

    answer: Tensor
    at: Tensor


class WholeAnswers(SolvedModel):
    r"""A distribution over sequences in which one answer is more probable than all others together.

    .. math:: p(y) = \tfrac12 [y = \hat y] + \tfrac12 \prod_u q(y_u)

    q are the frequencies of symbols in training, so that other answers are not impossible. A search for the most
    probable one is given nothing else to find. Where an answer is not written but read off the steps in order (CTC),
    its symbols take the first steps, each with probability 0.999, and blanks the others.
    """

    causal = False
    nats: Tensor  # (V,) the logarithms of q

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        coder = task.coder
        answer = coder.answer
        assert isinstance(answer, Text)
        self.writes, self._end = coder.form.writes, answer.end
        self._timed = [name for name, spec in coder.specs.items() if spec.time and spec.side is None]
        self.register_buffer("nats", torch.zeros(task.outputs))

    @property
    @abstractmethod
    def longest(self) -> int:
        """The most symbols of an answer."""

    @abstractmethod
    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, U) int64, padded, and (B,) int64: the answer to each row, and its length."""

    def run(self, batch: Batch, state: None = None) -> tuple[Any, None]:
        """What an encoder–decoder gives, or the scores of each step (B, T, V)."""
        answers, sizes = self.answers(batch)
        if not self.writes:
            return self._in_order(answers, sizes, batch), None
        start = self._begin(answers, sizes)
        logits = None
        if batch.target is not None:
            assert batch.target_lengths is not None
            logits = self._score(batch.target, batch.target_lengths, start.answer)
        return Written(logits, SearchStart(self._write, start, max(1, self.longest))), None

    def initial_state(self, batch: int) -> None:
        """``None``: it reads whole rows."""

    def step(self, inputs: dict[str, Tensor], state: None) -> tuple[Tensor, None]:
        """Never called: it cannot stream."""
        raise NotImplementedError

    def sketch(self) -> Sketch:
        """One box that reads whole rows, and one that writes if it does."""
        reads = Stack((self.name,), remembers=False, whole=True)
        return Sketch(reads, writes=Stack((self.name,)) if self.writes else None)

    @torch.no_grad()
    def _with_frequencies(self, task: Task, train: Examples) -> None:
        """Take the frequencies that a network begins with too."""
        prior = task.measure_training(train).prior
        assert prior is not None
        self.nats.copy_(prior)

    def _begin(self, answers: Tensor, sizes: Tensor) -> Writing:
        """The state before ``<begin>``."""
        assert self._end is not None
        width = int(sizes.max()) if len(sizes) else 0
        answer = answers.new_full((len(sizes), width + 1), self._end)
        answer[:, :width] = torch.where(real_steps(sizes, width), answers[:, :width], self._end)
        return Writing(answer, torch.zeros_like(sizes))

    def _write(self, _symbols: Tensor, state: Writing) -> tuple[Tensor, Writing]:
        """The scores (B, V) of the next symbol, of which only that of the answer can be, and the state after."""
        at = state.at.clamp(max=state.answer.shape[1] - 1)
        scores = self.nats.new_full((len(at), len(self.nats)), -torch.inf)
        scores.scatter_(1, state.answer.gather(1, at[:, None]), 0.0)
        return scores, state._replace(at=state.at + 1)

    def _score(self, target: Tensor, lengths: Tensor, answer: Tensor) -> Tensor:
        """(N, V): the scores of each symbol of ``target`` (B, W) but ``<begin>``, given those before it."""
        assert self._end is not None
        asked = target[:, 1:]
        real = real_steps((lengths - 1).clamp(min=0), asked.shape[1])  # (B, W - 1)
        wanted = torch.full_like(asked, self._end)
        width = min(asked.shape[1], answer.shape[1])
        wanted[:, :width] = answer[:, :width]
        nats = torch.where(real, self.nats[torch.where(real, asked, 0)], 0.0)
        same = torch.where(asked == wanted, -nats, -torch.inf).cumsum(1)
        # How much likelier what came before is under the answer than under the frequencies, in nats.
        lead = torch.cat([torch.zeros_like(same[:, :1]), same[:, :-1]], 1)[real]  # (N,)
        scores, of = self.nats.repeat(len(lead), 1), wanted[real][:, None]
        return scores.scatter_(1, of, torch.logaddexp(scores.gather(1, of), lead[:, None]))

    def _in_order(self, answers: Tensor, sizes: Tensor, batch: Batch) -> Tensor:
        """(B, T, V): the answer's symbols on the first steps, with a blank between two that are the same."""
        steps = batch.inputs[self._timed[0]].shape[1]
        real = real_steps(sizes, answers.shape[1])
        again = torch.zeros_like(real)
        again[:, 1:] = answers[:, 1:] == answers[:, :-1]
        place = torch.arange(answers.shape[1], device=answers.device) + again.cumsum(1)
        rows, symbols = (real & (place < batch.lengths[:, None])).nonzero(as_tuple=True)
        right = torch.full((len(answers), steps), BLANK, dtype=torch.int64, device=answers.device)
        right[rows, place[rows, symbols]] = answers[rows, symbols]
        outputs = (self.nats + float(np.log(_OTHER))).repeat(*right.shape, 1)
        here = outputs.gather(2, right[..., None])
        sure = torch.full_like(here, float(np.log1p(-_OTHER)))
        outputs.scatter_(2, right[..., None], torch.logaddexp(here, sure))
        return outputs * real_steps(batch.lengths, steps)[..., None]


def answers_of(task: Task, train: Examples) -> list[list[int]]:
    """The answer to each row of the training split, without the symbols that are never written."""
    answer = task.coder.answer
    assert isinstance(answer, Text)
    return [[symbol for symbol in row if symbol not in answer.never] for row in written_rows(train)]
