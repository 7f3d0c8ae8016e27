"""Many live sessions of one model, stepped together.

Axes: N values, S steps, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.live_row import LiveSteps
from unrolled.errors import DataError, ModelError, UnrolledError, UsageError
from unrolled.models.model import Model
from unrolled.state import flatten, map_state
from unrolled.streaming.snapshots import Kept, Memory, read, written

__all__ = ["MOST_STEPS", "Pool"]

MOST_STEPS = 4096  # of one value, as a text of as many tokens
_FIRST = 16  # slots

Answer = dict[str, Any] | UnrolledError


class Pool:
    """Many live sessions of one model: each is a handle, and one call pushes a value of each.

    Each answer is the one that a `Session` gives; where the kernels have the model, to the bit. A handle is never used
    twice, so that one that was closed cannot reach the state of a later session. A pool is for one thread at a time.

    Args:
        network: the network, on any device; it keeps the weights that it has now.
        encode: (N pushed values, N memories of earlier steps) -> their steps.
        answer: (outputs, batch of one step of each row) -> the columns of the answers.
        opening: steps at the start of every stream, such as ``<begin>``.
        pooled: whether the network gives one output for all steps so far.
        remembers: whether the steps of a value may depend on the value before.
        identity: the fingerprint of the weights.
        most_steps: the most steps of one value, such as the tokens of a text.

    Attributes:
        state_bytes: the bytes of a session's first state.

    Raises:
        UsageError: the network cannot stream.

    Cost:
        one step of the network for each value; with the kernels, each weight is read once for all rows of a call.
    """

    def __init__(
        self,
        network: Model,
        encode: Callable[[Sequence[Any], Sequence[Memory]], LiveSteps],
        answer: Callable[[Tensor, Batch], dict[str, list[Any]]],
        *,
        opening: Iterable[dict[str, np.ndarray]] = (),
        pooled: bool,
        remembers: bool,
        identity: str,
        most_steps: int = MOST_STEPS,
    ) -> None:
        if network.cannot_stream is not None:
            raise UsageError(network.cannot_stream)
        self._rows, self._device = network.pool(), network.device
        self._encode, self._answer, self._pooled, self._remembers = encode, answer, pooled, remembers
        self._identity, self._most_steps = identity, most_steps
        first = np.zeros(1, np.int64)
        for inputs in opening:
            self._run(first, {name: value[None] for name, value in inputs.items()}, [first])
        self._first = self._rows.read(first)
        self.state_bytes = sum(part.nbytes for _, part in flatten(self._first))
        self._slots: dict[int, int] = {}
        self._free = [0]
        self._before: list[Memory] = [{}]
        self._steps = np.zeros(1, np.int64)
        self._opened = 0

    def __len__(self) -> int:
        return len(self._slots)

    def open(self, snapshot: bytes | None = None) -> int:
        """A new session, or one that goes on from the ``snapshot`` of a `Session` or of a pool; its handle.

        Raises:
            ModelError: it is not a snapshot of one session, or it belongs to another model.
        """
        if snapshot is None:
            return self._begin(1)[0]
        kept = self._read(snapshot)
        if len(kept.steps) != 1:
            raise ModelError(f"these bytes hold {len(kept.steps)} sessions: open them with load")
        return self._open(kept)[0]

    def close(self, handle: int) -> None:
        """End a session.

        Raises:
            UsageError: it is not open.
        """
        slot = self._slot(handle)
        del self._slots[handle]
        self._rows.write(np.array([slot]), self._first)  # nothing of it is left
        self._before[slot], self._steps[slot] = {}, 0
        self._free.append(slot)

    def push(self, items: Iterable[tuple[int, Any]]) -> list[Answer]:
        """Push a value of each session: the answers in the same order, or what is wrong with an item.

        An item that is refused leaves its session as it was, and does not touch the others. A session may have several
        values in one call, which are pushed one after the other.

        Args:
            items: handle and value (see `Session.push`).
        """
        asked = list(items)
        handles, values = [handle for handle, _ in asked], [value for _, value in asked]
        found = list(map(self._slots.get, handles))
        answers: list[Any] = [None] * len(found)
        open_ones: Sequence[int] = range(len(found))
        if None in found:
            answers = [
                self._closed(handle) if slot is None else None for handle, slot in zip(handles, found, strict=True)
            ]
            open_ones = [number for number, slot in enumerate(found) if slot is not None]
        for wave in self._waves(open_ones, found):
            whole = len(wave) == len(found)
            taken = np.array(found if whole else [found[number] for number in wave], np.int64)
            self._push(taken, values if whole else [values[number] for number in wave], wave, answers)
        return answers

    def snapshot(self, handle: int) -> bytes:
        """The state of a session as a safetensors file, for `open`, or for `Session.restore`.

        Raises:
            UsageError: it is not open.
        """
        return self.save([handle])

    def steps_of(self, handle: int) -> int:
        """How many values a session has taken.

        Raises:
            UsageError: it is not open.
        """
        return int(self._steps[self._slot(handle)])

    def save(self, handles: Sequence[int]) -> bytes:
        """The states of many sessions as one safetensors file, for `load`.

        Raises:
            UsageError: one of them is not open.
        """
        slots = np.array([self._slot(handle) for handle in handles], np.int64)
        if self._rows.ragged and len(slots) != 1:
            state: Any = [self._rows.read(slots[row : row + 1]) for row in range(len(slots))]
        else:
            state = self._rows.read(slots)
        return written(Kept(state, [self._before[slot] for slot in slots], self._steps[slots].tolist()), self._identity)

    def load(self, saved: bytes) -> list[int]:
        """Open the sessions that `save` saved: their handles in the same order.

        Raises:
            ModelError: the bytes are not saved sessions, or belong to another model.
        """
        return self._open(self._read(saved))

    def _read(self, saved: bytes) -> Kept:
        return read(saved, self._first, self._identity, ragged=self._rows.ragged)

    def _begin(self, count: int) -> list[int]:
        """New sessions in free slots, which hold the first state."""
        if count > len(self._free):
            there = len(self._steps)
            size = max(_FIRST, 2 * there, there + count)
            self._rows.grow(size)
            self._rows.write(np.arange(there, size), self._first)
            self._steps = np.concatenate([self._steps, np.zeros(size - there, np.int64)])
            self._before += [{}] * (size - there)
            self._free += range(there, size)
        handles = range(self._opened + 1, self._opened + count + 1)
        self._opened += count
        for handle in handles:
            self._slots[handle] = self._free.pop()
        return list(handles)

    def _open(self, kept: Kept) -> list[int]:
        handles = self._begin(count := len(kept.steps))
        slots = np.array([self._slots[handle] for handle in handles], np.int64)
        states = kept.state if self._rows.ragged and count != 1 else [kept.state]
        for part, state in zip(np.split(slots, len(states)) if count else (), states, strict=False):
            self._rows.write(part, map_state(lambda one: one.to(self._device), state))
        self._steps[slots] = kept.steps
        for slot, before in zip(slots.tolist(), kept.before, strict=True):
            self._before[slot] = before
        return handles

    def _waves(self, numbers: Sequence[int], slots: Sequence[int | None]) -> list[Sequence[int]]:
        """The items that can be encoded together: a value may need what its session remembers of the one before."""
        if not numbers or not self._remembers or len({slots[number] for number in numbers}) == len(numbers):
            return [numbers] if numbers else []
        waves: list[list[int]] = []
        seen: dict[int | None, int] = {}
        for number in numbers:
            turn = seen[slots[number]] = seen.get(slots[number], -1) + 1
            if turn == len(waves):
                waves.append([])
            waves[turn].append(number)
        return list[Sequence[int]](waves)

    def _push(self, slots: np.ndarray, values: list[Any], numbers: Sequence[int], answers: list[Any]) -> None:
        """Push values whose encodings do not depend on each other; their answers go to their ``numbers``."""
        remembered = [self._before[slot] for slot in slots.tolist()] if self._remembers else [{}] * len(values)
        steps = self._encode(values, remembered)
        counts = np.bincount(steps.item, minlength=len(values))
        counts[list(steps.apart)] = list(map(len, steps.apart.values()))
        for item, error in steps.refused.items():
            answers[numbers[item]] = error
        long = counts > self._most_steps
        if long.any():
            for item in np.flatnonzero(long).tolist():
                many = f"the value has {counts[item]} steps, at most {self._most_steps} are taken at once"
                answers[numbers[item]] = DataError(f"{many}: send it in parts")
            steps = steps.only(~long)
        for item in steps.apart:
            (row,) = self._answered(*self._alone(slots[item : item + 1], steps.apart[item]))
            self._took(slots[item : item + 1], [steps.after.get(item, {})])
            answers[numbers[item]] = row
        counts = np.bincount(steps.item)
        taken = np.flatnonzero(counts)
        if not len(taken):
            return
        at = slots[steps.item]  # (S,)
        outputs = self._run(at, steps.inputs, _rounds(at))
        if len(steps.item) != len(taken):
            last = np.cumsum(counts[taken]) - 1
            outputs = outputs[torch.from_numpy(last)]
            inputs = {name: value[last] for name, value in steps.inputs.items()}
        else:
            inputs = steps.inputs
        rows = self._answered(outputs, inputs)
        self._took(slots[taken], [steps.after.get(item, {}) for item in taken.tolist()] if self._remembers else [])
        if len(rows) == len(answers):
            answers[:] = rows
            return
        for item, row in zip(taken.tolist(), rows, strict=True):
            answers[numbers[item]] = row

    def _took(self, slots: np.ndarray, after: list[Memory]) -> None:
        np.add.at(self._steps, slots, 1)
        for slot, memory in zip(slots.tolist(), after, strict=False):
            self._before[slot] = memory

    def _alone(self, slot: np.ndarray, steps: list[dict[str, np.ndarray]]) -> tuple[Tensor, dict[str, np.ndarray]]:
        """The outputs and inputs of the last of one value's ``steps``, whose first brings whole side sequences."""
        before = self._rows.read(slot)
        one = np.zeros(1, np.int64)
        try:
            for step in steps:
                inputs = {name: value[None] for name, value in step.items()}
                outputs = self._run(slot, inputs, [one])
        except BaseException:
            self._rows.write(slot, before)
            raise
        return outputs, inputs

    def _run(self, slots: np.ndarray, inputs: dict[str, np.ndarray], rounds: Sequence[np.ndarray]) -> Tensor:
        """(S, O), the outputs of S steps; all of them are taken, or none."""
        before = (touched := np.unique(slots), self._rows.read(touched)) if len(rounds) > 1 else None
        tensors = {name: torch.from_numpy(value).to(self._device) for name, value in inputs.items()}
        try:
            return self._rows.run(slots, tensors, rounds)
        except BaseException:  # also on Ctrl-C, so that a value is never half pushed
            if before is not None:
                self._rows.write(*before)
            raise

    def _answered(self, outputs: Tensor, inputs: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """The answers after the last step of each value: ``outputs`` (N, O), ``inputs`` (N, …)."""
        outputs = outputs.cpu()
        if not self._pooled:
            outputs = outputs[:, None]  # (N, 1, O)
        count = len(outputs)
        steps = {name: torch.from_numpy(value)[:, None] for name, value in inputs.items()}
        batch = Batch(steps, torch.ones(count, dtype=torch.int64), torch.arange(count))
        columns = self._answer(outputs, batch)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _slot(self, handle: int) -> int:
        if (slot := self._slots.get(handle)) is None:
            raise self._closed(handle)
        return slot

    def _closed(self, handle: int) -> UsageError:
        return UsageError(f"the session {handle} is closed, or was never open: open a new one")


def _rounds(slots: np.ndarray) -> list[np.ndarray]:
    """The numbers of the steps that can be taken together, one round after another.

    >>> [one.tolist() for one in _rounds(np.array([7, 7, 3, 7]))]
    [[0, 2], [1], [3]]
    """
    order = np.argsort(slots, kind="stable")
    own = slots[order]
    begins = np.flatnonzero(np.concatenate([[True], own[1:] != own[:-1]]))
    if len(begins) == len(slots):
        return [np.arange(len(slots))]
    turn = np.empty(len(slots), np.int64)
    turn[order] = np.arange(len(slots)) - np.repeat(begins, np.diff(np.append(begins, len(slots))))
    return np.split(np.argsort(turn, kind="stable"), np.cumsum(np.bincount(turn))[:-1])
