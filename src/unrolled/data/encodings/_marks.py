"""Splitting a text at punctuation and symbols, while web addresses, user mentions and multi-part emoji stay whole.

An address becomes ``<url>`` and a mention ``<user>``, because no vocabulary can hold them all. A hashtag is split into
``#`` and a word: most hashtags are rarer than the word in them.

References:
    Unicode Technical Standard #51, emoji sequences, https://www.unicode.org/reports/tr51/
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from unrolled.data.encodings._pieces import raw

__all__ = ["EMOJI", "UNKNOWN_WORD", "cut_at_signs", "may_fold"]

UNKNOWN_WORD = "<unknown>"

# An address does not include the punctuation that ends its sentence; a mention does not start inside a word (a@b.c).
_ADDRESS = r"""(?i:https?://|\bwww\.)[^\s\p{Z}<>"“”«»…]*[^\s\p{Z}<>"“”«»…'’.,;:!?)\]}]"""
_MENTION = r"(^|[^\p{L}\p{M}\p{N}_@/.])@[A-Za-z0-9_]+"

_PICTURE = (  # one code point, with an optional skin tone and emoji style
    r"[\p{So}\x{203C}\x{2049}\x{2194}\x{25FB}-\x{25FE}\x{3030}\x{1F000}-\x{1FAFF}]"
    r"[\x{1F3FB}-\x{1F3FF}]?\x{FE0F}?"
)
EMOJI = "|".join(
    (
        r"[0-9#*]\x{FE0F}?\x{20E3}",  # keycaps
        r"[\x{1F1E6}-\x{1F1FF}]{2}",  # flags of countries
        r"\x{1F3F4}[\x{E0020}-\x{E007E}]+\x{E007F}",  # flags of regions
        rf"{_PICTURE}(?:\x{{200D}}{_PICTURE})*",  # sequences with zero-width joiners
    )
)
# Placeholders stay whole, so that decoded text splits as the original did. \w of RE2 is ASCII only.
_PLACEHOLDER = "<(?i:url|user|unknown)>"
_CUT = rf"({_PLACEHOLDER}|{EMOJI}|[^\p{{L}}\p{{M}}\p{{N}}_\s\p{{Z}}])"
_CUT_ASCII = rf"({_PLACEHOLDER}|[^\w\s])"  # the same for ASCII texts, four times as fast


def may_fold(letters: bytes) -> bool:
    """Whether these texts may hold an address or a mention."""
    letters = letters.lower()
    return any(sign in letters for sign in (b"@", b"://", b"www."))


def cut_at_signs(texts: pa.Array) -> pa.Array:
    """Put spaces around each punctuation mark and symbol of ``texts``, and fold addresses and mentions.

    Example:
        >>> cut_at_signs(pa.array(["@anna: see https://a.b/c?d=1. #wow👍🏽👍🏽"]))[0].as_py().split()
        ['<user>', ':', 'see', '<url>', '.', '#', 'wow', '👍🏽', '👍🏽']
    """
    if may_fold(raw(texts)[0].tobytes()):
        texts = pc.replace_substring_regex(texts, _ADDRESS, "<url>")
        texts = pc.replace_substring_regex(texts, _MENTION, r"\1<user>")
    plain = pc.all(pc.string_is_ascii(texts)).as_py()
    return pc.replace_substring_regex(texts, _CUT_ASCII if plain else _CUT, r" \1 ")
