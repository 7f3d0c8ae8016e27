"""Many live sessions of one model, stepped together.

Axes: N values, S steps, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.live_row import LiveSteps
from unrolled.errors import ModelError, UnrolledError, UsageError
from unrolled.models.model import Model
from unrolled.state import State, flatten, map_state
from unrolled.streaming._turns import Run, allowed, rounds, runs_of, waves
from unrolled.streaming.snapshots import Kept, Memory, read, written, written_each

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
        return self._pushed([handle for handle, _ in asked], [value for _, value in asked], ends=False)

    def push_runs(self, runs: Iterable[tuple[int, Sequence[Any]]]) -> list[Run]:
        """Push values of each session one after the other, up to the first that is refused.

        Args:
            runs: handle and values; each session once.

        Returns:
            for each session its answers, and the error with which it ended before the last value.
        """
        asked = list(runs)
        handles = [handle for handle, values in asked for _ in values]
        answers = self._pushed(handles, [value for _, values in asked for value in values], ends=True)
        return runs_of(answers, [len(values) for _, values in asked])

    def _pushed(self, handles: Sequence[int], values: Sequence[Any], *, ends: bool) -> list[Any]:
        """The answers; where a refused value ends its session's run, ``None`` for the values behind it."""
        slots = list(map(self._slots.get, handles))
        answers: list[Any] = [None] * len(slots)
        turns = waves(slots, remembers=self._remembers)
        several = [slot for slot in slots if slot is not None] if len(turns) > 1 else []
        before = self._kept(np.unique(several)) if several else None
        try:
            for wave in turns:
                self._push(wave, slots, values, answers, ends=ends)
        except BaseException:
            if before is not None:
                self._put_back(*before)
            raise
        if None in slots:
            for number, (handle, slot) in enumerate(zip(handles, slots, strict=True)):
                answers[number] = self._closed(handle) if slot is None else answers[number]
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

    def renumber(self, handle: int, steps: int) -> None:
        """Let an open session count ``steps`` values as taken, the last of which it has read again."""
        self._steps[self._slot(handle)] = steps

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
        return written(self._with(state, slots), self._identity)

    def snapshots(self, handles: Sequence[int]) -> list[bytes]:
        """The `snapshot` of each of many sessions.

        Raises:
            UsageError: one of them is not open.
        """
        if self._rows.ragged:
            return list(map(self.snapshot, handles))
        slots = np.array([self._slot(handle) for handle in handles], np.int64)
        return written_each(self._with(self._rows.read(slots), slots), self._identity)

    def load(self, saved: bytes) -> list[int]:
        """Open the sessions that `save` saved: their handles in the same order.

        Raises:
            ModelError: the bytes are not saved sessions, or belong to another model.
        """
        return self._open(self._read(saved))

    def _with(self, state: Any, slots: np.ndarray) -> Kept:
        return Kept(state, [self._before[slot] for slot in slots.tolist()], self._steps[slots].tolist())

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
        apart = self._rows.ragged and count != 1
        for part, state in zip(slots[:, None], kept.state, strict=True) if apart else [(slots, kept.state)][:count]:
            self._rows.write(part, map_state(lambda one: one.to(self._device), state))
        self._steps[slots] = kept.steps
        for slot, before in zip(slots.tolist(), kept.before, strict=True):
            self._before[slot] = before
        return handles

    def _push(
        self,
        numbers: Sequence[int],
        every_slot: Sequence[int | None],
        every_value: Sequence[Any],
        answers: list[Any],
        *,
        ends: bool,
    ) -> None:
        """Push the values with these ``numbers``, whose encodings do not depend on each other."""
        if ends and len(numbers) < len(answers):
            over = {slot for slot, one in zip(every_slot, answers, strict=True) if isinstance(one, UnrolledError)}
            numbers = [number for number in numbers if every_slot[number] not in over]
        slots = np.array([every_slot[number] for number in numbers], np.int64)
        values = [every_value[number] for number in numbers]
        remembered = [self._before[slot] for slot in slots.tolist()] if self._remembers else [{}] * len(values)
        steps = self._encode(values, remembered)
        steps, refused = allowed(steps, slots, self._most_steps, ends=ends)
        for item, error in refused.items():
            answers[numbers[item]] = error
        for item in steps.apart:
            (row,) = self._answered(*self._alone(slots[item : item + 1], steps.apart[item]))
            self._took(slots[item : item + 1], [steps.after.get(item, {})])
            answers[numbers[item]] = row
        counts = np.bincount(steps.item)
        taken = np.flatnonzero(counts)
        if not len(taken):
            return
        at = slots[steps.item]  # (S,)
        outputs = self._run(at, steps.inputs, rounds(at))
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

    def _kept(self, slots: np.ndarray) -> tuple[np.ndarray, State, np.ndarray, list[Memory]]:
        """All that a push changes in ``slots``, for `_put_back`."""
        return slots, self._rows.read(slots), self._steps[slots], [self._before[slot] for slot in slots.tolist()]

    def _put_back(self, slots: np.ndarray, states: State, steps: np.ndarray, before: list[Memory]) -> None:
        self._rows.write(slots, states)
        self._steps[slots] = steps
        for slot, memory in zip(slots.tolist(), before, strict=True):
            self._before[slot] = memory

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

    def _run(self, slots: np.ndarray, inputs: dict[str, np.ndarray], turns: Sequence[np.ndarray]) -> Tensor:
        """(S, O), the outputs of S steps; all of them are taken, or none."""
        before = (touched := np.unique(slots), self._rows.read(touched)) if len(turns) > 1 else None
        tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
        if self._device.type != "cpu":
            tensors = {name: value.to(self._device) for name, value in tensors.items()}
        try:
            return self._rows.run(slots, tensors, turns)
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
        rows = zip(*columns.values(), strict=True)
        return list(map(dict, map(zip, repeat(tuple(columns)), rows)))  # a loop would take twice as long

    def _slot(self, handle: int) -> int:
        if (slot := self._slots.get(handle)) is None:
            raise self._closed(handle)
        return slot

    def _closed(self, handle: int) -> UsageError:
        return UsageError(f"the session {handle} is closed, or was never open: open a new one")
