"""The loader: a plan and encoded columns become padded batches, one gather a column.

Axes: B rows, T steps, U steps of the target, W width, H horizon.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import MISSING, Batch, Continuous, Discrete
from unrolled.data.encoded import Encoded
from unrolled.data.examples import WRITTEN, Examples
from unrolled.data.strands import other_strand
from unrolled.data.window_scale import by_window
from unrolled.data.windows import Plan, Segments

__all__ = ["Loader"]


class Loader:
    """Batches of ``examples`` in the order of ``plan``; ``loader[i]`` is the i-th, at any time, the same each time.

    Cost: O(B·T) copies a batch, no Python loop over steps; sequences may lie in a memory-mapped file.
    """

    def __init__(self, examples: Examples, plan: Plan) -> None:
        self.examples, self.plan = examples, plan

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Batch:
        segments, examples = self.plan[index], self.examples
        lengths = segments.stops - segments.starts
        steps = np.arange(max(1, int(lengths.max(initial=0))))  # (T,)
        real = steps < lengths[:, None]  # (B, T)
        inputs = {}
        for name, column in examples.inputs.items():
            discrete = isinstance(examples.specs[name], Discrete)
            inputs[name] = _gather(column, segments, steps, real, 0 if discrete else 0.0, discrete)
            if segments.transpose is not None:
                inputs[name] = torch.from_numpy(segments.transpose(name, inputs[name].numpy(), segments.rows))
            if segments.augment is not None and not discrete and column.offsets is not None:
                hidden = segments.augment(inputs[name].numpy(), segments.rows, segments.starts, lengths)
                inputs[name] = torch.from_numpy(hidden)
        scale = self._by_window(inputs, segments, steps, real) if examples.by_window else None
        target = None if examples.target is None else self._target(examples.target, segments, steps, real)
        if segments.transpose is not None and target is not None and examples.own is not None:
            target = torch.from_numpy(segments.transpose(examples.own, target.numpy(), segments.rows))
        if segments.masking is not None:
            assert target is not None and isinstance(examples.target_spec, Discrete)
            (name,) = inputs
            read, hidden = segments.masking.hide(
                inputs[name].numpy(), segments.rows, segments.starts, real, examples.target_spec.size
            )
            inputs[name], target = torch.from_numpy(read), torch.where(torch.from_numpy(hidden), target, MISSING)
        if segments.turned is not None:
            inputs = other_strand(inputs, torch.from_numpy(lengths), examples, torch.from_numpy(segments.turned))
        return Batch(
            inputs=inputs,
            lengths=torch.from_numpy(lengths),
            rows=torch.from_numpy(segments.rows),
            target=target,
            target_lengths=self._target_lengths(segments.rows),
            scored=torch.from_numpy(segments.scored) if segments.scored.any() else None,
            fresh=torch.from_numpy(segments.fresh) if self.plan.carries else None,
            scale=scale,
        )

    def _by_window(self, inputs: dict[str, Tensor], segments: Segments, steps: np.ndarray, real: np.ndarray) -> Tensor:
        """Scale the first input, which is the target's past, by its own windows; that scale."""
        name, column = next(iter(self.examples.inputs.items()))
        assert isinstance(self.examples.target_spec, Continuous) and column.offsets is not None
        known = np.repeat(real[..., None], self.examples.target_spec.width, -1)
        if column.missing is not None:
            at = (column.offsets[segments.rows] + segments.starts)[:, None] + steps
            known &= ~column.missing[np.where(real, at, 0)]
        scaled, scale = by_window(inputs[name].numpy(), known)
        inputs[name] = torch.from_numpy(scaled)
        return torch.from_numpy(scale)

    def _target(self, target: Encoded, segments: Segments, steps: np.ndarray, real: np.ndarray) -> Tensor:
        discrete = isinstance(self.examples.target_spec, Discrete)
        missing = MISSING if discrete else np.nan
        match self.examples.form:
            case "one":
                return _tensor(target.values[segments.rows], discrete)
            case "set":
                return self._several_hot(target, segments.rows)
            case "aligned" | "fill":
                return _gather(target, segments, steps, real, missing, discrete)
            case "next":
                return _gather(target, segments, steps + 1, real, missing, discrete)
            case "horizon":
                ahead = np.arange(self.examples.horizon) + (segments.stops - segments.starts)[:, None]  # (B, H)
                return _gather(target, segments, ahead, np.ones_like(ahead, bool), missing, discrete)
            case "free" | "unaligned":
                lengths = target.lengths()[segments.rows]
                own = np.arange(max(1, int(lengths.max(initial=0))))  # (U,)
                return _gather(target, segments, own, own < lengths[:, None], missing, discrete)

    def _target_lengths(self, rows: np.ndarray) -> Tensor | None:
        target = self.examples.target
        if target is None or self.examples.form not in WRITTEN:
            return None
        return torch.from_numpy(target.lengths()[rows])

    def _several_hot(self, target: Encoded, rows: np.ndarray) -> Tensor:
        spec, offsets = self.examples.target_spec, target.offsets
        assert isinstance(spec, Discrete) and offsets is not None
        counts = offsets[rows + 1] - offsets[rows]
        at = np.repeat(offsets[rows] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        hot = np.zeros((len(rows), spec.size), np.float32)
        hot[np.repeat(np.arange(len(rows)), counts), target.values[at]] = 1
        return torch.from_numpy(hot)


def _gather(
    column: Encoded, segments: Segments, steps: np.ndarray, real: np.ndarray, fill: float, discrete: bool
) -> Tensor:
    if column.offsets is None:
        return _tensor(column.values[segments.rows], discrete)
    if not len(column.values):
        shape = (*real.shape, *column.values.shape[1:])
        return _tensor(np.full(shape, fill, np.int64 if discrete else np.float32), discrete)
    at = (column.offsets[segments.rows] + segments.starts)[:, None] + steps  # (B, T)
    values = column.values[np.where(real, at, 0)]
    if discrete:
        values = values.astype(np.int64)
    if not real.all():
        values[~real] = fill
    return _tensor(values, discrete)


def _tensor(values: np.ndarray, discrete: bool) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.int64 if discrete else np.float32))
