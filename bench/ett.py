"""ETTh1, 96 hours ahead, 7 channels: mean squared and absolute error in standardised units.

Protocol: the first 20 months (14 400 hourly rows) as 12 months to train, 4 to validate, 4 to test; each channel is
standardised by the mean and deviation of the 12; a window's history may reach back over a border, its targets never.
All 2 785 windows of the test part are averaged (none is dropped from a last batch). Borders, scale and the number of
windows are checked after each run. The long form has a row for each channel and hour, so that one model serves
all channels, as DLinear's does; its values are standardised beforehand by the same 8 640 rows.

Published: MSE / MAE of DLinear 0.375 / 0.399 (lookback 336) and Informer 0.865 / 0.713 (Zeng et al. 2023, table 2,
https://arxiv.org/abs/2205.13504), PatchTST 0.370 / 0.400 (Nie et al. 2023, https://arxiv.org/abs/2211.14730).
Goal: MSE 0.42 or less.
"""

from pathlib import Path
from typing import Any

import common
import numpy as np
import pyarrow as pa
import pyarrow.csv

MONTH = 30 * 24
TRAIN, VALID, TEST = 12 * MONTH, 4 * MONTH, 4 * MONTH
HORIZON = 96
SPLIT = ["--horizon", str(HORIZON), "--order", "date", "--test", "0.2", "--valid", "0.25"]
LONG = ["--by", "channel"]
WINDOW = ["--model", "window", "--window", "336", "--lookback", "336", "--batch", "128"]
LSTM = ["--hidden", "64", "--lookback", "168", "--dropout", "0.1", "--lr", "2e-3", "--batch", "256", "--epochs", "2"]
VARIANTS = {
    "window 336, long form": [*LONG, *WINDOW, "--lr", "6e-3", "--epochs", "2"],
    "window 336, long form, decayed": [*LONG, *WINDOW, "--lr", "1e-2", "--epochs", "4", "--weight-decay", "1"],
    "lstm 64, long form": [*LONG, *LSTM],
    "plain default, 7 channels": [],
}
METRICS = ("mse_scaled", "mae_scaled")


def main() -> None:
    options = common.arguments(__doc__, VARIANTS)
    folder = common.work("ett")
    write_tables(folder)
    common.header(METRICS)
    for variant, flags in options.variants.items():
        source = "long.csv" if "--by" in flags else "wide.csv"
        runs = [common.fit("ett", variant, source, [*SPLIT, *flags], seed, options) for seed in options.seeds]
        check(folder, runs[-1], source)
        common.row(variant, runs, METRICS)


def write_tables(folder: Path) -> None:
    """``wide.csv`` as it came, cut to 20 months, and ``long.csv`` with standardised values."""
    wide = pa.csv.read_csv(common.data("ett", "ETTh1.csv")).slice(0, TRAIN + VALID + TEST)
    assert wide.num_rows == TRAIN + VALID + TEST
    pa.csv.write_csv(wide, folder / "wide.csv")
    channels = [name for name in wide.column_names if name != "date"]
    long = []
    for name in channels:
        values = wide[name].to_numpy()
        scaled = (values - values[:TRAIN].mean()) / values[:TRAIN].std()
        long.append(pa.table({"channel": [name] * len(scaled), "date": wide["date"], "value": scaled}))
    pa.csv.write_csv(pa.concat_tables(long), folder / "long.csv")


def check(folder: Path, run: common.Run, source: str) -> None:
    """The run's borders, scale and windows are the published ones, as the package itself sees them."""
    from unrolled.api import load
    from unrolled.data.tables.split import hold_out_end

    trained = load(folder / common.run_folder(run.command))
    rest, test = hold_out_end(trained.read(str(folder / source)), TEST / (TRAIN + VALID + TEST))
    train, _ = hold_out_end(rest, VALID / (TRAIN + VALID))
    examples = trained.encode(test, target=True)
    rows, ends = examples.window_ends()
    assert set(trained.encode(train, target=True).steps()) == {TRAIN}
    assert set(examples.steps()) == {TRAIN + VALID + TEST}
    assert set(np.bincount(rows)) == {TEST - HORIZON + 1} == {2785}, "the standard test set has 2 785 windows"
    assert ends.min() == TRAIN + VALID
    table = pa.csv.read_csv(folder / "wide.csv")
    answer: Any = trained.task.coder.answer
    first = [table[name].to_numpy()[:TRAIN] for name in table.column_names[1:]]
    expected = [values.std() for values in first] if source == "wide.csv" else [1.0]
    assert np.allclose(answer.std, expected, rtol=1e-6), "the scale is that of the 12 months"


if __name__ == "__main__":
    main()
