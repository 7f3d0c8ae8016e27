"""Code length of the tokens under a general-purpose compressor."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from unrolled.baselines._arrays import classes, target_of
from unrolled.batch import MISSING
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.next import Next
from unrolled.metrics.judged import Answers, CodeLength, Nats

__all__ = ["Gzip"]

_WINDOW = 32_768  # how far DEFLATE looks back, so earlier training data cannot help it
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Gzip:
    r"""The size that the split adds when DEFLATE, at its best level, compresses it after the end of training.

    .. math:: \frac{8 \ln 2}{n} \big(|\text{zip}(\text{tail} + \text{split})| - |\text{zip}(\text{tail})|\big)

    A preset dictionary makes the difference exact. Each token takes 1 byte if the vocabulary has at most 256 tokens,
    else 2 or 4. All n tokens of the split count, including the first of each row.

    What it shows: compression is prediction. gzip only finds repeated strings within 32 KB, so a model that needs more
    nats has not even learned to spell.

    Applies to: the next token.

    Cost: about 10 MB/s, constant memory.

    References:
        Deutsch, RFC 1951, DEFLATE, 1996. https://www.rfc-editor.org/rfc/rfc1951
        Delétang et al., Language Modeling Is Compression, 2023. https://arxiv.org/abs/2309.10668

    Example:
        >>> from unrolled.batch import Discrete
        >>> from unrolled.data.encodings.encoding import Encoded
        >>> from unrolled.metrics.scoring import scores
        >>> text = Encoded(np.tile(np.arange(8), 1000), np.array([0, 8000]))
        >>> tokens = Examples({"x": text}, {"x": Discrete(8)}, text, Discrete(8), Next())
        >>> scores(Gzip.fit(tokens).judge(tokens))["loss_nats_per_token"] < 0.05
        True
    """

    name: ClassVar[str] = "gzip"
    tail: bytes
    size: int

    @staticmethod
    def applies(examples: Examples) -> bool:
        return isinstance(examples.form, Next) and classes(examples) > 0

    @classmethod
    def fit(cls, train: Examples) -> Self:
        size = classes(train)
        return cls(_as_bytes(target_of(train).values[-_WINDOW:], size)[-_WINDOW:], size)

    def judge(self, part: Examples) -> Iterable[Answers]:
        target = target_of(part)
        values, scored = target.values, _from_first(part)
        squeezer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=self.tail)
        count = size = 0
        for at in range(0, len(values), _CHUNK):
            kept = scored[at : at + _CHUNK] & (values[at : at + _CHUNK] != MISSING)
            count += int(kept.sum())
            size += len(squeezer.compress(_as_bytes(values[at : at + _CHUNK][kept], self.size)))
        nats = torch.tensor(8 * math.log(2) * (size + len(squeezer.flush())), dtype=torch.float64)
        tokens = torch.tensor(count)
        return [(Nats("loss_nats_per_token", nats, tokens), CodeLength(nats, tokens, part.text_unit))]


def _as_bytes(ids: np.ndarray, size: int) -> bytes:
    width = np.uint8 if size <= 1 << 8 else np.uint16 if size <= 1 << 16 else np.uint32
    return bytes(ids[ids != MISSING].astype(width).data)


def _from_first(examples: Examples) -> np.ndarray:
    """(N,) bool: the steps that belong to this split, not to its history."""
    target = target_of(examples)
    assert target.offsets is not None
    first = target.offsets[:-1] + (0 if examples.first is None else examples.first)
    return np.arange(len(target.values)) >= np.repeat(first, target.lengths())


MEMBER = Gzip
