"""bfloat16 without gradients: the kernels answer what float32 answers for the same weights, rounded once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from unrolled.cells.cell import CELLS
from unrolled.kernels import library
from unrolled.layers import torch_compat
from unrolled.layers.recurrence.unroll import unroll

HALF = torch.bfloat16
ROUNDING = 2.0**-8  # half of the last of eight bits
pytestmark = pytest.mark.skipif(not library.available(), reason="no kernels are built here")


@pytest.fixture(autouse=True)
def _kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [7, 0, 3, 6]], ids=["even", "uneven"])
@pytest.mark.parametrize("name", ["gru", "irnn", "lstm", "rnn"])
def test_it_is_float32_rounded_once(name: str, lengths: list[int] | None, reverse: bool) -> None:
    torch.manual_seed(0)
    cell, x = CELLS.get(name)(5, 19).to(HALF), torch.randn(4, 7, 5).to(HALF)
    first = type(cell.initial_state(4, x))(*(torch.randn_like(part) for part in cell.initial_state(4, x)))
    real = None if lengths is None else torch.tensor(lengths)
    if real is not None:
        x[torch.arange(7) >= real.unsqueeze(1)] = float("nan")
    with torch.no_grad():
        y, last = unroll(cell, x, real, first, reverse=reverse)
        wide = type(first)(*(part.float() for part in first))
        expected, end = unroll(cell.float(), x.float(), real, wide, reverse=reverse)
    for mine, theirs in zip((y, *last), (expected, *end), strict=True):
        assert mine.dtype == HALF
        assert torch.equal(mine, theirs.to(HALF))
        torch.testing.assert_close(mine.float(), theirs, rtol=ROUNDING, atol=1e-30)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_it_is_near_what_torch_answers(name: str) -> None:
    torch.manual_seed(1)
    settings: dict[str, Any] = {"num_layers": 2, "bidirectional": True, "batch_first": True, "dtype": HALF}
    theirs, ours = (getattr(source, name)(6, 20, **settings) for source in (torch.nn, torch_compat))
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 9, 6).to(HALF)
    with torch.inference_mode():
        for mine, other in zip(flat(ours(x)), flat(theirs(x)), strict=True):
            torch.testing.assert_close(mine, other, atol=0.03, rtol=0)


def flat(answer: Any) -> list[Tensor]:
    y, state = answer
    return [y, *(state if isinstance(state, tuple) else [state])]


def test_gradients_take_the_plain_path() -> None:
    layer, x = torch_compat.GRU(3, 4, dtype=HALF), torch.randn(5, 2, 3).to(HALF)
    layer(x)[0].float().sum().backward()
    assert all(weight.grad is not None and weight.grad.dtype == HALF for weight in layer.parameters())
