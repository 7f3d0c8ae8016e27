"""Many live sessions of one model, stepped together.

Axes: N values, S steps, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.data.examples.live_row import LiveSteps
from unrolled.errors import UnrolledError, UsageError
from unrolled.models.model import Model
from unrolled.state import State
from unrolled.streaming._turns import Run, allowed, rounds, runs_of, waves
from unrolled.streaming.held import Held
from unrolled.streaming.snapshots import Memory

__all__ = ["MOST_STEPS", "Pool"]

MOST_STEPS = 4096  # of one value, as a text of as many tokens

Answer = dict[str, Any] | UnrolledError


class Pool(Held):
    """Many live sessions of one model: each is a handle, and one call pushes a value of each.

    Each answer is the one that a `Session` gives; where the kernels have the model, to the bit. A handle is never used
    twice, so that one that was closed cannot reach the state of a later session. A pool is for one thread at a time.

    Args:
        network: the network, on any device; it keeps the weights that it has now.
        encode: (N pushed values, N memories of earlier steps) -> their steps.
        answer: (outputs, batch of one step of each row) -> the columns of the answers.
        opening: steps at the start of every stream, such as ``<begin>``.
        pooled: whether the network gives one output for all steps so far.
        remembers: whether the steps of a value may depend on the value before.
        identity: the fingerprint of the weights.
        most_steps: the most steps of one value, such as the tokens of a text.

    Raises:
        UsageError: the network cannot stream.

    Cost:
        one step of the network for each value; with the kernels, each weight is read once for all rows of a call.
    """

    def __init__(
        self,
        network: Model,
        encode: Callable[[Sequence[Any], Sequence[Memory]], LiveSteps],
        answer: Callable[[Tensor, Batch], dict[str, list[Any]]],
        *,
        opening: Iterable[dict[str, np.ndarray]] = (),
        pooled: bool,
        remembers: bool,
        identity: str,
        most_steps: int = MOST_STEPS,
    ) -> None:
        if network.cannot_stream is not None:
            raise UsageError(network.cannot_stream)
        self._rows, self._device = network.pool(), network.device
        self._encode, self._answer, self._pooled, self._remembers = encode, answer, pooled, remembers
        self._most_steps = most_steps
        first = np.zeros(1, np.int64)
        for inputs in opening:
            self._run(first, {name: value[None] for name, value in inputs.items()}, [first])
        super().__init__(self._rows, self._device, identity)

    def push(self, items: Iterable[tuple[int, Any]]) -> list[Answer]:
        """Push a value of each session: the answers in the same order, or what is wrong with an item.

        An item that is refused leaves its session as it was, and does not touch the others. A session may have several
        values in one call, which are pushed one after the other.

        Args:
            items: handle and value (see `Session.push`).
        """
        asked = list(items)
        return self._pushed([handle for handle, _ in asked], [value for _, value in asked], ends=False)

    def push_runs(self, runs: Iterable[tuple[int, Sequence[Any]]]) -> list[Run]:
        """Push values of each session one after the other, up to the first that is refused.

        Args:
            runs: handle and values; each session once.

        Returns:
            for each session its answers, and the error with which it ended before the last value.
        """
        asked = list(runs)
        handles = [handle for handle, values in asked for _ in values]
        answers = self._pushed(handles, [value for _, values in asked for value in values], ends=True)
        return runs_of(answers, [len(values) for _, values in asked])

    def _pushed(self, handles: Sequence[int], values: Sequence[Any], *, ends: bool) -> list[Any]:
        """The answers; where a refused value ends its session's run, ``None`` for the values behind it."""
        slots = list(map(self._slots.get, handles))
        answers: list[Any] = [None] * len(slots)
        turns = waves(slots, remembers=self._remembers)
        several = [slot for slot in slots if slot is not None] if len(turns) > 1 else []
        before = self._kept(np.unique(several)) if several else None
        try:
            for wave in turns:
                self._push(wave, slots, values, answers, ends=ends)
        except BaseException:
            if before is not None:
                self._put_back(*before)
            raise
        if None in slots:
            for number, (handle, slot) in enumerate(zip(handles, slots, strict=True)):
                answers[number] = self._closed(handle) if slot is None else answers[number]
        return answers

    def _push(
        self,
        numbers: Sequence[int],
        every_slot: Sequence[int | None],
        every_value: Sequence[Any],
        answers: list[Any],
        *,
        ends: bool,
    ) -> None:
        """Push the values with these ``numbers``, whose encodings do not depend on each other."""
        if ends and len(numbers) < len(answers):
            over = {slot for slot, one in zip(every_slot, answers, strict=True) if isinstance(one, UnrolledError)}
            numbers = [number for number in numbers if every_slot[number] not in over]
        values = every_value
        if len(numbers) < len(answers):
            every_slot, values = ([of[number] for number in numbers] for of in (every_slot, every_value))
        slots = np.array(every_slot, np.int64)
        remembered = [self._before[slot] for slot in slots.tolist()] if self._remembers else [{}] * len(values)
        steps = self._encode(values, remembered)
        steps, refused = allowed(steps, slots, self._most_steps, ends=ends)
        for item, error in refused.items():
            answers[numbers[item]] = error
        for item in steps.apart:
            (row,) = self._answered(*self._alone(slots[item : item + 1], steps.apart[item]))
            self._took(slots[item : item + 1], [steps.after.get(item, {})])
            answers[numbers[item]] = row
        counts = np.bincount(steps.item)
        taken = np.flatnonzero(counts)
        if not len(taken):
            return
        at = slots[steps.item]  # (S,)
        outputs = self._run(at, steps.inputs, rounds(at))
        if len(steps.item) != len(taken):
            last = np.cumsum(counts[taken]) - 1
            outputs = outputs[torch.from_numpy(last)]
            inputs = {name: value[last] for name, value in steps.inputs.items()}
        else:
            inputs = steps.inputs
        rows = self._answered(outputs, inputs)
        self._took(slots[taken], [steps.after.get(item, {}) for item in taken.tolist()] if self._remembers else [])
        if len(rows) == len(answers):
            answers[:] = rows
            return
        for item, row in zip(taken.tolist(), rows, strict=True):
            answers[numbers[item]] = row

    def _kept(self, slots: np.ndarray) -> tuple[np.ndarray, State, np.ndarray, list[Memory]]:
        """All that a push changes in ``slots``, for `_put_back`."""
        return slots, self._rows.read(slots), self._steps[slots], [self._before[slot] for slot in slots.tolist()]

    def _put_back(self, slots: np.ndarray, states: State, steps: np.ndarray, before: list[Memory]) -> None:
        self._rows.write(slots, states)
        self._steps[slots] = steps
        for slot, memory in zip(slots.tolist(), before, strict=True):
            self._before[slot] = memory

    def _took(self, slots: np.ndarray, after: list[Memory]) -> None:
        np.add.at(self._steps, slots, 1)
        for slot, memory in zip(slots.tolist(), after, strict=False):
            self._before[slot] = memory

    def _alone(self, slot: np.ndarray, steps: list[dict[str, np.ndarray]]) -> tuple[Tensor, dict[str, np.ndarray]]:
        """The outputs and inputs of the last of one value's ``steps``, whose first brings whole side sequences."""
        before = self._rows.read(slot)
        one = np.zeros(1, np.int64)
        try:
            for step in steps:
                inputs = {name: value[None] for name, value in step.items()}
                outputs = self._run(slot, inputs, [one])
        except BaseException:
            self._rows.write(slot, before)
            raise
        return outputs, inputs

    def _run(self, slots: np.ndarray, inputs: dict[str, np.ndarray], turns: Sequence[np.ndarray]) -> Tensor:
        """(S, O), the outputs of S steps; all of them are taken, or none."""
        before = (touched := np.unique(slots), self._rows.read(touched)) if len(turns) > 1 else None
        tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
        if self._device.type != "cpu":
            tensors = {name: value.to(self._device) for name, value in tensors.items()}
        try:
            return self._rows.run(slots, tensors, turns)
        except BaseException:  # also on Ctrl-C, so that a value is never half pushed
            if before is not None:
                self._rows.write(*before)
            raise

    def _answered(self, outputs: Tensor, inputs: dict[str, np.ndarray]) -> list[dict[str, Any]]:
        """The answers after the last step of each value: ``outputs`` (N, O), ``inputs`` (N, …)."""
        outputs = outputs.cpu()
        if not self._pooled:
            outputs = outputs[:, None]  # (N, 1, O)
        count = len(outputs)
        steps = {name: torch.from_numpy(value)[:, None] for name, value in inputs.items()}
        batch = Batch(steps, torch.ones(count, dtype=torch.int64), torch.arange(count))
        columns = self._answer(outputs, batch)
        rows = zip(*columns.values(), strict=True)
        return list(map(dict, map(zip, repeat(tuple(columns)), rows)))  # a loop would take twice as long
