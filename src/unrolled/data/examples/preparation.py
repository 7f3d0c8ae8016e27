"""How a run prepares its columns: the user's options for each kind, and the defaults of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unrolled.config import Part
from unrolled.data.encodings.encoding import ENCODINGS, Role
from unrolled.data.examples.roles import Roles

__all__ = ["Preparation"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a run prepares its columns.

    Attributes:
        options: kind of column -> the user's options for it; a kind that is missing has its defaults.
        tokens: the default tokenisation of texts (see `Role`).
        encoder: the folder of a pretrained encoder, whose tokenizer is used for the input texts.
        cut: rows were cut in two for the split, so that their ends mean nothing and no row is framed.
        shared: the input texts and the target texts share one vocabulary.
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

    def role_of(self, name: str, roles: Roles) -> Role:
        """The part that the column ``name`` plays, as its encoding sees it; joined columns have their own."""
        form, target = roles.form, roles.target
        if name == target and not form.continues:
            return Role(closed=True, framed=form.writes, tokens=self.tokens)
        # Beside other inputs a text has no <begin> and <end>: the others have no value there.
        framed = form.predicts_next and roles.inputs == (target,) and not self.cut
        return Role(
            read=name != target or not form.predicts_next, framed=framed, tokens=self.tokens, encoder=self.encoder
        )
