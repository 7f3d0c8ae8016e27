"""The columns of tokens of a task as one stream each, and which n-grams occur in each row.

Axes: B rows, T steps, M tokens end to end, L letters, S ids of letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch, Discrete, Spec, Spelled, lengths_of, letters_of
from unrolled.data.encodings.facets import Spells
from unrolled.data.examples.examples import Examples
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.layers.lengths import real_steps
from unrolled.solved._grams import following, letter_grams, mixed, spelled_words, token_keys

__all__ = ["Occurrences", "TextColumn", "TokenStream", "folded_letters", "text_columns"]

_FEW = 1_000  # ids of a column of letters or symbols, at most: their n-grams may be longer
_PAIRS, _TRIPLES, _FIVE = 2, 3, 5


class TokenStream(NamedTuple):
    """Tokens of all rows end to end, with gaps between rows.

    Attributes:
        tokens: (M,) the number of each token; 0 is a gap.
        rows: (M,) the row of each token.
        new: (M,) bool, False for tokens that were read before, which only begin n-grams, and for gaps.
        letters: (M, L) in lower case, or ``None``.
    """

    tokens: Tensor
    rows: Tensor
    new: Tensor
    letters: Tensor | None


class Occurrences(NamedTuple):
    """The n-grams of one kind: the n-gram ``keys[at[i]]`` occurs in row ``rows[i]``, as often as it is listed."""

    rows: Tensor
    at: Tensor
    keys: Tensor
    group: int


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of tokens.

    Attributes:
        name: its name.
        axis: its side sequence; ``None``: it belongs to the main sequence.
        spelled: the number of ids of letters; 0 where the letters of its words are not known.
        longest: the most tokens of an n-gram.
        group: the number of its n-grams of tokens; the next number is that of its n-grams of letters.
    """

    name: str
    axis: str | None
    spelled: int
    longest: int
    group: int

    def of_examples(self, examples: Examples, fold: Tensor | None) -> TokenStream:
        """All rows of a split."""
        column, gap = examples.inputs[self.name], self.longest - 1
        lengths = column.lengths()
        rows = np.repeat(np.arange(len(lengths)), lengths)
        at = torch.from_numpy(np.arange(len(rows)) + gap * (rows + 1))
        total = len(rows) + gap * (len(lengths) + 1)
        words, letters = self._words(torch.from_numpy(np.asarray(column.values).astype(np.int64)), None, fold)
        if self.spelled:
            spelled = torch.from_numpy(np.asarray(examples.inputs[letters_of(self.name)].values).astype(np.int16))
            words, letters = self._words(None, spelled, fold)
        stream = torch.zeros(total, dtype=torch.int64).index_put((at,), words)
        of = torch.zeros(total, dtype=torch.int64).index_put((at,), torch.from_numpy(rows))
        if letters is not None:
            letters = letters.new_zeros(total, letters.shape[1]).index_put((at,), letters)
        return TokenStream(stream, of, stream != 0, letters)

    def of_batch(self, batch: Batch, before: Tensor, fold: Tensor | None) -> tuple[TokenStream, Tensor]:
        """The rows of a batch, behind the last tokens before it (B, longest - 1), and the last tokens after it."""
        ids, lengths = batch.inputs[self.name], batch.lengths
        if self.axis is not None:
            lengths = batch.inputs[lengths_of(self.axis)]
        real = real_steps(lengths, ids.shape[1])
        letters = batch.inputs[letters_of(self.name)] if self.spelled else None
        flat = None if letters is None else torch.where(real[..., None], letters, 0).flatten(0, 1)
        words, spelled = self._words(torch.where(real, ids, 0).flatten(), flat, fold)
        words = torch.where(real, words.view(ids.shape), 0)
        stream = torch.cat([before, words], 1)  # (B, C + T)
        new = torch.cat([torch.zeros_like(before, dtype=torch.bool), real], 1)
        rows = torch.arange(len(ids), device=ids.device)[:, None].expand_as(stream)
        if spelled is not None:
            spelled = spelled.view(*ids.shape, -1)
            spelled = torch.cat([spelled.new_zeros(*before.shape, spelled.shape[2]), spelled], 1).flatten(0, 1)
        last = lengths[:, None] + torch.arange(before.shape[1], device=ids.device)
        return TokenStream(stream.flatten(), rows.flatten(), new.flatten(), spelled), stream.gather(1, last)

    def _words(self, ids: Tensor | None, letters: Tensor | None, fold: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The number of each word, of its letters where they are known, and its letters in lower case."""
        if letters is None or fold is None:
            assert ids is not None
            return token_keys(ids), None
        letters = fold[letters.long()]
        return spelled_words(letters), letters

    def occurrences(self, stream: TokenStream) -> Iterator[Occurrences]:
        """The n-grams of tokens, of 1 … ``longest``, and those of 2 … 5 letters within words."""
        for order, (ends, keys) in enumerate(following(stream.tokens, self.longest)):
            kept = ends & stream.new
            distinct, at = torch.unique(keys[kept], return_inverse=True)
            yield Occurrences(stream.rows[kept], at, mixed(distinct + 64 * self.group + order), self.group)
        if stream.letters is not None:
            words, rows = stream.tokens[stream.new], stream.rows[stream.new]
            grams = letter_grams(words, stream.letters[stream.new], self.spelled)
            distinct, place = torch.unique(grams.keys, return_inverse=True)
            word = torch.searchsorted(grams.words, words)
            counts = grams.bounds.diff()[word]
            ends = counts.cumsum(0)
            first = (grams.bounds[word] - ends + counts).repeat_interleave(counts)
            at = place[first + torch.arange(len(first), device=first.device)]
            keys = mixed(distinct + 64 * (self.group + 1))
            yield Occurrences(rows.repeat_interleave(counts), at, keys, self.group + 1)


def text_columns(specs: Mapping[str, Spec]) -> list[TextColumn]:
    """The columns of tokens over time, or in a side sequence.

    Words have pairs, other tokens triples, and letters and symbols n-grams of up to 5; a set has no order.
    """
    found: list[TextColumn] = []
    for name, spec in specs.items():
        if isinstance(spec, Discrete) and (spec.time or spec.side is not None) and spec.encoder is None:
            letters = specs.get(letters_of(name))
            spelled = letters.size if isinstance(letters, Spelled) else 0
            longest = _PAIRS if spelled else _FIVE if spec.size <= _FEW else _TRIPLES
            if spec.side is not None and not spec.side.ordered:
                longest = 1
            axis = None if spec.side is None else spec.side.axis
            found.append(TextColumn(name, axis, spelled, longest, 2 * len(found)))
    return found


def folded_letters(coder: Preprocessor, column: TextColumn) -> Tensor:
    """(S,) int64: for each id of a letter that of the same letter in lower case."""
    fold, encoding = np.arange(column.spelled), coder.inputs[column.name]
    spelling = encoding.spelling if isinstance(encoding, Spells) else None
    if spelling is not None:
        first = column.spelled - len(spelling.alphabet)
        place = {letter: first + index for index, letter in enumerate(spelling.alphabet)}
        fold[first:] = [place.get(letter.lower(), own) for letter, own in place.items()]
    return torch.from_numpy(fold)
