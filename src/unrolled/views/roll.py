"""Several things at once, such as the notes of a piano roll: which were expected to follow, and which did.

Axes: T steps, W channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Channels, Pitches
from unrolled.page.document import Grid, Section
from unrolled.views.looked import ROW, Looked

__all__ = ["roll"]

_NOTES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_LOWEST = 21  # the MIDI number of the lowest key of a piano
_UNKNOWN, _LIKELY, _SEEN = 2, 0.5, 0.05


def roll(looked: Looked) -> Iterator[Section]:
    """The channels that came at each step, with the probability that the model gave them the step before."""
    outputs, task = looked.trace.outputs, looked.task
    if (
        looked.hidden
        or not task.coder.form.predicts_next
        or task.mixing != "sigmoid"
        or not isinstance(outputs, Tensor)
    ):
        return
    chances = torch.sigmoid(outputs.float()).cpu().numpy()  # (T, W)
    target = looked.batch.target
    came = np.full(chances.shape, np.nan) if target is None else target[0].cpu().numpy()
    known = np.isfinite(came)
    used = np.flatnonzero((chances > _SEEN).any(0) | (came > 0).any(0))
    part = slice(used[0], used[-1] + 1) if len(used) else slice(0, chances.shape[1])
    data = {
        "names": channel_names(task.coder.answer, chances.shape[1])[part],
        "chances": Grid(chances[:, part], 0.0, 1.0),
        "came": np.where(known, came > 0, _UNKNOWN).astype(np.uint8)[:, part],
    }
    yield Section("Expected and heard", _summary(chances[known] > _LIKELY, came[known] > 0), "roll", data, ROW)


def channel_names(encoding: Encoding, count: int) -> list[str]:
    """A name for each channel: notes of a piano by pitch, others as the data calls them.

    >>> from unrolled.data.encodings.number import Number
    >>> channel_names(Number(0.0, 1.0), 1)
    ['1']
    """
    keys = encoding.keys if isinstance(encoding, Pitches) and encoding.is_roll else None
    if keys is not None:
        return [f"{_NOTES[(_LOWEST + key) % 12]}{(_LOWEST + key) // 12 - 1}" for key in keys.tolist()]
    if isinstance(encoding, Channels):
        return [str(name) for name in encoding.channels]
    return [str(channel + 1) for channel in range(count)]


def _summary(expected: np.ndarray, came: np.ndarray) -> str:
    if not len(came):
        return "<p>What came is not known; the shade is the probability.</p>"
    both, missed, wrong = (int(of.sum()) for of in (expected & came, came & ~expected, expected & ~came))
    return (
        f"<p>Of {both + missed:,} that came, {both:,} were expected with a probability above one half and {missed:,} "
        f"were not; {wrong:,} were expected and did not come.</p>"
    )
