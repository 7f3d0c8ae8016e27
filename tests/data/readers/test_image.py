from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unrolled.data.config import DataConfig
from unrolled.data.media.pictures import to_png
from unrolled.data.readers.image import read_image
from unrolled.data.tables.read import read
from unrolled.errors import DataError

DATA = to_png(np.zeros((3, 5, 1), np.uint8))


def test_a_file_is_a_row_with_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "Dot.PNG"
    path.write_bytes(DATA)
    table = read_image(path, DataConfig())
    assert table.to_pydict() == {"name": ["Dot.PNG"], "image": [DATA]}
    found = read(path)
    assert found.kinds == {"image": "image"} and found.dropped == {"name": "names the files"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", r"a\.png: is empty"),
        (b"hello", r"a\.png: cannot be decoded as a picture: unknown format \(repair it, or leave it out\)"),
        (DATA[:40], r"a\.png: cannot be decoded as a picture: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"a\.png: cannot be decoded as a picture: unknown format"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(DataError, match=expected):
        read_image(path, DataConfig())


def test_pictures_in_a_table_are_known_by_how_they_begin() -> None:
    assert read({"x": [DATA, None, DATA]}).kinds == {"x": "image"}
    assert read({"x": [b"a", b"b"], "y": [1.0, 2.0]}).dropped == {"x": "holds bytes"}
