from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings import _gather
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.image import Image
from unrolled.data.media.pictures import to_png
from unrolled.errors import DataError, ModelError, UsageError

WHERE = Where("folder", "image")
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def column(*pixels: np.ndarray | bytes | None) -> pa.ChunkedArray:
    cells = [to_png(one) if isinstance(one, np.ndarray) else one for one in pixels]
    return pa.chunked_array([pa.array(cells, pa.large_binary())])


def raw(image: Image, values: np.ndarray) -> np.ndarray:
    """The numbers before they were scaled."""
    tiles = values.reshape(len(values), -1, len(image.mean))
    return (tiles * np.array(image.std) + np.array(image.mean)).round().astype(int).reshape(values.shape)


@pytest.mark.parametrize(
    ("layout", "tiles"),
    [
        ("pixels", [PIXELS[y, x] for y in range(4) for x in range(6)]),
        ("rows", [PIXELS[y].ravel() for y in range(4)]),
        ("patches:2", [PIXELS[y : y + 2, x : x + 2].ravel() for y in (0, 2) for x in (0, 2, 4)]),
    ],
)
def test_what_a_step_is(layout: str, tiles: list[np.ndarray]) -> None:
    image = Image.fit(column(PIXELS), Image.Options(image=layout), Role(), WHERE)
    encoded = image.encode(column(PIXELS, PIXELS[::-1]), WHERE)
    assert encoded.offsets is not None and encoded.offsets.tolist() == [0, len(tiles), 2 * len(tiles)]
    np.testing.assert_array_equal(raw(image, encoded.values[: len(tiles)]), np.stack(tiles))
    assert image.spec.width == len(tiles[0]) and image.spec.time


def test_the_scale_is_of_each_channel() -> None:
    image = Image.fit(column(PIXELS), Image.Options(), Role(), WHERE)
    np.testing.assert_allclose(image.mean, PIXELS.mean((0, 1)))
    np.testing.assert_allclose(image.std, PIXELS.std((0, 1)))
    flat = np.full((2, 2, 1), 7, np.uint8)
    constant = Image.fit(column(flat), Image.Options(), Role(), WHERE)
    assert constant.mean == (7.0,) and constant.std == (255.0,)
    assert (constant.encode(column(flat), WHERE).values == 0).all()


@pytest.mark.parametrize(
    ("asked", "sizes", "patch", "expected"),
    [
        (None, [(4, 6)], "rows", (4, 6)),
        (None, [(4, 6), (8, 12), (400, 6)], "rows", (8, 6)),
        (None, [(100, 200)], "rows", (32, 64)),
        (None, [(100, 200)], "patches:7", (35, 63)),
        (None, [(1, 900)], "patches:8", (8, 64)),
        ("8", [(4, 6)], "rows", (8, 8)),
        ("8x4", [(4, 6)], "patches:4", (4, 8)),
    ],
)
def test_the_size(asked: str | None, sizes: list[tuple[int, int]], patch: str, expected: tuple[int, int]) -> None:
    pictures = column(*(np.zeros((*size, 1), np.uint8) for size in sizes))
    image = Image.fit(pictures, Image.Options(image=patch, image_size=asked), Role(), WHERE)
    assert (image.height, image.width) == expected


def test_patches_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match=r"^image_size 30 cannot be divided into patches of 4; use 32x32$"):
        Image.fit(column(PIXELS), Image.Options(image="patches:4", image_size="30"), Role(), WHERE)


@pytest.mark.parametrize(
    ("patch", "asked", "size"), [(999, None, "6x4"), (7, None, "6x4"), (9, "8x2", "8x2"), (16, "8", "8x8")]
)
def test_a_patch_larger_than_the_pictures_does_not_blow_them_up(patch: int, asked: str | None, size: str) -> None:
    with pytest.raises(
        UsageError,
        match=f"^image patches:{patch} is larger than the pictures, which are resized to {size}; use smaller "
        "patches, or a larger image_size$",
    ):
        Image.fit(column(PIXELS), Image.Options(image=f"patches:{patch}", image_size=asked), Role(), WHERE)
    large = column(np.zeros((300, 100, 1), np.uint8))
    with pytest.raises(UsageError, match="patches:65 .* which are resized to 21x64; "):
        Image.fit(large, Image.Options(image="patches:65"), Role(), WHERE)


@pytest.mark.parametrize(
    "values",
    [{"image": "patches"}, {"image": "patches:0"}, {"image": "columns"}, {"image_size": "0"}, {"image_size": "3x"}, {"image_size": "1000"}],
)  # fmt: skip
def test_options_are_checked(values: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=f"^{next(iter(values))} = "):
        Image.Options.check(values)


def test_colour_is_dropped_where_training_had_none() -> None:
    grey = Image.fit(column(PIXELS[:, :, :1]), Image.Options(), Role(), WHERE)
    assert len(grey.mean) == 1 and grey.encode(column(PIXELS), WHERE).values.shape == (4, 6)
    assert grey.report() == "picture, 6 × 4 in grey, 4 rows"
    mixed = Image.fit(column(PIXELS[:, :, :1], PIXELS), Image.Options(), Role(), WHERE)
    assert len(mixed.mean) == 3


def test_empty_cells_have_no_steps() -> None:
    image = Image.fit(column(None, PIXELS), Image.Options(), Role(), WHERE)
    cells = column(PIXELS, None)
    encoded = image.encode(cells, WHERE)
    assert encoded.offsets is not None and encoded.offsets.tolist() == [0, 4, 4]
    assert image.notes(cells, encoded) == "1 of 2 cells have no picture"
    assert image.decode(encoded.values[4:]) is None


def test_large_columns_go_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = column(*[PIXELS] * 9)
    image = Image.fit(cells, Image.Options(), Role(), WHERE)
    inner = _gather.Gather.__init__.__defaults__
    monkeypatch.setattr(_gather.Gather.__init__, "__defaults__", (100,))
    mapped = image.encode(cells, WHERE, tmp_path / "cache").values
    monkeypatch.setattr(_gather.Gather.__init__, "__defaults__", inner)
    assert isinstance(mapped, np.memmap) and mapped.dtype == np.float32
    np.testing.assert_array_equal(mapped, image.encode(cells, WHERE).values)


def test_a_broken_cell_is_named_by_its_row() -> None:
    image = Image.fit(column(PIXELS), Image.Options(), Role(), WHERE)
    bad = column(PIXELS, to_png(PIXELS)[:50])
    for act in (lambda: image.encode(bad, WHERE), lambda: Image.fit(bad, Image.Options(), Role(), WHERE)):
        with pytest.raises(DataError, match=r"^folder, row 2, column 'image': cannot be decoded as a picture"):
            act()
    with pytest.raises(DataError, match="folder, row 8, column 'image'"):
        image.encode(bad, Where("folder", "image", np.array([3, 7])))
    with pytest.raises(DataError, match="column 'image': has no pictures"):
        Image.fit(column(None), Image.Options(), Role(), WHERE)
    with pytest.raises(DataError, match="expected the bytes of a picture in each row, found string"):
        image.encode(pa.chunked_array([["a"]]), WHERE)


@pytest.mark.parametrize(
    "value", [None, [1] * 17, [1] * 17 + [256], [1] * 17 + [-1], ["a"] * 18, "abc", [float("nan")] * 18]
)
def test_a_live_step_is_numbers(value: Any) -> None:
    image = Image.fit(column(PIXELS), Image.Options(), Role(), WHERE)
    with pytest.raises(
        DataError, match=r"column 'image': expected one step of a picture, a list of 18 numbers from 0 to 255"
    ):
        image.encode_live(value, (), WHERE)


@pytest.mark.parametrize("change", [{"height": 5}, {"layout": "rows"}, {"mean": [1.0, 2.0]}, {"std": [1.0, 1.0, 0.0]}])
def test_numbers_that_contradict_each_other(change: dict[str, Any]) -> None:
    image = Image.fit(column(PIXELS), Image.Options(image="patches:2"), Role(), WHERE)
    with pytest.raises(ModelError, match="the image encoding of this model cannot be read"):
        Image.from_config({**image.to_config(), **change})
