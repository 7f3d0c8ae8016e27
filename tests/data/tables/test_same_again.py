from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.tables.same_again import said_of_the_same

SPECIES = ["setosa", "virginica", "other"] * 10
WAGES = [float(n * n % 97) for n in range(30)]
SAME = {
    "codes": (SPECIES, [{"setosa": 3, "virginica": 1, "other": 2}[one] for one in SPECIES], True),
    "other words": (SPECIES, [one.upper() for one in SPECIES], True),
    "one cell differs": (SPECIES, [*SPECIES[:-1], "setosa"], False),
    "finer labels": (SPECIES, [f"{one}{n % 2}" for n, one in enumerate(SPECIES)], False),
    "a logarithm": (WAGES, np.log1p(WAGES), True),
    "other numbers": (WAGES, [float(7 * n % 31) for n in range(30)], False),
    "too few rows": (SPECIES[:9], [one.upper() for one in SPECIES[:9]], False),
    "lists": (SPECIES, [[one] for one in SPECIES], False),
}


@pytest.mark.parametrize("name", SAME)
def test_what_gives_the_answer_away_is_said(name: str) -> None:
    target, other, same = SAME[name]
    lines = list(said_of_the_same(pa.table({"y": target, "x": other}), "y", ["x"]))
    said = "each value of 'x' goes with one of 'y' and the reverse, so it gives the answer away: ignore x leaves it out"
    assert lines == [said] * same
