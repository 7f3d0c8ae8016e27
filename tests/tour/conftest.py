"""Five models of a few training steps, and what was measured on them: made once."""

from __future__ import annotations

import pytest

from unrolled.tour.observed import Measured, measure
from unrolled.tour.tiny import Tiny, train


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    return train(3, 0, lambda _: None)


@pytest.fixture(scope="session")
def found(tiny: Tiny) -> Measured:
    return measure(tiny, 3, 0)
