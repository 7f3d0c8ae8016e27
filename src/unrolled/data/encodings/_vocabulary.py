"""The option for columns whose vocabulary is learned."""

from __future__ import annotations

from unrolled.config import Part, option

__all__ = ["VocabularyOptions"]


class VocabularyOptions(Part):
    """The option for columns whose vocabulary is learned."""

    vocabulary: int = option(
        20_000,
        "Largest vocabulary: the most frequent words, byte-pair tokens, items or k-mers. Others are unknown.",
        ge=8,
        le=1_000_000,
        also=("vocab_size", "vocabulary_size", "max_tokens", "max_features", "num_words", "max_vocab"),
    )
