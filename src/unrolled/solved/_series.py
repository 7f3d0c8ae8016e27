"""The channels of a row's series as one tensor, and what a row says beside them, for the solved models of series.

Axes: B rows, T steps, W width, C channels, R numbers of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from unrolled.batch import Continuous, Discrete, Spec
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Flagged, Numbers
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.layers.graph import Value, concat
from unrolled.solved._known import filled_graph, flagged_graph

__all__ = ["RowNumbers", "SeriesColumns"]

_MOST_CLASSES = 256  # of a category that is read as one number for each


class _Column(NamedTuple):
    """A column of numbers over time: its first ``values`` numbers are values, then come the flags of ``flagged``."""

    name: str
    values: int
    flagged: tuple[int, ...]


class SeriesColumns:
    """All columns of numbers over time, as channels side by side; a missing value is the last known one, or 0.

    Args:
        coder: gives the inputs.
    """

    def __init__(self, coder: Preprocessor) -> None:
        self._columns = [
            _column(name, spec, coder.inputs[name])
            for name, spec in coder.specs.items()
            if isinstance(spec, Continuous) and spec.time
        ]
        self.count = sum(column.values for column in self._columns)

    def read(self, inputs: dict[str, Tensor], before: Tensor) -> Tensor:
        """(B, T, C), from columns (B, T, W); ``before`` (B, C) is the step before the first one."""
        return torch.cat(
            [
                _filled(inputs[column.name], column, part)
                for column, part in zip(
                    self._columns, torch.split(before, [c.values for c in self._columns], 1), strict=True
                )
            ],
            2,
        )

    def graph(self, inputs: Mapping[str, Value], before: Value) -> Value:
        """`read` as operators."""
        parts = []
        sizes = [column.values for column in self._columns]
        for column, first in zip(self._columns, before.split(sizes), strict=True):
            values, gone = flagged_graph(inputs[column.name], column.values, column.flagged)
            parts.append(filled_graph(values, gone, first))
        return concat(parts, 2)


class RowNumbers:
    """What a row says once: its numbers, and its categories as one number for each that it may be.

    Args:
        coder: gives the inputs. Categories of more than 256 are not read.
    """

    def __init__(self, coder: Preprocessor) -> None:
        self._specs = dict(_of_rows(coder.specs))
        self.count = sum(spec.size if isinstance(spec, Discrete) else spec.width for spec in self._specs.values())

    def read(self, inputs: dict[str, Tensor], like: Tensor) -> Tensor:
        """(B, R), from columns (B,) and (B, W); ``like`` (B, …) gives dtype and device."""
        parts = [like.new_zeros(len(like), 0)]
        for name, spec in self._specs.items():
            value = inputs[name]
            parts.append((F.one_hot(value, spec.size) if isinstance(spec, Discrete) else value).to(like.dtype))
        return torch.cat(parts, 1)

    def graph(self, inputs: Mapping[str, Value]) -> list[Value]:
        """`read` as operators: the parts (B, R) of each column."""
        parts = []
        for name, spec in self._specs.items():
            value = inputs[name]
            if isinstance(spec, Discrete):
                g = value.graph
                ends = g.constant(np.array([0, 1], np.float32))
                value = g.op("OneHot", value, g.sizes(spec.size), ends, dtype=np.float32)
            parts.append(value)
        return parts


def _of_rows(specs: Mapping[str, Spec]) -> Iterator[tuple[str, Continuous | Discrete]]:
    for name, spec in specs.items():
        if spec.time or spec.side is not None:
            continue
        if isinstance(spec, Continuous) or (isinstance(spec, Discrete) and spec.size <= _MOST_CLASSES):
            yield name, spec


def _column(name: str, spec: Continuous, encoding: Encoding) -> _Column:
    count = len(encoding.mean) if isinstance(encoding, Numbers) else spec.width
    return _Column(name, count, tuple(encoding.flagged) if isinstance(encoding, Flagged) else ())


def _filled(x: Tensor, column: _Column, before: Tensor) -> Tensor:
    """The values of ``x`` (B, T, W), the flagged ones replaced by the last value before them."""
    values = x[..., : column.values]
    if not column.flagged:
        return values
    gone = torch.zeros_like(values, dtype=torch.bool)
    gone[..., list(column.flagged)] = x[..., column.values : column.values + len(column.flagged)] > 0.5
    whole = torch.cat([before[:, None], values], 1)
    place = torch.arange(1, whole.shape[1], device=x.device)[:, None].expand_as(values)
    return whole.gather(1, torch.where(gone, 0, place).cummax(1).values)
