"""The checkpoints of a training on one or several ranks: the leader reads and writes them for all.

What all ranks have alike, such as the weights, is written once, after it was compared. What differs is sent to the
leader: the random generators of each rank, and the states that each share of the lanes carries.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.errors import ModelError, TrainingError
from unrolled.models.model import Model
from unrolled.state import State, concatenate, flatten, rebuild, select
from unrolled.storage.atomic import sweep
from unrolled.storage.directories import begun_directory, complete_directory, write_member
from unrolled.storage.tensors import load_tensors, save_tensors
from unrolled.training import checkpoint
from unrolled.training.averaging import Average
from unrolled.training.batch_gradient import BatchGradient
from unrolled.training.checkpoint import Checkpoint
from unrolled.training.position import Progress
from unrolled.training.together import Together
from unrolled.training.weight_shards import load_weights, packed_shard, read_shards, shard_name, whole

__all__ = ["Checkpoints", "alike", "restore_alike", "restore_own", "step_seed"]

_RANK, _PART = "rank", "part"  # of names in a checkpoint that several ranks, or micro-batches, have written
_DIGEST = 8  # bytes


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """A seed for the random numbers of one step of a training, on one rank of it."""
    numbers = b"".join(number.to_bytes(8, "little") for number in (seed, step, rank))
    return int.from_bytes(hashlib.blake2b(numbers, digest_size=8).digest(), "little") >> 1


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: the run's ``checkpoints/``; only the leader opens it, unless the weights are sharded.
        together: the ranks of the training.
        sharded: whether each rank has its rows of the weights only: then it also saves and reads them.
    """

    def __init__(self, folder: Path, together: Together, sharded: bool = False) -> None:
        self.folder, self._together, self._sharded = folder, together, sharded

    def newest(self) -> Checkpoint | None:
        """The newest undamaged checkpoint; ``None`` if none was saved. Sharded, it has the rows of this rank only.

        Raises:
            ModelError: every checkpoint is damaged.
        """
        if self._sharded:
            return self._newest_sharded()
        return self._read(lambda: checkpoint.newest(self.folder))

    def best(self, *names: str) -> Checkpoint | None:
        """The best weights; ``None`` if there are none.

        Raises:
            ModelError: they are damaged.
        """
        return self._read(lambda: checkpoint.best(self.folder, *names))

    def save_best(self, tensors: dict[str, Tensor], meta: dict[str, Any], *names: str) -> None:
        """Replace the best weights; see `unrolled.training.checkpoint.save_best`."""
        gathered = {name: self._led_whole(tensor) for name, tensor in tensors.items()}
        self._write(lambda: checkpoint.save_best(self.folder, gathered, meta, *names))

    def save(self, step: int, alike: dict[str, Tensor], gradient: BatchGradient, meta: dict[str, Any]) -> None:
        """Save a checkpoint.

        Args:
            step: the steps that were taken.
            alike: what all ranks have alike.
            gradient: its carried states are saved too, and the random generators of each rank.
            meta: JSON values.

        Raises:
            TrainingError: a rank has other weights than the leader.
            SpaceError: the disk is full; earlier checkpoints are unchanged.
        """
        own = _own(gradient, self._together)
        meta = {**meta, "parts": gradient.of, "ranks": self._together.ranks}
        if self._sharded:
            self._save_shards(step, alike, own, meta)
            return
        if not self._together.alone:
            self._compare(alike)
            parts = self._together.stack(save_tensors(own))
            own = {name: tensor for part in parts for name, tensor in load_tensors(part).items()}
        self._write(lambda: checkpoint.save(self.folder, step, {**alike, **own}, meta))

    def _compare(self, alike: Mapping[str, Tensor]) -> None:
        """Find bad memory, and computations that are not repeatable, before they spoil the run."""
        names = sorted(alike)  # a restored optimiser has another order
        found = self._together.stack(b"".join(_digest(alike[name]) for name in names))
        for rank, other in enumerate(found):
            for at, name in enumerate(names):
                if other[at * _DIGEST : (at + 1) * _DIGEST] != found[0][at * _DIGEST : (at + 1) * _DIGEST]:
                    raise TrainingError(
                        f"rank {rank} has another {name} than rank 0, though all ranks must be alike: its memory may "
                        "be faulty, or it computes otherwise; earlier checkpoints are kept"
                    )

    def _save_shards(self, step: int, tensors: dict[str, Tensor], own: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Each rank writes its file into the hidden directory of the leader, which names it when all have done so."""
        rank, ranks, place = self._together.rank, self._together.ranks, checkpoint.place_of(self.folder, step)
        with ExitStack() as stack:

            def begun() -> bytes:
                sweep(self.folder)
                return os.fsencode(stack.enter_context(begun_directory(place, overwrite=True)).name)

            hidden = self.folder / os.fsdecode(self._together.led(begun))
            self._together.each(lambda: write_member(hidden, shard_name(rank), packed_shard(tensors, own, rank, ranks)))

            def complete() -> None:
                write_member(hidden, checkpoint.META, checkpoint.described(step, meta))
                names = [checkpoint.META, *map(shard_name, range(ranks))]
                complete_directory(hidden, place, names)

            self._write(complete)
        self._write(lambda: checkpoint.remove_others(self.folder, step))

    def _newest_sharded(self) -> Checkpoint | None:
        def found() -> bytes:
            place = checkpoint.newest_place(self.folder)
            return json.dumps(place and [place[0].name, place[1]]).encode()

        place = json.loads(self._together.led(found))
        if place is None:
            return None

        def read() -> Checkpoint:
            path = self.folder / place[0]
            rows = read_shards(path, self._together.rank, self._together.ranks)
            return checkpoint.with_meta(path, (path / checkpoint.META).read_bytes(), rows, tuple(place[1]))

        return self._together.each(read)

    def _led_whole(self, tensor: Tensor) -> Tensor:
        """All rows of ``tensor`` for the leader; the others have no use for them."""
        gathered = whole(tensor)
        return gathered.cpu() if self._together.leads and gathered is not tensor else tensor

    def _write(self, write: Callable[[], object]) -> None:
        def written() -> bytes:
            write()
            return b""

        self._together.led(written)

    def _read(self, read: Callable[[], Checkpoint | None]) -> Checkpoint | None:
        found: list[Checkpoint | None] = []

        def sent() -> bytes:
            found.append(read())
            return b"" if found[0] is None else _to_bytes(found[0])

        if self._together.alone:
            return read()
        data = self._together.led(sent)
        return found[0] if found else _from_bytes(data) if data else None


def alike(
    network: Model, average: Average, optimizer: torch.optim.Optimizer, frozen: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What all ranks of a training have alike, for a checkpoint."""
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.tensors().items()}
    tensors |= checkpoint.optimizer_tensors(optimizer, network.named_parameters())
    return tensors | {f"frozen.{name}": rows for name, rows in frozen.items()}


def restore_alike(
    saved: Checkpoint, network: Model, average: Average, optimizer: torch.optim.Optimizer, metric: str
) -> Progress:
    """Restore what `alike` gave; returns where the training was.

    Args:
        saved: a checkpoint.
        network, average, optimizer: new ones, whose values are replaced.
        metric: the one that chooses the weights.

    Raises:
        ModelError: the checkpoint belongs to another network.
    """
    try:
        load_weights(network, checkpoint.section(saved.tensors, "model"))
        average.restore(checkpoint.section(saved.tensors, "average"))
        progress = Progress.from_meta(saved.meta, metric)
    except (RuntimeError, KeyError, TypeError) as error:
        raise ModelError(f"the checkpoint of step {saved.step} belongs to another network: {error}") from None
    checkpoint.restore_optimizer(optimizer, network.named_parameters(), saved.tensors)
    return progress


def restore_own(saved: Checkpoint, gradient: BatchGradient, network: Model, together: Together, seed: int) -> str:
    """Restore what differs from rank to rank: random generators and carried states.

    Args:
        saved: a checkpoint.
        gradient: gets the states of its shares of the lanes.
        network: the one that carries them.
        together: the ranks now.
        seed: of the training; new generators start from it if other ranks have saved.

    Returns:
        a sentence if that is not exact, because another number of ranks has saved it; else empty.

    Raises:
        ModelError: the checkpoint belongs to another network.
    """
    parts, ranks = int(saved.meta.get("parts", 1)), int(saved.meta.get("ranks", 1))
    states = {
        part: _rebuilt(network, checkpoint.section(saved.tensors, f"{_PART}.{part}.carry" if parts > 1 else "carry"))
        for part in range(parts)
    }
    if parts != gradient.of:
        whole = [state for state in states.values() if state is not None]
        states = _is_sharded(concatenate(whole), gradient.of) if whole else {}
    for part, carry in zip(gradient.parts, gradient.carries, strict=True):
        carry.state = states.get(part)
    if ranks == together.ranks:
        checkpoint.restore_rng(
            checkpoint.section(saved.tensors, f"{_RANK}.{together.rank}") if ranks > 1 else saved.tensors
        )
        return ""
    torch.manual_seed(step_seed(seed, saved.step, together.rank))
    random.seed(step_seed(seed, saved.step, together.rank))
    return f"saved on {ranks}, continued on {together.ranks} ranks: the same batches, but other units are dropped out"


def _own(gradient: BatchGradient, together: Together) -> dict[str, Tensor]:
    """What only this rank has; a run of one rank and one micro-batch has the names of earlier versions."""
    rng = checkpoint.rng_state()
    own = rng if together.alone else {f"{_RANK}.{together.rank}.{name}": tensor for name, tensor in rng.items()}
    for part, carry in zip(gradient.parts, gradient.carries, strict=True):
        place = f"{_PART}.{part}.carry" if gradient.of > 1 else "carry"
        own |= {f"{place}.{name}": tensor for name, tensor in flatten(carry.state)}
    return own


def _rebuilt(network: Model, lanes: dict[str, Tensor]) -> State:
    if not lanes:
        return None
    device = network.device
    initial = network.initial_state(len(next(iter(lanes.values()))))
    return rebuild(initial, {name: lane.to(device) for name, lane in lanes.items()})


def _is_sharded(state: State, parts: int) -> dict[int, State]:
    """The lanes of each share, as `Share` cuts them."""
    lanes = len(next(tensor for _, tensor in flatten(state)))
    shares = np.array_split(np.arange(lanes), parts)
    return {part: select(state, torch.from_numpy(own)) for part, own in enumerate(shares) if len(own)}


def _digest(tensor: Tensor) -> bytes:
    content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.blake2b(content.data, digest_size=_DIGEST).digest()


def _to_bytes(found: Checkpoint) -> bytes:
    head = json.dumps([found.step, found.meta, found.skipped]).encode()
    return len(head).to_bytes(8, "little") + head + save_tensors(found.tensors)


def _from_bytes(data: bytes) -> Checkpoint:
    size = int.from_bytes(data[:8], "little")
    step, meta, skipped = json.loads(data[8 : 8 + size])
    return Checkpoint(step, load_tensors(data[8 + size :]), meta, tuple(skipped))
