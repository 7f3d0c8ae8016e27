"""Live sessions: push one step, get one output; time and memory per step are constant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.errors import ModelError, UsageError
from unrolled.models.model import Model
from unrolled.state import map_state
from unrolled.streaming.snapshots import Kept, Memory, read, written

__all__ = ["Session"]

Inputs = dict[str, Tensor]  # column name -> one step of one row: (1,) int64 or (1, W) float32


class Session:
    """One live stream of a model. A model can have any number of sessions, which share its weights.

    Equations:
        y_t, s_t = f_W(x_t, s_{t-1})

    Args:
        network: the network, on any device; inputs and answers are on the CPU.
        encode: (pushed value, memory of earlier steps) -> (inputs of each step, new memory). One value may be several
            steps, as a word may be several tokens.
        answer: (outputs, batch of one step) -> the columns of the answer.
        opening: steps at the start of every stream, such as ``<begin>``.
        pooled: whether the network gives one output for all steps so far.
        identity: the fingerprint of the weights; `restore` accepts only snapshots with the same one.
        noticed: what was odd about the rows so far, as a sentence or an empty text.

    Attributes:
        steps: how many values it has taken, those before a snapshot included.

    Raises:
        UsageError: the network cannot stream.

    Cost:
        one step of the network per token or row; nothing grows with the length of the stream.

    Example:
        >>> from unrolled.batch import Continuous
        >>> from unrolled.layers.config import ModelConfig
        >>> from unrolled.models.network import Network
        >>> network = Network({"x": Continuous(1)}, ModelConfig(name="gru", hidden=4), outputs=1, pooled=False)
        >>> def session():
        ...     return Session(
        ...         network,
        ...         encode=lambda x, before: ([{"x": torch.tensor([[x]])}], before),
        ...         answer=lambda outputs, batch: {"y": outputs[:, -1, 0].tolist()},
        ...         pooled=False,
        ...         identity="this network",
        ...     )
        >>> live, elsewhere = session(), session()
        >>> _ = live.push(1.0)
        >>> elsewhere.restore(live.snapshot())
        >>> live.push(2.0) == elsewhere.push(2.0)
        True
    """

    def __init__(
        self,
        network: Model,
        encode: Callable[[Any, Memory], tuple[list[Inputs], Memory]],
        answer: Callable[[Tensor, Batch], dict[str, list[Any]]],
        *,
        opening: Iterable[Inputs] = (),
        pooled: bool,
        identity: str,
        noticed: Callable[[], str] = str,
    ) -> None:
        if network.cannot_stream is not None:
            raise UsageError(network.cannot_stream)
        self._live, self._encode, self._answer = network.session(), encode, answer
        self._pooled, self._identity, self._noticed = pooled, identity, noticed
        self._device = network.device
        self._before: Memory = {}
        self.steps = 0
        for inputs in opening:
            self._step(inputs)

    def push(self, value: Any) -> dict[str, Any]:
        """Push one row and return the answer.

        Args:
            value: a row as {column: value}; with a single input column, only its value. A text of several tokens is
                several steps, with one answer after the last.

        Raises:
            DataError: the value does not fit its column; the session is unchanged.
        """
        steps, after = self._encode(value, self._before)
        before = self._live.state if len(steps) > 1 else None
        try:
            for inputs in steps:
                outputs = self._step(inputs)
        except BaseException:  # also on Ctrl-C, so that a value is never half pushed
            if before is not None:
                self._live.state = before
            raise
        self._before = after
        self.steps += 1
        outputs = outputs.cpu()
        if not self._pooled:
            outputs = outputs[:, None]  # (1, 1, O)
        one = torch.ones(1, dtype=torch.int64)
        batch = Batch({name: value[:, None] for name, value in steps[-1].items()}, one, torch.zeros_like(one))
        return {name: values[0] for name, values in self._answer(outputs, batch).items()}

    def _step(self, inputs: Inputs) -> Tensor:
        if self._device.type != "cpu":
            inputs = {name: value.to(self._device) for name, value in inputs.items()}
        return self._live.push(inputs)

    def noticed(self) -> str:
        """How many rows had a time that is not the one after the row before; empty if none."""
        return self._noticed()

    def snapshot(self) -> bytes:
        """Save the state of the session as a safetensors file, for `restore` in this or another process."""
        return written(Kept(self._live.state, [self._before], [self.steps]), self._identity)

    def restore(self, snapshot: bytes) -> None:
        """Continue from ``snapshot``.

        Raises:
            ModelError: it is not a snapshot, or it belongs to another model.
        """
        state, (before,), (steps,) = self._read(snapshot)
        self._live.state = map_state(lambda part: part.to(self._device), state)
        self._before, self.steps = before, steps

    def _read(self, snapshot: bytes) -> Kept:
        kept = read(snapshot, self._live.state, self._identity, ragged=False)
        if len(kept.steps) != 1:
            raise ModelError(f"these bytes hold {len(kept.steps)} sessions: open them with load of a pool")
        return kept
