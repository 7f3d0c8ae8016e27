"""E. coli promoters (sigma 70, 839 promoters and 3 000 other sequences, 81 letters): by 5-fold cross-validation.

A permutation of each file's records, fixed by the seed, is cut into five folds. Each fold is the test set of one run of
`unrolled fit`, which holds out a tenth of the other four to validate on. Correlation (Matthews), sensitivity and
specificity are those of the answers that `unrolled predict` gives to the test set, a file of FASTA for each class.

Published: CNNProm 0.84 correlation, 0.90 sensitivity, 0.96 specificity (Umarov, Solovyev 2017, on these data,
https://doi.org/10.1371/journal.pone.0171410). Goal: correlation 0.84.
"""

from __future__ import annotations

import csv
import math
import statistics
import subprocess
from pathlib import Path

import common
import numpy as np

FOLDS = 5
# Promoters are cut out where transcription begins, so that a place in the window means something: a map that has
# weights of its own for each place learns more of so few than a recurrent network, which reads any place alike.
PLACED = ["--model", "window", "--window", "81", "--hidden", "64", "--embedding", "8", "--kmer", "5"]
RECURRENT = ["--model", "bigru", "--hidden", "64", "--embedding", "32", "--kmer", "6"]
VARIANTS = {
    "window of all letters": [*PLACED, "--dropout", "0.7", "--weight-decay", "0.5", "--lr", "1e-3", "--epochs", "40"],
    "bigru 64": [*RECURRENT, "--dropout", "0.6", "--weight-decay", "0.1", "--lr", "2e-3", "--epochs", "15"],
}
SCORES = ("correlation", "sensitivity", "specificity")


def main() -> None:
    folds = [("--folds", int, FOLDS, "run only the first so many of the five folds")]
    options = common.arguments(__doc__, VARIANTS, folds)
    count = 1 if options.quick else options.extra.folds
    place = common.work("promoters")
    for seed in options.seeds:
        write_folds(place, seed)
    common.header(("accuracy",))
    lines = []
    for variant, flags in options.variants.items():
        runs, found = [], []
        for seed in options.seeds:
            for fold in range(count):
                train, test = f"train-{seed}-{fold}", f"test-{seed}-{fold}"
                arguments = ["--target", "file", "--test", test, *flags]
                runs.append(common.fit("promoters", variant, train, arguments, seed, options, f"fold-{fold}"))
                found.append(scores(place, common.run_folder(runs[-1].command), test))
        common.row(f"{variant}, {count} folds", runs, ("accuracy",))
        means = ", ".join(f"{name} {common.spread([one[name] for one in found])}" for name in SCORES)
        lines.append(f"{variant}: {means} over {len(found)} folds; CNNProm 0.84, 0.90, 0.96")
        if not (options.quick or options.tune):
            mean = {name: statistics.mean(one[name] for one in found) for name in SCORES}
            common.record("promoters_scores", {"variant": variant, "folds": len(found), **mean})
    print("\n" + "\n".join(lines))


def write_folds(place: Path, seed: int) -> None:
    """A folder for each fold's training and test set, with a file for each class."""
    for name in ("prom", "non_prom"):
        records = common.data("dna-promoters", f"Ecoli_{name}.fa").read_text("ascii").split(">")[1:]
        parts = np.array_split(np.random.default_rng(seed).permutation(len(records)), FOLDS)
        for fold in range(FOLDS):
            rest = np.concatenate([part for other, part in enumerate(parts) if other != fold])
            for role, chosen in (("train", rest), ("test", parts[fold])):
                folder = place / f"{role}-{seed}-{fold}"
                folder.mkdir(exist_ok=True)
                content = "".join(f">{records[at].strip()}\n" for at in np.sort(chosen))
                (folder / f"{name}.fa").write_text(content, "ascii")


def scores(place: Path, run: str, test: str) -> dict[str, float]:
    """Of the answers to a fold's test set; promoters are the positives."""
    program, environment = common.unrolled()
    answers = subprocess.run(
        [*program, "predict", run, test, "--quiet"],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = list(csv.DictReader(answers.stdout.splitlines()))
    counts = {
        (truth, said): sum((row["file"] == "prom", row["file_predicted"] == "prom") == (truth, said) for row in rows)
        for truth in (True, False)
        for said in (True, False)
    }
    tp, fn, fp, tn = counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    spread = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return {
        "correlation": (tp * tn - fp * fn) / spread if spread else 0.0,
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
    }


if __name__ == "__main__":
    main()
