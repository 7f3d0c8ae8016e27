"""A model as plain torch: the folder's own check, chunks, padding, torch.export, and what is refused."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import random
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from configs import model_config
from torch.export import Dim, export

import unrolled
from unrolled.cli.main import main
from unrolled.errors import UsageError
from unrolled.models.network import Network
from unrolled.runs.trained import Trained
from unrolled.storage.directories import verify

PLAIN: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "steps": 1, "hidden": 5, "plan": "fixed"}
WAVES = {
    "x": [[math.sin(i / 5 + k) * 30 + 70 for i in range(12)] for k in range(24)],
    "word": [random.Random(k).choices(("red", "green", "blue"), k=12) for k in range(24)],
    "y": ["a", "b"] * 12,
}
MODELS = [("lstm", "last"), ("gru", "mean"), ("rnn", "max"), ("irnn", "last"), ("bilstm", "last"), ("bigru", "max")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return unrolled.fit(WAVES, target="y", model="lstm", out=tmp_path_factory.mktemp("torch") / "run", **PLAIN)


def with_model(trained: Trained, name: str, pool: Any = "last", layers: int = 1) -> Trained:
    """The same run with another model, of random weights."""
    task, config = trained.task, model_config(name=name, hidden=5, layers=layers)
    torch.manual_seed(1)
    network = Network(task.coder.specs, config, task.outputs, pooled=task.pooled, pool=pool).eval()
    return replace(trained, network=network)


def module_of(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("plain", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folders(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each model, of two layers."""
    found = {name: tmp_path_factory.mktemp("out") / name for name, _ in MODELS}
    for name, pool in MODELS:
        with_model(trained, name, pool, layers=2).export(found[name], "torch")
    return found


@pytest.mark.parametrize("name", [name for name, _ in MODELS])
def test_the_folder_gives_the_answers_of_the_model(name: str, folders: dict[str, Path]) -> None:
    assert {"model.py", "model.safetensors", "config.json", "example.json"} <= {*verify(folders[name])}
    plain = module_of(folders[name])
    assert plain.check() <= 1e-6
    assert "unrolled" not in (folders[name] / "model.py").read_text()


def example(folder: Path) -> tuple[Any, dict[str, torch.Tensor], torch.Tensor]:
    plain = module_of(folder)
    given = json.loads((folder / "example.json").read_text())
    return plain.load(), {k: plain.tensor_of(v) for k, v in given["inputs"].items()}, plain.tensor_of(given["lengths"])


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn"])
def test_chunks_give_what_whole_rows_give_and_padding_is_inert(name: str, folders: dict[str, Path]) -> None:
    model, inputs, lengths = example(folders[name])
    whole, last = model(inputs, lengths)
    state = None
    for start, end in ((0, 4), (4, 5), (5, 14)):
        chunk = {column: values[:, start:end] for column, values in inputs.items()}
        outputs, state = model(chunk, (lengths - start).clamp(0, end - start), state)
    torch.testing.assert_close(outputs, whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-6)
    pad = torch.arange(14) >= lengths[:, None]
    inputs["x"][pad], inputs["word"][pad] = float("nan"), 10**6
    torch.testing.assert_close(model(inputs, lengths), (whole, last), rtol=0, atol=0)
    one = {column: values[2:] for column, values in inputs.items()}  # a full row, without lengths
    torch.testing.assert_close(model(one)[0], whole[2:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["lstm", "bigru"])
def test_training_goes_on(name: str, folders: dict[str, Path]) -> None:
    model, inputs, lengths = example(folders[name])
    model.train()(inputs, lengths)[0].square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_it_is_exported_by_torch_with_dynamic_rows_and_steps(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plain", module_of(folders["lstm"]))  # dynamo imports it again
    model, inputs, lengths = example(folders["lstm"])
    rows, steps = Dim("rows", min=1, max=4096), Dim("steps", min=1, max=100_000)
    state = model.initial_state(3)
    axes = {name: {0: rows, 1: steps} for name in inputs}, {0: rows}, {name: {0: rows} for name in state}
    with torch.no_grad():
        program = export(model, (inputs, lengths, state), dynamic_shapes=axes).module()
        for shape in ((7, 11), (1, 1), (2, 60)):
            given = {"x": 70 + 30 * torch.randn(*shape, 1).double(), "word": torch.randint(0, 4, shape)}
            first = {
                name: torch.rand_like(part.float()).to(part) for name, part in model.initial_state(shape[0]).items()
            }
            some = torch.randint(0, shape[1] + 1, shape[:1])
            torch.testing.assert_close(program(given, some, first), model(given, some, first), rtol=0, atol=1e-5)


def test_a_text_model_and_the_verb(tmp_path: Path) -> None:
    texts = {"text": ["".join(random.Random(k).choices("abc", k=9)) for k in range(24)]}
    run = unrolled.fit(texts, model="lstm", out=tmp_path / "run", **PLAIN)
    assert main(["export", str(run.folder), "--to", "torch", "--out", str(tmp_path / "out"), "--quiet"]) == 0
    plain = module_of(tmp_path / "out")
    assert plain.check() <= 1e-6
    assert "a" in plain.load().config["columns"][0]["symbols"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mingru", "the cell MinGRU is not one of torch's .LSTM, GRU, and RNN., which the export to torch does not"),
        ("gru_textbook", "the cell GRUTextbook is not one of torch's"),
        ("transformer", "transformer is not one of torch's recurrent layers, .*: export it to onnx instead"),
    ],
)
def test_what_torch_does_not_have_is_refused(name: str, why: str, trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        with_model(trained, name).export(tmp_path / "out", "torch")


def test_a_window_that_scales_itself_is_refused_with_what_to_train(trained: Trained, tmp_path: Path) -> None:
    task = copy.copy(trained.task)
    task.coder = replace(task.coder, by_window=True)
    with pytest.raises(UsageError, match="scales each window by itself: train it without scale window to export it"):
        replace(trained, task=task).export(tmp_path / "out", "torch")
