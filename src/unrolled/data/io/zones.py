"""Offsets from UTC: their texts, and the zone of the world whose clocks showed them. Axes: N times."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["in_zones", "offset_of", "zone_showing"]

# The abbreviations that stand for one offset only; IST, for example, is the time of India, Ireland and Israel.
_SHORT = {
    **dict.fromkeys(("Z", "UTC", "GMT", "UT", "WET"), 0),
    "CET": 60,
    "WEST": 60,
    "EET": 120,
    "CEST": 120,
    "EEST": 180,
    "MSK": 180,
    "JST": 540,
    "KST": 540,
    "EST": -300,
    "EDT": -240,
    "CDT": -300,
    "MST": -420,
    "MDT": -360,
    "PST": -480,
    "PDT": -420,
    "AEST": 600,
    "AEDT": 660,
    "NZST": 720,
    "NZDT": 780,
}
_OFFSET = re.compile(r"(?:UTC|GMT|UT)?([-+])(\d{1,2}):?(\d{2})?")
_FIRST = ("Europe/Berlin", "America/New_York", "Europe/London", "America/Chicago", "America/Los_Angeles")
_SAMPLED = 200


def offset_of(text: str) -> int | None:
    """The offset in minutes that ``Z``, ``+02:00``, ``GMT+1`` or ``CEST`` stand for; ``None`` if it stands for none.

    Example:
        >>> offset_of("+02:00"), offset_of("GMT-0330"), offset_of("CEST"), offset_of("IST")
        (120, -210, 120, None)
    """
    if (found := _OFFSET.fullmatch(text)) is not None:
        sign, hours, minutes = found.groups()
        total = 60 * int(hours) + int(minutes or 0)
        return None if total >= 24 * 60 else -total if sign == "-" else total
    return _SHORT.get(text.upper())


def _is_zone(name: str) -> bool:
    """Whether ``name`` is a zone that this machine knows, such as ``Europe/Berlin``."""
    return name in _zones()


def zone_showing(instants: np.ndarray, offsets: np.ndarray) -> str | None:
    """A zone whose clocks had these offsets at these instants; ``None`` if there is none.

    Args:
        instants: (N,) int64, seconds since 1970.
        offsets: (N,) int64, seconds to add for the time that the clock showed.

    Cost: O(N log N), and 200 look-ups in each zone that does not fit.

    Example:
        >>> zone_showing(np.array([1704067200, 1719792000]), np.array([3600, 7200]))
        'Europe/Berlin'
    """
    order = np.argsort(instants, kind="stable")
    changes = np.flatnonzero(np.diff(offsets[order]) != 0)
    spread = np.linspace(0, len(order) - 1, _SAMPLED).astype(np.int64)
    at = order[np.unique(np.concatenate([changes[:_SAMPLED], changes[:_SAMPLED] + 1, spread]))]
    pairs = [(datetime.datetime.fromtimestamp(int(instants[i]), datetime.UTC), int(offsets[i])) for i in at]
    known = _zones()
    for name in (*(name for name in _FIRST if name in known), *known):
        zone = zoneinfo.ZoneInfo(name)
        if all(_shown(instant, zone) == offset for instant, offset in pairs):
            return name
    return None


def _shown(instant: datetime.datetime, zone: zoneinfo.ZoneInfo) -> float:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()


def in_zones(
    local: pa.Array, written: pa.Array, zones: list[str], unknown: Callable[[str], Exception]
) -> tuple[pa.Array, str]:
    """The times as instants in one zone, so that they sort as instants and their clock is the one as written.

    Args:
        local: the times by the clock as written.
        written: the zone of each, as written.
        zones: the different ones.
        unknown: makes the error about a zone.

    Raises:
        unknown: a zone is unknown, or has several meanings.
    """
    if len(zones) == 1 and "/" in zones[0]:
        if not _is_zone(zones[0]):
            raise unknown(zones[0])
        return pc.assume_timezone(local, zones[0], ambiguous="earliest", nonexistent="latest"), ""
    offsets = {zone: offset_of(zone) for zone in zones}
    for zone, offset in offsets.items():
        if offset is None:
            raise unknown(zone)
    minutes = np.array([offsets.get(zone) or 0 for zone in pc.unique(written).to_pylist()], np.int64)
    of = pc.fill_null(written.dictionary_encode(null_encoding="encode").indices, 0).to_numpy(zero_copy_only=False)
    seconds = 60 * minutes[of]
    known = pc.is_valid(local).to_numpy(zero_copy_only=False)
    instants = pc.fill_null(local.cast(pa.int64()), 0).to_numpy(zero_copy_only=False) - 1_000_000 * seconds
    stamps = pa.array(instants, mask=~known)
    distinct = sorted({offset for offset in offsets.values() if offset is not None})
    if len(distinct) == 1:
        sign, (hours, rest) = "-" if distinct[0] < 0 else "+", divmod(abs(distinct[0]), 60)
        zone = f"{sign}{hours:02}:{rest:02}" if distinct[0] else "UTC"
        return stamps.cast(pa.timestamp("us")).cast(pa.timestamp("us", zone)), ""
    place = zone_showing(instants[known] // 1_000_000, seconds[known])
    if place is not None:
        stamps = stamps.cast(pa.timestamp("us", place))
        shown = pc.local_timestamp(stamps).cast(pa.int64()).to_numpy(zero_copy_only=False)[known] - instants[known]
        if (shown == 1_000_000 * seconds[known]).all():
            return stamps, f"with the clock of {place}"
    return stamps.cast(pa.timestamp("us", "UTC")), "in UTC, because no one place has all their offsets"


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc")))
