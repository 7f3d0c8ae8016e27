"""A temporal convolutional network: dilated causal convolutions in residual blocks.

Axes: B rows, T steps, I inputs, H hidden units, k steps in a kernel, K blocks; d the dilation of a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, dropout, linear

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import check_input
from unrolled.config import Part, option
from unrolled.errors import ShapeError, UsageError, named
from unrolled.layers.config import ModelConfig
from unrolled.layers.graph import Value, concat, zeroed
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import check_lengths, zero_padding
from unrolled.layers.modules import run
from unrolled.layers.plain_torch import Plain
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session
from unrolled.program.instructions import Gather, Push, Vector
from unrolled.program.program import Program

__all__ = ["TCN", "TCNState"]

_FURTHEST = 65_536  # steps: the state holds them all


class TCNState(NamedTuple):
    """The state of a block: the last inputs of its two convolutions, oldest first, zeros before the start.

    ``outer`` (B, (k-1)d, I), ``inner`` (B, (k-1)d, H).
    """

    outer: Tensor
    inner: Tensor


class TCN(nn.Module, Layer):
    """A stack of blocks of two causal convolutions over steps that lie ever further apart.

    ::

        z_t = relu(Σ_{j<k} U_j x_{t-jd} + b)
        y_t = relu(P x_t + relu(Σ_{j<k} V_j z_{t-jd} + c))

    Block n = 0 … K - 1 has the dilation d = 2ⁿ, and steps before the start of the row are 0 in both sums. P is the
    identity where x has H units already. The output at a step depends on it and the 2(k - 1)(2ᴷ - 1) steps before.

    The weights are not normalised, unlike those of Bai et al.: normalised ones were no better on the validation data of
    JSB Chorales (8.42 nats against 8.38), and every pass would have to compute the weights again.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        kernel: k ≥ 2 steps.
        num_layers: K ≥ 1 blocks.
        dropout: dropout rate after each convolution, 0 ≤ p < 1. It drops a unit at all steps of a row together.

    Shape:
        x (B, T, I) -> y (B, T, H), 0 beyond each row's length; lengths (B,) integers, 0 … T. The state is a tuple with
        a `TCNState` per block.

    Raises:
        UsageError: a number out of range, or blocks that look back further than 65 536 steps.
        ShapeError: x, lengths or the state does not fit.

    Cost:
        2kH² multiply-adds per block, row and step; the first block has kH(I + H), and IH for P. Whole rows run as one
        convolution of all steps. The state has (k - 1)(2ᴷ - 1)2H numbers, less where I < H, and each step copies it.

    References:
        Bai, Kolter and Koltun 2018, An empirical evaluation of generic convolutional and recurrent networks for
        sequence modeling, https://arxiv.org/abs/1803.01271

    Example:
        >>> layer = TCN(1, 8, kernel=2, num_layers=2)
        >>> layer.reach
        6
        >>> x = torch.randn(1, 10, 1)
        >>> whole, _ = layer(x)
        >>> torch.allclose(layer(x[:, 3:])[0][:, -1], whole[:, -1], atol=1e-6)
        True
    """

    causal, bidirectional = True, False

    class Options(Part):
        """The options of a temporal convolutional network."""

        kernel: int = option(
            3,
            "Steps in a kernel of a convolution; they lie 1, 2, 4, … steps apart from layer to layer.",
            ge=2,
            le=1024,
            also=("kernel_size", "ksize", "filter_size"),
        )

    def __init__(
        self, input_size: int, hidden_size: int, kernel: int = 3, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise UsageError(f"{name} must be at least 1, got {size}")
        if kernel < 2:
            raise UsageError(f"{named('kernel')} must be at least 2, got {kernel}")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout must be at least 0 and below 1, got {dropout}")
        self.input_size, self.output_size, self.kernel = input_size, hidden_size, kernel
        self.reach = 2 * (kernel - 1) * (2**num_layers - 1)  # steps before the newest that an output depends on
        if self.reach > _FURTHEST:
            raise UsageError(
                f"{num_layers} layers of kernels of {kernel} steps look back {self.reach:,} steps, and the most is "
                f"{_FURTHEST:,}: choose fewer {named('layers')} or a shorter {named('kernel')}"
            )
        sizes = [input_size] + [hidden_size] * (num_layers - 1)
        blocks = nn.ModuleList(_Block(size, hidden_size, kernel, 2**n, dropout) for n, size in enumerate(sizes))
        self.blocks: Sequence[_Block] = cast(Any, blocks)
        self.boxes = ("tcn",) * num_layers

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        """The layer that ``config`` describes."""
        return cls(input_size, config.hidden, config.of("layer", "tcn").kernel, config.layers, config.dropout)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: Sequence[TCNState] | None = None
    ) -> tuple[Tensor, tuple[TCNState, ...]]:
        """Run over whole rows, or over the next chunk of each, starting from ``state``."""
        check_input(x, "(B, T, I)", self.input_size, self._like, "TCN")
        lengths = check_lengths(lengths, x, "TCN")
        first = self.initial_state(len(x), self._like)
        y, after = zero_padding(x, lengths), []
        for block, before in zip(self.blocks, first if state is None else self._checked(state, first), strict=True):
            y, last = block(y, lengths, before)
            after.append(last)
        return zero_padding(y, lengths), tuple(after)

    def step(self, x: Tensor, state: Sequence[TCNState]) -> tuple[Tensor, tuple[TCNState, ...]]:
        """One step: ``x`` (B, I) and the state before -> ``y`` (B, H) and the state after."""
        check_input(x, "(B, I)", self.input_size, self._like, "TCN")
        y, after = self(x.unsqueeze(1), None, state)
        return y.squeeze(1), after

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {
            "input_size": self.input_size,
            "hidden_size": self.output_size,
            "kernel": self.kernel,
            "num_layers": len(self.blocks),
            "dropout": self.blocks[0].dropout.p,
        }
        return arguments(self, values)

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the layer for one row, or for ``batch`` rows; it keeps the state."""
        return layer_session(self, batch, self._like, self.step, self.initial_state)

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Layer`."""
        after: list[TCNState] = []
        for k, block in enumerate(self.blocks):
            z, outer = block.outer.graph(x, lengths, None if state is None else state[k].outer)
            y, inner = block.inner.graph(z.apply("Relu"), lengths, None if state is None else state[k].inner)
            x = (run(block.beside, x) + y.apply("Relu")).apply("Relu")
            after.append(TCNState(*cast(Any, (outer, inner))))
        return zeroed(x, lengths), tuple(after)

    def plain(self) -> Plain:
        """See `Layer`."""
        settings = {"inputs": self.input_size, "hidden": self.output_size, "kernel": self.kernel}
        return Plain("tcn", {**settings, "blocks": len(self.blocks)}, self.state_dict())

    def initial_state(self, batch: int, like: Tensor) -> tuple[TCNState, ...]:
        """No steps yet, with the dtype and device of ``like``."""
        return tuple(
            TCNState(*(like.new_zeros(batch, part.past, part.weight.shape[2]) for part in (block.outer, block.inner)))
            for block in self.blocks
        )

    def write_step(self, program: Program, x: Vector) -> Vector:
        """Write the two convolutions of each block, as linear maps of the steps that they read."""
        for number, block in enumerate(self.blocks, 1):
            z = block.outer.write_step(program, f"outer{number}", x)
            z = block.inner.write_step(program, f"inner{number}", z)
            beside = block.beside
            if isinstance(beside, nn.Linear):
                x = program.linear(f"beside{number}", beside.weight, None, x)
            y = program.local(f"block{number}", z.size)
            program.each({"y": "relu(x + z)"}, {"x": x, "z": z}, {"y": y}, y.size)
            x = y
        return x

    @property
    def _like(self) -> Tensor:
        return self.blocks[0].outer.weight

    def _checked(self, state: Sequence[TCNState], first: Sequence[TCNState]) -> Sequence[TCNState]:
        if len(state) != len(first):
            raise ShapeError(f"TCN: state has {len(state)} blocks, expected {len(first)}")
        for block, expected in zip(state, first, strict=True):
            for name, part, like in zip(TCNState._fields, block, expected, strict=True):
                if part.shape != like.shape:
                    raise ShapeError(f"TCN: state.{name} has shape {tuple(part.shape)}, expected {tuple(like.shape)}")
        return state


class _Block(nn.Module):
    """Two convolutions, and what the block read beside them."""

    def __init__(self, inputs: int, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.outer, self.inner = (_Convolution(size, width, kernel, dilation) for size in (inputs, width))
        self.beside = nn.Identity() if inputs == width else nn.Linear(inputs, width, bias=False)
        self.dropout = _DropUnits(dropout)

    def extra_repr(self) -> str:
        kernel, width = self.outer.weight.shape[1], len(self.outer.weight)
        return f"{self.outer.weight.shape[2]}, {width}, kernel={kernel}, dilation={self.outer.dilation}"

    def forward(self, x: Tensor, lengths: Tensor | None, state: TCNState) -> tuple[Tensor, TCNState]:
        z, outer = self.outer(x, lengths, state.outer)
        y, inner = self.inner(self.dropout(torch.relu(z)), lengths, state.inner)
        return torch.relu(self.beside(x) + self.dropout(torch.relu(y))), TCNState(outer, inner)


class _Convolution(nn.Module):
    """y_t = Σ_{j<k} W_j x_{t-jd} + b, and the inputs that later steps read."""

    def __init__(self, inputs: int, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation, self.past = dilation, (kernel - 1) * dilation
        self.weight = nn.Parameter(torch.empty(width, kernel, inputs))  # oldest step first
        self.bias = nn.Parameter(torch.zeros(width))
        most = (kernel * inputs) ** -0.5  # small beside what a block adds to; 2.4 times as much: 0.1 nats worse (JSB)
        nn.init.uniform_(self.weight, -most, most)

    def extra_repr(self) -> str:
        width, kernel, inputs = self.weight.shape
        return f"{inputs}, {width}, kernel={kernel}, dilation={self.dilation}"

    def forward(self, x: Tensor, lengths: Tensor | None, recent: Tensor) -> tuple[Tensor, Tensor]:
        steps = x.shape[1]
        if steps == 1 and lengths is None:  # without a convolution, and with one copy of the state
            taps = torch.cat([recent[:, :: self.dilation], x], 1).flatten(1)  # (B, kI)
            y = linear(taps, self.weight.flatten(1), self.bias)
            return y.unsqueeze(1), torch.cat([recent[:, 1:], x], 1)
        x = torch.cat([recent, x], 1)  # (B, (k-1)d + T, I)
        if steps:
            # On a CPU, up to twice as fast as a product with copies of the k steps, forward and backward.
            y = conv1d(x.transpose(1, 2), self.weight.transpose(1, 2), self.bias, dilation=self.dilation)
            y = y.transpose(1, 2)
        else:
            y = x.new_zeros(len(x), 0, len(self.bias))
        if lengths is None:
            return y, x[:, steps:].clone()  # a view would keep all of x
        rows, last = torch.arange(len(x), device=x.device), torch.arange(self.past, device=x.device)
        return y, x[rows.unsqueeze(1), lengths.unsqueeze(1) + last]

    def graph(self, x: Value, lengths: Value, recent: Value | None) -> tuple[Value, Value]:
        g = x.graph
        if recent is None:
            recent = g.constant(np.float32(0)).expand(x.size(0), self.past, self.weight.shape[2])
        x = concat([recent, x], 1)
        weight = g.constant(self.weight.transpose(1, 2))
        y = g.op("Conv", x.transpose(0, 2, 1), weight, g.constant(self.bias), dilations=[self.dilation])
        return y.transpose(0, 2, 1), x.rows(lengths.unsqueeze(1) + g.constant(np.arange(self.past)))

    def write_step(self, program: Program, name: str, x: Vector) -> Vector:
        """Write the convolution of the steps so far, with relu."""
        kernel = self.weight.shape[1]
        recent, taps = (
            program.state(f"{name}_recent", self.past * x.size + x.size),
            program.local(f"{name}_taps", kernel * x.size),
        )
        program.add(Push(recent, x))
        program.add(Gather(taps, recent, kernel, x.size, self.dilation * x.size))
        return program.linear(name, self.weight.flatten(1), self.bias, taps, "relu")


class _DropUnits(nn.Dropout):
    """Dropout of whole units: neighbouring steps are alike, so one that is dropped would be known from the next."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        return x * dropout(x.new_ones(len(x), 1, x.shape[2]), self.p)


MEMBER = TCN
