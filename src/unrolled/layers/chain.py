"""Layers one after another, with lengths, a state, and single steps. Axes: B rows, T steps, I inputs, O outputs."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import check_lengths, real_steps, zero_padding
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session, reads_the_future
from unrolled.layers.recurrence.torch_forms import Form
from unrolled.layers.recurrence.torch_layer import TorchLayer
from unrolled.state import State

__all__ = ["Chain"]

_BOTH = "a chain with a bidirectional layer"


class Chain(nn.Sequential, Layer):
    """`torch.nn.Sequential` for recurrent layers: it hands on their outputs, and keeps their states.

    ::

        y⁰ = x        yᵏ, sᵏ = layerᵏ(yᵏ⁻¹, sᵏ before)        yᵏ = mapᵏ(yᵏ⁻¹)        y = yᴷ

    torch's own `Sequential` passes the whole result of a recurrent layer, a tuple, to the next module, which cannot
    read it. `from_torch` turns such a Sequential into a Chain, and `from_keras` returns one.

    Args:
        args: layers of `unrolled.layers`, and modules that map each step by itself, such as `torch.nn.Embedding`,
            `torch.nn.Linear`, activations and dropout; or an OrderedDict of them. The chain is batch first, and so is
            its state, even where a layer in it is not.

    Shape:
        x (B, T, I), or (B, T) of integers for an embedding -> y (B, T, O), 0 beyond each row's length; lengths (B,)
        integers, 0 … T. The state is a tuple with an entry for each layer that has one.

    Raises:
        UsageError: a state or a single step where a layer sees later steps.
        ShapeError: x, lengths or the state does not fit.

    Cost:
        that of its modules.

    References:
        https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html

    Example:
        >>> from unrolled.layers.torch_compat import LSTM
        >>> chain = Chain(nn.Embedding(9, 3), LSTM(3, 8, batch_first=True), nn.Linear(8, 2))
        >>> x = torch.tensor([[1, 2, 3], [4, 5, 0]])
        >>> whole, _ = chain(x, torch.tensor([3, 2]))
        >>> y, state = chain.step(x[:, 0], None)
        >>> whole.shape, torch.allclose(whole[:, 0], y, atol=1e-6)
        (torch.Size([2, 3, 2]), True)
    """

    @property
    def bidirectional(self) -> bool:  # type: ignore[override]  # from_torch sets the class of a module that exists
        """Whether any of its layers reads in both directions."""
        return any(part.bidirectional for part in self._layers())

    @property
    def causal(self) -> bool:  # type: ignore[override]
        """Whether no layer sees a later step."""
        return all(not part.bidirectional if isinstance(part, TorchLayer) else part.causal for part in self._layers())

    @property
    def input_size(self) -> int:  # type: ignore[override]
        """I, of its first layer or linear map."""
        sizes = (getattr(part, "input_size", getattr(part, "in_features", None)) for part in self)
        return next(size for size in sizes if isinstance(size, int))

    @property
    def output_size(self) -> int:  # type: ignore[override]
        """O."""
        return next(size for part in reversed(list(self)) if (size := _width(part)) is not None)

    def forward(
        self,
        input: Tensor,  # noqa: A002 (torch's name)
        lengths: Tensor | None = None,
        state: State = None,
    ) -> tuple[Tensor, State]:
        """Run over whole rows, or over the next chunk of each, starting from ``state``."""
        layers = self._layers()
        if state is not None and not self.causal:
            raise reads_the_future(_BOTH)
        if state is not None and len(state) != len(layers):
            raise ShapeError(f"Chain: state has {len(state)} layers, expected {len(layers)}")
        lengths = check_lengths(lengths, input, "Chain")
        after: list[State] = []
        x = input if lengths is None or input.dim() > 2 else _first_symbol(input, lengths)
        x = x if x.dim() == 2 else zero_padding(x, lengths)
        for part in self:
            if not _is_layer(part):
                x = part(x)
                continue
            before = None if state is None else state[len(after)]
            x, last = _run(part, x, lengths, before) if isinstance(part, TorchLayer) else part(x, lengths, before)
            after.append(last)
        return zero_padding(x, lengths), tuple(after)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: ``x`` (B, I) or (B,), and the state before or ``None`` -> ``y`` (B, O) and the state after."""
        if not self.causal:
            raise reads_the_future(_BOTH)
        y, after = self(x.unsqueeze(1), None, state)
        return y.squeeze(1), after

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the chain for one row, or for ``batch`` rows; it keeps the state.

        Raises:
            UsageError: a layer sees later steps; the chain is in training mode, with dropout; or it begins with an
                embedding, whose steps are given to `step`.
        """
        if not self.causal:
            raise reads_the_future(_BOTH)
        if isinstance(self[0], nn.Embedding):
            raise UsageError("a session takes vectors, and this chain begins with an embedding: call its step instead")
        if self.training and any(isinstance(part, TorchLayer) and part.dropout > 0 for part in self):
            raise UsageError("Chain is in training mode, with dropout: call eval() before session()")
        return layer_session(self, batch, next(self.parameters()), self.step, self.initial_state)

    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state of ``batch`` rows before their first step, with the dtype and device of ``like``."""
        return tuple(
            tuple(like.new_zeros(batch, part.num_layers, width) for width in Form.of(part).state_widths())
            if isinstance(part, TorchLayer)
            else part.initial_state(batch, like)
            for part in self._layers()
        )

    def _layers(self) -> list[Any]:
        return [part for part in self if _is_layer(part)]


def _is_layer(part: nn.Module) -> bool:
    return isinstance(part, TorchLayer) or Layer in type(part).__mro__


def _width(part: nn.Module) -> int | None:
    """The width of the outputs of ``part``; ``None`` if it is that of its inputs."""
    if isinstance(part, TorchLayer):
        form = Form.of(part)
        return form.output_size * form.directions
    for name in ("output_size", "out_features", "embedding_dim"):
        if isinstance(size := getattr(part, name, None), int):
            return size
    return None


def _first_symbol(ids: Tensor, lengths: Tensor) -> Tensor:
    """``ids`` (B, T) with 0 beyond each row's length: an embedding may have no vector for what stands there."""
    return torch.where(real_steps(lengths, ids.shape[1]), ids, 0)


def _run(
    layer: TorchLayer, x: Tensor, lengths: Tensor | None, state: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """``layer`` on ``x`` (B, T, I), whatever its order of axes; its state is (B, K·D, ·) here."""
    before = None if state is None else tuple(part.transpose(0, 1).contiguous() for part in state)
    given = before if before is None or len(before) > 1 else before[0]
    y, after = layer(x if layer.batch_first else x.transpose(0, 1), given, lengths)
    parts = cast("tuple[Tensor, ...]", after if isinstance(after, tuple) else (after,))
    return y if layer.batch_first else y.transpose(0, 1), tuple(part.transpose(0, 1) for part in parts)
