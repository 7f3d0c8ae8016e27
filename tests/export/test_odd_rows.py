"""500 odd texts and values are read by the programs of an export as by the package, or refused by both."""

from __future__ import annotations

import datetime
import math
import random
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from export_cases import TEXTS
from exported_programs import PROGRAMS, programs

from unrolled.data.encodings._words import split_words
from unrolled.data.encodings._written_words import split_written
from unrolled.data.encodings.calendar import Calendar
from unrolled.data.encodings.category import Category
from unrolled.data.encodings.elapsed import Elapsed
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.number import Number
from unrolled.data.encodings.series import Series
from unrolled.data.encodings.symbols import Symbols
from unrolled.data.encodings.tokens import Tokens
from unrolled.data.io.number_forms import MISSING_WORDS
from unrolled.errors import DataError

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

PIECES = [
    *("@anna", "x@b.c", "http://a.b/c?d=1.", "www.x.de", "<URL>", "<unknown>", "dog", "The", " ", ".", "ran", "\v"),
    *(
        "👍🏽",
        "👨\u200d👩\u200d👧",
        "1️⃣",
        "🇩🇪",
        "İ",
        "Σ",
        "ﬁ",
        "É",
        "\u00a0",
        "ß",
        "ﷺ",
        "\u00e9",
        "e\u0301",
    ),  # NFC and NFD
]
VALUES: list[Any] = [
    *(None, math.nan, math.inf, -math.inf, True, False, -1, 2, 0.5, 1e300, 1e30, -0.0, [1], [1.0, 2.0], [None, 3.0]),
    *(
        {"a": 1},
        " 3 ",
        "1e3",
        "0x10",
        "1_000",
        "٣",
        "+5",
        "[1, 2]",
        "[1",
        "true",
        "True",
        "A",
        "g",
        "GA",
        "N",
        "1",
        "b",
    ),
    *("2024-02-29", "2024-02-30", "2024-01-01T10:00Z", "2024-01-01 10:00:30.5", "2024-01-01T10:00:00+02:00", "10:30"),
    *("20240101", "2024-W01-1", "01/02/2024", *MISSING_WORDS),
]


def odd_texts(count: int) -> list[str]:
    """Texts of letters, signs and pieces, in any order; none has a character that Unicode does not know."""
    rng, found = random.Random(1), list[str]()
    while len(found) < count:
        letters = [
            chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x3000), rng.randrange(0x1FAFF)))) for _ in "abc"
        ]
        text = "".join(rng.choice([*PIECES, *letters]) for _ in range(rng.randrange(8)))
        if not any(unicodedata.category(one) in ("Cs", "Cn", "Co") for one in text):
            found.append(text)
    return found


@pytest.fixture(scope="module", autouse=True)
def sources() -> Iterator[None]:
    """The modules of the programs, to be imported by tests."""
    with programs(PROGRAMS):
        yield


def test_texts_are_split_as_in_training() -> None:
    import split_words as program  # type: ignore[import-not-found]

    texts = odd_texts(500)
    found = (split(pa.array(texts)) for split in (split_words, split_written))
    read, written = (np.split(np.array(words.to_pylist(), object), counts.cumsum()[:-1]) for words, counts in found)
    for text, words, tokens in zip(texts, read, written, strict=True):
        assert program.words(text) == [*words]
        assert program.written_words(text) == [*tokens]
        assert program.write_words(tokens) == text


def of(kind: Any, cells: list[Any], **options: Any) -> Any:
    return kind.fit(pa.chunked_array([cells]), kind.Options(**options), Role(read=True), Where("a", "x"))


DAY, LATER = datetime.datetime(2024, 1, 1), datetime.datetime(2024, 5, 1, 10)
ENCODINGS = {
    "words": of(Tokens, TEXTS, tokens="words", letters=True),
    "characters": of(Tokens, TEXTS, tokens="characters"),
    "bytes": of(Tokens, TEXTS, tokens="bytes"),
    "labels": of(Category, ["1", "a", None]),
    "number": of(Number, [1.0, 2.5, None, 7.0]),
    "numbers": of(Number, [[1.0, 2.5, None], [7.0]]),
    "series": of(Series, [[[1.0, 2.0], [3.0, None]], [[0.5, 1.0]]]),
    "calendar": of(Calendar, [DAY, LATER]),
    "elapsed": of(Elapsed, [[DAY, LATER]] * 2),
    "letters": of(Symbols, ["GATTACA" * 6] * 3),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_live_values_are_encoded_as_in_the_package(name: str) -> None:
    from read_columns import column_of  # type: ignore[import-not-found]
    from read_symbols import Refused  # type: ignore[import-not-found]

    encoding, where = ENCODINGS[name], Where("stream", "x")
    gaps = getattr(encoding, "remembers", False) and name != "elapsed"
    described = {"column": "x", "kind": encoding.kind, "time": encoding.spec.time, "rule": ""}
    column = column_of({**described, "graph": ["x", *["x.gaps"] * gaps], "config": encoding.to_config()}, PROGRAMS)
    before, memory, read = (), None, 0
    texts = odd_texts(30 if name == "words" else 400)  # a live text takes milliseconds to be cut into words
    for value in VALUES + texts:
        try:
            wanted, after = encoding.encode_live(value, before, where)
        except DataError:
            wanted, after = np.zeros(0), before
        try:
            steps, kept = column.step(value, memory)
        except Refused:
            steps, kept = [], memory
        assert _read(encoding, steps) == pytest.approx(wanted.ravel().tolist(), abs=0), value
        before, memory, read = after, kept, read + bool(steps)
        if steps and name == "words" and isinstance(value, str):
            np.testing.assert_array_equal([step[1] for step in steps], encoding.spell_live(value))
    assert read >= 4


def _read(encoding: Any, steps: Any) -> list[float]:
    """What the network reads of the arrays that the graph gets, worked out as the graph does."""
    scaling = getattr(encoding, "scaling", None)
    if scaling is None:
        return [float(one) for step in steps for one in np.ravel(step[0])]
    found = list[float]()
    for values, *gaps in steps:
        missing, shown = np.isnan(values), np.log1p(values) if getattr(encoding, "logarithm", False) else values
        parts = [
            np.where(missing, 0, (shown - scaling.mean) / scaling.std),
            missing[scaling.flagged],
            *map(np.log1p, gaps),
        ]
        found += np.concatenate(parts).astype(np.float32).tolist()
    return found


def test_a_column_of_recordings_is_refused_with_what_the_graph_takes() -> None:
    from read_columns import column_of
    from read_symbols import Refused

    described = {"column": "clip", "kind": "audio", "time": True, "rule": "frames of mel bands", "config": {}}
    with pytest.raises(
        Refused, match="'clip': this program cannot read audio: give the graph its arrays, frames of mel"
    ):
        column_of(described, PROGRAMS)


def test_the_words_for_what_is_missing_are_those_of_the_package() -> None:
    from read_columns import MISSING

    assert {*MISSING_WORDS} == MISSING
    program = (PROGRAMS / "columns.mjs").read_text("utf-8")
    assert all(f'"{word}"'.replace("\\", "\\\\") in program for word in MISSING_WORDS)
