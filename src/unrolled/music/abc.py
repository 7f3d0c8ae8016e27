"""Parse a tune in ABC notation, or list what is wrong with it.

References:
    The ABC music standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

from fractions import Fraction

from unrolled.errors import DataError
from unrolled.music.abc_reading import read_music
from unrolled.music.abc_tokens import metre_of, tempo_of
from unrolled.music.tune import Bar, Note, Tune

__all__ = ["check_tune", "parse_abc"]

_TEMPO = Fraction(30)  # 120 quarter notes a minute


def parse_abc(text: str, origin: str = "the tune") -> Tune:
    r"""Parse one tune into notes; the notes of several voices are merged.

    Args:
        text: header fields up to ``K:``, followed by the music.
        origin: the name of the tune in error messages.

    Raises:
        DataError: the text is not ABC, or has no key or no notes.

    Cost: O(n log n) for n characters; repeats are not written out.

    Example:
        >>> tune = parse_abc("X:1\nT:Air\nM:3/4\nL:1/4\nK:D\nF2 =F | [DA]3 |]")
        >>> tune.title, [(str(note.onset), str(note.duration), note.pitch) for note in tune.notes]
        ('Air', [('0', '1/2', 66), ('1/2', '1/4', 65), ('3/4', '3/4', 62), ('3/4', '3/4', 69)])
    """
    reading = read_music(text)
    for fault in reading.faults[:1]:
        bar = f", bar {fault.bar}" if fault.bar else ""
        raise DataError(f"line {fault.line}{bar}: {fault.message}", file=origin)
    if "K" not in reading.header:
        raise DataError(f"line {reading.line + 1}: the header has no K: field", file=origin)
    sounding = [voice for voice in reading.voices.values() if voice.notes]
    if not sounding:
        raise DataError(f"line {reading.line}: the tune has no notes", file=origin)
    header = reading.header
    notes = (Note(*note) for voice in sounding for note in voice.notes)
    return Tune(
        title=header.get("T", ""),
        metre=metre_of(header.get("M", "none")),
        unit=reading.first_unit,
        key=header["K"],
        tempo=tempo_of(header.get("Q", ""), reading.first_unit) or _TEMPO,
        notes=tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))),
        bars=tuple(sounding[0].bars),
    )


def check_tune(text: str) -> list[str]:
    r"""List what is wrong with a tune; the list is empty if it is valid.

    A valid tune starts with ``X:``, has at least one metre ``M:``, ends its header with ``K:``, and has notes after it.
    Every bar is exactly as long as the metre. Shorter bars are allowed where music may start or stop inside a bar: at
    both ends of the tune and of its parts, which are repeats, endings and sections between double bar lines. The end
    of a line may replace a bar line. With ``M:none`` bars may have any length. If ``L:`` is missing, the unit is 1/16
    in metres under 3/4, else 1/8, as in the standard.

    Example:
        >>> check_tune("X:1\nM:3/4\nL:1/4\nK:C\nC | CDE | G>AB | c2 :|\n")
        []
        >>> check_tune("X:1\nM:3/4\nL:1/4\nK:C\nCDE | CD | CDE |]\n")
        ['bar 2 is 1/2 long, not 3/4']
    """
    reading = read_music(text)
    header = reading.header
    problems = [] if reading.first == "X" else ["the tune does not start with X:"]
    if "K" not in header:
        return [*problems, "the header has no K: field"]
    if "M" not in header:
        problems.append("the header has no M: field")
    problems += [f"bar {fault.bar}: {fault.message}" if fault.bar else fault.message for fault in reading.faults]
    for voice in reading.voices.values():
        problems += _bar_problems(voice.bars)
    return problems if any(voice.bars for voice in reading.voices.values()) else [*problems, "the tune has no notes"]


def _bar_problems(bars: list[Bar]) -> list[str]:
    problems = []
    for nth, bar in enumerate(bars):
        part_ends = bar.closes or nth + 1 == len(bars) or bars[nth + 1].opens
        if bar.metre is not None and (
            bar.length > bar.metre or (bar.length < bar.metre and not (bar.opens or part_ends))
        ):
            problems.append(f"bar {bar.number} is {bar.length} long, not {bar.metre}")
    return problems
