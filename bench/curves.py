"""Would the size curves of the plain call have come out alike without each of the tables that they were fitted to?

Each point is a table with its best flags (see the script of the table): a measured number and the value that was best
there. A straight line through the logarithms of all points but one tells the value of the one left out, and what the
curve itself says stands beside it. Nothing is trained: it takes a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unrolled.planning.rules import _size_curves as shared
from unrolled.planning.rules import _whole_rows as whole
from unrolled.planning.rules import next as following

WINDOW = 64


@dataclass(frozen=True, slots=True)
class Table:
    """A table's facts, its best flags, and how often they read the data; ``long`` rows are read in pieces."""

    rows: int
    steps: int
    passes: float
    batch: int
    hidden: int
    dropout: float
    rate: float
    long: bool = True

    @property
    def updates(self) -> float:
        return self.steps / WINDOW if self.long else self.rows


NEXT_STEP = {
    "JSB Chorales": Table(229, 13_807, 20, 4, 200, 0.2, 3e-3, long=False),
    "Nottingham": Table(694, 176_561, 15, 16, 320, 0.1, 4e-3),
    "Shakespeare": Table(1, 903_471, 8.6, 32, 384, 0.1, 5e-3),
    "folk tunes": Table(652, 160_854, 29, 32, 384, 0.3, 4e-3),
}
WHOLE_ROWS = {
    "BasicMotions": Table(36, 3_600, 60, 32, 32, 0.3, 2e-3, long=False),
    "ItalyPowerDemand": Table(60, 1_440, 60, 32, 32, 0.0, 2e-3, long=False),
    "JapaneseVowels": Table(243, 3_851, 60, 32, 64, 0.3, 2e-3, long=False),
    "spoken digits": Table(1_620, 71_689, 40, 16, 128, 0.3, 2e-3, long=False),
    "movie reviews": Table(8_635, 197_249, 5, 50, 128, 0.5, 1e-3, long=False),
}


def left_out(at: list[float], values: list[float], number: int) -> float:
    """What a straight line through the logarithms of the other points says."""
    others = [n for n in range(len(at)) if n != number]
    line = np.polyfit(np.log([at[n] for n in others]), np.log([values[n] for n in others]), 1)
    return float(math.exp(np.polyval(line, math.log(at[number]))))


def rows(name: str, tables: dict[str, Table], at: str, best: str, curve: Callable[[Table], float]) -> None:
    """A line for each table: its best value, what the others say of it, and what the curve says."""
    points = [getattr(table, at) for table in tables.values()]
    values = [getattr(table, best) for table in tables.values()]
    for number, (left, table) in enumerate(tables.items()):
        print(
            f"| {name} | {left} | {values[number]:.3g} | {left_out(points, values, number):.3g} | {curve(table):.3g} |"
        )


def main() -> None:
    print("| curve | left out | best there | by the others | the curve |\n|---|---|---|---|---|")
    rows("batch", NEXT_STEP, "updates", "batch", lambda table: shared.BATCH(table.updates))
    rows("width", NEXT_STEP, "steps", "hidden", lambda table: following._HIDDEN(table.steps))
    rows("dropout", NEXT_STEP, "passes", "dropout", lambda table: shared._DROPOUT(table.passes))
    rows("learning rate", NEXT_STEP, "batch", "rate", lambda table: shared.rate(table.batch, table.hidden))
    rows("width of whole rows", WHOLE_ROWS, "rows", "hidden", lambda table: whole._HIDDEN(table.rows))


if __name__ == "__main__":
    main()
