from __future__ import annotations

import pyarrow as pa
import pytest

from unrolled.data.io.stray_cells import check_mixed
from unrolled.errors import DataError


def found(cells: list[str | None]) -> str | None:
    try:
        check_mixed(pa.chunked_array([cells]), lambda row, message: ValueError(f"row {row + 1}: {message}"))
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("good", "bad", "form"),
    [
        ("17", "1O", "a number"),
        ("2026-01-01", "banana", "a date"),
        ("2026-01-01 01:30", "2026-01-01 25:30", "a date"),
        ("2024-02-29", "2023-02-29", "a date"),
        ("2026-01-01T01:30:02.5", "01.01.2026", "a date"),
        ("2026-01-01T01:30Z", "2026-01-01T01:30", "a time with its zone"),
        ("2026-01-01T01:30+02:00", "", "a time with its zone"),
        ("01:30", "24:30", "a time"),
        ("01:30:59", "half past", "a time"),
    ],
)
def test_one_cell_of_another_form_is_named(good: str, bad: str, form: str) -> None:
    assert found([good] * 10 + [None, bad] + [good] * 8) is None  # too few to tell
    assert (
        found([good] * 10 + [None, bad] + [good] * 10) == f"row 12: {bad!r} is not {form}, but 20 of the 21 cells are"
    )
    assert found([good] * 18 + [bad] * 2) is None  # too many to be faults
    assert found([good] * 30) is None


def test_texts_are_left_alone() -> None:
    assert found(["so", "it", "goes", "2026-01-01"] * 10) is None
    assert found([None] * 30) is None


def test_a_refusal_is_the_callers() -> None:
    with pytest.raises(DataError, match="t.csv, row 3: 'x' is not a date, but 39 of the 40 cells are"):
        check_mixed(
            pa.chunked_array([["2026-01-01"] * 2 + ["x"], ["2026-01-01"] * 37]),
            lambda row, message: DataError(message, file="t.csv", row=row + 1),
        )
