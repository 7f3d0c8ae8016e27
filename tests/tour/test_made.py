"""Made rows: their answers are those that they are made for."""

from __future__ import annotations

from unrolled.tour.made import KEYS, NOISE, first_symbols, reversed_digits


def test_the_answer_is_the_first_symbol_and_the_rest_is_noise() -> None:
    rows = first_symbols(300, 2, 30, seed=1)
    lengths = [len(row) for row in rows["symbols"]]
    assert (min(lengths), max(lengths)) == (2, 30)
    for row, first in zip(rows["symbols"], rows["first"], strict=True):
        key, *rest = row
        assert key == first and key in KEYS and {*rest} <= {*NOISE}
    assert {*rows["first"]} == {*KEYS}


def test_digits_come_back_from_the_last_to_the_first() -> None:
    rows = reversed_digits(100, 1, 8, seed=2)
    for digits, answer in zip(rows["digits"], rows["reversed"], strict=True):
        assert digits == answer[::-1]


def test_the_seed_and_the_lengths_choose_the_rows() -> None:
    assert first_symbols(9, 2, 5, seed=3) == first_symbols(9, 2, 5, seed=3)
    assert first_symbols(9, 2, 5, seed=3) != first_symbols(9, 2, 5, seed=4)
