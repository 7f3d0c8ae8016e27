"""The contracts of a single step, over every cell; what runs it over time is held to those of layers."""

from __future__ import annotations

from typing import Any

import pytest
from contracts.members import CELL_NAMES
from own_cells import Delayed, Leaky

from unrolled.cells.cell import CELLS
from unrolled.testing.cells import CONTRACTS


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@pytest.mark.parametrize("make", [*map(CELLS.get, CELL_NAMES), Delayed, Leaky], ids=lambda make: make.__name__)
def test_a_cell(make: Any, contract: Any) -> None:
    contract(make)
