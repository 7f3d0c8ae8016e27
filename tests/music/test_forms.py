"""What a tune can be written as: read back by other programs' eyes (mido, the standard library, a Fourier transform)."""

from __future__ import annotations

import importlib.util
import io
import wave
import xml.etree.ElementTree as ET

import mido
import numpy as np
import pytest

from unrolled.errors import DataError, MissingExtra, UsageError
from unrolled.music.abc import parse_abc
from unrolled.music.forms import SUFFIXES, written
from unrolled.music.midi_writing import to_midi
from unrolled.music.picture import to_svg
from unrolled.music.synthesis import RATE, to_samples, to_wave

TUNE = "X:1\nT:Säule & <Air>\nM:3/4\nL:1/4\nQ:1/4=90\nK:D\n|: F2 =F | [DA]3 :| z2 ^c |]\n"


def test_midi_has_the_notes_with_the_repeats_played() -> None:
    file = mido.MidiFile(file=io.BytesIO(to_midi(parse_abc(TUNE))))
    now, found, open_notes = 0, [], {}
    for message in file.tracks[0]:
        now += message.time
        if message.type == "note_on" and message.velocity:
            assert message.note not in open_notes
            open_notes[message.note] = now
        elif message.type in ("note_on", "note_off"):
            first = open_notes.pop(message.note)
            found.append((first / file.ticks_per_beat, (now - first) / file.ticks_per_beat, message.note))
    once = [(0, 2, 66), (2, 1, 65), (3, 3, 62), (3, 3, 69)]
    assert not open_notes
    assert sorted(found) == [*once, *((first + 6, length, pitch) for first, length, pitch in once), (14, 1, 73)]


def test_midi_says_title_tempo_and_metre() -> None:
    metas = {message.type: message for message in mido.MidiFile(file=io.BytesIO(to_midi(parse_abc(TUNE)))).tracks[0]}
    assert metas["track_name"].name == "Säule & <Air>"
    assert round(mido.tempo2bpm(metas["set_tempo"].tempo), 3) == 90
    assert (metas["time_signature"].numerator, metas["time_signature"].denominator) == (3, 4)
    for head in ("T:čaj\nM:5/7\nQ:1/999=1", "M:none\nQ:999/1=9999"):  # what MIDI cannot say
        mido.MidiFile(file=io.BytesIO(to_midi(parse_abc(f"{head}\nL:1/4\nK:C\nC"))))


def test_repeated_notes_do_not_swallow_each_other() -> None:
    file = mido.MidiFile(file=io.BytesIO(to_midi(parse_abc("L:1/999\nK:C\nC/999C/999C"))))
    kinds = [message.type for message in file.tracks[0] if not message.is_meta]
    assert kinds.count("note_on") == kinds.count("note_off") == 3


def test_mido_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"^a MIDI file needs mido: pip install 'unrolled\[music\]'$"):
        to_midi(parse_abc(TUNE))


@pytest.mark.parametrize(("letter", "hertz"), [("A,", 220.0), ("A", 440.0), ("c'", 1046.502), ("^f'", 1479.978)])
def test_a_note_sounds_at_its_frequency(letter: str, hertz: float) -> None:
    sound = to_samples(parse_abc(f"L:1/4\nQ:1/4=60\nK:C\n{letter}4"))
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    frequencies = np.fft.rfftfreq(len(sound), 1 / RATE)
    assert frequencies[spectrum.argmax()] == pytest.approx(hertz, abs=0.5)
    octave = spectrum[(frequencies > 1.9 * hertz) & (frequencies < 2.1 * hertz)].max()
    assert 0.05 < octave / spectrum.max() < 0.8  # the second harmonic is there, and weaker


def test_sound_starts_and_ends_where_the_notes_do() -> None:
    sound = to_samples(parse_abc("L:1/4\nQ:1/4=60\nK:C\nz C z C"))
    second = np.abs(sound[: 4 * RATE]).reshape(4, RATE).max(1)
    assert second[0] == 0
    assert second[1] > 0.5
    assert np.abs(sound[round(2.05 * RATE) : 3 * RATE]).max() == 0
    assert np.abs(sound).max() == pytest.approx(0.8)
    for edge in (slice(RATE, RATE + 4), slice(round(2.04 * RATE) - 4, round(2.04 * RATE))):
        assert np.abs(sound[edge]).max() < 0.05  # no click


def test_a_wave_file_is_whole() -> None:
    with wave.open(io.BytesIO(to_wave(parse_abc(TUNE)))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert file.getnframes() == round((15 * 60 / 90 + 0.04) * RATE)


def test_a_long_tune_is_not_played() -> None:
    with pytest.raises(DataError, match=r"^the tune: lasts 999 seconds; at most 600 can be played$"):
        to_samples(parse_abc("L:999/4\nQ:1/4=60\nK:C\nC"))
    with pytest.raises(DataError, match=r"at most 600 can be played"):
        to_samples(parse_abc("L:999/1\nQ:1/999=1\nK:C\n" + "C999" * 1000))
    with pytest.raises(DataError, match=r"^the tune: has notes of 3840 seconds in total; at most 3600"):
        to_samples(parse_abc("L:30/1\nQ:1/4=15\nK:C\n[CDEFGABc]"))


def test_the_picture_has_a_rectangle_for_each_note() -> None:
    root = ET.fromstring(to_svg(parse_abc(TUNE)))
    name = "{http://www.w3.org/2000/svg}"
    notes = [element for element in root.iter(f"{name}rect") if element.get("class") == "note"]
    assert [note.find(f"{name}title").text for note in notes] == ["F♯4", "F4", "D4", "A4", "C♯5"]
    x, y = ([float(note.get(axis)) for note in notes] for axis in "xy")
    assert x[0] < x[1] < x[2] == x[3] < x[4]
    assert y[4] < y[3] < y[0] < y[1] < y[2]
    assert "Säule & <Air>" in [element.text for element in root.iter(f"{name}text")]
    assert len(list(root.iter(f"{name}path"))) == 3


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_form_is_written(suffix: str) -> None:
    assert len(written(TUNE, suffix)) > 20


@pytest.mark.parametrize("text", ["p66 d24 t24 p62 d72 p69 d72", "66\n66 69\n.\n62 69\n"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_form_is_written_of_events_and_of_rolls(text: str, suffix: str) -> None:
    assert len(written(text, suffix)) > 20


def test_events_and_rolls_become_the_same_abc() -> None:
    roll = "66\n" * 4 + "62 69\n" * 12
    abc = written(roll, ".abc").decode()
    assert abc.splitlines()[-1] == "^F4 [DA]12 |]"
    assert abc == written("p66 d24 t24 p62 d72 p69 d72", ".abc").decode()


def test_what_is_no_tune_or_no_form_is_refused() -> None:
    for text, said in (("p60 d0", "the events: event 2"), (".\n.\n", "the roll: has no notes")):
        with pytest.raises(DataError, match=f"^the model did not write a valid tune: {said}"):
            written(text, ".abc")
    with pytest.raises(
        DataError,
        match=r"^the model did not write a valid tune: the text: line 1: the header has no K: field \(try another",
    ):
        written("hello", ".wav")
    with pytest.raises(UsageError, match=r"^a tune can be written as \.abc, \.mid, .*, not as \.mp3$"):
        written(TUNE, ".mp3")
