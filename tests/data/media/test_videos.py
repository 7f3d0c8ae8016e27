from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from mutations import survive

from unrolled.data.config import DataConfig
from unrolled.data.media import videos
from unrolled.data.media.pictures import to_pixels
from unrolled.data.media.videos import LARGEST_SIDE, frames
from unrolled.data.readers.video import read_video
from unrolled.data.tables.read import read
from unrolled.errors import DataError, MissingExtra
from unrolled.testing.damage import mutated

LEVELS = (0, 250, 120, 60)


def fail(message: str, hint: str | None) -> DataError:
    return DataError(message, file="a.mp4", hint=hint)


def clip(levels: tuple[int, ...] = LEVELS, side: tuple[int, int] = (32, 48), form: str = "mp4") -> bytes:
    """A video whose frames are each of one grey."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as video:
        stream = video.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = *side, "yuv420p"
        for level in levels:
            frame = av.VideoFrame.from_ndarray(np.full((*side, 3), level, np.uint8), format="rgb24")
            video.mux(stream.encode(frame))
        video.mux(stream.encode())
    return file.getvalue()


@pytest.mark.parametrize("form", ["mp4", "matroska", "avi"])
def test_every_frame_is_a_picture(form: str) -> None:
    found = [to_pixels(memoryview(one), None, 3, fail) for one in frames(memoryview(clip(form=form)), fail)]
    assert [one.shape for one in found] == [(32, 48, 3)] * 4
    np.testing.assert_allclose([one.mean() for one in found], LEVELS, atol=4)  # the codec keeps not all


def test_large_frames_are_made_smaller() -> None:
    (found,) = frames(memoryview(clip((99,), (64, 128))), fail)
    assert to_pixels(memoryview(found), None, 3, fail).shape == (32, LARGEST_SIDE, 3)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"hello", r"^a\.mp4: cannot be decoded as a video: unknown format \(repair it, or leave it out\)$"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "cannot be decoded as a video: unknown format"),
        (
            b"\0\0\0\x18ftypisom" + b"x" * 99,
            r"^a\.mp4: cannot be decoded as a video: its frames are damaged \(repair it",
        ),
        (clip()[:200], "has no video stream"),
    ],
)
def test_what_is_refused(data: bytes, expected: str) -> None:
    with pytest.raises(DataError, match=expected):
        list(frames(memoryview(data), fail))


def test_the_caps_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = memoryview(clip())
    monkeypatch.setattr(videos, "MOST_FRAMES", 3)
    with pytest.raises(DataError, match=r"has more than 3 frames, the limit \(cut it into pieces\)"):
        list(frames(data, fail))
    monkeypatch.setattr(videos, "MOST_PIXELS", 1000)
    with pytest.raises(DataError, match=r"has frames of 48 × 32 pixels; the limit is 1000 pixels \(make it sm"):
        list(frames(data, fail))


def test_without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"^a video needs av: pip install 'unrolled\[video\]'$"):
        list(frames(memoryview(clip()), fail))


def test_a_file_is_a_row_of_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.MP4"
    path.write_bytes(clip())
    table = read_video(path, DataConfig())
    assert table["name"].to_pylist() == ["a.MP4"] and [len(cell) for cell in table["video"].to_pylist()] == [4]
    assert read(path).kinds == {"video": "video"}


def test_a_folder_of_videos(tmp_path: Path) -> None:
    for name, levels in (("a", (0, 250)), ("b", (250, 0, 0)), ("c", (1,))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.mp4").write_bytes(clip(levels))
    (tmp_path / "c" / "1.mp4").write_bytes(b"x")
    found = read(tmp_path)
    assert [len(cell) for cell in found.table["video"].to_pylist()] == [2, 3]
    assert found.table["label"].to_pylist() == ["a", "b"] and "1 of 3 files are left out: " in found.remarks[0]
    (tmp_path / "marks.jsonl").write_text(
        '{"f": "b/1.mp4", "marks": ["x", "y", "y"]}\n{"f": "a/1.mp4", "marks": ["y", "x"]}\n'
    )
    found = read(tmp_path)
    assert [len(cell) for cell in found.table["video"].to_pylist()] == [3, 2]
    assert found.table["marks"].to_pylist() == [["x", "y", "y"], ["y", "x"]]


@pytest.mark.soak
def test_mutated_videos_are_read_or_refused_by_name(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    dice = random.Random(0)
    seeds = {"mp4": clip(), "mkv": clip(form="matroska"), "avi": clip(form="avi")}
    count = times(150, 10_000)
    for number in range(count):
        suffix = dice.choice(list(seeds))
        (tmp_path / f"{number:05}.{suffix}").write_bytes(mutated(seeds[suffix], dice))
    read, refused = survive("video", tmp_path)
    assert read + refused == count and read > count // 50 and refused > count // 20
