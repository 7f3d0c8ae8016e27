"""What decides whether a change is good enough: every check, then every test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

GATE = Path(__file__).parent.parent / ".ci" / "run"


def test_the_gate_checks_and_then_tests(tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    make.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    subprocess.run([str(GATE)], env={**os.environ, "PATH": path}, check=True)
    assert (tmp_path / "asked").read_text().split() == ["check", "test"]
