"""The data options: how data is read, which columns play which part, and how it is split."""

from __future__ import annotations

from typing import Literal

from unrolled.config import PartOfRun, option

__all__ = ["DataConfig"]


class DataConfig(PartOfRun):
    """The data options that do not belong to one reader or to one kind of column."""

    target: tuple[str, ...] = option(
        (),
        "The column to predict, or several separated by commas. "
        "Default: the labels given by a folder's subfolders, otherwise the next step.",
        also=("label", "labels", "y", "target_column", "label_column"),
    )
    inputs: tuple[str, ...] = option(
        (),
        "Columns to read. Default: all except the target and ignored columns.",
        also=("features", "feature_columns", "columns", "x"),
    )
    ignore: tuple[str, ...] = option((), "Columns to leave out.", also=("drop", "exclude", "drop_columns"))
    fields: tuple[str, ...] = option(
        (), "Columns of a record to join into one sequence, with a step name=value for each."
    )
    sets: dict[str, str] = option(
        {},
        "The separator of the labels in a column whose cells hold several, as column=separator, such as genres=|; "
        "column=none if a cell is one label. Default: as the cells show.",
        also=("multilabel", "multi_label", "list_separator"),
    )
    kinds: dict[str, str] = option(
        {},
        "The kind of a column, as column=kind, if the inferred kind is wrong.",
        also=("kind", "dtype", "dtypes", "column_types"),
    )
    by: str | None = option(
        None,
        "Column that names the sequence, if each row is one step.",
        also=("group", "group_by", "group_ids", "groups", "series", "series_id", "item_id", "unique_id"),
    )
    order: str | None = option(
        None,
        "Column that orders the steps of a sequence; as an input it gives the time since the previous step. "
        "Default: the order of the rows.",
        also=("time", "timestamp", "time_idx", "time_column", "date", "ds", "sort_by"),
    )
    date_order: Literal["dmy", "mdy", "ymd"] | None = option(
        None,
        "How to read dates such as 01/02/2024: day, month or year first. Default: the one order that fits all rows.",
        also=("dayfirst", "yearfirst", "date_format"),
    )
    gap: str | None = option(
        None,
        "Start a new sequence where two steps are further apart than this, such as 30m, 12h, 1d or a number.",
        pattern=r"^\d+(\.\d+)?[smhd]?$",
        examples=("30m", "2h"),
        also=("session_gap", "session_timeout", "timeout"),
    )
    header: tuple[str, ...] = option(
        (),
        "Column names for a table whose first line does not hold them; none numbers them: column1, column2.",
        also=("names", "column_names", "feature_names"),
    )
    file_columns: tuple[str, ...] = option(
        (),
        "Columns whose cells name files to read, such as recordings. Default: those whose files are all there.",
        also=("files", "paths", "path_column", "file_column", "audio_column", "image_column"),
    )
    format: str | None = option(
        None,
        "The format of the data, such as csv, json, conll or text. Default: as its content and its name show.",
        also=("file_format", "filetype", "reader"),
    )
    separator: str | None = option(
        None,
        "What separates the cells of a text table, such as ; or :: or tab or blanks. Default: as its lines show.",
        also=("sep", "delimiter", "field_separator"),
    )
    decimal: Literal[",", "."] | None = option(
        None,
        "The decimal sign where a number can be read in two ways, as 1,234 can. Default: as the other columns show.",
        also=("decimal_sign", "decimal_point", "dec"),
    )
    quote: Literal['"', "'", "none"] | None = option(
        None,
        "The sign around cells that hold a separator; with none, quotes are letters. Default: as the lines show.",
        also=("quotechar", "quote_char", "quoting"),
    )
    skip: str | None = option(
        None,
        "Lines to leave out before the header; a second number, as in 3,1, leaves out rows behind it.",
        pattern=r"^\d+(,\d+)?$",
        examples=("3", "3,1"),
        also=("skiprows", "skip_rows", "skip_lines"),
    )
    na_values: tuple[str, ...] = option(
        (),
        "Further cells that stand for a missing value, such as -999.",
        also=("null_values", "na_strings"),
    )
    text_encoding: str = option(
        "utf-8", "Character encoding of text files, such as latin-1.", also=("encoding", "charset")
    )
    valid: str | float | None = option(
        None,
        "Validation data: a file, a share such as 0.2, or 'last' for the last step of each sequence; 0 for none. "
        "Default: 0.1, or less if the data is very long.",
        also=("val", "valid_size", "validation_split", "validation_data", "validation_fraction", "eval_dataset"),
    )
    test: str | float | None = option(
        None,
        "Test data, evaluated once at the end: a file, a share, or 'last' for the last step of each sequence.",
        also=("test_size", "test_split", "test_data"),
    )
