"""Every encoding whose vocabulary can grow: no id moves, what is new has places at the end, and it is stored so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings.category import Category
from unrolled.data.encodings.encoding import ENCODINGS, Encoding, Role, Where
from unrolled.data.encodings.facets import Extendable
from unrolled.errors import DataError, ModelError
from unrolled.layers.embed import embed

HERE = Where("new.csv", "c")
CASES: dict[
    str, tuple[str, dict[str, Any], Role, Any, Any]
] = {  # kind, options, role, old cells, cells with new values
    "labels": ("category", {}, Role(), ["b", "d", "b"], ["a", "d", "c"]),
    "a target": ("category", {}, Role(closed=True), ["b", "d"], ["d", "a"]),
    "numbers as labels": ("category", {}, Role(closed=True), [3, 5], [1, 5, 9]),
    "empty cells": ("category", {}, Role(), ["b", None], ["a", None]),
    "sets": ("category", {}, Role(closed=True), [["b"], ["d", "b"]], [["a", "b"], []]),
    "words": ("tokens", {"tokens": "words"}, Role(read=True), ["the cat", "a cat"], ["a dog the bird", None]),
    "items": ("tokens", {}, Role(), [["x", "y"], ["y"]], [["z", "y"], ["a", "z"]]),
    "whole numbers": ("tokens", {}, Role(), [[7, 8]], [[8, 9, 1]]),
}


def grown(case: str) -> tuple[Encoding, Encoding, pa.ChunkedArray, pa.ChunkedArray]:
    kind, options, role, old, new = CASES[case]
    member = ENCODINGS.get(kind)
    before, after = pa.chunked_array([pa.array(old)]), pa.chunked_array([pa.array(new)])
    chosen = member.Options(**options)
    first = member.fit(before, chosen, role, HERE)
    assert isinstance(first, Extendable)
    return first, first.extended(after, chosen, HERE), before, after


@pytest.mark.parametrize("case", CASES)
def test_no_id_moves(case: str) -> None:
    first, more, before, _ = grown(case)
    assert np.array_equal(more.encode(before, HERE).values, first.encode(before, HERE).values)


@pytest.mark.parametrize("case", CASES)
def test_what_is_new_has_the_last_ids(case: str) -> None:
    first, more, _, after = grown(case)
    assert isinstance(first, Extendable)
    assert isinstance(more, Extendable)
    ids = more.encode(after, HERE).values
    assert first.appended == 0
    assert more.appended == more.spec.size - first.spec.size == len({*ids[ids >= first.spec.size].tolist()}) > 0


@pytest.mark.parametrize("case", CASES)
def test_the_width_of_the_embedding_stays(case: str) -> None:
    first, more, _, _ = grown(case)
    assert embed(more.spec).output_size == embed(first.spec).output_size


@pytest.mark.parametrize("case", CASES)
def test_it_is_stored_and_grows_again(case: str) -> None:
    _, more, before, after = grown(case)
    again = type(more).from_config(more.to_config())
    assert again.to_config() == more.to_config()
    assert again.spec == more.spec
    assert isinstance(again, Extendable)
    same = again.extended(after, ENCODINGS.get(CASES[case][0]).Options(), HERE)
    assert same.to_config() == more.to_config()
    assert same.encode(before, HERE).values.tolist() == more.encode(before, HERE).values.tolist()


def test_what_has_no_end_stays() -> None:
    tokens, column = ENCODINGS.get("tokens"), pa.chunked_array([["abba"]])
    for level in ("characters", "bpe", "bytes"):
        options = tokens.Options(tokens=level)
        fitted = tokens.fit(column, options, Role(), HERE)
        assert fitted.extended(pa.chunked_array([["xyz"]]), options, HERE).to_config() == fitted.to_config()
    music = tokens.fit(pa.chunked_array([[["t1", "p60"]]]), tokens.Options(), Role(), HERE)
    assert music.extended(pa.chunked_array([[["p61"]]]), tokens.Options(), HERE).spec == music.spec


def test_new_labels_are_of_the_type_of_the_old_ones() -> None:
    labels = Category.fit(pa.chunked_array([[1, 2]]), Category.Options(), Role(closed=True), HERE)
    with pytest.raises(DataError, match="the new label 'x' is of type str, but the known labels are of type int"):
        labels.extended(pa.chunked_array([["x"]]), Category.Options(), HERE)
    texts = Category.fit(pa.chunked_array([["1", "2"]]), Category.Options(), Role(closed=True), HERE)
    assert texts.extended(pa.chunked_array([[2, 3]]), Category.Options(), HERE).labels == ["1", "2", "3"]


@pytest.mark.parametrize("labels", [["b", "a", "a"], ["c", "a", "b"]])
def test_appended_labels_that_contradict_each_other_are_refused(labels: list[str]) -> None:
    config = {"kind": "category", "labels": labels, "time": False, "closed": True, "missing": False, "impute": False}
    with pytest.raises(ModelError, match="its labels contradict each other"):
        Category.from_config({**config, "appended": 1})
