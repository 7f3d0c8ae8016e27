"""Draw `results/plain.jsonl` as `docs/plain.svg`: each row of `plain.py` on a line from its floor to its goal.

A row's numbers have units of their own, so they are laid out alike: the floor stands at the left mark and the goal at
the right one. What lies far outside is drawn at the edge.
"""

import statistics
import sys
from collections.abc import Iterator

import common
from plain import best_peer, last_lines, values_of
from plain_rows import ROWS, Row
from plot_kernels import text

TARGET = common.ROOT / "docs" / "plain.svg"
WIDTH, ROW, LEFT, TOP = 900, 24, 330, 84
FLOOR, GOAL, LEAST, MOST = 560, 720, 350, 800  # places of the marks, and of the edges
NOW, BEFORE, TUNED, PEER = "#0072b2", "#999", "#e69f00", "#009e73"


def main() -> None:
    lines = last_lines()
    if not lines:
        sys.exit("plain.jsonl has no lines yet: bench/plain.py writes them")
    shown = [name for name in ROWS if name in lines]
    TARGET.write_text("\n".join(drawing(shown, lines)) + "\n", "utf-8")
    print(f"{len(shown)} rows in {TARGET.relative_to(common.ROOT)}")


def drawing(names: list[str], lines: dict[str, dict[str, object]]) -> Iterator[str]:
    height = TOP + ROW * len(names) + 16
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
    yield '  font-family="system-ui, sans-serif" font-size="11" fill="#222">'
    yield f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    yield text(12, 22, "The plain call beside its floor, its goal and the best peer", "start", 'font-size="14"')
    minutes = {lines[name]["minutes"] for name in names}
    about = f"{min(minutes):g} to {max(minutes):g} minutes; {lines[names[0]]['machine']}"
    yield text(12, 40, about, "start", 'fill="#666"')
    for place, word in ((FLOOR, "floor"), (GOAL, "goal")):
        yield f'<path d="M{place} {TOP - 14}V{height - 12}" stroke="#bbb"/>'
        yield text(place, TOP - 20, word, "middle", 'fill="#666"')
    legend = ((NOW, "plain now"), (BEFORE, "plain before"), (TUNED, "tuned before"), (PEER, "best peer"))
    for at, (colour, word) in enumerate(legend):
        yield f'<circle cx="{LEFT + 110 * at}" cy="56" r="4" fill="{colour}"/>'
        yield text(LEFT + 8 + 110 * at, 60, word, "start")
    for at, name in enumerate(names):
        yield from line(ROWS[name], name, lines[name], TOP + ROW * at)


def line(row: Row, name: str, found: dict, y: float) -> Iterator[str]:
    own = statistics.mean(values_of(name, found))
    yield text(12, y + 4, f"{row.title}, {row.unit}", "start")
    yield f'<path d="M{LEAST} {y}H{MOST}" stroke="#eee"/>'
    peer = best_peer(name, list(found["parts"]))
    for value, colour, word in (
        (row.before, BEFORE, "plain before"),
        (row.tuned, TUNED, "tuned before"),
        (None if peer is None else peer[1], PEER, "" if peer is None else peer[0]),
        (own, NOW, "plain now"),
    ):
        if value is not None:
            said = f"<title>{word}: {value:.4g}</title>"
            yield f'<circle cx="{place_of(row, value):.1f}" cy="{y}" r="4.5" fill="{colour}">{said}</circle>'
    yield text(WIDTH - 12, y + 4, f"{own:.4g}", "end", f'fill="{NOW}"')


def place_of(row: Row, value: float) -> float:
    """Pixels from the left; a row without a goal has a tenth of its floor instead."""
    goal = row.goal if row.goal is not None else row.floor * (0.9 if row.lower else 1.1)
    at = FLOOR + (GOAL - FLOOR) * (value - row.floor) / (goal - row.floor)
    return min(max(at, LEAST), MOST)


if __name__ == "__main__":
    main()
