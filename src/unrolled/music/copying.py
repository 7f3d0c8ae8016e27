"""How much of a tune stands in others note for note, in whatever key."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from unrolled.music.tune import Tune

__all__ = ["Heard"]

_MIDDLE = 128  # the character of interval 0; no interval is wider than 127
_BREAK = "\0"


class Heard:
    r"""Tunes that are known, to be asked what another has in common with them.

    Pitches p are compared by their intervals p_{i+1} − p_i, so that it does not matter in which key a run of notes
    stands; nor do lengths.

    Args:
        tunes: the known ones.

    Cost: memory of two bytes a note.

    Example:
        >>> from unrolled.music.abc import parse_abc
        >>> heard = Heard([parse_abc("K:C\nCDEF GABc")])
        >>> heard.longest_run(parse_abc("K:D\nA DEFG f")), heard.longest_run(parse_abc("K:C\nC"))
        (4, 1)
    """

    def __init__(self, tunes: Iterable[Tune]) -> None:
        self._known = _BREAK.join(_intervals(tune) for tune in tunes)

    def longest_run(self, tune: Tune) -> int:
        """The most notes in a row that a known tune has too.

        Cost: two searches through the known tunes for each note.
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
