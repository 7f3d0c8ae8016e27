"""Lists of tokens: each item of a cell is one token. Items are texts, or whole numbers read as texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pyarrow as pa

from unrolled.batch import Discrete
from unrolled.config import Part, option
from unrolled.data.encodings._cells import is_text, plain, smallest_dtype
from unrolled.data.encodings._gather import Gather, frame
from unrolled.data.encodings._level import BEGIN, END, SPECIALS, UNKNOWN, stream, unknown_rate
from unrolled.data.encodings._normal import KeptForm, Normal, normal_text, normal_texts
from unrolled.data.encodings._spelling import Spelling, reads_letters
from unrolled.data.encodings._stored import load
from unrolled.data.encodings._stored_tokens import StoredTokens, level_of, spelling_of, stored_appended, stored_letters
from unrolled.data.encodings._texts import checked, filled, filled_texts, open_texts, starts
from unrolled.data.encodings._vocabulary import VocabularyOptions
from unrolled.data.encodings._words import WordCounts, Words
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where, has_time
from unrolled.errors import DataError, ModelError, UsageError, named

__all__ = ["ItemStatistics", "ListOptions", "TokenLists"]

_EVENT = re.compile(r"[tpd]\d{1,3}")  # see `unrolled.music.events`
_KEYS = 128  # of MIDI


class ListOptions(VocabularyOptions):
    """The options for lists of tokens."""

    normalise: Literal["none", "nfc", "nfd", "nfkc"] | None = option(
        None,
        "Unicode normal form that texts are converted to. Default: nfc where they are only read; where they are "
        "written, nfc or nfd if all training texts are in it, else none.",
        also=("normalize", "unicode_normalization", "normal_form"),
    )
    min_count: int | None = option(
        None,
        "Keep words and items that occur at least this often in the training data; others are unknown. For bpe: merge "
        "pairs that do. Default: 1 (bpe 2), or 2 (bpe 10) if there are 10000 words or items in all.",
        ge=1,
        also=("least", "min_freq", "min_frequency", "min_df", "minimum_count"),
    )
    letters: bool | None = option(
        None,
        "Read the letters of each word too, so that words which are rare, or were not seen in training, say something. "
        "Default: no.",
        also=("char_embeddings", "character_embeddings", "use_chars", "char_cnn", "spelling"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TokenLists:
    """A column of lists of tokens, such as words, clicks or the events of a piece of music.

    Attributes:
        level: the known items.
        framed: each row is put between ``<begin>`` and ``<end>``.
        normal: the Unicode normal form that an item is converted to first.
        spelling: the letters of the items; ``None`` where they are not read.

    Example:
        >>> column = pa.chunked_array([[["red", "blue", "red"]]])
        >>> lists = TokenLists.fit(column, ListOptions(), Role(), Where("memory", "clicks"))
        >>> lists.encode(column, Where("memory", "clicks")).values
        array([3, 4, 3], dtype=uint8)
    """

    Options: ClassVar[type[Part]] = ListOptions

    kind: ClassVar[str] = "tokens"
    traits: ClassVar[Traits] = Traits(text=True, verbatim=True)
    rule: ClassVar[str] = "the id of each item: 0 is <unknown>, 1 <begin>, 2 <end>, then the symbols in their order"
    form: ClassVar[str] = "lists of words"
    first: ClassVar[int] = SPECIALS
    begin: ClassVar[int] = BEGIN
    end: ClassVar[int] = END
    never: ClassVar[tuple[int, ...]] = (UNKNOWN, BEGIN)
    unit: ClassVar[Literal["character", "token"]] = "token"
    folded: ClassVar[bool] = False
    is_roll: ClassVar[bool] = False

    level: Words
    framed: bool
    normal: Normal = "none"
    spelling: Spelling | None = None

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        """70 for lists of texts. The column's kind is chosen by `Tokens.recognises`."""
        array = plain(array)
        return 70 if has_time(array.type) and is_text(array.type.value_type) else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: ListOptions, role: Role, where: Where) -> TokenLists:
        """Learn the vocabulary.

        Raises:
            DataError: the column does not hold lists of texts or whole numbers, or a text is not UTF-8.
        """
        found = ItemStatistics(options, role)
        found.add(array, where)
        lists = found.fitted()
        if not reads_letters(options.letters, role):
            return lists
        if lists.keys is not None:
            raise UsageError(
                f"{named('letters')} only works with words, but {where.column!r} holds the events of music"
            )
        return replace(lists, spelling=Spelling.fit(filled_texts(array, where, lists.normal, items=True)))

    @classmethod
    def statistics(cls, options: ListOptions, role: Role) -> ItemStatistics | None:
        """What the vocabulary is made of, to be collected part by part; letters are learned from all items at once."""
        return None if options.letters else ItemStatistics(options, role)

    @property
    def spec(self) -> Discrete:
        """The items, including the three special tokens."""
        return Discrete(self.level.size, appended=self.appended)

    @property
    def appended(self) -> int:
        """How many of the items, the last ones, came after the first training."""
        return self.level.appended

    @property
    def words(self) -> Sequence[str]:
        """The known items."""
        return self.level.symbols()

    @property
    def keys(self) -> np.ndarray | None:
        """(V,) int64, the pitch that each event switches on, else -1; ``None`` if the items are not events of music."""
        if not all(map(_EVENT.fullmatch, self.words)):
            return None
        keys = np.array([-1] * SPECIALS + [int(word[1:]) if word[0] == "p" else -1 for word in self.words])
        return keys if 0 <= keys.max() < _KEYS else None

    @property
    def settled(self) -> dict[str, str | bool]:
        """The options that `fit` settled: what a token is, and whether its letters are read."""
        return {"tokens": self.level.name, "letters": self.spelling is not None}

    def reads(self, array: pa.ChunkedArray) -> bool:
        """Whether a column holds lists of texts, even if they look like labels."""
        return self.recognises(array) > 0

    def reused(self, options: ListOptions, role: Role) -> Self:
        """The same items, framed if ``role`` is, and with their letters where they are only read."""
        return replace(self, framed=role.framed, spelling=self.spelling if role.read else None)

    def extended(self, array: pa.ChunkedArray, options: ListOptions, where: Where) -> Self:
        """The same, with the items of a column that are not known yet appended, the most frequent first;
        the events of music stay as they are.
        """
        if self.keys is not None:
            return self
        texts = filled_texts(array, where, self.normal, items=True)
        return replace(self, level=self.level.extended(texts, options.vocabulary, options.min_count))

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N,) unsigned integers, as narrow as the vocabulary allows.

        Raises:
            DataError: the column does not hold lists of texts or whole numbers, or a text is not UTF-8.
        """
        cells = open_texts(plain(array), where, items=True)
        assert cells.offsets is not None
        ids = [self.level.encode(normal_texts(chunk, self.normal))[0] for chunk in cells.flat.chunks]
        values = np.concatenate([np.zeros(0, smallest_dtype(self.level.size)), *ids])
        if not self.framed:
            return Encoded(values, cells.offsets)
        values, lengths = frame(values, np.diff(cells.offsets), BEGIN, END, first=True, last=True)
        return Encoded(values, starts(lengths))

    def spell(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        """(N, L) unsigned integers: the letters of each item; memory-mapped from ``cache`` if over 64 MB."""
        assert self.spelling is not None
        cells = open_texts(plain(array), where, items=True)
        gather = Gather(self.spelling.dtype, cache)
        for chunk in cells.flat.chunks:
            gather.add(self.spelling.encode(normal_texts(chunk, self.normal)))
        return Encoded(gather.finish().reshape(-1, self.spelling.width), cells.offsets)

    def spell_live(self, value: Any) -> np.ndarray:
        """(1, L), the letters of an item that `encode_live` takes."""
        assert self.spelling is not None
        item = None if value is None else normal_text(str(value), self.normal)
        return self.spelling.encode(pa.array([item], pa.large_string()))

    def encode_text(self, text: str) -> np.ndarray:
        """The ids of a prompt, its items separated by spaces; with ``<begin>`` if framed, but without ``<end>``."""
        ids = self._ids(text.split())
        return np.concatenate([np.array([BEGIN], ids.dtype), ids]) if self.framed else ids

    def encode_live(self, value: Any, before: Sequence[float], where: Where) -> tuple[np.ndarray, list[float]]:
        """(1,), the id of one item, and an empty memory. ``None`` is unknown.

        Raises:
            DataError: it is neither a text nor a whole number.
        """
        if value is None:
            return np.array([UNKNOWN], smallest_dtype(self.level.size)), []
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            message = f"expected one item, a text or a whole number, got {str(value)[:40]!r}"
            raise DataError(message, file=where.file, column=where.column)
        return self._ids([value]), []

    @property
    def remembers(self) -> bool:
        """No: an item does not depend on the one before."""
        return False

    def encode_together(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """(N,), the ids of N items, and (N,) bool: which of them are ASCII texts."""
        fits = np.array([type(value) is str and value.isascii() for value in values], bool)
        texts = [value if fit else None for value, fit in zip(values, fits.tolist(), strict=True)]
        return self.level.encode(pa.array(texts, pa.large_string()))[0], fits

    def decode(self, values: np.ndarray) -> list[str]:
        """The list, without ``<begin>`` and ``<end>``; unknown items appear as ``<unknown>``."""
        ids = np.asarray(values)
        return self.level.words(ids[(ids != BEGIN) & (ids != END)])

    def decode_stream(self, before: str = "") -> Callable[[int], str]:
        """A function that takes ids one by one and returns each as text, after a space unless it is the first."""
        return stream(self.level, before)

    def unseen(self, text: str) -> list[str]:
        """The items of ``text`` that were not in the training data, each once, in order."""
        items = list(dict.fromkeys(normal_text(text, self.normal).split()))
        return [item for item, id_ in zip(items, self._ids(items).tolist(), strict=True) if id_ == UNKNOWN]

    def to_config(self) -> dict[str, Any]:
        """The items, as JSON."""
        return {
            "kind": self.kind,
            "level": self.level.name,
            "framed": self.framed,
            "items": True,
            "normal": self.normal,
            "symbols": self.level.symbols(),
            **stored_letters(self.spelling),
            **stored_appended(self.level),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `to_config`.

        Raises:
            ModelError: ``config`` is not a valid configuration of this encoding.
        """
        return cls.of(load(StoredTokens, config, cls.kind))

    @classmethod
    def of(cls, stored: StoredTokens) -> Self:
        """The encoding that was stored in a file.

        Raises:
            ModelError: its items are not words.
        """
        level = level_of(stored)
        if not isinstance(level, Words):
            raise ModelError(f"the tokens encoding of this model cannot be read: lists cannot have {stored.level}")
        return cls(level, stored.framed, stored.normal, spelling_of(stored))

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        """What the user should know about an encoded column: how many items are unknown, or ``""``."""
        rate = unknown_rate(encoded.values)
        return f"{rate:.2%} of the items are rare, or were not seen in training" if rate else ""

    def report(self) -> str:
        """A one-line summary."""
        return self.level.report() + (", with their letters" if self.spelling else "")

    def _ids(self, items: list[str]) -> np.ndarray:
        texts = [normal_text(item, self.normal) for item in items]
        return self.level.encode(pa.array(texts, pa.large_string()))[0]


class ItemStatistics:
    """Collects the items of the training split part by part."""

    def __init__(self, options: ListOptions, role: Role) -> None:
        self._options, self._framed = options, role.framed
        self._asked: Normal | None = options.normalise or ("nfc" if role.read else None)
        self._forms, self._counts = KeptForm(), WordCounts()

    def add(self, array: pa.ChunkedArray, where: Where) -> None:
        """Add the next part.

        Raises:
            DataError: the column does not hold lists of texts or whole numbers, or a text is not UTF-8.
        """
        for piece in checked(filled(array, where, items=True), self._asked or "none"):
            if self._asked is None:
                self._forms.add(piece.texts)
            self._counts.add(piece.texts)

    def fitted(self) -> TokenLists:
        """The encoding; the items have the form that is kept, so that they were counted in it."""
        options = self._options
        level = Words.of(self._counts.found(), options.vocabulary, items=True, least=options.min_count)
        return TokenLists(level, self._framed, self._asked or self._forms.found())
