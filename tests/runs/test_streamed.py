"""Predictions and metrics piece by piece, and by several processes, are those at once."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import warm
from allocations import peak_of
from configs import data_config, model_config, task_config
from samples import SAMPLES, network_for, training

import unrolled as ur
from unrolled.data.tables.read import read_blocks
from unrolled.errors import DataError, UsageError
from unrolled.metrics.scoring import values
from unrolled.runs import later_data, pieces
from unrolled.runs.config import RunConfig
from unrolled.runs.merged import merge_sums, write_sums
from unrolled.runs.parts import predict_parts
from unrolled.runs.shards import Shard
from unrolled.runs.streamed import predicted
from unrolled.runs.trained import Trained

WORDS = ["good food", "bad food", "good wine", "so bad", "never again", "very good"]


def made(name: str) -> Trained:
    """A model for a sample, not trained."""
    torch.manual_seed(0)
    task = SAMPLES[name].ask()
    config = RunConfig(
        task=task_config(name=task.name, **SAMPLES[name].options), data=data_config(), model=model_config(),
        training=training({}),
    )  # fmt: skip
    return Trained(config, task, network_for(task, "bigru" if task.name == "fill" else "gru"), {}, {})


def near(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(near, one, other))
    return bool(one == other or (isinstance(one, float) and one == pytest.approx(other, rel=1e-4, abs=1e-6)))


@pytest.mark.parametrize(
    "name", [name for name in SAMPLES if name != "forecast ahead"]
)  # its rows end as they must not
def test_pieces_are_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, data = made(name), SAMPLES[name].data
    whole = trained.predict(data)
    monkeypatch.setattr(pieces, "_ROWS", 4)
    parts = list(predicted(trained, data))
    assert len(parts) == 3 and len({str(part.schema) for part in parts}) == 1
    found = pa.concat_tables(parts)
    assert found.column_names == whole.column_names
    assert all(near(found.column(one).to_pylist(), whole.column(one).to_pylist()) for one in whole.column_names)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "fill"])  # what is hidden depends on the place
def test_the_sums_of_pieces_are_those_of_the_whole(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, data = made(name), SAMPLES[name].data
    metrics = trained.evaluate(data)
    monkeypatch.setattr(pieces, "_ROWS", 4)
    summed = values(trained.sums(data))
    assert summed.keys() == metrics.keys()
    assert all(summed[one] == pytest.approx(metrics[one], rel=1e-6, abs=1e-9) for one in metrics)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "fill"])
def test_what_is_examined_in_pieces_is_what_is_examined_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, data = made(name), SAMPLES[name].data
    whole = trained.examine(data, worst=1_000)
    monkeypatch.setattr(pieces, "_ROWS", 4)
    found = trained.examine(data, worst=1_000)
    assert found.metrics == pytest.approx(whole.metrics, rel=1e-5, abs=1e-7)
    assert (found.units, found.examined, found.confusion) == (whole.units, whole.examined, whole.confusion)
    assert [(one.name, one.units) for one in found.by_length] == [(one.name, one.units) for one in whole.by_length]
    assert [one.value for one in found.worst[:3]] == pytest.approx([one.value for one in whole.worst[:3]], rel=1e-4)
    known = {(one.row, one.part): (one.inputs, one.right) for one in whole.worst}
    assert {(one.row, one.part): (one.inputs, one.right) for one in found.worst} == known


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    table = {"text": WORDS * 8, "mood": [("happy" if "good" in text else "sad") for text in WORDS * 8]}
    return ur.fit(
        table, target="mood", kinds={"text": "tokens"}, hidden=4, steps=4, out=tmp_path_factory.mktemp("m") / "r"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty files of three formats, some in folders, of 1 to 9 rows, with the true mood."""
    choice, folder = random.Random(0), tmp_path_factory.mktemp("many")
    for number in range(40):
        place = folder / ("deep/er" if number % 7 == 0 else "") / f"{number:02}.{'csv' if number % 2 else 'parquet'}"
        place.parent.mkdir(parents=True, exist_ok=True)
        texts = choice.choices(WORDS, k=choice.randint(1, 9))
        table = pa.table(
            {
                "id": [f"{number}-{row}" for row in range(len(texts))],
                "text": texts,
                "mood": ["happy" if "good" in text else "sad" for text in texts],
            }
        )
        if number % 2:
            place.write_text("id,text,mood\n" + "".join(",".join(row.values()) + "\n" for row in table.to_pylist()))
        else:
            pq.write_table(table, place)
    return folder


@pytest.fixture(scope="module")
def whole(run: Trained, folder: Path) -> pa.Table:
    return run.predict(folder)


def ids(out: Path) -> list[str]:
    return sorted(
        str(cell) for part in out.rglob("part-*.parquet") for cell in pq.read_table(part).column("id").to_pylist()
    )


@pytest.mark.parametrize("count", [1, 7])
def test_shards_predict_each_row_once(count: int, run: Trained, folder: Path, whole: pa.Table, tmp_path: Path) -> None:
    done = [predict_parts(run, folder, tmp_path, Shard(index, count)) for index in range(count)]
    assert sum(part.written for part in done) == 40 == len(list(tmp_path.rglob("*.parquet")))
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    assert ids(tmp_path) == sorted(whole.column("id").to_pylist()) and sum(part.rows for part in done) == len(whole)
    chances = dict(zip(whole.column("id").to_pylist(), whole.column("mood_p_happy").to_pylist(), strict=True))
    for part in tmp_path.rglob("*.parquet"):
        for row in pq.read_table(part).to_pylist():
            assert row["mood_p_happy"] == pytest.approx(chances[row["id"]], abs=1e-6)


def test_the_same_call_again_writes_only_what_is_not_there(run: Trained, folder: Path, tmp_path: Path) -> None:
    first = predict_parts(run, folder, tmp_path)
    assert (first.written, first.kept) == (40, 0)
    (tmp_path / "part-03.csv.parquet").unlink()
    broken = tmp_path / "part-02.parquet.parquet"
    broken.write_bytes(broken.read_bytes()[:-20])
    again = predict_parts(run, folder, tmp_path)
    assert (again.written, again.kept) == (2, 38)
    other = predict_parts(run, folder, tmp_path, Shard(0, 20), fitted=False, beam=None)
    assert (other.written, other.rows) == (0, 0) and other.kept > 0


KILLED = """
import os, signal, sys
from pathlib import Path
from unrolled import api
from unrolled.runs import parts
from unrolled.storage import directories

done = []
def killed(folder, written=directories.fsync):
    done.append(folder)
    if len(done) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    written(folder)
def half(tables, made_of, whole=parts.as_parquet):
    for piece in whole(tables, made_of):
        yield piece
        if len(done) == 8:
            os.kill(os.getpid(), signal.SIGKILL)
parts.as_parquet = half
directories.fsync = killed
parts.predict_parts(api.load(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
"""


def test_a_process_that_is_killed_leaves_whole_parts(
    run: Trained, folder: Path, whole: pa.Table, tmp_path: Path
) -> None:
    assert warm.run(KILLED, run.folder, folder, tmp_path).returncode == -9
    left = [path.name for path in tmp_path.rglob("*.partial")]
    assert len(left) == 1 and len(list(tmp_path.rglob("part-*.parquet"))) == 8
    done = predict_parts(run, folder, tmp_path)
    assert (done.kept, done.written) == (8, 32) and not list(tmp_path.rglob("*.partial"))
    assert ids(tmp_path) == sorted(whole.column("id").to_pylist())


def test_a_file_that_cannot_be_read_does_not_stop_the_others(run: Trained, folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text("text\ngood\n" if name != "b" else "text,x\n1\n")
    with pytest.raises(DataError, match=r"b\.csv"):
        predict_parts(run, tmp_path, tmp_path / "out")
    assert [part.name for part in sorted((tmp_path / "out").iterdir())] == ["part-a.csv.parquet", "part-c.csv.parquet"]


@pytest.mark.parametrize("text", ["3/3", "1", "-1/2", "a/b", "1/0"])
def test_a_shard_is_one_of_so_many(text: str) -> None:
    with pytest.raises(UsageError, match="shard must be i/n with 0 ≤ i < n"):
        Shard.parse(text)


def test_files_are_dealt_by_size() -> None:
    sizes = {f"{n}.csv": n * n for n in range(50)}
    dealt = [Shard(index, 4).of(sizes) for index in range(4)]
    assert sorted(name for mine in dealt for name in mine) == sorted(sizes)
    loads = [sum(sizes[name] for name in mine) for mine in dealt]
    assert max(loads) < 1.02 * min(loads)


@pytest.mark.parametrize("count", [1, 7])
def test_merged_sums_are_the_metrics_of_all(count: int, run: Trained, folder: Path, tmp_path: Path) -> None:
    for index in range(count):
        write_sums(run, folder, tmp_path, Shard(index, count))
    whole, merged = run.evaluate(folder), merge_sums(run, tmp_path)
    assert merged.keys() == whole.keys()
    assert merged["accuracy"] == whole["accuracy"]  # counts are exact
    assert all(merged[name] == pytest.approx(whole[name], rel=1e-12) for name in whole)


def test_sums_that_do_not_belong_together_are_refused(run: Trained, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no sums of shards"):
        merge_sums(run, tmp_path)
    write_sums(run, folder, tmp_path, Shard(0, 2))
    with pytest.raises(DataError, match="lacks 1 shard of 2: 1"):
        merge_sums(run, tmp_path)
    path = write_sums(run, folder, tmp_path, Shard(1, 2))
    good = json.loads(path.read_bytes())
    for wrong, message in (
        ({"model": "x"}, "shard 1 was evaluated with another model"),
        ({"beam": 3}, "holds sums of two evaluations"),
        ({"files": {}}, "did not see the same files"),
        ({"sums": {"a": {"kind": "object", "shape": [], "values": 1}}}, "is damaged, or holds no sums"),
        ({"shard": 3}, "is damaged"),
    ):
        path.write_text(json.dumps({**good, **wrong}))
        with pytest.raises(DataError, match=message):
            merge_sums(run, tmp_path)
    path.write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        merge_sums(run, tmp_path)


def test_a_target_that_is_missing_in_some_pieces(run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_ROWS", 3)
    data = {"text": WORDS, "mood": [None, None, None, "happy", "sad", "happy"]}
    known = {"text": WORDS[3:], "mood": data["mood"][3:]}
    part = run.read(data)
    assert values(run.sums(part)) == pytest.approx(run.evaluate(known), rel=1e-6)
    with pytest.raises(DataError, match="every value of the target is missing|is empty"):
        run.sums(run.read({"text": WORDS, "mood": [None] * 6}))


def test_memory_does_not_grow_with_the_rows(run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_ROWS", 16)
    monkeypatch.setattr(later_data, "read_blocks", partial(read_blocks, size=20_000))
    peaks = []
    for rows in (300, 1_200):
        pq.write_table(
            pa.table({"text": ["good food and more of it " * 20] * rows}),
            tmp_path / "a.parquet",
            row_group_size=50,
            use_dictionary=False,
        )
        peaks.append(
            peak_of(lambda: sum(table.num_rows for table in predicted(run, str(tmp_path / "a.parquet"), device="cpu")))
        )
    assert peaks[1] < 2 * peaks[0]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_an_error_in_a_later_block_names_the_row_of_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(later_data, "read_blocks", partial(read_blocks, size=500))
    ages = [float(row) if row != 90 else float("inf") for row in range(100)]
    if name.endswith("csv"):
        (tmp_path / name).write_text("text,age\n" + "".join(f"abc,{age}\n" for age in ages))
    else:
        pq.write_table(pa.table({"text": ["abc"] * 100, "age": ages}), tmp_path / name)
    pieces = predicted(made("classify"), str(tmp_path / name))
    assert next(pieces).num_rows < 60
    with pytest.raises(DataError, match=rf"{name}, row 91, column 'age': the value is infinite"):
        list(pieces)
