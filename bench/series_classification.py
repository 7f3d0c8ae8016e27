"""Whose voice, which movement: accuracy on five sets of time series that come with the aeon package.

Protocol: the official training and test parts of each set, as their ``.ts`` files lie in aeon's wheel (fetched by pip
into ``bench/work``; nothing of aeon is run). Flags are chosen on a fifth of the training part; the runs that are shown
train on all of it for a fixed number of epochs, without validation, and are tested once.

Published, on the same parts: InceptionTime, read from the result file that is in the wheel too (its resample 0 is the
official split; of the univariate sets alone). ROCKET, mean of ten runs (Dempster et al. 2020,
https://arxiv.org/abs/1910.13051): ArrowHead 81.4 %, GunPoint 100.0 %, ItalyPowerDemand 97.0 %.
Goal: JapaneseVowels 98 %.
"""

import csv
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import common

INCEPTION = "aeon/testing/example_results_files/classification/accuracy/InceptionTime_accuracy.csv"
VARIANTS = {
    "JapaneseVowels": ["--model", "bigru", "--hidden", "64", "--pool", "max", "--dropout", "0.3", "--epochs", "60"],
    "GunPoint": ["--model", "window", "--window", "32", "--hidden", "128", "--pool", "max", "--epochs", "200"],
    "ItalyPowerDemand": ["--model", "bigru", "--hidden", "32", "--epochs", "60"],
    "ArrowHead": ["--model", "window", "--window", "32", "--hidden", "128", "--pool", "max", "--epochs", "200"],
    "BasicMotions": ["--model", "bigru", "--hidden", "32", "--pool", "max", "--dropout", "0.3", "--epochs", "60"],
}
METRICS = ("accuracy", "macro_f1")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("series_classification")
    wheel = fetched(folder)
    published = inception(wheel)
    common.header(METRICS)
    for name, flags in options.variants.items():
        train, test = (unpacked(wheel, folder, f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
        parts = ["--valid", "0.2"] if options.tune else ["--valid", "0", "--test", test]
        asked = ["--target", "class", *parts, *flags]
        runs = [common.fit("series_classification", name, train, asked, seed, options) for seed in options.seeds]
        common.row(name, runs, METRICS)
        if name in published:
            print(f"|   InceptionTime | {published[name]:.4g} |", flush=True)


def fetched(folder: Path) -> Path:
    """The wheel of aeon, fetched once."""
    wheels = sorted(folder.glob("aeon-*.whl"))
    if not wheels:
        download = [sys.executable, "-m", "pip", "download", "aeon", "--no-deps", "--quiet", "--dest", str(folder)]
        if subprocess.run(download, check=False).returncode:
            sys.exit("aeon, whose wheel holds the data, could not be fetched")
        wheels = sorted(folder.glob("aeon-*.whl"))
    return wheels[-1]


def unpacked(wheel: Path, folder: Path, name: str) -> str:
    """One ``.ts`` file of the wheel, laid into ``folder``; its name."""
    with zipfile.ZipFile(wheel) as files:
        (folder / name).write_bytes(files.read(f"aeon/datasets/data/{name.split('_')[0]}/{name}"))
    return name


def inception(wheel: Path) -> dict[str, float]:
    """Data set -> accuracy of InceptionTime on the official split."""
    with zipfile.ZipFile(wheel) as files:
        rows = list(csv.reader(io.StringIO(files.read(INCEPTION).decode())))
    return {row[0]: float(row[1 + rows[0][1:].index("0")]) for row in rows[1:]}


if __name__ == "__main__":
    main()
