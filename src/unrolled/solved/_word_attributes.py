"""What is looked at of a word and its neighbours: the word, its beginnings and ends, its shape.

Axes: B rows, T steps, M words, L letters, J attributes of a step, S ids of letters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.batch import Discrete, Spec, Spelled, letters_of
from unrolled.data.encodings.facets import Spells
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.solved._grams import mixed, spelled_words, token_keys

__all__ = ["ATTRIBUTES", "WordColumn", "attributes", "keys_of", "letter_tables", "templates", "word_columns"]

_ENDS = 4  # letters of the longest beginning and end
_WORD, _LOWER, _BEGINS, _ENDINGS = 0, 1, 2, 2 + _ENDS
_SHAPE, _SHORT = 2 + 2 * _ENDS, 3 + 2 * _ENDS
ATTRIBUTES = 4 + 2 * _ENDS  # of a word whose letters are known
_FEW = 1_000  # ids of a column of symbols, at most: its triples are features too

Template = tuple[tuple[int, int], ...]  # (attribute, how many steps later) of each part


@dataclass(frozen=True, slots=True)
class WordColumn:
    """A column with a token at each step.

    Attributes:
        name: its name.
        spelled: the number of ids of letters; 0 where the letters of its words are not known.
        size: the number of its ids.
        first: the place of its attributes among those of all columns.
    """

    name: str
    spelled: int
    size: int
    first: int

    @property
    def count(self) -> int:
        """How many attributes it has."""
        return ATTRIBUTES if self.spelled else 1


def word_columns(specs: Mapping[str, Spec]) -> list[WordColumn]:
    """The columns of tokens over time."""
    found: list[WordColumn] = []
    for name, spec in specs.items():
        if isinstance(spec, Discrete) and spec.time and spec.encoder is None:
            letters = specs.get(letters_of(name))
            first = found[-1].first + found[-1].count if found else 0
            found.append(WordColumn(name, letters.size if isinstance(letters, Spelled) else 0, spec.size, first))
    return found


def templates(columns: Sequence[WordColumn], ahead: int) -> list[Template]:
    """What a feature is made of: attributes of a step and of the two steps before and behind it.

    Args:
        columns: the columns.
        ahead: the steps behind that may be read, 0 … 2.
    """
    found: list[Template] = []
    for column in columns:
        near, far = (
            ((0,), (0,)) if not column.spelled else ((_LOWER, _BEGINS + 2, _ENDINGS + 2, _SHORT), (_LOWER, _SHORT))
        )
        word = near[0]
        own: list[Template] = [((which, 0),) for which in range(column.count)]
        own += [((which, at),) for at in (-1, 1) for which in near]
        own += [((which, at),) for at in (-2, 2) for which in far]
        own += [((word, -1), (word, 0)), ((word, 0), (word, 1))]
        if column.spelled:
            own.append(((_SHORT, -1), (_SHORT, 0), (_SHORT, 1)))
        elif column.size <= _FEW:
            own += [((0, at - 2), (0, at - 1), (0, at)) for at in range(3)]
        found += [tuple((column.first + which, at) for which, at in one) for one in own]
    return [one for one in found if max(at for _, at in one) <= ahead]


def attributes(ids: Tensor, letters: Tensor | None, tables: Tensor | None) -> Tensor:
    """(M, J): the attributes of words as numbers without a pattern, never 0.

    Args:
        ids: (M,) their ids.
        letters: (M, L) their letters, 0 behind a word; ``None`` where they are not known.
        tables: (2, S): the lower case, and the kind, of each letter; see `letter_tables`.
    """
    if letters is None or tables is None:
        return token_keys(ids)[:, None]
    letters = letters.long()
    lower, kinds = tables[0][letters], tables[1][letters]
    lengths = (letters > 0).sum(1, keepdim=True)
    found = [spelled_words(letters), spelled_words(lower)]
    found += [spelled_words(lower[:, : n + 1]) for n in range(_ENDS)]
    for n in range(1, _ENDS + 1):
        at = lengths - n + torch.arange(n, device=letters.device)
        found.append(spelled_words(torch.where(at >= 0, lower.gather(1, at.clamp_min(0)), 0)))
    again = torch.cat([torch.zeros_like(kinds[:, :1], dtype=torch.bool), kinds[:, 1:] == kinds[:, :-1]], 1)
    return torch.stack([*found, spelled_words(kinds), spelled_words(torch.where(again, 0, kinds))], 1)


def keys_of(window: Tensor, made: Sequence[Template]) -> Tensor:
    """(B, T, templates): the number of each feature of each step.

    Args:
        window: (B, 2 + T + 2, J) the attributes of the steps, with two more before and behind; 0 beyond a row.
        made: the templates.
    """
    steps, found = window.shape[1] - 4, []
    for number, parts in enumerate(made):
        key = torch.full((*window.shape[:1], steps), number + 1, dtype=torch.int64, device=window.device)
        for which, at in parts:
            key = mixed(key + window[:, 2 + at : 2 + at + steps, which])
        found.append(key)
    return torch.stack(found, 2)


def letter_tables(coder: Preprocessor, column: WordColumn) -> Tensor:
    """(2, S) int64: for each id of a letter that of the same letter in lower case, and what kind of letter it is.

    Capitals are one kind, and so are small letters, digits, and letters without case; each other sign is its own kind.
    """
    tables, encoding = torch.arange(column.spelled).repeat(2, 1), coder.inputs[column.name]
    spelling = encoding.spelling if isinstance(encoding, Spells) else None
    if spelling is not None:
        first = column.spelled - len(spelling.alphabet)
        place = {letter: first + index for index, letter in enumerate(spelling.alphabet)}
        for letter, own in place.items():
            tables[0, own] = place.get(letter.lower(), own)
            tests = (letter.isupper(), letter.islower(), letter.isdigit(), letter.isalpha())
            tables[1, own] = column.spelled + tests.index(True) if any(tests) else own
    return tables
