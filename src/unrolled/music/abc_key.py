"""Key signatures of ABC: a tonic, a mode, and explicit accidentals."""

from __future__ import annotations

import re

__all__ = ["ACCIDENTALS", "shift_of", "signature"]

_SHARPS = "FCGDAEB"  # the order in which sharps are added; flats are added from the end
_MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "min": -3, "aeo": -3, "phr": -4, "loc": -5, "lyd": 1}
_KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)")
_OWN = re.compile(r"(\^\^?|__?|=)([A-Ga-g])(?![A-Za-z])")
_CLEF = re.compile(r"(?:^|[\s=\"])(?:treble|alto|tenor|bass|perc|none|[GCF])[1-5]?(?P<eight>[-+^_]8)?(?=[\s\"]|$)")
_OCTAVE = re.compile(r"\boctave=([-+]?\d)(?!\d)")
_TRANSPOSE = re.compile(r"\btranspose=([-+]?\d{1,2})(?!\d)")
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


def shift_of(text: str) -> int | None:
    """The semitones by which a clef and its properties move the notes; ``None`` if the text says nothing of them.

    It is a ``K:`` or ``V:`` field: ``octave=`` counts octaves, ``transpose=`` semitones, and a clef may end in ``+8``
    or ``-8``.

    References:
        The ABC music standard 2.1, section 4.6, https://abcnotation.com/wiki/abc:standard:v2.1

    Example:
        >>> shift_of("G clef=treble-8"), shift_of("C octave=1 transpose=-2"), shift_of("D dorian")
        (-12, 10, None)
    """
    clef, octave, transpose = (known.search(text) for known in (_CLEF, _OCTAVE, _TRANSPOSE))
    if clef is not None and clef.start() == 0 and len(clef[0]) == 1:  # K:G is a key, and not the clef of that name
        clef = _CLEF.search(text, 1)
    if clef is None and octave is None and transpose is None:
        return None
    eight = clef["eight"] if clef is not None else None
    shift = 0 if eight is None else 12 if eight[0] in "+^" else -12
    return shift + (12 * int(octave[1]) if octave else 0) + (int(transpose[1]) if transpose else 0)


def _fifths(count: int) -> dict[str, int]:
    """The accidentals ``count`` steps up the circle of fifths from C; down if negative."""
    letters = _SHARPS if count >= 0 else _SHARPS[::-1]
    sign = 1 if count >= 0 else -1
    return {
        letter: sign * ((abs(count) + 6 - place) // 7) for place, letter in enumerate(letters) if abs(count) > place
    }
