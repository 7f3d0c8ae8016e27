"""Drop-in replacements for torch.nn's recurrent layers, correct under padding: only the import changes.

They are subclasses of torch.nn's, with the same constructors, ``state_dict`` names, initial weights and outputs, and
also take ``lengths=``, or a ``mask=`` with holes or padding in front, so that nothing has to be sorted or packed. A
step that is not real changes nothing: the state passes it by, and its output is 0 (as with Keras's
``zero_output_for_mask``). Axes, in torch's letters: N rows, L steps, I inputs, H hidden units, K layers, D directions,
P outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from unrolled.errors import UsageError, did_you_mean
from unrolled.layers.recurrence.recomputation import Recompute
from unrolled.layers.recurrence.torch_forms import Form, Lengths, run
from unrolled.layers.recurrence.torch_layer import TorchLayer

__all__ = ["GRU", "LSTM", "RNN"]


class RNN(TorchLayer, nn.RNN):
    """`torch.nn.RNN`, with ``lengths=``.

    ::

        h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        φ = tanh or relu

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        num_layers: K ≥ 1.
        nonlinearity: ``tanh`` or ``relu``.
        bias: False leaves b_ih and b_hh out.
        batch_first: input and output are (N, L, ·) instead of (L, N, ·). States are (K·D, N, ·) either way.
        dropout: dropout rate of each layer's output except the last, 0 ≤ p ≤ 1, with the same random numbers as torch.
        bidirectional: D = 2; the output holds the forward half, then the backward half.
        device: where the weights are made.
        dtype: of the weights; input and state must have it too.
        proj_size: 0; only an LSTM has projections.
        recompute: n, to save memory on long rows: keep only every n-th state (``"sqrt"``: n = √L, rounded up), and
            compute the steps in between again in the backward pass. Same outputs, about a third more time.

    Shape:
        input (L, N, I), or a single row (L, I), or a `PackedSequence`; lengths (N,) integers, 0 … L, in any order,
        or mask (N, L) bool, True at a real step -> output (L, N, D·H) in the form of the input, 0 at every other step,
        and h_n (K·D, N, H), after each row's last real step (backward: its first). For a single row without N.

    Raises:
        UsageError: an argument out of range; as a `WrongType`, one of the wrong type.
        ShapeError: input, hx, lengths or mask does not fit; no steps (L = 0); a packed sequence not made by torch.

    Cost:
        D·H(I + H) multiply-adds per row, real step and layer: on a CPU, the kernels skip padding. The plain
        path computes it, but never uses it.

    References:
        Elman 1990, https://doi.org/10.1207/s15516709cog1402_1;
        https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html

    Example:
        >>> layer = RNN(3, 8, batch_first=True)
        >>> y, h = layer(torch.randn(2, 5, 3), lengths=[5, 2])
        >>> y.shape, h.shape, y[1, 2:].abs().sum().item(), torch.equal(h[0, 1], y[1, 1])
        (torch.Size([2, 5, 8]), torch.Size([1, 2, 8]), 0.0, True)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        proj_size: int = 0,
        recompute: Recompute = None,
    ) -> None:
        if nonlinearity not in (known := ("tanh", "relu")):
            raise UsageError(f"unknown nonlinearity {nonlinearity!r}.{did_you_mean(str(nonlinearity), known)}")
        options = (bias, batch_first, dropout, bidirectional)
        Form(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, *options, proj_size, recompute)
        super().__init__(input_size, hidden_size, num_layers, nonlinearity, *options, device=device, dtype=dtype)
        self.recompute = recompute

    def forward(  # type: ignore[override]  # torch.nn's stub has two overloads and no lengths
        self,
        input: Tensor | PackedSequence,  # noqa: A002 (torch's name)
        hx: Tensor | None = None,
        lengths: Lengths = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """``output, h_n`` as ``torch.nn.RNN`` gives them."""
        output, (h_n,) = run(self, input, None if hx is None else (hx,), lengths, mask)
        return output, h_n


class GRU(TorchLayer, nn.GRU):
    """`torch.nn.GRU`, with ``lengths=``.

    ::

        r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
        z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
        n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t-1} + b_hn))
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        num_layers: K ≥ 1.
        bias: False leaves b_ih and b_hh out.
        batch_first: input and output are (N, L, ·) instead of (L, N, ·). States are (K·D, N, ·) either way.
        dropout: dropout rate of each layer's output except the last, 0 ≤ p ≤ 1, with the same random numbers as torch.
        bidirectional: D = 2; the output holds the forward half, then the backward half.
        device: where the weights are made.
        dtype: of the weights; input and state must have it too.
        proj_size: 0; only an LSTM has projections.
        recompute: n, to save memory on long rows: keep only every n-th state (``"sqrt"``: n = √L, rounded up), and
            compute the steps in between again in the backward pass. Same outputs, about a third more time.

    Shape:
        input (L, N, I), or a single row (L, I), or a `PackedSequence`; lengths (N,) integers, 0 … L, in any order,
        or mask (N, L) bool, True at a real step -> output (L, N, D·H) in the form of the input, 0 at every other step,
        and h_n (K·D, N, H), after each row's last real step (backward: its first). For a single row without N.

    Raises:
        UsageError: an argument out of range; as a `WrongType`, one of the wrong type.
        ShapeError: input, hx, lengths or mask does not fit; no steps (L = 0); a packed sequence not made by torch.

    Cost:
        3D·H(I + H) multiply-adds per row, real step and layer: on a CPU, the kernels skip padding. The plain
        path computes it, but never uses it.

    References:
        Cho et al. 2014, https://arxiv.org/abs/1406.1078;
        https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html

    Example:
        >>> layer = GRU(3, 8, batch_first=True)
        >>> y, h = layer(torch.randn(2, 5, 3), lengths=[5, 2])
        >>> y.shape, h.shape, y[1, 2:].abs().sum().item(), torch.equal(h[0, 1], y[1, 1])
        (torch.Size([2, 5, 8]), torch.Size([1, 2, 8]), 0.0, True)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        proj_size: int = 0,
        recompute: Recompute = None,
    ) -> None:
        options = (bias, batch_first, dropout, bidirectional)
        Form("GRU", input_size, hidden_size, num_layers, *options, proj_size, recompute)
        super().__init__(input_size, hidden_size, num_layers, *options, device=device, dtype=dtype)
        self.recompute = recompute

    def forward(  # type: ignore[override]  # torch.nn's stub has two overloads and no lengths
        self,
        input: Tensor | PackedSequence,  # noqa: A002 (torch's name)
        hx: Tensor | None = None,
        lengths: Lengths = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """``output, h_n`` as ``torch.nn.GRU`` gives them."""
        output, (h_n,) = run(self, input, None if hx is None else (hx,), lengths, mask)
        return output, h_n


class LSTM(TorchLayer, nn.LSTM):
    """`torch.nn.LSTM`, with ``lengths=``.

    ::

        i_t = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
        f_t = σ(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
        g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
        o_t = σ(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)                  with proj_size  h_t = W_hr (o_t ⊙ tanh(c_t))

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        num_layers: K ≥ 1.
        bias: False leaves b_ih and b_hh out.
        batch_first: input and output are (N, L, ·) instead of (L, N, ·). States are (K·D, N, ·) either way.
        dropout: dropout rate of each layer's output except the last, 0 ≤ p ≤ 1, with the same random numbers as torch.
        bidirectional: D = 2; the output holds the forward half, then the backward half.
        proj_size: P, 0 ≤ P < H; 0: no projection, P = H.
        device: where the weights are made.
        dtype: of the weights; input and state must have it too.
        recompute: n, to save memory on long rows: keep only every n-th state (``"sqrt"``: n = √L, rounded up), and
            compute the steps in between again in the backward pass. Same outputs, about a third more time.

    Shape:
        input (L, N, I), or a single row (L, I), or a `PackedSequence`; lengths (N,) integers, 0 … L, in any order,
        or mask (N, L) bool, True at a real step -> output (L, N, D·P) in the form of the input, 0 at every other step,
        and (h_n (K·D, N, P), c_n (K·D, N, H)), after each row's last real step (backward: its first). For a single row
        without N.

    Raises:
        UsageError: an argument out of range; as a `WrongType`, one of the wrong type.
        ShapeError: input, hx, lengths or mask does not fit; no steps (L = 0); a packed sequence not made by torch.

    Cost:
        4D·H(I + H) multiply-adds per row, real step and layer: on a CPU, the kernels skip padding. The plain
        path computes it, but never uses it.

    References:
        Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735;
        the projection: Sak, Senior and Beaufays 2014, https://arxiv.org/abs/1402.1128;
        https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html

    Example:
        >>> layer = LSTM(3, 8, num_layers=2, batch_first=True)
        >>> y, (h, c) = layer(torch.randn(2, 5, 3), lengths=[5, 2])
        >>> y.shape, h.shape, y[1, 2:].abs().sum().item(), torch.equal(h[1, 1], y[1, 1])
        (torch.Size([2, 5, 8]), torch.Size([2, 2, 8]), 0.0, True)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        recompute: Recompute = None,
    ) -> None:
        options = (bias, batch_first, dropout, bidirectional, proj_size)
        Form("LSTM", input_size, hidden_size, num_layers, *options, recompute)
        super().__init__(input_size, hidden_size, num_layers, *options, device=device, dtype=dtype)
        self.recompute = recompute

    def forward(  # type: ignore[override]  # torch.nn's stub has two overloads and no lengths
        self,
        input: Tensor | PackedSequence,  # noqa: A002 (torch's name)
        hx: tuple[Tensor, Tensor] | None = None,
        lengths: Lengths = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """``output, (h_n, c_n)`` as ``torch.nn.LSTM`` gives them."""
        output, (h_n, c_n) = run(self, input, hx, lengths, mask)
        return output, (h_n, c_n)
