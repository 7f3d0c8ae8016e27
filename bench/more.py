"""Going on with new data (`--more`): what is forgotten, with and without replay, beside one run on all data.

Protocol: the training tweets of TweetEval's emotions, in two halves. The first half has no optimism, and a run is
trained on it. A second run goes on with the other half, which has all four emotions. A joint run is trained from the
start on the training rows of both, with their validation rows as its own. All are judged on the rows that the first run
held out, of three emotions, and on the test set, of four. Each figure is the mean of three seeds.

Goal: with replay 0.2 the accuracy on the old rows falls at most 2 points more than that of the joint run.
"""

import json
import sys
from pathlib import Path
from statistics import mean

import common
import pyarrow as pa
import tweets_emotion

import unrolled
from unrolled.runs.held_out import splits_again

OPTIONS = {"model": "bigru", "hidden": 64, "embedding": 100, "dropout": 0.5, "lr": 2e-3, "refit": "no", "plan": "fixed"}
EPOCHS, SEEDS, SHARES = 6, (0, 1, 2), (0.0, 0.2, 0.5)


def main() -> None:
    folder, quick = common.work("more"), "--quick" in sys.argv
    tweets_emotion.write_parts(folder)
    lines = (folder / "train.jsonl").read_text("utf-8").splitlines(keepends=True)
    half = len(lines) // 2
    (folder / "a.jsonl").write_text("".join(line for line in lines[:half] if '"optimism"' not in line), "utf-8")
    (folder / "b.jsonl").write_text("".join(lines[half:]), "utf-8")
    rows: dict[str, list[tuple[float, float]]] = {}
    for seed in SEEDS[:1] if quick else SEEDS:
        for name, found in figures(folder, seed, 1 if quick else EPOCHS).items():
            rows.setdefault(name, []).append(found)
    print("| run | accuracy on the old rows | on the test set |\n|---|---|---|")
    for name, found in rows.items():
        old, test = (100 * mean(column) for column in zip(*found, strict=True))
        print(f"| {name} | {old:.1f} | {test:.1f} |")


def figures(folder: Path, seed: int, epochs: int) -> dict[str, tuple[float, float]]:
    """Each run -> its accuracy on the old rows, and on the test set."""
    budget = {"seed": seed, "epochs": epochs, "quiet": True, "overwrite": True}
    first = unrolled.fit(folder / "a.jsonl", out=folder / "a", target="emotion", **OPTIONS, **budget)
    old = splits_again(first.config, "a", "").held_out()["valid"].table
    runs = {}
    for share in SHARES:
        place = folder / f"b{share}"
        more = unrolled.fit(folder / "b.jsonl", more=folder / "a", out=place, replay=share, **budget)
        runs[f"second half, replay {share}"] = more
    both = splits_again(more.config, "b", "")
    write(both.train.table, folder / "ab.jsonl")
    write(both.held_out()["valid"].table, folder / "held.jsonl")
    given = {**OPTIONS, **budget, "target": "emotion", "valid": str(folder / "held.jsonl")}
    runs["both halves at once"] = unrolled.fit(folder / "ab.jsonl", out=folder / "ab", **given)
    found = {name: (run.evaluate(old), run.evaluate(str(folder / "test.jsonl"))) for name, run in runs.items()}
    before = {"first half": (first.metrics["valid"]["accuracy"], float("nan"))}  # it does not know optimism
    return before | {name: (a["accuracy"], b["accuracy"]) for name, (a, b) in found.items()}


def write(table: pa.Table, place: Path) -> None:
    """The tweets of a table as a file."""
    rows = table.select(["text", "emotion"]).to_pylist()
    place.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
