"""What is forecast where the user does not say: the columns, the dates of their steps, a horizon for a message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from unrolled.data.encodings.encoding import has_time
from unrolled.data.tables.cadence import Cadence
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import list_lengths
from unrolled.errors import UsageError, named

__all__ = ["check_ahead", "dated_steps", "example_horizon", "horizon_and_season", "measured_over_time"]

_SUGGESTED = 12
_WITHOUT_SEASON = 6  # steps to forecast where there is no season, such as years: as in the M competitions


def dated_steps(sequences: Sequences) -> str | None:
    """The column that holds the date or time of each step; ``None`` if there is none."""
    for field in sequences.table.schema:
        if has_time(field.type) and pa.types.is_temporal(field.type.value_type):
            return str(field.name)
    return None


def example_horizon(sequences: Sequences) -> int:
    """A horizon for a message: 12, or what the longest series still can be validated by.

    >>> example_horizon(Sequences(pa.table({"x": [[1.0] * 1000]}), {"x": "number"}))
    12
    >>> example_horizon(Sequences(pa.table({"x": [1.0] * 12}), {"x": "number"}))
    5
    """
    lists = [column for column in sequences.table.columns if has_time(column.type)]
    steps = max((int(list_lengths(column).max(initial=0)) for column in lists), default=len(sequences))
    return max(1, min(_SUGGESTED, (steps - 1) // 2))


def measured_over_time(sequences: Sequences, named: Sequence[str]) -> list[str]:
    """The columns that would be forecast: numbers over time; none if the user ``named`` one that is no such column."""
    found = [
        name
        for name in named or sequences.kinds
        if sequences.traits(name).measured and has_time(sequences.column(name).type)
    ]
    return found if len(found) == len(named or found) else []


def horizon_and_season(cadence: Cadence, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The horizon and the season, as options, of a regular series, where the user left them open."""
    season = asked.get("season") or cadence.season
    usual = season if season > 1 else _WITHOUT_SEASON
    found = {"horizon": cadence.horizon or max(1, min(usual, cadence.longest // 4))}
    if cadence.longest >= 2 * season > 2:
        found["season"] = season
    return {name: value for name, value in found.items() if not asked.get(name)}


def check_ahead(sequences: Sequences, ahead: Sequence[str], targets: Sequence[str]) -> None:
    """Check the known covariates.

    Raises:
        UsageError: one is a target, or has one value for a whole sequence.
    """
    for name in ahead:
        if name in targets:
            raise UsageError(f"{named('known_ahead')} cannot hold {name!r}, which is the target of the forecast")
        if not has_time(sequences.column(name).type):
            raise UsageError(
                f"{named('known_ahead')} holds {name!r}, which has one value per sequence and is always known; "
                "leave it out"
            )
