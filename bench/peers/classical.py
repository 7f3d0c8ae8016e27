"""Forecasts of statsforecast for `bench/classical.py`, which runs this file with the Python of an environment that has
``statsforecast statsmodels vega_datasets sktime`` (the last one installed with ``--no-deps``; only its files are read).

It prints one JSON line a series: its values, season, horizon and origins, and of each model the forecasts from each
origin, fitted anew on all values before it, with the seconds that took.
"""

import json
import sys
import time

import numpy as np
from series import SERIES, series

ARIMA_READS = 300  # the last values: minutes per origin otherwise


def main():
    from statsforecast.models import AutoARIMA, AutoETS, AutoTheta

    start, most = time.time(), float(sys.argv[1]) * 60
    wanted = sys.argv[2:]
    for name in SERIES:
        if wanted and name not in wanted:
            continue
        found = series(name)
        y, season, horizon, origins = (np.array(found["values"]), found["season"], found["horizon"], found["origins"])
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
