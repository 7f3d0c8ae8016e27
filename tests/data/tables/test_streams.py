from __future__ import annotations

import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import unrolled as ur
from unrolled.data.config import DataConfig
from unrolled.data.tables import streams
from unrolled.data.tables.in_memory import to_table
from unrolled.data.tables.read import read_blocks
from unrolled.data.tables.streams import is_stream, stream_blocks
from unrolled.errors import DataError, SpaceError
from unrolled.runs import blockwise, plan
from unrolled.runs.streamed import predicted

SCHEMA = pa.schema({"text": pa.string(), "label": pa.string()})


class Made:
    """A table that is made while it is read, as a relation of DuckDB is; it counts the batches that were asked for."""

    columns = ("text", "label")

    def __init__(self, batches: int, rows: int = 10, fails: bool = False) -> None:
        self.batches, self.rows, self.fails, self.made = batches, rows, fails, 0

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.RecordBatchReader.from_batches(SCHEMA, self._made()).__arrow_c_stream__(requested_schema)

    def _made(self) -> Iterator[pa.RecordBatch]:
        for batch in range(self.batches):
            self.made += 1
            numbers = range(batch * self.rows, (batch + 1) * self.rows)
            texts = [f"a {'good' if n % 2 else 'bad'} day {n % 13}" for n in numbers]
            yield pa.record_batch([texts, ["yes" if n % 2 else "no" for n in numbers]], schema=SCHEMA)
        if self.fails:
            raise pa.ArrowInvalid("the query went wrong\nand so on")


def test_what_makes_its_rows_is_a_stream_and_what_has_them_is_none() -> None:
    table = pa.table({"x": [1]})
    assert is_stream(Made(1))
    assert is_stream(table.to_reader())
    for source in (table, pa.record_batch({"x": [1]}), {"x": [1]}, ["a"], "a.csv", np.ones((1, 2)), None):
        assert not is_stream(source)


@pytest.mark.parametrize("package", ["polars", "duckdb", "pandas"])
def test_the_frames_of_others(package: str) -> None:
    module = pytest.importorskip(package, reason=f"{package} is an extra of the tests")
    if package == "duckdb":
        source = module.sql("select i as x, 'text ' || i as y from range(1000) t(i)")
    else:
        source = module.DataFrame({"x": [*range(1000)], "y": [f"text {n}" for n in range(1000)]})
        assert not is_stream(source)
        if package == "pandas":
            return
        source = source.lazy().filter(module.col("x") >= 0)
    assert is_stream(source)
    wanted = {"x": [*range(1000)], "y": [f"text {n}" for n in range(1000)]}
    assert to_table(source).to_pydict() == wanted
    blocks = [*stream_blocks(source, DataConfig(), 1000)]
    assert pa.concat_tables(blocks).to_pydict() == wanted
    assert {str(field.type) for block in blocks for field in block.schema} <= {"int64", "string", "large_string"}


def test_blocks_are_made_when_they_are_asked_for() -> None:
    source = Made(100)
    blocks = stream_blocks(source, DataConfig(), 600)
    first = next(blocks)
    assert 10 <= first.num_rows < 100
    assert source.made < 10
    assert first.num_rows + sum(block.num_rows for block in blocks) == 1000


def test_texts_are_lists_in_all_blocks_or_in_none() -> None:
    batches = [["1 2", "3 4"], ["5 6", "7 8"]], [["a b", "c d"], ["1 2", "3 4"]]
    for cells, wanted in zip(batches, (pa.list_(pa.int64()), pa.string()), strict=True):
        source = pa.RecordBatchReader.from_batches(
            pa.schema({"x": pa.string()}), [pa.record_batch({"x": one}) for one in cells]
        )
        assert [block.schema.field("x").type for block in stream_blocks(source, DataConfig(), 1)] == [wanted, wanted]


def test_a_large_table_is_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_HELD", 1 << 20)
    monkeypatch.setattr(streams, "_BLOCK", 1 << 18)
    source, before = Made(400, 1000), pa.total_allocated_bytes()
    table = to_table(source)
    assert table.num_rows == 400_000
    assert table.nbytes > 8 << 20
    assert pa.total_allocated_bytes() - before < 4 << 20  # a map takes nothing
    assert table.slice(399_999).to_pylist() == [{"text": f"a good day {399_999 % 13}", "label": "yes"}]
    labels = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", "b"]).dictionary_encode()])
    monkeypatch.setattr(streams, "_HELD", 0)
    assert to_table(pa.table({"x": labels}).to_reader()).column("x").to_pylist() == ["a", "b", "c", "b"]


def test_a_disk_that_fills_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_HELD", 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(SpaceError, match="^temporary file: the file would exceed the limit on file size"):
            to_table(Made(40, 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_rows_and_a_query_that_fails() -> None:
    with pytest.raises(DataError, match="^your data: has no rows$"):
        ur.read(Made(0))
    with pytest.raises(DataError, match="^your data: cannot be read: (Invalid: )?the query went wrong$"):
        ur.read(Made(3, fails=True))


def test_a_lazy_frame_that_fails_says_why() -> None:
    polars = pytest.importorskip("polars", reason="polars is an extra of the tests")
    with pytest.raises(DataError, match=r"^your data: cannot be read: "):
        ur.read(polars.LazyFrame({"x": [1]}).select("y"))


def test_a_model_reads_streams_as_it_reads_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"plan": "fixed", "hidden": 4, "steps": 3, "only": "none", "target": "label"}
    table = to_table(Made(20))
    one = ur.fit(table, out=tmp_path / "one", quiet=True, **options)
    two = ur.fit(Made(20), out=tmp_path / "two", quiet=True, **options)
    assert one.config.files == two.config.files
    assert all(
        a.equal(b) for a, b in zip(one.network.state_dict().values(), two.network.state_dict().values(), strict=True)
    )
    monkeypatch.setattr("unrolled.runs.later_data.read_blocks", partial(read_blocks, size=600))
    assert one.predict(Made(20)).equals(one.predict(table))
    assert one.evaluate(Made(20)) == pytest.approx(one.evaluate(table), rel=1e-6)
    source = Made(1000)
    pieces = predicted(one, source)
    assert next(pieces).num_rows < 100
    assert source.made < 20  # the rest is not made before it is asked for
    assert sum(piece.num_rows for piece in pieces) > 9900


def test_a_large_stream_is_prepared_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"plan": "fixed", "hidden": 4, "steps": 3, "only": "none", "target": "label"}
    monkeypatch.setattr(blockwise, "LARGE", 1000)
    monkeypatch.setattr(plan, "HEAD", 3000)
    found = []
    for number, (block, source) in enumerate([(500, Made(40)), (500, to_table(Made(40))), (9000, Made(8, 50))]):
        monkeypatch.setattr(blockwise, "BLOCK", block)
        lines: list[str] = []
        found.append(ur.fit(source, out=tmp_path / str(number), say=lines.append, **options))
        assert any(line.startswith("read the beginning of your data") for line in lines)
        assert any(line.endswith("of 400 rows, drawn by their numbers") for line in lines)
    for one in found[1:]:
        assert one.config.files == found[0].config.files
        assert all(
            a.equal(b)
            for a, b in zip(one.network.state_dict().values(), found[0].network.state_dict().values(), strict=True)
        )

    def stop(*_: Any) -> None:
        raise KeyError

    with monkeypatch.context() as context, pytest.raises(KeyError):
        context.setattr("unrolled.runs.fit.judge", stop)
        ur.fit(Made(40), out=tmp_path / "stopped", quiet=True, **options)
    resumed = ur.fit(Made(40), out=tmp_path / "stopped", resume=True, quiet=True)
    assert resumed.metrics == found[0].metrics
    with monkeypatch.context() as context, pytest.raises(KeyError):
        context.setattr("unrolled.runs.fit.judge", stop)
        ur.fit(Made(40), out=tmp_path / "other", quiet=True, **options)
    with pytest.raises(DataError, match="^your data: the data has changed"):
        ur.fit(Made(41), out=tmp_path / "other", resume=True, quiet=True)
