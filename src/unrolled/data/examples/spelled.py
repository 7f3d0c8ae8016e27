"""The letters of words as columns of their own: each stands behind the column of its words, and has its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from unrolled.batch import Side, Spec, Spelled, letters_of
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Spells

__all__ = ["specs_of", "spells"]


def spells(encoding: Encoding) -> Spells | None:
    """The encoding, where it gives the letters of its words; else ``None``."""
    return encoding if isinstance(encoding, Spells) and encoding.spelling is not None else None


def specs_of(inputs: Mapping[str, Encoding], sides: Mapping[str, Side]) -> dict[str, Spec]:
    """What a model knows about each input column, and about the letters of its words.

    Args:
        inputs: column name -> its encoding.
        sides: the columns that belong to a side sequence.
    """
    specs: dict[str, Spec] = {}
    for name, encoding in inputs.items():
        specs[name] = encoding.spec
        if (speller := spells(encoding)) is not None and (letters := speller.spelling) is not None:
            specs[letters_of(name)] = Spelled(letters.size, letters.width, name)
        if name in sides:
            own = [one for one in (name, letters_of(name)) if one in specs]
            specs |= {one: replace(specs[one], time=False, side=sides[name]) for one in own}
    return specs
