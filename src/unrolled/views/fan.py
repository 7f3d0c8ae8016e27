"""Forecasts in the units of the data: history, point forecast, intervals and what came, from one origin or many.

Axes: N steps of the row, T steps that were traced, O origins, H steps ahead, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from unrolled.data.encodings.facets import Numbers
from unrolled.page.document import Section
from unrolled.views.looked import ROW, Looked
from unrolled.views.roll import channel_names

__all__ = ["fan", "next_numbers"]

_ORIGINS = 20
_CHANNELS = 12  # that are shown
_CELLS = 200_000  # numbers of the row that a page holds
_DEVIATIONS, _MIDDLE = 1.2815515655446004, 80  # the share of a Gaussian in so many deviations, in per cent


class Interval(NamedTuple):
    """An interval that should hold ``percent`` of the values; both ends are (O, H, C)."""

    percent: float
    low: np.ndarray
    high: np.ndarray


def fan(looked: Looked) -> Iterator[Section]:
    """Forecasts from up to 20 origins along the row, each made from the steps before it."""
    prefixes, coder = looked.prefixes, looked.task.coder
    if (
        looked.hidden
        or not coder.horizon
        or prefixes is None
        or not isinstance(coder.answer, Numbers)
        or prefixes.steps < 1
    ):
        return
    channels = channel_names(coder.answer, len(coder.answer.mean))
    past = prefixes.examples.inputs[coder.target].unflagged(len(channels)).values
    values = past * coder.answer.std + coder.answer.mean  # (N, C)
    last = prefixes.steps
    first = max(1, last - _CELLS // len(channels), min(looked.task.batching.lookback, last // 2))
    ends = np.unique(np.linspace(first, last, _ORIGINS).astype(np.int64))
    columns: dict[str, list[Any]] = {}
    for outputs, batch in prefixes.answered(ends.tolist()):
        for name, found in looked.task.answers(outputs, batch).items():
            columns.setdefault(name, []).extend(found)
    middle, intervals = _joined([_of_channel(columns, channel) for channel in channels])
    start = max(0, int(ends[0]) - 4 * coder.horizon)
    yield from _sections("Forecasts along the row", "origins", channels, values, start, ends, middle, intervals)


def next_numbers(looked: Looked) -> Iterator[Section]:
    """The number that was expected at each step, and its interval."""
    outputs, task, batch = looked.trace.outputs, looked.task, looked.batch
    answer, steps = task.coder.answer, looked.trace.steps
    if looked.hidden or not task.coder.form.predicts_next or task.mixing != "mean" or not isinstance(outputs, Tensor):
        return
    if not isinstance(answer, Numbers) or not steps:
        return
    channels, name = channel_names(answer, len(answer.mean)), task.coder.target
    rows = batch.lengths.new_ones(steps)
    inputs = {
        key: value[0, :steps, None]
        if value.dim() > 1 and value.shape[1] == steps
        else value[:1].expand(steps, *value.shape[1:])
        for key, value in batch.inputs.items()
    }  # each step as a row of one step
    found = task.answers(outputs[:, None], replace(batch, inputs=inputs, lengths=rows, rows=rows - 1, target=None))
    middle, intervals = _of_channel({key: [[one] for one in of] for key, of in found.items()}, name)
    read = batch.inputs[name][0, :1, : len(channels)].cpu().numpy()
    came = np.full((steps, len(channels)), np.nan) if batch.target is None else batch.target[0, :steps].cpu().numpy()
    values = np.concatenate([read, came]) * answer.std + answer.mean  # (T + 1, C)
    ends = np.arange(1, steps + 1)
    yield from _sections("Expected and measured", ROW, channels, values, 0, ends, middle, intervals)


def _of_channel(columns: dict[str, list[Any]], channel: str) -> tuple[np.ndarray, list[Interval]]:
    """The point forecast, and intervals from the widest to the narrowest, of the columns that `predict` adds."""
    held = {key: np.array(of, np.float64) for key, of in columns.items() if key.startswith(f"{channel}_")}
    middle = held[f"{channel}_predicted"]
    if (sigma := held.get(f"{channel}_sigma")) is not None:
        return middle, [Interval(_MIDDLE, middle - _DEVIATIONS * sigma, middle + _DEVIATIONS * sigma)]
    levels = sorted((float(rest), key) for key in held if _is_number(rest := key.removeprefix(f"{channel}_q")))
    pairs = zip(levels[: len(levels) // 2], reversed(levels), strict=False)
    return middle, [Interval(high - low, held[a], held[b]) for (low, a), (high, b) in pairs]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _joined(found: list[tuple[np.ndarray, list[Interval]]]) -> tuple[np.ndarray, list[Interval]]:
    """Channels side by side: (O, H) of each becomes (O, H, C)."""
    middles, bands = zip(*found, strict=True)
    joined = (
        Interval(parts[0].percent, *(np.stack([part[end] for part in parts], -1) for end in (1, 2)))
        for parts in zip(*bands, strict=True)
    )
    return np.stack(middles, -1), list(joined)


def _sections(
    title: str,
    group: str,
    channels: list[str],
    values: np.ndarray,
    start: int,
    ends: np.ndarray,
    middle: np.ndarray,
    intervals: list[Interval],
) -> Iterator[Section]:
    ahead = ends[:, None] + np.arange(middle.shape[1])  # (O, H)
    came = np.where(ahead[..., None] < len(values), values[ahead.clip(max=len(values) - 1)], np.nan)  # (O, H, C)
    most = slice(0, _CHANNELS)
    data = {
        "channels": channels[most],
        "values": values[start:, most],
        "start": start,
        "ends": ends.astype(np.int32),
        "ahead": middle.shape[1],
        "middle": _flat(middle[..., most]),
        "bands": [
            {"percent": each.percent, "low": _flat(each.low[..., most]), "high": _flat(each.high[..., most])}
            for each in intervals
        ],
    }
    said = [_coverage(each, came) for each in intervals]
    if len(channels) > _CHANNELS:
        said.append(f"The first {_CHANNELS} of {len(channels)} channels are drawn; the counts are of all.")
    yield Section(title, "".join(f"<p>{one}</p>" for one in said), "fan", data, group)


def _flat(values: np.ndarray) -> np.ndarray:
    """(O, H, C) -> (O, H·C), float32."""
    return values.reshape(len(values), -1).astype(np.float32)


def _coverage(of: Interval, came: np.ndarray) -> str:
    known = np.isfinite(came)
    if not known.any():
        return f"The intervals should hold {of.percent:g} % of the values; none of them is known."
    held = int(((of.low <= came) & (came <= of.high))[known].sum())
    count = int(known.sum())
    return f"The {of.percent:g} % intervals hold {held:,} of {count:,} values that came ({held / count:.0%})."
