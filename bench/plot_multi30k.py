"""Draw `results/multi30k.jsonl` as `docs/multi30k_lengths.svg`: BLEU against the length of the source sentence.

Each point is the cased BLEU of the test sentences of that length, written with the widest beam by the last recorded run
of a variant: with attention, without it, and by a transformer.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import common
from multi30k import BUCKETS, VARIANTS, pairs
from plot_kernels import line, text

TARGET = common.ROOT / "docs" / "multi30k_lengths.svg"
COLOURS = dict(zip(VARIANTS, ("#0072b2", "#009e73", "#e69f00"), strict=True))

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 48, 180, 56, 296  # of the panel
HIGHEST, MARK = 50, 10  # BLEU
Measured = dict[str, dict[str, float]]


def main() -> None:
    found, machine = measured(common.RESULTS / "multi30k.jsonl")
    sentences = [len(pair["english"].split()) for pair in pairs("test_2016_flickr")]
    counts = {name: sum(least <= n <= most for n in sentences) for name, (least, most) in BUCKETS.items()}
    TARGET.write_text("\n".join(drawing(found, counts, machine)) + "\n", "utf-8")
    print(f"{len(found)} lines in {TARGET.relative_to(common.ROOT)}")


def measured(path: Path) -> tuple[Measured, str]:
    """BLEU of each length by variant, and the machine."""
    if not path.exists():
        sys.exit(f"{path.name} is not there: bench/multi30k.py writes it")
    rows = [json.loads(row) for row in path.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row.get("what") == "answers" and row["variant"] in VARIANTS]
    if not rows:
        sys.exit(f"{path.name} has no answers yet: bench/multi30k.py writes them")
    widest = max(row["beam"] for row in rows)
    last = {row["variant"]: row["by_length"] for row in rows if row["beam"] == widest}
    return {name: last[name] for name in VARIANTS if name in last}, rows[-1]["machine"]


def drawing(found: Measured, counts: dict[str, int], machine: str) -> Iterator[str]:
    title = "Multi30k, English → German: BLEU against the length of the sentence"
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
    yield '  font-family="system-ui, sans-serif" font-size="11" fill="#222">'
    yield f"<title>{title}</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    yield text(LEFT, 20, title, "start", 'font-size="14" font-weight="bold"')
    yield text(LEFT, 37, f"test 2016, cased sacreBLEU; {machine}", "start", 'fill="#666"')
    for mark in range(0, HIGHEST + 1, MARK):
        yield line(LEFT, WIDTH - RIGHT, y_of(mark), 'stroke="#222"' if mark == 0 else 'stroke="#ddd"')
        yield text(LEFT - 6, y_of(mark) + 4, str(mark), "end", 'fill="#666"')
    for place, (name, count) in enumerate(counts.items()):
        yield text(x_of(place), BOTTOM + 16, name, "middle")
        yield text(x_of(place), BOTTOM + 30, str(count), "middle", 'font-size="10" fill="#666"')
    for row, label in enumerate(("words of the source", "sentences")):
        yield text(WIDTH - RIGHT + 8, BOTTOM + 16 + 14 * row, label, "start", 'fill="#666"')
    for variant, scores in found.items():
        yield from curve(variant, [scores[name] for name in counts], COLOURS[variant])
    for place, label in enumerate(sorted(found, key=lambda variant: -found[variant][[*counts][-1]])):
        top = TOP + 14 * place
        yield f'<circle cx="{WIDTH - RIGHT + 14}" cy="{top}" r="4" fill="{COLOURS[label]}"/>'
        yield text(WIDTH - RIGHT + 24, top + 4, label, "start")
    yield "</svg>"


def curve(variant: str, scores: list[float], colour: str) -> Iterator[str]:
    points = [(x_of(place), y_of(score)) for place, score in enumerate(scores)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for (x, y), score in zip(points, scores, strict=True):
        said = f"<title>{variant}: {score:.1f}</title>"
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}">{said}</circle>'


def x_of(place: int) -> float:
    return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / len(BUCKETS)


def y_of(score: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * min(score, HIGHEST) / HIGHEST


if __name__ == "__main__":
    main()
