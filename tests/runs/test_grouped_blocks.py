from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from unrolled.data.encodings.encoding import Encoded as Columns
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.keys import key_hashes
from unrolled.data.tables.read import read
from unrolled.data.tables.sequences import Sequences, drop_missing
from unrolled.runs import blockwise, grouped_blocks, plan
from unrolled.runs.encode import Encoded, encode
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
    made = plan_from_options(path, {**ASKED, **more}, None, say, folder.with_suffix(".cache"))
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
