from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.tables.keys import key_hashes


@given(st.lists(st.text(max_size=20), min_size=1, max_size=30), st.integers(1, 7))
def test_equal_texts_have_equal_numbers_wherever_they_stand(texts: list[str], size: int) -> None:
    whole = key_hashes(pa.chunked_array([pa.array(texts, pa.large_string())]))
    chunks = [pa.array(texts, pa.string()).slice(at, size) for at in range(0, len(texts), size)]
    assert key_hashes(pa.chunked_array(chunks)).tolist() == whole.tolist()
    assert len({*whole.tolist()}) == len({*texts})


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 3],
        [0.5, -2.25, 0.5],
        [date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 1)],
        [True, False, True],
        pa.array([1, 2, 1], pa.decimal128(5, 2)),
        pa.array(["b", "a", "b"]).dictionary_encode(),
        pa.array([1, 2, 1], pa.timestamp("s", "UTC")),
    ],
)
def test_every_type_that_can_name_a_sequence_has_numbers(values: Any) -> None:
    first, second, third = key_hashes(pa.chunked_array([values])).tolist()
    assert first == third != second


def test_zero_has_one_number() -> None:
    first, second = key_hashes(pa.chunked_array([[0.0, -0.0]])).tolist()
    assert first == second


def test_the_numbers_are_spread_evenly() -> None:
    for column in (np.arange(100_000), np.char.mod("u%d", np.arange(100_000))):
        counts = np.bincount((key_hashes(pa.chunked_array([column])) % np.uint64(64)).astype(int))
        chi = float(((counts - counts.mean()) ** 2 / counts.mean()).sum()) / 63
        assert 0.6 < chi < 1.5
