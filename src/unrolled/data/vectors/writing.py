"""Writing word vectors to a file, in the format of its suffix. Axes: N vectors of width W."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from unrolled.data.vectors.reading import OURS, blocks, open_vectors
from unrolled.errors import DataError, UsageError
from unrolled.storage.directories import write_file

__all__ = ["convert", "form_of", "write_vectors"]

_FORMS = {".safetensors": "safetensors", ".txt": "text", ".vec": "text", ".bin": "binary"}


def form_of(path: Path) -> str:
    """The format in which a file of this name is written.

    Raises:
        UsageError: its suffix is not one of a vectors file.

    Example:
        >>> form_of(Path("english.vec"))
        'text'
    """
    if path.suffix not in _FORMS:
        known = ".safetensors, .txt or .vec (word2vec text), or .bin (word2vec binary)"
        raise UsageError(f"{path}: the name of a vectors file must end in {known}")
    return _FORMS[path.suffix]


def write_vectors(path: Path, words: Sequence[str], width: int, values: Callable[[], Iterable[np.ndarray]]) -> None:
    """Write ``words`` and their vectors to a file; if that fails, no file is left.

    Args:
        path: the file; its suffix selects the format.
        words: N distinct words, without line breaks.
        width: W.
        values: returns the vectors in blocks of (n, W) float32, N in all.

    Raises:
        UsageError: the suffix is not one of a vectors file.
        DataError: a word cannot be written in this format.
        SpaceError: the disk is full, or the file may not be written.
    """
    match form_of(path):
        case "safetensors":
            write_file(path, _ours(words, width, values()))
        case "text":
            write_file(path, _text(words, width, values()))
        case _:
            for word in words:
                if " " in word:
                    raise DataError(f"the word {word!r} has a space, which ends a word in this format", file=str(path))
            write_file(path, _binary(words, width, values()))


def convert(source: Path, out: Path) -> tuple[int, int]:
    """Convert the vectors in ``source`` to the file ``out``; if a word occurs twice, its first vector counts.

    The file is read twice, so that only its words are in memory.

    Returns:
        N and W.

    Raises:
        DataError, UsageError, SpaceError: as for `blocks` and `write_vectors`.
    """
    form_of(out)
    if source.resolve() == out.resolve():
        raise UsageError(f"{out} is the input file; choose another name")
    file = open_vectors(source)
    words = list(dict.fromkeys(word for some, _ in blocks(file) for word in some))

    def values() -> Iterator[np.ndarray]:
        left = set(words)
        for some, vectors in blocks(file):
            first = []
            for place, word in enumerate(some):
                if word in left:
                    left.remove(word)
                    first.append(place)
            yield vectors[first]

    write_vectors(out, words, file.width, values)
    return len(words), file.width


def _ours(words: Sequence[str], width: int, values: Iterable[np.ndarray]) -> Iterator[bytes]:
    joined, size = "\n".join(words).encode("utf-8"), 4 * len(words) * width
    header = json.dumps(
        {
            "__metadata__": {"format": OURS},
            "vectors": {"dtype": "F32", "shape": [len(words), width], "data_offsets": [0, size]},
            "words": {"dtype": "U8", "shape": [len(joined)], "data_offsets": [size, size + len(joined)]},
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    yield len(header).to_bytes(8, "little") + header
    yield from (block.astype("<f4").tobytes() for block in values)
    yield joined


def _text(words: Sequence[str], width: int, values: Iterable[np.ndarray]) -> Iterator[bytes]:
    yield f"{len(words)} {width}\n".encode()
    names = iter(words)
    for block in values:
        yield "".join(f"{next(names)} {' '.join(map(str, vector))}\n" for vector in block).encode("utf-8")


def _binary(words: Sequence[str], width: int, values: Iterable[np.ndarray]) -> Iterator[bytes]:
    yield f"{len(words)} {width}\n".encode()
    names = iter(words)
    for block in values:
        yield b"".join(f"{next(names)} ".encode() + vector.astype("<f4").tobytes() + b"\n" for vector in block)
