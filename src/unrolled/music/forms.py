"""The file formats in which a tune can be written; the suffix of the file selects one."""

from __future__ import annotations

import re
from collections.abc import Callable

from unrolled.errors import DataError, UsageError, named
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
    """Check that a tune can be written with ``suffix``.

    Raises:
        UsageError: the format is not supported.
    """
    if suffix not in SUFFIXES:
        raise UsageError(
            f"a tune can be written as {', '.join(SUFFIXES)}, not as {suffix or 'a file without a suffix'}"
        )


def written(text: str, suffix: str) -> bytes:
    r"""Convert the text that a music model generates to ABC, MIDI, a picture or sound.

    Args:
        text: a tune as ABC, as events (`unrolled.music.events`) or as the steps of a piano roll
            (`unrolled.music.rolls`). ABC is written as ``.abc`` unchanged.
        suffix: the file format, such as ``.wav``.

    Raises:
        UsageError: the format is not supported.
        DataError: the text is not a tune.
        MissingExtra: MIDI needs mido, which is not installed.

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
        hint = f"try another {named('seed')} or a lower {named('temperature')}"
        raise DataError(f"the model did not write a valid tune: {error}", hint=hint) from None
    return text.rstrip().encode() + b"\n" if suffix == ".abc" and is_abc(text) else _FORMS[suffix](tune)


def tune_in(text: str) -> Tune:
    """Parse the text of a music model: ABC, events, or the steps of a piano roll.

    Raises:
        DataError: the text is not a tune.

    Example:
        >>> [note.pitch for note in tune_in("p60 d24 t24 p62 d72").notes]
        [60, 62]
    """
    if is_abc(text):
        return parse_abc(text, "the text")
    return from_events(text.split()) if _EVENT.match(text.lstrip()) else from_roll(from_text(text))


def is_abc(text: str) -> bool:
    """Whether ``text`` is ABC, that is, neither events nor a piano roll."""
    first = (text.split() or [""])[0]
    return not (_EVENT.fullmatch(first) or _STEP.fullmatch(first))
