"""Which kind wins, for columns as they are met."""

from __future__ import annotations

import random
import string

import numpy as np
import pyarrow as pa
import pytest
from allocations import peak_of

from unrolled.data.encodings.encoding import ENCODINGS

CHOICE = random.Random(0)
RANDOM = np.random.default_rng(0)


def texts(count: int, words: int) -> list[str]:
    vocabulary = ["the", "food", "was", "good", "bad", "never", "again", "we", "liked", "service", "slow", "and", "!"]
    return [" ".join(CHOICE.choices(vocabulary, k=words)) for _ in range(count)]


def names(count: int, length: int, alphabet: str = string.ascii_lowercase) -> list[str]:
    return ["".join(CHOICE.choices(alphabet, k=length)) for _ in range(count)]


def walk(count: int) -> list[float]:
    return RANDOM.normal(size=count).cumsum().tolist()


REALISTIC = {
    "reviews": (texts(200, 12), "tokens"),
    "one long document": (["All the world's a stage. " * 5000], "tokens"),
    "four reviews": (["the food was good", "awful", "never again", "so good"], "tokens"),
    "surnames, a few twice": (names(400, 6) + names(3, 6) * 5, "tokens"),
    "DNA": (names(300, 81, "ACGT"), "symbols"),
    "RNA with masked repeats and a doubtful letter": ([*names(30, 70, "ACGUacgu"), "N" + "U" * 20], "symbols"),
    "both T and U": ([*names(30, 70, "ACGT"), "U" * 40], "tokens"),
    "proteins": (names(50, 120, "ACDEFGHIKLMNPQRSTVWY"), "symbols"),
    "primers": (names(100, 18, "ACGT"), "tokens"),
    "capitals without spaces": (["THEQUICKBROWNFOXJUMPSOVERTHELAZYDOG" * 2, "COULDANYBODYUSEYOURBOOK" * 3], "tokens"),
    "keys": (names(60, 40, string.ascii_uppercase), "tokens"),
    "barcodes that come again": (names(20, 24, "ACGT") * 10, "category"),
    "identifiers": ([f"user-{k}" for k in range(500)], "tokens"),
    "sentiment": (["positive", "negative"] * 30, "category"),
    "six labels of a small table": (["yes", "no", "yes", "no", "yes", "no"], "category"),
    "nationalities": (CHOICE.choices([f"country {k}" for k in range(18)], k=400), "category"),
    "cities": (CHOICE.choices([f"city {k}" for k in range(300)], k=20_000), "category"),
    "an answer on a scale": (["Very satisfied with the service", "Not satisfied at all"] * 20, "category"),
    "one label alone": (["A"] * 10, "category"),
    "truth values": ([True, False, None], "category"),
    "grades": ([0, 5, 20, 7, 11], "number"),
    "school terms": ([1, 2] * 50, "number"),
    "prices": ([1.5, 2.0, None], "number"),
    "a load curve": ([walk(500)], "number"),
    "monthly passengers": ([[112 + k * 3 % 500 for k in range(144)]], "number"),
    "temperatures below zero": ([[k % 7 - 3 for k in range(500)]], "number"),
    "pitches": ([CHOICE.choices(range(40, 90), k=100) for _ in range(30)], "category"),
    "pixels": ([CHOICE.choices(range(17), k=64) for _ in range(30)], "category"),
    "switches": ([[True, False], [True]], "category"),
    "sentences as words": (
        [text.split() for text in names(1, 5) and [" ".join(names(8, 5)) for _ in range(40)]],
        "tokens",
    ),
    "three short sentences": ([["the", "cat", "sat"], ["a", "dog", "ran"], ["the", "dog", "sat"]], "tokens"),
    "their tags": ([["D", "N", "V"]] * 3, "category"),
    "entities": ([CHOICE.choices(["O", "B-person", "I-person"], k=12) for _ in range(40)], "category"),
    "piano roll": ([RANDOM.integers(0, 2, (16, 88)).tolist()], "series"),
    "seven sensors": ([RANDOM.normal(size=(40, 7)).tolist()], "series"),
    "nothing": ([None, None], "category"),
}


@pytest.mark.parametrize("name", REALISTIC)
def test_the_surest_kind(name: str) -> None:
    values, wanted = REALISTIC[name]
    array = pa.chunked_array([pa.array(values)])
    scores = {kind: member.recognises(array) for kind, member in ENCODINGS.members().items()}
    best = max(scores, key=lambda kind: scores[kind])
    assert best == wanted, scores
    assert sorted(scores.values())[-2] < scores[best]


def test_an_arrow_dictionary_is_a_category_whatever_it_holds() -> None:
    array = pa.chunked_array([pa.array(names(50, 30)).dictionary_encode()])
    assert ENCODINGS.get("category").recognises(array) == 95
    assert ENCODINGS.get("tokens").recognises(array) == 70


@pytest.mark.parametrize("kind", [pa.time32("s"), pa.binary(), pa.struct({"a": pa.int8()}), pa.list_(pa.duration("s"))])
def test_no_kind_recognises_other_types(kind: pa.DataType) -> None:
    array = pa.chunked_array([pa.nulls(2, kind)])
    assert [member.recognises(array) for member in ENCODINGS.members().values()] == [0] * len(ENCODINGS.names())


@pytest.mark.parametrize(
    ("kind", "known"), [(pa.timestamp("s"), ["calendar"]), (pa.list_(pa.date32()), ["calendar", "elapsed"])]
)
def test_moments_are_a_calendar_and_lists_of_them_rather_the_times_of_steps(
    kind: pa.DataType, known: list[str]
) -> None:
    array = pa.chunked_array([pa.nulls(2, kind)])
    sure = {name: member.recognises(array) for name, member in ENCODINGS.members().items()}
    assert sorted((name for name in sure if sure[name]), key=lambda name: sure[name]) == known


def test_the_bytes_of_files_are_not_copied_to_see_what_they_are() -> None:
    """A folder's files are a dictionary over one mapped file; dense cells of it would be a copy of all files."""
    files = pa.array([b"RIFF" + bytes(1 << 20), b"\x89PNG" + bytes(1 << 20)], pa.large_binary())
    cells = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1]), files)
    videos = pa.LargeListArray.from_arrays([0, 2, 4], cells)
    for array in (pa.chunked_array([cells]), pa.chunked_array([videos])):
        for member in ENCODINGS.members().values():
            assert peak_of(lambda member=member, array=array: member.recognises(array)) < 100_000, member
