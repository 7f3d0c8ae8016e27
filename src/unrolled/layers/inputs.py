"""Embed all columns of a batch.

Axes: B rows, T steps, W width of a column, E of its embedding, I of all embeddings, L
letters of a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from unrolled.batch import Continuous, Discrete, Spec, Spelled
from unrolled.errors import ShapeError, UsageError, named
from unrolled.layers.embed import Embedded, Embedding, Numbers, OneHot, embed
from unrolled.layers.graph import Value, concat, is_real, where, zeroed
from unrolled.layers.lengths import check_lengths
from unrolled.layers.pretrained import PretrainedEncoder
from unrolled.program.instructions import Vector
from unrolled.program.program import Program
from unrolled.watch import show_steps

__all__ = ["InputEmbedding"]


class InputEmbedding(nn.Module):
    """Embed each column and concatenate the vectors: the input of a layer.

    ::

        x_t = [embed_1(u_t); …; embed_n(u_t)]

    Args:
        specs: input column -> its spec. A column without a time axis is repeated at every step.
        embedding: the embedding size (see `embed`).
        gain: the gain of embeddings (see `Embedding`).

    Shape:
        inputs: per column (B, T) int64 or (B, T, W) float32; without time (B,) or (B, W). Letters (B, T, L) int64.
        lengths: (B,) int64 in [0, T].
        x: (B, T, I); T is 1 if no column has a time axis. Watchers are shown the vectors of each column with a time
            axis, (B, T, E), as ``out`` of its embedding.

    Raises:
        ShapeError: a column is missing or does not fit the others, or ids are out of range.

    Cost:
        I numbers copied per row and step.

    References:
        Bengio et al. 2003, https://www.jmlr.org/papers/v3/bengio03a.html

    Example:
        >>> columns = InputEmbedding({"word": Discrete(9), "age": Continuous(1, time=False)}, embedding=4)
        >>> x, _ = columns({"word": torch.tensor([[1, 2, 3]]), "age": torch.ones(1, 1)}, torch.tensor([3]))
        >>> x.shape
        torch.Size([1, 3, 5])
    """

    def __init__(self, specs: Mapping[str, Spec], embedding: int | None, gain: float = 1.0) -> None:
        super().__init__()
        self.specs = dict(specs)
        self.embeddings = nn.ModuleList(embed(spec, embedding, gain) for spec in specs.values())
        self.output_size = sum(one.output_size for one in self._all())

    def forward(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """``x`` (B, T, I), and a mask (B, T) that is True at real steps, or ``None`` if all are."""
        steps = self._steps(inputs, lengths)
        even = bool((lengths == steps).all())
        real = None if even else torch.arange(steps, device=lengths.device) < lengths[:, None]  # (B, T)
        columns = []
        for (name, spec), embedding in zip(self.specs.items(), self._all(), strict=True):
            value = inputs[name]
            if spec.time and real is not None:
                # Padding may hold anything, NaN included: it is replaced before anything reads it.
                mask = real if isinstance(spec, Discrete) else real[..., None]
                value = torch.where(mask, value, torch.zeros((), dtype=value.dtype, device=value.device))
            if isinstance(embedding, PretrainedEncoder):
                embedded = embedding(value, real)  # (B, T, E)
            else:
                embedded = embedding(value)  # (B, T, E), or (B, E) without time
            if spec.time:
                (embedded,) = show_steps(embedding, "out", embedded)
            columns.append(embedded if spec.time else embedded[:, None].expand(-1, steps, -1))
        return torch.cat(columns, dim=-1), real

    def extra_repr(self) -> str:
        """The names of the columns, and the width of the output."""
        return f"{', '.join(self.specs)}, output_size={self.output_size}"

    def step(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """One step of each row: per column (B,) int64 or (B, W) float32, letters (B, L), to (B, I)."""
        columns = [embedding(inputs[name]) for name, embedding in zip(self.specs, self._all(), strict=True)]
        return columns[0] if len(columns) == 1 else torch.cat(columns, dim=-1)

    def graph(self, inputs: Mapping[str, Value], lengths: Value) -> Value:
        """``x`` (B, T, I) as operators, with zeros at padding."""
        timed = next((inputs[name] for name, spec in self.specs.items() if spec.time), None)
        columns = []
        for (name, spec), embedding in zip(self.specs.items(), self._all(), strict=True):
            value = inputs[name]
            if not spec.time:
                y = embedding.graph(value.unsqueeze(1))
                columns.append(y if timed is None else y.expand(1, timed.size(1), 1))
                continue
            real = is_real(value, lengths)
            mask = real if isinstance(spec, Discrete) else real.unsqueeze(2)
            columns.append(embedding.graph(where(mask, value, 0)))
        return zeroed(concat(columns, 2), lengths)

    def write_step(self, program: Program) -> Vector:
        """Write the embedding of ``program.inputs``, and return their vectors, one after another (I,).

        Raises:
            UsageError: a column is read by its letters.
        """
        columns = []
        for name, embedding in zip(self.specs, self._all(), strict=True):
            if not isinstance(embedding, Embedding | OneHot | Numbers):
                raise UsageError(
                    f"{name.partition(chr(0))[0]!r} is read by its letters, which the export to C does not have: "
                    f"train without {named('letters')}"
                )
            columns.append(embedding.write_step(program, program.inputs[name]))
        return program.joined("x", columns)

    @property
    def timed(self) -> bool:
        """Whether any column has a time axis."""
        return any(spec.time for spec in self.specs.values())

    @property
    def causal(self) -> bool:
        """Whether the vector of a step is independent of later steps."""
        return not any(isinstance(one, PretrainedEncoder) for one in self._all())

    def symbols(self) -> dict[str, tuple[str, Embedding]]:
        """Column -> the name of its weights in this module, and its `Embedding`; only columns that have one."""
        named = zip(self.specs, self._all(), strict=True)
        found = {name: (place, one) for place, (name, one) in enumerate(named) if isinstance(one, Embedding)}
        return {name: (f"embeddings.{place}.weight", one) for name, (place, one) in found.items()}

    def embedding_of(self, name: str) -> Embedded:
        """The module that embeds the column ``name``."""
        return self._all()[list(self.specs).index(name)]

    def _all(self) -> list[Embedded]:
        return cast("list[Embedded]", list(self.embeddings))

    def _steps(self, inputs: Mapping[str, Tensor], lengths: Tensor) -> int:
        """T, after a check that the columns fit each other and ``lengths``; 1 if none has a time axis."""
        steps = None
        for name, spec in self.specs.items():
            if name not in inputs:
                raise ShapeError(f"Network: column {name!r} is missing; the inputs are {', '.join(self.specs)}")
            shape, axes = inputs[name].shape, _axes(spec)
            if len(shape) != len(axes) or shape[0] != len(lengths) or (spec.time and steps not in (None, shape[1])):
                sizes = f"B = {len(lengths)}" + (f" and T = {steps}" if spec.time and steps is not None else "")
                raise ShapeError(
                    f"Network: column {name!r} has shape {tuple(shape)}, expected ({', '.join(axes)}) with {sizes}"
                )
            if spec.time:
                steps = shape[1]
                check_lengths(lengths, inputs[name], "Network")
        return 1 if steps is None else steps


def _axes(spec: Spec) -> list[str]:
    axes = ["B"]
    if spec.time:
        axes.append("T")
    if isinstance(spec, Continuous):
        axes.append("W")
    if isinstance(spec, Spelled):
        axes.append("L")
    return axes
