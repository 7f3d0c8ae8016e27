"""The window model: a feed-forward network over the last k steps, the predecessor of recurrent networks.

Axes: B rows, T steps, I inputs, H hidden units, k the window.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, linear

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import check_input
from unrolled.config import Part, option
from unrolled.errors import ShapeError, UsageError
from unrolled.layers.config import ModelConfig
from unrolled.layers.graph import Value, concat, zeroed
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import check_lengths, zero_padding
from unrolled.layers.mlp import linear_weights, write_linear
from unrolled.layers.modules import run
from unrolled.layers.plain_torch import Plain, sizes_of
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session
from unrolled.program.instructions import Push, Vector
from unrolled.program.program import Program

__all__ = ["Window", "WindowState"]


class WindowState(NamedTuple):
    """``recent`` (B, k-1, I + 1): the last inputs, oldest first, each followed by a 1; zeros before the start."""

    recent: Tensor


class Window(nn.Module, Layer):
    """A linear map of the last k steps, then relu; it forgets all older steps.

    ::

        y_t = relu(Σ_{j<k} W_j x_{t-j} + b_j)        summed over the steps t - j that exist

    Each lag has its own bias, so that a step before the start of the row differs from an input of zeros. Further layers
    are linear with relu, applied to each step.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        window: k ≥ 1 steps.
        num_layers: ≥ 1.
        dropout: dropout rate between layers, 0 ≤ p < 1.

    Shape:
        x (B, T, I) -> y (B, T, H), 0 beyond each row's length; lengths (B,) integers, 0 … T.

    Raises:
        UsageError: a number out of range.
        ShapeError: x, lengths or the state does not fit.

    Cost:
        kH(I + 1) multiply-adds per row and step, and (k - 1)(I + 1) numbers of state. Whole rows run as one
        convolution, which does not copy the windows.

    References:
        Bengio, Ducharme and Vincent 2000, https://papers.nips.cc/paper/1839-a-neural-probabilistic-language-model;
        Waibel et al. 1989, https://doi.org/10.1109/29.21701

    Example:
        >>> layer = Window(1, 4, window=2)
        >>> whole, _ = layer(torch.tensor([[[1.0], [2.0], [3.0]]]))
        >>> late, _ = layer(torch.tensor([[[9.0], [2.0], [3.0]]]))
        >>> torch.equal(whole[:, 2], late[:, 2]), torch.equal(whole[:, 1], late[:, 1])
        (True, False)
    """

    causal, bidirectional = True, False

    class Options(Part):
        """The options of the window model."""

        window: int = option(16, "Number of steps in the window.", ge=1, le=65_536, also=("context", "n_steps"))

    def __init__(
        self, input_size: int, hidden_size: int, window: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        for name, size in (("window", window), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise UsageError(f"{name} must be at least 1, got {size}")
        self.input_size, self.output_size, self.window = input_size, hidden_size, window
        self.num_layers, self._dropout = num_layers, dropout
        self.boxes = (f"last {window} steps", *["linear"] * (num_layers - 1))
        self.weight = nn.Parameter(torch.empty(hidden_size, input_size + 1, window))  # its last input is the bias
        nn.init.kaiming_uniform_(self.weight[:, :-1], nonlinearity="relu")
        nn.init.zeros_(self.weight[:, -1])
        deeper: list[nn.Module] = []
        for _ in range(num_layers - 1):
            deeper += [nn.Dropout(dropout), nn.Linear(hidden_size, hidden_size), nn.ReLU()]
        self.deeper = nn.Sequential(*deeper)

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        """The layer that ``config`` describes."""
        return cls(input_size, config.hidden, config.of("layer", "window").window, config.layers, config.dropout)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: WindowState | None = None
    ) -> tuple[Tensor, WindowState]:
        """Run over whole rows, or over the next chunk of each."""
        lengths, x = self._after_its_past(x, lengths, state)  # (B, k + T, I + 1)
        y = conv1d(x.transpose(1, 2), self.weight.flip(2))[:, :, 1:].transpose(1, 2)  # (B, T, H)
        y = self.deeper(torch.relu(y))
        return zero_padding(y, lengths), WindowState(self._recent(x, lengths, self.window - 1))

    def last(
        self, x: Tensor, lengths: Tensor | None = None, state: WindowState | None = None
    ) -> tuple[Tensor, WindowState]:
        """`forward` that only computes the output at each row's last real step, (B, H).

        The output of a row of length 0 comes from the steps in its state.
        """
        lengths, x = self._after_its_past(x, lengths, state)
        recent = self._recent(x, lengths, self.window).flatten(1)  # (B, k(I + 1)), oldest first
        y = linear(recent, self.weight.flip(2).transpose(1, 2).flatten(1))  # (B, H)
        return self.deeper(torch.relu(y)), WindowState(self._recent(x, lengths, self.window - 1))

    def step(self, x: Tensor, state: WindowState) -> tuple[Tensor, WindowState]:
        """One step: ``x`` (B, I) and the state before -> ``y`` (B, H) and the state after."""
        check_input(x, "(B, I)", self.input_size, self.weight, "Window")
        return self.last(x.unsqueeze(1), None, state)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {
            "input_size": self.input_size,
            "hidden_size": self.output_size,
            "window": self.window,
            "num_layers": self.num_layers,
            "dropout": self._dropout,
        }
        return arguments(self, values)

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the layer for one row, or for ``batch`` rows; it keeps the state."""
        return layer_session(self, batch, self.weight, self.step, self.initial_state)

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Layer`."""
        g, wide = x.graph, self.input_size + 1
        one, nothing = (g.constant(np.float32(number)) for number in (1, 0))
        new = concat([x, one.expand(x.size(0), x.size(1), 1)], 2)  # (B, T, I + 1)
        recent = nothing.expand(x.size(0), self.window - 1, wide) if state is None else state.recent
        past = concat([recent, new], 1) if self.window > 1 else new  # (B, k - 1 + T, I + 1)
        y = g.op("Conv", past.transpose(0, 2, 1), g.constant(self.weight.flip(2))).transpose(0, 2, 1)  # (B, T, H)
        last = lengths.unsqueeze(1) + g.constant(np.arange(self.window - 1))
        after = past.rows(last) if self.window > 1 else recent
        return zeroed(run(self.deeper, y.apply("Relu")), lengths), WindowState(cast(Any, after))

    def plain(self) -> Plain:
        """See `Layer`."""
        sizes = sizes_of(self.deeper, self.output_size)
        settings = {"inputs": self.input_size, "window": self.window, "sizes": sizes}
        return Plain("window", settings, {"weight": self.weight, **linear_weights(self.deeper, "deeper")})

    def initial_state(self, batch: int, like: Tensor) -> WindowState:
        """The empty window, with the dtype and device of ``like``."""
        return WindowState(like.new_zeros(batch, self.window - 1, self.input_size + 1))

    def write_step(self, program: Program, x: Vector) -> Vector:
        """Write the map of the last k inputs, each followed by a 1 as in `WindowState`, then the deeper layers."""
        new = program.local("new", self.input_size + 1)
        program.copy(new.part(0, self.input_size), x)
        program.each({"one": "1"}, {}, {"one": new.part(self.input_size, 1)}, 1)
        recent = program.state("recent", self.window * new.size)
        program.add(Push(recent, new))
        y = program.linear("layer1", self.weight.flip(2).transpose(1, 2).flatten(1), None, recent, "relu")
        return write_linear(self.deeper, program, y, 2)

    def _after_its_past(
        self, x: Tensor, lengths: Tensor | None, state: WindowState | None
    ) -> tuple[Tensor | None, Tensor]:
        """Checked lengths, and (B, k + T, I + 1): k earlier inputs, the first always 0, then those of ``x``."""
        check_input(x, "(B, T, I)", self.input_size, self.weight, "Window")
        lengths = check_lengths(lengths, x, "Window")
        recent = (self.initial_state(len(x), x) if state is None else state).recent
        if recent.shape != (expected := (len(x), self.window - 1, self.input_size + 1)):
            raise ShapeError(f"Window: state.recent has shape {tuple(recent.shape)}, expected {expected}")
        new = torch.cat([zero_padding(x, lengths), x.new_ones(*x.shape[:2], 1)], 2)  # (B, T, I + 1)
        return lengths, torch.cat([new.new_zeros(len(x), 1, self.input_size + 1), recent, new], 1)

    def _recent(self, x: Tensor, lengths: Tensor | None, count: int) -> Tensor:
        """The last ``count`` inputs of each row of ``x`` (B, k + T, I + 1)."""
        if lengths is None:
            return x[:, x.shape[1] - count :]
        rows = torch.arange(len(x), device=x.device).unsqueeze(1)
        return x[rows, lengths.unsqueeze(1) + torch.arange(self.window - count, self.window, device=x.device)]


MEMBER = Window
