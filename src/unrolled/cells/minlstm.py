"""The minimal long short-term memory. Axes: B rows, I inputs, H hidden units."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from unrolled.cells._diagonal import first_memory
from unrolled.cells.cell import by_gate, check_step, first_input_weights
from unrolled.watch import show

__all__ = ["MinLSTM", "MinLSTMState"]


class MinLSTMState(NamedTuple):
    """``h`` (B, H): the hidden state, which is also the output."""

    h: Tensor


class MinLSTM(nn.Module):
    """The minimal long short-term memory (minLSTM): an `LSTM` whose two gates see only the input and sum to 1.

    ::

        f_t = σ(W_f x_t + b_f)                      forget: 1 keeps
        i_t = σ(W_i x_t + b_i)                      input: 1 takes
        n_t = W_n x_t + b_n                         candidate, the paper's h̃
        f'_t = f_t / (f_t + i_t),   i'_t = i_t / (f_t + i_t)
        h_t = f'_t ⊙ h_{t-1} + i'_t ⊙ n_t           y_t = h_t

    The state is a weighted mean of candidates, so it neither grows nor shrinks with the length; there is no output gate
    and no tanh. f' is computed as σ(log f - log i), which is correct even if both gates round to 0. With m from
    `first_memory`, b_f starts at m and b_i at -m, which gives f' = σ(m): units remember over 2 to 128 steps.
    A watcher is shown f' and i' as ``f`` and ``i``: only they enter the state.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.

    Shape:
        x (B, I), state.h (B, H), y (B, H), all with the dtype of the weights, whose rows are f, i, n.

    Raises:
        UsageError: a size below 1.
        ShapeError: x or the state does not fit.

    Cost:
        3HI multiply-adds per row and step, and 2H for the state; H numbers of state.

    References:
        Feng et al. 2024, Were RNNs all we needed?, https://arxiv.org/abs/2410.01201

    Example:
        >>> cell = MinLSTM(3, 4)
        >>> y, state = cell(torch.zeros(2, 3), cell.initial_state(2, torch.zeros(())))
        >>> y.shape
        torch.Size([2, 4])
    """

    kernel: ClassVar[str] = "minlstm"
    plain: ClassVar[str] = "MinLSTM"
    gates: ClassVar[tuple[str, ...]] = ("f", "i", "n")
    equations: ClassVar[dict[str, str]] = {
        "f": "sigmoid(x_f) / (sigmoid(x_f) + sigmoid(x_i))",
        "i": "sigmoid(x_i) / (sigmoid(x_f) + sigmoid(x_i))",
        "n": "x_n",
        "h": "f * h_before + i * n",
    }

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight_ih, self.bias_ih = first_input_weights(3, input_size, hidden_size)
        memory = first_memory(hidden_size)
        with torch.no_grad():
            self.bias_ih[: 2 * hidden_size] = torch.cat([memory, -memory])

    def forward(self, x: Tensor, state: MinLSTMState) -> tuple[Tensor, MinLSTMState]:
        """One step."""
        (h,) = check_step(self, x, state)
        f, i, n = self.shares(x)
        f, i, n = show(self, "f i n", f, i, n)
        (h,) = show(self, "h", f * h + i * n)
        return h, MinLSTMState(h)

    def shares(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """f', i' and n, for any number of steps at once."""
        f, i, n = linear(x, self.weight_ih, self.bias_ih).chunk(3, -1)
        log_ratio = softplus(-i) - softplus(-f)  # log f - log i
        return torch.sigmoid(log_ratio), torch.sigmoid(-log_ratio), n

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``a = f'`` and ``b = i' ⊙ n``, for any number of steps at once."""
        f, i, n = self.shares(x)
        return f, i * n

    def products(self, x: Tensor, state: MinLSTMState) -> dict[str, Tensor]:
        """W x + b of each gate; the state has no part in them."""
        return by_gate(self.gates, linear(x, self.weight_ih, self.bias_ih))

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.input_size}, {self.hidden_size}"

    def initial_state(self, batch: int, like: Tensor) -> MinLSTMState:
        """Zeros of the dtype and device of ``like``."""
        return MinLSTMState(like.new_zeros(batch, self.hidden_size))

    def weights(self) -> list[Tensor]:
        """``weight_ih`` (3H, I) and ``bias_ih`` (3H,)."""
        return [self.weight_ih, self.bias_ih]


MEMBER = MinLSTM
