from __future__ import annotations

import base64
from typing import Any

import numpy as np
from looking import looked_at
from samples import Sample, sequences

from unrolled.data.media.pictures import to_pixels, to_png
from unrolled.errors import DataError
from unrolled.views.looked import steps_of
from unrolled.views.wide_inputs import pictures

DRAW = np.random.default_rng(0)


def fail(message: str, hint: str | None) -> DataError:
    return DataError(message)


def of(values: list[Any], kind: str) -> Sample:
    labels = ["a", "b"] * (len(values) // 2)
    return Sample("classify", sequences({"x": values, "y": labels}, {"x": kind, "y": "category"}), ("y",))


def grey() -> bytes:
    return to_png(DRAW.integers(0, 255, (4, 6, 1)).astype(np.uint8))


def pixels_of(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return to_pixels(memoryview(data), (4, 6), 1, fail)


def test_numbers_of_many_channels_are_a_map_and_no_words() -> None:
    looked = looked_at(of(DRAW.normal(size=(4, 5, 24)).tolist(), "series"), row=1)
    (section,) = pictures(looked)
    np.testing.assert_array_equal(section.data["values"].values, looked.batch.inputs["x"][0].numpy())
    assert section.data["names"] == [f"c{n}" for n in range(24)] and "frames" not in section.data
    assert steps_of(looked) == ["0", "1", "2", "3", "4"]


def test_very_many_numbers_share_lines() -> None:
    looked = looked_at(of(DRAW.normal(size=(2, 3, 600)).tolist(), "series"), row=0)
    (section,) = pictures(looked)
    read = looked.batch.inputs["x"][0].numpy()
    assert section.data["values"].values.shape == (3, 200) and section.data["together"] == 3
    np.testing.assert_allclose(section.data["values"].values[:, 0], read[:, :3].mean(1), rtol=1e-5)


def test_a_video_shows_its_frames() -> None:
    frames = [[grey() for _ in range(3)] for _ in range(4)]
    (section,) = pictures(looked_at(of(frames, "video"), row=2))
    assert section.data["places"].tolist() == [0, 1, 2]
    for uri, frame in zip(section.data["frames"], frames[2], strict=True):
        right = to_pixels(memoryview(frame), (4, 6), 1, fail)
        assert np.abs(pixels_of(uri).astype(int) - right).max() <= 1


def test_a_picture_read_in_rows_is_shown_whole() -> None:
    shots = [grey() for _ in range(4)]
    looked = looked_at(of(shots, "image"), row=3)
    (section,) = pictures(looked)
    uri = section.body.split('src="')[1].split('"')[0]
    right = to_pixels(memoryview(shots[3]), (4, 6), 1, fail)
    assert np.abs(pixels_of(uri).astype(int) - right).max() <= 1
    assert len(steps_of(looked)) == looked.trace.steps


def test_narrow_inputs_and_hidden_ones_have_no_picture() -> None:
    assert not [*pictures(looked_at("regress"))]
    assert not [*pictures(looked_at(of(DRAW.normal(size=(2, 3, 24)).tolist(), "series"), row=0, hidden=True))]
