"""What the files of a folder say by their place: the label of a subfolder, and the file that a row is from."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.io.blobs import LABELS
from unrolled.data.readers.reader import Reader
from unrolled.errors import Origin, UsageError, named

__all__ = ["FILE", "each_is_a_series", "folder_labels", "name_files"]

FILE = "file"  # the column that says which file of a folder a row is from
_LABEL = "label"
_SPLITS = {"train", "training", "valid", "validation", "val", "dev", "test", "testing", "eval"}


def folder_labels(names: Sequence[str], folder: Path) -> pa.Table:
    """A column ``label`` of the files' subfolders, if every file is in one and there are several.

    Args:
        names: the paths of the files below ``folder``.
        folder: the folder, for the message.

    Raises:
        UsageError: the subfolders are the splits of a data set, such as ``train`` and ``test``.
    """
    labels = [PurePosixPath(name).parts[0] for name in names if "/" in name]
    if len(labels) < len(names) or len({*labels}) < 2:
        return pa.table({})
    if {label.lower() for label in labels} <= _SPLITS:
        first, *others = sorted({*labels}, key=lambda label: not label.lower().startswith("train"))
        held = " and ".join(
            f"{named('test' if other.lower().startswith('test') else 'valid')} {folder / other}" for other in others
        )
        raise UsageError(f"{folder} holds the splits {', '.join([first, *others])}: give {folder / first}, and {held}")
    return pa.table([labels], pa.schema([pa.field(_LABEL, pa.string(), metadata={LABELS: b"folders"})]))


def name_files(table: pa.Table, folder: Path, files: Mapping[Path, pa.Table], reader: Reader) -> pa.Table:
    """Add to ``table``, the rows of all ``files``, where each row is from, unless it has a column of that name.

    Tables get a column ``file``, the path below ``folder`` without its suffix, which is kept aside; other files a
    column ``label`` of their subfolders, if some of these hold several files.
    """
    names = [file.relative_to(folder).as_posix() for file in files]
    rows = np.repeat(np.arange(len(names)), [part.num_rows for part in files.values()])
    if reader.tabular:
        stems = pa.array([PurePosixPath(name).with_suffix("").as_posix() for name in names], pa.string())
        field, column = pa.field(FILE, pa.string(), metadata={"aside": "names the file the row is from"}), stems
    else:
        labels = folder_labels(names, folder)
        if not labels.num_columns or max(Counter(labels.column(0).to_pylist()).values()) < 2:
            return table
        field, column = labels.field(0), labels.column(0).combine_chunks()
    return table if field.name in table.column_names else table.append_column(field, column.take(pa.array(rows)))


def each_is_a_series(table: pa.Table, origin: Origin, order: str | None) -> bool:
    """Whether each file of a folder is a separate sequence, rather than all of them one after another.

    It is where their times overlap, and without times.

    Args:
        table: the rows of all files.
        origin: how many rows each file has.
        order: the column that orders the steps.
    """
    if order is None:
        return True
    spans, start = [], 0
    for _, rows in origin.files:
        part = pc.min_max(table.column(order).slice(start, rows))
        spans.append((part["min"], part["max"]))
        start += rows
    known = sorted((low.as_py(), high.as_py()) for low, high in spans if low.is_valid)
    return any(low < high for (_, high), (low, _) in itertools.pairwise(known))
