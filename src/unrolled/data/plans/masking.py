"""Masked training: which steps of a row are hidden from the model, and what it reads instead.

Axes: B rows, T steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from unrolled.batch import MISSING, letters_of
from unrolled.data.encodings._level import SPECIALS, UNKNOWN
from unrolled.data.io.hashed import hashed
from unrolled.data.plans.segments import RawBatch, Segments

__all__ = ["Masking", "hide_unknown"]

_AS_UNKNOWN, _AS_ANY = 0.8, 0.1  # shares of the hidden steps; the rest are left unchanged
_ORDER, _HOW, _WHICH = 1, 2, 3  # each step draws one random number for each purpose


@dataclass(frozen=True, slots=True)
class Masking:
    """Hide a share of each row's tokens, which the model predicts from all others.

    Of a row's n known tokens max(1, round(share · n)) are hidden. A hidden step is read as ``<unknown>`` in 8 of 10
    cases, as a random token in 1 and unchanged in 1, so that a model can never be sure that a token it sees is right.

    The mask is ``<unknown>``, not a separate symbol. Both mean that a token is there but not known. So the same weights
    fill in words that were not in the training data, and a task that starts from the pretrained weights has the same
    vocabulary. Tokens that are unknown from the start are never hidden, as there is nothing to predict.

    What is hidden is a pure function of (seed, epoch, row, step). It does not depend on the batch or on earlier draws,
    so a resumed run repeats it exactly.

    Args:
        share: in (0, 1).
        seed: ≥ 0.
        epoch: another epoch hides other steps.
        size: the size of the vocabulary.

    Cost:
        three hashes and a sort: O(B T log T).

    References:
        Devlin et al. 2019, BERT, https://arxiv.org/abs/1810.04805;
        Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators, https://doi.org/10.1145/2714064.2660195

    Example:
        >>> ids, zeros = np.full((1, 20), 7), np.zeros(1, np.int64)
        >>> read, hidden = Masking(0.15, seed=1, epoch=0, size=9).hide(ids, zeros, zeros, np.ones((1, 20), bool))
        >>> int(hidden.sum()), np.unique(read[~hidden]).tolist()
        (3, [7])
    """

    share: float
    seed: int
    epoch: int
    size: int

    def __call__(self, raw: RawBatch, segments: Segments) -> RawBatch:
        """The batch with a share of its one input hidden, and only the hidden steps as targets.

        Where another token is read, there are no letters: those of the word would tell what is hidden.
        """
        name, ids = next(iter(raw.inputs.items()))
        assert raw.target is not None
        read, hidden = self.hide(ids, segments.rows, segments.starts, raw.real)
        inputs = _without_letters(raw.inputs, name, read != ids) | {name: read}
        return replace(raw, inputs=inputs, target=np.where(hidden, raw.target, MISSING))

    def hide(
        self, ids: npt.NDArray[np.int64], rows: np.ndarray, starts: np.ndarray, real: np.ndarray
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """What a model reads instead of ``ids``, and which steps it predicts.

        Args:
            ids: the tokens.
            rows, starts: the example of each row, and its first step here.
            real: False in the padding.

        Shape:
            ids (B, T) int64, rows and starts (B,) int64, real (B, T) bool -> (B, T) int64, (B, T) bool.
        """
        steps = starts[:, None] + np.arange(ids.shape[1])  # (B, T)
        known = real & (ids != UNKNOWN)
        order = np.where(known, self._random(_ORDER, rows, steps), np.uint64(2**64 - 1))
        count = np.maximum(np.rint(self.share * known.sum(1)).astype(np.int64), 1)
        last = np.take_along_axis(np.sort(order, 1), count[:, None] - 1, 1)  # (B, 1)
        hidden = known & (order <= last)
        how = self._random(_HOW, rows, steps) * 2.0**-64
        any_token = SPECIALS + (self._random(_WHICH, rows, steps) % max(1, self.size - SPECIALS)).astype(np.int64)
        instead = np.where(how < _AS_UNKNOWN, UNKNOWN, np.where(how < _AS_UNKNOWN + _AS_ANY, any_token, ids))
        return np.where(hidden, instead, ids), hidden

    def _random(self, use: int, rows: np.ndarray, steps: np.ndarray) -> npt.NDArray[np.uint64]:
        """(B, T) whole numbers in [0, 2^64), all equally likely."""
        return hashed(*(np.array([[key]]) for key in (self.seed, self.epoch, use)), rows[:, None], steps)


def hide_unknown(raw: RawBatch, segments: Segments) -> RawBatch:  # noqa: ARG001 - a `Transform`
    """The batch without the letters of unknown words, which are to be filled in: what they are is not known."""
    name, ids = next(iter(raw.inputs.items()))
    return replace(raw, inputs=_without_letters(raw.inputs, name, ids == UNKNOWN))


def _without_letters(inputs: dict[str, np.ndarray], name: str, where: np.ndarray) -> dict[str, np.ndarray]:
    """``inputs``, with padding in place of the letters of the column ``name`` at the steps ``where`` (B, T)."""
    if (own := letters_of(name)) not in inputs:
        return inputs
    return inputs | {own: np.where(where[..., None], 0, inputs[own])}
