from __future__ import annotations

import functools
import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import soxr
import warm
from numpy.testing import assert_allclose
from sounds import samples, wav

import unrolled as ur
from unrolled.data.config import DataConfig
from unrolled.data.encodings import audio
from unrolled.data.encodings._gather import Gather
from unrolled.data.encodings.audio import Audio
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.media import sounds
from unrolled.data.readers.audio import read_audio
from unrolled.data.tables.read import read
from unrolled.errors import DataError, MissingExtra, UsageError

SOAK = os.environ.get("UNROLLED_SOAK") == "1"
CONFIG = DataConfig()


def fail(message: str, hint: str | None) -> DataError:
    return DataError(message, file="a", hint=hint)


def coded(data: np.ndarray, form: str, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, data, rate, format=form)
    return file.getvalue()


@pytest.mark.parametrize(("form", "tolerance"), [("WAV", 1e-4), ("FLAC", 1e-4), ("OGG", 0.1), ("MP3", 0.1)])
def test_every_format_gives_its_samples(form: str, tolerance: float, tmp_path: Path) -> None:
    one = samples(0, 16000, 16000, [440])
    path = tmp_path / f"a.{form.lower()}"
    path.write_bytes(coded(np.stack([one, 0.5 * one], 1), form))
    sequences = read(path)
    assert sequences.kinds == {"sound": "audio"}
    assert sequences.dropped == {"name": "names the files"}
    found = sounds.to_samples(memoryview(path.read_bytes()), 16000, fail)
    assert found.dtype == np.float32
    assert len(found) == 16000
    assert np.abs(found - 0.75 * one).mean() < tolerance  # two channels are mixed


def test_another_rate_is_resampled_by_soxr() -> None:
    one = samples(1, 11025, 11025, [300])
    data = wav(one, 11025)
    wanted = soxr.resample(sounds.to_samples(memoryview(data), 11025, fail), 11025, 8000)
    assert_allclose(sounds.to_samples(memoryview(data), 8000, fail), wanted, atol=1e-6)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(samples(0, 900, 11025), 11025))
    monkeypatch.setattr(sounds.importlib.util, "find_spec", lambda name: None if name == "soxr" else name)
    with pytest.raises(
        MissingExtra, match=r"a recording of 11025 Hz among others of 8000 needs soxr: pip install 'unrolled\[audio\]'"
    ):
        sounds.to_samples(memoryview(path.read_bytes()), 8000, fail)
    monkeypatch.setattr(sounds.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"a recording needs soundfile: pip install 'unrolled\[audio\]'"):
        read_audio(path, CONFIG)


def bad(name: str) -> bytes:
    good = wav(samples(0, 4000))
    match name:
        case "not a sound":
            return b"RIFF\x04\x00\x00\x00WAVEnothing"
        case "no sample":
            return wav(np.zeros(0))
        case "a wav cut short":
            return good[:4000]
        case "a flac cut short":
            return coded(samples(0, 50_000, 16000), "FLAC")[:30_000]
        case "another format":
            return coded(samples(0, 900), "CAF")
        case "a rate beyond reason":
            return wav(samples(0, 100), 50)
        case "not a number":
            file = io.BytesIO()
            soundfile.write(file, np.array([0.1, np.nan]), 8000, format="WAV", subtype="FLOAT")
            return file.getvalue()
    return good


BAD = {
    "not a sound": "a.wav: cannot be decoded as a recording: ",
    "another format": "a.wav: has the format CAF, which cannot be read",
    "no sample": "a.wav: has no samples",
    "a flac cut short": "a.wav: ",
    "a wav cut short": r"a.wav: ends after 3956 bytes of sound, but its header promises 8000 \(repair it, or leave",
    "a rate beyond reason": "a.wav: has a sample rate of 50 Hz; it must be from 1000 to 768000 Hz",
    "not a number": "a.wav: has a sample that is NaN or infinite",
}


@pytest.mark.parametrize("name", BAD)
def test_a_broken_file_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(bad(name))
    with pytest.raises(DataError, match=BAD[name]) as caught:
        read(tmp_path / "a.wav")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0x7FFF_F000, 0xFFFF_FFFF])
def test_a_recording_that_was_piped_ends_where_it_ends(size: int) -> None:
    """Its writer could not go back to say how long it became."""
    good = wav(samples(0, 4000))
    data = good[:40] + size.to_bytes(4, "little") + good[44:]
    assert len(sounds.to_samples(memoryview(data), 8000, fail)) == 4000


def test_what_is_too_long_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = memoryview(wav(np.zeros((600, 2))))
    monkeypatch.setattr(sounds, "MOST_SAMPLES", 1000)
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    with pytest.raises(DataError, match="has 600 × 2 samples; the limit is 1000"):
        sounds.check_whole(data, fail)
    with pytest.raises(DataError, match="has 9600 samples at 192000 Hz; the limit is 1000"):
        sounds.to_samples(memoryview(wav(np.zeros(400))), 192_000, fail)


def folder_of_tones(folder: Path, clips: int, pitches: tuple[float, ...] = (400, 1500)) -> None:
    for pitch in pitches:
        (folder / f"{pitch:g} Hz").mkdir(parents=True)
        for index in range(clips):
            clip = samples(index, 1200 + 40 * index, 8000, [pitch * 1.01**index])
            (folder / f"{pitch:g} Hz" / f"{index}.wav").write_bytes(wav(clip))


def test_one_broken_file_is_listed_and_the_rest_is_learned_and_heard_live(tmp_path: Path) -> None:
    folder = tmp_path / "tones"
    folder_of_tones(folder, 12)
    (folder / "400 Hz" / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    said = read(folder).notes
    assert any("1 of 25 files are left out" in line and "broken.wav" in line for line in said)
    model = ur.fit(folder, target="label", model="gru", hidden=8, steps=40, lr=0.02, out=tmp_path / "run")
    assert model.metrics["valid"]["accuracy"] == 1
    model = ur.load(tmp_path / "run")
    answers = model.predict(folder)
    assert answers.column("label_predicted").to_pylist() == answers.column("label").to_pylist()
    live, (row, *_) = model.stream(), answers.slice(3, 1).to_pylist()
    last = live.push(row["sound"])
    assert last == {
        name: pytest.approx(row[name], abs=1e-5) if isinstance(row[name], float) else row[name] for name in last
    }
    live, ear = model.stream(), model.task.coder.inputs["sound"].listen()  # type: ignore[attr-defined]
    clip = samples(5, 1400, 8000, [1500 * 1.01**5])
    heard = [live.push(frame) for first in range(0, 1400, 300) for frame in ear.push(clip[first : first + 300])]
    assert heard[-1]["label_predicted"] == "1500 Hz"


def test_labels_from_a_table_beside_the_clips(tmp_path: Path) -> None:
    folder_of_tones(tmp_path, 2)
    rows = [f"{pitch} Hz/{index}.wav,{pitch == 400}" for pitch in (400, 1500) for index in (0, 1)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,low", *rows]))
    sequences = read(tmp_path)
    assert sequences.kinds == {"sound": "audio", "low": "category"}
    assert sequences.table.column("low").to_pylist() == [True, True, False, False]


@pytest.mark.parametrize("options", [{"audio_deltas": 1}, {"audio_scale": "clip"}])
def test_frames_that_need_the_future_are_not_heard_live(options: dict[str, object]) -> None:
    column = pa.chunked_array([[wav(samples(0, 3000)), wav(samples(1, 2000))]])
    sound = Audio.fit(column, Audio.Options(**options), Role(), Where("memory", "sound"))  # type: ignore[arg-type]
    values = sound.encode(column, Where("memory", "sound")).values
    assert np.isfinite(values).all()
    assert values.shape[1] == 40 * (2 if "audio_deltas" in options else 1)
    if "audio_scale" in options:
        assert_allclose(values[:35].mean(0), 0, atol=1e-5)  # 35 frames in 3000 samples
        assert_allclose(values[:35].std(0), 1, atol=1e-4)
    with pytest.raises(
        UsageError, match="this model cannot process live audio, because .*; train it with audio_deltas 0 and"
    ):
        sound.listen()
    with pytest.raises(DataError, match=r"expected a frame of \d+ finite numbers"):
        sound.encode_live([1.0, float("nan")], (), Where("stream", "sound"))
    recording: bytes = column[0].as_py()
    with pytest.raises(UsageError, match="this model cannot process live audio"):
        sound.encode_live(recording, (), Where("stream", "sound"))


def test_long_columns_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    column = pa.chunked_array([[wav(samples(seed, 3000)) for seed in range(3)]])
    where = Where("memory", "sound")
    sound = Audio.fit(column, Audio.Options(), Role(), where)
    wanted = sound.encode(column, where)
    monkeypatch.setattr(audio, "Gather", functools.partial(Gather, large=1000))
    found = sound.encode(column, where, tmp_path / "0.ids")
    assert (tmp_path / "0.ids").stat().st_size == wanted.values.nbytes
    assert isinstance(found.values.base, np.memmap)
    np.testing.assert_array_equal(found.values, wanted.values)
    np.testing.assert_array_equal(found.offsets, wanted.offsets)


def test_what_a_user_is_told() -> None:
    where = Where("memory", "sound")
    column = pa.chunked_array(
        [[wav(samples(0, 3000)), None, wav(samples(0, 3000, 11025), 11025), wav(samples(1, 900))]]
    )
    sound = Audio.fit(column, Audio.Options(audio="mfcc", audio_deltas=2, audio_scale="running"), Role(), where)
    assert sound.report() == (
        "sound at 8000 Hz, 13 cepstra every 10 ms, with deltas of two orders, scaled by the clip so far"
    )
    assert sound.spec.width == 39
    encoded = sound.encode(column, where)
    assert sound.notes(column, encoded) == "1 of 4 cells have no sound; 1 of 3 recordings are resampled to 8000 Hz"
    silent = wav(np.zeros(2000))
    assert np.isfinite(sound.encode(pa.chunked_array([[silent]]), where).values).all()
    moved = Where("clips.csv", "sound", np.array([6]))
    with pytest.raises(DataError, match="clips.csv, row 7, column 'sound': cannot be decoded as a recording"):
        sound.encode(pa.chunked_array([[b"RIFF....WAVE"]]), moved)
    with pytest.raises(DataError, match="column 'sound': has no recordings"):
        Audio.fit(pa.chunked_array([[None]]), Audio.Options(), Role(), where)


FUZZ = """
import resource, sys
import numpy as np
resource.setrlimit(resource.RLIMIT_CPU, (60 + int(sys.argv[3]) // 20,) * 2)
from unrolled.data.media.sounds import check_whole, to_samples
from unrolled.errors import DataError
good, random, refused = open(sys.argv[1], "rb").read(), np.random.default_rng(int(sys.argv[2])), 0
def fail(message, hint):
    return DataError(message, file="fuzzed", hint=hint)
check_whole(memoryview(good), fail)
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for _ in range(int(sys.argv[3])):
    data = bytearray(good)
    for _ in range(random.integers(1, 6)):
        at = int(random.integers(min(len(data), 120 if random.random() < 0.7 else len(data))))
        match random.integers(4):
            case 0: data[at] = random.integers(256)
            case 1: data[at : at + 4] = random.choice([b"\\xff" * 4, b"\\0" * 4, b"\\x7f\\xff\\xff\\xff"])
            case 2: del data[at : at + int(random.integers(1, 400))]
            case 3: data[at:at] = data[: int(random.integers(1, 60))]
        if not data: data = bytearray(b"x")
    try:
        check_whole(memoryview(bytes(data)), fail)
        to_samples(memoryview(bytes(data)), 16000, fail)
    except DataError as error:
        assert str(error).startswith("fuzzed: ") and "\\n" not in str(error), error
        refused += 1
print(refused)
"""


@pytest.mark.soak
@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"] if SOAK else ["WAV", "FLAC"])
def test_mutations_are_read_or_refused_in_one_sentence(form: str, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(coded(samples(0, 1500, 16000), form))
    rounds = "10000" if SOAK else "600"
    done = warm.run(FUZZ, tmp_path / "good", 0, rounds)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > int(rounds) // 10


def test_a_length_of_zero_with_sound_behind_it_is_that_of_a_recorder_that_was_cut_off(tmp_path: Path) -> None:
    data = bytearray(wav(samples(0, 800)))
    place = data.index(b"data") + 4
    wanted = sounds.to_samples(memoryview(bytes(data)), 8000, fail)
    data[place : place + 4] = b"\0\0\0\0"
    assert (sounds.to_samples(memoryview(bytes(data)), 8000, fail) == wanted).all()
    none = bytes(data[: place + 4]) + b"LIST" + (4).to_bytes(4, "little") + b"INFO"
    with pytest.raises(DataError, match="has no samples"):
        sounds.to_samples(memoryview(none), 8000, fail)
