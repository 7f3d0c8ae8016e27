"""What a reader says about a column in the metadata of its field, beside its kind."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["ANSWER", "GOLD", "answer_of", "is_gold"]

ANSWER = b"answer"  # the column is what a file of this format asks for; the value says why
GOLD = b"gold"  # the column annotates the same steps, so it is an input only if the user chooses it by name


def answer_of(schema: pa.Schema) -> tuple[str, str] | None:
    """The column that a file of this format asks for, and why; ``None`` if its format does not say."""
    for field in schema:
        if ANSWER in (field.metadata or {}):
            return str(field.name), str(field.metadata[ANSWER].decode())
    return None


def is_gold(field: pa.Field) -> bool:
    """Whether a column annotates the steps of another, as a part of speech annotates a word."""
    return GOLD in (field.metadata or {})
