"""Damaged files of vectors are read or refused in one sentence, within limits of memory and time; nothing else happens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
def test_mutated_files_of_vectors(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    program, count = Path(__file__).with_name("mutations.py"), times(400, 40_000)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(program), str(tmp_path), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    read, refused = map(int, done.stdout.split())
    assert read + refused == count
    assert min(read, refused) >= count // 50  # a few changes spoil most files of this size
