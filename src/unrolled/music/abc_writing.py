"""Notes as ABC notation that says them exactly: every accidental is spelt, every note that crosses a bar line is tied.

Time is rounded to 1/96 of a whole note, the parts of `unrolled.music.events`. Notes that sound together and differ in
their beginning or length stand in voices of their own, as few as there can be.

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
_LONGEST = 4 * PARTS  # of one sign; longer notes and rests are several
_BARS = 4  # in a line of text
_FASTEST = 9999  # quarter notes a minute
_LETTERS = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")

Chord = tuple[int, int, list[int]]  # first and last part, pitches; a rest has none


def to_abc(tune: Tune) -> str:
    r"""The tune, its repeats played, as `unrolled.music.abc.parse_abc` reads it back to the same notes.

    Bars are the tune's own; of a tune in free time, 4/4. The key is C. An accidental stands before every note that is
    not natural, and a natural before each that follows one of its letter in the bar: so no reader may take them
    otherwise, whether accidentals hold in one octave or in all.

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
    """Where bars end, in parts: as the tune says, and behind its last one, up to ``end``, as its metre does."""
    beats, beat = tune.metre or (4, 4)
    bar = Fraction(beats, beat)
    lines = [one.onset + one.length for one in tune.bars] if tune.metre else [bar]
    while lines[-1] * PARTS < end:
        lines.append(lines[-1] + bar)
    return sorted({round(line * PARTS) for line in lines})


def _voices(chords: Iterable[Chord]) -> list[list[Chord]]:
    """Each note in the first voice that is free, or has a chord which it fits into, the highest first."""
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
    """The letter and octave: no chord has one twice, as a tie could mean either."""
    return _LETTERS[pitch % 12][-1], pitch // 12


def _written(voice: list[Chord], lines: list[int]) -> list[str]:
    """The bars of a voice, filled with rests."""
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
    """A rest, a note or a chord; ``sharp`` are the letters that this bar has raised so far."""
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
