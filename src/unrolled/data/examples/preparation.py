"""How a run prepares its columns: what the user says about each kind, and what the task takes where nothing is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unrolled.config import Part
from unrolled.data.encodings.base import ENCODINGS

__all__ = ["Preparation"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a run prepares its columns.

    Attributes:
        options: kind of column -> a user's options for it; a kind that is missing has its defaults.
        tokens: what a token of a text is where the user does not say (see `Role`).
        encoder: the folder of a pretrained encoder, whose tokens are those of the texts that are read.
        cut: the rows end where they were cut to be split, so that their ends say nothing, and none is framed.
        shared: the texts that are read and those that are written have one vocabulary.
        by_window: each window of a forecast is scaled by its own mean and deviation.
    """

    options: Mapping[str, Part] = field(default_factory=dict)
    tokens: Literal["characters", "words", "bpe", "bytes", "words or bpe"] = "characters"
    encoder: Path | None = None
    cut: bool = False
    shared: bool = False
    by_window: bool = False

    def of(self, kind: str) -> Any:
        """The options of a kind: an instance of its ``Options``.

        Example:
            >>> Preparation().of("number").missing
            'refuse'
        """
        return self.options[kind] if kind in self.options else ENCODINGS.get(kind).Options()
