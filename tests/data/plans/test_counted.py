from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.plans.counted import Counted, Pieced, Spans, WindowEnds

COUNTS = st.lists(st.integers(0, 9), max_size=12).map(lambda values: np.array(values, np.int64))


@given(COUNTS)
def test_each_thing_has_its_row_and_its_place(counts: np.ndarray) -> None:
    counted = Counted(counts)
    listed = [(row, nth) for row, count in enumerate(counts) for nth in range(count)]
    rows, nth = counted[np.arange(len(counted))]
    assert list(zip(rows.tolist(), nth.tolist(), strict=True)) == listed
    some = np.arange(len(counted))[::-2]
    assert [*zip(*(part.tolist() for part in counted[some]), strict=True)] == [listed[place] for place in some]


@given(COUNTS, COUNTS, st.integers(1, 4))
def test_windows_end_between_their_borders(starts: np.ndarray, more: np.ndarray, stride: int) -> None:
    rows = min(len(starts), len(more))
    starts, stops = starts[:rows], starts[:rows] + more[:rows] - 2
    ends = WindowEnds(starts, stops, stride)
    listed = [(row, end) for row in range(rows) for end in range(starts[row], stops[row], stride)]
    assert [*zip(*(part.tolist() for part in ends[np.arange(len(ends))]), strict=True)] == listed


@given(COUNTS, st.integers(1, 4))
def test_pieces_cover_each_row_once(lengths: np.ndarray, steps: int) -> None:
    pieces = Pieced(lengths, steps)
    covered = [(row, step) for row, a, b in zip(*pieces[np.arange(len(pieces))], strict=True) for step in range(a, b)]
    assert covered == [(row, step) for row, length in enumerate(lengths) for step in range(length)]


@given(COUNTS)
def test_spans_are_lengths(counts: np.ndarray) -> None:
    offsets = np.concatenate([[0], np.cumsum(counts)])
    assert np.array_equal(Spans(offsets)[np.arange(len(counts))], counts)
