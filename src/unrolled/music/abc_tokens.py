"""The tokens of ABC music: one regular expression, and parsers for the numbers in them."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

__all__ = [
    "ONE",
    "PITCHES",
    "TOKENS",
    "duration",
    "endings_of",
    "metre_of",
    "tempo_of",
    "times",
    "tuplet_of",
    "unit_of",
]

ONE = Fraction(1)

_LENGTH = r"\d{0,3}/{0,5}\d{0,3}"  # longer numbers do not occur in music
TOKENS = re.compile(
    rf"""
      (?P<blank>    [ \t`\\]+ | y\d* )
    | (?P<quoted>   "[^"]*" )
    | (?P<tie>      - )
    | (?P<mark>     ![^!|\s]+! | \+[^+|\s]+\+ | [~.HJKLMOPRSTUVkuv*$!;?@] )
    | (?P<grace>    \{{[^{{}}]*\}} )
    | (?P<field>    \[[A-Za-z]:[^\]\[]*\] )
    | (?P<tuplet>   \((?P<p>\d)(?::(?P<q>\d?))?(?::(?P<r>\d?))? )
    | (?P<slur>     [()] )
    | (?P<line>     (?: \[\|[|\]:]* | :*\|[|\]:]* | ::+ ) (?P<times>\d[\d,.-]*)? )
    | (?P<ending>   \[(?P<numbers>\d[\d,.-]*) )
    | (?P<chord>    \[(?P<inner>[^\]\[|]*)\] (?P<chord_length>{_LENGTH}) )
    | (?P<note>     (?:\^\^?|__?|=)? [A-Ga-g] [,']* {_LENGTH} )
    | (?P<microtone> [\^_]\d?/\d? [A-Ga-g] [,']* {_LENGTH} )
    | (?P<rest>     [zx] (?P<rest_length>{_LENGTH}) )
    | (?P<bars>     [ZX]\d* )
    | (?P<broken>   >+ | <+ )
    | (?P<overlay>  & )
    """,
    re.VERBOSE,
)
"""Matches the next token; ``lastgroup`` is its kind."""

PITCHES = re.compile(rf"(?P<sign>\^\^?|__?|=)?(?P<letter>[A-Ga-gzx])(?P<octave>[,']*)(?P<length>{_LENGTH})(?P<tied>-?)")
"""Matches a note or a rest, single or in a chord."""

_TUPLET_TIMES = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}


def times(a: Fraction, b: Fraction) -> Fraction:
    """The product a · b; most factors are `ONE`."""
    return b if a is ONE else a if b is ONE else a * b


@lru_cache(1024)  # a tune has few lengths
def duration(text: str) -> Fraction:
    """Parse a length (``3``, ``3/2``, ``/2``, ``/``, ``//``) as a multiple of the unit; 0 if it is not a length.

    Example:
        >>> [str(duration(text)) for text in ("", "3", "3/2", "/", "//", "/0")]
        ['1', '3', '3/2', '1/2', '1/4', '0']
    """
    if not text:
        return ONE
    over, _, rest = text.partition("/")
    under = rest.lstrip("/")
    bottom = int(under) if under else 2 ** text.count("/")
    return Fraction(int(over or 1), bottom) if bottom else Fraction(0)


def tuplet_of(token: re.Match[str], compound: bool) -> tuple[Fraction, int] | None:
    """Parse ``(p:q:r`` into the factor and the number of the next notes; ``None`` if it is not a tuplet."""
    p = int(token["p"])
    q = int(token["q"] or _TUPLET_TIMES.get(p, 3 if compound else 2))
    return (Fraction(q, p), int(token["r"] or p)) if p and q else None


def endings_of(text: str | None) -> tuple[int, ...]:
    """Parse the numbers of an ending (``1``, ``1,3``, ``1-3``): the passes on which it is played.

    Example:
        >>> endings_of("1,3-5"), endings_of(None)
        ((1, 3, 4, 5), ())
    """
    found: set[int] = set()
    for first, last in re.findall(r"(\d)(?:-(\d))?", text or ""):
        found |= set(range(int(first), int(last or first) + 1))
    return tuple(sorted(found))


def metre_of(text: str) -> tuple[int, int] | None:
    """Parse a metre into (beats, note value of a beat); ``None`` for free time.

    Raises:
        ValueError: ``text`` is not a metre.

    Example:
        >>> metre_of("6/8"), metre_of("C|"), metre_of("2+3/8"), metre_of("none")
        ((6, 8), (2, 2), (5, 8), None)
    """
    text = {"C": "4/4", "C|": "2/2", "none": ""}.get(text.strip(), text.strip())
    if not text:
        return None
    parts = re.fullmatch(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3}){0,20})\)?\s*/\s*(\d{1,3})", text)
    beats = sum(int(beat) for beat in parts[1].split("+")) if parts else 0
    if parts is None or not beats or not int(parts[2]):
        raise ValueError(f"M:{text[:20]} is not a metre")
    return beats, int(parts[2])


def unit_of(text: str) -> Fraction:
    """Parse a unit length such as ``1/8``.

    Raises:
        ValueError: ``text`` is not a length.
    """
    parts = re.fullmatch(r"(\d{1,3})(?:/(\d{1,3}))?", text.strip())
    if not parts or not int(parts[1]) or not int(parts[2] or 1):
        raise ValueError(f"L:{text.strip()[:20]} is not a length")
    return Fraction(int(parts[1]), int(parts[2] or 1))


def tempo_of(text: str, unit: Fraction) -> Fraction | None:
    """Parse a tempo (``1/4=120``, ``120`` units, ``"Allegro" 3/8=80``) as whole notes per minute; ``None`` if absent.

    Example:
        >>> tempo_of("1/4=120", Fraction(1, 8)), tempo_of("160", Fraction(1, 8)), tempo_of("slowly", Fraction(1, 8))
        (Fraction(30, 1), Fraction(20, 1), None)
    """
    plain = re.sub(r'"[^"]*"', "", text).strip()
    found = re.fullmatch(r"(?:C\s*=|([1-9]\d{0,2})/([1-9]\d{0,2})\s*=)?\s*([1-9]\d{0,3})", plain)
    if found is None:
        return None
    return (Fraction(int(found[1]), int(found[2])) if found[1] else unit) * int(found[3])
