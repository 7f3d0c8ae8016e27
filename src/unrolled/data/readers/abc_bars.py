"""Bars of ABC music: how long each is, in exact fractions of a whole note, against the metre.

Only what time needs is read: notes, rests and chords with their lengths, broken rhythm, tuplets, grace notes, bar lines
and repeats, fields that change metre or unit, voices and overlays. Pitch is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

__all__ = ["bar_problems"]

_LENGTH = r"\d{0,3}/{0,5}\d{0,3}"  # music has none that is longer
_TOKENS = re.compile(
    rf"""
      (?P<blank>    [ \t`\\]+ | y\d* )
    | (?P<quoted>   "[^"]*" )
    | (?P<mark>     ![^!|\s]+! | \+[^+|\s]+\+ | [~.HJKLMOPRSTUVkuv*$!;?@-] )
    | (?P<grace>    \{{[^}}]*\}} )
    | (?P<field>    \[[A-Za-z]:[^\]]*\] )
    | (?P<tuplet>   \((?P<p>\d)(?::(?P<q>\d?))?(?::(?P<r>\d?))? )
    | (?P<slur>     [()] )
    | (?P<line>     (?: \[\|[|\]:]* | :*\|[|\]:]* | ::+ ) (?:\d[\d,.-]*)? )
    | (?P<ending>   \[\d[\d,.-]* )
    | (?P<chord>    \[(?P<inner>[^\]\[|]*)\] (?P<chord_length>{_LENGTH}) )
    | (?P<note>     (?:\^\^?|__?|=)? [A-Ga-g] [,']* (?P<note_length>{_LENGTH}) )
    | (?P<rest>     [zx] (?P<rest_length>{_LENGTH}) )
    | (?P<bars>     [ZX]\d* )
    | (?P<broken>   >+ | <+ )
    | (?P<overlay>  & )
    """,
    re.VERBOSE,
)
_NOTE = re.compile(rf"[A-Ga-gzx][,']*(?P<length>{_LENGTH})")
_BODY_FIELD = re.compile(r"([IKLMNPQRSTUVWXZmrsw+]):(.*)")
_TUPLET_TIMES = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


@dataclass(slots=True)
class _Voice:
    """One voice: the bar that it is in, and what is pending for its next notes."""

    position: Fraction = Fraction(0)
    notes: int = 0  # in this bar
    opens: bool = True  # this bar follows the start of a part
    number: int = 1
    last: Fraction = Fraction(0)
    next_factor: Fraction = Fraction(1)
    tuplet: Fraction = Fraction(1)
    tuplet_left: int = 0
    short: str = ""  # the fault of the bar before, if no new part begins here


@dataclass(slots=True)
class _Reading:
    metre: Fraction | None
    compound: bool
    unit: Fraction
    problems: list[str] = field(default_factory=list)
    voices: dict[str, _Voice] = field(default_factory=dict)
    sounded: bool = False


def bar_problems(metre: str, unit: str, lines: list[str]) -> list[str]:
    """What is wrong with the bars in ``lines``, under the header's ``M:`` and ``L:``."""
    reading = _Reading(None, False, Fraction(1, 8))
    _set_metre(reading, metre)
    if unit:
        _set_unit(reading, unit)
    elif reading.metre is not None and reading.metre < Fraction(3, 4):
        reading.unit = Fraction(1, 16)
    voice = reading.voices.setdefault("", _Voice())
    for line in lines:
        if changed := _BODY_FIELD.match(line):
            voice = _apply_field(reading, voice, changed[1], changed[2])
        elif not line.startswith("%"):
            voice = _read_line(reading, voice, re.split(r"(?<!\\)%", line)[0].rstrip())
            if voice.position == reading.metre:  # many collections leave out the bar line at the end of a line
                _close_bar(reading, voice, "|")
    for last in reading.voices.values():
        _close_bar(reading, last, "|]")
    if not reading.sounded:
        reading.problems.append("it has no notes")
    return reading.problems


def _apply_field(reading: _Reading, voice: _Voice, name: str, value: str) -> _Voice:
    value = value.split("%")[0].strip()
    if name == "M":
        _set_metre(reading, value)
    elif name == "L":
        _set_unit(reading, value)
    elif name == "V":
        voice = reading.voices.setdefault(value.split()[0] if value else "", _Voice())
    return voice


def _set_metre(reading: _Reading, text: str) -> None:
    text = {"C": "4/4", "C|": "2/2", "none": "", "": ""}.get(text.strip(), text)
    if not text:
        reading.metre = None
        return
    parts = re.fullmatch(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3})*)\)?\s*/\s*(\d{1,3})", text.strip())
    beats = sum(int(beat) for beat in parts[1].split("+")) if parts else 0
    if not parts or not beats or not int(parts[2]):
        reading.problems.append(f"M:{text[:20]} is no metre")
        reading.metre = None
        return
    reading.metre = Fraction(beats, int(parts[2]))
    reading.compound = beats % 3 == 0 and beats > 3


def _set_unit(reading: _Reading, text: str) -> None:
    parts = re.fullmatch(r"(\d{1,3})(?:/(\d{1,3}))?", text.strip())
    if not parts or not int(parts[1]) or not int(parts[2] or 1):
        reading.problems.append(f"L:{text[:20]} is no length")
        return
    reading.unit = Fraction(int(parts[1]), int(parts[2] or 1))


def _read_line(reading: _Reading, voice: _Voice, line: str) -> _Voice:
    place = 0
    while place < len(line):
        token = _TOKENS.match(line, place)
        if token is None:
            reading.problems.append(f"bar {voice.number}: {line[place]!r} is not ABC")
            place += 1
            continue
        place = token.end()
        match token.lastgroup:
            case "field":
                voice = _apply_field(reading, voice, token["field"][1], token["field"][3:-1])
            case "ending":
                voice.short, voice.opens = "", voice.opens or not voice.notes
            case "tuplet":
                _start_tuplet(reading, voice, token)
            case "line":
                _close_bar(reading, voice, token["line"])
            case "chord":
                inner = _NOTE.search(token["inner"])
                first = _length(inner["length"]) if inner else Fraction(0)
                _sound(reading, voice, first * _length(token["chord_length"]))
            case "note" | "rest" as kind:
                _sound(reading, voice, _length(token[f"{kind}_length"]))
            case "bars":
                voice.number += int(token["bars"][1:6] or 1) - 1
                voice.position, voice.notes = reading.metre or Fraction(1), 1
            case "broken":
                _break(reading, voice, token["broken"])
            case "overlay":
                voice.position, voice.notes = Fraction(0), 0
    return voice


def _length(text: str) -> Fraction:
    """``3``, ``3/2``, ``/2``, ``/``, ``//`` as multiples of the unit; 0 where the number is no length."""
    over, _, rest = text.partition("/")
    under = rest.lstrip("/")
    top, slashes = int(over or 1), text.count("/")
    bottom = int(under) if under else 2**slashes
    return Fraction(top, bottom) if bottom else Fraction(0)


def _sound(reading: _Reading, voice: _Voice, length: Fraction) -> None:
    if voice.short:
        reading.problems.append(voice.short)
        voice.short = ""
    length *= voice.next_factor
    voice.next_factor = Fraction(1)
    if voice.tuplet_left:
        length *= voice.tuplet
        voice.tuplet_left -= 1
    voice.last = length
    voice.position += length * reading.unit
    voice.notes += 1
    reading.sounded = True


def _break(reading: _Reading, voice: _Voice, signs: str) -> None:
    """``a>b`` dots the first and halves the second; each further sign dots once more."""
    short = Fraction(1, 2 ** min(len(signs), 8))
    before, after = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
    voice.position += (before - 1) * voice.last * reading.unit
    voice.next_factor = after


def _start_tuplet(reading: _Reading, voice: _Voice, token: re.Match[str]) -> None:
    """``(p:q:r``: the next r notes, p of them in the time of q."""
    p = int(token["p"])
    q = int(token["q"] or _TUPLET_TIMES.get(p, 3 if reading.compound else 2))
    if not p or not q:
        reading.problems.append(f"bar {voice.number}: {token[0]!r} is no tuplet")
        return
    voice.tuplet = Fraction(q, p)
    voice.tuplet_left = int(token["r"] or p)


def _close_bar(reading: _Reading, voice: _Voice, line: str) -> None:
    metre, part_ends = reading.metre, line != "|"
    if part_ends:
        voice.short = ""
    if voice.notes:
        fault = f"bar {voice.number} is {voice.position} long, not {metre}"
        if metre is not None and voice.position > metre:
            reading.problems.append(fault)
        elif metre is not None and voice.position < metre and not (voice.opens or part_ends):
            voice.short = fault  # unless the next part begins here: only what follows the bar line tells
        voice.number += 1
    voice.opens = part_ends or (voice.opens and not voice.notes)
    voice.position, voice.notes = Fraction(0), 0
