from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.abc import read_abc
from unrolled.errors import DataError


def test_files_are_split_into_tunes(tmp_path: Path) -> None:
    path = tmp_path / "t.abc"
    path.write_bytes("% Aird\r\nM:4/4\r\n\r\nX:1\r\nT:é\r\nK:C\r\nCDE\r\n  \r\nno\r\nX:2\r\nK:C\r\nX:3\r\nK:G".encode())
    assert read_abc(path, DataConfig())["text"].to_pylist() == ["X:1\nT:é\nK:C\nCDE\n", "X:2\nK:C\n", "X:3\nK:G\n"]
    path.write_bytes(b"no tune\n")
    with pytest.raises(DataError, match=r"t\.abc: has no tunes: no line starts with X:"):
        read_abc(path, DataConfig())
    path.write_bytes(b"X:1\nT:caf\xe9\nK:C\n")
    with pytest.raises(DataError, match=r"line 2, byte 10 of the file, 0xe9, is not utf-8"):
        read_abc(path, DataConfig())
