"""Programs written down by torch.export and torch.jit.trace: any rows and steps, and without us where that can be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

from unrolled import layers
from unrolled.kernels import library

NAMES = ["RNN", "GRU", "LSTM"]
X, OTHER = torch.randn(6, 4, 5), torch.randn(3, 9, 5)
LENGTHS, OTHERS = torch.tensor([4, 2, 3, 4, 1, 0]), torch.tensor([9, 0, 4])
B, T = Dim("b"), Dim("t")

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:`torch.jit", "ignore::FutureWarning", "ignore::torch.jit.TracerWarning"
)


def made(name: str, **settings: Any) -> Any:
    torch.manual_seed(0)
    return getattr(layers, name)(5, 7, batch_first=True, **settings).eval()


def parts(answer: Any) -> list[Tensor]:
    y, state = answer
    return [y, *(state if isinstance(state, tuple) else [state])]


def assert_same(found: Any, expected: Any) -> None:
    for mine, other in zip(parts(found), parts(expected), strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)


def operators_of_ours(program: ExportedProgram) -> set[str]:
    return {str(node.target) for node in program.graph.nodes if "unrolled" in str(node.target)}


@pytest.mark.parametrize(("name", "stacked"), [("RNN", 2), ("GRU", 1), ("LSTM", 1)])
def test_with_open_rows_a_program_holds_torch_s_operators_alone(name: str, stacked: int) -> None:
    layer = made(name, num_layers=stacked, bidirectional=True)
    short, real = X[:, :2], LENGTHS.clamp(max=2)  # such a program grows with the steps
    program = export(layer, (short,), {"lengths": real}, dynamic_shapes={"input": {0: B}, "lengths": {0: B}})
    assert operators_of_ours(program) == set()
    run = program.module()
    for x, lengths in ((short, real), (short[:3], real[3:]), (short[:1], real[:1])):
        assert_same(run(x, lengths=lengths), layer(x, lengths=lengths))


@pytest.mark.parametrize(
    ("name", "lengths", "width"), [*((name, True, "") for name in NAMES), ("LSTM", False, ""), ("GRU", True, "plain")]
)
def test_with_open_rows_and_steps(name: str, lengths: bool, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made(name)
    monkeypatch.setenv(library.VARIABLE, width)
    given = {"lengths": LENGTHS} if lengths else {}
    shapes: dict[str, Any] = {"input": {0: B, 1: T}, **({"lengths": {0: B}} if lengths else {})}
    run = export(layer, (X,), given, dynamic_shapes=shapes).module()
    for x, real in ((X, LENGTHS), (OTHER, OTHERS)):
        more = {"lengths": real} if lengths else {}
        assert_same(run(x, **more), layer(x, **more))
        x = x.clone().requires_grad_()  # a program that was exported for inference can still be trained
        (found,) = torch.autograd.grad(run(x, **more)[0].sum(), x)
        (expected,) = torch.autograd.grad(layer(x, **more)[0].sum(), x)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not library.available(), reason="no kernels")
def test_a_program_from_a_machine_with_kernels_runs_on_one_without(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made("LSTM")
    run = export(layer, (X,), dynamic_shapes={"input": {0: B, 1: T}}).module()
    expected = layer(OTHER)
    monkeypatch.setenv(library.VARIABLE, "plain")
    assert_same(run(OTHER), expected)


def test_a_saved_program_opens_without_us(tmp_path: Path) -> None:
    layer = made("GRU")
    torch.export.save(export(layer, (X[:, :2],), dynamic_shapes={"input": {0: B}}), tmp_path / "gru.pt2")
    torch.save((OTHER[:, :2].contiguous(), layer(OTHER[:, :2])[0].detach()), tmp_path / "case.pt")
    script = (
        "import sys, torch\n"
        "sys.modules['unrolled'] = None\n"
        f"x, y = torch.load({str(tmp_path / 'case.pt')!r})\n"
        f"run = torch.export.load({str(tmp_path / 'gru.pt2')!r}).module()\n"
        "torch.testing.assert_close(run(x)[0], y, atol=1e-6, rtol=0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_takes_any_rows_and_steps(name: str) -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = made(name, bidirectional=True)

        def forward(self, x: Tensor, lengths: Tensor) -> Any:
            return self.layer(x, None, lengths)

    model = Padded()
    traced = torch.jit.trace(model, (X, LENGTHS))  # with gradients on
    assert_same(traced(OTHER, OTHERS), model(OTHER, OTHERS))
    plain = torch.jit.trace(model.layer, X)
    assert_same(plain(OTHER), model.layer(OTHER))
    assert "unrolled::" not in str(plain.inlined_graph)
    plain(OTHER)[0].sum().backward()


@pytest.mark.parametrize(
    "layer",
    [
        layers.Transformer(5, 8, num_layers=1, heads=2),
        layers.Recurrent(5, 8, cell="gru"),
        pytest.param(
            layers.Recurrent(5, 8, cell="mingru"),
            marks=pytest.mark.skipif(not library.available(), reason="its loop in torch fixes the steps"),
        ),
    ],
    ids=["transformer", "gru", "mingru"],
)
def test_other_layers_with_open_rows_and_steps(layer: Any) -> None:
    layer.eval()
    run = export(layer, (X, LENGTHS), dynamic_shapes={"x": {0: B, 1: T}, "lengths": {0: B}}).module()
    for x, lengths in ((X, LENGTHS), (OTHER, OTHERS)):
        torch.testing.assert_close(run(x, lengths)[0], layer(x, lengths)[0], atol=1e-6, rtol=0)
