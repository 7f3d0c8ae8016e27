"""Several ranks of one training as forks of this process: the start of each costs no imports."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable

__all__ = ["ended", "fork", "fork_each", "free_port"]


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def fork(ranks: int, work: Callable[[int], object], port: int | None = None) -> list[int]:
    """Begin ``work(rank)`` in as many processes, which find each other as those of any launcher; their ids."""
    variables = {"WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port or free_port()}

    def as_rank(rank: int) -> None:
        os.environ.update({name: str(value) for name, value in {**variables, "RANK": rank}.items()})
        work(rank)

    return fork_each(ranks, as_rank)


def fork_each(count: int, work: Callable[[int], object]) -> list[int]:
    """Begin ``work(number)`` in as many processes; their ids."""
    children = []
    for number in range(count):
        child = os.fork()
        if not child:
            status = 1
            try:
                work(number)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        children.append(child)
    return children


def ended(children: list[int]) -> list[int]:
    """Wait for processes; their exit codes, minus the signal that one died of."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
