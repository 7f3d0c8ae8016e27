"""A trained model in plain torch. It needs torch and safetensors, and nothing of the program that trained it.

    python model.py --check          compares with the answers of the original in example.json

    from model import load
    model = load()                                   # config.json and model.safetensors beside this file
    outputs, state = model({"x": x}, lengths)        # x (rows, steps, channels); lengths (rows,), or None
    outputs, state = model({"x": more}, state=state) # goes on where each row has ended

Axes: B rows, T steps, C channels, O outputs, F flagged channels.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from plain_recurrent import Layer
from safetensors.torch import load_file
from torch import Tensor, nn

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
    """Numbers in their own units (…, C), standardised; NaN is missing: it becomes the mean, and is flagged.

    A column may also tell for how many steps each flagged number has been missing, ``gaps`` (…, F).
    """

    def __init__(self, column: dict[str, Any]) -> None:
        super().__init__()
        self.logarithm = column["logarithm"]
        self.register_buffer("mean", torch.zeros(column["channels"], dtype=torch.float64))
        self.register_buffer("std", torch.ones(column["channels"], dtype=torch.float64))
        self.register_buffer("flagged", torch.tensor(column["flagged"], dtype=torch.int64), persistent=False)

    def forward(self, values: Tensor, gaps: Tensor | None = None) -> Tensor:
        """(…, C, the flags, and the gaps)."""
        values = values.double()
        missing = values.isnan()
        shown = values.log1p() if self.logarithm else values
        z = torch.where(missing, 0.0, (shown - self.mean) / self.std)
        parts = [z.float(), missing.index_select(-1, self.flagged).float()]
        return torch.cat(parts if gaps is None else [*parts, gaps.double().log1p().float()], -1)


class Vectors(nn.Module):
    """What the network reads as it is, (…, C)."""

    def __init__(self, column: dict[str, Any]) -> None:
        super().__init__()

    def forward(self, values: Tensor) -> Tensor:
        """The same, as float32."""
        return values.float()


COLUMNS = {"symbols": Symbols, "one_hot": OneHot, "numbers": Numbers, "vectors": Vectors}


class Model(nn.Module):
    """Columns, a layer over time, and a linear head.

    ``forward(inputs, lengths=None, state=None)`` gives the outputs and the state after the last real step of each row.
    Padding may hold anything. With one answer per row the outputs are (B, O), else (B, T, O), 0 at padding. A model
    that reads both ways has no state.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        self.columns = nn.ModuleList(COLUMNS[column["kind"]](column) for column in config["columns"])
        self.layer = Layer(config["layer"])
        self.head = nn.Linear(config["width"], config["outputs"])

    def forward(
        self, inputs: dict[str, Tensor], lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Run over rows, or over the next steps of each, from ``state``."""
        if not self.config["causal"]:
            assert state is None, "a model that reads ahead needs whole rows, so it cannot go on from a state"
        real = self.real_steps(inputs, lengths)
        x = self.read(inputs, real)
        before = self.initial_state(x.shape[0], x.device) if state is None else state
        y, after = self.layer(x, real, lengths, before)
        return self.answer(y, real, before, after)

    def initial_state(self, rows: int, device: torch.device | str = "cpu") -> State:
        """The state before the first step."""
        found: State = dict(self.layer.initial_state(rows, device))
        if self.config["pool"] and self.config["causal"]:
            found |= self.empty_pool(rows, device)
        return found

    def empty_pool(self, rows: int, device: torch.device | str) -> State:
        """What is pooled before the first step."""
        empty = float("-inf") if self.config["pool"] == "max" else 0.0
        value = torch.full((rows, self.config["width"]), empty, device=device)
        return {"pool.value": value, "pool.steps": torch.zeros(rows, dtype=torch.int64, device=device)}

    def real_steps(self, inputs: dict[str, Tensor], lengths: Tensor | None) -> Tensor:
        """(B, T), True at real steps; one step where no column has any."""
        timed = [inputs[column["name"]] for column in self.config["columns"] if column["time"]]
        if not timed:
            rows = next(iter(inputs.values()))
            return torch.ones(rows.shape[0], 1, dtype=torch.bool, device=rows.device)
        first = timed[0]
        if lengths is None:
            return torch.ones_like(first if first.dim() == 2 else first[:, :, 0], dtype=torch.bool)
        return torch.arange(first.shape[1], device=first.device) < lengths.unsqueeze(1)

    def read(self, inputs: dict[str, Tensor], real: Tensor) -> Tensor:
        """The vectors of all columns side by side (B, T, …)."""
        found = []
        for column, module in zip(self.config["columns"], self.columns, strict=True):
            given = [inputs[name] for name in (column["name"], *column["beside"])]
            if column["time"]:
                found.append(module(*(masked(values, real) for values in given)))
            else:
                found.append(module(*given).unsqueeze(1).expand(-1, real.shape[1], -1))
        return torch.cat(found, 2)

    def answer(self, y: Tensor, real: Tensor, before: State, after: State) -> tuple[Tensor, State]:
        """The head's outputs, after pooling if there is one answer per row."""
        kind, mask, causal = self.config["pool"], real.unsqueeze(2), self.config["causal"]
        if not kind:
            return torch.where(mask, self.head(y), 0.0), after
        start = before if causal else self.empty_pool(y.shape[0], y.device)
        count = real.sum(1)
        if kind == "mean":
            value = start["pool.value"] + torch.where(mask, y, 0.0).sum(1)
        elif kind == "max":
            value = torch.maximum(start["pool.value"], torch.where(mask, y, float("-inf")).amax(1))
        else:
            at = (count - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, y.shape[2])
            value = y.gather(1, at).squeeze(1)
            if self.config["both_ways"]:  # the way back ends at the first step
                half = y.shape[2] // 2
                value = torch.cat([value[:, :half], y[:, 0, half:]], 1)
            value = torch.where(count.unsqueeze(1) > 0, value, start["pool.value"])
        total = start["pool.steps"] + count
        if causal:
            after = {**after, "pool.value": value, "pool.steps": total}
        some = total.unsqueeze(1)
        pooled = value / some.clamp(min=1) if kind == "mean" else torch.where(some > 0, value, 0.0)
        return self.head(pooled), after


def masked(values: Tensor, real: Tensor) -> Tensor:
    """``values`` (B, T, …) with 0 at padding, which may hold anything."""
    return torch.where(real if values.dim() == 2 else real.unsqueeze(2), values, torch.zeros_like(values))


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
        outputs, state = load(folder)(inputs, tensor_of(example["lengths"]) if "lengths" in example else None)
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
