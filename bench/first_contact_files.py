"""Forty files that other packages ship, and what a person would ask of each: written down before any was tried.

A file is named by its wheel and its place in it. ``order``, ``by``, ``target`` and ``task`` are what a person would
choose; ``numbers`` and ``labels`` are columns whose kind must be that; ``unread`` are columns that no model may read
(identifiers, row numbers, answers). A file with ``asks`` has no question that a person could guess: the right answer
is a sentence that says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FILES", "VERSIONS", "File"]

VERSIONS = {
    "aeon": "1.6.0",
    "bokeh_sampledata": "2026.1",
    "gapminder": "0.1",
    "gensim": "4.4.0",
    "mlxtend": "0.25.0",
    "palmerpenguins": "0.1.6",
    "plotly": "7.1.0",
    "river": "0.26.1",
    "scikit-learn": "1.9.1",
    "statsmodels": "0.15.0",
    "vega_datasets": "0.9.0",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file, the flags of its plain call, and what is right.

    Attributes:
        package, path: the wheel and the file in it.
        flags: what a person types after the file's name.
        tasks: the tasks that are right; empty: the right answer is a question.
        order, by: the columns that make the steps, or ``None``.
        target: the columns that are predicted; empty: whichever.
        numbers, labels: columns that must be numbers, or labels.
        unread: columns that no model may read.
    """

    package: str
    path: str
    flags: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    order: str | None = None
    by: str | None = None
    target: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def _forecast(
    package: str,
    path: str,
    order: str | None,
    numbers: str,
    by: str | None = None,
    unread: str = "",
    flags: tuple[str, ...] = (),
) -> File:
    return File(package, path, flags, ("forecast",), order, by, (), tuple(numbers.split()), (), tuple(unread.split()))


def _asks(package: str, path: str) -> File:
    return File(package, path)


_STATS, _VEGA, _AEON = "statsmodels/datasets", "vega_datasets/_data", "aeon/datasets/data"
_RIVER, _BOKEH = "river/datasets", "bokeh_sampledata/_data"
_DRIFT = "river/drift/datasets"

FILES = (
    # One series with dates in many forms, or several, without a flag.
    _forecast("statsmodels", f"{_STATS}/co2/co2.csv", "date", "co2"),  # 19580329, some weeks empty
    _forecast("statsmodels", f"{_STATS}/elec_equip/elec_equip.csv", "DATE", "STS.M.I7.W.TOVT.NS0016.4.000"),
    _forecast("statsmodels", f"{_STATS}/sunspots/sunspots.csv", "YEAR", "SUNACTIVITY"),
    _forecast("statsmodels", f"{_STATS}/danish_data/data.csv", "period", "lrm lry lpy ibo ide"),  # 1974Q1
    _forecast("statsmodels", f"{_STATS}/grunfeld/grunfeld.csv", "year", "invest value capital", by="firm"),
    _forecast("vega_datasets", f"{_VEGA}/seattle-temps.csv", "date", "temp"),
    _forecast("vega_datasets", f"{_VEGA}/sf-temps.csv", "date", "temp"),  # the date is the last column
    _forecast("vega_datasets", f"{_VEGA}/stocks.csv", "date", "price", by="symbol"),  # Jan 1 2000
    _forecast("vega_datasets", f"{_VEGA}/us-employment.csv", "month", "nonfarm private"),
    _forecast("vega_datasets", f"{_VEGA}/iowa-electricity.csv", "year", "net_generation", by="source"),
    _forecast("vega_datasets", f"{_VEGA}/ohlc.json", "date", "open high low close"),
    _forecast("aeon", f"{_AEON}/Airline/Airline.csv", "Date", "Passengers"),
    _forecast("aeon", f"{_AEON}/PBS_dataset/PBS_dataset.csv", "Month", "Scripts"),  # 1991 Jul
    _forecast("aeon", f"{_AEON}/Uschange/Uschange.csv", "Quarter", "Consumption Income", unread="column1"),
    _forecast("aeon", f"{_AEON}/solar/solar.csv", "datetime_gmt", "solar_gen"),
    _forecast("aeon", f"{_AEON}/m1_yearly_dataset/m1_yearly_dataset.tsf", None, ""),
    _forecast("river", f"{_RIVER}/water-flow.csv", "Time", ""),  # offsets of two seasons
    _forecast("river", f"{_DRIFT}/airline_passengers.csv", "date", ""),  # 1977-Jan
    _forecast("river", f"{_DRIFT}/brent_crude_oil.csv", "day", "DPB"),  # 05/20/1987
    _forecast("plotly", "plotly/package_data/datasets/stocks.csv.gz", "date", "GOOG AAPL"),
    _forecast("bokeh_sampledata", f"{_BOKEH}/sea_surface_temperature.csv.gz", "time (UTC)", ""),
    _forecast("bokeh_sampledata", f"{_BOKEH}/CGM.csv.gz", "datetime", "isig glucose"),
    _forecast("bokeh_sampledata", f"{_BOKEH}/lincoln_weather.csv", "DATE", "TMAX TMIN"),
    _forecast("gapminder", "gapminder/gapminder.csv", "year", "lifeExp", by="country", flags=("--target", "lifeExp")),
    # Labels and numbers to predict, some without a flag.
    File(
        "vega_datasets",
        f"{_VEGA}/seattle-weather.csv",
        ("--target", "weather"),
        ("tag", "classify"),
        target=("weather",),
        numbers=("temp_max", "wind"),
        labels=("weather",),
        unread=("date",),
    ),
    File(
        "vega_datasets",
        f"{_VEGA}/iris.json",
        (),
        ("classify",),
        target=("species",),
        numbers=("sepalLength", "petalWidth"),
    ),
    File(
        "vega_datasets",
        f"{_VEGA}/cars.json",
        ("--target", "Miles_per_Gallon"),
        ("regress",),
        target=("Miles_per_Gallon",),
        numbers=("Horsepower", "Miles_per_Gallon"),
        labels=("Origin",),
    ),
    File(
        "palmerpenguins",
        "palmerpenguins/data/penguins.csv",
        ("--target", "species"),
        ("classify",),
        target=("species",),
        numbers=("bill_length_mm", "body_mass_g"),
        labels=("island", "sex"),
    ),
    File(
        "palmerpenguins",
        "palmerpenguins/data/penguins-raw.csv",
        ("--target", "Species"),
        ("classify",),
        target=("Species",),
        numbers=("Body Mass (g)",),
        labels=("Island", "Sex"),
        unread=("Individual ID",),
    ),
    File(
        "bokeh_sampledata",
        f"{_BOKEH}/titanic_all.csv",
        ("--target", "survived"),
        ("classify",),
        target=("survived",),
        numbers=("age",),
        labels=("class", "sex", "survived"),
    ),
    File("bokeh_sampledata", f"{_BOKEH}/forensic_glass.csv", (), ("classify",), target=("type",), numbers=("RI", "Fe")),
    File(
        "plotly",
        "plotly/package_data/datasets/tips.csv.gz",
        ("--target", "tip"),
        ("regress",),
        target=("tip",),
        numbers=("total_bill", "tip"),
        labels=("sex", "day"),
    ),
    File("aeon", f"{_AEON}/BasicMotions/BasicMotions_TRAIN.ts", (), ("classify",)),
    File("aeon", f"{_AEON}/Covid3Month/Covid3Month_TRAIN.ts", (), ("regress",)),
    File(
        "river",
        f"{_RIVER}/segment.csv.zip",
        ("--target", "category"),
        ("classify",),
        target=("category",),
        numbers=("vedge-mean",),
    ),
    File(
        "statsmodels",
        f"{_STATS}/anes96/anes96.csv",
        ("--target", "vote"),
        ("classify",),
        target=("vote",),
        numbers=("popul", "age"),
    ),
    File("gensim", "gensim/test/test_data/crime-and-punishment.txt", (), ("next_step",)),
    # Nobody could guess the question, or the columns have no names.
    _asks("mlxtend", "mlxtend/data/data/wine.csv"),
    _asks("scikit-learn", "sklearn/datasets/data/diabetes_data_raw.csv.gz"),
    _asks("bokeh_sampledata", f"{_BOKEH}/routes.csv.gz"),
)
