"""The tables of a folder's files, which are read one after another as one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings._alphabets import Name
from unrolled.data.io.folder import check_some, listed, root_of, unlike
from unrolled.data.readers.reader import READERS, Reader, remarks_of
from unrolled.data.tables.file_names import name_files
from unrolled.data.tables.opened import Reading, settled_of
from unrolled.errors import DataError, Origin, counted

__all__ = ["FolderTables", "check_names", "left_out", "together"]

_SAID = 5  # remarks of the readers of single files that a folder repeats
_SMALL = 64 << 20  # bytes up to which the tables of a folder's files are copied into one piece


@dataclass(frozen=True, slots=True)
class FolderTables:
    """The files of a folder whose tables go together.

    Attributes:
        folder: the folder.
        chosen: the name of the reader of its files.
        tables: file -> its table; where they are read in blocks, only its columns.
        remarks: what the user should know about them, such as which files are left out.
        settled: option of reading -> what the data showed.
    """

    folder: Path
    chosen: str
    tables: Mapping[Path, pa.Table]
    remarks: tuple[str, ...]
    settled: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        folder: Path,
        chosen: str,
        files: list[Path],
        others: list[str],
        config: DataConfig,
        alphabet: Name | None,
        *,
        size: int | None,
    ) -> Self:
        """Read all files, or what their columns are.

        Args:
            folder, chosen: as above.
            files: those that the reader reads.
            others: the names of further files, which are left out.
            config: how to read them.
            alphabet: for data read by a trained model, the alphabet of its symbols.
            size: bytes of the blocks in which the rows are to be read; ``None``: the tables are read as a whole.

        Raises:
            DataError: no file can be read, or their columns differ too much.
        """
        reader: Reader = READERS.get(chosen)

        def columns(file: Path, config: DataConfig) -> pa.Table:
            assert reader.scan is not None and size is not None
            return next(reader.scan(file, config, size)).slice(0, 0)

        read = columns if size is not None else reader.whole or reader.read
        tables, broken = _read_all(files, read, reader, config, alphabet)
        remarks = left_out(others, len(files), chosen)
        remarks += check_some(folder, [str(broken[file]) for file in files if file in broken], len(files), chosen)
        said = list(dict.fromkeys(remark for part in tables.values() for remark in remarks_of(part)))
        more = f"{counted(len(said) - _SAID, 'more remark', 'more remarks')} of this kind"
        remarks += said[:_SAID] + ([more] if len(said) > _SAID else [])
        settled = {name: sign for part in tables.values() for name, sign in settled_of(part).items()}
        return cls(folder, chosen, tables, tuple(remarks), settled)

    def whole(self) -> Reading:
        """All rows as one table."""
        return self._reading(self.tables)

    def blocks(self, config: DataConfig, size: int) -> Iterator[Reading]:
        """The rows in blocks of about ``size`` bytes, with the columns and types that all files together have.

        The origin of each is its file.

        Raises:
            DataError: a file cannot be read, or holds other types than before.
        """
        for file, table in self._scanned(config, size):
            found = self._named({file: table})
            yield Reading(found, Origin(str(file)), self.chosen, self.remarks, settled=self.settled)

    def beginning(self, config: DataConfig, size: int) -> Reading:
        """The first rows, about ``size`` bytes of them, as one table.

        Raises:
            DataError: as in `blocks`.
        """
        tables: dict[Path, pa.Table] = {}
        for file, table in self._scanned(config, size):
            tables[file] = pa.concat_tables([tables[file], table]) if file in tables else table
            if sum(one.nbytes for one in tables.values()) >= size:
                break
        return self._reading(tables)

    def _scanned(self, config: DataConfig, size: int) -> Iterator[tuple[Path, pa.Table]]:
        scan = READERS.get(self.chosen).scan
        assert scan is not None
        joint = pa.unify_schemas([table.schema for table in self.tables.values()], promote_options="permissive")
        for file in self.tables:
            for table in scan(file, config, size):
                try:
                    found = pa.concat_tables([joint.empty_table(), table], promote_options="permissive")
                    yield file, found.cast(joint)
                except pa.ArrowException as error:
                    reason = str(error).splitlines()[0]
                    raise DataError(f"does not go together with the other files: {reason}", file=str(file)) from None

    def _reading(self, tables: Mapping[Path, pa.Table]) -> Reading:
        table = self._named(tables)
        origin = Origin(str(self.folder), tuple((str(file), part.num_rows) for file, part in tables.items()))
        table = table.combine_chunks() if table.nbytes < _SMALL else table
        return Reading(table, origin, self.chosen, self.remarks, settled=self.settled)

    def _named(self, tables: Mapping[Path, pa.Table]) -> pa.Table:
        reader = READERS.get(self.chosen)
        table = pa.concat_tables(tables.values(), promote_options="permissive").replace_schema_metadata()
        return name_files(table, root_of(self.folder), tables, reader) if reader.tabular or reader.labelled else table


def left_out(others: list[str], read: int, reader: str) -> list[str]:
    """A remark about the files of a folder that are of another format than most, or of none that is known."""
    if not others:
        return []
    files = counted(len(others), "other file is", "other files are")
    return [f"{counted(read, 'file is', 'files are')} read as {reader}; {files} left out: {listed(sorted(others))}"]


def together(
    reader: Reader, tables: Mapping[Path, pa.Table], config: DataConfig, alphabet: Name | None
) -> dict[Path, DataError]:
    """What the reader finds wrong with files that are read together."""
    return {} if reader.check is None else reader.check(tables, config, alphabet)


def check_names(table: pa.Table, origin: str | Origin) -> None:
    """Refuse a table with two columns of one name.

    Raises:
        DataError: it has such columns.
    """
    for name, count in Counter(table.column_names).items():
        if count > 1:
            raise DataError("appears twice", file=origin, column=name, hint="rename one of them")


def _read_all(
    files: list[Path],
    read: Callable[[Path, DataConfig], pa.Table],
    reader: Reader,
    config: DataConfig,
    alphabet: Name | None,
) -> tuple[dict[Path, pa.Table], dict[Path, DataError]]:
    """The tables of the ``files`` that can be concatenated, and why the others cannot."""
    tables: dict[Path, pa.Table] = {}
    broken: dict[Path, DataError] = {}
    for file in files:
        try:
            table = read(file, config)
            check_names(table, str(file))
        except DataError as error:
            broken[file] = error
        else:
            tables[file] = table
    if tables:
        broken |= unlike(tables)
        alike = {file: table for file, table in tables.items() if file not in broken}
        broken |= together(reader, alike, config, alphabet)
    return {file: table for file, table in tables.items() if file not in broken}, broken
