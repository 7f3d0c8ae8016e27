"""Predictions for many files: a part for each, written whole or not at all, so that any process may be killed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from unrolled.data.io.folder import root_of
from unrolled.data.io.remote import near
from unrolled.errors import DataError, UsageError
from unrolled.runs.shards import Shard, sizes_of
from unrolled.runs.streamed import predicted
from unrolled.runs.trained import Trained
from unrolled.storage.directories import MANIFEST, write_file

__all__ = ["Counted", "Parts", "as_parquet", "identity", "predict_parts"]

_MADE_OF = b"unrolled"  # in the metadata of a part: the model and the file that it was made of
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What was done.

    Attributes:
        rows: predicted now.
        written: parts that were written.
        kept: parts that were there already.
    """

    rows: int
    written: int
    kept: int


def predict_parts(
    trained: Trained,
    source: str | Path,
    out: Path,
    shard: Shard | None = None,
    *,
    beam: int | None = None,
    fitted: bool = False,
    device: str = "auto",
) -> Parts:
    """Write the predictions for each file of this shard to ``part-<name>.parquet`` below ``out``.

    A part of the same model, options and file is kept, so the same call again finishes what was stopped. A file that
    cannot be read does not stop the others.

    Args:
        trained: the model, from its run directory.
        source: a file or a folder of tables, or its address.
        out: the folder; a file below a folder of ``source`` has its part in the folder of the same name.
        shard: which files; by default all.
        beam, fitted, device: as for `Trained.predict`.

    Raises:
        DataError: a file could not be read; those that could have their parts.
        UsageError, SpaceError: as in `Trained.predict` and `write_file`.
    """
    with near(source) as here:
        place = Path(here.source)
        root, sizes = root_of(place), sizes_of(place, trained.config.data)
    asked = {**identity(trained), "beam": beam, "fitted": fitted}
    rows, written, kept, faults = 0, 0, 0, list[DataError]()
    for name in (shard or Shard()).of(sizes):
        file, part = root / name, _part(out, name)
        made_of = {**asked, "file": name, "size": sizes[name], "changed": file.stat().st_mtime_ns}
        if _made_of(part) == made_of:
            kept += 1
            continue
        try:
            counted = Counted(predicted(trained, str(file), beam=beam, fitted=fitted, device=device))
            write_file(part, as_parquet(counted, made_of))
        except DataError as error:
            _log.warning("left out: %s", here.text(str(error)))
            faults.append(error)
        else:
            rows, written = rows + counted.rows, written + 1
    if faults:
        first = here.error(faults[0])
        said = f"{len(faults)} files could not be read; the first: {first}"
        raise first if len(faults) == 1 else DataError(said, file=str(source))
    return Parts(rows, written, kept)


def identity(trained: Trained) -> dict[str, Any]:
    """What tells a model apart from others: the hash of its weights.

    Raises:
        UsageError: it has no finished run directory.
    """
    try:
        manifest = json.loads(((trained.folder or Path()) / MANIFEST).read_bytes())
        return {"model": manifest["files"]["model.safetensors"]["sha256"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{trained.folder} is not a finished run: resume its training first") from None


def as_parquet(tables: Iterable[pa.Table], made_of: Mapping[str, Any] | None = None) -> Iterator[bytes]:
    """``tables``, all with the same columns, as the bytes of a Parquet file, piece by piece."""
    held: list[bytes] = []
    sink, writer = pa.PythonFile(_Sink(held), "w"), None
    for table in tables:
        if writer is None:
            metadata = {
                **(table.schema.metadata or {}),
                **({_MADE_OF: json.dumps(made_of).encode()} if made_of else {}),
            }
            writer = pq.ParquetWriter(sink, table.schema.with_metadata(metadata))
        writer.write_table(table.replace_schema_metadata(writer.schema.metadata))
        yield b"".join(held)
        held.clear()
    if writer is not None:
        writer.close()
    yield b"".join(held)


class Counted:
    """Tables, one after the other.

    Attributes:
        rows: how many rows those have that were asked for so far.
    """

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._tables, self.rows = tables, 0

    def __iter__(self) -> Iterator[pa.Table]:
        for table in self._tables:
            self.rows += table.num_rows
            yield table


class _Sink:
    """What a writer writes to: the pieces are kept for who takes them."""

    closed = False

    def __init__(self, held: list[bytes]) -> None:
        self._held, self._size = held, 0

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing waits here."""

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """The pieces stay."""


def _part(out: Path, name: str) -> Path:
    below = Path(name)
    return out / below.parent / f"part-{below.name}.parquet"


def _made_of(part: Path) -> Any:
    """What a part says that it was made of; ``None`` if there is no whole part."""
    try:
        return json.loads((pq.read_schema(part).metadata or {})[_MADE_OF])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None
