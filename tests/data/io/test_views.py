from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pytest

import unrolled as ur
from unrolled.data.io import views
from unrolled.data.io.views import wide, without_views

VIEW, BYTES = pa.string_view(), pa.binary_view()


@pytest.mark.parametrize(
    ("cells", "kind", "plain"),
    [
        (["a", None], VIEW, pa.large_string()),
        ([b"a", None], BYTES, pa.large_binary()),
        ([["a"], None, ["b", None]], pa.list_(VIEW), pa.list_(pa.large_string())),
        ([[["a"]], []], pa.large_list(pa.list_(VIEW)), pa.large_list(pa.list_(pa.large_string()))),
        ([["a", "b"]], pa.list_(VIEW, 2), pa.list_(pa.large_string(), 2)),
        ([{"x": "a"}], pa.struct({"x": VIEW}), pa.struct({"x": pa.large_string()})),
        ([1, 2], pa.int64(), pa.int64()),
    ],
)
def test_views_become_plain(cells: list[Any], kind: pa.DataType, plain: pa.DataType) -> None:
    field = pa.field("x", kind, metadata={"kind": "tokens"})
    found = without_views(pa.table({"x": pa.array(cells, kind)}, schema=pa.schema([field], {"a": "b"})))
    found.validate(full=True)
    assert (found.column("x").type, found.column("x").to_pylist()) == (plain, cells)
    assert found.field("x").metadata == {b"kind": b"tokens"}
    assert found.schema.metadata == {b"a": b"b"}


def test_dictionaries_of_views_become_plain() -> None:
    cells = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["a", "b"], VIEW))
    assert without_views(pa.table({"x": cells})).column("x").type == pa.dictionary(pa.int64(), pa.large_string())


def test_a_table_without_views_is_not_copied() -> None:
    table = pa.table({"x": [1], "y": ["a"]})
    assert without_views(table) is table


def test_a_frame_and_a_file_of_views_are_learned_from(tmp_path: Path) -> None:
    texts = pa.array(["was good", "so bad"] * 9, VIEW)
    labels = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 9), pa.array(["p", "n"], VIEW))
    table = pa.table({"text": texts, "label": labels, "tags": pa.array([["a"], ["b", "c"]] * 9, pa.list_(VIEW))})
    assert ur.read(table).kinds == {"text": "category", "label": "category", "tags": "category"}
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema.remove(1)) as writer:
        writer.write_table(table.drop_columns("label"))
    assert ur.read(tmp_path / "a.arrow").table.column("text").type == pa.large_string()
    kinds = {"text": "tokens"}
    model = ur.fit(table, target="label", inputs=["text"], kinds=kinds, steps=2, hidden=3, out=tmp_path / "run")
    assert set(model.predict(table).column("label_predicted").to_pylist()) <= {"p", "n"}


@pytest.mark.parametrize(
    ("kind", "cells", "wanted"),
    [
        (pa.string(), ["x" * 90], pa.large_string()),
        (pa.binary(), [b"x" * 90], pa.large_binary()),
        (pa.list_(pa.bool_()), [[True] * 90], pa.large_list(pa.bool_())),
        (pa.list_(pa.string()), [["x" * 90]], pa.large_list(pa.large_string())),
        (pa.struct({"a": pa.string()}), [{"a": "x" * 90}], pa.struct({"a": pa.large_string()})),
        (pa.list_(pa.float64(), 9), [[1.0] * 9], pa.list_(pa.float64(), 9)),
        (pa.dictionary(pa.int32(), pa.string()), ["x" * 90], pa.dictionary(pa.int32(), pa.string())),
        (pa.float64(), [1.0] * 15, pa.float64()),
    ],
)
def test_much_text_and_many_steps_get_wide_offsets(
    kind: pa.DataType, cells: list[Any], wanted: pa.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"x": pa.array(cells, kind), "few": pa.array(["a"] * len(cells))})
    assert wide(table) is table
    monkeypatch.setattr(views, "_MUCH", 80)
    found = wide(table)
    found.validate(full=True)
    assert (found.column("x").type, found.column("x").to_pylist()) == (wanted, cells)
    assert found.column("few").type == pa.string()
