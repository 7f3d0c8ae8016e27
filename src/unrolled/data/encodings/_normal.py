"""Unicode normalisation: one spelling for texts that look alike.

``é`` may be one code point or two, and a model should not have to learn that they are the same. NFC composes
characters; NFKC also replaces compatibility characters: the ligature ``ﬁ`` becomes two letters, and ``²`` becomes 2.

References:
    Unicode Standard Annex #15, normalization forms, https://www.unicode.org/reports/tr15/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["KeptForm", "Normal", "kept_form", "normal_text", "normal_texts"]

Normal = Literal["none", "nfc", "nfd", "nfkc"]


def normal_text(text: str, form: Normal) -> str:
    """``text`` in this normal form.

    Example:
        >>> len("e" + chr(0x301)), len(normal_text("e" + chr(0x301), "nfc")), normal_text("ﬁ²", "nfkc")
        (2, 1, 'fi2')
    """
    return text if text.isascii() else str(normal_texts(pa.array([text]), form)[0].as_py())


def normal_texts(texts: pa.Array, form: Normal) -> pa.Array:
    """Each text in this normal form; nulls stay, and ASCII columns are returned without a copy."""
    if form == "none" or pc.all(pc.string_is_ascii(texts)).as_py() is not False:
        return texts
    return pc.utf8_normalize(texts, form.upper())


def kept_form(texts: Iterable[pa.Array]) -> Normal:
    """The form that all ``texts`` have, so that bringing them to it changes nothing: nfc, else nfd, else none.

    Example:
        >>> apart = "e" + chr(0x301)
        >>> [kept_form([pa.array(texts)]) for texts in (["e", "é"], ["e", apart], ["é", apart])]
        ['nfc', 'nfd', 'none']
    """
    forms = KeptForm()
    for part in texts:
        forms.add(part)
    return forms.found()


class KeptForm:
    """The same as `kept_form`, of texts that come part by part."""

    def __init__(self) -> None:
        self._left: tuple[Normal, ...] = ("nfc", "nfd")

    def add(self, texts: pa.Array) -> None:
        """Look at the next part."""
        self._left = tuple(form for form in self._left if normal_texts(texts, form).equals(texts))

    def found(self) -> Normal:
        """The form that all of them have."""
        return self._left[0] if self._left else "none"
