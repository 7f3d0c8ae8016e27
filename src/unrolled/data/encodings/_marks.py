"""What stays whole where a text is cut at its signs: addresses of the web, mentions of people, emoji of several parts.

An address becomes ``<url>`` and a mention ``<user>``, as no vocabulary can know them one by one. A hashtag is its sign
and a word like any other: most hashtags are rarer than the word in them.

References:
    Unicode Technical Standard #51, emoji sequences, https://www.unicode.org/reports/tr51/
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["UNKNOWN_WORD", "cut_at_signs"]

UNKNOWN_WORD = "<unknown>"

# An address does not end with the sign that ends its sentence; a mention does not begin within a word, as in a@b.c.
_ADDRESS = r"""(?:https?://|\bwww\.)[^\s\p{Z}<>"“”«»…]*[^\s\p{Z}<>"“”«»…'’.,;:!?)\]}]"""
_MENTION = r"(^|[^\p{L}\p{M}\p{N}_@/.])@[A-Za-z0-9_]+"

_PICTURE = (  # one code point, in whatever style or colour of skin
    r"[\p{So}\x{203C}\x{2049}\x{2194}\x{25FB}-\x{25FE}\x{3030}\x{1F000}-\x{1FAFF}]"
    r"[\x{1F3FB}-\x{1F3FF}]?\x{FE0F}?"
)
_EMOJI = "|".join(
    (
        r"[0-9#*]\x{FE0F}?\x{20E3}",  # a key of a telephone
        r"[\x{1F1E6}-\x{1F1FF}]{2}",  # a country's two letters
        r"\x{1F3F4}[\x{E0020}-\x{E007E}]+\x{E007F}",  # the flag of a part of one
        rf"{_PICTURE}(?:\x{{200D}}{_PICTURE})*",  # several, joined into one
    )
)
# What is decoded is cut as it was: <url>, <user> and <unknown> are not taken apart. \w of RE2 is ASCII only.
_OURS = "<(?:url|user|unknown)>"
_CUT = rf"({_OURS}|{_EMOJI}|[^\p{{L}}\p{{M}}\p{{N}}_\s\p{{Z}}])"
_CUT_ASCII = rf"({_OURS}|[^\w\s])"  # the same of texts without other characters, four times as fast


def cut_at_signs(texts: pa.Array) -> pa.Array:
    """Lower-case ``texts`` with blanks around each sign, and each address and mention folded.

    Example:
        >>> cut_at_signs(pa.array(["@anna: see https://a.b/c?d=1. #wow👍🏽👍🏽"]))[0].as_py().split()
        ['<user>', ':', 'see', '<url>', '.', '#', 'wow', '👍🏽', '👍🏽']
    """
    if pc.any(pc.match_substring_regex(texts, r"://|www\.|@")).as_py():
        texts = pc.replace_substring_regex(texts, _ADDRESS, "<url>")
        texts = pc.replace_substring_regex(texts, _MENTION, r"\1<user>")
    plain = pc.all(pc.string_is_ascii(texts)).as_py()
    return pc.replace_substring_regex(texts, _CUT_ASCII if plain else _CUT, r" \1 ")
