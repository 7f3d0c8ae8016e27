"""A run on several ranks: the leader has the run directory, the others a folder that is thrown away."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import torch

from unrolled.errors import TrainingError, UsageError
from unrolled.models.model import Model
from unrolled.runs.config import RunConfig
from unrolled.storage.directories import write_file
from unrolled.storage.tensors import load_tensors, save_tensors
from unrolled.training.hooks import Hook
from unrolled.training.joining import join
from unrolled.training.together import Together, as_tensor

__all__ = ["agreed", "alike", "check_source", "led_files", "only_leader", "place_of", "tried_ranks", "write_all"]

Say = Callable[[str], None]

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


def check_source(source: object, together: Together) -> None:
    """Refuse what only one process can read.

    Raises:
        UsageError: several ranks are to read standard input.
    """
    if str(source) == "-" and not together.alone:
        raise UsageError("several ranks cannot read the same standard input: write the data to a file first")
