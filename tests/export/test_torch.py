"""A model as plain torch: the folder's own check, chunks, padding, torch.export, and what is refused."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from configs import model_config
from torch import nn
from torch.export import Dim, export

import unrolled
from unrolled.cells.cell import CELLS
from unrolled.cli.main import main
from unrolled.errors import UsageError
from unrolled.layers.crf import CRF
from unrolled.layers.factory import LAYERS
from unrolled.layers.layer import Layer
from unrolled.layers.recurrent import Recurrent
from unrolled.models.network import Network
from unrolled.runs.trained import Trained
from unrolled.storage.directories import verify

PLAIN: dict[str, Any] = {"start": "none", "blend": ["none"], "only": "none", "steps": 1, "hidden": 5, "plan": "fixed"}
WAVES = {
    "x": [[None if (i + k) % 5 == 0 else math.sin(i / 5 + k) * 30 + 70 for i in range(12)] for k in range(24)],
    "word": [random.Random(k).choices(("red", "green", "blue"), k=12) for k in range(24)],
    "size": [float(k) for k in range(24)],
    "y": ["a", "b"] * 12,
}
RECURRENT = ["gru", "rnn", "irnn", "lnlstm", "mingru", "minlstm", "gru_textbook", "bilstm", "bigru", "bimingru"]
SETTINGS: dict[str, dict[str, Any]] = {  # of networks of two layers
    "window": {"window": 3},
    **{name: {} for name in ("lstm", *RECURRENT, "mlp", "deltanet", "bitransformer")},
    "tcn": {"kernel": 2},
    "transformer": {"heads": 4, "kv_heads": 2},
    "transformer, alibi": {"positions": "alibi", "attention_window": 3},
    "transformer, sinusoidal": {"positions": "sinusoidal", "hidden": 7},
    "transformer, learned": {"positions": "learned"},
}
READS_AHEAD = {"bilstm", "bigru", "bimingru", "bitransformer"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return unrolled.fit(WAVES, target="y", model="lstm", out=tmp_path_factory.mktemp("torch") / "run", **PLAIN)


def with_model(trained: Trained, name: str, pool: Any = "last", **options: Any) -> Trained:
    """The same run with another model, of random weights."""
    task, config = trained.task, model_config(**{"name": name, "hidden": 8, **options})
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
    """A folder of each model."""
    found = {name: tmp_path_factory.mktemp("out") / "model" for name in SETTINGS}
    for number, (name, options) in enumerate(SETTINGS.items()):
        pool = ("last", "mean", "max")[number % 3]
        with_model(trained, name.partition(",")[0], pool, layers=2, **options).export(found[name], "torch")
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_the_folder_gives_the_answers_of_the_model(name: str, folders: dict[str, Path]) -> None:
    assert {"model.py", "model.safetensors", "config.json", "example.json"} <= {*verify(folders[name])}
    plain, text = module_of(folders[name]), (folders[name] / "model.py").read_text()
    assert plain.check() <= 1e-6
    assert "unrolled" not in text and "plain_" not in text


def test_every_layer_has_a_form_in_torch(folders: dict[str, Path]) -> None:
    assert {*CELLS.names(), *LAYERS.names()} == {name.partition(",")[0] for name in folders} - {
        f"bi{name}" for name in CELLS.names()
    }


def example(folder: Path) -> tuple[Any, dict[str, torch.Tensor], torch.Tensor]:
    plain = module_of(folder)
    given = json.loads((folder / "example.json").read_text())
    return plain.load(), {k: plain.tensor_of(v) for k, v in given["inputs"].items()}, plain.tensor_of(given["lengths"])


def part_of(inputs: dict[str, torch.Tensor], start: int, end: int) -> dict[str, torch.Tensor]:
    return {name: values if name == "size" else values[:, start:end] for name, values in inputs.items()}


@pytest.mark.parametrize("name", sorted({*SETTINGS} - READS_AHEAD))
def test_chunks_give_what_whole_rows_give_and_padding_is_inert(name: str, folders: dict[str, Path]) -> None:
    model, inputs, lengths = example(folders[name])
    whole, last = model(inputs, lengths)
    state = None
    for start, end in ((0, 4), (4, 5), (5, 14)):
        outputs, state = model(part_of(inputs, start, end), (lengths - start).clamp(0, end - start), state)
    torch.testing.assert_close(outputs, whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-5)
    pad = torch.arange(14) >= lengths[:, None]
    inputs["x"][pad], inputs["word"][pad], inputs["x.gaps"][pad] = float("nan"), 10**6, -(10**6)
    torch.testing.assert_close(model(inputs, lengths), (whole, last), rtol=0, atol=0)
    one = {column: values[2:] for column, values in inputs.items()}  # a full row, without lengths
    torch.testing.assert_close(model(one)[0], whole[2:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["lstm", "bigru", "mingru", "transformer"])
def test_training_goes_on(name: str, folders: dict[str, Path]) -> None:
    model, inputs, lengths = example(folders[name])
    model.train()(inputs, lengths)[0].square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.soak
def test_it_is_exported_by_torch_with_dynamic_rows_and_steps(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, times: Callable[[int, int], int]
) -> None:
    rows, steps, held = (Dim(name, min=least, max=4096) for name, least in (("rows", 1), ("steps", 1), ("held", 0)))
    for name in [*SETTINGS][: times(1, len(SETTINGS))]:
        model, inputs, lengths = example(folders[name])
        monkeypatch.setitem(sys.modules, "plain", module_of(folders[name]))  # dynamo imports it again
        state = None if name in READS_AHEAD else dict(model.initial_state(3))
        of_state = None if state is None else {key: {0: rows} for key in state}
        for key in [key for key in state or () if key.endswith(("keys", "values"))]:
            state[key] = torch.zeros(3, 4, *state[key].shape[2:])  # torch.export fixes an axis of size 0 or 1
            of_state[key] = {0: rows, 1: held}
        axes = {key: {0: rows} if key == "size" else {0: rows, 1: steps} for key in inputs}, {0: rows}, of_state
        with torch.no_grad():
            program = export(model, (inputs, lengths, state), dynamic_shapes=axes).module()
            for shape in ((7, 11), (1, 1), (2, 60)):
                given = {"x": 70 + 30 * torch.randn(*shape, 1).double(), "word": torch.randint(0, 4, shape)}
                given |= {"x.gaps": torch.randint(0, 3, (*shape, 1)), "size": torch.randn(shape[0], 1).double()}
                some = torch.randint(0, shape[1] + 1, shape[:1])
                first = None if state is None else model.initial_state(shape[0])
                for _ in range(1 if state is None else 2):
                    found, right = program(given, some, first), model(given, some, first)
                    torch.testing.assert_close(found[0], right[0], rtol=0, atol=1e-5)
                    first = found[1]


def test_a_text_model_and_the_verb(tmp_path: Path) -> None:
    texts = {"text": ["".join(random.Random(k).choices("abc", k=9)) for k in range(24)]}
    run = unrolled.fit(texts, model="lstm", out=tmp_path / "run", **PLAIN)
    assert main(["export", str(run.folder), "--to", "torch", "--out", str(tmp_path / "out"), "--quiet"]) == 0
    plain = module_of(tmp_path / "out")
    assert plain.check() <= 1e-6
    assert "a" in plain.load().config["columns"][0]["symbols"]


class Untold(nn.Module):
    """A cell that the export does not know."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.initial_state = lambda batch, like: like.new_zeros(batch, hidden_size)


def test_what_torch_does_not_have_is_refused(trained: Trained, tmp_path: Path) -> None:
    own, crf, task = with_model(trained, "gru"), with_model(trained, "gru"), trained.task
    own.network.layer = Recurrent(own.network.layer.input_size, 8, Untold)  # type: ignore[union-attr]
    crf.network.head = CRF(8, task.outputs)
    other = replace(trained, network=nn.Identity())  # type: ignore[arg-type]
    other.network.title = "pair"  # type: ignore[assignment]
    for run, why in (
        (own, "the cell Untold is not one that the export to torch has: export it to onnx"),
        (crf, "this model chooses its labels with a CRF, which the export to torch does not have"),
        (other, "pair has more parts than columns, a layer and a head"),
    ):
        with pytest.raises(UsageError, match=why):
            run.export(tmp_path / "out", "torch")
    with pytest.raises(UsageError, match="the layer RunningSum is not one that the export to torch has"):
        Layer.plain(type("RunningSum", (), {})())  # type: ignore[arg-type]


def test_rows_without_steps(trained: Trained, tmp_path: Path) -> None:
    rows = {"size": [float(k) for k in range(30)], "colour": ["red", "blue", "green"] * 10, "y": ["a", "b"] * 15}
    unrolled.fit(rows, target="y", model="mlp", **PLAIN).export(tmp_path / "out", "torch")
    assert module_of(tmp_path / "out").check() <= 1e-6


def test_a_window_that_scales_itself_is_refused_with_what_to_train(trained: Trained, tmp_path: Path) -> None:
    task = copy.copy(trained.task)
    task.coder = replace(task.coder, by_window=True)
    with pytest.raises(UsageError, match="scales each window by itself: train it without scale window to export it"):
        replace(trained, task=task).export(tmp_path / "out", "torch")
