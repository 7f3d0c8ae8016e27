"""How data is divided: whole rows at random, or the end of each sequence."""

from __future__ import annotations

from unrolled.data.forms.form import Division
from unrolled.data.tables.forecast_split import hold_out_forecasts
from unrolled.data.tables.sequences import Sequences
from unrolled.data.tables.split import hold_out, hold_out_end, list_lengths, main_list, without_history
from unrolled.errors import DataError

__all__ = ["by_forecast", "by_row", "by_time", "end_of_few", "rows_or_end"]

_FEW = 10  # with fewer sequences than this, the end of each is held out instead of whole ones


def by_row(sequences: Sequences, share: float, seed: int, target: str | None = None) -> Division:
    """Hold out rows at random; where ``target`` holds labels, the split is stratified.

    Raises:
        DataError: there is only one row.
    """
    if len(sequences) < 2:
        raise DataError(
            "has only one row, so no rows can be held out for validation", file=sequences.origin, hint="give more rows"
        )
    labels = target if target is not None and sequences.traits(target).labels else None
    left, part = hold_out(sequences, share, seed, labels)
    return Division(left, part, f"{len(part)} of {len(sequences)} rows, held out at random")


def by_time(sequences: Sequences, share: float) -> Division:
    """Hold out the end of each sequence, with all earlier steps as history."""
    left, part = hold_out_end(sequences, share)
    return Division(left, part, f"the last {100 * share:.2g} % of each sequence")


def by_forecast(sequences: Sequences, share: float, horizon: int, targets: tuple[str, ...], seed: int = 0) -> Division:
    """Hold out the end of each series, at least one forecast ``horizon``, with all earlier steps as history.

    Args:
        sequences: lists.
        share: of the steps of each series, in (0, 1).
        horizon: how many steps are predicted at once.
        targets: the columns that are predicted.
        seed: which series are held out, where there are very many short ones.
    """
    left, part = hold_out_forecasts(sequences, share, horizon, targets, seed)
    assert part.first is not None
    lengths = list_lengths(part.column(main_list(part, targets)))
    held, judged = lengths - part.first, lengths > part.first
    fewest, most, longest = int(held[judged].min()), int(held.max()), int(lengths.max())
    steps = f"the last {100 * share:.2g} % of each sequence"
    if most > round(share * longest):
        why = f"{100 * share:.2g} % would not hold a forecast of {horizon}"
        why = why if share * longest < horizon else "the target is missing at the end"
        steps = f"the last {fewest if fewest == most else f'{fewest} to {most}'} steps of each series, as {why}"
    if not judged.all():
        short = int((~judged).sum())
        enough = lengths > 2 * horizon
        why = "are too short to be judged" if not (enough & ~judged).any() else "are not held out, only learned from"
        steps = f"{steps}; {short} of {len(judged)} series {why}"
    return Division(left, part, steps)


def rows_or_end(sequences: Sequences, share: float, seed: int, target: str) -> Division:
    """Hold out rows at random or, of a single sequence, its end, with all earlier steps as history."""
    if len(sequences) == 1:
        return by_time(sequences, share)
    return by_row(sequences, share, seed, target)


def end_of_few(sequences: Sequences, share: float, seed: int) -> Division:
    """Hold out rows at random or, with few sequences, the end of each, without its history."""
    if len(sequences) >= _FEW:
        return by_row(sequences, share, seed)
    left, part, how = by_time(sequences, share)
    return Division(left, without_history(part), how)
