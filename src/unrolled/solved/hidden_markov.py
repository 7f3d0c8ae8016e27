"""A hidden Markov model of a text: the next token from the chances of a few hidden states.

Axes: B rows, T steps, S states, V vocabulary.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.baselines._arrays import asked_values, classes, target_of
from unrolled.baselines._emissions import Symbols
from unrolled.baselines._hmm import Packed
from unrolled.baselines._hmm_model import Model
from unrolled.baselines._subsample import for_fitting
from unrolled.batch import Batch, Discrete
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.layers.graph import Value, is_real, where, zeroed
from unrolled.layers.lengths import real_steps
from unrolled.solved.solved_model import SolvedModel
from unrolled.tasks.task import Task

__all__ = ["Belief", "HiddenMarkov"]

_STATES = 8
_LONGEST = 256  # steps of the pieces that it is fitted on
_FIT_STEPS = 100_000  # for Baum–Welch, which reads them up to twenty times
_LARGEST = 16_000_000  # emissions


class Belief(NamedTuple):
    """``chances`` (B, S): the probability of each state at the next step."""

    chances: Tensor


class HiddenMarkov(SolvedModel):
    r"""A hidden Markov model with eight states, fitted by Baum–Welch: the forward algorithm as a recurrence.

    .. math:: a_t(j) \propto p_t(j)\, B_j(x_t), \qquad p_{t+1}(j) = \sum_i a_t(i) A_{ij}, \qquad
        p(x_{t+1}) = \sum_j p_{t+1}(j) B_j(x_{t+1})

    What it shows: what a memory of one of eight states can do, the best method before neural networks. The state of a
    recurrent network can hold many things at once; the network has to beat this to show that it uses that.

    Applies to: the next token of a text.

    Cost: at most twenty iterations of O(N S²) for N steps, of which at most 100 000 are read; a step is O(S² + S V).

    References:
        Rabiner, 1989. https://doi.org/10.1109/5.18626
    """

    name: ClassVar[str] = "hmm"
    effort = 1
    begin: Tensor  # (S,) the chances of the first state
    transitions: Tensor  # (S, S)
    emissions: Tensor  # (S, V)

    def __init__(self, task: Task, options: Any) -> None:
        super().__init__(task, options)
        self._target = task.coder.target
        self.register_buffer("begin", torch.zeros(_STATES))
        self.register_buffer("transitions", torch.zeros(_STATES, _STATES))
        self.register_buffer("emissions", torch.zeros(_STATES, task.outputs))

    @staticmethod
    def applies(task: Task, train: Examples) -> bool:
        """True for the next token of a text."""
        text = isinstance(train.form, Next) and train.first_item is None and task.outputs == classes(train) > 0
        return text and task.outputs * _STATES <= _LARGEST and len(asked_values(train)) > 0

    @classmethod
    def solve(cls, task: Task, train: Examples, options: Any, seed: int) -> Self:
        """Fit it by Baum–Welch from a random start, which is the same for each seed."""
        model, target = cls(task, options), target_of(for_fitting(train, _FIT_STEPS))
        assert target.offsets is not None
        packed = Packed.of(target.offsets[:-1], np.diff(target.offsets), _LONGEST)
        found = Model.of_observations({"": target.values}, {"": Discrete(task.outputs)}, packed, _STATES)
        (emission,) = found.emissions.values()
        assert isinstance(emission, Symbols)
        for weight, logs in ((model.begin, found.pi), (model.transitions, found.A), (model.emissions, emission.log_p)):
            weight.copy_(torch.from_numpy(np.exp(logs)))
        return model

    def initial_state(self, batch: int) -> Belief:
        """Before the first step."""
        return Belief(self.begin.repeat(batch, 1))

    def run(self, batch: Batch, state: Belief | None = None) -> tuple[Tensor, Belief]:
        """The log probabilities (B, T, V) of the token after each step."""
        tokens = batch.inputs[self._target]
        real = real_steps(batch.lengths, tokens.shape[1])
        now = (self.initial_state(len(tokens)) if state is None else state).chances
        seen, each = self._seen(torch.where(real, tokens, 0)), []
        for t in range(tokens.shape[1]):
            now = torch.where(real[:, t, None], self._after(now, seen[:, t]), now)
            each.append(now)
        outputs = self.emissions.new_zeros(*tokens.shape, self.emissions.shape[1])
        if each:
            outputs[real] = self._logs(torch.stack(each, 1)[real])
        return outputs, Belief(now)

    def step(self, inputs: dict[str, Tensor], state: Belief) -> tuple[Tensor, Belief]:
        """The log probabilities (B, V) of the token after this one."""
        now = self._after(state.chances, self._seen(inputs[self._target]))
        return self._logs(now), Belief(now)

    def graph(self, inputs: dict[str, Value], lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Model`."""
        tokens, transitions = inputs[self._target], self.transitions
        g, real = tokens.graph, is_real(tokens, lengths)
        seen = g.op("Gather", g.constant(self.emissions.T), where(real, tokens, 0))  # (B, T, S)
        before = g.constant(self.begin[None]) if state is None else state.chances

        def step(chances: list[Value], now: list[Value]) -> tuple[list[Value], list[Value]]:
            joint = chances[0] * now[0]
            after = (joint / g.op("Max", joint.sum(1, keep=True), 1e-30)) @ g.constant(transitions)
            kept = where(now[1].unsqueeze(1), after, chances[0])
            return [kept], [kept]

        first = before.expand(tokens.size(0), len(self.begin))
        (last,), (each,) = g.scan([first], [seen, real], step)
        logs = (each @ g.constant(self.emissions)).apply("Log")
        after: Any = last
        return zeroed(logs, lengths), Belief(after)

    def _seen(self, tokens: Tensor) -> Tensor:
        """(..., S): the chance of each token in each state."""
        return self.emissions.T[tokens]

    def _after(self, now: Tensor, seen: Tensor) -> Tensor:
        """(B, S): the chances of the next state."""
        joint = now * seen
        joint = joint / joint.sum(1, keepdim=True).clamp_min(1e-30)
        return (joint[:, :, None] * self.transitions).sum(1)

    def _logs(self, chances: Tensor) -> Tensor:
        """(N, S) -> (N, V): state by state, because the sums of a product of matrices may depend on the other rows."""
        found = chances[:, :1] * self.emissions[0]
        for state in range(1, len(self.emissions)):
            found.addcmul_(chances[:, state : state + 1], self.emissions[state])
        return found.log_()


MEMBER = HiddenMarkov
