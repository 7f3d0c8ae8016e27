"""Targets in the order of the inputs' steps: which rows they fit."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from samples import SAMPLES, sequences

from unrolled.data.encodings.encoding import Encoded, Where
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.unaligned import Unaligned
from unrolled.data.tables.agreement import check_unaligned
from unrolled.data.tables.sequences import Sequences
from unrolled.errors import DataError, counted

WHERE = Where("clips.csv", "text")


def ragged(rows: list[list[int]]) -> Encoded:
    offsets = np.cumsum([0, *map(len, rows)])
    return Encoded(np.array([one for row in rows for one in row], np.uint8), offsets)


def needed(row: list[int]) -> int:
    return len(row) + sum(a == b for a, b in itertools.pairwise(row))


def test_a_row_fits_where_its_alignments_do() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        rows = [random.integers(3, 5, random.integers(0, 5)).tolist() for _ in range(6)]
        least = np.array([needed(row) for row in rows])
        check_unaligned(ragged(rows), least, WHERE)
        for row in np.flatnonzero(least):
            steps = least.copy()
            steps[row] -= 1
            with pytest.raises(DataError) as caught:
                check_unaligned(ragged(rows), steps, WHERE)
            assert str(caught.value) == (
                f"clips.csv, row {row + 1}, column 'text': has {counted(len(rows[row]), 'token')}, which need {counted(least[row], 'step')}, "
                f"but its inputs have {least[row] - 1} (use shorter steps or larger tokens, read each step more "
                "often with repeat_inputs, leave the row out, or use the task 'translate')"
            )


def test_nothing_asks_for_nothing() -> None:
    check_unaligned(ragged([]), np.zeros(0, np.int64), WHERE)
    check_unaligned(ragged([[], []]), np.array([0, 3]), WHERE)


def test_an_unknown_token_is_named_by_its_place() -> None:
    with pytest.raises(DataError) as caught:
        check_unaligned(ragged([[3], [], [4, 5, 0, 3]]), np.array([9, 9, 9]), WHERE)
    assert str(caught.value) == (
        "clips.csv, row 3, column 'text': its token 3 was not in the training data (leave the row out, or train with "
        "data that has this token)"
    )


def clips(waves: list[Any], texts: list[str]) -> Sequences:
    return sequences({"wave": waves, "text": texts}, {"wave": "number", "text": "tokens"}, "clips.jsonl")


def test_the_coder_names_the_row_of_the_file() -> None:
    coder = Preprocessor.fit(clips([[1.0, 2.0, 3.0]], ["aab"]), Roles(("wave",), "text", Unaligned()), Preparation())
    fine = clips([[1.0], [1.0, 2.0], [0.0]], ["a", "ab", ""])
    examples = coder.encode(fine)
    assert examples.target is not None
    assert examples.target.values.tolist() == [3, 3, 4]  # neither begun nor ended
    short = clips([[1.0], [1.0, 2.0], [0.0]], ["a", "aa", ""])
    with pytest.raises(DataError, match="clips.jsonl, row 2, column 'text': has 2 tokens, which need 3 steps"):
        coder.encode(short)
    part = short.take(np.array([2, 1]))
    with pytest.raises(DataError, match="clips.jsonl, row 2, column 'text': has 2 tokens"):
        coder.encode(part)
    assert coder.encode(short, with_target=False).target is None
    with pytest.raises(DataError, match="clips.jsonl, row 1, column 'text': its token 2 was not in the training data"):
        coder.encode(clips([[1.0, 2.0]], ["ac"]))


def test_the_sample_is_one_of_them() -> None:
    sample = SAMPLES["transcribe"]
    assert sample.examples(sample.ask()).form == Unaligned()
