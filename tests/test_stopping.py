"""A SIGTERM to the tests, such as that of a time limit, ends them, also while a trainer listens for signals itself."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
import warm

TESTS = Path(__file__).parent
PYTEST = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
SUITE = """
import unrolled as ur

def test_one_that_trains(tmp_path):
    def tell(event):
        print("training", flush=True)
    ur.fit({"x": [[0.5, 1.0, 1.5] * 9] * 9}, out=tmp_path / "run", hidden=2, steps=10**9, hooks=(tell,))

def test_a_later_one(tmp_path):
    print("the later one ran", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_suite(number: int, tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    options = ["-s", "-p", "conftest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    words = [*options, tmp_path / "test_suite.py"]
    with warm.Process(PYTEST, *words, paths=(TESTS,), stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            if b"training" in line:
                break
        process.send_signal(number)
        rest = process.stdout.read().decode()
        assert process.wait() == pytest.ExitCode.INTERRUPTED
    assert "saved at step" in rest
    assert "the later one ran" not in rest
