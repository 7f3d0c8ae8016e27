"""Piano rolls: for each semiquaver step, which of the 88 keys of a piano sound.

As text, a step is a line with the MIDI numbers of the keys that sound, or ``.`` for silence.

Axes: T steps, K = 88 keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from unrolled.errors import DataError
from unrolled.music.tune import Note, Tune, tune_of

__all__ = ["KEYS", "LOWEST", "MOST_STEPS", "PARTS", "SILENCE", "from_roll", "from_text", "to_line", "to_roll"]

KEYS, LOWEST = 88, 21  # the lowest key, an A, is MIDI number 21
PARTS = 16  # steps per whole note
MOST_STEPS = 100_000  # per piece; more than six thousand bars

SILENCE = "."


def to_roll(notes: Iterable[Note]) -> np.ndarray:
    """Convert notes to a piano roll; onsets and ends are rounded to steps, and a note lasts at least one step.

    A key that is struck again without a gap looks like one long note. Notes outside the piano are left out.

    Shape:
        (T, 88) uint8 of 0 and 1.

    Raises:
        DataError: the roll would have more than 100 000 steps.

    Example:
        >>> roll = to_roll([Note(Fraction(1, 16), Fraction(1, 8), 60)])
        >>> roll.shape, roll[:, 60 - LOWEST].tolist()
        ((3, 88), [0, 1, 1])
    """
    spans = []
    for note in notes:
        first = round(note.onset * PARTS)
        spans.append((first, max(first + 1, round((note.onset + note.duration) * PARTS)), note.pitch - LOWEST))
    steps = max((last for _, last, _ in spans), default=0)
    if steps > MOST_STEPS:
        raise DataError(f"has {steps} steps of 1/{PARTS}; at most {MOST_STEPS} can be read", file="the piece")
    roll = np.zeros((steps, KEYS), np.uint8)
    for first, last, key in spans:
        if 0 <= key < KEYS:
            roll[first:last, key] = 1
    return roll


def from_roll(roll: np.ndarray) -> Tune:
    """Convert a piano roll to a tune; each run of steps in which a key sounds becomes one note.

    Shape:
        (T, 88).

    Raises:
        DataError: the roll has no notes.
    """
    padded = np.pad(np.asarray(roll, np.int8), ((1, 1), (0, 0)))
    change = np.diff(padded, axis=0)  # (T + 1, 88)
    notes = []
    for key in range(KEYS):
        first, last = (np.flatnonzero(change[:, key] == sign).tolist() for sign in (1, -1))
        spans = zip(first, last, strict=True)
        notes += [Note(Fraction(a, PARTS), Fraction(b - a, PARTS), key + LOWEST) for a, b in spans]
    if not notes:
        raise DataError("has no notes", file="the roll")
    return tune_of(notes)


def to_line(step: np.ndarray) -> str:
    r"""Write one step as a line of text, with its line end.

    Shape:
        (88,) of 0 and 1.

    Example:
        >>> to_line(np.arange(88) == 60 - LOWEST), to_line(np.zeros(88))
        ('60\n', '.\n')
    """
    return (" ".join(str(key + LOWEST) for key in np.flatnonzero(step).tolist()) or SILENCE) + "\n"


def from_text(text: str) -> np.ndarray:
    r"""Parse a piano roll from text, one step per line; empty lines are skipped.

    Shape:
        (T, 88) uint8.

    Raises:
        DataError: a word is not a key of the piano.

    Example:
        >>> [np.flatnonzero(step).tolist() for step in from_text("21 108\n.\n22")]
        [[0, 87], [], [1]]
    """
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    roll = np.zeros((len(lines), KEYS), np.uint8)
    for step, (number, words) in zip(roll, lines, strict=True):
        for word in words if words != [SILENCE] else []:
            key = int(word) - LOWEST if re.fullmatch(r"[0-9]{1,3}", word) else -1
            if not 0 <= key < KEYS:
                wanted = f"keys from {LOWEST} to {LOWEST + KEYS - 1}, or a single {SILENCE!r}"
                raise DataError(f"line {number}: expected {wanted}, not {word[:20]!r}", file="the roll")
            step[key] = 1
    return roll
