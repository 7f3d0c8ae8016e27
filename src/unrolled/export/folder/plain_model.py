"""A trained model in plain torch. It needs torch and safetensors, and nothing of the program that trained it.

    python model.py --check          compares with the answers of the original in example.json

    from model import load
    model = load()                                   # config.json and model.safetensors beside this file
    outputs, state = model({"x": x}, lengths)        # x (rows, steps, channels); lengths (rows,), or None
    outputs, state = model({"x": more}, state=state) # goes on where each row has ended

Axes: B rows, T steps, C channels, H hidden units.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

State = dict[str, Tensor]
TOLERANCE = 1e-5


class Symbols(nn.Embedding):
    """A vector for each symbol; ids (B, T) or (B,)."""

    def __init__(self, column: dict[str, Any]) -> None:
        super().__init__(column["size"], column["width"])


class OneHot(nn.Module):
    """1 at the symbol, 0 elsewhere; ids (B, T) or (B,)."""

    def __init__(self, column: dict[str, Any]) -> None:
        super().__init__()
        self.register_buffer("symbols", torch.arange(column["size"]), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(…, size)."""
        return (ids.unsqueeze(-1) == self.symbols).float()


class Numbers(nn.Module):
    """Numbers in their own units (…, C), standardised; NaN is missing: it becomes the mean, and is flagged."""

    def __init__(self, column: dict[str, Any]) -> None:
        super().__init__()
        self.logarithm = column["logarithm"]
        self.register_buffer("mean", torch.zeros(column["channels"], dtype=torch.float64))
        self.register_buffer("std", torch.ones(column["channels"], dtype=torch.float64))
        self.register_buffer("flagged", torch.tensor(column["flagged"], dtype=torch.int64), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(…, C and the flags)."""
        values = values.double()
        missing = values.isnan()
        shown = values.log1p() if self.logarithm else values
        z = torch.where(missing, 0.0, (shown - self.mean) / self.std)
        return torch.cat([z.float(), missing.index_select(-1, self.flagged).float()], -1)


class Vectors(nn.Module):
    """What the network reads as it is, (…, C)."""

    def __init__(self, column: dict[str, Any]) -> None:
        super().__init__()

    def forward(self, values: Tensor) -> Tensor:
        """The same, as float32."""
        return values.float()


COLUMNS = {"symbols": Symbols, "one_hot": OneHot, "numbers": Numbers, "vectors": Vectors}


def lstm_step(layer: nn.RNNBase, of_x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """A step of nn.LSTM."""
    i, f, g, o = (of_x + linear(h, layer.weight_hh_l0, layer.bias_hh_l0)).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(layer: nn.RNNBase, of_x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """A step of nn.GRU."""
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        products.chunk(3, -1) for products in (of_x, linear(h, layer.weight_hh_l0, layer.bias_hh_l0))
    )
    z = torch.sigmoid(x_z + h_z)
    return ((1 - z) * torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n) + z * h,)


def rnn_step(layer: nn.RNNBase, of_x: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """A step of nn.RNN."""
    total = of_x + linear(h, layer.weight_hh_l0, layer.bias_hh_l0)
    return (torch.relu(total) if layer.nonlinearity == "relu" else torch.tanh(total),)


CELLS = {"LSTM": (nn.LSTM, lstm_step), "GRU": (nn.GRU, gru_step), "RNN": (nn.RNN, rnn_step)}


def over_time(
    layer: nn.RNNBase, kind: str, x: Tensor, real: Tensor, lengths: Tensor | None, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Outputs (B, T, H), and the state (B, H) after the last real step of each row.

    Args:
        layer: one layer in one direction.
        kind: a key of `CELLS`.
        x: (B, T, I).
        real: (B, T), True at real steps.
        lengths: (B,), or ``None`` if all steps are real.
        state: the parts of the state before, each (B, H).
    """
    if torch.compiler.is_exporting():  # torch.nn's own layers would fix the number of steps in the exported program
        return scanned(layer, kind, x, real, state)
    before = tuple(part.unsqueeze(0) for part in state)
    given = before if len(before) > 1 else before[0]
    if lengths is None:
        y, after = layer(x, given)
    else:
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        packed, after = layer(packed, given)
        y, _ = pad_packed_sequence(packed, batch_first=True, total_length=x.shape[1])
    last = after if isinstance(after, tuple) else (after,)
    some = real.any(1).unsqueeze(1)
    return y, tuple(torch.where(some, new[0], old) for new, old in zip(last, state, strict=True))


def scanned(
    layer: nn.RNNBase, kind: str, x: Tensor, real: Tensor, state: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same step by step, in a form that torch.export keeps for any number of steps.

    Args:
        layer: one layer in one direction.
        kind: a key of `CELLS`.
        x: (B, T, I).
        real: (B, T), True at real steps.
        state: the parts of the state before, each (B, H).
    """
    from torch._higher_order_ops.scan import scan

    of_x, step = linear(x, layer.weight_ih_l0, layer.bias_ih_l0), CELLS[kind][1]

    def one(before: tuple[Tensor, ...], here: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        after = step(layer, here[0], *before)
        kept = tuple(torch.where(here[1], new, old) for new, old in zip(after, before, strict=True))
        return kept, kept[0].clone()

    steps = of_x.transpose(0, 1), real.transpose(0, 1).unsqueeze(2)
    after, y = scan(one, tuple(part.clone() for part in state), steps, dim=0)
    return y.transpose(0, 1), tuple(after)


class Model(nn.Module):
    """Columns, recurrent layers, and a linear head.

    ``forward(inputs, lengths=None, state=None)`` gives the outputs and the state after the last real step of each row.
    Padding may hold anything. With one answer per row the outputs are (B, O), else (B, T, O), 0 at padding. A model
    that reads both ways has no state.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.columns = nn.ModuleList(COLUMNS[column["kind"]](column) for column in config["columns"])
        self.layers = nn.ModuleList(
            nn.ModuleList(
                CELLS[layer["kind"]][0](
                    layer["inputs"],
                    layer["hidden"],
                    batch_first=True,
                    **({"nonlinearity": layer["nonlinearity"]} if "nonlinearity" in layer else {}),
                )
                for _ in range(layer["directions"])
            )
            for layer in config["layers"]
        )
        self.head = nn.Linear(config["width"], config["outputs"])

    def forward(
        self, inputs: dict[str, Tensor], lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Run over rows, or over the next steps of each, from ``state``."""
        first = next(inputs[column["name"]] for column in self.config["columns"] if column["time"])
        real = torch.ones_like(first if first.dim() == 2 else first[:, :, 0], dtype=torch.bool)  # (B, T)
        if lengths is not None:
            real = torch.arange(first.shape[1], device=first.device) < lengths.unsqueeze(1)
        x = self.read(inputs, real)
        if self.config["directions"] == 2:
            assert state is None, "a model that reads both ways needs whole rows, so it cannot go on from a state"
            return self.answer(self.both_ways(x, real, lengths), real, {}, {})
        before = self.initial_state(x.shape[0], x.device) if state is None else state
        after: State = {}
        for k, layer in enumerate(self.config["layers"]):
            names = [f"layer.{k}.{name}" for name in layer["state"]]
            x, last = over_time(
                self.layers[k][0], layer["kind"], x, real, lengths, tuple(before[name] for name in names)
            )
            after |= dict(zip(names, last, strict=True))
        return self.answer(x, real, before, after)

    def initial_state(self, rows: int, device: torch.device | str = "cpu") -> State:
        """The state before the first step."""
        found = {
            f"layer.{k}.{name}": torch.zeros(rows, layer["hidden"], device=device)
            for k, layer in enumerate(self.config["layers"])
            for name in layer["state"]
        }
        if self.config["pool"]:
            empty = float("-inf") if self.config["pool"] == "max" else 0.0
            found["pool.value"] = torch.full((rows, self.config["width"]), empty, device=device)
            found["pool.steps"] = torch.zeros(rows, dtype=torch.int64, device=device)
        return found

    def read(self, inputs: dict[str, Tensor], real: Tensor) -> Tensor:
        """The vectors of all columns side by side (B, T, …)."""
        found = []
        for column, module in zip(self.config["columns"], self.columns, strict=True):
            values = inputs[column["name"]]
            if column["time"]:
                mask = real if values.dim() == 2 else real.unsqueeze(2)
                found.append(module(torch.where(mask, values, torch.zeros_like(values))))
            else:
                found.append(module(values).unsqueeze(1).expand(-1, real.shape[1], -1))
        return torch.cat(found, 2)

    def both_ways(self, x: Tensor, real: Tensor, lengths: Tensor | None) -> Tensor:
        """(B, T, 2H): each layer reads every row forward, and from its last real step back."""
        steps = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
        back = torch.where(real, real.sum(1, keepdim=True) - 1 - steps, steps).unsqueeze(2)
        for layer, pair in zip(self.config["layers"], self.layers, strict=True):
            zeros = tuple(x.new_zeros(x.shape[0], layer["hidden"]) for _ in layer["state"])
            turned = x.gather(1, back.expand(-1, -1, x.shape[2]))
            ahead, _ = over_time(pair[0], layer["kind"], x, real, lengths, zeros)
            behind, _ = over_time(pair[1], layer["kind"], turned, real, lengths, zeros)
            x = torch.cat([ahead, behind.gather(1, back.expand(-1, -1, behind.shape[2]))], 2)
        return x

    def answer(self, y: Tensor, real: Tensor, before: State, after: State) -> tuple[Tensor, State]:
        """The head's outputs, after pooling if there is one answer per row."""
        kind, mask = self.config["pool"], real.unsqueeze(2)
        if not kind:
            return torch.where(mask, self.head(y), 0.0), after
        start = before or self.initial_state(y.shape[0], y.device)
        count = real.sum(1)
        if kind == "mean":
            value = start["pool.value"] + torch.where(mask, y, 0.0).sum(1)
        elif kind == "max":
            value = torch.maximum(start["pool.value"], torch.where(mask, y, float("-inf")).amax(1))
        else:
            at = (count - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, y.shape[2])
            value = y.gather(1, at).squeeze(1)
            if self.config["directions"] == 2:  # the way back ends at the first step
                half = y.shape[2] // 2
                value = torch.cat([value[:, :half], y[:, 0, half:]], 1)
            value = torch.where(count.unsqueeze(1) > 0, value, start["pool.value"])
        total = start["pool.steps"] + count
        if before:
            after = {**after, "pool.value": value, "pool.steps": total}
        some = total.unsqueeze(1)
        pooled = value / some.clamp(min=1) if kind == "mean" else torch.where(some > 0, value, 0.0)
        return self.head(pooled), after


def load(folder: str | Path = Path(__file__).parent) -> Model:
    """The model of a folder, with its weights, for answers; call ``train()`` to go on training."""
    folder = Path(folder)
    model = Model(json.loads((folder / "config.json").read_text("utf-8")))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()


def tensor_of(array: dict[str, Any]) -> Tensor:
    """A tensor that is written as its shape, its type and its numbers; null is NaN."""
    values = [float("nan") if value is None else value for value in array["values"]]
    return torch.tensor(values, dtype=getattr(torch, array["dtype"])).reshape(array["shape"])


def check(folder: str | Path = Path(__file__).parent) -> float:
    """The largest difference from the answers in example.json, relative to the largest number or to 1."""
    example = json.loads((Path(folder) / "example.json").read_text("utf-8"))
    inputs = {name: tensor_of(array) for name, array in example["inputs"].items()}
    with torch.no_grad():
        outputs, state = load(folder)(inputs, tensor_of(example["lengths"]))
    found, worst = {"outputs": outputs, **state}, 0.0
    for name, array in example["answers"].items():
        right = tensor_of(array).double()
        off = (found[name].double() - right).abs().max() / right.abs().max().clamp(min=1)
        worst = max(worst, float("inf") if off.isnan() else off.item())
    return worst


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        sys.exit("usage: python model.py --check")
    difference = check()
    print(f"largest difference from the original: {difference:.2g} (allowed: {TOLERANCE:g})")
    sys.exit(0 if difference <= TOLERANCE else 1)
