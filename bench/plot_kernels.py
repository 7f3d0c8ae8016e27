"""Draw `results/kernels.jsonl` as `docs/kernels.svg`: how many times as fast as torch.nn, per cell, mode and shape.

Each bar is the median of its last three measurements with two threads and the default malloc, drawn from the line at 1
(as fast as torch.nn) on a logarithmic scale; the tick across it is the floor of issue 3.
"""

import html
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import common
from kernels import FLOORS, GATES, PACKED_FLOOR, SHAPES

TARGET = common.ROOT / "docs" / "kernels.svg"
THREADS, MALLOC, LAST = 2, "default", 3
MODES = {
    "training": ("training", "#0072b2"),
    "inference": ("inference", "#e69f00"),
    "packed": ("training on variable lengths", "#009e73"),
}

WIDTH, LEFT, RIGHT = 800, 88, 8
TOP, PANEL, GAP = 64, 150, 34  # of the first panel; heights of a panel and of what is below it
BAR = 32
LOWEST, HIGHEST = 0.5, 32.0
Measured = dict[tuple[str, str, str], float]


def main() -> None:
    found, machine = measured(common.RESULTS / "kernels.jsonl")
    TARGET.write_text("\n".join(drawing(found, machine)) + "\n", "utf-8")
    print(f"{len(found)} bars in {TARGET.relative_to(common.ROOT)}")


def measured(path: Path) -> tuple[Measured, str]:
    """× over torch.nn by (cell, mode, shape), and the machine."""
    if not path.exists():
        sys.exit(f"{path.name} is not there: bench/kernels.py writes it")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows = [row for row in rows if (row["threads"], row["malloc"]) == (THREADS, MALLOC)]
    if not rows:
        sys.exit(f"{path.name} has no row with {THREADS} threads and {MALLOC} malloc")
    ratios = defaultdict(list)
    for row in rows:
        ratios[row["cell"], row["mode"], row["shape"]].append(row["torch_seconds"] / row["seconds"])
    return {key: statistics.median(values[-LAST:]) for key, values in ratios.items()}, rows[-1]["machine"]


def drawing(found: Measured, machine: str) -> Iterator[str]:
    height = TOP + len(GATES) * (PANEL + GAP)
    title = "Recurrent layers on a CPU: times as fast as torch.nn"
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
    yield '  font-family="system-ui, sans-serif" font-size="11" fill="#222">'
    yield f"<title>{title}</title>"
    yield f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    yield text(LEFT, 20, title, "start", 'font-size="14" font-weight="bold"')
    yield text(LEFT, 37, f"{machine}; B, T, I, H below each shape; tick: floor", "start", 'fill="#666"')
    x = LEFT
    for label, colour in MODES.values():
        yield f'<rect x="{x}" y="45" width="10" height="10" fill="{colour}"/>' + text(x + 14, 54, label, "start")
        x += 30 + 6 * len(label)
    for index, cell in enumerate(GATES):
        yield from panel(cell, found, TOP + index * (PANEL + GAP))
    yield "</svg>"


def panel(cell: str, found: Measured, top: int) -> Iterator[str]:
    """One cell: a group of bars for each shape."""
    yield text(12, top + PANEL / 2, cell, "start", 'font-size="14" font-weight="bold"')
    for mark in (0.5, 1, 2, 4, 8, 16, 32):
        look = 'stroke="#222" stroke-width="1.5"' if mark == 1 else 'stroke="#ddd"'
        yield line(LEFT, WIDTH - RIGHT, height_of(mark, top), look)
        yield text(LEFT - 5, height_of(mark, top) + 4, f"{mark:g} ×", "end", 'fill="#666"')
    group = (WIDTH - LEFT - RIGHT) / len(SHAPES)
    for index, (shape, size) in enumerate(SHAPES.items()):
        middle = LEFT + (index + 0.5) * group
        label = f"{shape}: {', '.join(map(str, size))}"
        yield text(middle, top + PANEL + 14, label, "middle", 'font-size="10"')
        bars = [mode for mode in MODES if (cell, mode, shape) in found]
        for place, mode in enumerate(bars):
            x = middle + (place - len(bars) / 2) * BAR
            yield from bar(x, top, found[cell, mode, shape], floor(cell, mode, shape), MODES[mode][1])


def bar(x: float, top: int, ratio: float, least: float, colour: str) -> Iterator[str]:
    start, end, tick = height_of(1, top), height_of(ratio, top), height_of(least, top)
    where = f'x="{x + 3:.1f}" y="{min(start, end):.1f}" width="{BAR - 6}" height="{abs(start - end):.1f}"'
    yield f'<rect {where} fill="{colour}"/>'
    yield line(x + 1, x + BAR - 1, tick, 'stroke="#222" stroke-width="2"')
    yield text(x + BAR / 2, min(start, end, tick) - 4, f"{ratio:.3g}", "middle", 'font-size="10"')


def floor(cell: str, mode: str, shape: str) -> float:
    return PACKED_FLOOR if mode == "packed" else FLOORS[cell, mode]["ABCDEF".index(shape)]


def height_of(ratio: float, top: int) -> float:
    """Where a ratio lies in the panel that begins at ``top``."""
    share = math.log(min(max(ratio, LOWEST), HIGHEST) / LOWEST) / math.log(HIGHEST / LOWEST)
    return top + PANEL * (1 - share)


def line(start: float, end: float, y: float, look: str) -> str:
    return f'<line x1="{start:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}" {look}/>'


def text(x: float, y: float, words: str, anchor: str, look: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {look}>{html.escape(words)}</text>'


if __name__ == "__main__":
    main()
