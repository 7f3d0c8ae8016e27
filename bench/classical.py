"""Classical forecasters: mean absolute scaled error on fourteen series, beside statsforecast's three.

The series come with packages: monthly, quarterly, daily and hourly ones of 120 to 5000 values. From each of the last
few origins the next horizon is forecast, and the error is scaled by that of repeating the season in all values before
the first origin. Ours are solved once, on the values before the first origin, and read the last ``lookback`` values at
each; "ours" is the member that was best on the horizons before it, solved without these. statsforecast (AutoETS,
AutoTheta, AutoARIMA) is fitted anew at each origin, on all values before it (AutoARIMA on the last 300, or it takes
minutes), in an environment of its own:

    pip install statsforecast statsmodels vega_datasets && pip install --no-deps sktime
    python bench/classical.py --python THAT/bin/python --minutes 20
"""

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from unrolled.batch import Batch
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import Origin
from unrolled.solved.solved_model import solve_all
from unrolled.tasks.forecast import Forecast
from unrolled.tasks.task import Question

WORK = Path(__file__).resolve().parent / "work"
PEERS = Path(__file__).resolve().parent / "peers" / "classical.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="python of the environment of statsforecast; default: its last answers")
    parser.add_argument("--minutes", type=float, default=20, help="after which no further model of it is fitted")
    parser.add_argument("--lookback", type=int, help="values that ours read; default: six seasons, at least 64")
    parser.add_argument("series", nargs="*", help="default: all")
    asked = parser.parse_args()
    kept = WORK / "classical.jsonl"
    if asked.python:
        WORK.mkdir(exist_ok=True)
        command = [asked.python, str(PEERS), str(asked.minutes)]
        kept.write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout, "utf-8")
    rows = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    ratios = [row(given, asked.lookback) for given in rows if not asked.series or given["name"] in asked.series]
    print(f"mean ratio {np.mean(ratios):.3f}, most {max(ratios):.3f}, of {len(ratios)} series")


def row(given: dict, lookback: int | None) -> float:
    """Print one row; the ratio of our error to the best of theirs."""
    y, origins, horizon, season = np.array(given["values"]), given["origins"], given["horizon"], given["season"]
    lookback = lookback or max(64, 6 * season)
    first = origins[0]
    scale = np.abs(y[season:first] - y[: first - season]).mean()
    held = [first - horizon - turn * max(1, horizon // 2) for turn in range(8)][::-1]
    held = [at for at in held if at >= first // 2]
    chosen = errors(ours(y, held, horizon, season, lookback)[0], y, held, scale)
    start = time.process_time()
    found, kinds = ours(y, origins, horizon, season, lookback)
    seconds = time.process_time() - start
    mine = errors(found, y, origins, scale)
    theirs = errors({name: np.array(each) for name, each in given["models"].items()}, y, origins, scale)
    name = min(chosen, key=chosen.__getitem__)
    ratio = mine[name] / min(theirs.values())
    cells = [given["name"], str(len(y)), f"{season}", f"{name} {mine[name]:.3f}", f"{ratio:.2f}"]
    cells += [f"{each} {error:.3f}" for each, error in {**mine, **theirs}.items()]
    cells += [f"{seconds:.1f} s, theirs {sum(given['seconds'].values()):.1f} s", kinds]
    print("| " + " | ".join(cells) + " |", flush=True)
    return ratio


def ours(y: np.ndarray, origins: list[int], horizon: int, season: int, lookback: int) -> tuple[dict, str]:
    """Name -> (origins, horizon) forecasts, solved on the values before the first origin."""
    task, examples = asked(y[: origins[0]], horizon, season, lookback)
    models = solve_all(task, examples, {}, 0)
    windows = [task.coder.encode(table(y[:at])).inputs["y"].values[-lookback:] for at in origins]
    x = torch.zeros(len(windows), max(map(len, windows)), windows[0].shape[1])
    for place, window in enumerate(windows):
        x[place, : len(window)] = torch.from_numpy(window)
    batch = Batch({"y": x}, torch.tensor(list(map(len, windows))), torch.arange(len(windows)))
    answers = {}
    for name, model in models.items():
        with torch.no_grad():
            answers[name] = np.array(task.answers(model.run(batch)[0], batch)["y_predicted"])
    return answers, "; ".join(model.title for model in models.values())


def asked(y: np.ndarray, horizon: int, season: int, lookback: int) -> tuple[Forecast, object]:
    """The question of forecasting ``y``, and its training split."""
    train = table(y)
    options = Forecast.Options(horizon=horizon, season=season, lookback=lookback)
    roles = Forecast.roles(Question(train, ("y",), (), {"horizon": horizon}))
    task = Forecast(options, Preprocessor.fit(train, roles, Preparation()))
    examples = task.coder.encode(train)
    return task.measure_training(examples).task, examples


def table(y: np.ndarray) -> Sequences:
    """One series as a table of one row."""
    return Sequences(pa.table({"y": [y.tolist()]}), {"y": "number"}, Origin("series"))


def errors(found: dict, y: np.ndarray, origins: list[int], scale: float) -> dict:
    """Name -> mean absolute scaled error over all origins and steps ahead."""
    return {
        name: float(np.mean([np.abs(y[at : at + len(f)] - f).mean() for at, f in zip(origins, each, strict=True)]))
        / scale
        for name, each in found.items()
    }


if __name__ == "__main__":
    main()
