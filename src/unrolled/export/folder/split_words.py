"""Texts split into words, as the model's training texts were. Part of a model exported by Unrolled."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

SPACES = "\t\n\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
BLANKS = SPACES + "\v\u0085"
_CLOSING, _OPENING = frozenset(".,;:!?)]}%…»”’'-/"), frozenset("([{«“¿¡$£€#@’'-/")

_ADDRESS = re.compile(
    r"(?:[hH][tT][tT][pP][sS]?://|(?<![A-Za-z0-9_])[wW]{3}\.)"
    rf"[^{SPACES}<>\"“”«»…]*[^{SPACES}<>\"“”«»…'’.,;:!?)\]}}]"
)
_MENTION = re.compile(r"@[A-Za-z0-9_]+")


def words(text: str, lower: bool = True) -> list[str]:
    """The words and signs of a text that is only read, in lower case; addresses and mentions are folded."""
    text = _ADDRESS.sub("<url>", text)
    text = _MENTION.sub(lambda found: _mention(found, text), text)
    parts, start = [], 0
    for found in _whole().finditer(text):
        parts += [_apart(text[start : found.start()]), " ", found[0], " "]
        start = found.end()
    apart = "".join([*parts, _apart(text[start:])])
    found = re.sub(f"[{BLANKS}]+", " ", apart).split()
    return ["".join(map(_lower, word)) for word in found] if lower else found


def written_words(text: str) -> list[str]:
    """The words of a text that the model writes, and each blank that its neighbours do not imply."""
    units = [(found[1], found[2]) for found in _units().finditer(text)]
    start = re.match(f"[{BLANKS}]*", text)
    blanks = start[0] if start else ""
    tokens = list(blanks)
    loose = True
    for place, (word, after) in enumerate(units):
        following = place + 1 == len(units) or units[place + 1][0] in _CLOSING
        expected = not (word in _OPENING or following)
        loose = after == (" " if expected else "")
        tokens += [word] if loose else [word, *(after or [""])]
    return tokens


def write_words(tokens: list[str]) -> str:
    """The text of tokens: the inverse of `written_words`."""
    text, loose = [], True
    for token in tokens:
        if not token or token in BLANKS:
            text.append(token)
            loose = True
            continue
        text.append(token if loose or token in _CLOSING else f" {token}")
        loose = token in _OPENING
    return "".join(text)


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else lower[0]


def _mention(found: re.Match[str], text: str) -> str:
    before = text[found.start() - 1] if found.start() else " "
    return found[0] if unicodedata.category(before)[0] in "LMN" or before in "_@/." else "<user>"


def _apart(text: str) -> str:
    return "".join(f" {one} " if _is_sign(one) else one for one in text)


@cache
def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] not in "LMNZ" and character not in "_\t\n\f\r "


@cache
def _emoji() -> str:
    others = "".join(one for one in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(one) == "So")
    picture = (
        rf"[{re.escape(others)}\u203c\u2049\u2194\u25fb-\u25fe\u3030\U0001f000-\U0001faff]"
        r"[\U0001f3fb-\U0001f3ff]?\ufe0f?"
    )
    return "|".join(
        (
            r"[0-9#*]\ufe0f?\u20e3",
            r"[\U0001f1e6-\U0001f1ff]{2}",
            r"\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f",
            rf"{picture}(?:\u200d{picture})*",
        )
    )


@cache
def _whole() -> re.Pattern[str]:
    """What stays whole: placeholders and emoji."""
    return re.compile(f"<(?:[uU][rR][lL]|[uU][sS][eE][rR]|[uU][nN][kK][nN][oO][wW][nN])>|{_emoji()}")


@cache
def _units() -> re.Pattern[str]:
    """A word or sign, and the blanks after it."""
    inside = "".join(one for one in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(one)[0] in "LMN")
    return re.compile(f"({_emoji()}|[{_ranges(inside)}_]+|[^{BLANKS}])([{BLANKS}]*)", re.DOTALL)


def _ranges(characters: str) -> str:
    """A class of characters in ascending order, as ranges."""
    found: list[list[int]] = []
    for code in map(ord, characters):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in found)
