"""Damaged files of vectors are read or refused in one sentence, within limits of memory and time; nothing else happens."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
def test_mutated_files_of_vectors(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    program, count = Path(__file__).with_name("mutations.py"), times(400, 40_000)
    done = warm.run(program.read_text("utf-8"), tmp_path, count)
    assert done.returncode == 0, done.stderr[-3000:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == count
    assert min(read, refused) >= count // 50  # a few changes spoil most files of this size
