"""A model as ONNX: the file, the folder, and what is refused."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

import unrolled
from unrolled.cli.main import main
from unrolled.errors import UsageError
from unrolled.export._file import to_onnx
from unrolled.export._graphs import graphs_of
from unrolled.export._smaller import measured, rounded
from unrolled.export.exporter import Subject
from unrolled.layers.graph import Value
from unrolled.layers.pretrained import PretrainedEncoder
from unrolled.runs.held_out import held_out_again
from unrolled.runs.trained import Trained
from unrolled.state import flatten
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


def test_the_help_names_the_forms_and_what_each_option_belongs_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "The form of the files: c, onnx, torch" in shown and "(onnx) Store weights as float16." in shown


def test_an_unknown_form_and_an_unknown_option_are_refused(waves: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no exporter 'onx'. Did you mean 'onnx'?"):
        waves.export(tmp_path / "out", "onx")
    with pytest.raises(UsageError, match="unknown option quantize. Did you mean quantise"):
        waves.export(tmp_path / "out", quantize="int8")
    assert not (tmp_path / "out").exists()


def test_nothing_says_where_the_model_was_made(waves: Trained, tmp_path: Path) -> None:
    assert waves.folder is not None
    for form in ("onnx", "torch", "c"):
        waves.export(tmp_path / form, form)
        for file in (tmp_path / form).iterdir():
            assert str(waves.folder.parent).encode() not in file.read_bytes(), file
    assert (tmp_path / "onnx" / "README.md").read_text("utf-8").startswith("# waves: ")


def test_the_same_model_gives_the_same_bytes(waves: Trained, tmp_path: Path) -> None:
    for name in ("first", "second"):
        waves.export(tmp_path / name)
    first, second = ((tmp_path / name / "model.onnx").read_bytes() for name in ("first", "second"))
    assert first == second and np.frombuffer(first, np.uint8).size < 20_000


@pytest.fixture(scope="module")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A model whose data is in a file, so that its validation split can be cut again."""
    folder = tmp_path_factory.mktemp("texts")
    lines = [f"{'the good' if n % 2 else 'a bad'} food {n % 7},{'yes' if n % 2 else 'no'}" for n in range(60)]
    (folder / "data.csv").write_text("text,mood\n" + "\n".join(lines) + "\n")
    options = {**PLAIN, "hidden": 64, "layers": 2, "steps": 30, "lr": 0.01}
    return unrolled.fit(
        folder / "data.csv",
        target="mood",
        kinds={"text": "tokens"},
        tokens="characters",
        model="gru",
        out=folder / "run",
        **options,
    )


@pytest.mark.parametrize(("options", "share"), [({"quantise": "int8"}, 0.35), ({"half": True}, 0.55)])
def test_fewer_bits_are_measured_on_the_validation_rows(
    text_run: Trained, tmp_path: Path, options: dict[str, Any], share: float
) -> None:
    text_run.export(tmp_path / "plain")
    notes = text_run.export(tmp_path / "small", **options, tolerate=1)
    assert notes[0] in (tmp_path / "small" / "README.md").read_text("utf-8")
    assert re.match(r"With (int8|float16) weights \w+ is [\d.]+ on the validation data; it was [\d.]+\.$", notes[0])
    plain, small = ((tmp_path / name / "model.onnx").read_bytes() for name in ("plain", "small"))
    assert len(small) <= share * len(plain)
    stored = "int8" if "quantise" in options else "float16"
    network = rounded(text_run.network, stored)
    ids, lengths = torch.randint(1, 5, (3, 9)), torch.tensor([9, 4, 1])
    with torch.no_grad():
        wanted, _ = network({"text": ids}, lengths)
    feed = {"text": ids.numpy(), "lengths": lengths.numpy()}
    feed |= {name: value.numpy() for name, value in flatten(network.initial_state(3))}
    assert np.allclose(session(small).run(["outputs"], feed)[0], wanted.numpy(), atol=1e-5)


def test_weights_that_cost_too_much_are_refused(text_run: Trained, tmp_path: Path) -> None:
    broken = rounded(text_run.network, "int8")
    with torch.no_grad():
        for weight in broken.parameters():
            weight.neg_()
    valid = held_out_again(text_run.config, "run", "")["valid"]
    subject = SimpleNamespace(
        task=text_run.task,
        network=text_run.network,
        training=text_run.config.training,
        valid=lambda option: text_run.encode(valid, target=True),
    )
    with pytest.raises(UsageError, match=r"with int8 weights \w+ is .*, which is worse by more than tolerate = 0.01"):
        measured(cast(Subject, subject), broken, "int8", 0.01)
    with pytest.raises(UsageError, match="quantise and half cannot be combined"):
        text_run.export(tmp_path / "out", quantise="int8", half=True)


def test_data_in_memory_cannot_be_measured_again(waves: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was trained on data in memory.* leave quantise out"):
        waves.export(tmp_path / "out", quantise="int8")


def test_a_column_may_be_called_as_an_input_of_the_graph() -> None:
    data = {"lengths": [[float(n), 1.0, 2.0] for n in range(24)], "kind": ["a", "b"] * 12}
    model = unrolled.fit(data, target="kind", model="rnn", **PLAIN)
    run = session(to_onnx(graphs_of(model.task, model.network)["model"]))
    assert {"column.lengths", "lengths"} <= {one.name for one in run.get_inputs()}


def test_a_model_of_both_strands_is_refused(waves: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(waves.task.coder), "strands", "those of x")
    with pytest.raises(UsageError, match="a model that reads both strands"):
        graphs_of(waves.task, waves.network)


def test_a_pretrained_encoder_is_refused() -> None:
    with pytest.raises(UsageError, match="a pretrained encoder cannot be exported as a graph: train a model without"):
        PretrainedEncoder.graph(cast(PretrainedEncoder, None), cast(Value, None))


# What onnxruntime does where the graph ends: each was seen, and is written in the folder's README.


def feed_of(model: Trained, rows: int, steps: int, lengths: list[int]) -> dict[str, np.ndarray]:
    state = {name: value.numpy() for name, value in flatten(model.network.initial_state(rows))}
    return {"x": np.zeros((rows, steps, 1)), "lengths": np.array(lengths, np.int64), **state}


def test_lengths_that_do_not_fit_and_rows_of_no_steps_are_refused(waves: Trained) -> None:
    run = session(to_onnx(graphs_of(waves.task, waves.network)["model"]))
    for rows, steps, lengths in ((1, 3, [4]), (1, 0, [0])):
        with pytest.raises(Exception, match=r"ONNXRuntimeError"):
            run.run(None, feed_of(waves, rows, steps, lengths))
    with pytest.raises(Exception, match="Unexpected input data type"):
        run.run(None, {**feed_of(waves, 1, 3, [3]), "state.layer.0.h": np.zeros((1, 6))})


def test_a_graph_without_rows_ends_the_process_or_answers(waves: Trained, tmp_path: Path) -> None:
    """Which is why the runner of the folder refuses an empty batch before it calls onnxruntime."""
    (tmp_path / "model.onnx").write_bytes(to_onnx(graphs_of(waves.task, waves.network)["model"]))
    np.savez(tmp_path / "feed.npz", **feed_of(waves, 0, 3, []))
    code = (
        "import sys, numpy as np, onnxruntime as ort; s = ort.InferenceSession('model.onnx');"
        "s.run(None, dict(np.load('feed.npz')))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert ended.returncode in (-6, -11, 0, 1)
