"""The interface of a cell, and what all cells share: initial weights and checks.

Axes: B rows, I inputs, H hidden units, G gates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor, nn

from unrolled.errors import ShapeError, UsageError
from unrolled.layers.graph import Value
from unrolled.registry import Registry
from unrolled.state import State

__all__ = [
    "CELLS",
    "Cell",
    "DrawnCell",
    "ExplainedCell",
    "FusedCell",
    "Operator",
    "PlainCell",
    "WrittenCell",
    "by_gate",
    "check_input",
    "check_step",
    "first_input_weights",
    "first_weights",
    "is_drawn",
    "is_explained",
    "is_fused",
    "is_mixed",
    "is_plain",
    "is_written",
    "one_weight",
]

CELLS = Registry("cell")


class Cell(Protocol):
    """One step of a recurrence: ``y, state = cell(x, state)``; the cell itself keeps no state.

    A layer needs nothing else to run a cell over time. The state is any nesting of tensors that `unrolled.state`
    accepts, with the batch as axis 0; the built-in cells use named tuples.
    """

    @property
    def input_size(self) -> int:
        """I."""

    @property
    def hidden_size(self) -> int:
        """H."""

    def __call__(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """``x`` (B, I) and the state before -> ``y`` (B, H) and the state after."""

    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state of ``batch`` rows before their first step, with the dtype and device of ``like``."""


class FusedCell(Cell, Protocol):
    """A cell with a fused implementation: a kernel or torch's own loop. Its state is a named tuple of parts (B, H)."""

    @property
    def kernel(self) -> str | None:
        """The name of the fused implementation, the same as in ``torch._VF``, or ``None``."""

    def weights(self) -> list[Tensor]:
        """The weights, in the order of the fused implementation's arguments."""


class ExplainedCell(Cell, Protocol):
    """A cell that says how what it shows follows from its input and state, so that a reader can check the numbers."""

    @property
    def equations(self) -> Mapping[str, str]:
        """A value that the cell shows -> its equation, in the order in which they are computed.

        An equation is an expression of other values, numbers, ``+ - * /`` and the functions that
        `unrolled.cells.equations` knows. ``c_before`` is c before the step; the other names are those of
        `products`.
        """

    def products(self, x: Tensor, state: State) -> Mapping[str, Tensor]:
        """What the weights make of ``x`` (B, I) and of the state before the step, by name: each (B, H)."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The ONNX operator that runs a cell over time.

    Attributes:
        name: ``LSTM``, ``GRU`` or ``RNN``.
        gates: the cell's names of its gates, in the operator's order, which is not that of the cell's weights.
        activations: those that differ from the operator's defaults.
        attributes: further attributes.
    """

    name: str
    gates: tuple[str, ...]
    activations: tuple[str, ...] = ()
    attributes: Mapping[str, int] = field(default_factory=dict)


class WrittenCell(FusedCell, Protocol):
    """A cell that an operator of ONNX runs over time; its weights are those of `first_weights`."""

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the gates, in the order of the rows of the weights."""

    @property
    def operator(self) -> Operator:
        """The operator, with the order of its gates."""


class DrawnCell(Cell, Protocol):
    """A cell that writes its step into a graph, since neither an operator nor equations of single units give it."""

    def graph(self, x: Value, state: Any) -> tuple[Value, Any]:
        """``x`` (B, I) and the state before, a tree of values, -> ``y`` (B, H) and the state after."""


class PlainCell(Cell, Protocol):
    """A cell that the export to torch has, in ``export/folder/plain_recurrent.py``."""

    @property
    def plain(self) -> str:
        """Its name there; ``nn.`` where a layer of torch.nn computes the same with the same weights."""

    def state_dict(self) -> dict[str, Tensor]:
        """Its weights."""


def is_plain(cell: object) -> TypeGuard[PlainCell]:
    """Whether the export to torch has ``cell``."""
    return isinstance(getattr(cell, "plain", None), str)


def is_written(cell: object) -> TypeGuard[WrittenCell]:
    """Whether an operator of ONNX runs ``cell`` over time."""
    return isinstance(getattr(cell, "operator", None), Operator)


def is_drawn(cell: object) -> TypeGuard[DrawnCell]:
    """Whether ``cell`` writes its own step into a graph."""
    return callable(getattr(cell, "graph", None))


def is_explained(cell: object) -> TypeGuard[ExplainedCell]:
    """Whether ``cell`` declares its equations."""
    return isinstance(getattr(cell, "equations", None), Mapping)


def by_gate(gates: Sequence[str], of_x: Tensor, of_h: Tensor | None = None) -> dict[str, Tensor]:
    """Products of all gates, (B, G·H), by name: ``x_f`` is the forget gate's part of ``of_x``, ``h_f`` of ``of_h``."""
    both = {"x": of_x} if of_h is None else {"x": of_x, "h": of_h}
    return {
        f"{name}_{gate}": part
        for name, product in both.items()
        for gate, part in zip(gates, product.chunk(len(gates), -1), strict=True)
    }


def is_fused(cell: Cell) -> TypeGuard[FusedCell]:
    """Whether ``cell`` has a fused implementation."""
    return isinstance(getattr(cell, "kernel", None), str)


def one_weight(cell: Cell) -> Tensor | None:
    """A weight of ``cell``, for dtype and device; ``None`` if it has none."""
    if is_fused(cell):
        return cell.weights()[0]
    return next(cell.parameters(), None) if isinstance(cell, nn.Module) else None


def first_weights(gates: int, input_size: int, hidden_size: int) -> list[nn.Parameter]:
    """Initial weights ``[weight_ih (G·H, I), weight_hh (G·H, H), bias_ih (G·H,), bias_hh (G·H,)]``.

    Each gate of ``weight_ih`` is Glorot-uniform; each gate of ``weight_hh`` is orthogonal, so that at first a gradient
    neither grows nor shrinks on its way back; biases are 0.

    References:
        Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html;
        Saxe, McClelland and Ganguli 2014, https://arxiv.org/abs/1312.6120

    Raises:
        UsageError: a size below 1.
    """
    weight_ih, bias_ih = first_input_weights(gates, input_size, hidden_size)
    weight_hh = torch.empty(gates * hidden_size, hidden_size)
    for gate in weight_hh.chunk(gates):
        nn.init.orthogonal_(gate)
    return [weight_ih, nn.Parameter(weight_hh), bias_ih, nn.Parameter(torch.zeros(gates * hidden_size))]


def first_input_weights(gates: int, input_size: int, hidden_size: int) -> list[nn.Parameter]:
    """``[weight_ih, bias_ih]`` as in `first_weights`, for a cell whose gates see only the input.

    Raises:
        UsageError: a size below 1.
    """
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
        if size < 1:
            raise UsageError(f"{name} must be at least 1, got {size}")
    weight_ih = torch.empty(gates * hidden_size, input_size)
    for gate in weight_ih.chunk(gates):
        nn.init.xavier_uniform_(gate)
    return [nn.Parameter(weight_ih), nn.Parameter(torch.zeros(gates * hidden_size))]


def check_input(x: Tensor, axes: str, size: int, weight: Tensor | None, owner: str) -> None:
    """Raise a `ShapeError` unless ``x`` fits.

    Args:
        x: an input.
        axes: the expected axes, such as ``(B, T, I)``; the last is I.
        size: I.
        weight: a weight of the module, for its dtype and device; ``None`` if it has no weights.
        owner: the name of the module in messages.
    """
    if x.dim() != axes.count(",") + 1 or x.shape[-1] != size:
        raise ShapeError(f"{owner}: x has shape {tuple(x.shape)}, expected {axes} with I = {size}")
    if weight is None:
        return
    if x.device != weight.device:
        raise ShapeError(f"{owner}: x is on {x.device} and the weights are on {weight.device}: move one of them")
    if x.dtype != weight.dtype and not is_mixed(x.device):
        raise ShapeError(f"{owner}: x is {x.dtype} and the weights are {weight.dtype}: convert one of them")


def is_mixed(device: torch.device) -> bool:
    """Whether autocast is on for ``device``, so that dtypes may differ; torch raises an error for the meta device."""
    return device.type != "meta" and torch.is_autocast_enabled(device.type)


def check_step(cell: Cell, x: Tensor, state: State) -> State:
    """Check that ``state`` and ``x`` (B, I) fit ``cell``; return the parts of ``state``.

    Raises:
        ShapeError: they do not fit; torch would silently broadcast a state of another batch size.
    """
    owner = type(cell).__name__
    check_input(x, "(B, I)", cell.input_size, one_weight(cell), owner)
    expected = (x.shape[0], cell.hidden_size)
    for part in state:
        if part.shape != expected:
            raise ShapeError(f"{owner}: state has shape {tuple(part.shape)}, expected {expected}, one row per row of x")
    return state
