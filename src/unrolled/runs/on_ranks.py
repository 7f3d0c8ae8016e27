"""A run on several ranks: the leader has the run directory, the others a folder that is thrown away."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import torch

from unrolled.errors import TrainingError, UsageError, named
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.storage.directories import write_file
from unrolled.storage.tensors import load_tensors, save_tensors
from unrolled.training.hooks import Hook
from unrolled.training.joining import join
from unrolled.training.together import Together, as_tensor

__all__ = [
    "agreed",
    "alike",
    "check_ranks",
    "check_source",
    "led_files",
    "made_once",
    "only_leader",
    "place_of",
    "tried_ranks",
    "write_all",
]

Say = Callable[[str], None]
T = TypeVar("T")

_TRIED = 1 << 20  # numbers


def place_of(
    together: Together,
    stack: ExitStack,
    choose: Callable[[], Path],
    held: Callable[[Path], AbstractContextManager[None]],
) -> tuple[Path, Path]:
    """Where this rank writes, and the run directory: the same for the leader.

    Args:
        together: the ranks.
        stack: holds what is entered, until the run has ended.
        choose: called by the leader; it gives the run directory.
        held: called by the leader with it; keeps other processes from it.
    """
    chosen: list[Path] = []

    def claim() -> bytes:
        chosen.append(choose())
        stack.enter_context(held(chosen[0]))
        return str(chosen[0]).encode()

    run = Path(together.led(claim).decode())
    if chosen:
        return run, run
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"unrolled-rank-{together.rank}-"))), run


def agreed(together: Together, make: Callable[[], RunConfig]) -> RunConfig:
    """The configuration that the leader makes."""
    made: list[RunConfig] = []

    def dumped() -> bytes:
        made.append(make())
        return made[0].model_dump_json().encode()

    data = together.led(dumped)
    return made[0] if made else RunConfig.parse(data, "rank 0")


def alike(together: Together, network: Model) -> None:
    """Give ``network`` the weights that it has on the leader, which may have solved a part of it."""
    if together.alone:
        return
    found = load_tensors(together.led(lambda: save_tensors(dict(network.state_dict()))))
    network.load_state_dict(found)


def led_files(together: Together, make: Callable[[], Mapping[str, bytes]]) -> dict[str, bytes]:
    """The files that the leader makes: name -> content."""
    made: list[Mapping[str, bytes]] = []

    def packed() -> bytes:
        made.append(make())
        return b"" if together.alone else save_tensors({name: as_tensor(data) for name, data in made[0].items()})

    data = together.led(packed)
    return dict(made[0]) if made else {name: one.numpy().tobytes() for name, one in load_tensors(data).items()}


def write_all(folder: Path, files: Mapping[str, bytes], together: Together) -> None:
    """Write ``files`` to the folder of a rank; the leader's has them."""
    for name, content in files.items() if not together.leads else ():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(folder / name, content)


def made_once(together: Together, place: Path | None, make: Callable[[], T], found: Callable[[Path], T | None]) -> T:
    """What ``make`` gives: the leader calls it, and so does the first rank of each machine that does not see its files.

    The other ranks wait, and find it at the place of whoever called it for them.

    Args:
        together: the ranks.
        place: where ``make`` writes on this rank; ``None`` on the leader: each rank calls it.
        make: gives what is wanted.
        found: gives what is wanted from the place of another rank; ``None`` if it is not there.

    Raises:
        Elsewhere: ``make`` raised an error on another rank.
    """
    if together.alone:
        return make()
    ours = "" if place is None else str(place.absolute())

    def led() -> bytes:
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
        return json.dumps([ours, _inode(ours)]).encode()

    leaders = json.loads(together.led(led))
    seen = leaders[1] is not None and _inode(leaders[0]) == leaders[1]
    told = [json.loads(data) for data in together.stack(json.dumps([seen, socket.gethostname(), ours]).encode())]
    first = 0 if seen else next(n for n, one in enumerate(told) if not one[0] and one[1] == told[together.rank][1])
    theirs = told[first][2] if leaders[0] else ""
    makes = first == together.rank or not theirs
    made = together.each(lambda: make() if makes else None)

    def given() -> T:
        mine = made if makes else found(Path(theirs))
        return make() if mine is None else mine

    return together.each(given)


def _inode(place: str) -> int | None:
    """The number of the folder in which a place is: a machine that sees the same folder sees the same number."""
    try:
        return Path(place).parent.stat().st_ino if place else None
    except OSError:
        return None


def only_leader(together: Together, say: Say, hooks: tuple[Hook, ...]) -> tuple[Say, tuple[Hook, ...]]:
    """The functions that hear of a run; on the other ranks, nothing does."""
    return (say, hooks) if together.leads else (lambda _: None, ())


def tried_ranks() -> dict[str, Any]:
    """The ranks that this process belongs to, and the seconds in which they add up 4 MB.

    Raises:
        TrainingError: the other ranks are not reached, or the sum is wrong.
    """
    together = join()
    about: dict[str, Any] = {"ranks": together.ranks, "rank": together.rank, "local_ranks": together.local}
    about |= {"backend": together.backend, "threads": torch.get_num_threads()}
    if together.alone:
        return about
    numbers = torch.full((_TRIED,), float(together.rank), device="cuda" if "nccl" in together.backend else "cpu")
    together.add_up(torch.zeros_like(numbers))  # connects
    together.wait()
    began = time.perf_counter()
    together.add_up(numbers)
    found = {float(numbers.min()), float(numbers.max())}
    seconds = time.perf_counter() - began
    if found != {together.ranks * (together.ranks - 1) / 2}:
        raise TrainingError(f"{together.ranks} ranks added up their numbers to {sorted(found)}, which is wrong")
    return {**about, "seconds": seconds}


def check_ranks(config: RunConfig, together: Together) -> None:
    """Refuse to shard weights where that is not possible.

    Raises:
        UsageError: the weights are to be sharded over ranks, and there is only one, or torch is too old.
    """
    if not config.training.shard_weights:
        return
    if together.alone:
        raise UsageError(
            f"{named('shard_weights')} needs several processes: start the command with torchrun, or train without it"
        )
    from torch.distributed import fsdp

    if not hasattr(fsdp.FSDPModule, "set_reduce_scatter_unused_params"):
        raise UsageError(
            f"{named('shard_weights')} needs torch 2.13, not {torch.__version__}: install it, or train without it"
        )


def check_source(source: object, together: Together) -> None:
    """Refuse what only one process can read.

    Raises:
        UsageError: several ranks are to read standard input.
    """
    if str(source) == "-" and not together.alone:
        raise UsageError("several ranks cannot read the same standard input: write the data to a file first")
