"""Many live sessions of one model: where the state of each is, how it begins, is kept as bytes, and ends.

Axes: N sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from unrolled.errors import ModelError, UsageError
from unrolled.models.slots import LivePool
from unrolled.state import flatten, map_state
from unrolled.streaming.snapshots import Kept, Memory, read, read_each, written, written_each

__all__ = ["Held"]

_FIRST = 16  # slots


class Held:
    """The sessions of a pool: each has a handle, which is never used twice, and a slot, which is.

    Args:
        rows: the states, in slots; the first slot holds that with which sessions begin.
        device: where they are.
        identity: the fingerprint of the weights.

    Attributes:
        state_bytes: the bytes of a session's first state.
    """

    def __init__(self, rows: LivePool, device: torch.device, identity: str) -> None:
        self._rows, self._device, self._identity = rows, device, identity
        self._first = rows.read(np.zeros(1, np.int64))
        self.state_bytes = sum(part.nbytes for _, part in flatten(self._first))
        self._slots: dict[int, int] = {}
        self._free = [0]
        self._before: list[Memory] = [{}]  # what the encodings remember, of each slot
        self._steps = np.zeros(1, np.int64)  # values taken, of each slot
        self._last = 0  # handle

    def __len__(self) -> int:
        return len(self._slots)

    def open(self, snapshot: bytes | None = None) -> int:
        """A new session, or one that goes on from the ``snapshot`` of a `Session` or of a pool; its handle.

        Raises:
            ModelError: it is not a snapshot of one session, or it belongs to another model.
        """
        if snapshot is None:
            return self._begin(1)[0]
        (found,) = self.open_all([snapshot])
        if isinstance(found, ModelError):
            raise found
        return found

    def open_all(self, snapshots: Sequence[bytes]) -> list[int | ModelError]:
        """`open` for each of these: its handle, or what is wrong with it; in far less time for many."""
        kept = None if self._rows.ragged else read_each(snapshots, self._first, self._identity)
        return [self._opened(one) for one in snapshots] if kept is None else list[int | ModelError](self._open(kept))

    def _opened(self, snapshot: bytes) -> int | ModelError:
        try:
            kept = self._read(snapshot)
        except ModelError as error:
            return error
        if len(kept.steps) != 1:
            return ModelError(f"these bytes hold {len(kept.steps)} sessions: open them with load")
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
        handles = range(self._last + 1, self._last + count + 1)
        self._last += count
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

    def _slot(self, handle: int) -> int:
        if (slot := self._slots.get(handle)) is None:
            raise self._closed(handle)
        return slot

    def _closed(self, handle: int) -> UsageError:
        return UsageError(f"the session {handle} is closed, or was never open: open a new one")
