"""The axes of a chart: where a value stands along them, and which values are written beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

__all__ = ["Axis", "Kind", "axis_over", "kind_of", "numbers", "written"]

Kind = Literal["linear", "log", "time", "names"]
_MOST = 1e300  # beyond it differences overflow: such a value has no place
_STEPS = (1.0, 2.0, 5.0, 10.0)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_FEWEST_DECADES = 2  # over fewer decades the ticks of a log axis also stand at 2 and 5
# Units of dates from short to long: their name in NumPy, their seconds, and how many of them lie between two ticks.
_DATES: tuple[tuple[str, float, tuple[int, ...]], ...] = (
    ("s", 1, (1, 5, 15, 30)),
    ("m", 60, (1, 5, 15, 30)),
    ("h", 3_600, (1, 3, 6, 12)),
    ("D", 86_400, (1, 2, 7, 14)),
    ("M", 2_629_746, (1, 3, 6)),
    ("Y", 31_556_952, (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a chart.

    Attributes:
        kind: how values are spread; ``time`` is linear over seconds since 1970, ``names`` over the numbers of names.
        low, high: the values at its ends; their logarithms to the base 10 on a log axis.
        names: the names, in order.
        whole: whether only whole numbers stand on it.
    """

    kind: Kind
    low: float
    high: float
    names: tuple[str, ...] = ()
    whole: bool = False

    def places(self, values: np.ndarray) -> np.ndarray:
        """Where values stand, from 0 to 1; NaN for those without a place (NaN, infinite, ≤ 0 on a log axis)."""
        return (_spread(values, self.kind) - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """(place, text) of at most about ``most`` values."""
        if self.kind == "names":
            every = math.ceil(len(self.names) / max(1, most))
            if all(name.isdecimal() for name in self.names):
                every = next(int(of) for power in range(9) for of in _times(10**power) if of >= every)
            found = [(float(n), name) for n, name in enumerate(self.names) if n % every == 0]
        elif self.kind == "log":
            found = list(_decades(self.low, self.high, most))
            if len(found) < 2:
                near = _nice(10**self.low, 10**self.high, most, 0.0)
                found = [(math.log10(value), text) for value, text in near if value > 0]
        elif self.kind == "time":
            found = _dates(self.low, self.high, most)
        else:
            found = _nice(self.low, self.high, most, 1.0 if self.whole else 0.0)
        return [((value - self.low) / (self.high - self.low), text) for value, text in found]


def numbers(values: Any) -> np.ndarray:
    """Values as float64: dates as seconds since 1970, ``None`` as NaN."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = np.array([np.nan if value is None else value for value in values])
    if array.dtype.kind == "O":  # dates, perhaps with a zone; datetime64 knows none
        bare = [value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value for value in array]
        array = np.array(bare, "datetime64[us]")
    if array.dtype.kind == "M":
        seconds = array.astype("datetime64[us]").astype(np.float64) / 1e6
        return np.where(np.isnat(array), np.nan, seconds)
    return array.astype(np.float64)


def kind_of(values: Any) -> Kind:
    """How an axis reads ``values``: as ``names``, ``time`` or ``linear``.

    Example:
        >>> kind_of(["a", "b"]), kind_of([1, 2])
        ('names', 'linear')
    """
    array = np.asarray(values)
    if array.dtype.kind == "U":
        return "names"
    dated = array.dtype.kind == "M" or (array.dtype.kind == "O" and any(hasattr(value, "year") for value in array))
    return "time" if dated else "linear"


def axis_over(kind: Kind, values: np.ndarray, reach: Sequence[float], names: Sequence[str], room: float) -> Axis:
    """The axis over all ``values``.

    Args:
        kind: how they are spread.
        values: what stands on it.
        reach: values that it includes in any case; no room is left beyond these.
        names: those of an axis of names.
        room: the share of the range that is left free beyond the values.
    """
    if kind == "names":
        return Axis(kind, -0.5, max(len(names), 1) - 0.5, tuple(names))
    known = _spread(values, kind)
    known = known[np.isfinite(known)]
    ends = _spread(np.asarray(reach, np.float64), kind)
    both = np.concatenate([known, ends[np.isfinite(ends)]])
    if not len(both):
        return Axis(kind, 0.0, 1.0)
    low, high = float(both.min()), float(both.max())
    whole = kind == "linear" and bool((both == np.round(both)).all())
    if low == high:
        free = 0.5 if kind != "linear" or abs(low) < 1 or whole else abs(low) / 10
        return Axis(kind, low - free, high + free, whole=whole)
    free = room * (high - low)
    return Axis(kind, low - free * (low not in ends), high + free * (high not in ends), whole=whole)


def _spread(values: np.ndarray, kind: Kind) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.log10(values) if kind == "log" else values.astype(np.float64)
        return np.where(np.abs(at) < _MOST, at, np.nan)


def written(value: float, step: float = 0.0) -> str:
    """A number for people: as many decimals as ``step`` needs, or four digits.

    Example:
        >>> written(0.25, 0.05), written(-12000, 1000), written(3.0e-7), written(2e9, 1e9)
        ('0.25', '−12,000', '3e−07', '2e+09')
    """
    size = max(abs(value), step)
    if not math.isfinite(value):
        return "no value"
    if size >= 1e7 or 0 < size < 1e-4:
        text = f"{value:.4g}"
    elif step:
        text = f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
    else:
        text = f"{value:,.0f}" if size >= 1e4 else f"{value:.4g}"
    return "0" if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def _times(power: float) -> tuple[float, ...]:
    return tuple(of * power for of in _STEPS)


def _nice(low: float, high: float, most: int, least: float) -> list[tuple[float, str]]:
    rough = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(least, next(of for of in _times(power) if of >= rough * (1 - 1e-9)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, written(n * step, step)) for n in range(first, last + 1)]


def _decades(low: float, high: float, most: int) -> Iterator[tuple[float, str]]:
    first, last = math.floor(low), math.floor(high)
    every = max(1, math.ceil((high - low) / max(1, most)))
    between = (1, 2, 5) if high - low < _FEWEST_DECADES else (1,)
    for power in range(first, last + 1):
        for of in between if power % every == 0 else ():
            at = power + math.log10(of)
            if low - 1e-9 <= at <= high + 1e-9:
                yield at, _power(of, power)


def _power(of: int, power: int) -> str:
    if -4 < power < 5:
        return written(of * 10.0**power, 10.0**power)
    return f"{'' if of == 1 else f'{of}·'}10{str(power).translate(_SUPERSCRIPTS)}"


def _dates(low: float, high: float, most: int) -> list[tuple[float, str]]:
    rough = (high - low) / max(1, most)
    unit, every = next(
        ((unit, n) for unit, seconds, counts in _DATES for n in counts if n * seconds >= 0.9 * rough),
        ("Y", 1000),
    )
    above = {"s": "m", "m": "h", "h": "D", "D": "M", "M": "Y", "Y": "Y"}[unit]
    start = np.datetime64(math.floor(low), "s").astype(f"datetime64[{above}]").astype(f"datetime64[{unit}]")
    if unit == "Y":
        start -= (start.astype(int) + 1970) % every
    found: list[tuple[float, str]] = []
    for at in np.arange(start, np.datetime64(math.ceil(high), "s").astype(f"datetime64[{unit}]") + 1, every):
        seconds = float(at.astype("datetime64[s]").astype(np.int64))
        if low <= seconds <= high:
            found.append((seconds, _date_text(at, unit, first=not found)))
    return found


def _date_text(at: np.datetime64, unit: str, *, first: bool) -> str:
    text = str(at)
    if unit in ("Y", "M"):
        return text
    day, clock = text[:10], str(at.astype("datetime64[s]"))[11:]
    if unit == "D":
        return day if first else day[5:]
    clock = clock if unit == "s" else clock[:5]
    return f"{day} {clock}" if first else day[5:] if clock.strip("0:") == "" else clock
