"""Many live rows of one model, each in its own slot, stepped together.

Axes: R slots, S steps, I inputs, O outputs, W numbers in a row's state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.pooling import PoolState
from unrolled.layers.recurrence.live_steps import PackedSteps
from unrolled.models._session import NetworkState, Step
from unrolled.state import State, concatenate, flatten, map_state, split

__all__ = ["LivePool", "PackedPool", "PairedPool", "RaggedPool", "StackedPool", "pool_of_steps"]

Rounds = Sequence[np.ndarray]  # the numbers of the steps that are taken together, one round after another


class LivePool(Protocol):
    """The states of many rows of a model, in slots 0 … R - 1.

    Attributes:
        ragged: states differ in size from row to row, as those of attention.
    """

    ragged: bool

    def grow(self, slots: int) -> None:
        """Have at least ``slots`` slots."""

    def write(self, slots: np.ndarray, state: State) -> None:
        """Set the states of ``slots`` (N,) to those of ``state``, whose batch is N, or 1 for all of them."""

    def read(self, slots: np.ndarray) -> State:
        """A copy of the states of ``slots`` (N,), as those of a batch of N rows."""

    def run(self, slots: np.ndarray, inputs: dict[str, Tensor], rounds: Rounds) -> Tensor:
        """Take S steps: step s is of the row in slot ``slots[s]``.

        Args:
            slots: (S,).
            inputs: per column (S,) int64 or (S, W) float32.
            rounds: which steps are taken together; within a round, each slot occurs once at most.

        Returns:
            (S, O), the outputs of each step.
        """


class PackedPool:
    """Rows that the kernels step: their states are the lines of one slab, which is read and written in place.

    Args:
        columns: embeds the inputs.
        steps: the packed layer and head, in their first state.
        pooled: with one answer per row, steps are counted.
    """

    ragged = False

    def __init__(self, columns: InputEmbedding, steps: PackedSteps, pooled: bool) -> None:
        self._columns, self._stack, self._like = columns, steps.stack, steps.state
        self._lines = self._stack.lines(1).numbers
        self._counts = np.zeros(1, np.int64) if pooled else None

    def grow(self, slots: int) -> None:
        """Have at least ``slots`` slots."""
        missing = slots - len(self._lines)
        if missing > 0:
            self._lines = torch.cat([self._lines, self._stack.lines(missing).numbers])
            if self._counts is not None:
                self._counts = np.concatenate([self._counts, np.zeros(missing, np.int64)])

    def write(self, slots: np.ndarray, state: NetworkState) -> None:
        """Set the states of ``slots``."""
        at = torch.from_numpy(slots)
        given = [part for _, part in flatten(state.layer)]
        line = self._lines.new_zeros(len(given[0]), self._lines.shape[1])
        for view, part in zip(self._stack.views(line), given, strict=True):
            view.copy_(part)
        self._lines[at] = line
        if self._counts is not None:
            self._counts[slots] = state.pool.steps.numpy()

    def read(self, slots: np.ndarray) -> NetworkState:
        """A copy of the states of ``slots``."""
        at = torch.from_numpy(slots)
        views = iter(self._stack.views(self._lines[at]))
        layer = map_state(lambda _: next(views).contiguous(), self._like)
        # Pooling is 'last' here, so its value is the h of the last layer.
        pool = None if self._counts is None else PoolState(layer[-1].h.clone(), torch.from_numpy(self._counts[slots]))
        return NetworkState(layer, pool)

    def run(self, slots: np.ndarray, inputs: dict[str, Tensor], rounds: Rounds) -> Tensor:
        """Take S steps."""
        with torch.no_grad():
            x = self._columns.step(inputs)  # (S, I)
        y = self._stack.step_lines(x, self._lines, slots, rounds)
        if self._counts is not None:
            np.add.at(self._counts, slots, 1)
        return y


class StackedPool:
    """Rows of states of one size: each part of the state is a tensor (R, …).

    Args:
        step: ``outputs, state = step(inputs, state)``.
        first: the state of one row before its first step.
    """

    ragged = False

    def __init__(self, step: Step, first: State) -> None:
        self._step, self._states = step, first

    def grow(self, slots: int) -> None:
        """Have at least ``slots`` slots."""

        def more(part: Tensor) -> Tensor:
            missing = max(slots - len(part), 0)
            return torch.cat([part, part.new_zeros(missing, *part.shape[1:])])

        self._states = map_state(more, self._states)

    def write(self, slots: np.ndarray, state: State) -> None:
        """Set the states of ``slots``."""
        map_state(lambda part, new: part.index_copy_(0, _at(slots, part), _all(new, len(slots))), self._states, state)

    def read(self, slots: np.ndarray) -> State:
        """A copy of the states of ``slots``."""
        return map_state(lambda part: part.index_select(0, _at(slots, part)), self._states)

    def run(self, slots: np.ndarray, inputs: dict[str, Tensor], rounds: Rounds) -> Tensor:
        """Take S steps."""
        return _rounds(self, self._step, slots, inputs, rounds)


class RaggedPool:
    """Rows whose states grow, each at its own pace, such as the keys and values of attention.

    Rows that are stepped together are padded to the longest, and cut apart again.

    Args:
        step: ``outputs, state = step(inputs, state)``.
        first: the state of one row before its first step.
    """

    ragged = True

    def __init__(self, step: Step, first: State) -> None:
        self._step, self._first = step, first
        self._states: list[State] = [first]

    def grow(self, slots: int) -> None:
        """Have at least ``slots`` slots."""
        self._states += [self._first] * (slots - len(self._states))

    def write(self, slots: np.ndarray, state: State) -> None:
        """Set the states of ``slots``."""
        rows = split(state)
        for number, slot in enumerate(slots.tolist()):
            self._states[slot] = rows[number if len(rows) > 1 else 0]

    def read(self, slots: np.ndarray) -> State:
        """A copy of the states of ``slots``, padded to the longest."""
        return concatenate([self._states[slot] for slot in slots.tolist()])

    def run(self, slots: np.ndarray, inputs: dict[str, Tensor], rounds: Rounds) -> Tensor:
        """Take S steps."""
        return _rounds(self, self._step, slots, inputs, rounds)


class PairedPool:
    """Rows of two models that answer together.

    Args:
        first, second: the rows of each.
        pair: both states -> their state together.
        mixed: both outputs -> those of the two together.
    """

    def __init__(
        self,
        first: LivePool,
        second: LivePool,
        pair: Callable[[State, State], State],
        mixed: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        self._first, self._second, self._pair, self._mixed = first, second, pair, mixed
        self.ragged = first.ragged or second.ragged

    def grow(self, slots: int) -> None:
        """Have at least ``slots`` slots."""
        self._first.grow(slots)
        self._second.grow(slots)

    def write(self, slots: np.ndarray, state: State) -> None:
        """Set the states of ``slots``."""
        first, second = state
        self._first.write(slots, first)
        self._second.write(slots, second)

    def read(self, slots: np.ndarray) -> State:
        """A copy of the states of ``slots``."""
        return self._pair(self._first.read(slots), self._second.read(slots))

    def run(self, slots: np.ndarray, inputs: dict[str, Tensor], rounds: Rounds) -> Tensor:
        """Take S steps."""
        return self._mixed(self._first.run(slots, inputs, rounds), self._second.run(slots, inputs, rounds))


def pool_of_steps(step: Step, first: State) -> LivePool:
    """The rows of a model that has a ``step``; ``first`` is the state of one row before its first step."""
    return RaggedPool(step, first) if _grows(first) else StackedPool(step, first)


def _rounds(pool: LivePool, step: Step, slots: np.ndarray, inputs: dict[str, Tensor], rounds: Rounds) -> Tensor:
    """Take the rounds with a model's own ``step``."""
    outputs: Tensor | None = None
    for taken in rounds:
        whole = len(taken) == len(slots)
        rows = {name: value if whole else value[torch.from_numpy(taken)] for name, value in inputs.items()}
        with torch.no_grad():
            found, after = step(rows, pool.read(slots[taken] if not whole else slots))
        pool.write(slots[taken] if not whole else slots, after)
        if whole:
            return found
        outputs = found.new_empty(len(slots), *found.shape[1:]) if outputs is None else outputs
        outputs[torch.from_numpy(taken)] = found
    assert outputs is not None
    return outputs


def _grows(state: State) -> bool:
    """Whether a part of ``state`` is ragged."""
    if state is None or isinstance(state, Tensor):
        return False
    parts = state.values() if isinstance(state, dict) else state
    return bool(getattr(state, "ragged", ())) or any(map(_grows, parts))


def _at(slots: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(slots).to(like.device)


def _all(part: Tensor, rows: int) -> Tensor:
    return part if len(part) == rows else part.expand(rows, *part.shape[1:])
