"""The facets of encodings: what some of them can tell beyond `unrolled.data.encodings.base.Encoding`.

A facet is a small protocol. An encoding has exactly the facets that suit it, and general code asks for the one that it
needs, ``isinstance(encoding, Labels)``, and never for a kind or a class.

Axes: C channels, V ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa

from unrolled.data.encodings.base import Role

__all__ = [
    "Channels",
    "Items",
    "Label",
    "Labels",
    "Letters",
    "Numbers",
    "Pitches",
    "Reusable",
    "Text",
    "Words",
]

Label = str | bool | int | float


@runtime_checkable
class Labels(Protocol):
    """The facet of an encoding whose values are labels from a fixed set."""

    @property
    def labels(self) -> Sequence[Label]:
        """The known labels, in the order of their ids, which are the last ones."""


@runtime_checkable
class Numbers(Protocol):
    """The facet of an encoding whose values are standardised numbers.

    Shape:
        mean, std: (C,) float64; ``z * std + mean`` is in the user's units. The first C numbers of a step are the
            values; behind them may stand what tells of missing ones.
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
    """The facet of `Numbers` that stand side by side in each step, each under a name."""

    @property
    def channels(self) -> Sequence[str]:
        """Their names, in order."""


@runtime_checkable
class Text(Protocol):
    """The facet of an encoding whose steps are symbols of a text, or items of a list, that a model can write.

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
        """Whether each row is ``<begin> … <end>``, so that a model learns where one starts and stops."""

    @property
    def never(self) -> tuple[int, ...]:
        """The ids that are no answer: what is unknown, and ``<begin>``."""

    @property
    def unit(self) -> Literal["character", "token"]:
        """What one step of it is called in a metric's name."""

    def encode_text(self, text: str) -> np.ndarray:
        """The ids of a prompt, which a model is to continue: begun where rows are framed, and not ended."""

    def decode_stream(self, begun: bool = False) -> Callable[[int], str]:
        """A function that takes ids one by one and returns what each adds to the text, ``begun`` or not."""

    def unseen(self, text: str) -> list[str]:
        """The characters or words of ``text`` that training did not hold, each once, in order."""


@runtime_checkable
class Items(Protocol):
    """The facet of an encoding each of whose steps is one item of a set, so that all of them can be ranked."""

    @property
    def first(self) -> int:
        """The id of the first item; what lies below it is unknown, missing or a mark."""


@runtime_checkable
class Words(Protocol):
    """The facet of an encoding whose ids may be words, to which a file of vectors can give vectors."""

    @property
    def words(self) -> Sequence[str] | None:
        """The words behind the last ids, in order; ``None`` where ids are something else."""

    @property
    def lowered(self) -> bool:
        """Whether they are in lower case, whatever the texts were in."""


@runtime_checkable
class Letters(Protocol):
    """The facet of an encoding of DNA, RNA or protein."""

    @property
    def alphabet(self) -> Literal["DNA", "RNA", "protein"]:
        """Which letters they are."""

    @property
    def per_step(self) -> int:
        """How many letters make one step; with more than one, neighbouring steps overlap."""

    @property
    def complement(self) -> np.ndarray | None:
        """(V,) int64, the id that stands opposite each on the other strand; ``None`` where one strand is read."""


@runtime_checkable
class Pitches(Protocol):
    """The facet of an encoding whose steps may be notes, which can be moved to another key."""

    @property
    def keys(self) -> np.ndarray | None:
        """(V,) or (C,) int64, the key of each id or channel, -1 where it is none; ``None`` where steps are no notes."""

    @property
    def is_roll(self) -> bool:
        """Whether a step is the 88 keys of a piano, each 0 or 1 and none ever missing."""


@runtime_checkable
class Reusable(Protocol):
    """The facet of an encoding that suits another question than the one it was learned for."""

    @property
    def form(self) -> str:
        """What it reads, as a message says it: ``texts``, ``lists of words``."""

    @property
    def settled(self) -> dict[str, str]:
        """The options that were settled when it was learned: name -> value."""

    def reads(self, array: pa.ChunkedArray) -> bool:
        """Whether it could read a column, also one that looks rather like another kind."""

    def reused(self, options: Any, role: Role) -> Self:
        """The same vocabulary, framed and read as the other question asks; ``options`` are those of its kind."""
