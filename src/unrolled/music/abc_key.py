"""Key signatures of ABC: a tonic, a mode, and explicit accidentals."""

from __future__ import annotations

import re

__all__ = ["ACCIDENTALS", "signature"]

_SHARPS = "FCGDAEB"  # the order in which sharps are added; flats are added from the end
_MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_OWN = re.compile(r"(\^\^?|__?|=)([A-Ga-g])(?![A-Za-z])")
_BAGPIPES = {"HP": 0, "Hp": 2}
ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}


def signature(text: str) -> dict[str, int]:
    """Parse a key signature: letter -> the semitones by which it is raised.

    An empty text, ``none`` or a clef without a key means no accidentals. Only the first three letters of a mode count,
    in upper or lower case. Any other word, such as ``bass``, belongs to the clef.

    Raises:
        ValueError: ``text`` is not a key.

    References:
        The ABC music standard 2.1, section 3.1.14, https://abcnotation.com/wiki/abc:standard:v2.1

    Example:
        >>> signature("D Mixolydian"), signature("Gm"), signature("D exp ^c")
        ({'F': 1}, {'B': -1, 'E': -1}, {'C': 1})
    """
    text = text.strip()
    if text[:2] in _BAGPIPES:
        return _fifths(_BAGPIPES[text[:2]])
    key = _KEY.match(text)
    raised: dict[str, int] = {}
    if key:
        mode = key[3][:3].lower()
        shift = _MODES.get("min" if mode == "m" else mode, 0)
        explicit = re.search(r"\bexp\b", text) is not None
        raised = {} if explicit else _fifths(_SHARPS.index(key[1]) - 1 + {"#": 7, "b": -7, "": 0}[key[2]] + shift)
    elif text and not re.match(r"none\b|[a-z]+\d*(=|$|\s)|[\^_=]", text):
        raise ValueError(f"K:{text[:20]} is not a key")
    for own in _OWN.finditer(text):
        raised[own[2].upper()] = ACCIDENTALS[own[1]]
    return raised


def _fifths(count: int) -> dict[str, int]:
    """The accidentals ``count`` steps up the circle of fifths from C; down if negative."""
    letters = _SHARPS if count >= 0 else _SHARPS[::-1]
    sign = 1 if count >= 0 else -1
    return {
        letter: sign * ((abs(count) + 6 - place) // 7) for place, letter in enumerate(letters) if abs(count) > place
    }
