"""One spelling for texts that look alike: the normal forms of Unicode.

``é`` may be one code point or two, and a model should not have to learn that they are the same. NFC composes what can
be composed; NFKC also makes ``ﬁ`` of a ligature two letters and ``²`` a 2.

References:
    Unicode Standard Annex #15, normalization forms, https://www.unicode.org/reports/tr15/
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Normal", "normal_text", "normal_texts"]

Normal = Literal["none", "nfc", "nfkc"]


def normal_text(text: str, form: Normal) -> str:
    """``text`` in the normal form.

    Example:
        >>> len("e" + chr(0x301)), len(normal_text("e" + chr(0x301), "nfc")), normal_text("ﬁ²", "nfkc")
        (2, 1, 'fi2')
    """
    return text if text.isascii() else str(normal_texts(pa.array([text]), form)[0].as_py())


def normal_texts(texts: pa.Array, form: Normal) -> pa.Array:
    """The same of each text of a column, which is given back itself where all of it is ASCII; nulls stay."""
    if form == "none" or pc.all(pc.string_is_ascii(texts)).as_py() is not False:
        return texts
    return pc.utf8_normalize(texts, form.upper())
