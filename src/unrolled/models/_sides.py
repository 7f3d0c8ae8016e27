"""Readers of side sequences: each becomes one vector per row, which the main sequence is read with.

Axes: B rows, S steps of a side sequence, E width of its embedded steps, H hidden, D width of all vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from unrolled.batch import Spec, lengths_of
from unrolled.layers.config import ModelConfig
from unrolled.layers.embed import Embedding
from unrolled.layers.factory import build_layer, embedding_gain
from unrolled.layers.graph import Value, concat, where
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.pooling import Pooling
from unrolled.models.model import Column, Named

__all__ = ["Sides", "apart", "read_embeddings"]


def apart(specs: Mapping[str, Spec]) -> tuple[dict[str, Spec], dict[str, dict[str, Spec]]]:
    """The columns of the main sequence, with those without time; and axis -> the columns of that side sequence.

    In its own sequence a column has time.

    Example:
        >>> from unrolled.batch import Discrete, Side
        >>> main, sides = apart({"body": Discrete(9), "title": Discrete(5, time=False, side=Side("title"))})
        >>> main, list(sides)
        ({'body': Discrete(size=9, time=True, encoder=None, side=None, appended=0)}, ['title'])
    """
    main = {name: spec for name, spec in specs.items() if spec.side is None}
    sides: dict[str, dict[str, Spec]] = {}
    for name, spec in specs.items():
        if spec.side is not None:
            sides.setdefault(spec.side.axis, {})[name] = spec
    return main, sides


class Sides(nn.Module):
    """Read every side sequence of a row, and put the vectors side by side.

    Equations:
        s = [reader_1(u); …; reader_n(w)], with reader(u) = pool(layer(embed(u_1) … embed(u_S))) for a sequence, and
        [mean; max] of embed(u_1) … embed(u_S) for a set.

    Args:
        sides: axis -> its columns.
        config: the layer and its sizes; a reader has one layer.
        pool: how the steps of a sequence become one vector.

    Shape:
        inputs: per column (B, S) int64 or (B, S, W) float32, and the lengths of each axis (B,) int64 -> (B, D).

    Cost:
        that of the layers, each over its own steps.
    """

    def __init__(
        self, sides: Mapping[str, Mapping[str, Spec]], config: ModelConfig, pool: Literal["last", "mean", "max"]
    ) -> None:
        super().__init__()
        self.readers = nn.ModuleList(_Reader(axis, specs, config, pool) for axis, specs in sides.items())
        self.output_size = sum(reader.output_size for reader in self._all())

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The vector of each row."""
        return torch.cat([reader(inputs) for reader in self._all()], 1)

    def graph(self, inputs: Mapping[str, Value], before: Value | None) -> Value:
        """The vector of each row as operators: where no side sequence has a step, that of ``before`` (B, D)."""
        lengths = [inputs[lengths_of(reader.axis)] for reader in self._all()]
        found = concat([reader.graph(inputs) for reader in self._all()], 1)
        some = lengths[0] > 0
        for one in lengths[1:]:
            some = some | (one > 0)
        return found if before is None else where(some.unsqueeze(1), found, before)

    def given(self, inputs: Mapping[str, Tensor]) -> bool:
        """Whether ``inputs`` hold side sequences, as the first step of a stream does, and a later one need not."""
        return any(lengths_of(reader.axis) in inputs for reader in self._all())

    def symbols(self) -> dict[str, tuple[str, Embedding]]:
        """Column -> the name of its weights in this module, and its `Embedding`; only columns that have one."""
        return {
            column: (f"readers.{place}.columns.{name}", one)
            for place, reader in enumerate(self._all())
            for column, (name, one) in reader.columns.symbols().items()
        }

    @property
    def longest_read(self) -> int | None:
        """The longest side sequence that can be read, in steps; ``None``: no limit."""
        limits = [reader.layer.most_steps for reader in self._all() if reader.layer is not None]
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def names(self) -> tuple[str, ...]:
        """The axes."""
        return tuple(reader.axis for reader in self._all())

    def _all(self) -> list[_Reader]:
        return list(self.readers)  # type: ignore[arg-type]


def read_embeddings(columns: InputEmbedding, sides: Sides | None) -> dict[Column, Named]:
    """The embedding of each discrete input column of a model whose modules are called ``columns`` and ``sides``."""
    found = {column: Named(f"columns.{name}", one) for column, (name, one) in columns.symbols().items()}
    if sides is not None:
        found |= {column: Named(f"sides.{name}", one) for column, (name, one) in sides.symbols().items()}
    return {("read", column): named for column, named in found.items()}


class _Reader(nn.Module):
    """Reads one side sequence."""

    def __init__(
        self, axis: str, specs: Mapping[str, Spec], config: ModelConfig, pool: Literal["last", "mean", "max"]
    ) -> None:
        super().__init__()
        self.axis = axis
        ordered = all(spec.side is None or spec.side.ordered for spec in specs.values())
        gain = embedding_gain(config.name) if ordered else 1.0
        own = {name: replace(spec, time=True, side=None) for name, spec in specs.items()}
        self.columns = InputEmbedding(own, config.embedding, gain)
        self.layer = build_layer(config.model_copy(update={"layers": 1}), self.columns.output_size) if ordered else None
        if self.layer is None:
            self.pools = [Pooling("mean"), Pooling("max")]
            self.output_size = 2 * self.columns.output_size
        else:
            self.pools = [Pooling(pool, bidirectional=self.layer.bidirectional)]
            self.output_size = self.layer.output_size
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, H), or (B, 2E) for a set; 0 for a row without steps."""
        lengths = inputs[lengths_of(self.axis)]
        y, _ = self.columns(inputs, lengths)  # (B, S, E)
        y = self.dropout(y)
        if self.layer is not None:
            y, _ = self.layer(y, lengths)  # (B, S, H)
        return torch.cat([pool(y, lengths)[0] for pool in self.pools], 1)

    def graph(self, inputs: Mapping[str, Value]) -> Value:
        """(B, H), or (B, 2E) for a set, as operators."""
        lengths = inputs[lengths_of(self.axis)]
        y = self.columns.graph(inputs, lengths)
        if self.layer is not None:
            y, _ = self.layer.graph(y, lengths, None)
        return concat([pool.graph(y, lengths, None)[0] for pool in self.pools], 1)
