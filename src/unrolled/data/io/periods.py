"""Periods of pandas, such as months or quarters, as the dates on which they begin."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from unrolled.data.io.date_forms import MONTHS
from unrolled.data.io.dates import Dates
from unrolled.data.io.day_numbers import first_days

__all__ = ["dates_of_periods"]

_UNITS = {  # the first letters of pandas' frequency -> NumPy's unit
    "D": "D",
    "B": "D",
    "h": "h",
    "H": "h",
    "min": "m",
    "T": "m",
    "s": "s",
    "S": "s",
    "ms": "ms",
    "L": "ms",
    "us": "us",
    "U": "us",
    "M": "M",
    "ME": "M",
    "Q": "Q",
    "QE": "Q",
    "Y": "Y",
    "A": "Y",
    "YE": "Y",
    "W": "W",
}
_MONTHS = {name.upper(): number for number, name in enumerate(MONTHS, 1)}
_DAYS = ["THU", "FRI", "SAT", "SUN", "MON", "TUE", "WED"]  # from 1970-01-01


def dates_of_periods(column: pa.ChunkedArray) -> Dates | None:
    """The first day or time of each period; ``None`` if ``column`` holds no periods, or of a frequency like ``3D``."""
    kind = column.type
    if kind.extension_name != "pandas.period":
        return None
    freq = getattr(kind, "freq", None) or json.loads(kind.__arrow_ext_serialize__())["freq"]
    name, _, anchor = freq.partition("-")
    unit = _UNITS.get(name)
    if unit is None or name == "B":
        return None
    storage = pa.chunked_array([chunk.storage for chunk in column.chunks]) if column.num_chunks else None
    if storage is None:
        return None
    missing = np.asarray(storage.is_null().to_numpy(zero_copy_only=False))
    ordinals = storage.fill_null(0).to_numpy()
    if unit in ("h", "m", "s", "ms", "us"):
        stamps = ordinals.astype(f"datetime64[{unit}]").astype("datetime64[us]")
        return Dates(pa.chunked_array([pa.array(stamps, mask=missing)]))
    if unit == "W":
        days = 7 * ordinals - 6 + (_DAYS.index(anchor or "SUN") + 4) % 7 - 4
    elif unit == "D":
        days = ordinals
    else:
        last = _MONTHS[anchor] if anchor else 12
        months = {"M": ordinals, "Q": 3 * ordinals + last - 12, "Y": 12 * ordinals + last - 12}[unit]
        days = first_days(months)
    dates = pa.array(days.astype(np.int32), mask=missing).cast(pa.date32())
    return Dates(pa.chunked_array([dates]))
