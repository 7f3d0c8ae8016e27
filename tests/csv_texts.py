"""Tables in text: read from memory as a file is, and what is said of them or against them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.table import read_written
from unrolled.errors import DataError

__all__ = ["lines", "refused", "remarks", "table"]


def table(text: bytes | str, suffix: str = ".csv", **config: object) -> pa.Table:
    data = text.encode() if isinstance(text, str) else text
    return read_written(pa.py_buffer(data), f"t{suffix}", DataConfig.check(dict(config)), suffix)


def remarks(found: pa.Table) -> str:
    return (found.schema.metadata or {}).get(b"remark", b"").decode()


def refused(text: bytes | str, suffix: str = ".csv", **config: object) -> str:
    with pytest.raises(DataError) as caught:
        table(text, suffix, **config)
    return str(caught.value)


def lines(*rows: str, end: str = "\n") -> str:
    return "".join(row + end for row in rows)
