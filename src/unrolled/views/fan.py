"""Forecasts in the units of the data: history, point forecast, intervals and what came, from one origin or many.

Axes: N steps of the row, T steps that were traced, O origins, H steps ahead, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from unrolled.data.encodings.facets import Numbers
from unrolled.page.chart import Chart, picture
from unrolled.page.document import Section
from unrolled.views.intervals import Interval, intervals
from unrolled.views.looked import ROW, Looked
from unrolled.views.roll import channel_names

__all__ = ["fan", "next_numbers"]

_ORIGINS = 20
_CHANNELS, _PICTURES = 12, 4  # that are shown: to choose from, and at once
_CELLS = 200_000  # numbers of the row that a page holds


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
    columns = prefixes.answers(ends.tolist())
    middle, around = _joined([_of_channel(columns, channel) for channel in channels])
    start = max(0, int(ends[0]) - 4 * coder.horizon)
    yield _section("Forecasts along the row", "origins", channels, values, start, ends, middle, around)
    yield _residuals(channels, _came(values, ends, coder.horizon) - middle)


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
    middle, around = _of_channel({key: [[one] for one in of] for key, of in found.items()}, name)
    read = batch.inputs[name][0, :1, : len(channels)].cpu().numpy()
    came = np.full((steps, len(channels)), np.nan) if batch.target is None else batch.target[0, :steps].cpu().numpy()
    values = np.concatenate([read, came]) * answer.std + answer.mean  # (T + 1, C)
    ends = np.arange(1, steps + 1)
    yield _section("Expected and measured", ROW, channels, values, 0, ends, middle, around)


def _of_channel(columns: dict[str, list[Any]], channel: str) -> tuple[np.ndarray, list[Interval]]:
    """The point forecast, and intervals from the widest to the narrowest, of the columns that `predict` adds."""
    return np.array(columns[f"{channel}_predicted"], np.float64), intervals(columns, channel)


def _joined(found: list[tuple[np.ndarray, list[Interval]]]) -> tuple[np.ndarray, list[Interval]]:
    """Channels side by side: (O, H) of each becomes (O, H, C)."""
    middles, bands = zip(*found, strict=True)
    joined = (
        Interval(parts[0].percent, *(np.stack([part[end] for part in parts], -1) for end in (1, 2)))
        for parts in zip(*bands, strict=True)
    )
    return np.stack(middles, -1), list(joined)


def _section(
    title: str,
    group: str,
    channels: list[str],
    values: np.ndarray,
    start: int,
    ends: np.ndarray,
    middle: np.ndarray,
    around: list[Interval],
) -> Section:
    came = _came(values, ends, middle.shape[1])
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
            for each in around
        ],
    }
    said = [_coverage(each, came) for each in around]
    if len(channels) > _CHANNELS:
        said.append(f"The first {_CHANNELS} of {len(channels)} channels are drawn; the counts are of all.")
    return Section(title, "".join(f"<p>{one}</p>" for one in said), "fan", data, group)


def _came(values: np.ndarray, ends: np.ndarray, horizon: int) -> np.ndarray:
    """(O, H, C) the values after each origin; NaN beyond the end of the row."""
    ahead = ends[:, None] + np.arange(horizon)  # (O, H)
    return np.where(ahead[..., None] < len(values), values[ahead.clip(max=len(values) - 1)], np.nan)


def _residuals(channels: list[str], off: np.ndarray) -> Section:
    """What came less the forecast, (O, H, C), by step ahead: from the lowest to the highest, and the mean size."""
    steps, charts = np.arange(1, off.shape[1] + 1), []
    for channel, of in zip(channels[:_PICTURES], np.moveaxis(off, 2, 0), strict=False):
        known = np.isfinite(of)
        low, high = (
            np.where(known.any(0), end, np.nan)
            for end in (np.where(known, of, np.inf).min(0), np.where(known, of, -np.inf).max(0))
        )
        size = np.where(known, np.abs(of), 0.0).sum(0) / np.maximum(known.sum(0), 1)
        chart = Chart(channel, x="steps ahead", y="came less forecast")
        chart.band(steps, low, high, "lowest to highest")
        charts.append(chart.line(steps, np.where(known.any(0), size, np.nan), "mean absolute error"))
    said = f"From {len(off)} origins." + (f" The first {_PICTURES} channels." if len(channels) > _PICTURES else "")
    return Section("Residuals by step ahead", f"<p>{said}</p>{picture(charts)}", folded=True)


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
