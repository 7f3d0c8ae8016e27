"""Decoders: they write one sequence while they can attend to another, the memory.

Axes: B rows, U steps written, S steps of the memory, I inputs, M width of the memory, H hidden units.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.errors import UsageError, named
from unrolled.layers.attention.attention import Attention, Kind
from unrolled.layers.attention.cache import Memory
from unrolled.layers.config import ModelConfig
from unrolled.layers.factory import build_layer, takes_memory
from unrolled.layers.graph import Value, concat
from unrolled.layers.layer import Layer
from unrolled.models._sketch import Stack, boxes_of
from unrolled.state import State, leaves, planted

__all__ = ["AttentionDecoder", "Decoder", "DecoderState", "PlainDecoder", "build_decoder"]


class Decoder(Protocol):
    """A causal layer that starts from a memory, which its state then carries."""

    output_size: int

    @property
    def most_steps(self) -> int | None:
        """The longest answer that it can write; ``None``: no limit."""

    def begin(self, memory: Tensor, lengths: Tensor) -> State:
        """The state before the first step of rows with this ``memory`` (B, S, M)."""

    def sketch(self) -> Stack:
        """The layers that a drawing of the decoder shows."""

    def __call__(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        """``x`` (B, U, I) -> ``y`` (B, U, output_size), and the state after each row's last real step."""

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x`` (B, I) -> ``y`` (B, output_size) and the state after."""

    def graph_of_beginning(self, memory: Value, lengths: Value) -> Any:
        """`begin` as operators."""

    def graph(self, x: Value, state: Any) -> tuple[Value, Value | None, Any]:
        """One step as operators: ``x`` (B, 1, I) -> ``y`` (B, 1, output_size), attention (B, S), the state after."""


@runtime_checkable
class _ReadsMemory(Protocol):
    """A layer that attends to a memory by itself."""

    def begin(self, memory: Tensor, lengths: Tensor | None = None) -> State: ...

    def graph_of_beginning(self, memory: Value, lengths: Value) -> Any: ...


class DecoderState(NamedTuple):
    """The states of the layers below and above attention, the memory, and the sum of past attention weights (B, S)."""

    lower: State
    upper: State
    memory: Memory
    covered: Tensor | None

    @property
    def ragged(self) -> tuple[str, ...]:
        """The field whose second axis is as long as the longest memory."""
        return ("covered",)


class AttentionDecoder(nn.Module):
    """Any causal layer with attention to a memory: the first layer makes the queries, the layers above read the result.

    ::

        h_u, s_u = lower(x_u, s_{u-1})
        c_u = attention(h_u, memory)                    see `Attention`
        g_u, r_u = upper([h_u; c_u], r_{u-1})           where there is more than one layer, else g_u = h_u
        y_u = [g_u; c_u]

    No step waits for the attention of the step before (no input feeding), so in training each layer runs over all
    steps at once. The layers above the first see the context.

    Args:
        config: the layer's name and sizes; ``layers`` includes the first.
        input_size: I ≥ 1.
        memory_size: M ≥ 1.
        attention: the score, see `Attention`.
        coverage: whether a score also depends on the attention that a step has received so far.

    Shape:
        x (B, U, I), memory (B, S, M) -> y (B, U, H + M).

    Raises:
        UsageError: a name that is unknown or does not fit.
        ShapeError: x, lengths or the state does not fit.

    Cost:
        that of the layers and of `Attention`: S·(H + M) multiply-adds per step in addition to its projections.

    References:
        Luong, Pham and Manning 2015, https://arxiv.org/abs/1508.04025; attention after the first layer: Wu et al. 2016,
        https://arxiv.org/abs/1609.08144

    Example:
        >>> decoder = AttentionDecoder(ModelConfig(name="gru", layers=2, hidden=8), input_size=3, memory_size=6)
        >>> state = decoder.begin(torch.randn(2, 5, 6), torch.tensor([5, 2]))
        >>> decoder(torch.randn(2, 4, 3), None, state)[0].shape
        torch.Size([2, 4, 14])
    """

    def __init__(
        self,
        config: ModelConfig,
        input_size: int,
        memory_size: int,
        attention: Kind = "scaled_dot",
        coverage: bool = False,
    ) -> None:
        super().__init__()
        self.lower = _causal(config.model_copy(update={"layers": 1}), input_size)
        width = self.lower.output_size
        self.attention = Attention(width, memory_size, attention, config.hidden, coverage)
        above = config.model_copy(update={"layers": config.layers - 1})
        self.upper = _causal(above, width + memory_size) if config.layers > 1 else None
        self.dropout = nn.Dropout(config.dropout)
        self.output_size = (width if self.upper is None else self.upper.output_size) + memory_size

    @property
    def most_steps(self) -> int | None:
        """The longest answer that it can write; ``None``: no limit."""
        return self.lower.most_steps

    def sketch(self) -> Stack:
        """All of its layers, from the lowest."""
        return Stack(boxes_of(self.lower) if self.upper is None else boxes_of(self.lower) + boxes_of(self.upper))

    def extra_repr(self) -> str:
        """The widths of the memory and of the outputs."""
        return f"memory_size={self.attention.memory_size}, output_size={self.output_size}"

    def begin(self, memory: Tensor, lengths: Tensor) -> DecoderState:
        """The state before the first step of rows with this ``memory`` (B, S, M)."""
        upper = None if self.upper is None else self.upper.initial_state(len(memory), memory)
        lower = self.lower.initial_state(len(memory), memory)
        covered = None if self.attention.coverage is None else memory.new_zeros(memory.shape[:2])
        return DecoderState(lower, upper, self.attention.project(memory, lengths), covered)

    def forward(self, x: Tensor, lengths: Tensor | None, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """All steps of a padded batch, or the next chunk of each row."""
        h, lower = self.lower(x, lengths, state.lower)  # (B, U, H)
        context, covered = self.attention.attend(h, state.memory, state.covered, lengths)  # (B, U, M)
        upper = None
        if self.upper is not None:
            h, upper = self.upper(self.dropout(torch.cat([h, context], 2)), lengths, state.upper)
        return torch.cat([h, context], 2), DecoderState(lower, upper, state.memory, covered)

    def step(self, x: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """One step: ``x`` (B, I) -> ``y`` (B, H + M)."""
        h, lower = self.lower.step(x, state.lower)
        found, covered = self.attention.attend(h.unsqueeze(1), state.memory, state.covered)
        context, upper = found.squeeze(1), None
        if self.upper is not None:
            h, upper = self.upper.step(self.dropout(torch.cat([h, context], 1)), state.upper)
        return torch.cat([h, context], 1), DecoderState(lower, upper, state.memory, covered)

    def graph_of_beginning(self, memory: Value, lengths: Value) -> DecoderState:
        """`begin` as operators."""
        lower = _first(self.lower, memory)
        upper = None if self.upper is None else _first(self.upper, memory)
        nothing = memory.graph.constant(0.0, np.float32).expand(memory.size(0), memory.size(1))
        covered = None if self.attention.coverage is None else nothing
        return DecoderState(lower, upper, self.attention.graph_of_projection(memory, lengths), cast(Any, covered))

    def graph(self, x: Value, state: DecoderState) -> tuple[Value, Value | None, DecoderState]:
        """One step as operators."""
        one = _one_step(x)
        h, lower = self.lower.graph(x, one, state.lower)
        context, weights, covered = self.attention.graph(h, state.memory, cast("Value | None", state.covered))
        upper = None
        if self.upper is not None:
            h, upper = self.upper.graph(concat([h, context], 2), one, state.upper)
        return concat([h, context], 2), weights, DecoderState(lower, upper, state.memory, cast(Any, covered))


class PlainDecoder(nn.Module):
    """A single causal layer as a decoder: it attends to the memory only if the layer does so itself.

    ::

        y_u, s_u = layer(x_u, s_{u-1})

    Args:
        layer: causal.

    Shape:
        x (B, U, I), memory (B, S, M) -> y (B, U, H).

    Raises:
        ShapeError: x, lengths or the state does not fit.

    Cost:
        that of the layer.

    References:
        Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; without attention: Cho et al. 2014,
        https://arxiv.org/abs/1406.1078

    Example:
        >>> from unrolled.layers.transformer import Transformer
        >>> decoder = PlainDecoder(Transformer(3, 8, memory_size=6))
        >>> state = decoder.begin(torch.randn(2, 5, 6), torch.tensor([5, 2]))
        >>> decoder(torch.randn(2, 4, 3), None, state)[0].shape
        torch.Size([2, 4, 8])
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.output_size, self.most_steps = layer, layer.output_size, layer.most_steps

    def sketch(self) -> Stack:
        """Its layer."""
        return Stack(boxes_of(self.layer))

    def extra_repr(self) -> str:
        """The width of the outputs."""
        return f"output_size={self.output_size}"

    def begin(self, memory: Tensor, lengths: Tensor) -> State:
        """The state before the first step of rows with this ``memory`` (B, S, M)."""
        if self.layer.memory_size is not None and isinstance(self.layer, _ReadsMemory):
            return self.layer.begin(memory, lengths)
        return self.layer.initial_state(len(memory), memory)

    def forward(self, x: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        """All steps of a padded batch, or the next chunk of each row."""
        return self.layer(x, lengths, state)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: ``x`` (B, I) -> ``y`` (B, H)."""
        return self.layer.step(x, state)

    def graph_of_beginning(self, memory: Value, lengths: Value) -> Any:
        """`begin` as operators."""
        if self.layer.memory_size is not None and isinstance(self.layer, _ReadsMemory):
            return self.layer.graph_of_beginning(memory, lengths)
        return _first(self.layer, memory)

    def graph(self, x: Value, state: Any) -> tuple[Value, Value | None, Any]:
        """One step as operators."""
        y, after = self.layer.graph(x, _one_step(x), state)
        return y, None, after


def build_decoder(
    config: ModelConfig, input_size: int, memory_size: int, attention: Kind | Literal["none"], coverage: bool
) -> Decoder:
    """The decoder that ``config`` describes.

    Args:
        config: the layer's name and sizes.
        input_size: I ≥ 1.
        memory_size: M ≥ 1.
        attention: the score of attention; ``none``: no attention.
        coverage: whether a score also depends on the attention that a step has received so far.

    Raises:
        UsageError: a name that is unknown or does not fit.
    """
    if attention == "none":
        return PlainDecoder(_causal(config, input_size))
    if takes_memory(config.name):
        return PlainDecoder(_causal(config, input_size, memory_size))
    return AttentionDecoder(config, input_size, memory_size, attention, coverage)


def _causal(config: ModelConfig, input_size: int, memory_size: int | None = None) -> Layer:
    layer = build_layer(config, input_size, memory_size)
    if not layer.causal:
        raise UsageError(
            f"{named('decoder')} = {config.name!r} reads in both directions, so it cannot write a sequence: "
            "choose a layer without 'bi'"
        )
    return layer


def _first(layer: Layer, memory: Value) -> Any:
    """The state of ``layer`` before the first step, for each row of ``memory`` (B, S, M), as values."""
    first = layer.initial_state(1, torch.zeros(()))
    parts = leaves(first, first)
    return planted(first, [memory.graph.constant(one).expand(memory.size(0), *one.shape[1:]) for one in parts])


def _one_step(x: Value) -> Value:
    """(B,) int64 of ones."""
    return x.graph.constant(np.ones(1, np.int64)).expand(x.size(0))
