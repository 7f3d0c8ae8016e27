"""Hold out the end of each series for a forecast: at least one horizon, however short the series."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import list_lengths, split_lists
from unrolled.errors import DataError, Origin, UsageError, counted, named

__all__ = ["hold_out_forecasts", "most_held", "steps_held", "too_short", "unknown_at_the_end"]

_ENOUGH = 500_000  # steps that are held out, however many more the horizons of very many series would take


def hold_out_forecasts(
    sequences: Sequences, fraction: float, horizon: int, targets: tuple[str, ...], seed: int = 0
) -> tuple[Sequences, Sequences]:
    """(train, rest): ``rest`` is the last ``fraction`` of each series, at least one ``horizon``, with its history.

    A series that is too short to be judged by one forecast and to be learned from by another stays in ``train``. So do
    some of very many short series, each of whose horizons is more than its ``fraction``: no more is held out than this
    share of all steps, or half a million steps if that is more. Steps
    at the end at which all ``targets`` are missing cannot be judged: they belong to ``rest``, and do not count.

    Args:
        sequences: lists.
        fraction: in (0, 1).
        horizon: how many steps are predicted at once.
        targets: the columns that are predicted.
        seed: which of very many short series are held out.

    Raises:
        DataError: no series is long enough, or no target is known.
        UsageError: ``fraction`` is not in (0, 1).

    Example:
        >>> load = Sequences(pa.table({"load": [[1, 2, 3, 4, 5, 6, 7, None], [1, 2]]}), {"load": "number"})
        >>> train, rest = hold_out_forecasts(load, 0.1, 2, ("load",))
        >>> train.table.to_pydict(), rest.first
        ({'load': [[1, 2, 3, 4, 5], [1, 2]]}, array([5, 2]))
    """
    if not 0 < fraction < 1:
        raise UsageError(f"the share to hold out must be between 0 and 1, not {fraction}")
    unknown = unknown_at_the_end(sequences, targets)

    def held(lengths: np.ndarray) -> np.ndarray:
        known = lengths - np.minimum(unknown, lengths)
        share = steps_held(known, fraction, horizon)
        if not share.any():
            raise too_short(sequences.origin, int(known.max(initial=0)), horizon)
        return _chosen(np.where(share > 0, share + unknown, 0), most_held(int(known.sum()), fraction), seed)

    return split_lists(sequences, held, "enough steps", targets)


def steps_held(known: np.ndarray, fraction: float, horizon: int) -> np.ndarray:
    """How many of the ``known`` steps of each series are held out: 0 of one that is too short."""
    share = np.maximum(np.round(known * fraction).astype(np.int64), horizon)
    share = np.minimum(share, known - horizon - 1)  # what is left holds a first step and a whole forecast
    return np.where(share < horizon, 0, share)


def most_held(known: int, fraction: float) -> int:
    """How many steps are held out at most, of so many ``known`` ones."""
    return max(_ENOUGH, int(fraction * known))


def _chosen(held: np.ndarray, most: int, seed: int) -> np.ndarray:
    """``held``, or 0 for some series, chosen at random, so that the sum is at most ``most``; one stays in any case."""
    if held.sum() <= most:
        return held
    order = np.random.default_rng(seed).permutation(np.flatnonzero(held))
    kept = order[: max(1, int(np.searchsorted(np.cumsum(held[order]), most, side="right")))]
    return np.where(np.isin(np.arange(len(held)), kept), held, 0)


def too_short(origin: Origin, longest: int, horizon: int) -> DataError:
    """The error where no series is long enough to be held out from."""
    where = f"the longest series has {counted(longest, 'step')} with a known target"
    least = f"{named('valid')} 0, which trains without validation" if longest > horizon else "give longer series"
    return DataError(
        f"{where}, but to forecast {counted(horizon, 'step')} takes {2 * horizon + 1}: {horizon} to "
        "validate on, and the others to learn from",
        file=origin,
        hint=f"try {named('horizon')} {(longest - 1) // 2}, or {least}" if longest > 2 else least,
    )


def unknown_at_the_end(sequences: Sequences, targets: tuple[str, ...]) -> np.ndarray:
    """(rows,) int64: the number of steps at the end of each row at which all ``targets`` are missing."""
    found: list[np.ndarray] = []
    for name in targets:
        column = sequences.column(name)
        steps, lengths = pc.list_flatten(column), list_lengths(column)
        if pa.types.is_nested(steps.type):
            return np.zeros(len(lengths), np.int64)  # channels side by side
        known = (
            pc.is_valid(steps) if not pa.types.is_floating(steps.type) else pc.is_finite(pc.fill_null(steps, np.nan))
        )
        places = np.where(known.to_numpy(), np.arange(1, len(steps) + 1), 0)
        stops = np.cumsum(lengths)
        last = np.concatenate([[0], np.maximum.accumulate(places)])[stops]  # after the last known step until then
        found.append(np.minimum(stops - last, lengths))
    return np.minimum.reduce(found) if found else np.zeros(len(sequences), np.int64)
