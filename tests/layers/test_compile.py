"""torch.compile on every path: the same numbers, and one graph where the kernels run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unrolled import layers
from unrolled.kernels import library

# After a break in the graph, the compiler itself looks at the gradient of a tensor that is not a leaf.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
X, LENGTHS = torch.randn(4, 3, 5), torch.tensor([3, 2, 1, 0])


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def results(run: Any, layer: nn.Module, x: Tensor, **given: Any) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y, state = run(x, **given)
    gradients = torch.autograd.grad(y.float().pow(2).sum(), [x, *layer.parameters()])
    return [y, *(state if isinstance(state, tuple) else [state]), *gradients]


def assert_compiles(layer: Any, x: Tensor, whole: bool, **given: Any) -> None:
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=whole)
    for mine, expected in zip(results(compiled, layer, x, **given), results(layer, layer, x, **given), strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not library.available(), reason="no kernels")
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_with_kernels_it_is_one_graph_also_with_lengths(name: str) -> None:
    layer = getattr(layers, name)(5, 7, num_layers=2, batch_first=True)
    assert isinstance(layer, nn.RNNBase)  # at which the compiler would stop
    assert_compiles(layer, X, True, lengths=LENGTHS)
    if name == "LSTM":  # what it is given is read before a layer knows its cell
        assert_compiles(layer, X, True)
        assert_compiles(layer, X, True, lengths=[3, 2, 0, 1])


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(
    ("name", "case"),
    [
        *(("LSTM", case) for case in ("bfloat16", "autocast", "proj_size")),
        *(("RNN", "plain"), ("GRU", "float16")),  # what every cell takes without kernels
    ],
)
def test_every_other_path(name: str, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, "plain" if case == "plain" else "")
    dtype = getattr(torch, case) if "float16" in case else torch.float32
    settings = {"proj_size": 3} if case == "proj_size" else {}
    layer = getattr(layers, name)(5, 7, batch_first=True, dtype=dtype, **settings)
    short = X[:, :2].to(dtype)  # without kernels a graph grows with the steps
    with torch.autocast("cpu", torch.bfloat16, enabled=case == "autocast"):
        assert_compiles(layer, short, False, lengths=LENGTHS.clamp(max=2))


def test_lengths_that_do_not_fit_are_seen_when_the_graph_runs() -> None:
    if not library.available():
        pytest.skip("no kernels")
    compiled = torch.compile(layers.GRU(5, 7, batch_first=True), backend="eager", fullgraph=True)
    with pytest.raises(RuntimeError, match="lengths are 1 … 9, expected 0 … 3"):
        compiled(X, lengths=torch.tensor([3, 2, 9, 1]))


def test_the_compiler_treats_torch_s_own_layers_as_before() -> None:
    layers.GRU(5, 7)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="RNN, GRU, or LSTM"):
        torch.compile(nn.GRU(5, 7), backend="eager", fullgraph=True)(X)
