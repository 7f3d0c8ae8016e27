from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from unrolled.data.encodings._gather import Gather, frame
from unrolled.errors import SpaceError

BYTE = np.dtype(np.uint8)


def test_nothing_at_all() -> None:
    assert Gather(BYTE, None).finish().tolist() == []


def test_memory_until_it_is_large(tmp_path: Path) -> None:
    gather = Gather(BYTE, tmp_path / "ids", large=4)
    gather.add(np.array([1, 2, 3, 4], BYTE))
    assert list(tmp_path.iterdir()) == []
    gather.add(np.array([5], BYTE))
    gather.add(np.array([], BYTE))
    gather.add(np.array([6], BYTE))
    values = gather.finish()
    assert isinstance(values, np.memmap)
    assert values.tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 9


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "ids"
    opened = Path.open

    def full(path: Path, mode: str) -> object:
        path.touch()
        return opened(Path("/dev/full"), "wb")

    monkeypatch.setattr(Path, "open", full)
    gather = Gather(BYTE, cache, large=4)
    with pytest.raises(SpaceError, match=f"^no space left for the encoded copy of the data in {cache}$"):
        for _ in range(3):
            gather.add(np.zeros(1 << 16, BYTE))
    assert list(tmp_path.iterdir()) == []


def test_another_failure_is_not_called_space(tmp_path: Path) -> None:
    gather = Gather(BYTE, tmp_path / "absent" / "ids", large=0)
    with pytest.raises(OSError) as caught:
        gather.add(np.zeros(1, BYTE))
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize(
    ("counts", "first", "last", "wanted", "totals"),
    [
        ([2, 0, 1], True, True, [1, 10, 11, 2, 1, 2, 1, 12, 2], [4, 2, 3]),
        ([3], False, False, [10, 11, 12], [3]),
        ([3], True, False, [1, 10, 11, 12], [4]),
        ([3], False, True, [10, 11, 12, 2], [4]),
        ([1, 2], False, False, [10, 2, 1, 11, 12], [2, 3]),
        ([], True, True, [], []),
    ],
)
def test_frames(counts: list, first: bool, last: bool, wanted: list, totals: list) -> None:
    ids = np.arange(10, 10 + sum(counts), dtype=np.uint8)
    framed, lengths = frame(ids, np.array(counts, np.int64), 1, 2, first, last)
    assert framed.tolist() == wanted
    assert lengths.tolist() == totals
    assert framed.dtype == np.uint8
