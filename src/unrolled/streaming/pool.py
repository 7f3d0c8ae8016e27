"""Many live sessions of one model, stepped together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from unrolled.errors import ModelError, UnrolledError, UsageError, counted
from unrolled.streaming.session import Session

__all__ = ["MOST_STEPS", "Pool"]

MOST_STEPS = 4096  # of one value, as a text of as many tokens


class Pool:
    """Many live sessions of one model: each is a handle, and one call pushes a value of each.

    Each answer is the one that a `Session` of its own would give. A handle is never used twice, so that one that was
    closed cannot reach the state of a later session. A pool is for one thread at a time.

    Args:
        begin: a new session, or the one of a snapshot.
        most_steps: the most steps of one value, such as the tokens of a text.

    Example:
        >>> from unrolled.batch import Continuous
        >>> from unrolled.layers.config import ModelConfig
        >>> from unrolled.models.network import Network
        >>> network = Network({"x": Continuous(1)}, ModelConfig(name="gru", hidden=4), outputs=1, pooled=False)
        >>> def begin(snapshot=None):
        ...     return Session(
        ...         network,
        ...         encode=lambda x, before: ([{"x": torch.tensor([[x]])}], before),
        ...         answer=lambda outputs, batch: {"y": outputs[:, -1, 0].tolist()},
        ...         pooled=False,
        ...         identity="this network",
        ...     )
        >>> pool = Pool(begin)
        >>> one, other = pool.open(), pool.open()
        >>> answers = pool.push([(one, 1.0), (other, 2.0)])
        >>> answers[1] == begin().push(2.0)
        True
    """

    def __init__(self, begin: Callable[[bytes | None], Session], most_steps: int = MOST_STEPS) -> None:
        self._begin, self._most_steps = begin, most_steps
        self._sessions: dict[int, Session] = {}
        self._opened = 0
        self.state_bytes = begin(None).state_bytes

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, snapshot: bytes | None = None) -> int:
        """A new session, or one that goes on from the ``snapshot`` of a `Session` or of a pool; its handle.

        Raises:
            ModelError: it is not a snapshot, or it belongs to another model.
        """
        session = self._begin(snapshot)
        self._opened += 1
        self._sessions[self._opened] = session
        return self._opened

    def close(self, handle: int) -> None:
        """End a session.

        Raises:
            UsageError: it is not open.
        """
        self._session(handle)
        del self._sessions[handle]

    def push(self, items: Iterable[tuple[int, Any]]) -> list[dict[str, Any] | UnrolledError]:
        """Push a value of each session: the answers in the same order, or what is wrong with an item.

        An item that is refused leaves its session as it was, and does not touch the others. A session may have several
        values in one call, which are pushed one after the other.

        Args:
            items: handle and value (see `Session.push`).
        """
        return [self._push(handle, value) for handle, value in items]

    def _push(self, handle: int, value: Any) -> dict[str, Any] | UnrolledError:
        try:
            return self._session(handle).push(value, most_steps=self._most_steps)
        except UnrolledError as error:
            return error

    def snapshot(self, handle: int) -> bytes:
        """The state of a session as a safetensors file, for `open`, or for `Session.restore`.

        Raises:
            UsageError: it is not open.
        """
        return self._session(handle).snapshot()

    def steps_of(self, handle: int) -> int:
        """How many values a session has taken.

        Raises:
            UsageError: it is not open.
        """
        return self._session(handle).steps

    def save(self, handles: Sequence[int]) -> bytes:
        """The states of many sessions as one safetensors file, for `load`.

        Raises:
            UsageError: one of them is not open.
        """
        snapshots = (self.snapshot(handle) for handle in handles)
        return save({f"{n}": torch.frombuffer(bytearray(one), dtype=torch.uint8) for n, one in enumerate(snapshots)})

    def load(self, saved: bytes) -> list[int]:
        """Open the sessions that `save` saved: their handles in the same order.

        Raises:
            ModelError: the bytes are not saved sessions, or belong to another model.
        """
        try:
            snapshots = load(saved)
        except SafetensorError as error:
            raise ModelError(f"these {counted(len(saved), 'byte')} are not saved sessions: {error}") from None
        return [self.open(snapshots[f"{n}"].numpy().tobytes()) for n in range(len(snapshots))]

    def _session(self, handle: int) -> Session:
        if (session := self._sessions.get(handle)) is None:
            raise UsageError(f"the session {handle} is closed, or was never open: open a new one")
        return session
