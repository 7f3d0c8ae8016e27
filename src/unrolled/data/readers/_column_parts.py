"""Which column of a column file holds the words, which numbers them, and which one is the label that is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["UNIVERSAL", "Parts", "asked_for", "like_sentences", "parts_of"]

UNIVERSAL = ("id", "words", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_TAG = re.compile(r"O|[BIESLUM]-\S+")  # of IOB, IOB2, BIOES and BILOU
_NUMBER = re.compile(r"[0-9]+([-.][0-9]+)?")
_MARK = re.compile(r"[A-Z$#.,:;'`\"()/|*+_=?!-]{1,12}")  # a part of speech, such as NNP, PRP$ or a comma
_HEADS = ("-DOCSTART-", "# sent_id", "# text =", "# newdoc")
_SENTENCES, _FEW = 3, 60  # fewest sentences and most distinct marks of a file without a suffix that names the format
_MOST = 0.8  # share of lines that end with a tag


@dataclass(frozen=True, slots=True)
class Parts:
    """The names of the columns, and which of them numbers the words of a sentence and which holds them."""

    names: tuple[str, ...]
    index: int | None
    words: int


def parts_of(sentences: Sequence[Sequence[Sequence[str]]], universal: bool) -> Parts:
    """The parts of the columns of a file, as its first ``sentences``, lists of tokens and their fields, show them."""
    width = len(sentences[0][0])
    if universal or _is_universal(sentences):
        return Parts(UNIVERSAL, 0, 1)
    index = 0 if _numbered(sentences) else None
    first = 0 if index is None else 1
    fields = [[token[at] for sentence in sentences for token in sentence] for at in range(width)]
    words = first
    if width - first > 1 and _tags(fields[first]) and not _tags(fields[-1]):
        words = width - 1  # some files have the tag before the word
    names = [f"column{at + 1}" for at in range(width)]
    if index is not None:
        names[index] = "index"
    if width - first > 1:
        names[first if words == width - 1 else -1] = "tags"
    names[words] = "words"
    return Parts(tuple(names), index, words)


def asked_for(columns: Sequence[pa.Array], parts: Parts) -> tuple[int, str] | None:
    """The column that a model should predict, and why; ``None`` if there are only words.

    Of a treebank, the parts of speech; otherwise the last column of entity tags, or the one with the most entities
    where several mark entities of the same types; without such a column, the last one, with two labels if any has.
    """
    places = [at for at in range(len(columns)) if at not in (parts.index, parts.words)]
    if parts.names == UNIVERSAL:
        places = places[1:3]
    counts = {at: _counts(columns[at]) for at in places}
    places = [at for at in places if len(counts[at]) > 1] or places[:1]
    tags = [at for at in places if _tags(counts[at])]
    if tags:
        best = tags[-1]
        for at in tags:  # of nested entities, the outer ones
            alike = _types(counts[at]) & _types(counts[best])
            if alike and _entities(counts[at]) >= _entities(counts[best]):
                best = min(at, best)
        return best, "it holds tags of entities"
    if parts.names == UNIVERSAL:
        return places[0], "it holds parts of speech"
    return (places[-1], "it is the last column with labels") if places else None


def like_sentences(lines: Sequence[str]) -> int:
    """How sure the first ``lines`` of a file are sentences in columns: 0, 60 or 100.

    A token and its labels are on each line, with the same number of fields, separated by tabs or by blanks, and empty
    lines end the sentences; one column holds tags of entities or few marks, such as parts of speech.

    Example:
        >>> like_sentences(["Ann B-PER", "runs O", "", "So O"]), like_sentences(["to be", "or not", "", "to be"])
        (100, 0)
    """
    declared = any(line.startswith(_HEADS) for line in lines)
    tokens = [line for line in lines if line.strip() and not line.startswith((*_HEADS, "# "))]
    if len(tokens) < (1 if declared else 2):
        return 0
    empty = sum(1 for line, after in pairwise(lines) if not line.strip() and after.strip())
    separator = "\t" if "\t" in tokens[0] else None
    rows = [[field.strip() for field in line.strip("\n\r ").split(separator)] for line in tokens]
    last = [row[-1] for row in rows if row[-1]]
    tags = [text for text in last if _TAG.fullmatch(text)]
    if len(rows[0]) > 1 and empty and _tags(tags) and len(tags) >= _MOST * len(last):
        return 100  # a line with too few fields is an error that the reader names
    if len(rows[0]) < 2 or any(len(row) != len(rows[0]) for row in rows):
        return 0
    if declared:
        return 100
    if any(_tags(column) for column in zip(*rows, strict=True)):
        return 100 if empty else 60 if _tags(last) else 0
    if len(rows[0]) == len(UNIVERSAL) and _is_universal([rows]):
        return 100
    return 100 if empty + 1 >= _SENTENCES and _marks(last) else 0


def _marks(texts: Sequence[str]) -> bool:
    """Whether ``texts`` are few marks that come again, such as parts of speech; the first is no name of a column."""
    distinct = set(texts)
    few = 1 < len(distinct) <= min(_FEW, len(texts) // 2) and texts.count(texts[0]) > 1
    return few and all(_MARK.fullmatch(mark) for mark in distinct)


def _is_universal(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    """CoNLL-U and CoNLL-X: ten columns, of which the first numbers the words and the seventh names a head."""
    tokens = [token for sentence in sentences for token in sentence]
    if len(tokens[0]) != len(UNIVERSAL):
        return False
    return all(_NUMBER.fullmatch(token[0]) and (token[6].isdigit() or token[6] == "_") for token in tokens)


def _numbered(sentences: Sequence[Sequence[Sequence[str]]]) -> bool:
    """Whether the first of two or more columns numbers the words of each sentence."""
    width = len(sentences[0][0])
    if width < 2 or not all(_NUMBER.fullmatch(token[0]) for sentence in sentences for token in sentence):
        return False
    if width > 2 and not all(_NUMBER.fullmatch(token[1]) for sentence in sentences for token in sentence):
        return True
    return all(_consecutive(sentence) for sentence in sentences) and any(len(sentence) > 1 for sentence in sentences)


def _consecutive(sentence: Sequence[Sequence[str]]) -> bool:
    numbers = [int(token[0]) for token in sentence if token[0].isdigit()]
    return bool(numbers) and numbers[0] <= 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _tags(texts: Iterable[str]) -> bool:
    """Whether all ``texts`` are tags of entities, and not all are ``O``."""
    distinct = set(texts)
    return len(distinct) > 1 and all(_TAG.fullmatch(text) for text in distinct)


def _counts(column: pa.Array) -> dict[str, int]:
    values, counts = pc.value_counts(column).flatten()
    return dict(zip(values.to_pylist(), counts.to_pylist(), strict=True))


def _types(counts: dict[str, int]) -> set[str]:
    return {text[2:] for text in counts if text != "O"}


def _entities(counts: dict[str, int]) -> int:
    return sum(count for text, count in counts.items() if text != "O" and text[0] in "BSU")
