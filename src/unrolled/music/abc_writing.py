"""Write notes as unambiguous ABC: every accidental is explicit, and notes that cross a bar line are tied.

Time is rounded to 1/96 of a whole note, the parts of `unrolled.music.events`. Notes that overlap but differ in onset or
length are split into as few voices as possible.

References:
    The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

from unrolled.music.events import PARTS
from unrolled.music.tune import Note, Tune

__all__ = ["to_abc"]

_UNIT = 16  # L:1/16
_LONGEST = 4 * PARTS  # parts in one note or rest; longer ones are split
_BARS = 4  # per line of text
_FASTEST = 9999  # quarter notes per minute
_LETTERS = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")

Chord = tuple[int, int, list[int]]  # first and last part, pitches (empty for a rest)


def to_abc(tune: Tune) -> str:
    r"""Write a tune as ABC, with repeats written out; `unrolled.music.abc.parse_abc` reads back the same notes.

    Bars are kept; a tune in free time is written in 4/4. The key is C. Every note that is not natural has an
    accidental, and a natural note has a natural sign if its letter was altered earlier in the bar. So readers
    agree, whether they apply accidentals to one octave or to all.

    Cost: O(notes · voices + bars · voices).

    Example:
        >>> from unrolled.music.abc import parse_abc
        >>> print(to_abc(parse_abc("T:Air\nL:1/4\nM:3/4\nK:D\nF2 =F- | F [DA]2 |]")), end="")
        X:1
        T:Air
        M:3/4
        L:1/16
        Q:1/4=120
        K:C
        ^F8 =F4- | F4 [DA]8 |]
    """
    played = tune.played()
    chords = [_on_the_grid(note) for note in played.notes]
    lines = _bar_lines(played, max(last for _, last, _ in chords))
    voices = [_written(voice, lines) for voice in _voices(chords)]
    beats, beat = tune.metre or (4, 4)
    text = [
        "X:1",
        f"T:{' '.join(tune.title.split())}",
        f"M:{beats}/{beat}",
        f"L:1/{_UNIT}",
        f"Q:1/4={max(1, min(_FASTEST, round(4 * tune.tempo)))}",
        "K:C",
    ]
    for number, bars in enumerate(voices, start=1):
        text += [f"V:{number}"] if len(voices) > 1 else []
        rows = [" | ".join(bars[at : at + _BARS]) for at in range(0, len(bars), _BARS)]
        text += [f"{row} |" for row in rows[:-1]] + [f"{rows[-1]} |]"]
    return "\n".join(text) + "\n"


def _on_the_grid(note: Note) -> Chord:
    first = round(note.onset * PARTS)
    return first, max(first + 1, round((note.onset + note.duration) * PARTS)), [note.pitch]


def _bar_lines(tune: Tune, end: int) -> list[int]:
    """Where bars end, in parts: the bars of the tune, and after the last one bars of its metre up to ``end``."""
    beats, beat = tune.metre or (4, 4)
    bar = Fraction(beats, beat)
    lines = [one.onset + one.length for one in tune.bars] if tune.metre else [bar]
    while lines[-1] * PARTS < end:
        lines.append(lines[-1] + bar)
    return sorted({round(line * PARTS) for line in lines})


def _voices(chords: Iterable[Chord]) -> list[list[Chord]]:
    """Put each note, highest first, into the first voice that is free or has a chord with its onset and length."""
    voices: list[list[Chord]] = []
    for first, last, (pitch,) in sorted(chords, key=lambda chord: (chord[0], -chord[2][0])):
        for voice in voices:
            begun, ends, pitches = voice[-1]
            if ends <= first:
                voice.append((first, last, [pitch]))
                break
            if (begun, ends) == (first, last) and _place(pitch) not in map(_place, pitches):
                pitches.insert(0, pitch)
                break
        else:
            voices.append([(first, last, [pitch])])
    return voices


def _place(pitch: int) -> tuple[str, int]:
    """The letter and octave; a chord has each only once, since a tie could not tell two apart."""
    return _LETTERS[pitch % 12][-1], pitch // 12


def _written(voice: list[Chord], lines: list[int]) -> list[str]:
    """Write the bars of a voice, filled with rests."""
    whole: list[Chord] = [(0, 0, []), *voice, (lines[-1], lines[-1], [])]
    bars: list[list[str]] = [[]]
    sharp: set[str] = set()
    for (_, before, _), (first, last, pitches) in pairwise(whole):
        for now, stop, keys in ((before, first, []), (first, last, pitches)):
            while now < stop:
                line = lines[bisect_right(lines, now)]
                until = min(stop, line, now + _LONGEST)
                tie = "-" if keys and until < stop else ""
                bars[-1].append(_sign(keys, until - now, sharp) + tie)
                if until == line:
                    bars.append([])
                    sharp.clear()
                now = until
    return [" ".join(bar) for bar in bars[:-1]]


def _sign(pitches: list[int], parts: int, sharp: set[str]) -> str:
    """Write a rest, a note or a chord; ``sharp`` holds the letters that this bar has raised so far."""
    notes = []
    for pitch in pitches:
        name, octave = _LETTERS[pitch % 12], pitch // 12 - 5
        letter = name[-1]
        if name != letter:
            sharp.add(letter)
        elif letter in sharp:
            name = f"={letter}"
        notes.append(name.lower() + "'" * (octave - 1) if octave > 0 else name + "," * -octave)
    units = Fraction(parts * _UNIT, PARTS)
    over = "" if units.numerator == 1 else str(units.numerator)
    under = "" if units.denominator == 1 else f"/{units.denominator}"
    return (f"[{''.join(notes)}]" if len(notes) > 1 else "".join(notes) or "z") + over + under
