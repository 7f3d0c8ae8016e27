"""The second moments of windows of history and the steps after them: all that a linear forecast is solved from.

Every linear map from a window to its future, of any length up to L, can be solved and scored from these sums alone, so
the windows are read once, however many maps are tried.

Axes: N windows of single channels, L steps of history, H horizon, C channels, T steps of all rows end to end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unrolled.data.batches.window_scale import by_window

__all__ = ["Moments", "WindowSource", "spread_evenly"]

_CHUNK = 1 << 22  # numbers to gather at a time
_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sums over windows x, the last entry of which is the constant, and their futures y.

    Shape:
        xx: (L + 1, L + 1) float64, the sum of x xᵀ.
        xy: (L + 1, H), the sum of x yᵀ.
        yy: (H,), the sum of y².
        count: N.
    """

    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray
    count: int

    @classmethod
    def zero(cls, steps: int, horizon: int) -> Moments:
        """The moments of no windows."""
        return cls(np.zeros((steps + 1, steps + 1)), np.zeros((steps + 1, horizon)), np.zeros(horizon), 0)

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.xx + other.xx, self.xy + other.xy, self.yy + other.yy, self.count + other.count)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.xx - other.xx, self.xy - other.xy, self.yy - other.yy, self.count - other.count)

    def last(self, steps: int) -> Moments:
        """The moments of windows that only hold the last ``steps`` steps."""
        return Moments(self.xx[-steps - 1 :, -steps - 1 :], self.xy[-steps - 1 :], self.yy, self.count)

    def errors(self, weights: np.ndarray) -> np.ndarray:
        """(H,), the mean squared error of the map ``weights`` (L + 1, H) at each step ahead."""
        total = self.yy + np.einsum("lh,lh->h", weights, self.xx @ weights - 2 * self.xy)
        return np.maximum(total, 0.0) / max(1, self.count)


@dataclass(frozen=True, slots=True, eq=False)
class WindowSource:
    """Windows of a split as numbers.

    A window that starts before its row is filled up with the row's first value. With ``lookback``, a window and its
    future are less the mean of the last ``lookback`` known steps, and the constant is their deviation, so that the
    error of a map is in units of the split although the map is one of scaled windows.

    Shape:
        known: (T, C) float32, without gaps.
        missing: (T, C) bool, True where ``known`` was filled; ``None`` if it never was.
        begins, stops: (windows,) int64, the first step of the row and the first step to predict, in ``known``.
    """

    known: np.ndarray
    missing: np.ndarray | None
    begins: np.ndarray
    stops: np.ndarray
    steps: int
    horizon: int
    lookback: int | None

    def moments(self, chosen: np.ndarray) -> Moments:
        """The moments of the windows at the places ``chosen``.

        Cost: O(N (L + 1) (L + 1 + H)).
        """
        total = Moments.zero(self.steps, self.horizon)
        for x, y, _ in self.windows(chosen):
            total = total + Moments(x.T @ x, x.T @ y, np.square(y).sum(0), len(x))
        return total

    def residuals(self, weights: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """(N, H) y − Wᵀx of the windows ``chosen``, in units of the scaled window where windows are scaled."""
        used = weights.shape[0] - 1
        parts = [(y - x[:, self.steps - used :] @ weights) / scale[:, None] for x, y, scale in self.windows(chosen)]
        return np.concatenate(parts) if parts else np.zeros((0, self.horizon))

    def windows(self, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield x (N, L + 1), y (N, H) and the scale of each window (N,), in parts, float64."""
        channels = self.known.shape[1]
        size = max(1, _CHUNK // (channels * (self.steps + self.horizon + 1)))
        back, ahead = np.arange(-self.steps, 0), np.arange(self.horizon)
        for at in range(0, len(chosen), size):
            part = chosen[at : at + size]
            begins, stops = self.begins[part, None], self.stops[part, None]
            x = self.known[np.maximum(stops + back, begins)].astype(np.float64)  # (n, L, C)
            y = self.known[stops + ahead].astype(np.float64)
            level, scale = self._scales(begins, stops)
            constant = np.broadcast_to(scale, (len(part), 1, channels))
            x = np.concatenate([x - level, constant], 1)
            flat = [np.moveaxis(numbers, 2, 1).reshape(-1, numbers.shape[1]) for numbers in (x, y - level)]
            yield flat[0], flat[1], constant.reshape(-1)

    def _scales(self, begins: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The level and scale of each window, (n, 1, C); 0 and 1 where windows are not scaled."""
        if self.lookback is None:
            return np.zeros((1, 1, 1)), np.ones((1, 1, 1))
        at = stops + np.arange(-self.lookback, 0)
        inside, at = (
            np.broadcast_to((at >= begins)[..., None], (*at.shape, self.known.shape[1])),
            np.maximum(at, begins),
        )
        seen = inside if self.missing is None else inside & ~self.missing[at]
        _, scale = by_window(self.known[at], seen)
        return scale[:, :1].astype(np.float64), scale[:, 1:].astype(np.float64)


def spread_evenly(count: int, most: int) -> np.ndarray:
    """At most ``most`` of ``count`` places, spread evenly, but not in step with any season.

    Example:
        >>> spread_evenly(100, 5).tolist()
        [0, 32, 44, 77, 89]
        >>> spread_evenly(3, 5).tolist()
        [0, 1, 2]
    """
    if count <= most:
        return np.arange(count)
    nth = np.arange(most)
    return np.minimum(((nth + nth * _GOLDEN % 1) * (count / most)).astype(np.int64), count - 1)
