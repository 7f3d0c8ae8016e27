"""torch's own questions to its modules, answered by ours: its sample inputs, and the errors that it expects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unrolled.kernels import library


@pytest.mark.parametrize("width", library.available()[-1:] or ["plain"])
def test_every_check_holds(width: str) -> None:
    pytest.importorskip("expecttest", reason="torch's testing modules import it")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), library.VARIABLE: width}
    script = Path(__file__).with_name("torch_suite.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
