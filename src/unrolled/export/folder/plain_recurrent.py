"""Recurrent layers. Axes: B rows, T steps, I inputs, H hidden units."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from plain_steps import over_steps
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear, softplus
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class LSTM(nn.LSTM):
    """nn.LSTM, which can also run step by step."""

    def products(self, x: Tensor) -> Tensor:
        """What the input gives to the gates i, f, g, o, for any number of steps."""
        return linear(x, self.weight_ih_l0, self.bias_ih_l0)

    def step(self, of_x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        """The state after a step."""
        i, f, g, o = (of_x + linear(h, self.weight_hh_l0, self.bias_hh_l0)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class GRU(nn.GRU):
    """nn.GRU, which can also run step by step."""

    def products(self, x: Tensor) -> Tensor:
        """What the input gives to the gates r, z, n, for any number of steps."""
        return linear(x, self.weight_ih_l0, self.bias_ih_l0)

    def step(self, of_x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        """The state after a step."""
        x_r, x_z, x_n = of_x.chunk(3, -1)
        h_r, h_z, h_n = linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, -1)
        z = torch.sigmoid(x_z + h_z)
        return ((1 - z) * torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n) + z * h,)


class RNN(nn.RNN):
    """nn.RNN, which can also run step by step."""

    def products(self, x: Tensor) -> Tensor:
        """What the input gives, for any number of steps."""
        return linear(x, self.weight_ih_l0, self.bias_ih_l0)

    def step(self, of_x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        """The state after a step."""
        total = of_x + linear(h, self.weight_hh_l0, self.bias_hh_l0)
        return (torch.relu(total) if self.nonlinearity == "relu" else torch.tanh(total),)


class Weights(nn.Module):
    """A cell that torch.nn does not have: its weights, with rows for each of its gates."""

    def __init__(self, gates: int, inputs: int, hidden: int, recurrent: bool) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(gates * hidden, inputs))
        self.bias_ih = nn.Parameter(torch.empty(gates * hidden))
        if recurrent:
            self.weight_hh = nn.Parameter(torch.empty(gates * hidden, hidden))
            self.bias_hh = nn.Parameter(torch.empty(gates * hidden))

    def products(self, x: Tensor) -> Tensor:
        """What the input gives to the gates, for any number of steps."""
        return linear(x, self.weight_ih, self.bias_ih)


class MinGRU(Weights):
    """h_t = (1 - z_t) h_{t-1} + z_t n_t, where the gate z and the candidate n depend on the input only."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(2, inputs, hidden, recurrent=False)

    def step(self, of_x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        """The state after a step."""
        z, n = of_x.chunk(2, -1)
        return (torch.sigmoid(-z) * h + torch.sigmoid(z) * n,)


class MinLSTM(Weights):
    """h_t = f_t h_{t-1} + i_t n_t, where f and i depend on the input only and sum to 1."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(3, inputs, hidden, recurrent=False)

    def step(self, of_x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        """The state after a step."""
        f, i, n = of_x.chunk(3, -1)
        ratio = softplus(-i) - softplus(-f)  # log f - log i, which is right where both gates round to 0
        return (torch.sigmoid(ratio) * h + torch.sigmoid(-ratio) * n,)


class TextbookGRU(Weights):
    """A GRU whose reset gate is applied before the product with the state, unlike that of nn.GRU."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(3, inputs, hidden, recurrent=True)

    def step(self, of_x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
        """The state after a step."""
        x_r, x_z, x_n = of_x.chunk(3, -1)
        both = 2 * h.shape[-1]
        h_r, h_z = linear(h, self.weight_hh[:both], self.bias_hh[:both]).chunk(2, -1)
        z, reset = torch.sigmoid(x_z + h_z), torch.sigmoid(x_r + h_r) * h
        n = torch.tanh(x_n + linear(reset, self.weight_hh[both:], self.bias_hh[both:]))
        return ((1 - z) * n + z * h,)


class LayerNormLSTM(nn.Module):
    """An LSTM whose products and cell state are normalised; the products are summed in float64."""

    epsilon = 1e-3

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.weight_ih, self.weight_hh = (nn.Parameter(torch.empty(4 * hidden, size)) for size in (inputs, hidden))
        self.bias, self.gain_ih, self.gain_hh = (nn.Parameter(torch.empty(4 * hidden)) for _ in range(3))
        self.gain_c, self.bias_c = (nn.Parameter(torch.empty(hidden)) for _ in range(2))

    def products(self, x: Tensor) -> Tensor:
        """What the input gives to the gates i, f, g, o, normalised, for any number of steps."""
        return self._normalised(x, self.weight_ih, self.gain_ih) + self.bias

    def step(self, of_x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        """The state after a step."""
        gates = of_x + self._normalised(h, self.weight_hh, self.gain_hh)
        i, f, g, o = gates.to(c.dtype).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        read = layer_norm(c, self.gain_c.shape, self.gain_c, self.bias_c, self.epsilon)
        return torch.sigmoid(o) * torch.tanh(read), c

    def _normalised(self, x: Tensor, weight: Tensor, gain: Tensor) -> Tensor:
        product = linear(x.double(), weight.double())
        return layer_norm(product, gain.shape, gain.double(), None, self.epsilon)


CELLS: dict[str, Any] = {
    "nn.LSTM": partial(LSTM, batch_first=True),
    "nn.GRU": partial(GRU, batch_first=True),
    "nn.RNN tanh": partial(RNN, batch_first=True),
    "nn.RNN relu": partial(RNN, batch_first=True, nonlinearity="relu"),
    "MinGRU": MinGRU,
    "MinLSTM": MinLSTM,
    "TextbookGRU": TextbookGRU,
    "LayerNormLSTM": LayerNormLSTM,
}


def over_time(
    cell: Any, x: Tensor, real: Tensor, lengths: Tensor | None, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Outputs (B, T, H), and the state (B, H) after the last real step of each row.

    Args:
        cell: one layer in one direction.
        x: (B, T, I).
        real: (B, T), True at real steps.
        lengths: (B,), or ``None`` if all steps are real.
        state: the parts of the state before, each (B, H).
    """
    if not isinstance(cell, nn.RNNBase) or torch.compiler.is_exporting():  # which would fix the number of steps
        return stepped(cell, x, real, state)
    before = tuple(part.unsqueeze(0) for part in state)
    given = before if len(before) > 1 else before[0]
    if lengths is None:
        y, after = cell(x, given)
    else:
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        packed, after = cell(packed, given)
        y, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    last = after if isinstance(after, tuple) else (after,)
    some = real.any(1).unsqueeze(1)
    return y, tuple(torch.where(some, new[0], old) for new, old in zip(last, state, strict=True))


def stepped(cell: Any, x: Tensor, real: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same as `over_time`, step by step."""

    def one(before: tuple[Tensor, ...], now: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], Tensor]:
        after = cell.step(now[0], *before)
        kept = tuple(torch.where(now[1], new, old) for new, old in zip(after, before, strict=True))
        return kept, kept[0]

    after, y = over_steps(one, state, (cell.products(x), real.unsqueeze(2)))
    return y, after


class Layer(nn.Module):
    """A stack of recurrent layers, in one direction or both."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__()
        self.settings, self.directions = settings["layers"], settings["directions"]
        self.layers = nn.ModuleList(
            nn.ModuleList(CELLS[one["kind"]](one["inputs"], one["hidden"]) for _ in range(self.directions))
            for one in self.settings
        )

    def initial_state(self, rows: int, device: torch.device | str) -> dict[str, Tensor]:
        """Zeros; empty where each row is read in both directions."""
        if self.directions == 2:
            return {}
        return {
            f"layer.{k}.{name}": torch.zeros(rows, one["hidden"], device=device)
            for k, one in enumerate(self.settings)
            for name in one["state"]
        }

    def forward(
        self, x: Tensor, real: Tensor, lengths: Tensor | None, state: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Outputs (B, T, H), or (B, T, 2H) in both directions, and the state after."""
        if self.directions == 2:
            return self._both_ways(x, real, lengths), {}
        after: dict[str, Tensor] = {}
        for k, (one, (cell,)) in enumerate(zip(self.settings, self.layers, strict=True)):
            names = [f"layer.{k}.{name}" for name in one["state"]]
            x, last = over_time(cell, x, real, lengths, tuple(state[name] for name in names))
            after |= dict(zip(names, last, strict=True))
        return x, after

    def _both_ways(self, x: Tensor, real: Tensor, lengths: Tensor | None) -> Tensor:
        """Each layer reads every row forward, and from its last real step back."""
        steps = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
        back = torch.where(real, real.sum(1, keepdim=True) - 1 - steps, steps).unsqueeze(2)
        for one, (forward, backward) in zip(self.settings, self.layers, strict=True):
            zeros = tuple(x.new_zeros(x.shape[0], one["hidden"]) for _ in one["state"])
            turned = x.gather(1, back.expand(-1, -1, x.shape[2]))
            ahead, _ = over_time(forward, x, real, lengths, zeros)
            behind, _ = over_time(backward, turned, real, lengths, zeros)
            x = torch.cat([ahead, behind.gather(1, back.expand(-1, -1, behind.shape[2]))], 2)
        return x
