"""The parser of ABC notation: reads a tune token by token and adds notes and bars to its voices.

Words, chord symbols, decorations and grace notes take no time and are skipped. An accidental applies to its letter in
every octave until the bar ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from unrolled.music.abc_key import ACCIDENTALS, shift_of, signature
from unrolled.music.abc_tokens import ONE, PITCHES, TOKENS, duration, endings_of, metre_of, times, tuplet_of, unit_of
from unrolled.music.tune import Bar

__all__ = ["Reading", "Voice", "read_music"]

_FIELD = re.compile(r"([A-Za-z+]):(.*)")
_BODY_FIELD = re.compile(r"([IKLMNPQRSTUVWXZmrsw+]):(.*)")
_LETTERS = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71}
_PITCHES = 128
Key = tuple[str, int]  # a letter and its octave


@dataclass(frozen=True, slots=True)
class Fault:
    """An error in the notation, with its line (from 1) and its bar; ``None`` in the header."""

    message: str
    line: int
    bar: int | None = None


@dataclass(slots=True)
class Voice:
    """One voice as read so far: its bars, its notes, and what is pending for the next note."""

    bars: list[Bar] = field(default_factory=list)
    notes: list[tuple[Fraction, Fraction, int]] = field(default_factory=list)  # onset, duration, pitch
    begin: Fraction = Fraction(0)  # onset of this bar
    position: Fraction = Fraction(0)  # within this bar
    reach: Fraction = Fraction(0)  # the longest of the voices that an overlay (&) puts into this bar
    sounded: bool = False
    rests: bool = False  # whether this is a rest of several bars, whose length is not checked
    opens: bool = True
    begins: bool = False
    endings: tuple[int, ...] = ()
    number: int = 1
    raised: dict[str, int] = field(default_factory=dict)  # semitones by letter, from the accidentals of this bar
    group: dict[Key, tuple[int, Fraction]] = field(default_factory=dict)  # the last chord: index in `notes`, length
    tied: set[Key] = field(default_factory=set)  # the notes of `group` that are tied to the next ones
    last: Fraction = Fraction(0)
    next_factor: Fraction = ONE
    tuplet: Fraction = Fraction(1)
    tuplet_left: int = 0
    shift: int | None = None  # semitones by which its clef moves the notes; None: those of the tune


@dataclass(slots=True)
class Reading:
    """A tune as read so far; ``header`` holds the last field of each name up to ``K:``."""

    header: dict[str, str] = field(default_factory=dict)
    first: str = ""  # the name of its first field
    metre: tuple[int, int] | None = None
    unit: Fraction = Fraction(1, 8)
    first_unit: Fraction = Fraction(1, 8)
    key: dict[str, int] = field(default_factory=dict)
    voices: dict[str, Voice] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    line: int = 0
    shift: int = 0
    shifts: dict[str, int] = field(default_factory=dict)  # of voices that the header describes

    def blame(self, message: str, voice: Voice | None = None) -> None:
        """Record an error at this place."""
        self.faults.append(Fault(message, self.line, voice.number if voice else None))

    def voice(self, text: str) -> Voice:
        """The voice that a field ``V:`` names, with the clef that it or the header gives it."""
        name = text.split()[0] if text else ""
        found = self.voices.setdefault(name, Voice(shift=self.shifts.get(name)))
        shift = shift_of(text)
        found.shift = found.shift if shift is None else shift
        return found

    def _notes(self, voice: Voice, token: re.Match[str]) -> None:
        """Add a note, or a chord, whose first note sets its length."""
        outer = duration(token["chord_length"]) if token["chord"] else ONE
        notes = [
            (note, times(duration(note["length"]), outer)) for note in PITCHES.finditer(token["inner"] or token[0])
        ]
        factor = times(_factor(voice), self.unit)
        group: dict[Key, tuple[int, Fraction]] = {}
        tied: set[Key] = set()
        onset = voice.begin + voice.position
        for note, units in notes:
            if note["letter"] in "zx" or not units:
                continue
            key, pitch = self._pitch(voice, note)
            if not 0 <= pitch < _PITCHES:
                self.blame(f"{note[0][:20]!r} is outside MIDI's range", voice)
                continue
            length = times(units, factor)
            place = voice.group[key][0] if key in voice.tied else -1
            if place >= 0 and voice.notes[place][2] == pitch:
                begun, so_far, _ = voice.notes[place]
                voice.notes[place] = (begun, so_far + length, pitch)
            else:
                place = len(voice.notes)
                voice.notes.append((onset, length, pitch))
            group[key] = place, length
            if note["tied"]:
                tied.add(key)
        voice.group, voice.tied = group, tied
        _advance(voice, times(notes[0][1], factor) if notes else Fraction(0))

    def _pitch(self, voice: Voice, note: re.Match[str]) -> tuple[Key, int]:
        letter = note["letter"].upper()
        octave = (note["letter"] != letter) + note["octave"].count("'") - note["octave"].count(",")
        key = (letter, octave)
        if note["sign"]:
            voice.raised[letter] = ACCIDENTALS[note["sign"]]
        elif key in voice.tied:  # a tie carries an accidental over the bar line
            return key, voice.notes[voice.group[key][0]][2]
        shift = self.shift if voice.shift is None else voice.shift
        return key, shift + _LETTERS[letter] + 12 * octave + voice.raised.get(letter, self.key.get(letter, 0))

    def _microtone(self, voice: Voice, token: re.Match[str]) -> None:
        self.blame(f"{token[0][:20]!r} is a microtone, but pitches are whole semitones", voice)

    def _rest(self, voice: Voice, token: re.Match[str]) -> None:
        voice.group, voice.tied = {}, set()
        _advance(voice, times(times(duration(token["rest_length"]), _factor(voice)), self.unit))

    def _tie(self, voice: Voice, _: re.Match[str]) -> None:
        voice.tied = set(voice.group)

    def _break(self, voice: Voice, token: re.Match[str]) -> None:
        """``a>b`` dots the first note and halves the second; each further sign adds a dot."""
        signs = token["broken"]
        short = Fraction(1, 2 ** min(len(signs), 8))
        before, voice.next_factor = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
        voice.position += (before - 1) * voice.last
        for place, length in voice.group.values():
            onset, so_far, pitch = voice.notes[place]
            voice.notes[place] = (onset, so_far + (before - 1) * length, pitch)

    def _start_tuplet(self, voice: Voice, token: re.Match[str]) -> None:
        """``(p:q:r`` plays the next r notes with p of them in the time of q."""
        beats = self.metre[0] if self.metre else 0
        found = tuplet_of(token, compound=beats % 3 == 0 and beats > 3)
        if found is None:
            self.blame(f"{token[0]!r} is not a tuplet", voice)
        else:
            voice.tuplet, voice.tuplet_left = found

    def _bars_of_rest(self, voice: Voice, token: re.Match[str]) -> None:
        count = max(1, int(token["bars"][1:5] or 1))
        length = Fraction(*self.metre) if self.metre else Fraction(1)
        voice.group, voice.tied = {}, set()
        voice.number += count - 1
        voice.position, voice.sounded, voice.rests = length * count, True, True

    def _ending(self, voice: Voice, token: re.Match[str]) -> None:
        voice.opens = voice.opens or not voice.sounded
        voice.endings = endings_of(token["numbers"])

    def _overlay(self, voice: Voice, _: re.Match[str]) -> None:
        voice.reach = max(voice.reach, voice.position)
        voice.position, voice.group, voice.tied = Fraction(0), {}, set()

    def _line(self, voice: Voice, token: re.Match[str]) -> None:
        self.close_bar(voice, token["line"])
        voice.raised = {}

    def close_bar(self, voice: Voice, line: str) -> None:
        """End the bar with the bar line ``line``; if nothing has sounded since the last one, extend that one."""
        signs = line.rstrip("0123456789,.-")
        closes = line != "|"
        repeats = signs.startswith(":")
        length = max(voice.position, voice.reach)
        if voice.sounded and length:
            metre = Fraction(*self.metre) if self.metre and not voice.rests else None
            bar = Bar(
                voice.begin, length, metre, voice.opens, closes, repeats, voice.begins, voice.endings, voice.number
            )
            voice.bars.append(bar)
            voice.opens, voice.begins, voice.endings = closes, False, ()
        else:
            voice.opens = closes or voice.opens
            if voice.bars and closes:  # a second bar line after the same bar
                voice.bars[-1] = replace(voice.bars[-1], closes=True, repeats=voice.bars[-1].repeats or repeats)
        if voice.sounded:
            voice.number += 1
        voice.begins = voice.begins or (signs.endswith(":") and len(signs) > 1)
        voice.endings = endings_of(line[len(signs) :]) or voice.endings
        voice.begin += length
        voice.position = voice.reach = Fraction(0)
        voice.sounded = voice.rests = False


def read_music(text: str) -> Reading:
    """Read a whole tune; errors are recorded in ``faults`` and do not stop it.

    Cost: O(characters): repeats are not written out, and lengths have at most three digits over three.
    """
    reading = Reading()
    lines = text.rstrip().split("\n")
    _read_header(reading, lines)
    if "K" not in reading.header:
        return reading
    _begin(reading)
    voice = reading.voices.setdefault("", Voice())
    for line in lines[reading.line :]:
        reading.line += 1
        if changed := _BODY_FIELD.match(line):
            voice = _apply_field(reading, voice, changed[1], changed[2])
        elif not line.startswith("%"):
            voice = _read_line(reading, voice, re.split(r"(?<!\\)%", line)[0].rstrip())
            if reading.metre and voice.position == Fraction(*reading.metre):
                # Many collections leave out the bar line at the end of a line; accidentals carry over to the next line.
                reading.close_bar(voice, "|")
    for last in reading.voices.values():
        reading.close_bar(last, "|]")
    return reading


def _read_header(reading: Reading, lines: list[str]) -> None:
    """Read the header fields, the last of which is K:."""
    for line in lines:
        remark = line.startswith("%")
        found = None if remark else _FIELD.match(line)
        if found is None and not remark:
            return
        reading.line += 1
        if found is None:
            continue
        name, value = found[1], found[2].split("%")[0].strip()
        reading.first = reading.first or name
        if name == "V" and value and (shift := shift_of(value)) is not None:
            reading.shifts[value.split()[0]] = shift
        reading.header[name] = value if name != "T" else reading.header.get("T", value)
        if name == "K":
            return


def _begin(reading: Reading) -> None:
    """Set metre, unit length and key from the header."""
    _set(reading, "M", reading.header.get("M", "none"))
    if "L" in reading.header:
        _set(reading, "L", reading.header["L"])
    elif reading.metre is not None and Fraction(*reading.metre) < Fraction(3, 4):
        reading.unit = Fraction(1, 16)
    reading.first_unit = reading.unit
    _set(reading, "K", reading.header["K"])


def _apply_field(reading: Reading, voice: Voice, name: str, value: str) -> Voice:
    value = value.split("%")[0].strip()
    if name in "MLK":
        _set(reading, name, value)
    elif name == "V":
        return reading.voice(value)
    return voice


def _set(reading: Reading, name: str, value: str) -> None:
    try:
        if name == "M":
            reading.metre = None
            reading.metre = metre_of(value)
        elif name == "L":
            reading.unit = unit_of(value)
        else:
            reading.key = signature(value)
            shift = shift_of(value)
            reading.shift = reading.shift if shift is None else shift
    except ValueError as error:
        reading.blame(str(error))


def _read_line(reading: Reading, voice: Voice, line: str) -> Voice:
    place = 0
    while place < len(line):
        token = TOKENS.match(line, place)
        if token is None:
            reading.blame(f"{line[place]!r} is not ABC", voice)
            place += 1
            continue
        place = token.end()
        if token.lastgroup == "field":
            voice = _apply_field(reading, voice, token["field"][1], token["field"][3:-1])
        elif action := _ACTIONS.get(str(token.lastgroup)):
            action(reading, voice, token)
    return voice


def _factor(voice: Voice) -> Fraction:
    """The factor that broken rhythm and tuplets apply to the next length."""
    factor, voice.next_factor = voice.next_factor, ONE
    if voice.tuplet_left:
        voice.tuplet_left -= 1
        factor = times(factor, voice.tuplet)
    return factor


def _advance(voice: Voice, length: Fraction) -> None:
    voice.last = length
    voice.position += length
    voice.sounded = True


_ACTIONS: dict[str, Callable[[Reading, Voice, re.Match[str]], None]] = {
    "note": Reading._notes,
    "chord": Reading._notes,
    "microtone": Reading._microtone,
    "rest": Reading._rest,
    "tie": Reading._tie,
    "broken": Reading._break,
    "tuplet": Reading._start_tuplet,
    "bars": Reading._bars_of_rest,
    "ending": Reading._ending,
    "overlay": Reading._overlay,
    "line": Reading._line,
}
