"""A cell of one's own in a graph: from its equations, or refused with a sentence that says what is missing."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from exported import apart, exported_layer
from own_cells import Leaky
from torch import Tensor

from unrolled.cells.gru import GRU
from unrolled.cells.minlstm import MinLSTM
from unrolled.errors import UsageError
from unrolled.layers.recurrent import Recurrent

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

CLOSE = 1e-6


class Told(Leaky):
    """A leaky unit whose state is one tensor, with its equations."""

    equations: ClassVar[dict[str, str]] = {"new": "tanh(x_new)", "h": "keep * h_before + (1 - keep) * new"}

    def products(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        return {"x_new": self.linear(x), "keep": self.keep.sigmoid().expand_as(h)}


class Wrong(Told):
    equations: ClassVar[dict[str, str]] = {"new": "tanh(x_new)", "h": "keep * h_before + new"}


class Curved(Told):
    def products(self, x: Tensor, h: Tensor) -> dict[str, Tensor]:
        return {**super().products(x, h), "x_new": self.linear(x) * x[:, :1]}

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.lerp((self.linear(x) * x[:, :1]).tanh(), h, self.keep.sigmoid())
        return h, h


class Recurring(GRU):
    """A GRU without its operator, so that a loop runs over its equations."""

    operator: Any = None


@pytest.mark.parametrize("cell", [Told, Recurring])
@pytest.mark.parametrize("both", [False, True])
def test_a_cell_is_exported_from_its_equations(cell: Any, both: bool) -> None:
    torch.manual_seed(1)
    layer = Recurrent(3, 5, cell, 2, bidirectional=both).eval()
    x, lengths = torch.randn(3, 6, 3), torch.tensor([6, 0, 4])
    with torch.no_grad():
        y, after = layer(x, lengths)
    state = None if both else layer.initial_state(3, x)
    assert apart(exported_layer(layer)({"x": x}, lengths, state), (y, None if both else after)) <= CLOSE


def test_gates_near_0_keep_their_quotient() -> None:
    """The equations of a minLSTM divide two gates, which in float32 are both 0 here."""
    cell = MinLSTM(1, 1)
    with torch.no_grad():
        cell.weight_ih.copy_(torch.tensor([[-200.0], [-201.0], [1.0]]))
        cell.bias_ih.zero_()
    layer, x = Recurrent(1, 1, cell).eval(), torch.ones(1, 3, 1)
    with torch.no_grad():
        wanted = layer(x)
    assert apart(exported_layer(layer)({"x": x}, torch.tensor([3]), layer.initial_state(1, x)), wanted) <= CLOSE


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (Leaky, "it has no equations"),
        (Wrong, "its equations do not give its output and its state"),
        (Curved, "its product 'x_new' is not linear in its input and state"),
    ],
)
def test_what_cannot_be_exported_says_why(cell: Any, said: str) -> None:
    with pytest.raises(UsageError, match=f"the cell {cell.__name__} cannot be exported: {said}"):
        exported_layer(Recurrent(3, 5, cell))
