from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.encodings._pieces import pieces, raw

TEXTS = st.lists(st.none() | st.text(alphabet="ab \né中😀", max_size=12), max_size=6)


@given(chunks=st.lists(TEXTS, max_size=3), size=st.integers(4, 20), wide=st.booleans(), cut=st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_pieces_put_together_are_the_texts(chunks: list, size: int, wide: bool, cut: int) -> None:
    kind = pa.large_string() if wide else pa.string()
    array = pa.chunked_array([pa.array(chunk, kind).slice(cut) for chunk in chunks], kind)
    found = [""] * len(array)
    open_row = None
    for piece in pieces(array, size):
        texts = piece.texts.to_pylist()
        assert piece.begins == (piece.row != open_row)
        open_row = None if piece.ends else piece.row + len(texts) - 1
        data, offsets = raw(piece.texts)
        assert [bytes(data[a:b]).decode() for a, b in pairwise(offsets)] == texts
        assert len(data) <= size
        for row, text in enumerate(texts, piece.row):
            found[row] += text
    assert open_row is None
    assert found == [text or "" for text in array.to_pylist()]


def test_a_long_text_is_cut_before_a_space_after_a_word() -> None:
    array = pa.chunked_array([["one two  three\nfour"]])
    assert [piece.texts[0].as_py() for piece in pieces(array, 10)] == ["one two", "  three", "\nfour"]
    assert [piece.texts[0].as_py() for piece in pieces(pa.chunked_array([["中文中文"]]), 7)] == ["中文", "中文"]


def test_pieces_point_into_the_buffers_of_the_column() -> None:
    array = pa.array(["x" * 100], pa.large_string())
    begin = array.buffers()[2].address
    addresses = [raw(piece.texts)[0].ctypes.data - begin for piece in pieces(pa.chunked_array([array]), 30)]
    assert addresses == [0, 30, 60, 90]


def test_no_bytes() -> None:
    for array in (pa.array([], pa.string()), pa.array([None, None], pa.string()), pa.array(["", ""])):
        data, offsets = raw(array)
        assert len(data) == 0
        np.testing.assert_array_equal(offsets, np.zeros(len(array) + 1))
