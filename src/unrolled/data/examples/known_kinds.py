"""The kinds that later data has because the training data had them, whatever its cells look like."""

from __future__ import annotations

from unrolled.data.encodings.encoding import ENCODINGS, Traits, traits_of
from unrolled.data.examples.preprocessor import Preprocessor

__all__ = ["known_kinds"]


def known_kinds(coder: Preprocessor) -> dict[str, str]:
    """Column -> kind, for the columns of texts and of numbers: texts that all look like numbers stay texts, and numbers
    stay numbers, however they are written.
    """
    encodings = {**coder.inputs, coder.target: coder.answer}
    kinds = {
        name: encoding.kind
        for name, encoding in encodings.items()
        if encoding.traits.verbatim or _is_number(encoding.traits)
    }
    return kinds | dict.fromkeys(coder.joined, next(kind for kind in ENCODINGS.names() if _is_number(traits_of(kind))))


def _is_number(traits: Traits) -> bool:
    """Whether each step of a column is one number."""
    return traits.measured and not (traits.channels or traits.whole)
