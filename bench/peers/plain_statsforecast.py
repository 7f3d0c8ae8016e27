# /// script
# dependencies = ["statsforecast==2.1.1", "statsmodels==0.15.0", "vega_datasets==0.9.0", "sktime==1.2.0", "pandas<3"]
# ///
"""AutoETS, AutoTheta and AutoARIMA of statsforecast, each as it comes; and the series that `plain.py` forecasts.

``values`` writes the twelve series that are not quarterly; ``series`` forecasts one from each of its origins, fitted
anew on all values before it; ``ett`` forecasts each channel of a table from eight origins of its test part, by the last
thousand values before it, because a fit of the seasonal models takes seconds.
"""

import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
import series
import statsforecast
from statsforecast.models import AutoARIMA, AutoETS, AutoTheta

MODELS = (AutoETS, AutoTheta, AutoARIMA)
RECENT = 1000  # values that are read where the season is of hours
ETT_ORIGINS = 8


def main():
    kind, data = sys.argv[1], json.loads(sys.argv[2])
    if kind == "values":
        wanted = [name for name, (*_, (season, _horizon), _most) in series.SERIES.items() if season != 4]
        Path(data["out"]).write_text(json.dumps([series.series(name) for name in wanted]), "utf-8")
        found = {}
    else:
        found = {"series": of_series, "ett": of_table}[kind](data)
    print(json.dumps({"version": f"statsforecast {statsforecast.__version__}", "found": found}))


def of_series(data):
    listed = json.loads(Path(data["file"]).read_text("utf-8"))
    given = next(one for one in listed if one["name"] == data["name"])
    y, season = np.array(given["values"]), given["season"]
    found = {}
    for make in MODELS:
        began, forecasts = time.time(), []
        recent = RECENT if season >= 24 else len(y)
        for origin in given["origins"]:
            answer = make(season_length=season).forecast(
                y[max(0, origin - recent) : origin], given["horizon"], level=[80]
            )
            forecasts.append({"predicted": answer["mean"].tolist(), "q10": answer["lo-80"].tolist(),
                              "q90": answer["hi-80"].tolist()})  # fmt: skip
        found[make.__name__] = {"forecasts": forecasts, "seconds": time.time() - began}
    return found


def of_table(data):
    rows = list(csv.reader(Path(data["file"]).read_text("utf-8").splitlines()))
    values = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    train, begin, horizon = data["train"], data["train"] + data["valid"], data["horizon"]
    scaled = (values - values[:train].mean(0)) / values[:train].std(0)
    last = begin + data["test"] - horizon
    origins = np.linspace(begin, last, ETT_ORIGINS).astype(int)
    found = {}
    for make in (AutoETS, AutoTheta):
        began, errors = time.time(), []
        for origin in origins:
            for channel in range(scaled.shape[1]):
                y = scaled[origin - RECENT : origin, channel]
                answer = make(season_length=24).forecast(y, horizon)["mean"]
                errors.append(np.mean((answer - scaled[origin : origin + horizon, channel]) ** 2))
        found[f"{make.__name__}, {ETT_ORIGINS} origins"] = {
            "value": float(np.mean(errors)),
            "seconds": time.time() - began,
        }
    return found


if __name__ == "__main__":
    main()
