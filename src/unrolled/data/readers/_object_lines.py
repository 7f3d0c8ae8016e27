"""Lines that are each one JSON object, seen in all lines at once: what Arrow's parser needs to be safe.

Arrow dies of a line that is not an object and of deep nesting, and takes two objects on a line for two rows and one
object over two lines for one. Brackets outside of strings show all of that. Whether the inside of an object is JSON,
Arrow's parser says itself.
"""

from __future__ import annotations

import numpy as np

__all__ = ["DEEPEST", "each_is_an_object"]

DEEPEST = 64
_PLAIN, _BAD, _LINE, _QUOTE, _SLASH, _OPEN, _CLOSE, _WORD = range(8)
_CODES = np.zeros(256, np.uint8)
_CODES[:32] = _BAD  # a zero byte would end the file
_CODES[[9, 13]] = _PLAIN
for _letters, _code in (("\n", _LINE), ('"', _QUOTE), ("\\", _SLASH), ("{[", _OPEN), ("}]", _CLOSE), ("IN", _WORD)):
    _CODES[[ord(letter) for letter in _letters]] = _code


def each_is_an_object(block: np.ndarray, ends: np.ndarray) -> bool:
    """Whether each line that is not empty is surely one object, of at most `DEEPEST` levels, in UTF-8.

    A line that begins or ends with blanks is one of those of which that is not sure.

    Args:
        block: whole lines.
        ends: where each of them ends, after its line feed.

    Shape:
        block (N,) uint8, ends (lines,) int64.

    Cost: about 3 ns a byte.
    """
    codes = _CODES[block]
    at = np.flatnonzero(codes)
    codes = codes[at]
    if (codes == _BAD).any() or not _is_utf8(block):
        return False
    quotes = codes == _QUOTE
    quotes[quotes] = ~_escaped(at[quotes], at[codes == _SLASH])
    outside = np.cumsum(quotes) % 2 == 0
    if not outside[codes == _LINE].all() or not outside[-1:].all():
        return False
    opens, closes = (codes == _OPEN) & outside, (codes == _CLOSE) & outside
    depth = np.cumsum(opens.astype(np.int64) - closes)
    if depth[-1:].any() or depth[codes == _LINE].any() or depth.min(initial=0) < 0 or depth.max(initial=0) > DEEPEST:
        return False
    if _has_other_words(block, at[(codes == _WORD) & outside]):
        return False
    return _framed(block, ends) == int((opens & (depth == 1)).sum())


def _is_utf8(block: np.ndarray) -> bool:
    try:
        str(block.data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _escaped(quotes: np.ndarray, slashes: np.ndarray) -> np.ndarray:
    """(Q,) bool: which quotes follow an odd number of backslashes; both are places, in order."""
    if not len(slashes):
        return np.zeros(len(quotes), bool)
    begins = np.flatnonzero(np.diff(slashes, prepend=slashes[0] - 2) != 1)  # of runs of backslashes
    lengths = np.diff(begins, append=len(slashes))
    after = slashes[begins] + lengths
    run = np.minimum(np.searchsorted(after, quotes), len(after) - 1)
    return (after[run] == quotes) & (lengths[run] % 2 == 1)


def _has_other_words(block: np.ndarray, at: np.ndarray) -> bool:
    """Whether one of the letters I and N may begin what only Arrow takes for a number: Inf, -NaN; also Infinity."""
    return bool((block[at] == ord("I")).any() or (block[at - 1] == ord("-")).any())


def _framed(block: np.ndarray, ends: np.ndarray) -> int:
    """How many lines begin with { and end with }; -1 if another line is not empty."""
    begins = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    stops = ends - (block[ends - 1] == ord("\n"))
    some = stops > begins
    begins, stops = begins[some], stops[some]
    stops = stops - (block[stops - 1] == ord("\r"))
    framed = (block[begins] == ord("{")) & (block[stops - 1] == ord("}"))
    return len(begins) if framed.all() else -1
