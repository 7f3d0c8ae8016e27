"""Write a tune as a MIDI file with mido."""

from __future__ import annotations

import importlib.util
import io

from unrolled.errors import MissingExtra
from unrolled.music.tune import Tune

__all__ = ["to_midi"]

_TICKS = 480  # per quarter note; divisible by 2, 3 and 5, so most onsets are exact
_MICROSECONDS_PER_MINUTE = 60_000_000
_SLOWEST = (1 << 24) - 1  # microseconds per quarter note; MIDI has 24 bits for it
_VELOCITY = 90


def to_midi(tune: Tune) -> bytes:
    """Convert a tune to a Standard MIDI File of one track, with title, tempo and metre; repeats are written out.

    Raises:
        MissingExtra: mido is not installed.

    Cost: O(notes log notes).
    """
    if importlib.util.find_spec("mido") is None:
        raise MissingExtra("mido", "music", "a MIDI file")
    import mido

    track = mido.MidiTrack()
    title = tune.title.encode("latin-1", "replace").decode("latin-1")  # MIDI allows no other characters
    track.append(mido.MetaMessage("track_name", name=title))
    tempo = max(1, min(_SLOWEST, round(_MICROSECONDS_PER_MINUTE / (4 * tune.tempo))))
    track.append(mido.MetaMessage("set_tempo", tempo=tempo))
    if tune.metre and tune.metre[0] < 256 and tune.metre[1] in (1, 2, 4, 8, 16, 32, 64):
        beats, beat = tune.metre
        track.append(mido.MetaMessage("time_signature", numerator=beats, denominator=beat))
    events = []
    for note in tune.played().notes:
        first, last = (round(4 * _TICKS * time) for time in (note.onset, note.onset + note.duration))
        events += [(first, 1, note.pitch), (max(last, first + 1), 0, note.pitch)]
    now = 0
    for tick, sounds, pitch in sorted(events):  # at the same tick, notes end before others start
        name, velocity = ("note_on", _VELOCITY) if sounds else ("note_off", 0)
        track.append(mido.Message(name, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    file = mido.MidiFile(type=0, ticks_per_beat=_TICKS, tracks=[track])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
