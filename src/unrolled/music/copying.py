"""Measure how much of a tune is copied note for note from other tunes, in any key."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from unrolled.music.tune import Tune

__all__ = ["Heard"]

_MIDDLE = 128  # the character of interval 0; intervals are at most 127 semitones
_BREAK = "\0"


class Heard:
    r"""A collection of known tunes, in which runs of notes from other tunes are looked up.

    Pitches p are compared by their intervals p_{i+1} − p_i, so neither the key nor the lengths of notes matter.

    Args:
        tunes: the known tunes.

    Cost: two bytes of memory per note.

    Example:
        >>> from unrolled.music.abc import parse_abc
        >>> heard = Heard([parse_abc("K:C\nCDEF GABc")])
        >>> heard.longest_run(parse_abc("K:D\nA DEFG f")), heard.longest_run(parse_abc("K:C\nC"))
        (4, 1)
    """

    def __init__(self, tunes: Iterable[Tune]) -> None:
        self._known = _BREAK.join(_intervals(tune) for tune in tunes)

    def longest_run(self, tune: Tune) -> int:
        """The length in notes of the longest run that also occurs in a known tune.

        Cost: two searches through the known tunes per note.
        """
        own = _intervals(tune)
        longest = 0
        for start in range(len(own)):
            while start + longest < len(own) and own[start : start + longest + 1] in self._known:
                longest += 1
        return longest + 1


def _intervals(tune: Tune) -> str:
    pitches = [note.pitch for note in tune.notes]
    return "".join(chr(_MIDDLE + after - before) for before, after in pairwise(pitches))
