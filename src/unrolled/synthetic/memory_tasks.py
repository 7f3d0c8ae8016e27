"""Five synthetic problems that need a long memory, each a pure function of (seed, T, batch).

Each row holds information that is needed about T steps later, among irrelevant steps. Axes: B rows, T the length of the
problem, S ≥ T steps per row (some problems put their questions after T), W width, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Continuous, Discrete, Spec
from unrolled.errors import UsageError, did_you_mean

__all__ = ["PROBLEMS", "Problem", "Questions", "problem"]

_LEAST_RIGHT = 0.99  # of the symbols; chance reaches at most 1/8, or 1/2 in `order`
_LARGEST_ERROR = 0.01  # of `adding`; always answering 1 gives 0.167, the variance of the sum of two uniform numbers


class Questions(NamedTuple):
    """A batch of rows with their targets.

    ``input`` (B, S) int64 or (B, S, W) float32, ``target`` (B, S) int64 or float32, and ``scored`` (B, S) bool, the
    steps whose outputs are scored.
    """

    input: Tensor
    target: Tensor
    scored: Tensor


Make = Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem.

    Attributes:
        name: its name.
        spec: the type of a step's input.
        outputs: O, the outputs of the network: 1 for a number, else one per symbol.
        answer: ``regress`` scores the squared error, the others the share of correct symbols: one class per row
            (``classify``) or several symbols per row (``tokens``).
        shortest: the smallest T.
        first: the T at which training starts.
        lessons: easier versions with less to remember, which are trained first, in this order.
    """

    name: str
    spec: Spec
    outputs: int
    answer: Literal["regress", "classify", "tokens"]
    shortest: int
    _make: Make
    first: int = 16
    lessons: tuple[Problem, ...] = ()

    def questions(self, seed: int, steps: int, batch: int) -> Questions:
        """Generate ``batch`` rows at T = ``steps``; the same arguments give the same rows.

        Raises:
            UsageError: T is too short for the problem.
        """
        if steps < self.shortest:
            raise UsageError(f"{self.name} needs at least {self.shortest} steps, got {steps}")
        inputs, target, scored = self._make(np.random.default_rng([seed, steps, batch]), steps, batch)
        return Questions(torch.from_numpy(inputs), torch.from_numpy(target), torch.from_numpy(scored))

    def losses(self, outputs: Tensor, questions: Questions) -> Tensor:
        """The loss of each scored step, (N,), from ``outputs`` (B, S, O): squared error or nats."""
        given, wanted = outputs[questions.scored], questions.target[questions.scored]  # (N, O), (N,)
        if self.answer == "regress":
            return (given.squeeze(1) - wanted).square()
        return F.cross_entropy(given, wanted, reduction="none")

    def score(self, outputs: Tensor, questions: Questions) -> float:
        """The mean squared error, or the share of scored symbols that are correct."""
        if self.answer == "regress":
            return float(self.losses(outputs, questions).mean())
        right = outputs[questions.scored].argmax(1) == questions.target[questions.scored]
        return float(right.double().mean())

    def solved(self, score: float) -> bool:
        """Whether a ``score`` on fresh rows counts as solved: an error below 0.01, or 99 % of the symbols."""
        return score < _LARGEST_ERROR if self.answer == "regress" else score >= _LEAST_RIGHT


def problem(name: str) -> Problem:
    """The problem called ``name``.

    Raises:
        UsageError: the name is unknown; the closest one is suggested.

    Example:
        >>> asked = problem("copy").questions(seed=0, steps=3, batch=2)
        >>> asked.input.shape, asked.scored.sum().item()
        (torch.Size([2, 23]), 20)
    """
    if name not in PROBLEMS:
        raise UsageError(f"there is no problem {name!r}.{did_you_mean(name, PROBLEMS)}")
    return PROBLEMS[name]


def _adding(random: np.random.Generator, steps: int, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """T pairs (number in [0, 1), mark), with one mark in each half; the last target is the sum of the marked numbers.

    Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, in the form of Arjovsky, Shah and
    Bengio 2016, https://arxiv.org/abs/1511.06464, that Bai, Kolter and Koltun 2018, https://arxiv.org/abs/1803.01271,
    measure too. Always answering 1 gives an error of 0.167.
    """
    rows = np.arange(batch)
    inputs = np.zeros((batch, steps, 2), np.float32)
    inputs[..., 0] = random.random((batch, steps), np.float32)
    first, second = random.integers(0, steps // 2, batch), random.integers(steps // 2, steps, batch)
    inputs[rows, first, 1] = inputs[rows, second, 1] = 1
    target, scored = np.zeros((batch, steps), np.float32), np.zeros((batch, steps), bool)
    target[:, -1] = inputs[rows, first, 0] + inputs[rows, second, 0]
    scored[:, -1] = True
    return inputs, target, scored


_COPIED, _ALPHABET = 10, 8


def _copy(random: np.random.Generator, steps: int, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten symbols of eight, T - 1 blanks, a cue, ten blanks; the targets there are the ten symbols. S = T + 20.

    Hochreiter and Schmidhuber 1997, in the form of Arjovsky, Shah and Bengio 2016, https://arxiv.org/abs/1511.06464;
    only the ten last steps are scored, not the blanks before them. Each symbol must be kept for T + 10 steps.
    """
    symbols = random.integers(0, _ALPHABET, (batch, _COPIED))
    inputs = np.full((batch, steps + 2 * _COPIED), _ALPHABET)
    inputs[:, :_COPIED] = symbols
    inputs[:, steps + _COPIED - 1] = _ALPHABET + 1
    return inputs, *_at_the_end(symbols, inputs.shape[1])


_SELECTED, _SELECTED_ALPHABET = 16, 14


def _selective(
    random: np.random.Generator, steps: int, batch: int, selected: int = _SELECTED
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sixteen symbols of fourteen at random places among T steps of noise, then sixteen cues: the symbols in order.

    S = T + 16, and 16 symbols in all, noise and cue among them. Gu and Dao 2023, https://arxiv.org/abs/2312.00752,
    figure 2 and table 1, who take T = 4 096; so do Feng et al. 2024, https://arxiv.org/abs/2410.01201. Lessons have
    2, 4, … 14 symbols: without them, no model of this package starts to learn sixteen symbols within minutes.
    """
    symbols = random.integers(0, _SELECTED_ALPHABET, (batch, selected))
    places = np.sort(random.random((batch, steps)).argpartition(selected - 1, 1)[:, :selected], 1)
    inputs = np.full((batch, steps + selected), _SELECTED_ALPHABET)
    np.put_along_axis(inputs, places, symbols, 1)
    inputs[:, steps:] = _SELECTED_ALPHABET + 1
    return inputs, *_at_the_end(symbols, inputs.shape[1])


_PAIRS, _KEYS, _VALUES = 8, 32, 32


def _recall(random: np.random.Generator, steps: int, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eight (key, value) pairs, filler, then the eight keys in another order; the targets are their values. S = T.

    Multi-query associative recall, Arora et al. 2023, https://arxiv.org/abs/2312.04927. The keys are eight different
    ones of 32, and each value is one of 32. The pairs are the first 16 steps and the questions the last 8, so every
    value must be kept for about T steps at any length. All steps between them are one meaningless symbol.
    """
    keys = random.random((batch, _KEYS)).argsort(1)[:, :_PAIRS]
    values = random.integers(0, _VALUES, (batch, _PAIRS))
    order = random.random((batch, _PAIRS)).argsort(1)
    inputs = np.full((batch, steps), _KEYS + _VALUES)
    inputs[:, 0 : 2 * _PAIRS : 2] = keys
    inputs[:, 1 : 2 * _PAIRS : 2] = _KEYS + values
    inputs[:, -_PAIRS:] = np.take_along_axis(keys, order, 1)
    return inputs, *_at_the_end(np.take_along_axis(values, order, 1), steps)


_WORDS = 8


def _order(random: np.random.Generator, steps: int, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two different words of eight, one in each half of a row of T other words: which of the two came first?

    The last step is a cue; the class is 1 if the word with the lower number came first, else 0. For any two words,
    both orders are equally likely, so a bag-of-words model is right in half of the rows at most. The other words, also
    eight, are sampled at each step. After the temporal order problem of Hochreiter and Schmidhuber 1997.
    """
    rows = np.arange(batch)
    inputs = _WORDS + random.integers(0, _WORDS, (batch, steps))
    words = random.random((batch, _WORDS)).argsort(1)[:, :2]
    inputs[rows, random.integers(0, steps // 2, batch)] = words[:, 0]
    inputs[rows, random.integers(steps // 2, steps - 1, batch)] = words[:, 1]
    inputs[:, -1] = 2 * _WORDS
    return inputs, *_at_the_end((words[:, :1] < words[:, 1:]).astype(np.int64), steps)


def _at_the_end(answers: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """(target, scored) of rows whose last steps ask for ``answers``."""
    batch, count = answers.shape
    target, scored = np.zeros((batch, steps), np.int64), np.zeros((batch, steps), bool)
    target[:, -count:], scored[:, -count:] = answers, True
    return target, scored


_SELECTIVE = Problem(
    "selective",
    Discrete(_SELECTED_ALPHABET + 2),
    _SELECTED_ALPHABET,
    "tokens",
    _SELECTED,
    _selective,
    first=2 * _SELECTED,
)


def _lesson(selected: int) -> Problem:
    return replace(_SELECTIVE, shortest=selected, _make=partial(_selective, selected=selected))


PROBLEMS = {
    one.name: one
    for one in (
        Problem("adding", Continuous(2), 1, "regress", 2, _adding),
        Problem("copy", Discrete(_ALPHABET + 2), _ALPHABET, "tokens", 1, _copy),
        replace(_SELECTIVE, lessons=tuple(map(_lesson, range(2, _SELECTED, 2)))),
        Problem("recall", Discrete(_KEYS + _VALUES + 1), _VALUES, "tokens", 3 * _PAIRS, _recall, first=3 * _PAIRS),
        Problem("order", Discrete(2 * _WORDS + 1), 2, "classify", 3, _order),
    )
}
