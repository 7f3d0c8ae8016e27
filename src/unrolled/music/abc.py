"""A tune of ABC notation: its notes, or what is wrong with it.

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
    r"""The notes of one tune; of several voices, those of all.

    Args:
        text: fields up to ``K:``, and music behind it.
        origin: what to call it in an error.

    Raises:
        DataError: a sign is not ABC, or there is no key or no note.

    Cost: O(signs log signs); no repeat is written out.

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
        raise DataError(f"line {reading.line + 1}: its header has no K:", file=origin)
    sounding = [voice for voice in reading.voices.values() if voice.notes]
    if not sounding:
        raise DataError(f"line {reading.line}: it has no notes", file=origin)
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
    r"""What is wrong with a tune; nothing if it is valid.

    A valid tune begins with ``X:``, has one metre ``M:`` or more, ends its header with ``K:``, and has notes behind it
    that can be read. Every bar is as long as the metre says, to the exact fraction. Shorter ones are allowed where
    music starts or stops in the midst of a bar: at both ends of the tune and of its parts, which are repeats, endings
    and what stands between double bars. The end of a line may stand for a bar line. With ``M:none`` bars are as they
    like. A missing ``L:`` stands for 1/16 in metres under 3/4, else for 1/8, as the standard says.

    Example:
        >>> check_tune("X:1\nM:3/4\nL:1/4\nK:C\nC | CDE | G>AB | c2 :|\n")
        []
        >>> check_tune("X:1\nM:3/4\nL:1/4\nK:C\nCDE | CD | CDE |]\n")
        ['bar 2 is 1/2 long, not 3/4']
    """
    reading = read_music(text)
    header = reading.header
    problems = [] if reading.first == "X" else ["it does not begin with X:"]
    if "K" not in header:
        return [*problems, "its header has no K:"]
    if "M" not in header:
        problems.append("its header has no M:")
    problems += [f"bar {fault.bar}: {fault.message}" if fault.bar else fault.message for fault in reading.faults]
    for voice in reading.voices.values():
        problems += _bar_problems(voice.bars)
    return problems if any(voice.bars for voice in reading.voices.values()) else [*problems, "it has no notes"]


def _bar_problems(bars: list[Bar]) -> list[str]:
    problems = []
    for nth, bar in enumerate(bars):
        part_ends = bar.closes or nth + 1 == len(bars) or bars[nth + 1].opens
        if bar.metre is not None and (
            bar.length > bar.metre or (bar.length < bar.metre and not (bar.opens or part_ends))
        ):
            problems.append(f"bar {bar.number} is {bar.length} long, not {bar.metre}")
    return problems
