"""Leave out points that nobody could see: a picture shows the least and the greatest value of each pixel."""

from __future__ import annotations

import numpy as np

__all__ = ["MOST", "envelope", "spaced", "thinned"]

MOST = 1_500  # points of a line or of a cloud: more cannot be told apart in a chart of this size
_PER_PIXEL = 4  # the first, the least, the greatest and the last value of a column of pixels say how a line runs in it


def thinned(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """The indices of the points of a line that are drawn, in order.

    A line to the right keeps, in each column of pixels, the first and last point and those with the least and greatest
    y; a column without any value keeps one point that is NaN, a gap. Any other line loses points that stay on the
    same spot.

    Args:
        xs, ys: (n,) in pixels; NaN where there is no value.
    """
    if len(xs) <= MOST:
        return np.arange(len(xs))
    known = np.isfinite(xs)
    if not (np.diff(xs[known]) >= 0).all():
        return _on_another_spot(xs, ys)
    places = np.flatnonzero(known)
    column = np.floor(xs[places] * MOST / _PER_PIXEL / max(float(np.ptp(xs[places])), 1e-9)).astype(np.int64)
    starts = np.flatnonzero(np.diff(column, prepend=column[0] - 1))
    values = ys[places]
    least = np.where(np.isfinite(values), values, np.inf)
    greatest = np.where(np.isfinite(values), values, -np.inf)
    chosen: set[int] = set()
    for start, end in zip(starts, [*starts[1:], len(places)], strict=True):
        real = np.flatnonzero(np.isfinite(values[start:end])) + start
        if not len(real):
            chosen.add(int(start))
            continue
        chosen.update(
            int(at)
            for at in (real[0], start + least[start:end].argmin(), start + greatest[start:end].argmax(), real[-1])
        )
    return places[np.array(sorted(chosen), np.int64)]


def _on_another_spot(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    size = 0.5
    while True:
        spot = np.stack([np.floor(xs / size), np.floor(ys / size)], 1)
        moved = np.ones(len(xs), bool)
        moved[1:] = ~((spot[1:] == spot[:-1]) | (np.isnan(spot[1:]) & np.isnan(spot[:-1]))).all(1)
        if moved.sum() <= MOST or size > max(np.nanmax(np.abs(xs)), np.nanmax(np.abs(ys))):
            return np.flatnonzero(moved)[:MOST]
        size *= 2


def spaced(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """The indices of the points of a cloud that are drawn: one of those that lie on the same spot.

    Args:
        xs, ys: (n,) in pixels; NaN where there is no value, and nothing is drawn.
    """
    known = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys))
    size = 0.5
    while len(known) > MOST:
        spot = np.stack([np.floor(xs[known] / size), np.floor(ys[known] / size)], 1)
        known = known[np.sort(np.unique(spot, axis=0, return_index=True)[1])]
        size *= 2
    return known


def envelope(xs: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A band with one point for each column of pixels: the least ``low`` and the greatest ``high`` in it.

    Args:
        xs: (n,) in pixels, not decreasing.
        low, high: (n,) values in any unit; NaN where there is no value.
    """
    if len(xs) <= MOST // 2:
        return xs, low, high
    column = np.floor(xs).astype(np.int64)
    starts = np.flatnonzero(np.diff(column, prepend=column[0] - 1))
    return xs[starts], np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
