"""FASTA and FASTQ: a row for each record, with its name, file and sequence and, for FASTQ, the quality of each letter.

The name identifies a record and the file often gives its class, so a model reads neither unless it is chosen: with the
target ``file``, a folder's file names become the labels.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.encodings._alphabets import (
    ALPHABETS,
    FOREIGN,
    Name,
    count_bytes,
    first_foreign,
    foreign_letter,
    letter_ids,
    told,
)
from unrolled.data.encodings._pieces import pieces
from unrolled.data.encodings.encoding import Where
from unrolled.data.io.unpacking import Beginning, contents, plain_name
from unrolled.data.io.utf8 import to_utf8
from unrolled.data.readers._shapes import first_lines
from unrolled.data.readers.reader import REMARK, Reader, ending_of
from unrolled.errors import DataError, MissingExtra

__all__ = ["check_letters", "read_fasta"]

_FASTA = (".fa", ".fasta", ".fna", ".ffn", ".faa", ".frn")
_FASTQ = (".fq", ".fastq")
_PLAIN = (*_FASTA, *_FASTQ)
_SUFFIXES = tuple(suffix + packed for suffix in _PLAIN for packed in ("", ".gz"))
_RECORD = re.compile(  # a header, then lines of letters only: mostly capitals, or those of DNA
    r"(;[^\n]*\n)?>[^\n]*\n+(?=[A-Za-z*.-]{8})([ACGTUNacgtun]+|[A-Z*.-]+)\s*(\n|$)"
    r"|@[^\n]*\n(?P<read>[A-Za-z.*-]+)\n\+[^\n]*\n[!-~]+(\n|$)"
)

_KIND = "symbols"  # the kind of the sequences, unless the user sets another
_PHRED = 33  # the character of quality 0; the last printable character, ~, is 93
_BEST = 93
_OLD_SCALE = (
    "the qualities look like those of Illumina 1.3 to 1.7, which are 31 higher than they should be: "
    "they are read as they are, so convert the file first"
)


def read_fasta(path: Path, config: DataConfig) -> pa.Table:
    """A row for each record: ``name`` (the header), ``file`` (without suffix), ``sequence`` and FASTQ's ``quality``.

    The lines of a sequence are joined; blank lines and, in FASTA, lines that start with ``#`` are skipped. Qualities
    are Phred scores: −10 log₁₀ of the probability that the letter is wrong. `check_letters` checks the letters.

    Raises:
        DataError: the file is missing, empty, damaged, unpacks to too much, or a byte is not in
            ``config.text_encoding``.
        MissingExtra: dnaio is not installed.
    """
    if importlib.util.find_spec("dnaio") is None:
        raise MissingExtra("dnaio", "bio", "FASTA")
    name = plain_name(path)
    data = to_utf8(contents(path), config.text_encoding, str(path))
    scored = bytes(data[: min(1, data.size)]) == b"@" or ending_of(path, config, _PLAIN) in _FASTQ
    names, sequences, qualities = _records(data, "fastq" if scored else "fasta", str(path))
    columns = [
        _aside("name", names, "names the record"),
        _aside("file", [PurePath(name).stem] * len(names), "names the file the record is from"),
        (pa.field("sequence", pa.large_string(), metadata={"kind": _KIND}), pa.array(sequences, pa.large_string())),
    ]
    if scored:
        scores = _scores(qualities, str(path))
        columns.append((pa.field("quality", scores.type), scores))
    said = {REMARK: _OLD_SCALE} if scored and _is_old_scale(qualities) else None
    return pa.table([array for _, array in columns], schema=pa.schema([field for field, _ in columns], said))


def check_letters(
    tables: Mapping[Path, pa.Table], config: DataConfig, alphabet: Name | None = None
) -> dict[Path, DataError]:
    """Errors for the ``tables`` that are read as symbols and have a letter outside their alphabet: file -> error.

    Args:
        tables: the table that `read_fasta` made of each file.
        config: how they are read.
        alphabet: the alphabet; ``None`` infers it from all letters together.
    """
    if config.kinds.get("sequence", _KIND) != _KIND or "sequence" in config.ignore:
        return {}
    counts = {file: count_bytes(p.texts for p in pieces(table.column("sequence"))) for file, table in tables.items()}
    alphabet = alphabet or told(np.sum(list(counts.values()), 0))
    foreign, found = letter_ids(ALPHABETS[alphabet]) == FOREIGN, {}
    for file, table in tables.items():
        fault = first_foreign(table.column("sequence"), alphabet) if counts[file][foreign].any() else None
        if fault is not None:
            row, place, letter = fault
            of = f" of {table.column('name')[row].as_py()[:40]!r}"
            found[file] = foreign_letter(place, letter, of, alphabet, Where(str(file), "sequence"), row + 1)
    return found


def _records(data: pa.Buffer, form: str, origin: str) -> tuple[list[str], list[str], list[str]]:
    import dnaio

    names, sequences, qualities = [], [], []
    try:
        with dnaio.open(pa.BufferReader(data), fileformat=form) as records:
            for record in records:
                names.append(record.name.strip())
                sequences.append(record.sequence)
                qualities.append(record.qualities or "")
    except dnaio.FileFormatError as error:
        line = f", line {error.line + 1}" if error.line is not None else ""
        reason = " ".join(error.message.split())[:200].rstrip(".")
        raise DataError(f"is not {form.upper()}: {reason}{line}", file=origin, row=len(names) + 1) from None
    if not names:
        raise DataError("has no records", file=origin)
    return names, sequences, qualities


def _aside(name: str, texts: list[str], why: str) -> tuple[pa.Field, pa.Array]:
    return pa.field(name, pa.large_string(), metadata={"aside": why}), pa.array(texts, pa.large_string())


def _is_old_scale(qualities: Iterable[str]) -> bool:
    """Whether the qualities look like those of files from before 2011, which count from ``@`` instead of ``!``."""
    found = set().union(*qualities)
    return bool(found) and min(found) >= ";" and "J" < max(found) <= "i"


def _scores(qualities: Iterable[str], origin: str) -> pa.Array:
    texts = list(qualities)
    lengths = np.array([len(text) for text in texts], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.frombuffer("".join(texts).encode("ascii"), np.uint8).astype(np.int16) - _PHRED
    odd = (values < 0) | (values > _BEST)
    if odd.any():
        at = int(np.argmax(odd))
        row = int(np.searchsorted(offsets, at, side="right")) - 1
        message = f"place {at - int(offsets[row]) + 1}: {texts[row][at - int(offsets[row])]!r} is not a quality"
        raise DataError(
            message, file=origin, row=row + 1, column="quality", hint="qualities are characters from ! to ~"
        )
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values.astype(np.uint8)))


def _recognises(beginning: Beginning) -> int:
    lines = [line for line in first_lines(beginning)[:20] if line.strip()]
    return 90 if _RECORD.match("\n".join(lines)) else 0


MEMBER = Reader(_SUFFIXES, read_fasta, check=check_letters, recognises=_recognises)
