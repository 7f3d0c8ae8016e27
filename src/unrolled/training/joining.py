"""How a process joins the other ranks of its training, whoever started them."""

from __future__ import annotations

import atexit
import gc
import os
import socket
import time
import uuid
from datetime import timedelta
from typing import Any

import torch

from unrolled.errors import TrainingError, UsageError, reason_of
from unrolled.training.together import ALONE, Together

__all__ = ["join"]

_JOINING, _STEP, _CONTROL = timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=12)
_PAUSE = 0.02  # seconds
_known: list[tuple[Any, Together]] = []  # the process group that was joined last, and what it gave


def join() -> Together:
    """The ranks that this process belongs to; called again, it gives the same ones.

    They are those of a process group that torch has already, as in Ray Train, or else those that a launcher tells of:
    torchrun, or whatever sets the variables RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT (29500 by default). Without
    any, the process is alone. On first call all ranks wait for each other, for ten minutes at most.

    The threads of torch become the cores of the machine divided by its ranks, unless OMP_NUM_THREADS is above 1.

    Raises:
        UsageError: a variable is missing or is no number.
        TrainingError: the other ranks are not reached.
    """
    import torch.distributed as dist

    if not dist.is_available():
        return ALONE
    if not dist.is_initialized():
        ranks = _number("WORLD_SIZE", 1)
        if ranks == 1:
            return ALONE
        _start(dist, _number("RANK"), ranks)
    if not _known or _known[-1][0] is not dist.group.WORLD:
        _known[:] = [(dist.group.WORLD, _joined(dist))]
    return _known[-1][1]


def _number(variable: str, default: int | None = None) -> int:
    text = os.environ.get(variable, "" if default is None else str(default))
    if not text.isdecimal():
        raise UsageError(
            f"WORLD_SIZE asks for several ranks, so {variable} must be a number, not {text!r}; torchrun sets them all"
        )
    return int(text)


def _start(dist: Any, rank: int, ranks: int) -> None:
    """Make torch's process group out of the variables of a launcher."""
    host, port = os.environ.get("MASTER_ADDR", ""), _number("MASTER_PORT", 29500)
    if not host or not rank < ranks:
        raise UsageError(
            f"rank {rank} of WORLD_SIZE={ranks} needs MASTER_ADDR, the machine of rank 0, and RANK below it"
        )
    hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # by torchrun; else by rank 0
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    own_gpu = gpus >= _number("LOCAL_WORLD_SIZE", 1) > 0
    if own_gpu:
        torch.cuda.set_device(_number("LOCAL_RANK", 0) % gpus)
    try:
        store = dist.TCPStore(
            host, port, ranks, rank == 0 and not hosted, timeout=_JOINING, wait_for_workers=False, multi_tenant=True
        )
        store = dist.PrefixStore(f"unrolled/{_attempt(store, rank, ranks)}", store)
        backend = "cpu:gloo,cuda:nccl" if own_gpu else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=ranks, timeout=_STEP)
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"rank {rank} of {ranks} does not reach the others through {host}:{port}: {reason_of(error)}"
        ) from error
    atexit.register(_leave, dist)


def _leave(dist: Any) -> None:
    """End the groups while the interpreter can still wait for their threads: later, a thread would end the process."""
    for _, together in _known:
        together.leave()
    _known.clear()
    if dist.is_initialized():
        dist.destroy_process_group()
    gc.collect()


def _attempt(store: Any, rank: int, ranks: int) -> str:
    """A name that all ranks of this start have in common, and no earlier one had.

    The store of torchrun outlives a restart. Under the same names, a new process would find the addresses of dead ones.
    So each rank asks under its own name, and rank 0 answers until all have heard it.
    """
    name = uuid.uuid4().hex
    if rank:
        store.set(f"unrolled/asks/{rank}", name)
        answer: str = store.get(f"unrolled/answers/{name}").decode()
        store.set(f"unrolled/heard/{answer}/{rank}", b"")
        return answer
    left, until = set(range(1, ranks)), time.monotonic() + _JOINING.total_seconds()
    while left:
        for other in sorted(left):
            if store.check([f"unrolled/asks/{other}"]):
                store.set(f"unrolled/answers/{store.get(f'unrolled/asks/{other}').decode()}", name)
            if store.check([f"unrolled/heard/{name}/{other}"]):
                left.remove(other)
        if left and time.monotonic() > until:
            raise ValueError(f"rank {min(left)} has not come")
        time.sleep(_PAUSE if left else 0)
    return name


def _joined(dist: Any) -> Together:
    control = dist.new_group(backend="gloo", timeout=_CONTROL)
    backend = dist.get_backend()
    together = Together(dist.get_rank(), dist.get_world_size(), 1, backend, control)
    here = socket.gethostname().encode()
    together.local = together.stack(here).count(here)
    if _number("OMP_NUM_THREADS", 1) == 1:  # what torchrun sets where nothing is asked for
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // together.local))
    return together
