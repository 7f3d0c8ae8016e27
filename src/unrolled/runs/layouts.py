"""Answers as tables that a sheet can hold: one line for each step, each step ahead, or each candidate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.runs.predicting import AHEAD, FITTED, MARK, PREDICTED

__all__ = ["LAYOUTS", "by_channel", "conll", "data_of", "rounded"]

_TOP = "_top"


def by_step_ahead(table: pa.Table, known: Collection[str]) -> pa.Table:
    """Forecasts as one line for each series and step ahead, with the columns that hold for a whole series.

    Lines of the past, with the values that were forecast one step ahead, have 0 as their step ahead.

    Args:
        table: one row for each series; columns that are not ``known`` are forecasts, lists of H values, or their
            times, last values and fitted past.
        known: the columns of the data.
    """
    added = [name for name in table.column_names if name not in known]
    fitted = [name for name in added if name.endswith(FITTED)]
    lists = [n for n in added if pa.types.is_nested(table.field(n).type) and n not in fitted]
    forecast = next(name for name in lists if not name.endswith(AHEAD))
    series = pc.list_parent_indices(table.column(forecast)).combine_chunks()
    kept = table.take(pc.unique(series))  # a series that is too short has no forecast
    columns = {name: table.column(name).take(series) for name in _whole(table, known)}
    for name in (name for name in lists if name.endswith(AHEAD)):
        columns[name.removesuffix(AHEAD)] = pc.list_flatten(kept.column(name))
    columns["step_ahead"] = _places(series)
    for name in (name for name in added if name not in fitted and not name.endswith(AHEAD)):
        columns[name] = pc.list_flatten(kept.column(name)) if name in lists else table.column(name).take(series)
    ahead = pa.table(columns)
    if not fitted:
        return ahead
    past, before = _past(table, known, fitted, [name for name in columns if name in table.column_names])
    both = pa.concat_tables([past, ahead], promote_options="permissive")
    order = np.argsort(np.concatenate([before, series.to_numpy()]), kind="stable")
    last = ahead.column_names.index("step_ahead") + 1  # what was observed stands before what was forecast
    names = dict.fromkeys([*ahead.column_names[:last], *past.column_names, *ahead.column_names])
    return both.take(pa.array(order)).select(list(names))


def _past(table: pa.Table, known: Collection[str], fitted: list[str], also: list[str]) -> tuple[pa.Table, np.ndarray]:
    """The observed and the fitted values of the past, and the row that each line is of."""
    series = pc.list_parent_indices(table.column(fitted[0])).combine_chunks()
    sizes = pc.list_value_length(table.column(fitted[0]))
    columns = {name: table.column(name).take(series) for name in _whole(table, known)}
    for name in [*also, *(name.removesuffix(FITTED) for name in fitted)]:
        if name in known and pa.types.is_nested(table.field(name).type):
            rows = zip(table.column(name), sizes.to_pylist(), strict=True)
            columns[name] = pa.concat_arrays([row.values[:size] for row, size in rows if size])
    columns["step_ahead"] = pa.array(np.zeros(len(series), np.int64))
    columns |= {name.removesuffix(FITTED) + PREDICTED: pc.list_flatten(table.column(name)) for name in fitted}
    return pa.table(columns), series.to_numpy()


def by_step(table: pa.Table, known: Collection[str]) -> pa.Table:
    """Answers for each step as one line for each row and step, with the columns that have a value for each step too.

    Example:
        >>> table = pa.table({"id": ["x"], "words": [["a", "b"]], "tag_predicted": [["O", "B"]]})
        >>> by_step(table, ["id", "words"]).to_pylist()[1]
        {'row': 1, 'step': 2, 'id': 'x', 'words': 'b', 'tag_predicted': 'B'}
    """
    answer = next(name for name in table.column_names if name not in known)
    rows = pc.list_parent_indices(table.column(answer)).combine_chunks()
    sizes = pc.list_value_length(table.column(answer)).cast(pa.int64())
    columns = {"row": pc.add(rows, 1), "step": _places(rows)}
    for name in table.column_names:
        column = table.column(name)
        if not pa.types.is_nested(column.type):
            columns[name] = column.take(rows)
        elif pc.list_value_length(column).cast(pa.int64()).equals(sizes):
            columns[name] = pc.list_flatten(column)
    return pa.table(columns)


def by_rank(table: pa.Table, known: Collection[str]) -> pa.Table:
    """The likeliest answers as one line for each row and candidate, the likeliest first.

    Example:
        >>> table = pa.table({"who": ["x"], "what_top": [["a", "b"]], "what_top_p": [[0.6, 0.3]]})
        >>> by_rank(table, ["who"]).to_pylist()[1]
        {'row': 1, 'who': 'x', 'rank': 2, 'what_predicted': 'b', 'what_p': 0.3}
    """
    top = next(name for name in table.column_names if name not in known and name.endswith(_TOP))
    rows = pc.list_parent_indices(table.column(top)).combine_chunks()
    columns = {"row": pc.add(rows, 1)} | {name: table.column(name).take(rows) for name in _whole(table, known)}
    name = top.removesuffix(_TOP)
    flat = {name + PREDICTED: table.column(top), f"{name}_p": table.column(f"{top}_p")}
    return pa.table({**columns, "rank": _places(rows), **{n: pc.list_flatten(column) for n, column in flat.items()}})


def by_channel(table: pa.Table, known: Collection[str], target: str, channels: Sequence[str]) -> pa.Table:
    """Answers that are vectors as one column for each channel, such as the next values of several series.

    Example:
        >>> table = pa.table({"id": ["x"], "series_p": [[0.5, 0.25]]})
        >>> by_channel(table, ["id"], "series", ["a", "b"]).to_pylist()
        [{'id': 'x', 'a_p': 0.5, 'b_p': 0.25}]
    """
    columns: dict[str, pa.ChunkedArray] = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        width = len(channels)
        if field.name in known or not pa.types.is_nested(field.type) or not width:
            columns[field.name] = column
        elif pc.all(pc.equal(pc.list_value_length(column), width)).as_py():
            what = field.name.removeprefix(target)
            columns |= {f"{name}{what}": pc.list_element(column, place) for place, name in enumerate(channels)}
        else:
            columns[field.name] = column
    return pa.table(columns)


LAYOUTS: Mapping[str, Callable[[pa.Table, Collection[str]], pa.Table]] = {
    "ahead": by_step_ahead,
    "steps": by_step,
    "ranked": by_rank,
}
"""How answers are laid out in lines -> what makes them so, from a table and the names of the columns of the data."""


def conll(table: pa.Table) -> str:
    """Tagged sentences: a line for each word with its fields and, as the last one, its tag; an empty line behind each.

    Example:
        >>> table = pa.table({"words": [["Ann", "sat"]]})
        >>> tags = pa.field("tags_predicted", pa.list_(pa.string()), metadata={"predicted": ""})
        >>> conll(table.append_column(tags, [[["B", "O"]]])).split()
        ['Ann', 'B', 'sat', 'O']
    """
    lists, data = [field.name for field in table.schema if pa.types.is_nested(field.type)], data_of(table)
    answer = next(name for name in lists if name not in data)
    fields = [name for name in lists if name in data]
    sentences = []
    for row in table.select([*fields, answer]).to_pylist():
        tags = row[answer] or []
        words = [row[name] for name in fields if len(row[name] or []) == len(tags)]
        lines = (("_" if cell in (None, "") else str(cell) for cell in line) for line in zip(*words, tags, strict=True))
        sentences.append("".join("\t".join(line) + "\n" for line in lines) + "\n")
    return "".join(sentences)


def data_of(table: pa.Table) -> list[str]:
    """The columns of a table of predictions that are not predictions."""
    return [field.name for field in table.schema if MARK not in (field.metadata or {})]


def rounded(table: pa.Table, names: Collection[str], digits: int) -> pa.Table:
    """``table`` with the numbers of the columns ``names`` rounded to so many significant digits.

    Example:
        >>> rounded(pa.table({"a": [1.23456], "p": [[0.123456, None]]}), ["p"], 4).to_pylist()
        [{'a': 1.23456, 'p': [0.1235, None]}]
    """
    for index, field in enumerate(table.schema):
        value = field.type.value_type if pa.types.is_nested(field.type) else field.type
        if field.name in names and pa.types.is_floating(value):
            cells = [_rounded(cell, digits) for cell in table.column(index).to_pylist()]
            table = table.set_column(index, field.name, pa.array(cells, field.type))
    return table


def _rounded(cell: object, digits: int) -> object:
    if isinstance(cell, list):
        return [_rounded(part, digits) for part in cell]
    return float(f"{cell:.{digits}g}") if isinstance(cell, float) else cell


def _whole(table: pa.Table, known: Collection[str]) -> list[str]:
    """The columns of the data with one value for a whole row."""
    return [field.name for field in table.schema if field.name in known and not pa.types.is_nested(field.type)]


def _places(rows: pa.Array) -> pa.Array:
    """From 1, the place of each line among those of its row."""
    at = rows.to_numpy()
    begins = np.flatnonzero(np.diff(at, prepend=-1))
    sizes = np.diff(np.append(begins, len(at)))
    return pa.array(np.arange(1, len(at) + 1) - np.repeat(begins, sizes), pa.int64())
