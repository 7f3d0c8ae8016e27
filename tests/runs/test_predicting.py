"""What predict adds to a table, and the tables with a line for each answer that it becomes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
import torch

import unrolled as ur
from unrolled.errors import UsageError
from unrolled.runs import predicting
from unrolled.runs.layouts import by_channel, by_rank, by_step, by_step_ahead, conll, data_of

SMALL: dict[str, Any] = {"steps": 3, "hidden": 4}
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(40)]


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, list[Any]]]:
    data = {
        "shop": ["007"] * 40 + ["b"] * 40,
        "day": [str(day) for day in DAYS * 2],
        "sold": [float(n % 7) for n in range(40)] + [100.0 + n % 7 for n in range(40)],
    }
    out = tmp_path_factory.mktemp("shops") / "run"
    asked = {"target": "sold", "by": "shop", "order": "day", "horizon": 3, "lookback": 8, "quantiles": (0.1, 0.9)}
    return ur.fit(data, out=out, valid=0.2, **asked, **SMALL), data


def test_a_forecast_has_its_dates_its_series_and_the_last_value(shops: tuple[Any, dict[str, list[Any]]]) -> None:
    model, data = shops
    data = {**data, "sold": [*data["sold"][:-1], None]}
    table = model.predict(data)
    assert table.column("shop").to_pylist() == ["007", "b"]
    assert table.column("day_ahead").to_pylist() == [[dt.date(2024, 2, day) for day in (10, 11, 12)]] * 2
    assert table.column("sold_last").to_pylist() == [4.0, 103.0]  # the last one that is known
    assert data_of(table) == ["shop", "day", "sold"]
    lines = by_step_ahead(table.combine_chunks(), data_of(table))
    assert lines.column_names == ["shop", "day", "step_ahead", "sold_last", "sold_predicted", "sold_q10", "sold_q90"]
    assert lines.slice(3, 1).to_pylist()[0].items() >= {
        "shop": "b", "day": dt.date(2024, 2, 10), "step_ahead": 1, "sold_last": 103.0
    }.items()  # fmt: skip


def test_the_past_is_what_was_forecast_one_step_ahead(shops: tuple[Any, dict[str, list[Any]]]) -> None:
    model, data = shops
    table = model.predict(data, fitted=True)
    fitted = table.column("sold_fitted").to_pylist()
    assert [len(row) for row in fitted] == [40, 40] and fitted[0][0] is None
    for steps in (1, 5, 39):
        before = {name: cells[:steps] for name, cells in data.items()}
        assert fitted[0][steps] == pytest.approx(model.predict(before).column("sold_predicted")[0].as_py()[0], rel=1e-4)
    lines = by_step_ahead(table.combine_chunks(), data_of(table))
    assert lines.num_rows == 2 * 43
    assert lines.column("day").to_pylist()[:43] == [*DAYS, *(dt.date(2024, 2, day) for day in (10, 11, 12))]
    assert lines.column("step_ahead").to_pylist()[38:43] == [0, 0, 1, 2, 3]
    assert lines.column("sold").to_pylist()[38:43] == [3.0, 4.0, None, None, None]
    assert lines.column("sold_predicted").to_pylist()[1:40] == fitted[0][1:]


def test_only_a_forecast_has_a_fitted_past(tmp_path: Path) -> None:
    model = ur.fit({"text": ["a b", "b c"] * 8, "mood": ["x", "y"] * 8}, target="mood", out=tmp_path / "run", **SMALL)
    with pytest.raises(UsageError, match="^fitted only works with a forecast; this model's task is 'classify'$"):
        model.predict(["a"], fitted=True)


def test_tags_are_a_line_for_each_step() -> None:
    data = {"id": ["x", "y", "z"], "words": [["a", "b"], [], ["c"]], "scores": [[1.0], [], [2.0, 3.0]]}
    table = pa.table(data).append_column("tag_predicted", pa.array([["O", "B"], [], ["O"]], pa.large_list(pa.string())))
    assert by_step(table, [*data]).to_pylist() == [
        {"row": row, "step": step, "id": id_, "words": word, "tag_predicted": tag}
        for row, step, id_, word, tag in [(1, 1, "x", "a", "O"), (1, 2, "x", "b", "B"), (3, 1, "z", "c", "O")]
    ]


def test_events_are_a_line_for_each_candidate_and_the_end_is_one(tmp_path: Path) -> None:
    visits = {"who": [*"aabbcc" * 6], "what": ["see", "buy"] * 18}
    model = ur.fit(visits, by="who", kinds={"what": "tokens"}, out=tmp_path / "run", **SMALL)
    table = model.predict(visits)
    row = table.to_pylist()[0]
    assert sorted(row["what_top"]) == ["<end>", "buy", "see"]
    assert 0.5 < sum(row["what_top_p"]) <= 1  # the rest is of what is never the answer, such as an unknown item
    assert row["what_predicted"] == row["what_top"][0] and row["what_p"] == pytest.approx(row["what_top_p"][0])
    lines = by_rank(table.combine_chunks(), data_of(table))
    assert lines.column_names == ["row", "who", "rank", "what_predicted", "what_p"]
    assert lines.column("rank").to_pylist() == [1, 2, 3] * 3
    assert lines.column("what_predicted").to_pylist()[:3] == row["what_top"]


def test_vectors_are_a_column_for_each_channel() -> None:
    table = pa.table({"id": ["x", "y"], "series_predicted": [[1.0, 2.0], [3.0, 4.0]]})
    lines = by_channel(table, ["id"], "series", ["a", "b"])
    assert lines.to_pylist() == [
        {"id": "x", "a_predicted": 1.0, "b_predicted": 2.0},
        {"id": "y", "a_predicted": 3.0, "b_predicted": 4.0},
    ]
    ragged = pa.table({"words_predicted": [["a"], ["b", "c"]]})
    assert by_channel(ragged, [], "words", ["words"]).equals(ragged)  # lists of their own lengths stay lists


def test_tagged_sentences_are_read_back(tmp_path: Path) -> None:
    table = pa.table({"words": [["New", "York"], ["a  b", ""]]})
    tags = pa.field("tags_predicted", pa.list_(pa.string()), metadata={"predicted": ""})
    (tmp_path / "a.conll").write_text(conll(table.append_column(tags, [[["B", "I"], ["O", "O"]]])), "utf-8")
    assert (tmp_path / "a.conll").read_text("utf-8") == "New\tB\nYork\tI\n\na  b\tO\n_\tO\n\n"
    assert ur.read(tmp_path / "a.conll").table.column("tags").to_pylist()[0] == ["B", "I"]


def test_the_answers_are_laid_out_once_not_for_each_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of all rows for each batch made predicting quadratic: 73 s for a million rows, 15 s since."""
    asked = []
    examples = SimpleNamespace(steps=lambda: asked.append(1) or np.ones(6, np.int64))
    batches = [(None, SimpleNamespace(rows=torch.tensor(rows))) for rows in ([4, 0], [5, 2], [1, 3])]
    task = SimpleNamespace(answers=lambda _, batch: {"x": [10 * row for row in batch.rows.tolist()]})
    monkeypatch.setattr(predicting, "Loader", lambda *_: None)
    monkeypatch.setattr(predicting, "run_over", lambda *_: batches)
    found: Any = predicting.predictions(*cast(Any, (None, task, examples, None, "cpu")))
    assert (found, len(asked)) == ({"x": [0, 10, 20, 30, 40, 50]}, 1)
