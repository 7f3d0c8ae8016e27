from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.io.hashed import mixed
from unrolled.data.plans.masking import Masking

SIZE = 50
BITS = 2**64 - 1


def hide(masking: Masking, *rows: list[int], first: int = 0, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of tokens, padded; the first is row ``first`` of the data, and begins at its step ``start``."""
    steps = max(map(len, rows))
    ids = np.array([row + [0] * (steps - len(row)) for row in rows], np.int64)
    real = np.arange(steps) < np.array([len(row) for row in rows])[:, None]
    return masking.hide(ids, first + np.arange(len(rows)), np.full(len(rows), start), real)


def test_the_numbers_are_those_of_splitmix64() -> None:
    """As its authors' own program prints them for the seed 0."""
    assert int(mixed(np.array([0], np.uint64))[0]) == 0xE220A8397B1DCDAF
    assert int(mixed(np.array([0x9E3779B97F4A7C15], np.uint64))[0]) == 0x6E789E6AA1B965F4


def test_what_is_hidden_is_what_plain_arithmetic_says() -> None:
    """The same in Python's own whole numbers, a step at a time."""

    def mixed(x: int) -> int:
        x = (x + 0x9E3779B97F4A7C15) & BITS
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & BITS
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & BITS
        return x ^ x >> 31

    def number(use: int, row: int, step: int) -> int:
        state = 0
        for key in (77, 3, use, row, step):
            state = mixed(state ^ key)
        return state

    tokens = [5, 6, 0, 8, 9, 10, 11, 12, 13, 14, 15]
    known = [step for step, token in enumerate(tokens) if token]
    wanted = sorted(known, key=lambda step: number(1, 4, step + 100))[: round(0.5 * len(known))]
    expected = list(tokens)
    for step in wanted:
        how = number(2, 4, step + 100) / 2**64
        any_token = 3 + number(3, 4, step + 100) % (SIZE - 3)
        expected[step] = 0 if how < 0.8 else any_token if how < 0.9 else tokens[step]
    read, hidden = hide(Masking(0.5, 77, 3, SIZE), tokens, first=4, start=100)
    assert np.flatnonzero(hidden[0]).tolist() == sorted(wanted)
    assert read[0].tolist() == expected


@given(st.integers(0, 200), st.floats(0.01, 0.99), st.integers(0, 2**63 - 1), st.integers(0, 10**6))
def test_so_many_steps_of_a_row_are_hidden(steps: int, share: float, seed: int, epoch: int) -> None:
    read, hidden = hide(Masking(share, seed, epoch, SIZE), [7] * steps, [8])
    count = int(hidden[0].sum())
    assert count == (max(1, round(share * steps)) if steps else 0)
    assert hidden[1].tolist() == [True] + [False] * max(0, steps - 1)
    assert (read[0, :steps][~hidden[0, :steps]] == 7).all()


def test_neither_padding_nor_what_is_unknown_is_hidden() -> None:
    for epoch in range(50):
        _, hidden = hide(Masking(0.9, 0, epoch, SIZE), [0, 4, 0, 5, 6], [0, 0], [9])
        assert not hidden[0, [0, 2]].any()
        assert hidden[0].sum() == 3
        assert not hidden[1].any()
        assert hidden[2].tolist() == [True, False, False, False, False]


def test_a_hidden_step_reads_unknown_any_token_or_itself() -> None:
    rows = [[7] * 100] * 2_000
    read, hidden = hide(Masking(0.15, 1, 0, SIZE), *rows)
    assert (hidden.sum(1) == 15).all()
    seen = read[hidden]
    n, others = len(seen), seen[(seen != 0) & (seen != 7)]
    # Each share within five deviations of a binomial; any token is 7 itself once in 47.
    for share, p in (
        ((seen == 0).mean(), 0.8),
        ((seen == 7).mean(), 0.1 + 0.1 / (SIZE - 3)),
        (len(others) / n, 0.1 - 0.1 / (SIZE - 3)),
    ):
        assert share == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / n))
    counts = np.bincount(others, minlength=SIZE)
    assert not counts[:3].any()
    expected = len(others) / (SIZE - 4)
    assert counts[3:7].tolist() + counts[8:].tolist() == pytest.approx([expected] * 46, abs=6 * math.sqrt(expected))


def test_every_step_is_hidden_as_often() -> None:
    _, hidden = hide(Masking(0.25, 5, 2, SIZE), *[[7] * 20] * 4_000)
    assert hidden.mean(0).tolist() == pytest.approx([0.25] * 20, abs=5 * math.sqrt(0.25 * 0.75 / 4_000))


def test_company_does_not_matter() -> None:
    masking = Masking(0.3, 9, 1, SIZE)
    rows = [[4] * 12, [5] * 3, [6] * 30]
    read, hidden = hide(masking, *rows)
    for place, row in enumerate(rows):
        alone, told = hide(masking, row, first=place)
        assert alone[0].tolist() == read[place, : len(row)].tolist()
        assert told[0].tolist() == hidden[place, : len(row)].tolist()


@pytest.mark.parametrize(
    ("seed", "epoch", "row", "start"), [(8, 1, 0, 0), (9, 2, 0, 0), (1, 9, 0, 0), (9, 1, 1, 0), (9, 1, 0, 60)]
)
def test_another_seed_epoch_row_or_place_hides_others(seed: int, epoch: int, row: int, start: int) -> None:
    _, hidden = hide(Masking(0.3, 9, 1, SIZE), [4] * 60)
    assert np.array_equal(hide(Masking(0.3, 9, 1, SIZE), [4] * 60)[1], hidden)
    assert not np.array_equal(hide(Masking(0.3, seed, epoch, SIZE), [4] * 60, first=row, start=start)[1], hidden)
