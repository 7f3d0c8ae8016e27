"""Transposition: during training each piece is moved to another key, a new one in every epoch.

Axes: B rows, T steps, K keys, V ids of tokens, N steps of all rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from unrolled.data.examples.examples import Examples
from unrolled.data.plans.segments import RawBatch, Segments

__all__ = ["Transposition"]

_KEYS = 128  # of MIDI


class Transposition:
    """Transpose each row by a random number of semitones, in one epoch.

    The shift is uniform among those in -most … most that keep every key of the row on the piano, or in the vocabulary.
    It is a pure function of (seed, epoch, row): all windows of a row are shifted alike.

    Args:
        examples: with `Examples.keys`.
        most: semitones, ≥ 1.
        seed: in [0, 2^63).
        epoch: ≥ 0; each epoch has other shifts.

    Cost:
        one pass over the keys of all rows; for each batch a draw for each row, and copies.
    """

    def __init__(self, examples: Examples, most: int, seed: int, epoch: int) -> None:
        self._seed, self._epoch, self._own = seed, epoch, examples.own
        self._keys = {name: keys for name, keys in examples.keys.items() if examples.inputs[name].offsets is not None}
        self._shifts = np.arange(-most, most + 1)
        rows = len(examples.steps())
        self._allowed = np.ones((rows, len(self._shifts)), bool)
        for name, keys in self._keys.items():
            column = examples.inputs[name]
            of_row = np.repeat(np.arange(rows), column.lengths())  # (N,)
            held = np.zeros((rows, _KEYS), bool)
            if column.values.ndim == 2:
                step, channel = np.nonzero(column.values)
                held[of_row[step], channel] = True
            else:
                key = keys[column.values]
                held[of_row[key >= 0], key[key >= 0]] = True
            known = np.zeros(_KEYS, bool)
            known[keys[keys >= 0]] = True
            for place, shift in enumerate(self._shifts.tolist()):
                lost = np.ones(_KEYS, bool)
                inside = slice(max(0, -shift), min(_KEYS, _KEYS - shift))
                lost[inside] = ~known[max(0, shift) : min(_KEYS, _KEYS + shift)]
                self._allowed[:, place] &= ~(held & lost).any(1)

    def __call__(self, raw: RawBatch, segments: Segments) -> RawBatch:
        """The transposed batch: its inputs, and its target where that is one of the inputs."""
        inputs = {name: self.move(name, values, segments.rows) for name, values in raw.inputs.items()}
        target = raw.target
        if target is not None and self._own is not None:
            target = self.move(self._own, target, segments.rows)
        return replace(raw, inputs=inputs, target=target)

    def shifts(self, rows: np.ndarray) -> np.ndarray:
        """(B,) int64: the semitones by which ``rows`` (B,) are raised."""
        chosen = np.zeros(len(rows), np.int64)
        for place, row in enumerate(rows.tolist()):
            random = np.random.Generator(np.random.Philox(key=[self._seed, self._epoch], counter=[0, 1, row, 0]))
            chosen[place] = random.choice(self._shifts[self._allowed[row]])
        return chosen

    def move(self, name: str, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The transposed ``values`` of the column ``name``, which are not modified.

        Shape:
            values (B, T, 88) float32 or (B, T) int64, rows (B,) int64 -> as values.
        """
        if name not in self._keys:
            return values
        shifts = self.shifts(rows)
        if values.ndim == 3:
            return np.stack([np.roll(roll, shift, -1) for roll, shift in zip(values, shifts.tolist(), strict=True)])
        keys = self._keys[name]
        ids = np.full(_KEYS, -1)
        ids[keys[keys >= 0]] = np.flatnonzero(keys >= 0)
        key = np.where(values >= 0, keys[np.maximum(values, 0)], -1)  # (B, T); an id below 0 is not a target
        moved = ids[np.where(key >= 0, key + shifts[:, None], 0)]
        return np.where(key >= 0, moved, values)
