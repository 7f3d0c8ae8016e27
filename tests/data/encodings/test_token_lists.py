from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings._level import UNKNOWN, unknown_rate
from unrolled.data.encodings._token_lists import ListOptions, TokenLists
from unrolled.data.encodings.encoding import Role, Where
from unrolled.errors import DataError

WHERE = Where("clicks.jsonl", "items")


def column(values: list) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


def fit(values: list, framed: bool = False, **options: Any) -> TokenLists:
    return TokenLists.fit(column(values), ListOptions(**options), Role(framed=framed), WHERE)


def rows(lists: TokenLists, values: list) -> list[list[int]]:
    encoded = lists.encode(column(values), WHERE)
    assert encoded.offsets is not None
    return [row.tolist() for row in np.split(encoded.values, encoded.offsets[1:-1])]


def live(lists: TokenLists, value: object) -> int:
    (id_,), kept = lists.encode_live(value, (), WHERE)
    assert kept == []
    return int(id_)


def test_items_are_tokens_as_they_stand() -> None:
    values = [["New York", "is", "Is", ""], [], None, ["is", None]]
    lists = fit(values)
    assert list(lists.words) == ["is", "", "Is", "New York"]
    assert rows(lists, values) == [[6, 3, 5, 4], [], [], [3, 0]]
    assert lists.decode(np.array([6, 3, 0])) == ["New York", "is", "<unknown>"]
    framed = fit(values, framed=True)
    assert rows(framed, values)[1:] == [[1, 2], [1, 2], [framed.begin, 3, UNKNOWN, framed.end]]


def test_whole_numbers_are_read_as_their_digits() -> None:
    lists = fit([[10, 2], [2], None, []])
    (ids,) = rows(lists, [[2, 10, 7]])
    assert [ids] == rows(fit([["10", "2"], ["2"]]), [["2", "10", "7"]])
    assert ids[2] == UNKNOWN
    assert lists.decode(np.array(ids[:2])) == ["2", "10"]
    assert live(lists, 10) == live(lists, "10") == ids[1]
    assert live(lists, None) == UNKNOWN
    with pytest.raises(DataError, match="expected one item, a text or a whole number, got 'True'"):
        live(lists, True)


@pytest.mark.parametrize(("least", "known"), [(None, 3), (1, 3), (2, 2), (3, 1)])
def test_items_that_training_holds_too_seldom_are_unknown(least: int | None, known: int) -> None:
    values = [["a", "b", "a"], ["c", "a", "b"]]
    lists = fit(values, min_count=least)
    encoded = lists.encode(column(values), WHERE)
    assert lists.report() == f"{known} items"
    assert unknown_rate(encoded.values) == pytest.approx({3: 0, 2: 1 / 6, 1: 1 / 2}[known])
    assert ("items are rare" in lists.notes(column(values), encoded)) == (known < 3)


def test_a_prompt_stands_apart_by_blanks() -> None:
    lists = fit([["a", "b"], ["b"]], framed=True)
    assert lists.encode_text(" a  b x").tolist() == [1, 4, 3, 0]
    assert lists.unseen("a x b x y") == ["x", "y"]
    piece = lists.decode_stream()
    assert "".join(map(piece, [1, 4, 3, 2])) == "a b"


@pytest.mark.parametrize(
    ("items", "keys"),
    [
        (["p60", "d12", "p72", "t2"], {"p60": 60, "p72": 72, "d12": -1, "t2": -1}),
        (["p60", "d12", "x"], None),
        (["t1", "d12"], None),
        (["p128"], None),
    ],
)
def test_events_of_music_have_keys(items: list[str], keys: dict[str, int] | None) -> None:
    lists = fit([items])
    if keys is None:
        assert lists.keys is None
        return
    assert lists.keys is not None
    assert lists.keys.tolist() == [-1, -1, -1, *(keys[word] for word in lists.words)]
