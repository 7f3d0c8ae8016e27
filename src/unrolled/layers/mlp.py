"""The multilayer perceptron, for rows without time. Axes: B rows, T steps, I inputs, H hidden."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor, nn

from unrolled.cells._arguments import arguments
from unrolled.cells.cell import check_input
from unrolled.errors import UsageError
from unrolled.layers.config import ModelConfig
from unrolled.layers.graph import Value, zeroed
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import check_lengths, zero_padding
from unrolled.layers.modules import run
from unrolled.layers.plain_torch import Plain, sizes_of
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session
from unrolled.program.instructions import Vector
from unrolled.program.program import Program

__all__ = ["MLP", "linear_weights", "write_linear"]


class MLP(nn.Module, Layer):
    """Linear maps with relu, applied to each step separately; it has no memory.

    ::

        y⁰_t = x_t        yᵏ_t = relu(W^k yᵏ⁻¹_t + b^k)

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.
        num_layers: K ≥ 1.
        dropout: dropout rate between layers, 0 ≤ p < 1.

    Shape:
        x (B, T, I) -> y (B, T, H), 0 beyond each row's length; lengths (B,) integers, 0 … T. The state is empty: ().

    Raises:
        UsageError: a number out of range.
        ShapeError: x or lengths does not fit.

    Cost:
        H(I + (K - 1)H) multiply-adds per row and step; no state.

    References:
        Rumelhart, Hinton and Williams 1986, https://doi.org/10.1038/323533a0

    Example:
        >>> import torch
        >>> y, state = MLP(3, 8)(torch.zeros(2, 1, 3))
        >>> y.shape, state
        (torch.Size([2, 1, 8]), ())
    """

    causal, bidirectional = True, False

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        for name, size in (("hidden_size", hidden_size), ("num_layers", num_layers)):
            if size < 1:
                raise UsageError(f"{name} must be at least 1, got {size}")
        self.input_size, self.output_size = input_size, hidden_size
        self.num_layers, self._dropout, self.boxes = num_layers, dropout, ("mlp",) * num_layers
        layers: list[nn.Module] = [nn.Linear(input_size, hidden_size), nn.ReLU()]
        for _ in range(num_layers - 1):
            layers += [nn.Dropout(dropout), nn.Linear(hidden_size, hidden_size), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        """The layer that ``config`` describes."""
        return cls(input_size, config.hidden, config.layers, config.dropout)

    def forward(
        self,
        x: Tensor,
        lengths: Tensor | None = None,
        state: tuple[()] = (),
    ) -> tuple[Tensor, tuple[()]]:
        """Run over whole rows, or over the next chunk of each."""
        check_input(x, "(B, T, I)", self.input_size, next(self.parameters()), "MLP")
        lengths = check_lengths(lengths, x, "MLP")
        return zero_padding(self.layers(zero_padding(x, lengths)), lengths), ()

    def step(self, x: Tensor, state: tuple[()]) -> tuple[Tensor, tuple[()]]:
        """One step: ``x`` (B, I) -> ``y`` (B, H)."""
        check_input(x, "(B, I)", self.input_size, next(self.parameters()), "MLP")
        return self.layers(x), ()

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {
            "input_size": self.input_size,
            "hidden_size": self.output_size,
            "num_layers": self.num_layers,
            "dropout": self._dropout,
        }
        return arguments(self, values)

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the layer for one row, or for ``batch`` rows."""
        return layer_session(self, batch, next(self.parameters()), self.step, self.initial_state)

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Layer`."""
        return zeroed(run(self.layers, x), lengths), ()

    def initial_state(self, batch: int, like: Tensor) -> tuple[()]:
        """The empty state."""
        return ()

    def plain(self) -> Plain:
        """See `Layer`."""
        return Plain("mlp", {"sizes": sizes_of(self.layers, self.input_size)}, linear_weights(self.layers, "layers"))

    def write_step(self, program: Program, x: Vector) -> Vector:
        """Write the linear maps, each with relu."""
        return write_linear(self.layers, program, x, 1)


def write_linear(layers: nn.Sequential, program: Program, x: Vector, first: int) -> Vector:
    """Write the linear maps of ``layers``, each with relu; the first of them is called ``layer{first}``."""
    maps = (layer for layer in layers if isinstance(layer, nn.Linear))
    for number, layer in enumerate(maps, first):
        x = program.linear(f"layer{number}", layer.weight, layer.bias, x, "relu")
    return x


def linear_weights(layers: nn.Sequential, name: str) -> dict[str, Tensor]:
    """The weights of the linear maps of ``layers``, as those of a list of the maps called ``name``."""
    maps = nn.ModuleList(layer for layer in layers if isinstance(layer, nn.Linear))
    return {f"{name}.{key}": weight for key, weight in maps.state_dict().items()}


MEMBER = MLP
