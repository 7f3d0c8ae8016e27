"""Ten folds of a table, each a run of `unrolled fit`: shared by the scripts whose data have no split of their own.

A permutation of all rows, fixed by the seed, is cut into ten folds. Each is the test set of one run, which holds out a
tenth of the other nine to validate on. A seed's value is the mean of its folds; the row is the mean ± deviation over
seeds, and the deviation over all folds, with the majority on the same folds, is printed below it.
"""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

import common
import numpy as np

__all__ = ["measure", "write_folds"]

_FOLDS = 10
_METRICS = ("accuracy",)


def measure(
    table: str, doc: str | None, variants: dict[str, list[str]], target: str, rows: list[dict[str, str]]
) -> None:
    """Cross-validate every variant of a script and print its rows."""
    options = common.arguments(doc, variants, [("--folds", int, _FOLDS, "run only the first so many of the ten folds")])
    folds = 1 if options.quick else options.extra.folds
    for seed in options.seeds:
        write_folds(common.work(table), rows, seed, folds)
    common.header(_METRICS)
    notes = []
    for variant, flags in options.variants.items():
        runs = []
        for seed in options.seeds:
            for fold in range(folds):
                arguments = ["--target", target, "--test", f"test-{seed}-{fold}.csv", *flags]
                source, part = f"train-{seed}-{fold}.csv", f"fold-{fold}"
                runs.append(common.fit(table, variant, source, arguments, seed, options, part))
        accuracies = [run.value("accuracy") for run in runs]
        majority = [run.baselines[run.split]["majority"]["accuracy"] for run in runs]
        means = [statistics.mean(accuracies[i : i + folds]) for i in range(0, len(runs), folds)]
        common.row(f"{variant}, {folds} folds", runs, _METRICS, means)
        notes.append(f"{variant}: {len(runs)} folds {common.spread(accuracies)}; majority {common.spread(majority)}")
    print("\n" + "\n".join(notes))


def write_folds(folder: Path, rows: list[dict[str, str]], seed: int, folds: int) -> None:
    """``train-<seed>-<fold>.csv`` and ``test-<seed>-<fold>.csv`` of the first ``folds`` of the ten."""
    parts = np.array_split(np.random.default_rng(seed).permutation(len(rows)), _FOLDS)
    for fold in range(folds):
        rest = np.concatenate([part for other, part in enumerate(parts) if other != fold])
        for role, chosen in (("train", rest), ("test", parts[fold])):
            with (folder / f"{role}-{seed}-{fold}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows[i] for i in chosen)
