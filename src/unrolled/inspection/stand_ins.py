"""Scores of one answer with other vectors in place of its embedded steps, in batches of rows.

Axes: R rows, T steps of the row, n steps that are read, E width of an embedded step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from unrolled.inspection.answer import Answer, input_columns, part_of
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.state import State, select
from unrolled.watch import watching

__all__ = ["StandIns"]

_MOST = 1 << 25  # numbers in memory at a time

Embed = Callable[[str, Tensor], Tensor]


class StandIns:
    """The end of a row, read again and again with other vectors in place of its embedded steps.

    The steps before are read once: where no later step changes them, what is read starts from the real state after
    them. The kernels run.

    Args:
        answer: the answer that is scored.
        window: how many steps, at most, may be replaced: the last ones before the answer; those around it, where the
            model reads both ways; and of a sequence that is read before another is written, the first.

    Attributes:
        first: the number of the first of these steps.
        count: how many there are.
        places: where they are among the n steps that are read again.
        x: path -> (n, E), the embedded steps that are read again.
        mean: path -> (E,), their mean over the row.
        columns: path -> the column that it embeds.
        at_once: how many rows fit into memory.
    """

    def __init__(self, answer: Answer, window: int) -> None:
        network, steps = answer.network, int(answer.batch.lengths[0])
        self.columns = input_columns(network)
        self._answer = answer
        self.first, self.count = _around(answer, steps, window)
        recorder = Recorder(network, keep=self.columns.__contains__)
        with torch.no_grad(), watching(recorder, inside=False):
            outputs, _ = network.run(answer.batch)
        every = {path: value[0, :steps] for path, value in recorder.values().items()}
        self.mean = {path: value.mean(0) for path, value in every.items()}
        self._from = self.first if network.causal else 0
        self._batch = answer.batch
        self._state: State = None
        if self._from:
            self._batch = part_of(answer, self._from, steps)
            with torch.no_grad():
                _, self._state = network.run(part_of(answer, 0, self._from))
        self.x = {path: value[self._from :] for path, value in every.items()}
        self.places = slice(self.first - self._from, self.first - self._from + self.count)
        numbers = 4 * sum(value.numel() for value in self.x.values())
        self.at_once = max(1, _MOST // max(1, numbers + (outputs.numel() if isinstance(outputs, Tensor) else 0)))

    def scores(self, rows: int, embed: Embed) -> Tensor:
        """(R,) float64: the score of the answer in each of R rows.

        Args:
            rows: R.
            embed: path and (R, n, E), the embedded steps of each row -> what is read instead.
        """
        network, nothing = self._answer.network, torch.zeros(rows, dtype=torch.int64, device=self._batch.lengths.device)
        batch, state = self._batch.only(nothing), select(self._state, nothing)

        def change(path: str, value: Tensor) -> Tensor:
            return embed(path, value) if path in self.columns else value

        with watching(Recorder(network, keep=lambda _: False, change=change), inside=False):
            outputs, _ = network.run(batch, state)
        return self._answer.score(outputs, batch).double()

    def without_all(self, vectors: dict[str, Tensor]) -> float:
        """The score with ``vectors``, path -> (E,), in place of all of the steps."""

        def embed(path: str, value: Tensor) -> Tensor:
            value = value.clone()
            value[:, self.places] = vectors[path]
            return value

        with torch.no_grad():
            return float(self.scores(1, embed)[0])


def _around(answer: Answer, steps: int, window: int) -> tuple[int, int]:
    """The first step that may be replaced, and how many."""
    count = min(steps, window)
    if answer.network.writes:
        return 0, count
    if answer.step is None or answer.network.causal:
        return steps - count, count
    return max(0, min(answer.step - count // 2, steps - count)), count
