"""Units that are judged by themselves."""

from __future__ import annotations

import pytest

from unrolled.training.units import Unit, Units


@pytest.mark.parametrize(("count", "kept"), [(4, [0, 1, 2, 3]), (5, [0, 2, 4]), (40, [0, 16, 32])])
def test_of_many_units_evenly_spaced_ones_are_kept(count: int, kept: list[int]) -> None:
    units = Units(4)
    for row in range(count):
        if units.keeps:
            units.keep(Unit(row, 0, {}, {}))
        units.count += 1
    assert [unit.row for unit in units.each] == kept
