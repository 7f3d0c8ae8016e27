"""A tune as a MIDI file, written by mido."""

from __future__ import annotations

import importlib.util
import io

from unrolled.errors import MissingExtra
from unrolled.music.tune import Tune

__all__ = ["to_midi"]

_TICKS = 480  # a quarter note; it divides by 2, 3 and 5 and their products, so most onsets are exact
_SECONDS_A_MINUTE = 60_000_000  # in MIDI's microseconds
_SLOWEST = (1 << 24) - 1  # microseconds a quarter note may take
_VELOCITY = 90


def to_midi(tune: Tune) -> bytes:
    """A Standard MIDI File of one track, with title, tempo and metre, the repeats played.

    Raises:
        MissingExtra: mido is not installed.

    Cost: O(notes log notes).
    """
    if importlib.util.find_spec("mido") is None:
        raise MissingExtra("mido", "music", "a MIDI file")
    import mido

    track = mido.MidiTrack()
    title = tune.title.encode("latin-1", "replace").decode("latin-1")  # MIDI knows no other characters
    track.append(mido.MetaMessage("track_name", name=title))
    tempo = max(1, min(_SLOWEST, round(_SECONDS_A_MINUTE / (4 * tune.tempo))))
    track.append(mido.MetaMessage("set_tempo", tempo=tempo))
    if tune.metre and tune.metre[0] < 256 and tune.metre[1] in (1, 2, 4, 8, 16, 32, 64):
        beats, beat = tune.metre
        track.append(mido.MetaMessage("time_signature", numerator=beats, denominator=beat))
    events = []
    for note in tune.played().notes:
        first, last = (round(4 * _TICKS * time) for time in (note.onset, note.onset + note.duration))
        events += [(first, 1, note.pitch), (max(last, first + 1), 0, note.pitch)]
    now = 0
    for tick, sounds, pitch in sorted(events):  # a note that ends stands before one that begins
        name, velocity = ("note_on", _VELOCITY) if sounds else ("note_off", 0)
        track.append(mido.Message(name, note=pitch, velocity=velocity, time=tick - now))
        now = tick
    file = mido.MidiFile(type=0, ticks_per_beat=_TICKS, tracks=[track])
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()
