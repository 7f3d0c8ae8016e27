"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest


@pytest.fixture
def times() -> Callable[[int, int], int]:
    """``times(quick, full)``: how often a test repeats itself, in `make test` and in `make soak`."""
    return lambda quick, full: full if os.environ.get("UNROLLED_SOAK") == "1" else quick
