"""A prepared store: the encoded splits of some data, the encodings, and the rows that were held out, as they were read.

A folder with one file for each array, and ``store.json``, which is written last. The folder has a hidden name until it
is whole, so a store is whole or absent, however its writer ended. It holds numbers and names, never code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import ValidationError

from unrolled.data.encodings._stored import Stored
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.store.arrays import ArrayWriter, StoredArray, damaged, map_array
from unrolled.data.store.columns import ColumnWriter, StoredColumn, map_column
from unrolled.data.store.rows import RowsWriter, StoredRows, map_rows
from unrolled.data.store.sources import Mark, marks_of
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError
from unrolled.storage.atomic import beside, create, discard, fsync, locked, put_in_place, sweep
from unrolled.storage.cache_folder import STORED
from unrolled.storage.directories import space_errors

__all__ = ["INDEX", "Name", "Store", "Writer"]

INDEX = STORED
Name = Literal["train", "valid", "test", "whole"]
_LARGEST_INDEX = 1 << 26
_SCRATCH = "scratch"


class StoredSplit(Stored):
    """What was stored of an encoded split.

    Attributes:
        rows: how many rows.
        inputs: column name -> its files.
        target: the files of the target, if it is no input.
        own: the target, if it is an input.
        first, naive: as in `Examples`.
    """

    rows: int
    inputs: dict[str, StoredColumn]
    target: StoredColumn | None = None
    own: str | None = None
    first: StoredArray | None = None
    naive: StoredArray | None = None


class _Index(Stored):
    """``store.json``."""

    format: Literal[1] = 1
    key: str
    marks: list[Mark]
    about: dict[str, Any]
    encodings: list[str]
    splits: dict[Name, StoredSplit]
    kept: dict[Name, StoredRows]


class Store:
    """A store that is read.

    Attributes:
        folder: where it lies.
        about: what its writer said about it.
    """

    def __init__(self, folder: Path, index: _Index) -> None:
        self.folder, self.about, self._index = folder, index.about, index

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the store in ``folder``; its arrays are mapped when they are asked for.

        Raises:
            DataError: it is no store, is damaged, or is of another version.
        """
        path = folder / INDEX
        try:
            if path.stat().st_size > _LARGEST_INDEX:
                raise damaged(path, "it is far too long")
            index = _Index.model_validate_json(path.read_bytes())
        except OSError as error:
            raise damaged(path, error.strerror or "cannot be read") from None
        except ValidationError as error:
            first = error.errors()[0]
            raise damaged(
                path, f"{'.'.join(str(part) for part in first['loc']) or 'top level'}: {first['msg']}"
            ) from None
        return cls(folder, index)

    @property
    def key(self) -> str:
        """What the data was prepared for."""
        return self._index.key

    @property
    def marks(self) -> list[Mark]:
        """The files that it was made from, as they were."""
        return self._index.marks

    @property
    def unchanged(self) -> bool:
        """Whether each of the files that it was made from still is as it was."""
        try:
            return marks_of(mark.path for mark in self.marks) == self.marks
        except (OSError, DataError):
            return False

    def encodings(self) -> dict[str, bytes]:
        """The files of the encodings, by name.

        Raises:
            DataError: one of them cannot be read.
        """
        found = {}
        for name in self._index.encodings:
            path = self.folder / "encodings" / Path(name).name
            try:
                found[name] = path.read_bytes()
            except OSError as error:
                raise damaged(path, error.strerror or "cannot be read") from None
        return found

    def rows(self, name: Name) -> Sequences | None:
        """The rows that were kept as they were read; ``None`` if none were.

        Raises:
            DataError: they are damaged.
        """
        stored = self._index.kept.get(name)
        return None if stored is None else map_rows(self.folder / f"{name}-rows", stored)

    def examples(self, split: Name, framed: Callable[[dict[str, Encoded], np.ndarray | None], Examples]) -> Examples:
        """An encoded split, mapped.

        Args:
            split: its name.
            framed: makes examples without a target of the input columns and the first steps to score.

        Raises:
            DataError: it is missing or damaged.
        """
        stored = self._index.splits.get(split)
        if stored is None or (stored.own is not None and stored.own not in stored.inputs):
            raise damaged(self.folder / INDEX, f"{split} is missing")
        rows, base = stored.rows, self.folder / split
        inputs = {
            name: map_column(base.with_name(f"{split}-{number}"), column, rows)
            for number, (name, column) in enumerate(stored.inputs.items())
        }
        target = None if stored.own is None else inputs[stored.own]
        if stored.target is not None:
            target = map_column(base.with_name(f"{split}-target"), stored.target, rows)
        arrays: dict[str, np.ndarray | None] = {}
        for name, one in (("first", stored.first), ("naive", stored.naive)):
            arrays[name] = None if one is None else map_array(base.with_name(f"{split}-{name}.bin"), one)
            if one is not None and one.shape[0] != rows:
                raise damaged(base, f"{name} does not have {rows} rows")
        found = framed(inputs, arrays["first"])
        if found.specs.keys() != inputs.keys():
            raise damaged(self.folder / INDEX, "its columns are not those of its encodings")
        return replace(found, target=target, naive=arrays["naive"])


class _SplitWriter:
    """Appends the parts of one split."""

    def __init__(self, folder: Path, split: Name) -> None:
        self._folder, self._split = folder, split
        self._columns: dict[str, ColumnWriter] = {}
        self._target: ColumnWriter | None = None
        self._arrays: dict[str, ArrayWriter] = {}
        self._own: str | None = None
        self._rows = 0

    def append(self, part: Examples) -> None:
        for number, (name, column) in enumerate(part.inputs.items()):
            if name not in self._columns:
                self._columns[name] = ColumnWriter(self._folder / f"{self._split}-{number}")
            self._columns[name].append(column)
        self._rows += len(next(iter(part.inputs.values())).lengths())
        if part.own is not None and part.target is part.inputs[part.own]:
            self._own = part.own
        elif part.target is not None:
            self._target = self._target or ColumnWriter(self._folder / f"{self._split}-target")
            self._target.append(part.target)
        for name, values in (("first", part.first), ("naive", part.naive)):
            if values is not None:
                if name not in self._arrays:
                    self._arrays[name] = ArrayWriter(self._folder / f"{self._split}-{name}.bin")
                self._arrays[name].append(values)

    def finish(self) -> StoredSplit:
        return StoredSplit(
            rows=self._rows,
            inputs={name: column.finish() for name, column in self._columns.items()},
            target=None if self._target is None else self._target.finish(),
            own=self._own,
            **{name: writer.finish() for name, writer in self._arrays.items()},
        )

    def close(self) -> None:
        for writer in (*self._columns.values(), *self._arrays.values(), self._target):
            if writer is not None:
                writer.close()


class Writer:
    """Writes a store: a context manager that leaves a whole store, or nothing.

    Args:
        final: its folder, which replaces one that is there.
        key: what the data is prepared for.
        marks: the files that it is made from.

    Raises:
        SpaceError: the disk is full, or may not be written to.
    """

    def __init__(self, final: Path, key: str, marks: list[Mark]) -> None:
        self._final, self._key, self._marks = final, key, marks
        self._splits: dict[Name, _SplitWriter] = {}
        self._kept: dict[Name, RowsWriter] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with space_errors(self._final):
            self._final.parent.mkdir(parents=True, exist_ok=True)
            sweep(self._final.parent, self._final.name)
            self._folder = beside(self._final)
            self._folder.mkdir()
        self._stack.callback(discard, self._folder)  # after a success, it is gone, or is the replaced store
        self._stack.enter_context(locked(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        for split in self._splits.values():
            split.close()
        for kept in self._kept.values():
            kept.close()
        self._stack.close()

    @property
    def scratch(self) -> Path:
        """A folder for files that are needed only until the store is finished."""
        return self._folder / _SCRATCH

    def append(self, split: Name, part: Examples) -> None:
        """Append encoded rows to a split."""
        with space_errors(self._final):
            if split not in self._splits:
                self._splits[split] = _SplitWriter(self._folder, split)
            self._splits[split].append(part)

    def keep(self, split: Name, part: Sequences, *, cells: bool = True) -> None:
        """Keep rows as they were read; without ``cells`` only their places."""
        with space_errors(self._final):
            if split not in self._kept:
                self._kept[split] = RowsWriter(self._folder / f"{split}-rows", cells=cells)
            self._kept[split].append(part)

    def finish(self, about: Mapping[str, Any], encodings: Mapping[str, bytes]) -> Store:
        """Flush everything to the disk, and give the store its name.

        Args:
            about: plain values to be read again.
            encodings: the files of the encodings, by name.
        """
        with space_errors(self._final):
            discard(self.scratch)
            (self._folder / "encodings").mkdir()
            for name, content in encodings.items():
                _write(self._folder / "encodings" / name, content)
            index = _Index(
                key=self._key,
                marks=self._marks,
                about=json.loads(json.dumps(dict(about))),
                encodings=list(encodings),
                splits={name: writer.finish() for name, writer in self._splits.items()},
                kept={name: writer.finish() for name, writer in self._kept.items()},
            )
            _write(self._folder / INDEX, index.model_dump_json(indent=1).encode())
            for folder in (self._folder / "encodings", self._folder):
                fsync(folder)
            put_in_place(self._folder, self._final)
            fsync(self._final.parent)
        return Store(self._final, index)


def _write(path: Path, content: bytes) -> None:
    with create(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
