"""The model as engines use it: sent as a path, called with tables, with the same columns every time."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow as pa
import pytest

import unrolled as ur
from unrolled.errors import UsageError
from unrolled.runs.trained import Trained

WORDS = ["good food", "bad food", "good wine", "so bad", "never again", "very good"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    table = {"text": WORDS * 8, "mood": [("happy" if "good" in text else "sad") for text in WORDS * 8]}
    out = tmp_path_factory.mktemp("m") / "r"
    return ur.fit(table, target="mood", kinds={"text": "tokens"}, hidden=4, steps=4, out=out)


def test_it_travels_as_a_path_and_answers_as_the_model_does(run: Trained) -> None:
    predictor = ur.Predictor(str(run.folder), threads=0)
    table = pa.table({"id": range(6), "text": WORDS})
    found = predictor(table)
    assert found.equals(run.predict(table))
    sent = pickle.dumps(predictor)
    assert len(sent) < 500 and str(run.folder).encode() in sent
    again = pickle.loads(sent)
    assert again.options == predictor.options and again(table.to_batches()[0]).equals(found)


def test_the_columns_are_known_before_and_are_the_same_for_every_table(run: Trained) -> None:
    predictor = ur.Predictor(str(run.folder), threads=0)
    table = pa.table({"id": range(6), "text": WORDS, "other": pa.nulls(6)})
    found = predictor(table)
    assert predictor.schema(table.schema).equals(found.schema) and predictor.schema(table).equals(found.schema)
    empty = predictor(table.slice(0, 0))
    assert empty.num_rows == 0 and empty.schema.equals(found.schema)
    one = predictor(pa.table({"text": ["7"]}))  # a text, whatever it looks like
    assert one.column("mood_predicted").to_pylist()[0] in ("happy", "sad")


def test_a_forecast_needs_rows_to_tell_its_columns(tmp_path: Path) -> None:
    data = {"shop": ["a"] * 30 + ["b"] * 30, "day": [*range(30)] * 2, "sold": [float(n % 7) for n in range(60)]}
    trained = ur.fit(data, target="sold", by="shop", order="day", horizon=2, hidden=3, steps=3, out=tmp_path / "r")
    predictor, table = ur.Predictor(tmp_path / "r", threads=0), pa.table(data)
    assert predictor(table).equals(trained.predict(table)) and len(predictor.schema(table)) == len(
        predictor(table)[0:0].schema
    )
    with pytest.raises(UsageError, match="give a table with some rows"):
        predictor.schema(table.schema)
