"""The gradient of the mean loss over a batch, which ranks share, and each rank computes in micro-batches.

Axes: R ranks, M micro-batches of each.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.data.batches.loader import Loader
from unrolled.data.batches.shares import Share, stand_in
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.windows import Plan
from unrolled.errors import counted
from unrolled.models.model import Model
from unrolled.tasks.task import Task
from unrolled.training.bptt import TruncatedBPTT
from unrolled.training.gradient_sum import GradientSum
from unrolled.training.sharded import Sharded
from unrolled.training.together import Together

__all__ = ["BatchGradient", "Found", "said_of_shares"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a step learned beside its gradient.

    Attributes:
        total, count: the summed loss of the batch, and of how many answers.
        signals: SIGINT or SIGTERM, if a rank was told to stop by it.
        seconds: the leader's, when the gradients were added up; ``None`` if this process is alone.
    """

    total: float
    count: float
    signals: bytes = b""
    seconds: float | None = None

    @property
    def loss(self) -> float:
        """The mean over the answers."""
        return self.total / max(self.count, 1.0)


class BatchGradient:
    """Computes the gradient of a batch: share r + R m of R M by rank r in its micro-batch m, and then their sum.

    The batch is the same for any number of ranks and micro-batches, and so is its gradient, up to rounding. A process
    that is alone with one micro-batch computes the gradient of the mean at once.

    Args:
        network, task: as for `Trainer`.
        chunks: as for `TruncatedBPTT`.
        together: the ranks.
        micro: M ≥ 1.
        device: of the network.
        sharded: the weights of the network, if they are sharded over the ranks.
    """

    def __init__(
        self,
        network: Model,
        task: Task,
        chunks: int,
        together: Together,
        micro: int,
        device: str,
        sharded: Sharded | None = None,
    ) -> None:
        self._network, self._task, self._together, self._device = network, task, together, device
        self._sharded = sharded
        self.parts = [together.rank + together.ranks * m for m in range(micro)]
        self.of = together.ranks * micro
        self.carries = [TruncatedBPTT(network, chunks) for _ in self.parts]
        self._sum = GradientSum(network, together, reduced=sharded is not None)

    def loaders(self, examples: Examples, plan: Plan) -> list[Loader]:
        """What computes the batches of ``plan``: one loader for each micro-batch."""
        if self.of == 1:
            return [Loader(examples, plan)]
        return [Loader(examples, Share(plan, part, self.of)) for part in self.parts]

    def restart(self) -> None:
        """Reset the carried states, at the start of an epoch."""
        for carry in self.carries:
            carry.restart()

    def find(
        self,
        loaders: list[Loader],
        index: int,
        begin: Callable[[], None],
        heard: int | None,
        seconds: Callable[[], float],
    ) -> Found:
        """Set the gradients of the network to those of the mean loss over batch ``index``.

        Args:
            loaders: of this epoch.
            index: of the batch.
            begin: called before each micro-batch.
            heard: a signal that told this rank to stop.
            seconds: gives those of training.
        """
        if self.of == 1:
            return self._at_once(loaders[0], index, begin)
        total = count = 0.0
        for loader, carry in zip(loaders, self.carries, strict=True):
            if self._sharded is None and not len(loader.plan[index].rows):
                continue
            begin()
            loss, answers = self._loss(loader, carry, index)
            loss.backward()  # type: ignore[no-untyped-call]
            total, count = total + float(loss.detach()), count + float(answers)
        leads = self._together.leads
        beside = [float(heard == signal.SIGINT), float(heard == signal.SIGTERM), seconds() if leads else 0.0]
        total, count, interrupted, ended, at = self._sum.add_up([total, count, *beside])
        self._sum.scale(1 / max(count, 1.0))
        signals = [number for number, ranks in ((signal.SIGINT, interrupted), (signal.SIGTERM, ended)) if ranks]
        return Found(total, count, bytes(signals), None if self._together.alone else at)

    def _loss(self, loader: Loader, carry: TruncatedBPTT, index: int) -> tuple[Tensor, Tensor]:
        """The summed loss of a micro-batch, and of how many answers."""

        def computed(loader: Loader = loader, carry: TruncatedBPTT = carry) -> tuple[Tensor, Tensor]:
            with torch.autocast(self._device, torch.bfloat16, enabled=self._device == "cuda"):
                outputs, batch = carry.run(loader, index, self._device)
            return self._task.loss(outputs.float(), batch)

        if self._sharded is None:
            return computed()
        if len(loader.plan[index].rows):
            return self._sharded.through(computed)
        idle = TruncatedBPTT(self._network, carry.chunks)
        loss, answers = self._sharded.through(lambda: computed(stand_in(loader), idle))
        return loss * 0, answers * 0

    def _at_once(self, loader: Loader, index: int, begin: Callable[[], None]) -> Found:
        begin()
        total, count = self._loss(loader, self.carries[0], index)
        (total / count.clamp(min=1)).backward()  # type: ignore[no-untyped-call]
        return Found(float(total.detach()), float(count))


def said_of_shares(rows: int, together: Together, micro: int, tokens: int | None = None) -> str:
    """How many rows of a batch each rank computes, in words; with ``tokens``, a batch has as many as fit.

    Example:
        >>> said_of_shares(32, Together(0, 3), 2)
        '32 rows a step: 10 or 11 a rank on 3 ranks, in 2 micro-batches'
    """
    if tokens is not None:
        return f"as many rows a step as have {tokens:,} steps: a share for each of {counted(together.ranks, 'rank')}"
    least, more = divmod(rows, together.ranks)
    each = f"{least} or {least + 1}" if more else f"{least}"
    shares = "" if together.alone else f" {each} a rank on {counted(together.ranks, 'rank')}"
    parts = f"{',' if shares else ''} in {counted(micro, 'micro-batch', 'micro-batches')}" if micro > 1 else ""
    return f"{rows} rows a step:{shares}{parts}"
