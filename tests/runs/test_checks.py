"""Rows longer than the positions that were learned, in every place where a model reads data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unrolled import api
from unrolled.errors import DataError
from unrolled.layers.attention import positions

LEARNED = {"model": "transformer", "positions": "learned", "hidden": 4, "heads": 1, "steps": 1}
SHORT = ["a b", "b a", "a a", "b b", "a", "b"]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions.Learned.__init__, "__defaults__", (5,))


def pairs(folder: Path, **rows: list[str]) -> Path:
    path = folder / "pairs.csv"
    path.write_text("a,b\n" + "\n".join(",".join(cells) for cells in zip(rows["a"], rows["b"], strict=True)))
    return path


def fit(folder: Path, data: Any, **options: Any) -> Any:
    return api.fit(data, **{**LEARNED, "tokens": "words", "valid": 0, "out": folder / "run", **options})


@pytest.mark.parametrize(
    ("column", "longest", "message"),
    [
        (
            "a",
            5,
            r"pairs.csv, row 3, column 'a': has 6 steps, but this model has learned positions for at most 5 \(shorten the row",
        ),
        (
            "b",
            4,
            r"pairs.csv, row 3, column 'b': has 6 steps, but this model has learned positions for at most 5 \(shorten the row",
        ),
    ],
)
def test_a_pair_that_is_too_long_is_named(tmp_path: Path, column: str, longest: int, message: str) -> None:
    other = {"a": "b", "b": "a"}[column]
    fits = [*SHORT[:2], " ".join("a" * longest), *SHORT[3:]]
    too_long = [*SHORT[:2], " ".join("a" * (longest + 1)), *SHORT[3:]]
    model = fit(tmp_path, pairs(tmp_path, **{column: fits, other: SHORT}), target="b", task="translate")
    long = pairs(tmp_path, **{column: too_long, other: SHORT})
    for ask in (lambda: fit(tmp_path / "2", long, target="b", task="translate"), lambda: model.evaluate(long)):
        with pytest.raises(DataError, match=message):
            ask()
    assert not (tmp_path / "2" / "run").exists()
    if column == "a":
        with pytest.raises(DataError, match=message):
            model.predict(long)
    else:
        assert len(model.predict(long)) == len(SHORT)  # what is written is as long as training's at most


def test_the_split_that_is_too_long_is_named(tmp_path: Path) -> None:
    long = pairs(tmp_path, a=["a", "a a a a a a"], b=["a", "b"])
    with pytest.raises(DataError, match=r"pairs.csv, row 2, column 'a': has 6 steps, but"):
        fit(tmp_path, {"a": SHORT, "b": SHORT}, target="b", task="translate", valid=str(long))


def test_what_comes_next_is_not_read_at_the_end_of_a_row(tmp_path: Path) -> None:
    kinds = {"text": "tokens"}
    fit(tmp_path, {"text": [["a", "b"] * 2] * 4}, kinds=kinds)  # <begin> and these, before <end> is asked for
    with pytest.raises(DataError, match=r"your data, row 2, column 'text': has 6 steps, but"):
        fit(tmp_path / "2", {"text": [["a", "b"], ["a"] * 5]}, kinds=kinds)


def test_other_positions_have_no_longest_row(tmp_path: Path) -> None:
    data = {"a": ["a " * 20] * 6, "b": ["a " * 20] * 6}
    assert fit(tmp_path, data, target="b", task="translate", positions="rotary").predict(data).num_rows == 6
