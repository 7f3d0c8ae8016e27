"""The folder of an export in Node, with onnxruntime-web; `make browser` installs what it needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from export_cases import CASES, PLAIN

import unrolled

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "build" / "node" / "node_modules"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not (MODULES / "onnxruntime-web").is_dir(),
    reason="Node with onnxruntime-web is not installed: make browser",
)
UNREAD = {"byte-pair tokens"}  # read by run.py only


@pytest.mark.parametrize("name", sorted({*CASES} - UNREAD))
def test_its_programs_answer_as_the_model_does(tmp_path: Path, name: str) -> None:
    rows, options = CASES[name]
    unrolled.fit(rows, out=tmp_path / "run", **{**PLAIN, **options}).export(tmp_path / "out")
    (tmp_path / "node_modules").symlink_to(MODULES)
    assert NODE is not None
    done = subprocess.run([NODE, str(tmp_path / "out" / "run.mjs"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.rsplit(" ", 1)[1]) <= 1e-5
