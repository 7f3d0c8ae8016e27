"""Byte-pair encoding (BPE): tokens are frequent byte sequences, built from the 256 bytes by merging pairs.

It works on bytes, as in GPT-2, so every text can be encoded and decoded exactly. Only the merges are stored, and the
tokenizer is rebuilt from them: the JSON format of ``tokenizers`` may hold patterns that abort the process.

References:
    Sennrich, Haddow, Birch 2016, "Neural machine translation of rare words with subword units",
    https://aclanthology.org/P16-1162
    Radford et al. 2019, "Language models are unsupervised multitask learners" (the byte-level alphabet),
    https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Self

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from unrolled.data.encodings._cells import smallest_dtype
from unrolled.data.encodings._level import BEGIN, END, SPECIALS
from unrolled.data.encodings._normal import Normal

__all__ = ["Bpe"]


def _alphabet() -> dict[str, int]:
    """The printable character that stands for each byte in a merge, in the order of code points."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = sorted(set(range(256)) - set(visible))
    letters = {chr(byte): byte for byte in visible} | {chr(256 + place): byte for place, byte in enumerate(hidden)}
    return dict(sorted(letters.items()))


_BYTES = _alphabet()
_SPECIAL = ("<|unknown|>", "<|begin|>", "<|end|>")  # of a file, which takes them for special wherever they stand


class Bpe:
    """A byte-level BPE tokenizer.

    Args:
        merges: pairs of tokens, in the order in which they were learned.

    Raises:
        ValueError: a merge uses a token that no earlier merge makes.
    """

    name: ClassVar[str] = "bpe"

    def __init__(self, merges: list[tuple[str, str]]) -> None:
        vocabulary = {letter: place for place, letter in enumerate(_BYTES)}
        for left, right in merges:
            if left not in vocabulary or right not in vocabulary:
                raise ValueError(f"the merge of {left!r} and {right!r} comes before the merges that make its parts")
            vocabulary.setdefault(left + right, len(vocabulary))
        self._merges = merges
        self._tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
        self._tokenizer.pre_tokenizer = _pre_tokenizer()
        tokens = [b""] * SPECIALS + [bytes(_BYTES[letter] for letter in token) for token in vocabulary]
        self._tokens = np.array(tokens, object)

    @classmethod
    def fit(cls, texts: Iterable[pa.Array], vocabulary: int, least: int = 2) -> Self:
        """Learn merges until there are ``vocabulary`` tokens, including the 256 bytes.

        It ends sooner if no pair occurs ``least`` times.
        """
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = _pre_tokenizer()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary, min_frequency=least, show_progress=False, initial_alphabet=list(_BYTES)
        )
        tokenizer.train_from_iterator(_texts(texts), trainer)
        merges = json.loads(tokenizer.to_str())["model"]["merges"]
        return cls([(left, right) for left, right in merges])

    @property
    def size(self) -> int:
        """The number of tokens, including the special ones."""
        return len(self._tokens)

    def encode(self, texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """The ids of all texts end to end, and how many each text has."""
        dtype = smallest_dtype(self.size)
        rows = [np.array(row.ids, dtype) for row in self._tokenizer.encode_batch_fast(texts.to_pylist())]
        counts = np.array([len(row) for row in rows], np.int64)
        return np.concatenate([np.zeros(0, dtype), *rows]) + dtype.type(SPECIALS), counts

    def decode(self, ids: np.ndarray) -> str:
        """The text, with U+FFFD for bytes that are not UTF-8."""
        return b"".join(self._tokens[ids].tolist()).decode("utf-8", "replace")

    def pieces(self, before: str) -> Callable[[int], bytes]:
        """The bytes of each token."""
        tokens: list[bytes] = self._tokens.tolist()
        return tokens.__getitem__

    def to_tokenizer(self, normal: Normal, framed: bool) -> str:
        """The contents of a ``tokenizer.json`` with the same ids, which Hugging Face's ``tokenizers`` opens.

        Args:
            normal: the Unicode normal form that texts are converted to first.
            framed: with special tokens, each text is put between ``<|begin|>`` and ``<|end|>``.
        """
        known = json.loads(self._tokenizer.to_str())["model"]["vocab"]
        vocabulary = dict(zip(_SPECIAL, range(SPECIALS), strict=True))
        vocabulary |= {token: id_ + SPECIALS for token, id_ in known.items()}
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=self._merges))
        tokenizer.pre_tokenizer, tokenizer.decoder = _pre_tokenizer(), decoders.ByteLevel()
        if normal != "none":
            tokenizer.normalizer = getattr(normalizers, normal.upper())()
        tokenizer.add_special_tokens(list(_SPECIAL))
        if framed:
            begin, end = _SPECIAL[BEGIN], _SPECIAL[END]
            special = [(begin, BEGIN), (end, END)]
            tokenizer.post_processor = processors.TemplateProcessing(f"{begin} $A {end}", special_tokens=special)
        return str(tokenizer.to_str(pretty=True))

    def symbols(self) -> list[list[str]]:
        """The merges."""
        return [list(merge) for merge in self._merges]

    def report(self) -> str:
        """``8000 BPE tokens``."""
        return f"{self.size - SPECIALS} BPE tokens"


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False)


def _texts(parts: Iterable[pa.Array]) -> Iterator[list[str]]:
    for part in parts:
        yield part.to_pylist()
