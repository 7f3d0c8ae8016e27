"""A good reader passes, and each kind of fault is found and said."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError, UsageError
from unrolled.testing import check_member
from unrolled.testing.report import Broken


def read_pipes(path: Path, config: DataConfig) -> pa.Table:
    try:
        lines = [line.split("|") for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {type(error).__name__}", file=str(path)) from None
    if not lines or any(len(line) != 2 for line in lines):
        raise DataError("must have two cells a line", file=str(path))
    return pa.table({"a": [line[0] for line in lines], "b": [line[1] for line in lines]})


def read_anything(path: Path, config: DataConfig) -> pa.Table:
    return pa.table({"a": [path.stat().st_size if path.exists() else 0]})


def read_as_it_comes(path: Path, config: DataConfig) -> pa.Table:
    return pa.table({"a": path.read_text("utf-8").split("|")})


def refuse_without_a_name(path: Path, config: DataConfig) -> pa.Table:
    if path.name == "good.pipes":
        return read_pipes(path, config)
    raise DataError("cannot be read")


def test_a_good_reader_passes(tmp_path: Path) -> None:
    (tmp_path / "good.pipes").write_text("a|1\nb|2\n")
    assert check_member(Reader((".pipes",), read_pipes), "reader", example=tmp_path / "good.pipes").broken == ()


@pytest.mark.parametrize(
    ("reader", "contract", "fault"),
    [
        (Reader((".Pipes",), read_pipes), "A reader has lower-case suffixes", "suffixes must be like '.abc'"),
        (Reader((".csv",), read_pipes), "A reader has lower-case suffixes", "good.pipes has none of its suffixes .csv"),
        (
            Reader((".pipes",), read_anything),
            "C11: a missing file",
            "missing.pipes is read, although it is missing or empty",
        ),
        (
            Reader((".pipes",), read_as_it_comes),
            "C11: a missing file",
            "is refused with FileNotFoundError, expected a Da",
        ),
        (
            Reader((".pipes",), read_as_it_comes),
            "C11: a damaged file",
            "refused with UnicodeDecodeError, expected a Data",
        ),
        (Reader((".pipes",), refuse_without_a_name), "C11: a damaged", "about damaged-0.pipes reads: cannot be read"),
    ],
)
def test_a_fault_of_a_reader_is_found(reader: Reader, contract: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "good.pipes").write_text("a|1\nb|2\n")
    with pytest.raises(Broken, match=rf"BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(reader, "reader", example=tmp_path / "good.pipes")


def test_a_reader_needs_a_good_file() -> None:
    with pytest.raises(UsageError, match="a reader is checked with a valid file: pass example=path"):
        check_member("reader.text")
