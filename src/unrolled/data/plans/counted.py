"""Things of which each row has some, such as windows and pieces, found by their number instead of being listed.

Axes: N rows, P things that are looked up.
"""

from __future__ import annotations

import numpy as np

from unrolled.data.plans.order import Lengths

__all__ = ["Counted", "Pieced", "Questions", "Spans", "WindowEnds"]


class Counted:
    """The things of all rows, numbered row by row: ``counted[places]`` is the row of each, and its place there.

    Args:
        counts: (N,) int64, the things of each row, ≥ 0.

    Cost: 8 bytes a row, whatever the number of things; a binary search for each that is looked up.

    Example:
        >>> Counted(np.array([2, 0, 1]))[np.arange(3)]
        (array([0, 0, 2]), array([0, 1, 0]))
    """

    def __init__(self, counts: np.ndarray) -> None:
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = np.searchsorted(self._ends, places, side="right")
        befores = np.where(rows > 0, self._ends[rows - 1], 0) if len(self._ends) else np.zeros_like(rows)
        return rows, places - befores


class WindowEnds:
    """The windows of all rows: ``ends[places]`` is the row of each, and the step before which it ends.

    Args:
        starts: (N,) int64, the end of the first window of each row.
        stops: (N,) int64, what no window's end reaches.
        stride: steps from one end to the next.
    """

    def __init__(self, starts: np.ndarray, stops: np.ndarray, stride: int = 1) -> None:
        self._starts, self._stride = starts, stride
        self._windows = Counted(np.maximum(-(-(stops - starts) // stride), 0))

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, nth = self._windows[places]
        return rows, self._starts[rows] + self._stride * nth


class Pieced:
    """Rows cut into equal pieces: ``pieced[places]`` is the row of each, its first step, and the step after its last.

    Args:
        lengths: (N,) int64 steps of each row; one of length 0 has no piece.
        steps: the most steps of a piece.
    """

    def __init__(self, lengths: np.ndarray, steps: int) -> None:
        self._lengths, self._steps = lengths, steps
        self._pieces = Counted(-(-lengths // steps))

    def __len__(self) -> int:
        return len(self._pieces)

    def __getitem__(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, nth = self._pieces[places]
        lengths = self._lengths[rows]
        counts = -(-lengths // self._steps)
        return rows, nth * lengths // counts, (nth + 1) * lengths // counts


class Questions:
    """The steps of rows that ask for the value some steps later, looked up.

    Args:
        lengths: the steps of each row.
        later: after how many steps the value stands; a shorter row asks nothing.

    Example:
        >>> Questions(np.array([3, 0]), 1)[np.array([0, 1])]
        array([2, 0])
    """

    def __init__(self, lengths: Lengths, later: int) -> None:
        self._lengths, self._later = lengths, later

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.maximum(self._lengths[rows] - self._later, 0)
        return found


class Spans:
    """The steps of rows, read from where each begins; nothing is listed, so the offsets may stay in a file.

    Args:
        offsets: (N + 1,) int64.

    Example:
        >>> Spans(np.array([0, 3, 5]))[np.array([1, 0])]
        array([2, 3])
    """

    def __init__(self, offsets: np.ndarray) -> None:
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        lengths: np.ndarray = self._offsets[rows + 1] - self._offsets[rows]
        return lengths
