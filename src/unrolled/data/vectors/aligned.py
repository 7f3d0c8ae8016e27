"""Word vectors for the words of a vocabulary, and the words that are nearest to one. Axes: N vectors, W wide."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unrolled.data.vectors.reading import blocks, open_vectors
from unrolled.errors import DataError, UsageError

__all__ = ["align", "nearest"]

_SIMILAR_AMONG = 20_000  # words that a misspelt one is compared with


def align(path: Path | str, words: Sequence[str], *, lowered: bool) -> tuple[np.ndarray, np.ndarray]:
    """The vectors in ``path`` of those ``words`` that have one; memory grows with the words alone.

    A word that stands in the file twice has its first vector. Where the words are ``lowered``, one that the file has
    with capitals only has the vector of that: of ``Paris`` for ``paris``.

    Returns:
        the places in ``words`` (n,) int64, ascending, and their vectors (n, W) float32.

    Raises:
        DataError: as `unrolled.data.vectors.reading.blocks`.
    """
    file, places = open_vectors(path), {word: place for place, word in enumerate(words)}
    found: dict[int, np.ndarray] = {}
    exact: set[int] = set()

    def wanted(word: str) -> bool:
        return word in places or (lowered and word.lower() in places)

    for some, vectors in blocks(file, wanted):
        for word, vector in zip(some, vectors, strict=True):
            place = places.get(word)
            if place is not None and place not in exact:
                exact.add(place)
                found[place] = vector.copy()  # else the whole block stays in memory
            elif place is None:
                found.setdefault(places[word.lower()], vector.copy())
    kept = sorted(found)
    values = np.stack([found[place] for place in kept]) if kept else np.zeros((0, file.width), np.float32)
    return np.array(kept, np.int64), values


def nearest(path: Path | str, word: str, most: int) -> list[tuple[str, float]]:
    """The ``most`` words whose vectors point the same way as that of ``word``, and the cosines; the file is read twice.

    Raises:
        UsageError: ``most`` is below 1.
        DataError: the word has no vector, or the file is not one of vectors.
    """
    if most < 1:
        raise UsageError(f"--most must be at least 1, got {most}")
    asked = _vector(path, word)
    asked /= max(float(np.linalg.norm(asked)), 1e-12)
    best: list[tuple[float, str]] = []
    for words, vectors in blocks(open_vectors(path)):
        cosines = vectors.astype(np.float64) @ asked / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
        some = [(float(cosine), name) for cosine, name in zip(cosines, words, strict=True) if name != word]
        best = sorted([*best, *some], key=lambda one: -one[0])[:most]
    return [(name, cosine) for cosine, name in best]


def _vector(path: Path | str, word: str) -> np.ndarray:
    lowered = word.lower()
    known: list[str] = []
    for words, vectors in blocks(open_vectors(path)):
        if word in words:
            return vectors[words.index(word)].astype(np.float64)
        known += words[: _SIMILAR_AMONG - len(known)]
    close = difflib.get_close_matches(lowered, known, n=1)
    raise DataError(f"holds no word {word!r}", file=str(path), hint=f"did you mean {close[0]!r}?" if close else None)
