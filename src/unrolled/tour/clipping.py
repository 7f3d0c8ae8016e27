"""Two short trainings whose gradients explode: one takes them as they are, the other one clips them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from unrolled.layers.config import ModelConfig
from unrolled.models.network import Network
from unrolled.synthetic.memory_tasks import problem

__all__ = ["CLIP", "RATE", "STEPS", "Descent", "descend"]

CLIP, RATE = 1.0, 0.3  # the largest norm of a gradient, and a learning rate that is too high for plain descent
STEPS = 60  # of a row, and so the product of 60 Jacobians
_ROWS, _UNITS = 32, 16


@dataclass(frozen=True, slots=True)
class Descent:
    """The loss and the norm of the gradient, before it is clipped, at each step; it ends where one is not finite."""

    losses: tuple[float, ...]
    norms: tuple[float, ...]

    @property
    def broke_off(self) -> bool:
        """Whether it ended at a number that is not finite."""
        return not (math.isfinite(self.losses[-1]) and math.isfinite(self.norms[-1]))


def descend(updates: int, seed: int, clip: float) -> Descent:
    """Train a tanh RNN on the adding problem by plain gradient descent.

    Args:
        updates: the most steps, ≥ 1.
        seed: of the weights and rows; both descents start from the same ones.
        clip: the largest norm of a gradient; infinity clips nothing.
    """
    asked = problem("adding")
    losses, norms = list[float](), list[float]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network({"x": asked.spec}, ModelConfig(name="rnn", hidden=_UNITS, layers=1), 1, pooled=False)
        optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
        for update in range(updates):
            questions = asked.questions(seed + update, STEPS, _ROWS)
            outputs, _ = network({"x": questions.input}, torch.full((_ROWS,), STEPS))
            loss = asked.losses(outputs, questions).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            norms.append(float(torch.nn.utils.clip_grad_norm_(network.parameters(), clip)))
            losses.append(float(loss.detach()))
            if not (math.isfinite(losses[-1]) and math.isfinite(norms[-1])):
                break
            optimizer.step()
    return Descent(tuple(losses), tuple(norms))
