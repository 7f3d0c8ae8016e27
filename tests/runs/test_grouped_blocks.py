from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
import warm

from unrolled.data.encodings.encoding import Encoded as Columns
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables import forecast_split
from unrolled.data.tables.keys import key_hashes
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences, drop_missing
from unrolled.errors import DataError, UnrolledError, UsageError
from unrolled.runs import blockwise, grouped_blocks, plan
from unrolled.runs.encode import Encoded, encode
from unrolled.runs.fit import fit
from unrolled.runs.plan import RunPlan, plan_from_options
from unrolled.runs.preparing import preparation_of
from unrolled.runs.splits import split_up
from unrolled.storage.cache_folder import listed

RANDOM = np.random.default_rng(0)
ASKED: dict[str, Any] = {"plan": "fixed", "hidden": 4, "steps": 3}
CLICKS: dict[str, Any] = {"by": "user", "order": "time", "inputs": ("page",), "task": "next_step"}
SERIES: dict[str, Any] = {"by": "meter", "order": "date", "target": ("load",), "horizon": 3}


def clicks(users: int, rows: int) -> dict[str, list[Any]]:
    """Who clicked what, when; the rows are in the order of the times, and some times are equal."""
    return {
        "user": [f"u{n}" for n in RANDOM.integers(users, size=rows)],
        "time": [int(n) // 2 for n in range(rows)],
        "page": [f"p{n}" for n in RANDOM.integers(12, size=rows)],
    }


def series(meters: int, steps: int) -> dict[str, list[Any]]:
    """Hourly loads of meters, one after another, some of which are missing, and a temperature."""
    hours = (np.datetime64("2024-01-01T00") + np.arange(steps)).astype(str).tolist()
    load = np.round(np.sin(np.arange(meters * steps) / 4) + RANDOM.normal(size=meters * steps), 3).tolist()
    return {
        "meter": [n // steps for n in range(meters * steps)],
        "date": hours * meters,
        "load": [None if n % 17 == 5 else value for n, value in enumerate(load)],
        "warm": RANDOM.integers(-9, 30, meters * steps).tolist(),
    }


def one_long(meters: int, steps: int, most: int) -> dict[str, list[Any]]:
    """Short series, and a long one whose rows stand among theirs."""
    short, long = series(meters, steps), series(1, most)
    long["meter"] = [99] * most
    return {name: [*long[name][:70], *short[name], *long[name][70:]] for name in short}


def marked(users: int, steps: int) -> dict[str, list[Any]]:
    """A state in each step, and a kind and an age of each user."""
    count = users * steps
    return {
        "user": [f"u{n // steps}" for n in range(count)],
        "level": np.round(RANDOM.normal(size=count), 3).tolist(),
        "state": [("up", "down", "off")[n % 3] for n in RANDOM.integers(3, size=count)],
        "kind": [None if n // steps == 7 else ("new", "old")[n // steps % 2] for n in range(count)],
        "age": [20.5 + n // steps for n in range(count)],
    }


def as_csv(path: Path, table: dict[str, list[Any]]) -> None:
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in zip(*table.values(), strict=True)]
    path.write_text("\n".join([",".join(table), *lines]) + "\n")


def as_jsonl(path: Path, table: dict[str, list[Any]]) -> None:
    cells = zip(*table.values(), strict=True)
    path.write_text("".join(json.dumps(dict(zip(table, row, strict=True))) + "\n" for row in cells))


def as_parquet(path: Path, table: dict[str, list[Any]]) -> None:
    pa.parquet.write_table(pa.table(table), path, row_group_size=30)


WRITE: dict[str, Callable[[Path, dict[str, list[Any]]], None]] = {
    "csv": as_csv,
    "jsonl": as_jsonl,
    "parquet": as_parquet,
}
Sized = Callable[[int, int], None]


@pytest.fixture
def sized(monkeypatch: pytest.MonkeyPatch) -> Sized:
    """Sets the bytes of a block, and of the rows that are gathered together; every file is large."""

    def set_to(block: int, part: int) -> None:
        monkeypatch.setattr(grouped_blocks, "BLOCK", block)
        monkeypatch.setattr(grouped_blocks, "PART", part)

    monkeypatch.setattr(blockwise, "LARGE", 0)
    for module in (grouped_blocks, plan):
        monkeypatch.setattr(module, "HEAD", 1 << 17)
    return set_to


def prepare(
    path: Path, folder: Path, say: Callable[[str], None] = lambda _: None, **more: Any
) -> tuple[RunPlan, Encoded]:
    folder.mkdir(exist_ok=True)
    asked = {name: value for name, value in {**ASKED, **more}.items() if value is not None}
    made = plan_from_options(path, asked, None, say, folder.with_suffix(".cache"))
    assert made.known is not None
    assert made.known.by_blocks
    return made, encode(folder, made, say)


def stored(folder: Path) -> dict[str, bytes]:
    (store,) = listed(folder.with_suffix(".cache"))
    files = [file for file in store.folder.rglob("*") if file.is_file() and file.name != "store.json"]
    return {file.name: file.read_bytes() for file in files if file.suffix != ".arrow"}


def at_once(path: Path, made: RunPlan, by: str) -> Sequences:
    """The data as it is read at once, with its sequences in the order in which they are prepared in blocks."""
    whole = read(path, made.config.data)
    count = grouped_blocks._count(made.sequences.table, path.stat().st_size)
    assert count > 2
    return whole.take(np.argsort(key_hashes(whole.table.column(by)) % np.uint64(count), kind="stable"))


def assert_same(one: dict[str, Columns], other: dict[str, Columns]) -> None:
    assert one.keys() == other.keys()
    for name, column in one.items():
        for field in ("values", "offsets", "missing"):
            found, wanted = (getattr(each, field) for each in (column, other[name]))
            assert (found is None) == (wanted is None)
            assert found is None or found.dtype == wanted.dtype
            assert found is None or np.array_equal(found, wanted, equal_nan=found.dtype.kind == "f"), (name, field)


@pytest.mark.parametrize("form", WRITE)
@pytest.mark.parametrize("asked", [CLICKS, SERIES], ids=["clicks", "series"])
def test_what_is_prepared_in_blocks_is_what_is_prepared_in_one(
    form: str, asked: dict[str, Any], tmp_path: Path, sized: Sized
) -> None:
    path = tmp_path / f"data.{form}"
    WRITE[form](path, clicks(30, 300) if asked is CLICKS else series(12, 25))
    found = []
    for block in (100, 1 << 20):  # some seven rows, and all
        sized(block, 2_000)
        said: list[str] = []
        _, encoded = prepare(path, tmp_path / f"{block}", said.append, **asked)
        valid = encoded.splits.valid
        assert valid is not None
        found.append((stored(tmp_path / f"{block}"), valid.table.to_pydict(), said[1:]))
    assert found[0] == found[1]


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "clicks": (clicks(30, 300), CLICKS),
    "clicks, times": (clicks(30, 300), {**CLICKS, "target": ("page",), "inputs": ("page", "time")}),
    "clicks, sessions": (clicks(30, 300), {**CLICKS, "gap": "9"}),
    "clicks, last": (clicks(30, 300), {**CLICKS, "valid": "last"}),
    "clicks, few": (clicks(4, 300), CLICKS),
    "series": (series(12, 25), SERIES),
    "series, one long": (one_long(9, 8, 160), SERIES),
    "series, channels": (series(12, 25), {**SERIES, "target": ("load", "warm"), "test": 0.2}),
    "series, calendar": (series(12, 25), {**SERIES, "inputs": ("date", "load"), "kinds": {"date": "calendar"}}),
    "series, known ahead": (series(12, 25), {**SERIES, "known_ahead": ("warm",)}),
    "labels of sequences": (marked(40, 5), {"by": "user", "target": ("kind",)}),
    "labels of steps": (marked(40, 5), {"by": "user", "target": ("state",), "task": "tag"}),
    "a number of sequences": (marked(40, 5), {"by": "user", "target": ("age",), "task": "regress"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_prepared_in_blocks_is_what_is_prepared_at_once(case: str, tmp_path: Path, sized: Sized) -> None:
    table, asked = CASES[case]
    as_csv(path := tmp_path / "data.csv", table)
    sized(100, 1_000)
    made, encoded = prepare(path, tmp_path / "run", **asked)
    by, roles = asked["by"], made.roles
    whole = at_once(path, made, by)
    whole = whole if roles.form.continues else drop_missing(whole, roles.target)[0]
    valid = encoded.splits.valid
    assert valid is not None
    if roles.form.horizon or asked.get("valid") == "last" or len(whole) < 10:
        splits = split_up(whole, made.config, roles, lambda _: None)
        train, held = splits.train, splits.valid
        assert held is not None
        assert held.first is not None or case == "clicks, few"
    else:
        out = np.isin(whole.table.column(by).to_pylist(), valid.table.column(by).to_pylist())
        train, held = whole.take(np.flatnonzero(~out)), whole.take(np.flatnonzero(out))
        assert 0 < len(held) < len(whole) / 2
    coder = Preprocessor.fit(train, roles, preparation_of(made.config, roles, whole.kinds, started=False))
    ours = encoded.measured.task.coder
    fitted = replace(ours, season=0, naive=coder.naive, learned=coder.learned, curves=coder.curves)
    assert fitted.to_files() == coder.to_files()
    assert_same(coder.encode(train).inputs, encoded.train.inputs)
    assert_same(ours.encode(held).inputs, encoded.judged["valid"].inputs)
    assert encoded.train.target is not None
    target = coder.encode(train).target
    assert target is not None
    assert_same({"target": target}, {"target": encoded.train.target})


def keys_of(part: Sequences | None, by: str) -> set[Any]:
    assert part is not None
    return {*part.table.column(by).to_pylist()}


def test_no_encoding_sees_a_sequence_that_is_held_out(tmp_path: Path, sized: Sized) -> None:
    table = clicks(60, 600)
    as_csv(path := tmp_path / "data.csv", table)
    sized(500, 2_000)
    _, first = prepare(path, tmp_path / "first", **CLICKS, valid=0.2, test=0.2)
    held = keys_of(first.splits.valid, "user") | keys_of(first.splits.test, "user")
    assert 4 < len(held) < 40
    table["page"] = [
        "planted" if user in held else page for user, page in zip(table["user"], table["page"], strict=True)
    ]
    as_csv(path, table)
    _, encoded = prepare(path, tmp_path / "run", **CLICKS, valid=0.2, test=0.2)
    assert keys_of(encoded.splits.valid, "user") | keys_of(encoded.splits.test, "user") == held
    assert not any(b"planted" in content for content in encoded.measured.task.coder.to_files().values())


def test_no_scale_sees_the_end_that_is_held_out(tmp_path: Path, sized: Sized) -> None:
    table = series(6, 40)
    table["load"] = [1e9 if n % 40 >= 32 else value for n, value in enumerate(table["load"])]
    as_csv(path := tmp_path / "data.csv", table)
    sized(500, 2_000)
    _, encoded = prepare(path, tmp_path / "run", **SERIES, valid=0.2)
    assert encoded.splits.valid is not None
    assert encoded.splits.valid.first is not None
    assert encoded.splits.valid.first.tolist() == [32] * 6
    assert abs(encoded.measured.task.coder.inputs["load"].to_config()["mean"][0]) < 1


def test_a_sequence_keeps_its_side_when_others_are_added(tmp_path: Path, sized: Sized) -> None:
    few, more = clicks(40, 400), clicks(80, 400)
    as_csv(path := tmp_path / "data.csv", few)
    sized(500, 2_000)
    _, before = prepare(path, tmp_path / "before", **CLICKS, valid=0.2)
    as_csv(path, {name: [*few[name], *more[name]] for name in few})
    _, after = prepare(path, tmp_path / "after", **CLICKS, valid=0.2)
    users, known = keys_of(after.splits.valid, "user"), {*few["user"]}
    assert users & known == keys_of(before.splits.valid, "user")
    assert users - known


def test_a_few_of_very_many_short_series_are_held_out(
    tmp_path: Path, sized: Sized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecast_split, "_ENOUGH", 30)
    as_csv(path := tmp_path / "data.csv", series(60, 20))
    sized(500, 2_000)
    said: list[str] = []
    _, encoded = prepare(path, tmp_path / "run", said.append, **SERIES, valid=0.01)
    assert encoded.splits.valid is not None
    assert 2 < len(encoded.splits.valid) < 25
    assert "valid: the last 1 % of 17 % of the series, 3 steps at least" in said
    assert len(encoded.train.steps()) == 60


@pytest.mark.parametrize(
    ("line", "row", "message"),
    [
        (200, ",400,p1", r"data.csv, row 200, column 'user': is empty, but it must say where the step belongs"),
        (201, "u1,,p1", r"data.csv, row 201, column 'time': is empty, but it must say where the step belongs"),
        (202, "u1,400,p1,more", r"data.csv, row 202: has 4 cells, but the header has 3"),
    ],
)
def test_an_error_names_the_row_of_the_file(
    line: int, row: str, message: str, tmp_path: Path, sized: Sized, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_csv(path := tmp_path / "data.csv", clicks(30, 300))
    lines = path.read_text().splitlines()
    lines[line] = row
    path.write_text("\n".join(lines) + "\n")
    sized(500, 2_000)
    for module in (grouped_blocks, plan):
        monkeypatch.setattr(module, "HEAD", 1 << 10)
    with pytest.raises(DataError, match=message):
        prepare(path, tmp_path / "run", **CLICKS)
    assert not [*(tmp_path / "run.cache").glob("*")]


def test_a_column_that_changes_later_is_refused(tmp_path: Path, sized: Sized, monkeypatch: pytest.MonkeyPatch) -> None:
    table = marked(100, 5)
    table["kind"][-1] = "other"
    as_csv(path := tmp_path / "data.csv", table)
    sized(500, 2_000)
    for module in (grouped_blocks, plan):
        monkeypatch.setattr(module, "HEAD", 1 << 11)
    message = r"data.csv, column 'kind': changes within a sequence, but not in the beginning of the data"
    with pytest.raises(DataError, match=message):
        prepare(path, tmp_path / "run", by="user", target=("kind",))
    assert not [*(tmp_path / "run.cache").glob("*")]


def test_a_column_that_is_of_another_type_later_is_refused() -> None:
    known: Any = None
    schema = pa.schema([("user", pa.int64()), ("kind", pa.int64())])
    steps = grouped_blocks.Steps("", "data", known, {"kind": "category"}, schema)
    block = Sequences(pa.table({"user": [1, 2], "kind": [1.0, 1.5]}), {"kind": "category"}, rows=np.array([7, 8]))
    message = r"row 8, column 'kind': holds double, but int64 in the beginning of the data \(write it in one way"
    with pytest.raises(DataError, match=message):
        steps._checked(block)


@pytest.mark.parametrize("valid", [0.2, "last"])
def test_too_little_data_is_refused(valid: Any, tmp_path: Path, sized: Sized) -> None:
    sized(500, 2_000)
    as_csv(path := tmp_path / "data.csv", series(3, 6))
    with pytest.raises(UnrolledError, match=r"to forecast 3 steps takes 7|only works where the next step"):
        prepare(path, tmp_path / "run", **SERIES, valid=valid)
    as_csv(path, marked(1, 40))
    with pytest.raises(UnrolledError, match=r"has only one sequence, so none can be held out|only works where"):
        prepare(path, tmp_path / "one", by="user", target=("age",), task="regress", valid=valid)


def test_nothing_held_out_needs_an_end(tmp_path: Path, sized: Sized) -> None:
    sized(500, 2_000)
    as_csv(path := tmp_path / "data.csv", clicks(30, 300))
    with pytest.raises(UsageError, match="without validation data nothing ends training"):
        prepare(path, tmp_path / "run", **CLICKS, valid=0, steps=None)
    said: list[str] = []
    _, encoded = prepare(path, tmp_path / "ends", said.append, **CLICKS, valid=0)
    assert encoded.splits.valid is None
    assert "valid: nothing is held out, so the last weights are kept" in said


KILLED = """\
import os, signal, sys
from pathlib import Path
import test_grouped_blocks as here
from unrolled.data.store.prepared_store import Writer
from unrolled.data.tables.partitions import Partitions
from unrolled.errors import DataError, UnrolledError, UsageError
from unrolled.runs import blockwise, grouped_blocks, plan

folder, at, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
grouped_blocks.BLOCK, grouped_blocks.PART, blockwise.LARGE = 500, 2_000, 0
grouped_blocks.HEAD = plan.HEAD = 1 << 17
owner, name = {"add": (Partitions, "add"), "group": (grouped_blocks.Steps, "group"), "keep": (Writer, "keep")}[at]
whole = getattr(owner, name)

def last(*given, **more):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*given, **more)

setattr(owner, name, last)
here.prepare(folder / "data.csv", folder / "run", **here.CLICKS)
"""


@pytest.mark.parametrize(("at", "times"), [("add", 2), ("group", 3), ("keep", 4)])
def test_killed_while_it_prepares_the_next_run_finds_the_same(
    at: str, times: int, tmp_path: Path, sized: Sized
) -> None:
    as_csv(path := tmp_path / "data.csv", clicks(30, 300))
    here = Path(__file__).parent
    done = warm.run(KILLED, tmp_path, at, times, paths=(here, here.parent))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert {found.suffix for found in (tmp_path / "run.cache").iterdir()} == {".partial", ".lock"}
    sized(500, 2_000)
    prepare(path, tmp_path / "run", **CLICKS)
    prepare(path, tmp_path / "other", **CLICKS)
    assert stored(tmp_path / "run") == stored(tmp_path / "other")
    assert len([*(tmp_path / "run.cache").iterdir()]) == 1
    assert "scratch" not in [found.name for found in (tmp_path / "run.cache").rglob("*")]


def test_a_second_run_reads_nothing_of_the_source(tmp_path: Path, sized: Sized) -> None:
    as_csv(path := tmp_path / "data.csv", series(12, 40))
    sized(500, 2_000)
    options = {**ASKED, **SERIES}
    first = fit(path, options, out=tmp_path / "first", cache=tmp_path / "cache")
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = fit(path, options, out=tmp_path / "second", cache=tmp_path / "cache")
    assert second.metrics == first.metrics
    assert all(torch.equal(a, b) for a, b in zip(second.network.parameters(), first.network.parameters(), strict=True))


def test_a_table_of_arrow_is_prepared_as_its_file_is(tmp_path: Path, sized: Sized) -> None:
    table = marked(40, 5)
    as_parquet(path := tmp_path / "data.parquet", table)
    sized(500, 2_000)
    found = []
    for source in (path, pa.table(table)):
        made = plan_from_options(source, {**ASKED, "by": "user", "target": ("state",)}, None, lambda _: None)
        (folder := tmp_path / str(len(found))).mkdir()
        found.append(encode(folder, made, lambda _: None))
    assert_same(found[0].train.inputs, found[1].train.inputs)


def test_memory_does_not_grow_with_the_file(tmp_path: Path, sized: Sized) -> None:
    table = clicks(3_000, 30_000)
    as_csv(path := tmp_path / "data.csv", {name: cells * 8 for name, cells in table.items()})
    assert path.stat().st_size > 3_000_000
    sized(1 << 17, 1 << 18)
    before, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    try:
        prepare(path, tmp_path / "run", **CLICKS, valid=0.01)
    finally:
        pa.set_memory_pool(before)
    assert pool.max_memory() < 4_000_000
