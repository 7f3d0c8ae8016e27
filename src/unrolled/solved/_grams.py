"""n-grams of tokens, and of the letters within words, as 64-bit numbers.

An n-gram is a polynomial over its ids, mixed: two of them meet in one number with a chance of 2⁻⁶⁴.

Axes: M tokens end to end, U distinct words, L letters.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["LetterGrams", "following", "letter_grams", "mixed", "spelled_words", "token_keys"]

_BASE, _ODD, _OTHER = 0x5851F42D4C957F2D, -0x61C8864680B583EB, -0x40A7B892E31B1A47  # odd, without a pattern
_SHORTEST, _LONGEST = 2, 5  # letters of an n-gram within a word, its ends included


class LetterGrams(NamedTuple):
    """The n-grams of the letters of distinct words.

    Attributes:
        words: (U,) the distinct words, ascending.
        bounds: (U + 1,) word u has the n-grams ``keys[bounds[u]:bounds[u + 1]]``.
        keys: the n-grams, with repetitions.
    """

    words: Tensor
    bounds: Tensor
    keys: Tensor


def mixed(numbers: Tensor) -> Tensor:
    """Numbers without a pattern, one for each of ``numbers`` (int64)."""
    for shift, factor in ((31, _ODD), (29, _OTHER), (32, 1)):
        numbers = (numbers ^ ((numbers >> shift) & ((1 << (64 - shift)) - 1))) * factor  # a shift without the sign
    return numbers


def token_keys(ids: Tensor) -> Tensor:
    """A number for each id, never 0."""
    keys = mixed(ids.long() + 1)
    return torch.where(keys == 0, 1, keys)


def spelled_words(letters: Tensor) -> Tensor:
    """(M,): a number for each word, of its letters (M, L) of any integer type; 0 pads a word. Never 0."""
    keys = torch.zeros(len(letters), dtype=torch.int64, device=letters.device)
    for column in letters.unbind(1):
        keys = torch.where(column > 0, keys * _BASE + column, keys)
    return token_keys(keys)


def following(tokens: Tensor, longest: int) -> list[tuple[Tensor, Tensor]]:
    """The n-grams of 1 … ``longest`` neighbouring tokens: where each ends (bool, (M,)) and its number (M,).

    Args:
        tokens: (M,) the numbers of tokens end to end; 0 is a gap, which no n-gram spans.
        longest: the most tokens of an n-gram.

    Example:
        >>> [ends.tolist() for ends, _ in following(torch.tensor([5, 6, 0, 7]), 2)]
        [[True, True, False, True], [False, True, False, False]]
    """
    ends, keys = tokens != 0, torch.where(tokens != 0, tokens, 0)
    found = [(ends, keys)]
    for _ in range(1, longest):
        before = torch.cat([ends.new_zeros(1), ends[:-1]])[: len(ends)]
        ends = before & (tokens != 0)
        keys = torch.cat([keys.new_zeros(1), keys[:-1]])[: len(keys)] * _BASE + tokens
        found.append((ends, mixed(keys)))
    return found


def letter_grams(words: Tensor, letters: Tensor, size: int) -> LetterGrams:
    """The n-grams of 2 … 5 letters within each distinct word, a mark before and behind it counted as letters.

    Args:
        words: (M,) the numbers of words.
        letters: (M, L) their letters, below ``size``; 0 pads a word.
        size: the number of different letters; it serves as the mark.
    """
    distinct, inverse = torch.unique(words, return_inverse=True)
    first = torch.empty_like(distinct)
    first[inverse.flip(0)] = torch.arange(len(words), device=words.device).flip(0)
    spelled = letters[first].long()
    lengths = (spelled > 0).sum(1)
    marked = torch.cat([torch.full_like(spelled[:, :1], size), spelled, torch.zeros_like(spelled[:, :1])], 1)
    marked[torch.arange(len(marked), device=words.device), lengths + 1] = size
    keys, found = marked, []
    for n in range(2, _LONGEST + 1):
        keys = keys[:, :-1] * _BASE + marked[:, n - 1 :]
        if n >= _SHORTEST and keys.shape[1]:
            inside = torch.arange(keys.shape[1], device=words.device) + n <= lengths[:, None] + 2
            at = inside.nonzero()[:, 0]
            found.append((at, mixed(keys[inside] * 8 + n)))
    at = torch.cat([at for at, _ in found])
    order = torch.argsort(at, stable=True)
    counts = torch.bincount(at, minlength=len(distinct))
    bounds = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return LetterGrams(distinct, bounds, torch.cat([keys for _, keys in found])[order])
