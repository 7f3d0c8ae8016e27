"""The loader: makes padded batches from a plan and encoded columns. Axes: B rows, T steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from unrolled.batch import Batch, Continuous, lengths_of
from unrolled.data.batches.window_scale import WindowScale
from unrolled.data.examples.examples import Examples
from unrolled.data.plans.gather import gather, gather_whole
from unrolled.data.plans.segments import RawBatch, Segments, Transform
from unrolled.data.plans.windows import Plan

__all__ = ["Loader"]


class Loader:
    """Batches of ``examples`` in the order of ``plan``; ``loader[i]`` always returns the same i-th batch.

    A batch is gathered, then transformed by the plan's transforms in their order. At the end each window is scaled,
    where windows have their own scale.

    Cost: O(B·T) copies a batch, no Python loop over steps; sequences may lie in a memory-mapped file.
    """

    def __init__(self, examples: Examples, plan: Plan) -> None:
        self.examples, self.plan = examples, plan
        self._transforms = (*plan.transforms, *_own_scale(examples))

    def __len__(self) -> int:
        return len(self.plan)

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Batch:
        segments = self.plan[index]
        raw = self._gathered(segments)
        for transform in self._transforms:
            raw = transform(raw, segments)
        return Batch(
            inputs={name: torch.from_numpy(values) for name, values in raw.inputs.items()},
            lengths=torch.from_numpy(segments.lengths),
            rows=torch.from_numpy(segments.rows),
            target=None if raw.target is None else torch.from_numpy(raw.target),
            target_lengths=self._target_lengths(segments.rows),
            scored=torch.from_numpy(segments.scored) if segments.scored.any() else None,
            fresh=torch.from_numpy(segments.fresh) if self.plan.carries else None,
            scale=None if raw.scale is None else torch.from_numpy(raw.scale),
            naive=None if self.examples.naive is None else torch.from_numpy(self.examples.naive),
        )

    def _gathered(self, segments: Segments) -> RawBatch:
        examples = self.examples
        steps = np.arange(max(1, int(segments.lengths.max(initial=0))))  # (T,)
        real = steps < segments.lengths[:, None]  # (B, T)
        discrete = {name: not isinstance(spec, Continuous) for name, spec in examples.specs.items()}
        inputs = {}
        for name, column in examples.inputs.items():
            if (side := examples.specs[name].side) is None:
                inputs[name] = gather(column, segments, steps, real, 0, discrete[name])
            else:  # whole, whatever steps of the main sequence are read
                inputs[name], inputs[lengths_of(side.axis)] = gather_whole(column, segments, discrete[name])
        if examples.target is None:
            return RawBatch(inputs, real, None)
        assert examples.target_spec is not None
        return RawBatch(inputs, real, examples.form.gather(examples.target, segments, real, examples.target_spec))

    def _target_lengths(self, rows: np.ndarray) -> torch.Tensor | None:
        target = self.examples.target
        if target is None or not self.examples.form.own_length:
            return None
        return torch.from_numpy(target.lengths()[rows])


def _own_scale(examples: Examples) -> tuple[Transform, ...]:
    if not examples.by_window:
        return ()
    assert examples.own is not None and isinstance(examples.target_spec, Continuous)
    return (WindowScale(examples.own, examples.inputs[examples.own], examples.target_spec.width),)
