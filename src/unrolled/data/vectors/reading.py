"""Reading word vectors: word2vec text and binary, GloVe, and Unrolled's safetensors. Axes: N vectors of width W.

A file is read in blocks, so that it may be larger than memory. No code in it is run.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np

from unrolled.data.io.mapped import CHUNK, open_regular
from unrolled.errors import DataError

__all__ = ["OURS", "WIDEST", "VectorFile", "blocks", "open_vectors"]

OURS = "unrolled.vectors.1"  # the format in the metadata of a safetensors file
WIDEST = 65_536  # most numbers in a vector
_LIMITS = f"there must be at least one vector, with 1 to {WIDEST} numbers"
_LONGEST_WORD = 4096  # bytes
_LONGEST_NUMBER = 64  # bytes
_ROWS = 1024  # most vectors in a block
_NUMBERS = 1 << 20  # most numbers in a block
_SNIFFED = 4096  # bytes read to tell text from binary
_HEADER = re.compile(rb"\s*(\d+)[ \t]+(\d+)\s*")
_FOREIGN = {
    b"\x1f\x8b": "is compressed with gzip; unpack it first",
    b"PK": "is an archive; unpack it first",
    b"\x80": "is a pickle, which could run code; export it as word2vec text or binary",
    b"\x93NUMPY": "is an array without words",
}

Wanted = Callable[[str], bool]
Block = tuple[list[str], np.ndarray]


@dataclass(frozen=True, slots=True)
class VectorFile:
    """A file of word vectors: its format and size.

    Attributes:
        path: the file.
        form: its format.
        width: W.
        count: N, or ``None`` if it is known only after reading (GloVe).
        start: the byte offset of the first vector.
    """

    path: Path
    form: Literal["text", "glove", "binary", "safetensors"]
    width: int
    count: int | None
    start: int


def open_vectors(path: Path | str) -> VectorFile:
    """Detect the format of the vectors in ``path``, and check its header against its size.

    Raises:
        DataError: the file is missing, in another format, or smaller than its header says.
    """
    path = Path(path)
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(8)
        if path.suffix == ".safetensors":
            return _open_ours(path)
        for magic, what in _FOREIGN.items():
            if head.startswith(magic):
                raise DataError(what, file=str(path))
        file.seek(0)
        line = file.readline(WIDEST * _LONGEST_NUMBER)
        header = _HEADER.fullmatch(line)
        if header is None:
            return _open_glove(path, line)
        if max(map(len, header.groups())) > 18:
            _refuse(path, f"its header announces {_short(line)}, which is too many")
        count, width = (int(number) for number in header.groups())
        if count < 1 or not 1 <= width <= WIDEST:
            _refuse(
                path,
                f"its header announces {count} vectors of {width} numbers; {_LIMITS}",
            )
        start = file.tell()
        binary = _is_binary(file.read(_SNIFFED))
    least = count * (width * (4 if binary else 2) + (2 if binary else 1))
    if least > size - start:
        _refuse(
            path,
            f"its header announces {count} vectors of {width} numbers, which take at least {least} bytes, but only "
            f"{size - start} follow",
        )
    return VectorFile(path, "binary" if binary else "text", width, count, start)


def blocks(file: VectorFile, wanted: Wanted | None = None) -> Iterator[Block]:
    """Iterate over blocks of words and their vectors, (n, W) float32, in order; n is at least 1.

    Args:
        file: the file, from `open_vectors`.
        wanted: which words to return; the others are skipped without parsing their numbers.

    Raises:
        DataError: a line or a number is malformed, or the number of vectors is not the one in the header.
    """
    rows = min(_ROWS, max(1, _NUMBERS // file.width))
    match file.form:
        case "safetensors":
            yield from _ours(file, rows, wanted)
            return
        case "binary":
            found = _binary(file, wanted)
        case _:
            found = _text(file, wanted)
    words: list[str] = []
    values: list[np.ndarray] = []
    for word, vector in found:
        words.append(word)
        values.append(vector)
        if len(words) == rows:
            yield words, np.stack(values)
            words, values = [], []
    if words:
        yield words, np.stack(values)


def _text(file: VectorFile, wanted: Wanted | None) -> Iterator[tuple[str, np.ndarray]]:
    """The lines of word2vec text, or of GloVe, which has no header; words may contain spaces."""
    number, found, longest = int(file.form == "text"), 0, _LONGEST_WORD + file.width * _LONGEST_NUMBER
    with open_regular(file.path) as opened:
        opened.seek(file.start)
        while line := opened.readline(longest + 1):
            number += 1
            if len(line) > longest:
                _refuse(file.path, f"line {number} is too long for a word and {file.width} numbers")
            line = line.rstrip(b" \t\r\n")
            if not line:
                continue
            found += 1
            if file.count is not None and found > file.count:
                _refuse(file.path, f"line {number} is one vector more than the {file.count} in its header")
            name, *numbers = line.rsplit(b" ", file.width)
            if len(numbers) != file.width or not name:
                held = len(line.split()) - 1
                _refuse(file.path, f"line {number} has {held} numbers after its word, expected {file.width}")
            word = _word(name, file.path, f"line {number}")
            if wanted is None or wanted(word):
                yield word, _numbers(numbers, file.path, number)
    if file.count not in (None, found):
        _refuse(file.path, f"ends after {found} vectors, but its header announces {file.count}")


def _binary(file: VectorFile, wanted: Wanted | None) -> Iterator[tuple[str, np.ndarray]]:
    assert file.count is not None
    bytes_, most = 4 * file.width, _LONGEST_WORD + 2
    buffer, at = b"", 0
    with open_regular(file.path) as opened:
        opened.seek(file.start)
        for number in range(1, file.count + 1):
            if len(buffer) - at < most + bytes_:
                buffer, at = buffer[at:] + opened.read(CHUNK + bytes_), 0
            blank = buffer.find(b" ", at, at + most)
            if blank < 0 or len(buffer) - blank - 1 < bytes_:
                why = "has a word without an end" if blank < 0 and len(buffer) - at >= most else "is cut short"
                _refuse(file.path, f"vector {number} of {file.count} {why}")
            word = _word(buffer[at:blank].lstrip(b"\n"), file.path, f"vector {number}")
            at = blank + 1 + bytes_
            if wanted is None or wanted(word):
                vector = np.frombuffer(buffer, "<f4", file.width, blank + 1).astype(np.float32)
                if not np.isfinite(vector).all():
                    _refuse(file.path, f"vector {number}, of {word[:40]!r}, has a number that is not finite")
                yield word, vector
        if (buffer[at:] + opened.read(CHUNK)).strip(b"\n"):
            _refuse(file.path, f"has more data after the {file.count} vectors in its header")


def _ours(file: VectorFile, rows: int, wanted: Wanted | None) -> Iterator[Block]:
    from safetensors import SafetensorError, safe_open

    assert file.count is not None
    try:
        with safe_open(str(file.path), "numpy") as opened:
            words = opened.get_tensor("words").tobytes().decode("utf-8").split("\n")
            if len(words) != file.count or not all(words):
                _refuse(file.path, f"has {file.count} vectors but {sum(map(bool, words))} words")
            values = opened.get_slice("vectors")
            for start in range(0, file.count, rows):
                some = words[start : start + rows]
                use = [place for place, word in enumerate(some) if wanted is None or wanted(word)]
                if use:
                    vectors = np.asarray(values[start : min(start + rows, file.count)])
                    if not np.isfinite(vectors).all():
                        bad = start + int(np.flatnonzero(~np.isfinite(vectors).all(1))[0]) + 1
                        _refuse(file.path, f"vector {bad} has a number that is not finite")
                    yield [some[place] for place in use], vectors[use]
    except UnicodeDecodeError:
        _refuse(file.path, "its words are not UTF-8")
    except (SafetensorError, OSError) as error:
        _refuse(file.path, f"is damaged: {error}")


def _open_ours(path: Path) -> VectorFile:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "numpy") as opened:  # checks every declared size
            metadata, names = opened.metadata() or {}, sorted(opened.keys())
            if metadata.get("format") != OURS or names != ["vectors", "words"]:
                _refuse(path, f"does not have the tensors 'vectors' and 'words' of the format {OURS}")
            (vectors, words) = (opened.get_slice(name) for name in names)
            shape, of_words = vectors.get_shape(), words.get_shape()
            if vectors.get_dtype() != "F32" or words.get_dtype() != "U8" or len(shape) != 2 or len(of_words) != 1:
                _refuse(path, "its vectors must be a table of float32, and its words bytes")
    except (SafetensorError, OSError, ValueError) as error:
        _refuse(path, f"is not a safetensors file, or is damaged: {error}")
    count, width = shape
    if count < 1 or not 1 <= width <= WIDEST:
        _refuse(path, f"has {count} vectors of {width} numbers; {_LIMITS}")
    return VectorFile(path, "safetensors", width, count, 0)


def _open_glove(path: Path, line: bytes) -> VectorFile:
    fields = line.rstrip(b" \t\r\n").split(b" ")
    width = len(fields) - 1
    if not line.endswith(b"\n") and len(line) >= WIDEST * _LONGEST_NUMBER:
        _refuse(path, "line 1 is too long for a word and its numbers")
    if not 2 <= width <= WIDEST:
        what = "a word2vec header (number of vectors and width) nor a word and its numbers (GloVe)"
        _refuse(path, f"line 1, {_short(line)}, is neither {what}")
    _numbers(fields[1:], path, 1)
    return VectorFile(path, "glove", width, None, 0)


def _is_binary(sample: bytes) -> bool:
    """Whether the sample is not text: it has control characters, or is not UTF-8."""
    if re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", sample):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # accepts a character cut off at the end of the sample
    except UnicodeDecodeError:
        return True
    return False


def _word(raw: bytes, path: Path, place: str) -> str:
    if not raw or len(raw) > _LONGEST_WORD:
        _refuse(path, f"{place} has {'no word' if not raw else f'a word of {len(raw)} bytes'}")
    try:
        word = raw.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(path, f"{place}: its word, {_short(raw)}, is not UTF-8")
    if "\n" in word:
        _refuse(path, f"{place}: its word, {_short(raw)}, contains a line break")
    return word


def _numbers(fields: list[bytes], path: Path, line: int) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):
            vector = np.array([float(field) for field in fields], np.float32)
    except ValueError:
        wrong = next(field for field in fields if not _is_number(field))
        _refuse(path, f"line {line}: {_short(wrong)} is not a number")
    if not np.isfinite(vector).all():
        wrong = fields[int(np.flatnonzero(~np.isfinite(vector))[0])]
        _refuse(path, f"line {line}: {_short(wrong)} is not a finite number")
    return vector


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _short(raw: bytes) -> str:
    return repr(raw[:40].decode("utf-8", "replace").rstrip("\r\n"))


def _refuse(path: Path, why: str) -> NoReturn:
    raise DataError(why, file=str(path))
