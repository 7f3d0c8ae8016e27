"""What a column is, and columns of symbols: texts, lists of items, DNA. Needs only NumPy.

Part of a model exported by Unrolled. A column has ``whole``, which reads a cell of a table, and ``step``, which reads a
value of a stream and what the column remembers of the values before it.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
from split_words import words, write_words, written_words

UNKNOWN, BEGIN, END, SPECIALS = 0, 1, 2, 3
ALPHABETS = {
    "DNA": "ACGTRYSWKMBDHVN-",
    "RNA": "ACGURYSWKMBDHVN-",
    "protein": "ACDEFGHIKLMNPQRSTVWYBZXJUO*-",
}


class Refused(ValueError):
    """A cell or value that the model cannot read; the message says why."""


class Column:
    """A column of the model.

    Args:
        described: its entry in signature.json.
        folder: where the files of the model are.
    """

    def __init__(self, described: dict[str, Any], folder: Path) -> None:
        self.name: str = described["column"]
        self.config: dict[str, Any] = described["config"]
        self.channels: list[str] = described.get("channels", [])
        self.time: bool = described["time"]
        self.graph: list[str] = described.get("graph", [])
        self.open: bool = described.get("open", False)

    def whole(self, cell: Any) -> list[np.ndarray]:
        """The arrays of a cell, in the order of ``graph``: (T, …), or (…) without a time axis."""
        raise NotImplementedError

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        """The arrays of each step that a live value gives, and what to remember."""
        raise NotImplementedError

    def symbol(self, id_: int) -> Any:
        """What an id stands for."""
        raise NotImplementedError

    def refuse(self, message: str) -> Refused:
        """The error about a cell or value of this column."""
        return Refused(f"column {self.name!r}: {message}")


class Symbolic(Column):
    """A column whose steps are numbered symbols."""

    symbols: list[str]  # the name of each id
    lists = False  # whether an answer is a list of symbols
    begin: int | None = None
    end: int | None = None

    def ids(self, text: str) -> list[int]:
        """The ids of a text, without its frame."""
        raise NotImplementedError

    def whole(self, cell: Any) -> list[np.ndarray]:
        ids = self.ids(self.checked(cell))
        return [np.array(self.framed(ids), np.int64)]

    def framed(self, ids: list[int]) -> list[int]:
        """The ids of a row between ``<begin>`` and ``<end>``, where the model reads these."""
        if self.begin is None or self.end is None:
            return ids
        return [self.begin, *ids] if self.open else [self.begin, *ids, self.end]

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        ids = [UNKNOWN] if value is None else self.ids(self.checked(value))
        if not ids:
            raise self.refuse("the text is empty, so it has no steps")
        return [[np.int64(id_)] for id_ in ids], None

    def checked(self, cell: Any) -> str:
        """A cell as a text; an empty one has none.

        Raises:
            Refused: it is no text.
        """
        if cell is None:
            return ""
        if not isinstance(cell, str):
            raise self.refuse(f"expected a text, got {str(cell)[:40]!r}")
        return cell

    def symbol(self, id_: int) -> str:
        return self.text([id_])

    def text(self, ids: list[int]) -> str:
        """The text of ids, without their frame."""
        return "".join(self.symbols[id_] for id_ in ids if id_ not in (self.begin, self.end))

    def listed(self, ids: list[int]) -> list[str]:
        """The symbols of ids, without their frame."""
        return [self.symbols[id_] for id_ in ids if id_ not in (self.begin, self.end)]


class Tokens(Symbolic):
    """Texts as characters, words, bytes or byte-pair tokens."""

    def __init__(self, described: dict[str, Any], folder: Path) -> None:
        super().__init__(described, folder)
        config = self.config
        self.level = config["level"]
        if config["framed"]:
            self.begin, self.end = BEGIN, END
        specials = ["\ufffd"] * SPECIALS if self.level == "characters" else ["<unknown>"] * SPECIALS
        if self.level in ("characters", "words"):
            self.symbols = [*specials, *config["symbols"]]
            self.known = {symbol: id_ for id_, symbol in enumerate(self.symbols) if id_ >= SPECIALS}
        if self.level in ("bpe", "tokenizer", "pretrained"):
            try:
                from tokenizers import Tokenizer
            except ImportError:
                raise Refused("this model reads byte-pair tokens: pip install tokenizers") from None
            self.tokenizer = Tokenizer.from_file(str(folder / described["tokenizer"]))

    def whole(self, cell: Any) -> list[np.ndarray]:
        return [*super().whole(cell), *self.letters_of(cell)]

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        steps, _ = super().step(value, memory)
        letters = self.letters_of(value) if value is not None else self.letters([""])
        return [[*step, *(found[at] for found in letters)] for at, step in enumerate(steps)], None

    def letters_of(self, text: Any) -> list[np.ndarray]:
        """The letters of each word of a text, (T, L), where the model reads them."""
        spelled = self.config.get("letters") is not None
        return self.letters(words(self.normal(self.checked(text)), lower=False)) if spelled else []

    def letters(self, parts: list[str]) -> list[np.ndarray]:
        """The letters of words: 0 is padding, 1 an unknown letter. A long word keeps its first and last ones."""
        spelling = self.config.get("letters")
        if spelling is None:
            return []
        width, known = spelling["width"], {letter: id_ for id_, letter in enumerate(spelling["alphabet"], 2)}
        found = np.zeros((len(parts), width), np.int64)
        for row, word in zip(found, parts, strict=True):
            word = "" if word.lower() == "<unknown>" else self.normal(word)
            kept = word if len(word) <= width else word[: -(-width // 2)] + word[len(word) - width // 2 :]
            row[: len(kept)] = [known.get(letter, 1) for letter in kept]
        return [found]

    def normal(self, text: str) -> str:
        """The text in the Unicode form of the training texts."""
        form = self.config["normal"]
        return text if form == "none" else unicodedata.normalize(form.upper(), text)

    def ids(self, text: str) -> list[int]:
        text = self.normal(text)
        if self.level == "characters":
            return [self.known.get(character, UNKNOWN) for character in text]
        if self.level == "words":
            parts = written_words(text) if self.config.get("written") else words(text)
            return [self.known.get(word, UNKNOWN) for word in parts]
        if self.level == "bytes":
            return [byte + SPECIALS for byte in text.encode()]
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def text(self, ids: list[int]) -> str:
        ids = [id_ for id_ in ids if id_ not in (BEGIN, END)]
        if self.level == "characters":
            return "".join(self.symbols[id_] for id_ in ids)
        if self.level == "bytes":
            return bytes(id_ - SPECIALS for id_ in ids if id_ >= SPECIALS).decode("utf-8", "replace")
        if self.level == "words":
            named = ["<unknown>" if id_ < SPECIALS else self.symbols[id_] for id_ in ids]
            return write_words(named) if self.config.get("written") else " ".join(named)
        return str(self.tokenizer.decode(ids, skip_special_tokens=False))


class Items(Tokens):
    """Lists of items, such as clicks."""

    lists = True

    def whole(self, cell: Any) -> list[np.ndarray]:
        if not isinstance(cell, list):
            raise self.refuse(f"expected a list of items, got {str(cell)[:40]!r}")
        ids = [self.item(one) for one in cell]
        return [np.array(self.framed(ids), np.int64), *self.letters([*map(str, cell)])]

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        return [[np.int64(self.item(value)), *(found[0] for found in self.letters([str(value)]))]], None

    def item(self, one: Any) -> int:
        """The id of one item.

        Raises:
            Refused: it is neither a text nor a whole number.
        """
        if one is None:
            return UNKNOWN
        if isinstance(one, bool) or not isinstance(one, str | int):
            raise self.refuse(f"expected an item, a text or a whole number, got {str(one)[:40]!r}")
        return self.known.get(self.normal(str(one)), UNKNOWN)


class Letters(Symbolic):
    """DNA, RNA or protein, by letters or by k-mers."""

    def __init__(self, described: dict[str, Any], folder: Path) -> None:
        super().__init__(described, folder)
        self.alphabet, kmers = ALPHABETS[self.config["alphabet"]], self.config["kmers"]
        self.symbols, self.size = list(self.alphabet), 1
        if kmers:
            self.symbols, self.size = ["N" * len(kmers[0]), *kmers], len(kmers[0])
        elif self.config["framed"]:
            self.begin, self.end = len(self.alphabet), len(self.alphabet) + 1
            self.symbols += ["", ""]
        self.known = {symbol: id_ for id_, symbol in enumerate(self.symbols)}

    def ids(self, text: str) -> list[int]:
        ours = (letter.isascii() and letter.upper() in self.alphabet for letter in text)
        if foreign := next((letter for letter, known in zip(text, ours, strict=True) if not known), None):
            raise self.refuse(f"{foreign!r} is not a letter of {self.config['alphabet']}")
        text = text.upper()
        size, unknown = self.size, 0
        return [self.known.get(text[at : at + size], unknown) for at in range(len(text) - size + 1)]

    def step(self, value: Any, memory: Any) -> tuple[list[list[np.ndarray]], Any]:
        if not isinstance(value, str) or len(value) != self.size:
            raise self.refuse(f"one step is {self.size} letters, not {str(value)[:40]!r}")
        return super().step(value, memory)
