from __future__ import annotations

import pytest

from unrolled.planning.curve import Curve

BATCH = Curve(((256, 4), (1_024, 8)), 16)


@pytest.mark.parametrize(("size", "value"), [(0, 4), (256, 4), (256.5, 8), (1_024, 8), (1e9, 16)])
def test_the_first_rung_that_is_high_enough(size: float, value: int) -> None:
    assert BATCH(size) == value


def test_the_next_smaller_value() -> None:
    assert [BATCH.below(value) for value in (16, 8, 5, 4)] == [8, 4, 4, None]
