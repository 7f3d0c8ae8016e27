"""The facets of encodings: protocols that only some encodings have, beyond `unrolled.data.encodings.encoding.Encoding`.

General code checks for the facet that it needs, as in ``isinstance(encoding, Labels)``, never for a kind or a class.

Axes: C channels, V ids, N steps of all rows, L letters of a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa

from unrolled.data.encodings._scaling import Scaling
from unrolled.data.encodings._spelling import Spelling
from unrolled.data.encodings.encoding import Encoded, Encoding, Role, Where

__all__ = [
    "Channels",
    "Extendable",
    "Flagged",
    "Heard",
    "Items",
    "Label",
    "Labels",
    "Letters",
    "Numbers",
    "Pitches",
    "Portable",
    "Reusable",
    "Scaled",
    "Spells",
    "Statistics",
    "Streamed",
    "Text",
    "Together",
    "Words",
]

Label = str | bool | int | float


@runtime_checkable
class Labels(Protocol):
    """The facet of an encoding whose values are labels from a fixed set."""

    @property
    def labels(self) -> Sequence[Label]:
        """The known labels, in the order of their ids, which are the highest ones."""


@runtime_checkable
class Numbers(Protocol):
    """The facet of an encoding whose values are standardised numbers.

    Shape:
        mean, std: (C,) float64; ``z * std + mean`` is in the user's units. The first C numbers of a step are the
            values; flags of missing values may follow them.
    """

    @property
    def mean(self) -> np.ndarray:
        """The mean of each channel in training."""

    @property
    def std(self) -> np.ndarray:
        """The standard deviation of each channel in training; 1 where it was constant."""

    @property
    def binary(self) -> bool:
        """Whether every training value was 0 or 1, so that nothing is scaled."""


@runtime_checkable
class Channels(Numbers, Protocol):
    """The facet of `Numbers` with several named channels in each step."""

    @property
    def channels(self) -> Sequence[str]:
        """The names of the channels, in order."""


@runtime_checkable
class Extendable(Protocol):
    """The facet of an encoding whose vocabulary can grow at its end, so that no id moves."""

    @property
    def appended(self) -> int:
        """How many of the ids, the last ones, came after the first training."""

    def extended(self, array: pa.ChunkedArray, options: Any, where: Where) -> Encoding:
        """The same encoding, with what a training column holds and it does not know yet appended.

        Args:
            array: the column.
            options: an instance of the encoding's `Options`.
            where: how errors name the column.
        """


@runtime_checkable
class Flagged(Protocol):
    """The facet of `Channels` that flag missing values: one number per flag follows the values of a step."""

    @property
    def flagged(self) -> Sequence[int]:
        """The channels that have a flag, in the order of the flags; a flag is 1 where the value is missing, else 0."""


@runtime_checkable
class Scaled(Protocol):
    """The facet of numbers that are standardised channel by channel, and of nothing else."""

    @property
    def scaling(self) -> Scaling:
        """The scale of each channel, and how missing values are encoded."""

    @property
    def logarithm(self) -> bool:
        """Whether x stands for log(1 + x)."""


@runtime_checkable
class Text(Protocol):
    """The facet of an encoding whose steps are symbols of a text, or items of a list, that a model can generate.

    ``begin`` and ``end`` may be ``None`` where rows are not framed.
    """

    @property
    def begin(self) -> int | None:
        """The id of ``<begin>``."""

    @property
    def end(self) -> int | None:
        """The id of ``<end>``."""

    @property
    def framed(self) -> bool:
        """Whether each row is ``<begin> … <end>``, so that a model learns where a row starts and ends."""

    @property
    def never(self) -> tuple[int, ...]:
        """The ids that are never predicted: ``<unknown>`` and ``<begin>``."""

    @property
    def unit(self) -> Literal["character", "token"]:
        """What one step is called in the name of a metric."""

    def encode_text(self, text: str) -> np.ndarray:
        """The ids of a prompt that a model continues: with ``<begin>`` where rows are framed, and without ``<end>``."""

    def decode_stream(self, before: str = "") -> Callable[[int], str]:
        """A function that takes ids one by one and returns what each adds to a text that follows ``before``."""

    def unseen(self, text: str) -> list[str]:
        """The characters or words of ``text`` that were not in the training data, each once, in order."""


@runtime_checkable
class Portable(Protocol):
    """The facet of an encoding whose tokens other programs can read from a file."""

    def tokenizer(self) -> str | None:
        """The contents of a ``tokenizer.json`` with the same ids; ``None`` where its tokens have no such form."""


@runtime_checkable
class Items(Protocol):
    """The facet of an encoding each of whose steps is one item of a set, so that all of them can be ranked."""

    @property
    def first(self) -> int:
        """The id of the first item; lower ids are special tokens."""


@runtime_checkable
class Words(Protocol):
    """The facet of an encoding whose ids may be words, so that word vectors can be loaded for them."""

    @property
    def words(self) -> Sequence[str] | None:
        """The words of the highest ids, in order; ``None`` where ids are not words."""

    @property
    def folded(self) -> bool:
        """Whether a word may have the vector of one that differs only in case."""


@runtime_checkable
class Spells(Protocol):
    """The facet of an encoding of words that can give the letters of each of them, beside its id."""

    @property
    def spelling(self) -> Spelling | None:
        """The known letters; ``None`` where letters are not read."""

    def spell(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, L) unsigned integers: the letters of each word that ``encode`` finds; only where ``spelling`` is set."""

    def spell_live(self, value: Any) -> np.ndarray:
        """(n, L) unsigned integers: the letters of each word that ``encode_live`` finds in the same value."""


@runtime_checkable
class Together(Protocol):
    """The facet of an encoding that can encode the values of many live rows in one go."""

    @property
    def remembers(self) -> bool:
        """Whether the step of a value may depend on the value before; then only `encode_live` can encode it."""

    def encode_together(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """The step of each of N values, where that is quickly found, and (N,) bool: for which of them it was.

        Of the others nothing is said, nor raised: they are left to `encode_live`, and their steps here mean nothing.

        Shape:
            (N,) ids or (N, W) float32, the same as `encode_live` returns.
        """


@runtime_checkable
class Letters(Protocol):
    """The facet of an encoding of DNA, RNA or protein."""

    @property
    def alphabet(self) -> Literal["DNA", "RNA", "protein"]:
        """The alphabet of the letters."""

    @property
    def per_step(self) -> int:
        """How many letters make one step; if more than one, neighbouring steps overlap."""

    @property
    def complement(self) -> np.ndarray | None:
        """(V,) int64, the complement of each id on the other strand; ``None`` where only one strand is read."""


@runtime_checkable
class Pitches(Protocol):
    """The facet of an encoding whose steps may be notes, which can be moved to another key."""

    @property
    def keys(self) -> np.ndarray | None:
        """(V,) or (C,) int64, the key of each id or channel, or -1 for none; ``None`` where steps are not notes."""

    @property
    def is_roll(self) -> bool:
        """Whether each step is the 88 keys of a piano, each 0 or 1 and never missing."""


@runtime_checkable
class Heard(Protocol):
    """The facet of an encoding whose cells are recordings, of which a live session takes a frame at a time."""

    def hear(self, data: memoryview, where: Where) -> list[list[float]]:
        """A recording as the values of a live session, one for each frame.

        Raises:
            DataError: it is not a whole recording.
            UsageError: frames depend on later ones.
        """


@runtime_checkable
class Reusable(Protocol):
    """The facet of an encoding that can be reused for another task than the one it was learned for."""

    @property
    def form(self) -> str:
        """What it reads, as messages put it: ``texts``, ``lists of words``."""

    @property
    def settled(self) -> dict[str, str | bool]:
        """The options that were fixed when it was learned: name -> value."""

    def reads(self, array: pa.ChunkedArray) -> bool:
        """Whether it can read a column, even one that would be inferred as another kind."""

    def reused(self, options: Any, role: Role) -> Self:
        """The same vocabulary, framed and read as the other task needs; ``options`` are those of its kind."""


class Statistics(Protocol):
    """What an encoding is made of, collected from the training rows part by part, in their order."""

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Add the next part of the column.

        Args:
            array: the part.
            where: how errors name it.

        Raises:
            DataError: a value cannot be encoded.
        """

    def fitted(self) -> Encoding | Statistics:
        """The encoding; or, if it takes another pass over the column, what collects there."""


@runtime_checkable
class Streamed(Protocol):
    """The facet of a kind whose encoding can be fitted part by part, and is the same to the bit as from all at once."""

    @classmethod
    def statistics(cls, options: Any, role: Role, where: Where, *, time: bool) -> Statistics | None:
        """What collects, or ``None`` if with these options the column must be seen whole.

        Args:
            options, role, where: as for `fit`.
            time: whether a cell is a list.
        """
