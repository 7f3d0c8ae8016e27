"""The forms in which a tune is written to a file; the file's suffix says which."""

from __future__ import annotations

import re
from collections.abc import Callable

from unrolled.errors import DataError, UsageError
from unrolled.music.abc import parse_abc
from unrolled.music.events import from_events
from unrolled.music.midi_writing import to_midi
from unrolled.music.picture import to_svg
from unrolled.music.synthesis import to_wave
from unrolled.music.tune import Tune

__all__ = ["SUFFIXES", "check_form", "written"]

_FORMS: dict[str, Callable[[Tune], bytes]] = {
    ".mid": to_midi,
    ".midi": to_midi,
    ".svg": lambda tune: to_svg(tune).encode(),
    ".wav": to_wave,
}
SUFFIXES = (".abc", *_FORMS)

_EVENT = re.compile(r"[tpd]\d+")


def check_form(suffix: str) -> None:
    """Refuse what no tune can be written as.

    Raises:
        UsageError: ``suffix`` is none of ours.
    """
    if suffix not in SUFFIXES:
        raise UsageError(f"a tune is written as {', '.join(SUFFIXES)}, not as {suffix or 'a file without suffix'}")


def written(text: str, suffix: str) -> bytes:
    r"""ABC, MIDI, a picture or sound, from a tune in ABC.

    Args:
        text: one tune; or the events of one (`unrolled.music.events`), which are not written as ABC.
        suffix: the form, such as ``.wav``.

    Raises:
        UsageError: ``suffix`` is none of ours, or ABC is asked for and the text is events.
        DataError: the text is no tune.
        MissingExtra: MIDI is asked for, and mido is not installed.

    Example:
        >>> written("X:1\nL:1/4\nK:C\nCDE", ".wav")[:4], written("X:1\nK:C\nC", ".abc")
        (b'RIFF', b'X:1\nK:C\nC\n')
    """
    check_form(suffix)
    words = text.split()
    events = bool(words) and _EVENT.fullmatch(words[0]) is not None
    if events and suffix == ".abc":
        raise UsageError("the model writes events, which become .mid, .wav or .svg, but not .abc")
    try:
        tune = from_events(words) if events else parse_abc(text, "the text")
    except DataError as error:
        hint = "try another --seed, or a lower --temperature"
        raise DataError(f"no tune was written: {error}", hint=hint) from None
    return text.rstrip().encode() + b"\n" if suffix == ".abc" else _FORMS[suffix](tune)
