"""What the processes of one training do together: add up gradients, decide as one, and end as one.

A training runs as R processes, its *ranks*. Rank 0 leads: only it writes the run and speaks, and what depends on a
clock, a file or a signal is decided by it. Only tensors of numbers and bytes are sent, never pickled objects.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from unrolled.errors import Elsewhere, TrainingError, UnrolledError, named, reason_of

__all__ = ["ALONE", "Together", "as_tensor"]

T = TypeVar("T")

_FINE, _FAILED = b"+", b"-"  # the first byte of what a rank sends
_PIECE = 1 << 26  # bytes that are sent at once


class Together:
    """One of the ranks of a training; one that is alone communicates with nobody.

    Each method but the properties is called by all ranks, in the same order. If one of the other processes has ended,
    it raises `TrainingError`.

    Args:
        rank: of this process, from 0.
        ranks: how many there are.
        local: how many of them run on this machine.
        backend: what sums gradients, in a word, such as ``gloo``.
        control: the process group for everything else, whose messages may take long.
    """

    def __init__(self, rank: int = 0, ranks: int = 1, local: int = 1, backend: str = "", control: Any = None) -> None:
        self.rank, self.ranks, self.local, self.backend, self._control = rank, ranks, local, backend, control

    @property
    def leads(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other rank."""
        return self.ranks == 1

    def add_up(self, numbers: Tensor) -> None:
        """Replace ``numbers`` by their sum over all ranks, which is the same on each, to the bit."""
        if self.alone:
            return
        import torch.distributed as dist

        with self._reached():
            dist.all_reduce(numbers)

    def stack(self, data: bytes) -> list[bytes]:
        """What each rank gave, in the order of the ranks."""
        if self.alone:
            return [data]
        import torch.distributed as dist

        with self._reached():
            sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.ranks)]
            dist.all_gather(sizes, torch.tensor([len(data)]), group=self._control)
            longest = max(1, *(int(size) for size in sizes))
            parts = [torch.empty(longest, dtype=torch.uint8) for _ in sizes]
            dist.all_gather(parts, _packed(data, longest), group=self._control)
        return [_unpacked(part[: int(size)]) for part, size in zip(parts, sizes, strict=True)]

    def led(self, make: Callable[[], bytes]) -> bytes:
        """What ``make`` gives on the leader, the only rank that calls it.

        Raises:
            Elsewhere: ``make`` raised an error on the leader, which raises it too.
        """
        if self.alone:
            return make()
        data, error = b"", None
        if self.leads:
            try:
                data = _FINE + make()
            except Exception as raised:
                data, error = _FAILED + _told(raised), raised
        data = self._from_leader(data)
        if error is not None:
            raise error
        if data[:1] == _FAILED:
            raise _elsewhere(0, data[1:])
        return data[1:]

    def each(self, make: Callable[[], T]) -> T:
        """What ``make`` gives on this rank, once it has succeeded on all of them.

        Raises:
            Elsewhere: ``make`` raised an error on another rank; where several did, the first of them reports it.
        """
        if self.alone:
            return make()
        error, made = None, None
        try:
            made = make()
        except Exception as raised:
            error = raised
        found = self.stack(_FINE if error is None else _FAILED + _told(error))
        failed = [rank for rank, data in enumerate(found) if data[:1] == _FAILED]
        if not failed:
            return made  # type: ignore[return-value]
        alike = [rank for rank in failed if found[rank] == found[self.rank]]
        if error is not None and alike[0] == self.rank:
            raise error
        raise _elsewhere(failed[0], found[failed[0]][1:]) from error

    def leaders(self, number: float) -> float:
        """The leader's ``number``."""
        if self.alone:
            return number
        return float(json.loads(self.led(lambda: json.dumps(number).encode())))

    def wait(self) -> None:
        """Wait until all ranks are here."""
        self.stack(b"")

    def leave(self) -> None:
        """Let go of the other ranks, at the end of the process."""
        self._control = None

    def _from_leader(self, data: bytes) -> bytes:
        import torch.distributed as dist

        with self._reached():
            size = torch.tensor([len(data)])
            dist.broadcast(size, 0, group=self._control)
            whole = _packed(data, int(size))
            for piece in torch.split(whole, _PIECE):
                dist.broadcast(piece, 0, group=self._control)
        return _unpacked(whole)

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """What torch sends by itself inside the block, between computations, fails like what this class sends.

        Raises:
            TrainingError: one of the other processes has ended.
        """
        try:
            yield
        except RuntimeError as error:
            import torch.distributed as dist

            if isinstance(error, dist.DistError) or "gloo" in str(error).lower():
                raise self._unreached(error) from error
            raise

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Torch raises errors of many types where another process is gone."""
        try:
            yield
        except (RuntimeError, ValueError) as error:
            raise self._unreached(error) from error

    def _unreached(self, error: Exception) -> TrainingError:
        return TrainingError(
            f"rank {self.rank} no longer reaches the other ranks of this training, so one of them has ended: "
            f"{reason_of(error)}; start all ranks again with {named('go_on')}, and the training continues from its "
            "last checkpoint"
        )


def as_tensor(data: bytes) -> Tensor:
    """``data`` as (len,) uint8."""
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def _packed(data: bytes, size: int) -> Tensor:
    whole = torch.zeros(size, dtype=torch.uint8)
    whole[: len(data)] = as_tensor(data)
    return whole


def _unpacked(part: Tensor) -> bytes:
    return part.numpy().tobytes()


def _told(error: Exception) -> bytes:
    known = isinstance(error, UnrolledError)
    text = str(error) if known else f"{type(error).__name__}: {reason_of(error)}"
    return json.dumps([text, error.exit_code if isinstance(error, UnrolledError) else 1]).encode()


def _elsewhere(rank: int, told: bytes) -> Elsewhere:
    text, code = json.loads(told)
    return Elsewhere(f"rank {rank}: {text}", code)


ALONE = Together()
