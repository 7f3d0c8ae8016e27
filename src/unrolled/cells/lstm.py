"""Long short-term memory. Axes: B rows, I inputs, H hidden units."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from unrolled.cells.cell import Operator, by_gate, check_step, first_weights
from unrolled.watch import Owner, shows

__all__ = ["LSTM", "LSTMState", "lstm_step"]


class LSTMState(NamedTuple):
    """``h`` (B, H): the hidden state, which is also the output; ``c`` (B, H): the cell state."""

    h: Tensor
    c: Tensor


class LSTM(nn.Module):
    """Long short-term memory (LSTM): its cell state is updated by addition, so that gradients reach far back.

    ::

        i_t = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)         input gate
        f_t = σ(W_if x_t + b_if + W_hf h_{t-1} + b_hf)         forget gate: 1 keeps
        g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)      candidate
        o_t = σ(W_io x_t + b_io + W_ho h_{t-1} + b_ho)         output gate
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)                                  y_t = h_t

    The bias of the forget gate starts at 1 (b_if = 1, b_hf = 0), so that the cell remembers at first.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.

    Shape:
        x (B, I), state.h and state.c (B, H), y (B, H), all with the dtype of the weights, whose rows are i, f, g, o.

    Raises:
        UsageError: a size below 1.
        ShapeError: x or the state does not fit.

    Cost:
        4H(I + H) multiply-adds per row and step; 2H numbers of state.

    References:
        Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735;
        the forget gate: Gers, Schmidhuber and Cummins 2000, https://doi.org/10.1162/089976600300015015;
        its bias: Jozefowicz, Zaremba and Sutskever 2015, https://proceedings.mlr.press/v37/jozefowicz15.html

    Example:
        >>> cell = LSTM(3, 4)
        >>> y, (h, c) = cell(torch.zeros(2, 3), cell.initial_state(2, torch.zeros(())))
        >>> y.shape, c.shape
        (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    kernel: ClassVar[str] = "lstm"
    plain: ClassVar[str] = "nn.LSTM"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    operator: ClassVar[Operator] = Operator("LSTM", ("i", "o", "f", "g"))
    equations: ClassVar[dict[str, str]] = {
        "i": "sigmoid(x_i + h_i)",
        "f": "sigmoid(x_f + h_f)",
        "g": "tanh(x_g + h_g)",
        "o": "sigmoid(x_o + h_o)",
        "c": "f * c_before + i * g",
        "h": "o * tanh(c)",
    }

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        weights = first_weights(4, input_size, hidden_size)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = weights
        nn.init.ones_(self.bias_ih[hidden_size : 2 * hidden_size])

    def forward(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """One step."""
        h, c = check_step(self, x, state)
        of_x, of_h = linear(x, self.weight_ih, self.bias_ih), linear(h, self.weight_hh, self.bias_hh)  # (B, 4H)
        h, c = lstm_step(self, of_x, of_h, c)
        return h, LSTMState(h, c)

    def products(self, x: Tensor, state: LSTMState) -> dict[str, Tensor]:
        """W x + b and W h + b of each gate."""
        of_x, of_h = linear(x, self.weight_ih, self.bias_ih), linear(state.h, self.weight_hh, self.bias_hh)
        return by_gate(self.gates, of_x, of_h)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.input_size}, {self.hidden_size}"

    def initial_state(self, batch: int, like: Tensor) -> LSTMState:
        """Zeros of the dtype and device of ``like``."""
        zeros = like.new_zeros(batch, self.hidden_size)
        return LSTMState(zeros, zeros.clone())

    def weights(self) -> list[Tensor]:
        """The weights, in the order of ``torch._VF``."""
        return [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]


def lstm_step(
    owner: Owner, of_x: Tensor, of_h: Tensor, c: Tensor, project: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """H and c after a step, from the products of its weights.

    Args:
        owner: whose gates and state are shown.
        of_x: (B, 4H), of the input.
        of_h: (B, 4H), of the state h.
        c: (B, H), before the step.
        project: (P, H), the weights of h's projection.
    """
    look = shows(owner)
    i, f, g, o = (of_x + of_h).chunk(4, -1)
    i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
    if look:
        i, f, g, o = look("i f g o", i, f, g, o)
    c = f * c + i * g
    if look:
        (c,) = look("c", c)
    h = o * torch.tanh(c)
    h = h if project is None else linear(h, project)
    if look:
        (h,) = look("h", h)
    return h, c


MEMBER = LSTM
