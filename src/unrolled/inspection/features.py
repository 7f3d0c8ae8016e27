"""What can be said of each step of a row that a model reads: where it is in its line, whether it is a digit, its level.

Axes: T steps, C channels.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from unrolled.batch import Batch
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Channels, Numbers, Text
from unrolled.errors import DataError
from unrolled.tasks.task import Task

__all__ = ["Feature", "features_of", "given_features"]

_CHANNELS = 6  # of a column of numbers
_SYMBOLS = 6  # the most frequent ones
_FEW = 10  # symbols of a text, such as DNA, each of which is a feature
_HEADER = re.compile(r"\w[\w .-]{0,30}:")  # how the line of a header begins
_OPEN, _CLOSE = "([{", ")]}"


class Feature(NamedTuple):
    """A feature of the steps.

    Attributes:
        values: (T,) float64.
        period: the steps after which it repeats itself exactly; 0: it does not.
    """

    values: np.ndarray
    period: int = 0


def features_of(task: Task, batch: Batch, starts: Sequence[int]) -> dict[str, Feature]:
    """The features of the real steps of all rows of ``batch``, one row after the other, by what they are called.

    Those that are the same at every step are left out, and so are those that say the same as one before. A text has
    those of `_of_characters`; of symbols, whether each is one of the most frequent; of numbers, their level and change.
    Every row has the place of the step, and a forecast the time of the season.

    Args:
        task: whose columns are read.
        batch: the rows.
        starts: the number of the first step of each row, as some are windows of longer ones.
    """
    lengths, columns = batch.lengths.tolist(), {}
    for name, encoding in task.coder.inputs.items():
        values = batch.inputs.get(name)
        if values is not None and values.dim() > 1 and encoding.spec.time:
            rows = [row[:length] for row, length in zip(values.cpu().numpy(), lengths, strict=True)]
            columns[name] = _of(encoding, rows)
    place = np.concatenate([start + np.arange(steps) for start, steps in zip(starts, lengths, strict=True)])
    found = {"step in the row": Feature(place.astype(np.float64))}
    for name, of_column in columns.items():
        found |= {said if len(columns) == 1 else f"{name}: {said}": feature for said, feature in of_column}
    if (season := task.coder.season) > 1:
        angle, said = 2 * math.pi * place / season, f"time of the season of {season} steps"
        found |= {f"{said} (cosine)": Feature(np.cos(angle), season), f"{said} (sine)": Feature(np.sin(angle), season)}
    return dict(_different(found))


def given_features(given: Mapping[str, Any], steps: int) -> dict[str, Feature]:
    """The user's own: a mask or a number for each step.

    Args:
        given: what each is called -> its values.
        steps: T.

    Raises:
        DataError: they are no numbers, or not as many as there are steps.
    """
    found = {}
    for name, values in given.items():
        try:
            array = np.asarray(values, np.float64)
        except (TypeError, ValueError):
            raise DataError(f"the feature {name!r} is neither numbers nor True and False") from None
        if array.shape != (steps,) or not np.isfinite(array).all():
            raise DataError(
                f"the feature {name!r} has the shape {array.shape}: give one finite number for each of the {steps:,} "
                "steps that are traced"
            )
        found[name] = Feature(array)
    return found


def _different(found: dict[str, Feature]) -> Iterator[tuple[str, Feature]]:
    """The features that vary, each once."""
    seen: set[bytes] = set()
    for name, feature in found.items():
        values = feature.values.tobytes()
        if np.ptp(feature.values) > 0 and values not in seen:
            seen.add(values)
            yield name, feature


def _of(encoding: Encoding, rows: list[np.ndarray]) -> Iterator[tuple[str, Feature]]:
    """The features of a column with a time axis."""
    if isinstance(encoding, Numbers):
        names = encoding.channels if isinstance(encoding, Channels) else ["the value"]
        yield from _joined(_of_numbers(names, row.reshape(len(row), -1)[:, : len(encoding.mean)]) for row in rows)
    elif rows[0].ndim == 1 and rows[0].dtype.kind in "iu":
        known = {one: _symbol(encoding.decode(np.array([one]))) for one in np.unique(np.concatenate(rows)).tolist()}
        symbols = [[known[one] for one in row.tolist()] for row in rows]
        if isinstance(encoding, Text) and isinstance(encoding.decode(rows[0][:1]), str):
            yield from _of_text([_pieces(encoding, row) for row in rows])
            if len(known) > _FEW:
                return
        elif all(len(symbol) == 1 for symbol in known.values()):  # a text in a list of its letters
            yield from _of_text(symbols)
        often = [symbol for symbol, _ in Counter(one for row in symbols for one in row).most_common(_SYMBOLS)]
        yield from _joined(_of_symbols(often, row) for row in symbols)


def _symbol(value: Any) -> str:
    """A decoded id as it is called; a list of one is the one."""
    return str(value[0] if isinstance(value, list) and len(value) == 1 else value)


def _joined(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Feature]]:
    """The features of all rows, one after the other."""
    found = list(rows)
    for name in found[0]:
        yield name, Feature(np.concatenate([np.asarray(row[name], np.float64) for row in found]))


def _of_numbers(names: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, level in zip(names, values.T.astype(np.float64)[:_CHANNELS], strict=False):
        change = np.diff(level, prepend=level[:1])
        found |= {f"level of {name}": level, f"change of {name}": change, f"size of the change of {name}": abs(change)}
    return found


def _of_symbols(often: Sequence[str], symbols: Sequence[str]) -> dict[str, Any]:
    array = np.array(symbols)
    found: dict[str, Any] = {"the same as before": np.append([False], array[1:] == array[:-1])[: len(array)]}
    for symbol in often:
        found |= {f"{symbol} is read": array == symbol, f"steps since {symbol}": _since(array == symbol)}
    return found


def _pieces(encoding: Text, ids: np.ndarray) -> list[str]:
    """What each id adds to the text; the ends of a row add nothing."""
    add = encoding.decode_stream()
    return ["" if one in (encoding.begin, encoding.end) else add(one) for one in ids.tolist()]


def _of_text(rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, Feature]]:
    """The features of texts that are read in pieces; a piece has those of its last character."""
    letters = [list("".join(pieces)) for pieces in rows]
    marks = Counter(one for text in letters for one in text if not (one.isalnum() or one.isspace()))
    often = [mark for mark, _ in marks.most_common() if mark not in f"{_OPEN}{_CLOSE}"][:1]
    found = []
    for pieces, text in zip(rows, letters, strict=True):
        last = np.cumsum([len(piece) for piece in pieces])  # 0: nothing was read so far
        known = _of_characters(text, often)
        found.append({name: np.append([0.0], np.asarray(values, np.float64))[last] for name, values in known.items()})
    yield from _joined(found)


def _of_characters(text: list[str], marks: Sequence[str]) -> dict[str, Any]:
    """The features of each character; those of ``marks`` are how long ago one came, and how many in this line."""
    line_end = np.array([one == "\n" for one in text], bool)
    blank = np.array([one.isspace() for one in text], bool)
    found = {
        "position in the line": _since(line_end),
        "steps since a blank": _since(blank),
        "upper case": [one.isupper() for one in text],
        "digit": [one.isdigit() for one in text],
        "letter": [one.isalpha() for one in text],
        "blank": blank,
        "blank next": np.append(blank[1:], False)[: len(text)],
        "line ends next": np.append(line_end[1:], False)[: len(text)],
        "in a header": _in_headers(text),
        "in quotes": _in_quotes(text),
        "depth of brackets": _depth(text),
    }
    for mark in marks:
        here = np.array([one == mark for one in text], bool)
        found |= {f"steps since {mark}": _since(here), f"number of {mark} in the line": _counted(here, line_end)}
    return found


def _since(here: np.ndarray) -> np.ndarray:
    """The steps since the last True, or since the beginning.

    >>> _since(np.array([False, True, False, False])).tolist()
    [1.0, 0.0, 1.0, 2.0]
    """
    at = np.arange(len(here))
    last = np.maximum.accumulate(np.where(here, at, -1))
    return (at - last).astype(np.float64)


def _counted(here: np.ndarray, restart: np.ndarray) -> np.ndarray:
    """How many are True since the last restart.

    >>> _counted(np.array([1, 0, 1, 0, 1]) > 0, np.array([0, 0, 0, 1, 0]) > 0).tolist()
    [1, 1, 2, 0, 1]
    """
    total = np.cumsum(here)
    return total - np.maximum.accumulate(np.where(restart, total, 0))


def _in_headers(text: list[str]) -> np.ndarray:
    """Whether each character is in a line that begins with a name and a colon."""
    lines = "".join(text).split("\n")
    return np.repeat([bool(_HEADER.match(line)) for line in lines], [len(line) + 1 for line in lines])[: len(text)]


def _in_quotes(text: list[str]) -> list[bool]:
    """Whether each character is behind an odd number of quotation marks; an empty line closes them."""
    found, inside, before = [], False, ""
    for one in text:
        inside = (one == "“") or (inside != (one == '"') and one != "”" and not one == before == "\n")
        found.append(inside)
        before = one
    return found


def _depth(text: list[str]) -> np.ndarray:
    """How many brackets are open; never below 0, and an empty line closes all."""
    found, depth, before = [], 0, ""
    for one in text:
        depth = 0 if one == before == "\n" else max(0, depth + (one in _OPEN) - (one in _CLOSE))
        found.append(depth)
        before = one
    return np.array(found, np.float64)
