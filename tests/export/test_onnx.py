"""A model as ONNX: the file, the folder, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled
from unrolled.cli.main import main
from unrolled.errors import UsageError
from unrolled.runs.trained import Trained
from unrolled.storage.directories import verify

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

PLAIN: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "steps": 5, "hidden": 6}


def session(data: bytes) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    rows = {"x": [[math.sin(i / 5 + k) for i in range(12)] for k in range(24)], "y": ["a", "b"] * 12}
    return unrolled.fit(rows, target="y", model="lstm", out=tmp_path_factory.mktemp("runs") / "waves", **PLAIN)


def test_the_verb_writes_a_folder_whose_model_is_checked(waves: Trained, tmp_path: Path) -> None:
    assert main(["export", str(waves.folder), "--to", "onnx", "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert "model.onnx" in verify(tmp_path / "out")
    model = onnx.load(tmp_path / "out" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [one.version for one in model.opset_import]) == (8, [18])
    inputs = {one.name for one in session(model.SerializeToString()).get_inputs()}
    assert inputs == {"x", "lengths", "state.layer.0.h", "state.layer.0.c", "state.pool.value", "state.pool.steps"}


def test_an_unknown_form_and_an_unknown_option_are_refused(waves: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no exporter 'onx'. Did you mean 'onnx'?"):
        waves.export(tmp_path / "out", "onx")
    with pytest.raises(UsageError, match="unknown option quantize"):
        waves.export(tmp_path / "out", quantize="int8")
    assert not (tmp_path / "out").exists()


def test_the_same_model_gives_the_same_bytes(waves: Trained, tmp_path: Path) -> None:
    for name in ("first", "second"):
        waves.export(tmp_path / name)
    first, second = ((tmp_path / name / "model.onnx").read_bytes() for name in ("first", "second"))
    assert first == second and np.frombuffer(first, np.uint8).size < 20_000
