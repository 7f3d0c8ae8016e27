"""Split data by whole sequences, or by time within each sequence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings.encoding import has_time
from unrolled.data.tables.agreement import meant_to_agree
from unrolled.data.tables.grouping import codes
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, UsageError, named

__all__ = ["hold_out", "hold_out_end", "hold_out_last", "list_lengths", "main_list", "split_lists", "without_history"]

_LARGE_TEXT = 1 << 16  # bytes from which a text is kept as a separate chunk instead of being copied


def hold_out(
    sequences: Sequences, fraction: float, seed: int, labels: str | None = None
) -> tuple[Sequences, Sequences]:
    """(train, rest): ``rest`` is a random ``fraction`` of the whole sequences, both in their original order.

    The choice depends only on ``seed``, the number of rows and, with ``labels``, that column.

    Args:
        sequences: at least two.
        fraction: in (0, 1); at least one sequence goes to each side.
        seed: which choice.
        labels: a column of labels, or of lists of labels. With one label for each row, the split is stratified. A row
            with a label that no other row has stays in ``train``, so that the model can learn it.

    Raises:
        DataError: there are fewer than two sequences.
        UsageError: ``fraction`` is not in (0, 1).

    Example:
        >>> train, rest = hold_out(Sequences(pa.table({"x": range(10)}), {"x": "number"}), 0.2, seed=0)
        >>> len(train), len(rest)
        (8, 2)
    """
    _check_fraction(fraction)
    rows = len(sequences)
    if rows < 2:
        message = f"{rows} sequence cannot be split into training and held-out data"
        raise DataError(message, file=sequences.origin, hint=f"give more data, or a file as {named('valid')}")
    random = np.random.default_rng(seed)
    order = random.permutation(rows)
    if labels is not None and not has_time(sequences.column(labels).type):
        order = order[_interleaved(_label_codes(sequences, labels)[order], random)]
    rest = np.zeros(rows, bool)
    rest[order[: min(rows - 1, max(1, round(rows * fraction)))]] = True
    if labels is not None:
        learned = rest & ~_unlearnable(sequences.column(labels), rest)
        rest = learned if learned.any() else rest
    return sequences.take(np.flatnonzero(~rest)), sequences.take(np.flatnonzero(rest))


def hold_out_end(sequences: Sequences, fraction: float) -> tuple[Sequences, Sequences]:
    """(train, rest): ``rest`` is the last ``fraction`` of each sequence in time.

    Lists: ``train`` has the steps before the border; ``rest`` has the whole list, with ``first`` at the border, so that
    a model may read the history but no target lies in it. Texts (of kind tokens or symbols, where no column is a list):
    each split has only its part; the fraction is measured in bytes, and texts are cut between two characters. Columns
    without time are in both.

    Args:
        sequences: a row with only one step stays in ``train``.
        fraction: in (0, 1).

    Raises:
        DataError: the lists of a row differ in length, or no sequence has two steps.
        UsageError: ``fraction`` is not in (0, 1).

    Example:
        >>> train, rest = hold_out_end(Sequences(pa.table({"x": [[1, 2, 3, 4]]}), {"x": "number"}), 0.25)
        >>> train.table.to_pydict(), rest.table.to_pydict(), rest.first
        ({'x': [[1, 2, 3]]}, {'x': [[1, 2, 3, 4]]}, array([3]))
    """
    _check_fraction(fraction)
    if any(has_time(sequences.column(name).type) for name in sequences.kinds):
        return split_lists(sequences, lambda lengths: _held(lengths, fraction), "two")
    texts = [name for name in sequences.kinds if sequences.traits(name).text]
    if not texts:
        raise DataError("has no column with a time axis, so it cannot be split by time", file=sequences.origin)
    return _split_texts(sequences, texts, fraction)


def hold_out_last(sequences: Sequences) -> tuple[Sequences, Sequences]:
    """(train, rest): ``rest`` predicts the last step of each list, with all steps before it as history.

    A list of fewer than three steps stays whole in ``train``: without its last step there would be nothing to predict.

    Raises:
        DataError: no column holds lists, the lists of a row differ in length, or none has three steps.

    Example:
        >>> train, rest = hold_out_last(Sequences(pa.table({"x": [[1, 2, 3], [4, 5]]}), {"x": "category"}))
        >>> train.table.to_pydict(), rest.table.to_pydict(), rest.first
        ({'x': [[1, 2], [4, 5]]}, {'x': [[1, 2, 3], [4, 5]]}, array([2, 2]))
    """
    if not any(has_time(sequences.column(name).type) for name in sequences.kinds):
        raise DataError("has no list column, so there are no last steps to hold out", file=sequences.origin)
    return split_lists(sequences, lambda lengths: np.where(lengths > 2, 1, 0), "three")


def without_history(sequences: Sequences) -> Sequences:
    """Only the steps from ``first`` on, for a task that needs no history from the earlier split.

    Example:
        >>> _, rest = hold_out_end(Sequences(pa.table({"x": [[1, 2, 3, 4]]}), {"x": "number"}), 0.5)
        >>> without_history(rest).table.to_pydict()
        {'x': [[3, 4]]}
    """
    if sequences.first is None:
        return sequences
    table = sequences.table
    steps = list_lengths(table.column(main_list(sequences)))
    for name in table.column_names:
        if has_time(table.column(name).type) and np.array_equal(list_lengths(table.column(name)), steps):
            table = _between(table, name, np.minimum(sequences.first, steps), steps)
    return replace(sequences, table=table, first=None)


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise UsageError(f"the share to hold out must be between 0 and 1, not {fraction}")


def _held(lengths: np.ndarray, fraction: float) -> np.ndarray:
    """How many steps of each length to hold out: at least one but not all, if there are two or more."""
    share = np.round(lengths * fraction).astype(np.int64)
    return np.where(lengths > 1, np.clip(share, 1, np.maximum(lengths - 1, 1)), 0)


def _unlearnable(column: pa.ChunkedArray, rest: np.ndarray) -> np.ndarray:
    """(rows,) bool: True for a row of ``rest`` with a label that no row outside ``rest`` has."""
    rows = np.arange(len(column))
    if has_time(column.type):
        rows = np.repeat(rows, list_lengths(column))
        column = pc.list_flatten(column)
    label = codes(column)
    learned = np.bincount(label[~rest[rows]], minlength=int(label.max(initial=-1)) + 1) > 0
    only = np.zeros(len(rest), bool)
    only[rows[~learned[label]]] = True
    return only


def _label_codes(sequences: Sequences, name: str) -> np.ndarray:
    column = sequences.column(name)
    if pa.types.is_nested(column.type):
        message = f"holds {column.type}, but a split by label needs one value for each row"
        raise DataError(message, file=sequences.origin, column=name)
    return codes(column)


def _interleaved(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An order in which the first n rows, for every n, hold each label in about its share of the whole.

    The place of the first row of a label is sampled, so that rare labels appear early as often as they should.
    """
    by_label = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(labels), np.int64)
    rank[by_label] = np.arange(len(labels)) - starts[labels[by_label]]
    first = random.random(len(counts))
    return np.argsort((rank + first[labels]) / counts[labels], kind="stable")


def split_lists(
    sequences: Sequences, held: Callable[[np.ndarray], np.ndarray], least: str, targets: tuple[str, ...] = ()
) -> tuple[Sequences, Sequences]:
    """Split each list before its last ``held(lengths)`` steps; ``least`` says what it takes, such as ``two``.

    A list with other steps than the ``targets`` (see `main_list`) describes the whole row, and is in both parts.

    Raises:
        DataError: the lists of a row differ in length, or nothing is held out.
    """
    timed = [name for name in sequences.table.column_names if has_time(sequences.table.column(name).type)]
    main = main_list(sequences, targets)
    steps, cut = list_lengths(sequences.table.column(main)), []
    for name in timed:
        own = list_lengths(sequences.table.column(name))
        differs = np.flatnonzero(own != steps)
        if len(differs) and name in sequences.kinds and meant_to_agree(steps, own):
            place = sequences.where(name)
            message = f"differs in length from {main!r}, so this row cannot be split by time"
            raise DataError(message, file=place.file, row=place.row(int(differs[0])), column=name)
        cut += [] if len(differs) else [name]
    open_from = np.zeros(len(steps), np.int64) if sequences.first is None else sequences.first
    border = steps - held(steps - open_from)
    if (border == steps).all():
        raise DataError(f"no sequence has {least} steps or more, so none can be split by time", file=sequences.origin)
    table = sequences.table
    for name in cut:
        table = _between(table, name, np.zeros(len(steps), np.int64), border)
    return replace(sequences, table=table), replace(sequences, first=border)


def main_list(sequences: Sequences, targets: tuple[str, ...] = ()) -> str:
    """The list column whose steps are split: a target, or else the one whose steps most other lists have.

    Example:
        >>> table = pa.table({"tags": [["a"], ["b"]], "x": [[1, 2], [3, 4, 5]], "y": [[6, 7], [8, 9, 0]]})
        >>> main_list(Sequences(table, {"tags": "category", "x": "number", "y": "number"}))
        'x'
    """
    columns = {name: sequences.table.column(name) for name in sequences.kinds if name in sequences.table.column_names}
    lists = {name: list_lengths(column) for name, column in columns.items() if has_time(column.type)}
    first = next(name for name in (*targets, *lists) if name in lists)
    if first in targets or all(np.array_equal(lists[first], own) for own in lists.values()):
        return first
    return max(lists, key=lambda name: sum(meant_to_agree(lists[name], own) for own in lists.values()))


def list_lengths(column: pa.ChunkedArray) -> np.ndarray:
    """(rows,) int64: the number of elements of each list; 0 for a null."""
    lengths: np.ndarray = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    return lengths.astype(np.int64)


def _between(table: pa.Table, name: str, starts: np.ndarray, stops: np.ndarray) -> pa.Table:
    """Keep only the elements ``starts[r]:stops[r]`` of each list in column ``name``; a null list becomes empty.

    The lists must be long enough. The metadata of the column is kept.
    """
    index = table.column_names.index(name)
    column = table.column(index)
    lengths = list_lengths(column)
    flat = pc.list_flatten(column)
    if len(stops) == 1:
        kept = flat.slice(int(starts[0]), int(stops[0] - starts[0]))  # one long sequence need not be copied
    else:
        places = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        inside = (places >= np.repeat(starts, lengths)) & (places < np.repeat(stops, lengths))
        kept = flat.filter(pa.array(inside))
    values = kept.combine_chunks() if kept.num_chunks != 1 else kept.chunk(0)
    offsets = np.concatenate([[0], np.cumsum(stops - starts)])
    if pa.types.is_list(column.type):
        cells = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=column.type)
    else:  # large, or of a fixed size that the rows no longer have
        kind = pa.large_list(column.type.value_type)
        cells = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), values, type=kind)
    return table.set_column(index, table.field(index).with_type(cells.type), cells)


def _split_texts(sequences: Sequences, names: list[str], fraction: float) -> tuple[Sequences, Sequences]:
    train, rest = sequences.table, sequences.table
    for name in names:
        index = sequences.table.column_names.index(name)
        head, tail = _cut_texts(sequences.table.column(name), fraction)
        train, rest = train.set_column(index, name, head), rest.set_column(index, name, tail)
    if not any(pc.any(pc.greater(pc.binary_length(rest.column(name)), 0)).as_py() for name in names):
        raise DataError("no text has two characters or more, so none can be split by time", file=sequences.origin)
    return replace(sequences, table=train), replace(sequences, table=rest)


def _cut_texts(column: pa.ChunkedArray, fraction: float) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    heads, tails = [], []
    for chunk in filter(len, column.chunks):
        texts = pc.fill_null(chunk.cast(pa.large_string()), "")
        starts, stops, data = _spans(texts)
        cuts = _borders(starts, stops, data, fraction)
        if stops[-1] - starts[0] >= _LARGE_TEXT * len(texts):
            heads += [_view(texts, start, cut) for start, cut in zip(starts, cuts, strict=True)]
            tails += [_view(texts, cut, stop) for cut, stop in zip(cuts, stops, strict=True)]
        else:
            place = np.arange(int(starts[0]), int(stops[-1]))
            head = place < np.repeat(cuts, stops - starts)
            heads.append(_gathered(data[starts[0] : stops[-1]][head], cuts - starts))
            tails.append(_gathered(data[starts[0] : stops[-1]][~head], stops - cuts))
    return pa.chunked_array(heads, pa.large_string()), pa.chunked_array(tails, pa.large_string())


def _spans(texts: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each text starts and ends in the byte buffer of the array, and that buffer."""
    _, offsets, data = texts.buffers()
    spans = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return (
        spans[:-1],
        spans[1:],
        np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8),
    )


def _borders(starts: np.ndarray, stops: np.ndarray, data: np.ndarray, fraction: float) -> np.ndarray:
    cuts = stops - _held(stops - starts, fraction)
    cuts = _moved(cuts, starts, stops, data, -1)
    first = (cuts == starts) & (stops > starts)  # the first character is longer than the training part
    return _moved(cuts + first, starts, stops, data, 1)


def _moved(cuts: np.ndarray, starts: np.ndarray, stops: np.ndarray, data: np.ndarray, way: int) -> np.ndarray:
    for _ in range(3):  # a character has at most three bytes after its first, each 10xxxxxx
        inside = (cuts > starts) & (cuts < stops)
        inside[inside] = (data[cuts[inside]] & 0xC0) == 0x80
        cuts = cuts + way * inside
    return cuts


def _view(texts: pa.Array, start: int, stop: int) -> pa.Array:
    offsets = pa.py_buffer(np.array([start, stop], np.int64))
    return pa.LargeStringArray.from_buffers(1, offsets, texts.buffers()[2])


def _gathered(data: np.ndarray, lengths: np.ndarray) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return pa.LargeStringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(data))
