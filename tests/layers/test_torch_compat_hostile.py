"""Lengths and packed sequences that lie: a typed error every time, and never a crash of the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import warm
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from unrolled.errors import ShapeError
from unrolled.kernels import library
from unrolled.layers.torch_compat import GRU

X = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(0))
LAYER = GRU(2, 4, batch_first=True)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.integers(-1, 6), st.floats(), st.none(), st.booleans(), st.text(max_size=2)
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(NUMBERS, max_size=5), st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=3)))
def test_any_list_of_lengths_is_answered_or_refused(lengths: list[Any]) -> None:
    right = len(lengths) == 3 and all(isinstance(n, int) and 0 <= n <= 5 for n in lengths)
    if right and not all(isinstance(n, bool) for n in lengths):
        y, _ = LAYER(X, lengths=lengths)
        assert not y[torch.arange(5) >= torch.tensor(lengths).unsqueeze(1)].any()
    else:
        with pytest.raises(ShapeError, match="GRU.*lengths"):
            LAYER(X, lengths=lengths)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(-3, 6), max_size=6),
    st.one_of(st.none(), st.lists(st.integers(-2, 4), max_size=4)),
    st.one_of(st.none(), st.lists(st.integers(-2, 4), max_size=4)),
    st.integers(0, 12),
)
def test_any_packed_sequence_is_answered_or_refused(
    sizes: list[int], order: list[int] | None, back: list[int] | None, vectors: int
) -> None:
    made = packed(torch.randn(vectors, 2), sizes, order, back)
    try:
        output, h = LAYER(made)
    except ShapeError as error:
        assert "packed" in str(error)
    else:
        assert output.data.shape == (vectors, 4)
        assert h.shape == (1, sizes[0], 4)


def packed(data: torch.Tensor, sizes: list[int], order: list[int] | None, back: list[int] | None) -> PackedSequence:
    """Field by field, past the checks of torch's own constructor."""
    fields = (None if items is None else torch.tensor(items, dtype=torch.int64) for items in (sizes, order, back))
    return tuple.__new__(PackedSequence, (data, *fields))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: packed(p.data, [3, 3, 9, 1], None, None), "batch_sizes 3, 3, 9, 1 must be positive, never grow"),
        (lambda p: packed(p.data, [3, 3, 3, 2], None, None), "add up to 10 vectors"),
        (lambda p: packed(p.data, [], None, None), r"batch_sizes is \(0,\) torch.int64, expected \(L,\) int64"),
        (lambda p: packed(p.data, [3, 3, 2, 2], [0, 1, 7], [0, 1, 2]), "sorted_indices must hold each of 0 … 2 once"),
        (lambda p: packed(p.data, [3, 3, 2, 2], [1, 2, 0], [1, 2, 0]), "unsorted_indices is not the inverse"),
        (lambda p: packed(p.data, [3, 3, 2, 2], [1, 2, 0], None), "must be given together"),
        (lambda p: packed(p.data[:, :1], [3, 3, 2, 2], None, None), r"x has shape \(10, 1\)"),
        (lambda p: p.to(torch.float64), "x is torch.float64 and the weights are torch.float32"),
    ],
)
def test_what_is_wrong_with_it_is_said(make: Callable[[PackedSequence], PackedSequence], message: str) -> None:
    right = pack_padded_sequence(X, torch.tensor([4, 4, 2]), batch_first=True)
    with pytest.raises(ShapeError, match=message):
        LAYER(make(right))


@pytest.mark.soak
@pytest.mark.parametrize("width", ["plain", *library.available()[-1:]])
def test_anything_is_answered_as_torch_answers_it_or_refused(width: str, times: Callable[[int, int], int]) -> None:
    """Shapes, dtypes, strides, devices, values, lengths and states, right and wrong, in a process of its own."""
    script = Path(__file__).with_name("hostile_input.py")
    done = warm.run(script.read_text("utf-8"), times(80, 5000), environment={library.VARIABLE: width})
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-4000:]}"


CRASHERS = """
import torch
from torch.nn.utils.rnn import PackedSequence
from unrolled.errors import ShapeError
from unrolled.layers.torch_compat import GRU, LSTM, RNN

int64 = torch.int64
for sizes in ([10**6], [3, 2**40, 1], [-1, -5], [2**62, 2**62], [0, 0], [9], [2**63 - 1, 1]):
    for order in (None, [10**9, -10**9], [2**62]):
        order = None if order is None else torch.tensor(order, dtype=int64)
        for layer in (GRU(2, 4), LSTM(2, 4), RNN(2, 4, bidirectional=True)):
            fields = (torch.randn(4, 2), torch.tensor(sizes, dtype=int64), order, order)
            try:
                layer(tuple.__new__(PackedSequence, fields))
            except ShapeError:
                continue
            raise SystemExit("accepted")
for lengths in ([10**6] * 3, [-(2**62)] * 3, [2**62, 1, 1]):
    try:
        LSTM(2, 4)(torch.randn(5, 3, 2), lengths=torch.tensor(lengths))
    except ShapeError:
        continue
    raise SystemExit("accepted")
"""


def test_a_process_never_crashes() -> None:
    """In a process of its own, so that a segmentation fault (139) is seen and not suffered."""
    done = warm.run(CRASHERS)
    assert done.returncode == 0, done.stderr
