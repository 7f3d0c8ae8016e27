"""MIDI files: those that mido writes, those that are damaged, and those that promise too much."""

from __future__ import annotations

import importlib.util
import io
import random
import struct
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pytest
from configs import data_config
from mutations import survive

from unrolled import api
from unrolled.data.config import DataConfig
from unrolled.data.readers.abc import read_abc
from unrolled.data.readers.midi import read_midi_file
from unrolled.data.tables.read import read
from unrolled.errors import DataError, MissingExtra
from unrolled.music import midi_reading
from unrolled.music.abc import parse_abc
from unrolled.music.midi_mending import mended
from unrolled.music.midi_writing import to_midi
from unrolled.music.rolls import to_roll
from unrolled.testing.damage import mutated

TUNE = "X:1\nM:3/4\nL:1/8\nK:D\nF2 (3GAB [DA]2 | z2 ^c4 |]\n"


def test_a_tune_comes_back(tmp_path: Path) -> None:
    (tmp_path / "t.mid").write_bytes(to_midi(parse_abc(TUNE)))
    (tmp_path / "t.abc").write_text(TUNE)
    for music in ("events", "roll"):
        config = data_config(music=music)
        assert read_midi_file(tmp_path / "t.mid", config).equals(read_abc(tmp_path / "t.abc", config))
    table = read_midi_file(tmp_path / "t.mid", DataConfig())
    assert table["events"].to_pylist()[0][:5] == ["p66", "d24", "t24", "p67", "d8"]
    roll = read_midi_file(tmp_path / "t.mid", data_config(music="roll"))["keys"].to_pylist()[0]
    assert (np.array(roll) == to_roll(parse_abc(TUNE).notes)).all()


def test_kinds_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.mid").write_bytes(to_midi(parse_abc(TUNE)))
    assert read(tmp_path / "t.mid").kinds == {"events": "tokens"}
    assert read(tmp_path / "t.mid", data_config(music="roll")).kinds == {"keys": "series"}
    with pytest.raises(DataError, match=r"t\.mid: holds notes, not text \(set music to events or roll\)"):
        read(tmp_path / "t.mid", data_config(music="text"))


def test_tracks_are_joined_and_drums_left_out(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=96)
    for channel, pitch in ((0, 60), (1, 64), (9, 36)):
        ends = mido.Message("note_off", note=pitch, channel=channel, time=96)
        file.tracks.append(mido.MidiTrack([mido.Message("note_on", note=pitch, channel=channel), ends]))
    file.save(tmp_path / "t.mid")
    assert read_midi_file(tmp_path / "t.mid", DataConfig())["events"].to_pylist() == [["p60", "d24", "p64", "d24"]]


def test_of_a_folder_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.mid").write_bytes(to_midi(parse_abc(TUNE)))
    (tmp_path / "b.mid").write_bytes(b"MThd and no more")
    sequences = read(tmp_path)
    assert len(sequences) == 2
    assert sequences.remarks[0].startswith(
        f"1 of 3 files are left out: {tmp_path / 'b.mid'}: is not a complete MIDI file: it "
    )
    assert "truncated or damaged (repair it, or leave it out)" in sequences.remarks[0]
    for name in "ac":
        (tmp_path / f"{name}.mid").write_bytes(b"no")
    with pytest.raises(
        DataError, match=r"a\.mid: is not a complete MIDI file: it does not start with MThd \(repair it"
    ):
        read(tmp_path)


def test_tunes_that_cannot_be_read_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "t.abc"
    path.write_text(f"{TUNE}\nX:2\nK:C\nhello\n\n{TUNE}")
    assert read_abc(path, data_config(music="events")).num_rows == 2
    assert "1 of 3 tunes are left out: tune 2: line 3, bar 1: 'h' is not ABC" in caplog.text
    path.write_text("X:2\nK:C\nhello\n")
    with pytest.raises(DataError, match=r"t\.abc: none of its 1 tunes can be read: tune 1: line 3"):
        read_abc(path, data_config(music="events"))


def long(ticks: int) -> bytes:
    """A file of a few bytes whose only note ends after so many quarter notes."""
    file = mido.MidiFile(ticks_per_beat=1)
    waits = [mido.Message("control_change", time=min(ticks - done, 1 << 27)) for done in range(0, ticks, 1 << 27)]
    file.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60), *waits, mido.Message("note_off", note=60)]))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("music", ["events", "roll"])
def test_bombs_stop_at_a_cap_that_is_named(tmp_path: Path, music: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.mid"
    path.write_bytes(long(1 << 27))
    with pytest.raises(DataError, match=r"lasts 33554432 whole notes; at most 6000 can be read"):
        read_midi_file(path, data_config(music=music))
    path.write_bytes(to_midi(parse_abc(TUNE)))
    monkeypatch.setattr(midi_reading, "MOST_NOTES", 6)
    with pytest.raises(DataError, match=r"has 7 notes; at most 6 can be read"):
        read_midi_file(path, data_config(music=music))
    monkeypatch.setattr(midi_reading, "MOST_BYTES", 50)
    with pytest.raises(DataError, match=r"bytes; at most 50 can be read"):
        read_midi_file(path, data_config(music=music))


def file_of(tracks: bytes, parts: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, 1, 1, parts) + tracks


def track(events: bytes) -> bytes:
    return b"MTrk" + struct.pack(">I", len(events)) + events


ENDS = b"\xff\x2f\0"
LATEST, NOTE = (
    b"\xff\xff\xff\x7f",
    b"\x90\x3c\x40\x7f\x80\x3c\0",
)  # the longest wait that MIDI can write; C, for a while


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (file_of(track(b"") * 60_000), "has no notes other than drums"),
        (file_of(track(b"\0" + ENDS) * 40_000), "has no notes other than drums"),
        (
            file_of(track(b"\0\x90" + b"\x3c\x40\0\x3c\0\0" * 210_000 + ENDS)),
            "has 210000 notes; at most 200000",
        ),
        (file_of(track(b"\0\x90" + b"\x3c\x40\0" * 210_000 + ENDS)), "has 210000 notes; at most 200000"),
        (file_of(track(LATEST + NOTE)), "lasts 139810 whole notes; at most 6000 can be read"),
        (
            file_of(track((LATEST + b"\xb0\0\0") * 9 + b"\0" + NOTE), 1),
            "lasts more ticks than 32 bits can count",
        ),
        (file_of(b"MTrk\xff\xff\xff\xff\0" + NOTE), "is not a complete MIDI file: it is truncated or damaged"),
        (file_of(track(b"\0\xff\x01" + LATEST + b"text")), "is not a complete MIDI file: it is truncated or damaged"),
        (file_of(track(b"\0" + NOTE), 0), "divides a quarter note into 0 parts"),
        (file_of(track(b"\0" + NOTE), 0xE250), r"counts time in frames of film \(30 a second\)"),
        (file_of(b"")[:8] + bytes(4 << 20), "has 4194312 bytes; at most 4194304 can be read"),
    ],
    ids=lambda part: part[:24] if isinstance(part, str) else "",
)
def test_small_files_that_promise_much_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "t.mid").write_bytes(data)
    with pytest.raises(DataError, match=rf"t\.mid: ({message})"):
        read_midi_file(tmp_path / "t.mid", DataConfig())


def notes_of(path: Path, events: bytes, parts: int = 96) -> tuple[list[str], tuple[str, ...]]:
    path.write_bytes(file_of(track(events), parts))
    found = read(path)
    return found.table["events"].to_pylist()[0], found.remarks


@pytest.mark.parametrize(
    "events",
    [
        b"\0\x90\x3c\xc8" + b"\x60\x80\x3c\x40",  # the velocity of a note
        b"\0\x90\x3c\x40" + b"\x60\x80\x3c\xff",  # of its end
        b"\0\x90\x3c\x40" + b"\x60\x3c\x80\0\x3c\0\0\x3c\0",  # in running status, a second and louder note
        b"\0\xb0\x07\xff" + b"\0\x90\x3c\x40" + b"\x60\x80\x3c\0",  # a controller
        b"\0\xc0\x80" + b"\0\x90\x3c\x40" + b"\x60\x80\x3c\0",  # a program
        b"\0\xe0\0\x90" + b"\0\x90\x3c\x40" + b"\x60\x80\x3c\0",  # the wheel
    ],
    ids=["velocity", "end", "running status", "controller", "program", "wheel"],
)
def test_a_number_above_127_is_127(tmp_path: Path, events: bytes) -> None:
    found, remarks = notes_of(tmp_path / "t.mid", events + b"\0" + ENDS)
    assert found[:2] == ["p60", "d24"]
    assert remarks == (f"{tmp_path / 't.mid'}: 1 number above 127, the highest there is, read as 127",)
    clipped = mido.MidiFile(tmp_path / "t.mid", clip=True)  # which reads it too, and as many notes
    starts = [one for one in clipped.tracks[0] if one.type == "note_on" and one.velocity]
    assert len(starts) == len([word for word in found if word.startswith("p")])


def test_a_note_that_never_ends_lasts_as_long_as_its_track(tmp_path: Path) -> None:
    plain = b"\x60\x90\x40\x40" + b"\x60\x80\x40\0"  # 64 from 1 to 2
    for ending in (b"\x60" + ENDS, b"\x60\xb0\0\0"):  # the track may end without saying so
        found, remarks = notes_of(tmp_path / "t.mid", b"\0\x90\x3c\x40" + plain + ending)
        assert found == ["p60", "d72", "t24", "p64", "d24"]
        assert remarks == (f"{tmp_path / 't.mid'}: 1 note that never ends is read as ending with its track",)
    again = b"\0\x90\x3c\x40" + b"\x60\x90\x3c\x40" + b"\x60\x80\x3c\0" + b"\x60" + ENDS  # first in, first out
    assert notes_of(tmp_path / "t.mid", again)[0] == ["p60", "d48", "t24", "p60", "d48"]
    drums = b"\0\x99\x24\x40" + plain + b"\0" + ENDS  # a beat needs no end
    assert notes_of(tmp_path / "t.mid", drums) == (["t24", "p64", "d24"], ())
    both = b"\0\x90\x3c\xff\0\x3e\xff" + plain + b"\x60" + ENDS
    said = notes_of(tmp_path / "t.mid", both)[1]
    assert said == (
        f"{tmp_path / 't.mid'}: 2 numbers above 127, the highest there is, read as 127; 2 notes that never end are read "
        "as ending with their tracks",
    )


def test_each_file_of_a_folder_says_what_was_mended(tmp_path: Path) -> None:
    for n in range(8):
        (tmp_path / f"{n}.mid").write_bytes(file_of(track(b"\0\x90\x3c\xff\x60\x80\x3c\0\0" + ENDS), 96))
    remarks = read(tmp_path).remarks
    assert remarks[0].startswith(f"{tmp_path / '0.mid'}: 1 number above 127")
    assert remarks[5] == "3 more remarks of this kind"


def test_a_file_that_keeps_the_rules_is_left_as_it_is() -> None:
    data = to_midi(parse_abc(TUNE))
    exclusive = file_of(track(b"\0\xf0\x05\x7e\xff\x09\x01\xf7" + b"\0" + NOTE + b"\0" + ENDS))
    for kept in (data, exclusive, data[:-4], b"MThd", file_of(b"MTrk\0\0\0\x03\0\x90\x3c")):
        assert mended(kept).data == kept


def test_other_wrappings_are_read(tmp_path: Path) -> None:
    plain = to_midi(parse_abc(TUNE))
    longer = plain[:4] + (10).to_bytes(4, "big") + plain[8:14] + b"more" + plain[14:]
    riff = b"RIFF" + struct.pack("<I", len(plain) + 22) + b"RMIDLIST" + struct.pack("<I", 1) + b"x\0"
    riff += b"data" + struct.pack("<I", len(plain)) + plain
    (tmp_path / "plain.mid").write_bytes(plain)
    wanted = read_midi_file(tmp_path / "plain.mid", DataConfig())
    for name, data in (("longer.mid", longer), ("riff.rmi", riff)):
        (tmp_path / name).write_bytes(data)
        assert read(tmp_path / name).table["events"].to_pylist() == wanted["events"].to_pylist()


def test_frames_of_film_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "t.mid").write_bytes(file_of(track(b""), 0xE728))
    with pytest.raises(
        DataError, match=r"counts time in frames of film \(25 a second\), not in parts of a quarter note"
    ):
        read_midi_file(tmp_path / "t.mid", DataConfig())


def test_symusic_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.mid").write_bytes(to_midi(parse_abc(TUNE)))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"^MIDI needs symusic: pip install 'unrolled\[music\]'$"):
        read_midi_file(tmp_path / "t.mid", DataConfig())


@pytest.mark.soak
def test_damaged_files_are_read_or_refused(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    dice, count = random.Random(0), times(500, 10_000)
    data = to_midi(parse_abc(TUNE))
    for n in range(count):
        (tmp_path / f"{n}.mid").write_bytes(mutated(data, dice) or b"x")
    read_, refused = survive("midi", tmp_path)
    print(f"mid: {read_} read, {refused} refused")
    assert read_ + refused == count
    assert min(read_, refused) > count / 20


def test_a_model_of_events_writes_music(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.mid").write_bytes(to_midi(parse_abc(TUNE)))
    options: api.Options = {"valid": 0, "hidden": 8, "steps": 4}
    trained = api.fit(tmp_path, out=tmp_path / "run", **options)
    words = "".join(trained.generate("p66 d24", length=6, seed=1)).split()
    assert len(words) <= 6
    assert set(words) <= {"p66", "p67", "p69", "p71", "p62", "p73", "d24", "d8", "d48", "t24", "t8", "t48"}
