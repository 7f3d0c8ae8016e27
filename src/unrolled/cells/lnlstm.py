"""Long short-term memory with layer normalisation. Axes: B rows, I inputs, H hidden units."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from unrolled.cells.cell import by_gate, check_step, first_weights
from unrolled.cells.lstm import LSTMState
from unrolled.layers.graph import Value
from unrolled.program.instructions import Normalise, Source, Vector
from unrolled.program.program import Program
from unrolled.watch import show

__all__ = ["LayerNormLSTM"]

EPSILON = 1e-3  # Keras's; with 1e-5 the gradient through a product of zeros, as of the first step, is 300 times itself


class LayerNormLSTM(nn.Module):
    """Long short-term memory whose products and cell state are normalised, which steadies training.

    ::

        [i; f; g; o]_t = norm(W_ih x_t) ⊙ α_ih + norm(W_hh h_{t-1}) ⊙ α_hh + b
        c_t = σ(f_t) ⊙ c_{t-1} + σ(i_t) ⊙ tanh(g_t)
        h_t = σ(o_t) ⊙ tanh(norm(c_t) ⊙ α_c + b_c)                     y_t = h_t

        norm(v) = (v - mean(v)) / √(var(v) + 10⁻³)                     over all 4H or H entries of v

    The gains α start at 1, but α_hh at ½: with 1 a small change of the state grows from step to step, and rounding with
    it. The biases start at 0, except the forget gate's, which starts at 1. c itself is not normalised.

    The products and their norms are computed in float64. A norm enlarges the rounding of small products, and the states
    of later steps enlarge it further: in float32, whose rounding depends on the number of rows, a row alone would
    differ from the same row in a batch by 10⁻⁴ after a hundred steps.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1.

    Shape:
        x (B, I), state.h and state.c (B, H), y (B, H), all with the dtype of the weights, whose rows are i, f, g, o.

    Raises:
        UsageError: a size below 1.
        ShapeError: x or the state does not fit.

    Cost:
        4H(I + H) multiply-adds in float64 per row and step, and about 30H for the norms; 2H numbers of state. There is
        no kernel; float64 makes it about twice as slow as float32 would be.

    References:
        Ba, Kiros and Hinton 2016, Layer normalization, https://arxiv.org/abs/1607.06450

    Example:
        >>> cell = LayerNormLSTM(3, 4)
        >>> y, (h, c) = cell(torch.zeros(2, 3), cell.initial_state(2, torch.zeros(())))
        >>> y.shape, c.shape
        (torch.Size([2, 4]), torch.Size([2, 4]))
    """

    plain: ClassVar[str] = "LayerNormLSTM"
    gates: ClassVar[tuple[str, ...]] = ("i", "f", "g", "o")
    equations: ClassVar[dict[str, str]] = {
        "i": "sigmoid(x_i + h_i)",
        "f": "sigmoid(x_f + h_f)",
        "g": "tanh(x_g + h_g)",
        "o": "sigmoid(x_o + h_o)",
        "c": "f * c_before + i * g",
    }

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight_ih, self.weight_hh, self.bias, _ = first_weights(4, input_size, hidden_size)
        self.gain_ih = nn.Parameter(torch.ones(4 * hidden_size))
        self.gain_hh = nn.Parameter(torch.full((4 * hidden_size,), 0.5))
        self.gain_c, self.bias_c = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))
        nn.init.ones_(self.bias[hidden_size : 2 * hidden_size])

    def forward(self, x: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """One step."""
        h, c = check_step(self, x, state)
        from_x = _product(x, self.weight_ih, self.gain_ih)
        from_h = _product(h, self.weight_hh, self.gain_hh)
        i, f, g, o = (from_x + from_h + self.bias).to(c.dtype).chunk(4, 1)
        i, f, g, o = show(self, "i f g o", torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o))
        (c,) = show(self, "c", f * c + i * g)
        read = layer_norm(c, self.gain_c.shape, self.gain_c, self.bias_c, EPSILON)
        (h,) = show(self, "h", o * torch.tanh(read))
        return h, LSTMState(h, c)

    def products(self, x: Tensor, state: LSTMState) -> dict[str, Tensor]:
        """The normalised products of each gate, the bias with the input's; h has no equation of one unit."""
        of_x = _product(x, self.weight_ih, self.gain_ih) + self.bias
        return by_gate(self.gates, of_x, _product(state.h, self.weight_hh, self.gain_hh))

    def graph(self, x: Value, state: LSTMState) -> tuple[Value, LSTMState]:
        """One step as operators: the norm mixes the units, so that no equation of one unit gives h."""
        g = x.graph
        before, cell = cast("tuple[Value, Value]", state)
        weights = (g.constant(weight.detach().T).to("f8") for weight in (self.weight_ih, self.weight_hh))
        of_x = normalised(x.to("f8") @ next(weights), self.gain_ih.double())
        of_h = normalised(before.to("f8") @ next(weights), self.gain_hh.double())
        parts = (of_x + of_h + g.constant(self.bias.double())).to("f4").split([self.hidden_size] * 4)
        i, f, new, o = (part.apply("Tanh" if at == 2 else "Sigmoid") for at, part in enumerate(parts))
        c = f * cell + i * new
        h = o * (normalised(c, self.gain_c) + g.constant(self.bias_c)).apply("Tanh")
        return h, LSTMState(cast(Any, h), cast(Any, c))

    def write_step(self, program: Program, name: str, x: Vector) -> Vector:
        """Write a step that reads ``x`` (I,), and return its output (H,): norms have no equation of one unit."""
        size = self.hidden_size
        h, c = program.state(f"{name}_h", size), program.state(f"{name}_c", size)
        values: dict[str, Source] = {}
        for of, vector, weight, gain, bias in (
            ("x", x, self.weight_ih, self.gain_ih, self.bias),
            ("h", h, self.weight_hh, self.gain_hh, None),
        ):
            product = program.local(f"{name}_{of}", 4 * size, exact=True)
            dot = program.dot(f"{name}_w{of}", weight, None, vector, exact=True)
            program.each({"y": "a"}, {"a": dot}, {"y": product}, 4 * size)
            program.add(Normalise(product, EPSILON))
            known: dict[str, Source] = {"y": product, "gain": program.constant(f"{name}_gain_{of}", gain)}
            known["bias"] = 0.0 if bias is None else program.constant(f"{name}_bias", bias)
            program.each({"z": "y * gain + bias"}, known, {"z": product}, 4 * size)
            values |= {f"{of}_{gate}": product.part(k * size, size) for k, gate in enumerate(self.gates)}
        o, read = program.local(f"{name}_o", size), program.local(f"{name}_read", size, exact=True)
        program.each(self.equations, {**values, "c_before": c}, {"c": c, "o": o}, size)
        program.copy(read, c)
        program.add(Normalise(read, EPSILON))
        values = {"o": o, "read": read, "gain": program.constant(f"{name}_gain_c", self.gain_c)}
        values["bias"] = program.constant(f"{name}_bias_c", self.bias_c)
        program.each({"h": "o * tanh(read * gain + bias)"}, values, {"h": h}, size)
        return h

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        return f"{self.input_size}, {self.hidden_size}"

    def initial_state(self, batch: int, like: Tensor) -> LSTMState:
        """Zeros of the dtype and device of ``like``."""
        zeros = like.new_zeros(batch, self.hidden_size)
        return LSTMState(zeros, zeros)

    def weights(self) -> list[Tensor]:
        """The weights, in the order of `parameters`."""
        return list(self.parameters())


def normalised(x: Value, gain: Tensor) -> Value:
    """norm(x) ⊙ α as operators."""
    off = x - x.mean(-1)
    return off / ((off * off).mean(-1) + EPSILON).apply("Sqrt") * x.graph.constant(gain)


def _product(x: Tensor, weight: Tensor, gain: Tensor) -> Tensor:
    """norm(W x) ⊙ α in float64."""
    return layer_norm(linear(x.double(), weight.double()), gain.shape, gain.double(), None, EPSILON)


MEMBER = LayerNormLSTM
