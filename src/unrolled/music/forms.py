"""The forms in which a tune is written to a file; the file's suffix says which."""

from __future__ import annotations

import re
from collections.abc import Callable

from unrolled.errors import DataError, UsageError
from unrolled.music.abc import parse_abc
from unrolled.music.abc_writing import to_abc
from unrolled.music.events import from_events
from unrolled.music.midi_writing import to_midi
from unrolled.music.picture import to_svg
from unrolled.music.rolls import SILENCE, from_roll, from_text
from unrolled.music.synthesis import to_wave
from unrolled.music.tune import Tune

__all__ = ["SUFFIXES", "check_form", "is_abc", "tune_in", "written"]

_FORMS: dict[str, Callable[[Tune], bytes]] = {
    ".abc": lambda tune: to_abc(tune).encode(),
    ".mid": to_midi,
    ".midi": to_midi,
    ".svg": lambda tune: to_svg(tune).encode(),
    ".wav": to_wave,
}
SUFFIXES = tuple(_FORMS)

_EVENT = re.compile(r"[tpd]\d+")
_STEP = re.compile(rf"\d+|{re.escape(SILENCE)}")


def check_form(suffix: str) -> None:
    """Refuse what no tune can be written as.

    Raises:
        UsageError: ``suffix`` is none of ours.
    """
    if suffix not in SUFFIXES:
        raise UsageError(f"a tune is written as {', '.join(SUFFIXES)}, not as {suffix or 'a file without suffix'}")


def written(text: str, suffix: str) -> bytes:
    r"""ABC, MIDI, a picture or sound, from what a model of music writes.

    Args:
        text: a tune in ABC, which is ABC as it stands; or the events (`unrolled.music.events`) or the steps of a roll
            (`unrolled.music.rolls`) of one.
        suffix: the form, such as ``.wav``.

    Raises:
        UsageError: ``suffix`` is none of ours.
        DataError: the text is no tune.
        MissingExtra: MIDI is asked for, and mido is not installed.

    Example:
        >>> written("X:1\nL:1/4\nK:C\nCDE", ".wav")[:4], written("X:1\nK:C\nC", ".abc")
        (b'RIFF', b'X:1\nK:C\nC\n')
        >>> print(written("p60 d24 t24 p62 d72", ".abc").decode(), end="")
        X:1
        T:
        M:4/4
        L:1/16
        Q:1/4=120
        K:C
        C4 D12 |]
    """
    check_form(suffix)
    try:
        tune = tune_in(text)
    except DataError as error:
        hint = "try another --seed, or a lower --temperature"
        raise DataError(f"no tune was written: {error}", hint=hint) from None
    return text.rstrip().encode() + b"\n" if suffix == ".abc" and is_abc(text) else _FORMS[suffix](tune)


def tune_in(text: str) -> Tune:
    """The tune that a model of music has written: ABC, events, or the steps of a roll.

    Raises:
        DataError: it is none.

    Example:
        >>> [note.pitch for note in tune_in("p60 d24 t24 p62 d72").notes]
        [60, 62]
    """
    if is_abc(text):
        return parse_abc(text, "the text")
    return from_events(text.split()) if _EVENT.match(text.lstrip()) else from_roll(from_text(text))


def is_abc(text: str) -> bool:
    """Whether it is neither events nor a roll."""
    first = (text.split() or [""])[0]
    return not (_EVENT.fullmatch(first) or _STEP.fullmatch(first))
