from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.video import Video
from unrolled.data.media.pictures import to_png
from unrolled.errors import DataError, ModelError

WHERE = Where("folder", "video")
A, B = (np.random.default_rng(seed).integers(0, 256, (2, 3, 3), dtype=np.uint8) for seed in (0, 1))


def column(*rows: list[Any] | None) -> pa.ChunkedArray:
    cells = [None if row is None else [to_png(f) if isinstance(f, np.ndarray) else f for f in row] for row in rows]
    return pa.chunked_array([pa.array(cells, pa.large_list(pa.large_binary()))])


def test_a_step_is_a_frame() -> None:
    cells = column([A, B], [], [B])
    video = Video.fit(cells, Video.Options(), Role(), WHERE)
    encoded = video.encode(cells, WHERE)
    assert encoded.offsets is not None and encoded.offsets.tolist() == [0, 2, 2, 3]
    np.testing.assert_allclose(encoded.values * video.std + video.mean, np.stack([A, B, B]).reshape(3, -1), atol=1e-3)
    np.testing.assert_allclose(video.frame.mean, np.stack([A, B, B]).mean((0, 1, 2)))
    assert video.spec.width == 18 and video.report() == "video, frames of 3 × 2 in colour"


def test_a_frame_that_is_missing_has_the_mean_colour() -> None:
    cells = column([A, None], None)
    video = Video.fit(cells, Video.Options(), Role(), WHERE)
    encoded = video.encode(cells, WHERE)
    assert (encoded.values[1] == 0).all() and len(encoded.values) == 2
    assert video.notes(cells, encoded) == "1 of 2 frames are missing"


def test_a_broken_frame_is_named_by_its_row() -> None:
    video = Video.fit(column([A]), Video.Options(), Role(), WHERE)
    bad = column([A, B], [B, b"x"])
    for act in (lambda: video.encode(bad, WHERE), lambda: Video.fit(bad, Video.Options(), Role(), WHERE)):
        with pytest.raises(DataError, match=r"^folder, row 2, column 'video': cannot be decoded as a picture"):
            act()
    with pytest.raises(DataError, match="expected a list of pictures in each row, found list<item: string>"):
        video.encode(pa.chunked_array([[["a"]]]), WHERE)
    for value, expected in (
        (3, "expected one frame, the bytes of a picture, found '3'"),
        (b"x", "column 'video': cannot be decoded"),
    ):
        with pytest.raises(DataError, match=expected):
            video.encode_live(value, (), WHERE)


def test_a_stored_frame_is_of_rows() -> None:
    config = Video.fit(column([A]), Video.Options(), Role(), WHERE).to_config()
    with pytest.raises(
        ModelError, match="the video encoding of this model cannot be read: its frame encoding is invalid"
    ):
        Video.from_config({**config, "frame": {**config["frame"], "layout": "pixels"}})
