"""Forecasts of statsforecast for `bench/classical.py`, which runs this file with the Python of an environment that has
``statsforecast statsmodels vega_datasets sktime`` (the last one installed with ``--no-deps``; only its files are read).

It prints one JSON line a series: its values, season, horizon and origins, and of each model the forecasts from each
origin, fitted anew on all values before it, with the seconds that took.
"""

import csv
import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np

MONTHLY, QUARTERLY, DAILY, HOURLY = (12, 12), (4, 8), (7, 14), (24, 24)  # season and horizon
ORIGINS = 5
ARIMA_READS = 300  # the last values: minutes per origin otherwise
SERIES = {  # name: package, file, column, season and horizon, most values (the last ones)
    "airline passengers": ("sktime", "datasets/data/Airline/Airline.csv", -1, MONTHLY, 5000),
    "subsidised medicine": ("sktime", "datasets/data/PBS_dataset/PBS_dataset.csv", -1, MONTHLY, 5000),
    "drivers killed": ("sktime", "datasets/data/seatbelts/seatbelts.csv", 1, MONTHLY, 5000),
    "electrical equipment": ("statsmodels", "datasets/elec_equip/elec_equip.csv", -1, MONTHLY, 5000),
    "sea surface, El Niño": ("statsmodels", "datasets/elnino/elnino.csv", None, MONTHLY, 5000),
    "CO2, monthly means": ("statsmodels", "datasets/co2/co2.csv", "months", MONTHLY, 5000),
    "employment, nonfarm": ("vega_datasets", "_data/us-employment.csv", 1, MONTHLY, 5000),
    "employment, construction": ("vega_datasets", "_data/us-employment.csv", 7, MONTHLY, 5000),
    "US output, real": ("statsmodels", "datasets/macrodata/macrodata.csv", 2, QUARTERLY, 5000),
    "US unemployment": ("statsmodels", "datasets/macrodata/macrodata.csv", 9, QUARTERLY, 5000),
    "Seattle, highest": ("vega_datasets", "_data/seattle-weather.csv", 2, DAILY, 5000),
    "Seattle, wind": ("vega_datasets", "_data/seattle-weather.csv", 4, DAILY, 5000),
    "Seattle, hourly": ("vega_datasets", "_data/seattle-temps.csv", 1, HOURLY, 5000),
    "San Francisco, hourly": ("vega_datasets", "_data/sf-temps.csv", 0, HOURLY, 1500),
}


def values(package, file, column):
    folder = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    rows = list(csv.reader((folder / file).open(encoding="utf-8")))[1:]
    if column is None:  # a year a row, its months in columns
        return [float(cell) for row in rows for cell in row[1:]]
    if column == "months":  # a week a row, with its date first
        months = {}
        for date, cell in (row[-2:] for row in rows):
            months.setdefault(date.strip('"')[:6], []).append(float(cell) if cell else np.nan)
        means = np.array([np.nanmean(month) if not np.all(np.isnan(month)) else np.nan for month in months.values()])
        known = ~np.isnan(means)
        return np.interp(np.arange(len(means)), np.flatnonzero(known), means[known]).tolist()
    return [float(row[column]) for row in rows if row[column]]


def main():
    from statsforecast.models import AutoARIMA, AutoETS, AutoTheta

    start, most = time.time(), float(sys.argv[1]) * 60
    wanted = sys.argv[2:]
    for name, (package, file, column, (season, horizon), longest) in SERIES.items():
        if wanted and name not in wanted:
            continue
        y = np.array(values(package, file, column)[-longest:])
        few = ORIGINS if len(y) <= 1000 else 3
        origins = [len(y) - horizon - turn * max(1, horizon // 2) for turn in range(few)][::-1]
        models, seconds = {}, {}
        for make in (AutoETS, AutoTheta, AutoARIMA):
            if time.time() - start > most:
                break
            began = time.time()
            cut = ARIMA_READS if make is AutoARIMA else len(y)
            each = [make(season_length=season).forecast(y[max(0, at - cut) : at], horizon)["mean"] for at in origins]
            models[make.__name__], seconds[make.__name__] = [f.tolist() for f in each], time.time() - began
        print(json.dumps({"name": name, "values": y.tolist(), "season": season, "horizon": horizon,
                          "origins": origins, "models": models, "seconds": seconds}), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
