from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from mutations import survive
from PIL import Image

from unrolled.data.io.blobs import blobs
from unrolled.data.media import pictures
from unrolled.data.media.pictures import MOST_PIXELS, check_whole, is_picture, measure, to_pixels, to_png
from unrolled.errors import DataError, MissingExtra
from unrolled.testing.damage import mutated

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5, 1) * 10
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


def fail(message: str, hint: str | None) -> DataError:
    return DataError(message, file="a.png", hint=hint)


def saved(picture: Image.Image, form: str, **options: object) -> memoryview:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return memoryview(file.getvalue())


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "WEBP", "GIF", "JPEG"])
def test_every_format_is_known_and_read(form: str, pixels: np.ndarray) -> None:
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {}
    data = saved(Image.fromarray(pixels.squeeze()), form, **options)
    assert is_picture(data)
    assert measure(data, fail)[:2] == pixels.shape[:2]
    check_whole(data, fail)
    found = to_pixels(data, None, pixels.shape[2], fail)
    assert found.shape == pixels.shape and found.dtype == np.uint8
    if form not in ("JPEG", "GIF"):  # which do not keep all
        np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("data", [b"", b"GIF", b"RIFF....WAVE", b"\x89PNX", b"hello, world"])
def test_what_is_no_picture(data: bytes) -> None:
    assert not is_picture(memoryview(data))
    with pytest.raises(DataError, match=r"^a\.png: cannot be decoded as a picture: unknown format \(repair it, or"):
        measure(memoryview(data), fail)


def test_a_png_of_ours_comes_back_to_the_bit() -> None:
    for pixels in (GREY, COLOUR):
        data = to_png(pixels)
        np.testing.assert_array_equal(to_pixels(memoryview(data), None, pixels.shape[2], fail), pixels)
        assert to_png(to_pixels(memoryview(data), None, pixels.shape[2], fail)) == data


def test_transparency_becomes_white_and_sixteen_bits_become_eight() -> None:
    clear = Image.new("RGBA", (2, 1), (200, 0, 0, 255))
    clear.putpixel((1, 0), (0, 0, 0, 0))
    assert to_pixels(saved(clear, "PNG"), None, 3, fail).tolist() == [[[200, 0, 0], [255, 255, 255]]]
    deep = Image.fromarray(np.array([[0, 257 * 77, 65535]], np.uint16))
    assert to_pixels(saved(deep, "PNG"), None, 1, fail).ravel().tolist() == [0, 77, 255]
    assert measure(saved(deep, "PNG"), fail) == (1, 3, True)


def test_a_picture_is_turned_as_its_camera_was() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    data = saved(Image.fromarray(COLOUR), "PNG", exif=exif)
    np.testing.assert_array_equal(to_pixels(data, None, 3, fail), np.rot90(COLOUR, -1))


def test_it_is_brought_to_a_size() -> None:
    halves = np.repeat(np.array([[0, 100]], np.uint8), 8, 1).repeat(16, 0)[:, :, None]
    small = to_pixels(memoryview(to_png(halves)), (2, 4), 1, fail)
    assert small.shape == (2, 4, 1) and small[:, 0].tolist() == [[0], [0]] and small[:, -1].tolist() == [[100], [100]]


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims any size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    zeros = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zeros) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(8193, 8192, "8193 × 8192"), (10_000, 10_000, "10000 × 10000"), (60_000, 60_000, "3600000000")],
)
def test_a_bomb_is_refused_by_its_header_with_its_size_and_the_cap(width: int, height: int, size: str) -> None:
    for look in (measure, check_whole):
        with pytest.raises(DataError, match=rf"has {size} pixels; the limit is {MOST_PIXELS} \(make it smaller"):
            look(memoryview(bomb(width, height)), fail)


def test_a_picture_that_is_cut_short() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for form in ("PNG", "JPEG"):
        data = saved(noise, form)
        with pytest.raises(DataError, match="cannot be decoded as a picture: "):
            check_whole(data[: len(data) // 2], fail)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    data = memoryview(to_png(GREY))
    monkeypatch.setattr(pictures.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"^a picture needs pillow: pip install 'unrolled\[video\]'$"):
        measure(data, fail)
    with pytest.raises(MissingExtra):
        to_png(GREY)


def test_the_cells_of_a_column() -> None:
    plain = pa.chunked_array([pa.array([b"a", None]), pa.array([b"bc"])])
    assert [None if cell is None else bytes(cell) for cell in blobs(plain)] == [b"a", None, b"bc"]
    encoded = pa.chunked_array([pa.array([b"a", None, b"a"], pa.large_binary()).dictionary_encode()])
    assert [None if cell is None else bytes(cell) for cell in blobs(encoded)] == [b"a", None, b"a"]
    assert list(blobs(pa.chunked_array([pa.nulls(2)]))) == [None, None]


@pytest.mark.soak
def test_mutated_pictures_are_read_or_refused_by_name(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    dice = random.Random(0)
    picture = Image.fromarray(COLOUR).resize((24, 16))
    forms = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "ppm": "PPM"}
    seeds = {suffix: bytes(saved(picture, form)) for suffix, form in forms.items()}
    count = times(400, 10_000)
    for number in range(count):
        suffix = dice.choice(list(seeds))
        (tmp_path / f"{number:05}.{suffix}").write_bytes(mutated(seeds[suffix], dice))
    read, refused = survive("image", tmp_path)
    assert read + refused == count and read > count // 50 and refused > count // 3
