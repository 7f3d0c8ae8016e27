"""Recurrent layers: any cell over time, stacked, in one direction or both.

Axes: B rows, T steps, I inputs, H hidden units, D directions (1 or 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from unrolled.cells._arguments import arguments
from unrolled.cells._written_step import write_cell
from unrolled.cells.cell import Cell, is_plain
from unrolled.errors import ShapeError, UsageError, did_you_mean
from unrolled.layers.graph import Value, concat
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import check_mask, gathered, scattered
from unrolled.layers.plain_torch import Plain
from unrolled.layers.recurrence.cell_graph import cell_over_time
from unrolled.layers.recurrence.cell_stack import AnyCell, make_cells
from unrolled.layers.recurrence.layer_session import LayerSession, layer_session, reads_the_future
from unrolled.layers.recurrence.recomputation import Recompute, check_recompute
from unrolled.layers.recurrence.unroll import has_recurrent_weights, unroll
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.state import State

__all__ = ["Recurrent"]

_MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda forward, backward: torch.cat([forward, backward], 2),
    "sum": torch.add,
    "mul": torch.mul,
    "mean": lambda forward, backward: (forward + backward) / 2,
}
_MERGED: dict[str, Callable[[Value, Value], Value]] = {  # the same of values of a graph
    "concat": lambda forward, backward: concat([forward, backward], 2),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "mean": lambda forward, backward: (forward + backward) * 0.5,
}


class Recurrent(nn.Module, Layer):
    """A stack of recurrent layers that gives the same outputs over padded batches, in chunks, and step by step.

    ::

        y⁰ = x
        yᵏ_t, sᵏ_t = cellᵏ(yᵏ⁻¹_t, sᵏ_{t-1})                          one direction
        yᵏ_t = [→cellᵏ(yᵏ⁻¹_t, →sᵏ_{t-1}); ←cellᵏ(yᵏ⁻¹_t, ←sᵏ_{t+1})]    both, within each row's length

    With ``recurrent_dropout`` p, in training, every W_hh h_{t-1} becomes W_hh (m ⊙ h_{t-1}), where each unit of m is 0
    with probability p and 1 / (1 - p) otherwise. m is drawn anew for each row, layer, direction and call, and is the
    same at every step.

    Args:
        input_size: I ≥ 1.
        hidden_size: H ≥ 1, of each direction.
        cell: the name of a registered cell; your own class of cells, or any function of (input_size, hidden_size); a
            cell, which is one layer in one direction; or a list with one of these for each layer.
        num_layers: K ≥ 1; leave it at 1 for a list of cells.
        bidirectional: read each row in both directions. Such a layer sees the future, so it cannot stream.
        dropout: dropout rate between layers, 0 ≤ p < 1.
        recompute: for long rows, see `unroll`: ``None``, ``"sqrt"``, or a number of steps, at least 1.
        recurrent_dropout: p, 0 ≤ p < 1, for cells with recurrent weights: lstm, gru, rnn, irnn. Training then runs step
            by step in torch.
        merge: what becomes of the two directions' outputs in each layer: ``concat``, ``sum``, ``mul`` or ``mean``.

    Shape:
        x (B, T, I) -> y (B, T, D·H), or (B, T, H) if merged, 0 at every step that is not real; lengths (B,) integers,
        0 … T, or mask (B, T) bool, True at a real step, with holes or padding in front as well: the state passes over
        the other steps. The state is a tuple with one cell state per layer; in both directions, a (forward, backward)
        pair per layer.

    Raises:
        UsageError: an unknown cell, or cells whose sizes do not fit; a number out of range; a bidirectional layer given
            a state or a single step.
        ShapeError: x, lengths, the mask or the state does not fit.

    Cost:
        Per row and step, D times that of each cell. The memory of a step does not depend on how many came before.

    References:
        Graves 2012, https://doi.org/10.1007/978-3-642-24797-2; both directions: Schuster and Paliwal 1997,
        https://doi.org/10.1109/78.650093; recurrent dropout: Gal and Ghahramani 2016,
        https://arxiv.org/abs/1512.05287

    Example:
        >>> layer = Recurrent(3, 8, cell="gru", num_layers=2)
        >>> x = torch.randn(2, 5, 3)
        >>> whole, _ = layer(x)
        >>> first, state = layer(x[:, :4])
        >>> fifth, state = layer.step(x[:, 4], state)
        >>> torch.allclose(whole[:, 4], fifth, atol=1e-6)
        True

        A cell is a step and a first state. Your own works wherever a name does:

        >>> class Leaky(nn.Module):
        ...     def __init__(self, input_size, hidden_size):
        ...         super().__init__()
        ...         self.input_size, self.hidden_size = input_size, hidden_size
        ...         self.linear, self.keep = nn.Linear(input_size, hidden_size), nn.Parameter(torch.zeros(hidden_size))
        ...     def forward(self, x, h):
        ...         h = torch.lerp(self.linear(x).tanh(), h, self.keep.sigmoid())
        ...         return h, h
        ...     def initial_state(self, batch, like):
        ...         return like.new_zeros(batch, self.hidden_size)
        >>> Recurrent(3, 8, cell=Leaky, num_layers=2, bidirectional=True)(x, torch.tensor([5, 2]))[0].shape
        torch.Size([2, 5, 16])
        >>> Recurrent(3, 8, cell=[Leaky(3, 16), "lstm"])(x)[0].shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        cell: AnyCell | Sequence[AnyCell] = "lstm",
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        *,
        recompute: Recompute = None,
        recurrent_dropout: float = 0.0,
        merge: Literal["concat", "sum", "mul", "mean"] = "concat",
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise UsageError(f"num_layers must be at least 1, got {num_layers}")
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout must be at least 0 and below 1, got {dropout}")
        if merge not in _MERGES:
            raise UsageError(f"unknown merge {merge!r}.{did_you_mean(str(merge), _MERGES)}")
        check_recompute(recompute)
        directions, merged = 2 if bidirectional else 1, merge != "concat"
        self.input_size, self.output_size = input_size, hidden_size * (1 if merged else directions)
        self.bidirectional, self.causal = bidirectional, not bidirectional
        self.hidden_size, self.cell = hidden_size, cell if isinstance(cell, str) else None
        stack: Any = make_cells(input_size, hidden_size, cell, num_layers, directions, merged)
        # layers[k][0] reads forward; layers[k][1], if there is one, backward.
        self.layers: Sequence[Sequence[Cell]] = cast(Any, nn.ModuleList(map(nn.ModuleList, stack)))
        self.dropout, self.recompute = nn.Dropout(dropout), recompute
        self.recurrent_dropout, self.merge = recurrent_dropout, merge
        self._check_recurrent_dropout()
        self.boxes = tuple(self.cell or type(cells[0]).__name__ for cells in self.layers)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: State = None, *, mask: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Run over whole rows, or over the next chunk of each, starting from ``state``."""
        if mask is not None:
            check_mask(mask, lengths is not None, x, "Recurrent")
            x, lengths = gathered(x, mask)
            y, state = self(x, lengths, state)
            return scattered(y, mask), state
        if self.bidirectional and state is not None:
            raise reads_the_future("a bidirectional layer")
        self._check_layers(state)
        after = []
        for k, cells in enumerate(self.layers):
            x = self.dropout(x) if k > 0 else x
            before = None if state is None else state[k]
            runs = [
                unroll(cell, x, lengths, before, reverse=d == 1, recompute=self.recompute, kept=self._kept(cell, x))
                for d, cell in enumerate(cells)
            ]
            ys, lasts = zip(*runs, strict=True)
            x = _MERGES[self.merge](*ys) if self.bidirectional else ys[0]  # (B, T, D·H)
            after.append(lasts if self.bidirectional else lasts[0])
        return x, tuple(after)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: ``x`` (B, I) and the state before, or ``None`` -> ``y`` (B, H) and the state after.

        In training with ``recurrent_dropout`` a step draws its own m, so give whole rows to `forward` then.
        """
        if self.bidirectional:
            raise reads_the_future("a bidirectional layer")
        if state is None:
            state = self.initial_state(x.shape[0], x)
        self._check_layers(state)
        after = []
        for k, (cell,) in enumerate(self.layers):
            x = self.dropout(x) if k > 0 else x
            if (kept := self._kept(cell, x)) is None:
                x, last = cell(x, state[k])
            else:
                y, last = unroll(cell, x.unsqueeze(1), None, state[k], kept=kept)
                x = y.squeeze(1)
            after.append(last)
        return x, tuple(after)

    def extra_repr(self) -> str:
        """The constructor's arguments."""
        values = {
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            **({} if self.cell is None else {"cell": self.cell}),  # other cells are printed as submodules
            "num_layers": len(self.layers),
            "bidirectional": self.bidirectional,
            "dropout": self.dropout.p,
            "recompute": self.recompute,
            "recurrent_dropout": self.recurrent_dropout,
            "merge": self.merge,
        }
        return arguments(self, values)

    def session(self, batch: int | None = None) -> LayerSession:
        """A live session of the layer for one row, or for ``batch`` rows; it keeps packed weights and the state."""
        if self.bidirectional:
            raise reads_the_future("a bidirectional layer")
        if self.training and self.recurrent_dropout > 0:
            raise UsageError("Recurrent is in training mode, with recurrent_dropout: call eval() before session()")
        cells = [cell for (cell,) in self.layers]
        like = next(self.parameters(), torch.empty(0))
        return layer_session(self, batch, like, self.step, self.initial_state, cells)

    def initial_state(self, batch: int, like: Tensor) -> State:
        """The state of ``batch`` rows before their first step, with the dtype and device of ``like``."""
        states = [tuple(cell.initial_state(batch, like) for cell in cells) for cells in self.layers]
        return tuple(pair if self.bidirectional else pair[0] for pair in states)

    def graph(self, x: Value, lengths: Value, state: Any) -> tuple[Value, Any]:
        """See `Layer`."""
        after = []
        for k, cells in enumerate(self.layers):
            before = None if state is None else state[k]
            runs = [cell_over_time(cell, x, lengths, before, reverse=d == 1) for d, cell in enumerate(cells)]
            ys, lasts = zip(*runs, strict=True)
            x = _MERGED[self.merge](*ys) if self.bidirectional else ys[0]
            after.append(lasts if self.bidirectional else lasts[0])
        return x, tuple(after)

    def plain(self) -> Plain:
        """See `Layer`."""
        if self.bidirectional and self.merge != "concat":
            raise UsageError(f"directions that are merged by {self.merge!r} cannot be exported to torch")
        layers, weights = list[dict[str, Any]](), dict[str, Tensor]()
        for k, cells in enumerate(self.layers):
            kind = ""
            for d, cell in enumerate(cells):
                if not is_plain(cell):
                    name = type(cell).__name__
                    raise UsageError(f"the cell {name} is not one that the export to torch has: export it to onnx")
                kind = cell.plain
                behind = "_l0" if kind.startswith("nn.") else ""  # the name that torch.nn gives to weights
                weights |= {f"layers.{k}.{d}.{name}{behind}": one for name, one in cell.state_dict().items()}
            like: Any = cells[0].initial_state(1, torch.zeros(()))
            sizes = {"inputs": cells[0].input_size, "hidden": cells[0].hidden_size, "state": list(like._fields)}
            layers.append({"kind": kind, **sizes})
        return Plain("recurrent", {"layers": layers, "directions": 2 if self.bidirectional else 1}, weights)

    def write_step(self, program: Program, x: Vector) -> Vector:
        """Write a step of each cell, one after another (see `unrolled.cells._written_step`)."""
        if self.bidirectional:
            raise reads_the_future("a bidirectional layer")
        for number, (cell,) in enumerate(self.layers, 1):
            x = write_cell(cell, program, f"layer{number}", x)
        return x

    def _check_recurrent_dropout(self) -> None:
        if not 0 <= self.recurrent_dropout < 1:
            raise UsageError(f"recurrent_dropout must be at least 0 and below 1, got {self.recurrent_dropout}")
        for number, (cell, *_) in enumerate(self.layers, 1):
            if self.recurrent_dropout > 0 and not has_recurrent_weights(cell):
                raise UsageError(
                    f"recurrent_dropout drops what the recurrent weights read; layer {number}, {type(cell).__name__}, "
                    "has no such weights, or of a kind unknown here: leave it at 0"
                )

    def _kept(self, cell: Cell, x: Tensor) -> Tensor | None:
        """(B, H): m of the recurrent dropout of ``cell``, or ``None`` if nothing is dropped."""
        if not self.training or self.recurrent_dropout == 0:
            return None
        return nn.functional.dropout(x.new_ones(x.shape[0], cell.hidden_size), self.recurrent_dropout)

    def _check_layers(self, state: State) -> None:
        if state is not None and len(state) != len(self.layers):
            raise ShapeError(f"Recurrent: state has {len(state)} layers, expected {len(self.layers)}")
