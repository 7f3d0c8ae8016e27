"""Draw `results/cost.jsonl` as `docs/cost.svg`: training time, memory and a live step against T, a line a model.

Both axes are logarithmic: what grows with T is a line of the slope that is drawn in grey, what grows with its square is
twice as steep. Of each model and length the last measurement is drawn.
"""

import html
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import common
from cost import HIDDEN, LENGTHS
from long_memory import MODELS

TARGET = common.ROOT / "docs" / "cost.svg"
PANELS = {
    "seconds": ("training: a row there and back", "seconds"),
    "bytes": ("memory that this needs", "bytes"),
    "push_seconds": ("one live step after T steps", "seconds"),
}
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#222222", "#a6761d", "#8a8a00", "#7570b3")

WIDTH, LEFT, RIGHT = 800, 72, 100
TOP, PANEL, GAP = 76, 220, 60  # of the first panel; heights of a panel and of what is below it
Measured = dict[tuple[str, str], dict[int, float]]  # (what, model) -> T -> value


def main() -> None:
    found, machine = measured(common.RESULTS / "cost.jsonl")
    TARGET.write_text("\n".join(drawing(found, machine)) + "\n", "utf-8")
    print(f"{len(found)} lines in {TARGET.relative_to(common.ROOT)}")


def measured(path: Path) -> tuple[Measured, str]:
    """What was measured last, and on which machine."""
    if not path.exists():
        sys.exit(f"{path.name} is not there: bench/cost.py writes it")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    found: Measured = {}
    for row in rows:
        for what in PANELS:
            if row.get(what, 0) > 0:
                found.setdefault((what, row["model"]), {})[row["steps"]] = row[what]
    return found, rows[-1]["machine"]


def drawing(found: Measured, machine: str) -> Iterator[str]:
    height = TOP + len(PANELS) * (PANEL + GAP)
    title = f"What a row costs against its length T: one layer of {HIDDEN} units, one row"
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
    yield '  font-family="system-ui, sans-serif" font-size="11" fill="#222">'
    yield f"<title>{title}</title>"
    yield f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    yield text(LEFT, 20, title, "start", 'font-size="14" font-weight="bold"')
    yield text(LEFT, 37, f"{machine}; grey: in proportion to T", "start", 'fill="#666"')
    for index, what in enumerate(PANELS):
        lines = {model: points for (kind, model), points in found.items() if kind == what}
        if lines:
            yield from panel(what, lines, TOP + index * (PANEL + GAP))
    yield "</svg>"


def panel(what: str, lines: dict[str, dict[int, float]], top: int) -> Iterator[str]:
    """One quantity: a line a model, named at its end."""
    title, unit = PANELS[what]
    values = [value for points in lines.values() for value in points.values()]
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)
    highest = max(highest, lowest + 1)

    def y(value: float) -> float:
        return top + PANEL * (1 - (math.log10(value) - lowest) / (highest - lowest))

    yield text(LEFT, top - 8, title, "start", 'font-size="12" font-weight="bold"')
    for power in range(lowest, highest + 1):
        yield line([(LEFT, y(10.0**power)), (WIDTH - RIGHT, y(10.0**power))], 'stroke="#ddd"')
        yield text(LEFT - 5, y(10.0**power) + 4, amount(10.0**power, unit), "end", 'fill="#666"')
    for steps in LENGTHS:
        yield text(x(steps), top + PANEL + 14, f"{steps:,}".replace(",", " "), "middle", 'fill="#666"')
    start = 10.0**lowest
    end = min(start * LENGTHS[-1] / LENGTHS[0], 10.0**highest)
    yield line([(x(LENGTHS[0]), y(start)), (x(LENGTHS[0] * end / start), y(end))], 'stroke="#bbb" stroke-dasharray="4"')
    taken: list[float] = []
    ranked = sorted(lines.items(), key=lambda item: y(item[1][max(item[1])]))
    for rank, (model, points) in enumerate(ranked):
        look = f'stroke="{colour(model)}" stroke-width="2"'
        places = [(x(steps), y(value)) for steps, value in sorted(points.items())]
        yield line(places, look)
        for place in places:
            yield f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="3" fill="{colour(model)}"/>'
        room = top + PANEL - 12 * (len(ranked) - 1 - rank)  # the names below this one stay above the axis's numbers
        name = max([min(places[-1][1] + 4, room), *(one + 12 for one in taken)])
        taken.append(name)
        yield text(places[-1][0] + 8, name, model, "start", f'fill="{colour(model)}" font-weight="bold"')


def colour(model: str) -> str:
    return COLOURS[MODELS.index(model) % len(COLOURS)] if model in MODELS else "#666"


def amount(value: float, unit: str) -> str:
    """``1 ms``, ``10 MB``."""
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)) if unit == "seconds" else (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
    name, size = next(((name, size) for name, size in units if value >= size * 0.999), units[-1])
    return f"{value / size:g} {name}"


def x(steps: float) -> float:
    share = math.log(steps / LENGTHS[0]) / math.log(LENGTHS[-1] / LENGTHS[0])
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def line(points: list[tuple[float, float]], look: str) -> str:
    return f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}" fill="none" {look}/>'


def text(x: float, y: float, words: str, anchor: str, look: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {look}>{html.escape(words)}</text>'


if __name__ == "__main__":
    main()
