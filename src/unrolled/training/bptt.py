"""Truncated backpropagation through time: lanes carry their state from batch to batch, gradients reach back k2 steps.

Every k1 steps (one batch of the plan) there is one update, whose gradient flows through the last k2 = chunks · k1
steps. To reach beyond the newest chunk, the older ones run again from the state that was kept before them, with the
weights as they are now.
"""

from __future__ import annotations

from typing import Any

from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.models.model import Model
from unrolled.state import State, detach, flatten, where

__all__ = ["TruncatedBPTT"]


class TruncatedBPTT:
    """The state between batches.

    Args:
        network: what runs; it must be causal where the loader's plan carries state.
        chunks: k2 / k1 ≥ 1.

    Attributes:
        state: that before the oldest chunk of the next batch; ``None`` is the initial one.
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
        """A lane that starts a new sequence never inherits a state."""
        initial = network.initial_state(len(batch.lengths))
        if state is None:
            return initial
        assert batch.fresh is not None
        return where(batch.fresh, initial, state) if bool(batch.fresh.any()) else state

    def restart(self) -> None:
        """Forget: a new epoch begins."""
        self.state = None
