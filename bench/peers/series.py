"""Monthly, quarterly, daily and hourly series that come with packages: one list for every script that forecasts them.

Needs ``statsmodels``, ``vega_datasets`` and ``sktime``, of which only the files are read.
"""

import csv
import datetime
import importlib.util
from pathlib import Path

import numpy as np

MONTHLY, QUARTERLY, DAILY, HOURLY = (12, 12), (4, 8), (7, 14), (24, 24)  # season and horizon
ORIGINS, FEWER = 5, 3  # and for a series of more than a thousand values
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
    """All values of one series, in order."""
    folder = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    rows = list(csv.reader((folder / file).read_text("utf-8").splitlines()))[1:]
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


def series(name):
    """One series with its season, horizon and the places from which it is forecast."""
    package, file, column, (season, horizon), longest = SERIES[name]
    found = values(package, file, column)[-longest:]
    few = ORIGINS if len(found) <= 1000 else FEWER
    origins = [len(found) - horizon - turn * max(1, horizon // 2) for turn in range(few)][::-1]
    known = {"name": name, "season": season, "horizon": horizon, "origins": origins}
    return {**known, "dates": dates(len(found), season), "values": found}


def dates(count, season):
    """Dates from 1950 or 2010 on, a step apart; they are of the right kind, not those of the file."""
    if season == MONTHLY[0]:
        return [f"{1950 + at // 12}-{1 + at % 12:02}-01" for at in range(count)]
    if season == QUARTERLY[0]:
        return [f"{1950 + at // 4}-{1 + 3 * (at % 4):02}-01" for at in range(count)]
    start = datetime.datetime(2010, 1, 1)
    if season == DAILY[0]:
        return [str((start + datetime.timedelta(days=at)).date()) for at in range(count)]
    return [(start + datetime.timedelta(hours=at)).strftime("%Y-%m-%d %H:%M") for at in range(count)]
