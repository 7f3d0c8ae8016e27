"""Word vectors into a file, in the form that its name's ending asks for. Axes: N vectors, W wide."""

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
    """What a file of this name is written as.

    Raises:
        UsageError: its ending says nothing.

    Example:
        >>> form_of(Path("english.vec"))
        'text'
    """
    if path.suffix not in _FORMS:
        known = ".safetensors, .txt or .vec (word2vec's text), .bin (word2vec's binary)"
        raise UsageError(f"{path}: vectors are written to a name that ends in {known}")
    return _FORMS[path.suffix]


def write_vectors(path: Path, words: Sequence[str], width: int, values: Callable[[], Iterable[np.ndarray]]) -> None:
    """Write ``words`` and their vectors, all or nothing.

    Args:
        path: where to; its ending says how.
        words: N, each another; without line breaks.
        width: W.
        values: gives the vectors, (n, W) float32 a block, N in all.

    Raises:
        UsageError: the ending says nothing.
        DataError: a word cannot be written in this form.
        SpaceError: it does not fit, or may not be written.
    """
    match form_of(path):
        case "safetensors":
            write_file(path, _ours(words, width, values()))
        case "text":
            write_file(path, _text(words, width, values()))
        case _:
            for word in words:
                if " " in word:
                    raise DataError(f"the word {word!r} holds a blank, which ends a word in this form", file=str(path))
            write_file(path, _binary(words, width, values()))


def convert(source: Path, out: Path) -> tuple[int, int]:
    """Write the vectors of ``source`` to ``out``; of a word that stands there twice, the first.

    The file is read twice, so that no more than its words are in memory.

    Returns:
        N and W.

    Raises:
        DataError, UsageError, SpaceError: as `blocks` and `write_vectors`.
    """
    form_of(out)
    if source.resolve() == out.resolve():
        raise UsageError(f"{out} is the file that is to be read: choose another name")
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
