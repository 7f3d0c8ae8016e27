"""Notes as a piano roll: for each semiquaver, which of the 88 keys of a piano sound.

As text a step is a line of the keys that sound, by their numbers in MIDI, or ``.`` where none does.

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

KEYS, LOWEST = 88, 21  # the lowest is MIDI's key 21, an A
PARTS = 16  # steps of a whole note
MOST_STEPS = 100_000  # of one piece: more than six thousand bars

SILENCE = "."


def to_roll(notes: Iterable[Note]) -> np.ndarray:
    """Which keys sound at each step; a note begins and ends at the nearest one, and lasts one at least.

    That a key is struck again at once cannot be told from its lasting on. Keys that no piano has are left out.

    Shape:
        (T, 88) uint8 of 0 and 1.

    Raises:
        DataError: it would have more than 100 000 steps.

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
        raise DataError(f"it has {steps} steps of 1/{PARTS}, and no more than {MOST_STEPS} are read", file="the piece")
    roll = np.zeros((steps, KEYS), np.uint8)
    for first, last, key in spans:
        if 0 <= key < KEYS:
            roll[first:last, key] = 1
    return roll


def from_roll(roll: np.ndarray) -> Tune:
    """The tune of a roll, each run of steps in which a key sounds as one note.

    Shape:
        (T, 88).

    Raises:
        DataError: it holds no note.
    """
    padded = np.pad(np.asarray(roll, np.int8), ((1, 1), (0, 0)))
    change = np.diff(padded, axis=0)  # (T + 1, 88)
    notes = []
    for key in range(KEYS):
        first, last = (np.flatnonzero(change[:, key] == sign).tolist() for sign in (1, -1))
        spans = zip(first, last, strict=True)
        notes += [Note(Fraction(a, PARTS), Fraction(b - a, PARTS), key + LOWEST) for a, b in spans]
    if not notes:
        raise DataError("holds no note", file="the roll")
    return tune_of(notes)


def to_line(step: np.ndarray) -> str:
    r"""One step as text, with a line end behind it.

    Shape:
        (88,) of 0 and 1.

    Example:
        >>> to_line(np.arange(88) == 60 - LOWEST), to_line(np.zeros(88))
        ('60\n', '.\n')
    """
    return (" ".join(str(key + LOWEST) for key in np.flatnonzero(step).tolist()) or SILENCE) + "\n"


def from_text(text: str) -> np.ndarray:
    r"""The roll of a text, line by line; empty lines are none of its steps.

    Shape:
        (T, 88) uint8.

    Raises:
        DataError: what stands there is no key.

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
                wanted = f"a key from {LOWEST} to {LOWEST + KEYS - 1} or, alone, {SILENCE}"
                raise DataError(f"line {number}: {word[:20]!r}, where {wanted} is expected", file="the roll")
            step[key] = 1
    return roll
