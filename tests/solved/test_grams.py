"""n-grams as numbers: which there are, and that different ones differ."""

from __future__ import annotations

import torch

from unrolled.solved._grams import following, letter_grams, mixed, spelled_words, token_keys


def test_no_ngram_spans_a_gap() -> None:
    tokens = torch.tensor([3, 4, 4, 0, 3, 4])
    ones, pairs, triples = following(tokens, 3)
    assert ones[0].tolist() == [True, True, True, False, True, True]
    assert pairs[0].tolist() == [False, True, True, False, False, True]
    assert triples[0].tolist() == [False, False, True, False, False, False]
    assert pairs[1][1] == pairs[1][5] != pairs[1][2]


def test_words_are_told_apart_by_all_of_their_letters() -> None:
    letters = torch.tensor([[1, 2, 0], [2, 1, 0], [1, 2, 3], [1, 2, 0], [0, 0, 0], [1, 0, 0]])
    keys = spelled_words(letters)
    assert keys[0] == keys[3] and len(set(keys.tolist())) == 5 and not (keys == 0).any()


def test_the_ngrams_of_letters_know_the_ends_of_words() -> None:
    """ab: ^a ab b$, ^ab ab$, ^ab$; one letter a: ^a a$, ^a$."""
    letters = torch.tensor([[1, 2, 0], [1, 0, 0], [1, 2, 0]])
    words = spelled_words(letters)
    found = letter_grams(words, letters, 9)
    parts = {
        int(word): found.keys[a:b].tolist()
        for word, a, b in zip(found.words, found.bounds[:-1], found.bounds[1:], strict=True)
    }
    assert len(parts) == 2
    long, short = parts[int(words[0])], parts[int(words[1])]
    assert len(set(long)) == len(long) == 6 and len(set(short)) == len(short) == 3
    assert len(set(long) & set(short)) == 1  # ^a


def test_mixing_loses_nothing() -> None:
    numbers = torch.arange(-50_000, 50_000)
    assert len(torch.unique(mixed(numbers))) == len(torch.unique(token_keys(numbers))) == 100_000
    assert len(torch.unique(mixed(numbers) & 0xFFFFF)) > 90_000  # the low digits are as good as drawn
