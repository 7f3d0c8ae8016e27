"""Columns of notes: events, which are tokens, or piano rolls, which are series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

from unrolled.config import Part, option
from unrolled.music.events import to_events
from unrolled.music.rolls import KEYS, to_roll
from unrolled.music.tune import Note

__all__ = ["MusicOptions", "events_or_rolls"]


class MusicOptions(Part):
    """The option of files that hold notes."""

    music: Literal["text", "events", "roll"] | None = option(
        None,
        "How to read tunes: as text (ABC), as events (words such as p60 d12), or as a piano roll. "
        "Default: text, or events for MIDI files.",
        also=("notes", "representation"),
    )


def events_or_rolls(pieces: Sequence[Sequence[Note]], rolls: bool) -> pa.Table:
    """A table with a row for each piece: ``keys``, steps of 88 keys, for ``rolls``, otherwise ``events``, words.

    Raises:
        DataError: a piece is too long for a roll.
    """
    if not rolls:
        column = pa.array([to_events(notes) for notes in pieces], pa.large_list(pa.large_string()))
        return pa.table([column], pa.schema([pa.field("events", column.type, metadata={"kind": "tokens"})]))
    found = [to_roll(notes) for notes in pieces]
    steps = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(found).ravel()), KEYS)
    ends = np.cumsum([0, *map(len, found)], dtype=np.int64)
    column = pa.LargeListArray.from_arrays(pa.array(ends), steps)
    return pa.table([column], pa.schema([pa.field("keys", column.type, metadata={"kind": "series"})]))
