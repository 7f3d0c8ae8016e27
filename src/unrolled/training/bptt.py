"""Truncated backpropagation through time: state is carried from batch to batch, and gradients reach back k2 steps.

Each batch of the plan holds k1 steps and gives one update, whose gradient flows through the last k2 = chunks · k1
steps. To reach beyond the newest chunk, the older chunks are run again with the current weights, from the state that
was saved before them.
"""

from __future__ import annotations

from typing import Any

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.models.model import Model
from unrolled.state import State, detach, flatten, where

__all__ = ["TruncatedBPTT"]


class TruncatedBPTT:
    """Runs a network over the batches of a plan and carries its state between them.

    Args:
        network: the network to run; it must be causal if the loader's plan carries state.
        chunks: k2 / k1 ≥ 1.

    Attributes:
        state: the state before the oldest chunk of the next batch; ``None`` for the initial state.
    """

    def __init__(self, network: Model, chunks: int = 1) -> None:
        self.network, self.chunks = network, chunks
        self.state: State = None

    def run(self, loader: Loader, index: int, device: str) -> tuple[Any, Batch]:
        """Outputs for batch ``index`` of ``loader``, and the batch."""
        if not loader.plan.carries:
            batch = loader[index].to(device)
            return self.network.run(batch)[0], batch
        first = max(0, index - self.chunks + 1)
        state, kept = self.state, None
        for at in range(first, index + 1):
            batch = loader[at].to(device)
            outputs, state = self.network.run(batch, self._begin(self.network, state, batch))
            if at == index - self.chunks + 1:
                kept = detach(state)
        if kept is not None and all(bool(part.isfinite().all()) for _, part in flatten(kept)):
            self.state = kept
        return outputs, batch

    @staticmethod
    def _begin(network: Model, state: State, batch: Batch) -> State:
        """The state to start ``batch`` from: lanes that start a new sequence get the initial state."""
        initial = network.initial_state(len(batch.lengths))
        if state is None:
            return initial
        assert batch.fresh is not None
        return where(batch.fresh, initial, state) if bool(batch.fresh.any()) else state

    def restart(self) -> None:
        """Reset the state, at the start of an epoch."""
        self.state = None
