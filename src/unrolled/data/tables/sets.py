"""Cells that hold several labels with a separator between them, such as ``Action|Drama``, become lists of labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._cells import is_text, plain
from unrolled.errors import DataError, Origin, UsageError, lacking, named

__all__ = ["NONE", "parts_of", "separators_of", "split_sets"]

NONE = "none"  # instead of a separator: the cells are whole
_SEPARATORS = ("|", ";", ",")
_LONGEST = 30  # mean characters of a label
_FEW = 100  # most distinct labels
_AGAIN = {"|": 3, ";": 3, ",": 5}  # how often each occurs on average: prose has commas too
_SAMPLE = 10_000  # cells that are looked at before the others are
_SOME = 0.1  # share of the cells that hold more than one


def separators_of(table: pa.Table, names: Collection[str]) -> dict[str, str]:
    """Column -> separator, for each of the columns ``names`` whose cells are sets of few labels.

    That is so where at least a tenth of the cells hold several parts and others fewer or more, no cell holds one twice
    or an empty one, some parts stand first here and later there, and the parts are short and come again often.

    Example:
        >>> films = pa.table({"genres": ["Action|Drama", "Drama", "Comedy|Drama"] * 9, "place": ["Paris, France"] * 27})
        >>> separators_of(films, films.column_names)
        {'genres': '|'}
    """
    found = {}
    for name in names:
        column = table.column(name)
        if is_text(plain(column).type):
            separator = next((one for one in _SEPARATORS if _separates(plain(column), one)), None)
            if separator is not None:
                found[name] = separator
    return found


def split_sets(table: pa.Table, separators: Mapping[str, str], origin: Origin) -> pa.Table:
    """``table`` with a list of labels in each cell of the columns of ``separators``; an empty cell has none.

    A column that holds lists already stays as it is.

    Raises:
        DataError: there is no such column, or it holds something else.
        UsageError: a separator is empty.
    """
    for name, separator in separators.items():
        if name not in table.column_names:
            raise lacking(name, origin, table.column_names)
        if not separator:
            raise UsageError(f"{named('sets')} needs a separator for {name!r}, such as {name}=|, or {name}={NONE}")
        index, column = table.column_names.index(name), plain(table.column(name))
        if separator == NONE or pa.types.is_nested(column.type):
            continue
        if not (is_text(column.type) or pa.types.is_null(column.type)):
            raise DataError(
                f"holds {column.type}, not texts that could be split at {separator!r}", file=origin, column=name
            )
        lists = pa.chunked_array([_lists(column.cast(pa.large_string()), separator)])
        table = table.set_column(index, pa.field(name, lists.type), lists)
    return table


def parts_of(cell: str, separator: str) -> list[str]:
    """The labels of one cell, as `split_sets` divides it.

    Example:
        >>> parts_of("Action | Drama", "|"), parts_of("Action|Drama", NONE)
        (['Action', 'Drama'], ['Action|Drama'])
    """
    parts = [cell] if separator == NONE else cell.split(separator)
    return [part.strip() for part in parts if part.strip()]


def _lists(column: pa.ChunkedArray, separator: str) -> pa.Array:
    texts = column.combine_chunks()
    parts = pc.split_pattern(texts, separator)
    labels = pc.utf8_trim_whitespace(pc.list_flatten(parts))
    rows = np.asarray(pc.list_parent_indices(parts))
    filled = pc.not_equal(labels, "").to_numpy(zero_copy_only=False)
    counts = np.bincount(rows[filled], minlength=len(texts))
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int64())
    kept = labels.filter(pa.array(filled))
    return pa.LargeListArray.from_arrays(offsets, kept, mask=pc.is_null(texts))


def _separates(texts: pa.ChunkedArray, separator: str) -> bool:
    known = texts.drop_null().cast(pa.large_string()).combine_chunks()
    sample = known.slice(0, _SAMPLE)
    if not pc.any(pc.match_substring(sample, separator)).as_py() or not _are_sets(sample, separator):
        return False
    return len(sample) == len(known) or _are_sets(known, separator)


def _are_sets(known: pa.Array, separator: str) -> bool:
    lists = pc.split_pattern(known, separator)
    sizes = pc.list_value_length(lists).to_numpy()
    if np.mean(sizes > 1) < _SOME or (sizes == sizes[0]).all():
        return False  # all of one size are fields, such as a town and its country
    labels = pc.utf8_trim_whitespace(pc.list_flatten(lists))
    counts = pc.value_counts(labels)
    distinct = counts.field("values")
    few = 1 < len(distinct) <= _FEW and len(labels) >= _AGAIN[separator] * len(distinct)
    if not few or pc.any(pc.equal(distinct, "")).as_py() or pc.mean(pc.utf8_length(distinct)).as_py() > _LONGEST:
        return False
    first = np.asarray(lists.offsets)[:-1][sizes > 0] - lists.offsets[0].as_py()
    later = np.delete(np.arange(len(labels)), first)
    follow = pc.unique(labels.take(later))
    if 4 * pc.sum(pc.is_in(follow, pc.unique(labels.take(first)))).as_py() < len(follow):
        return False  # each label has its place, as in Smith, John
    pairs = pa.table({"row": pc.list_parent_indices(lists), "label": labels}).group_by(["row", "label"]).aggregate([])
    return pairs.num_rows == len(labels)
