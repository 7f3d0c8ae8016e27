"""Word vectors for a given vocabulary, and nearest neighbours of a word. Axes: n vectors of width W."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unrolled.data.vectors.reading import blocks, open_vectors
from unrolled.errors import DataError, UsageError, named

__all__ = ["align", "nearest"]

_SIMILAR_AMONG = 20_000  # words among which "did you mean" looks for a similar one


def align(path: Path | str, words: Sequence[str], *, folded: bool) -> tuple[np.ndarray, np.ndarray]:
    """The vectors in ``path`` for those of ``words`` that have one; memory depends only on the number of words.

    If a word occurs twice in the file, its first vector counts. With ``folded``, a word that the file lacks gets
    the first vector of one that differs only in case: ``paris`` that of ``Paris``, and ``The`` that of ``the``.

    Returns:
        The positions in ``words``, (n,) int64, ascending, and their vectors, (n, W) float32.

    Raises:
        DataError: as for `unrolled.data.vectors.reading.blocks`.
    """
    file, places = open_vectors(path), {word: place for place, word in enumerate(words)}
    found: dict[int, np.ndarray] = {}
    exact: set[int] = set()

    alike: dict[str, list[int]] = {}
    for at, one in enumerate(words if folded else ()):
        alike.setdefault(one.lower(), []).append(at)

    def wanted(word: str) -> bool:
        return word in places or word.lower() in alike

    for some, vectors in blocks(file, wanted):
        for word, vector in zip(some, vectors, strict=True):
            place = places.get(word)
            if place is not None and place not in exact:
                exact.add(place)
                found[place] = vector.copy()  # a view would keep the whole block in memory
            for other in alike.get(word.lower(), ()):
                if other not in found:
                    found[other] = vector.copy()
    kept = sorted(found)
    values = np.stack([found[place] for place in kept]) if kept else np.zeros((0, file.width), np.float32)
    return np.array(kept, np.int64), values


def nearest(path: Path | str, word: str, most: int) -> list[tuple[str, float]]:
    """The ``most`` words with the highest cosine similarity to ``word``, and the cosines. Reads the file twice.

    Raises:
        UsageError: ``most`` is below 1.
        DataError: the word has no vector, or the file does not hold vectors.
    """
    if most < 1:
        raise UsageError(f"{named('most')} must be at least 1, got {most}")
    target = _vector(path, word)
    target /= max(float(np.linalg.norm(target)), 1e-12)
    best: list[tuple[float, str]] = []
    for words, vectors in blocks(open_vectors(path)):
        cosines = vectors.astype(np.float64) @ target / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
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
    raise DataError(
        f"has no vector for {word!r}", file=str(path), hint=f"did you mean {close[0]!r}?" if close else None
    )
