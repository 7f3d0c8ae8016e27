from __future__ import annotations

import bz2
import gzip
import json
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from unrolled.data.batches.loader import Loader
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.tables.read import read
from unrolled.errors import DataError
from unrolled.runs import blockwise, plan
from unrolled.runs import encode as encoder
from unrolled.runs.blockwise import Draw
from unrolled.runs.encode import Encoded, encode
from unrolled.runs.plan import RunPlan, plan_from_options
from unrolled.runs.preparing import preparation_of
from unrolled.storage.cache_folder import listed
from unrolled.training.plans import training_plan

RANDOM = np.random.default_rng(0)
WORDS = ["good", "bad", "day", "food", "it's", "café", "12"]
ASKED: dict[str, Any] = {"target": ("label",), "plan": "fixed", "hidden": 4, "steps": 3, "missing": "impute"}


def rows(count: int) -> dict[str, list[Any]]:
    """A text, a number, some of which are missing, a whole number, labels, some of which are missing."""
    return {
        "text": [" ".join(RANDOM.choice(WORDS, 4)) for _ in range(count)],
        "score": [None if n % 9 == 3 else round(float(RANDOM.normal()), 3) for n in range(count)],
        "stars": [n % 5 for n in range(count)],
        "label": [None if n % 11 == 5 else "yes" if n % 3 else "no" for n in range(count)],
    }


def as_csv(path: Path, table: dict[str, list[Any]]) -> None:
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in zip(*table.values(), strict=True)]
    path.write_text("\n".join([",".join(table), *lines]) + "\n")


def as_jsonl(path: Path, table: dict[str, list[Any]]) -> None:
    cells = zip(*table.values(), strict=True)
    path.write_text("".join(json.dumps(dict(zip(table, row, strict=True))) + "\n" for row in cells))


def as_parquet(path: Path, table: dict[str, list[Any]]) -> None:
    pa.parquet.write_table(pa.table(table), path, row_group_size=30)


def as_folder(path: Path, table: dict[str, list[Any]]) -> None:
    """Files of 7, 40 and 43 rows in three formats, and one that is left out, below two folders."""
    (path / "deeper").mkdir(parents=True)
    parts = {name: np.split(np.array(cells, object), [7, 47]) for name, cells in table.items()}
    first, second, third = ({name: of[k].tolist() for name, of in parts.items()} for k in range(3))
    as_csv(path / "a.csv", first)
    as_jsonl(path / "b.jsonl", second)
    as_parquet(path / "deeper" / "c.parquet", third)
    as_csv(path / "deeper" / "other.csv", {"another": [1, 2, 3]})


def as_packed(path: Path, table: dict[str, list[Any]]) -> None:
    as_csv(path.with_suffix(".csv"), table)
    data = path.with_suffix(".csv").read_bytes()
    path.write_bytes(pa.compress(data, "zstd", asbytes=True) if path.suffix == ".zst" else PACK[path.suffix](data))


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
WRITE: dict[str, Callable[[Path, dict[str, list[Any]]], None]] = {
    "csv": as_csv,
    "jsonl": as_jsonl,
    "parquet": as_parquet,
    "folder": as_folder,
    **{f"csv.{packing}": as_packed for packing in ("gz", "bz2", "xz", "zst")},
}


@pytest.fixture
def sized(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the bytes of a block; every file is large."""

    def set_to(block: int) -> None:
        monkeypatch.setattr(blockwise, "BLOCK", block)

    monkeypatch.setattr(blockwise, "LARGE", 0)
    for module in (blockwise, plan):
        monkeypatch.setattr(module, "HEAD", 1 << 17)
    return set_to


def prepare(
    path: Path, folder: Path, say: Callable[[str], None] = lambda _: None, **more: Any
) -> tuple[RunPlan, Encoded]:
    folder.mkdir(exist_ok=True)
    made = plan_from_options(path, {**ASKED, **more}, None, say, folder.with_suffix(".cache"))
    return made, encode(folder, made, say)


def stored(folder: Path) -> dict[str, bytes]:
    (store,) = listed(folder.with_suffix(".cache"))
    files = [file for file in store.folder.rglob("*") if file.is_file() and file.name != "store.json"]
    return {file.name: file.read_bytes() for file in files if file.suffix != ".arrow"}


@pytest.mark.parametrize("form", WRITE)
def test_what_is_prepared_in_blocks_is_what_is_prepared_in_one(
    form: str, tmp_path: Path, sized: Callable[[int], None]
) -> None:
    path = tmp_path / f"data.{form}"
    WRITE[form](path, rows(90))
    found = []
    for block in (40, 300, 1 << 20):  # about a row, seven rows, and all
        if block == 40 and form != "csv":
            continue
        sized(block)
        said: list[str] = []
        _, encoded = prepare(path, tmp_path / f"{block}", said.append, kinds={"label": "category", "text": "tokens"})
        assert "read the beginning of" in said[0]
        valid = encoded.splits.valid
        assert valid is not None
        found.append(
            (
                stored(tmp_path / f"{block}"),
                valid.table.to_pydict(),
                valid.rows.tolist() if valid.rows is not None else [],
                said[1:],
            )
        )
    assert all(one == found[-1] for one in found)


@pytest.mark.parametrize("form", ["csv", "folder"])
def test_what_is_prepared_in_blocks_is_what_is_prepared_at_once(
    form: str, tmp_path: Path, sized: Callable[[int], None]
) -> None:
    path = tmp_path / f"data.{form}"
    WRITE[form](path, rows(90))
    sized(300)
    made, encoded = prepare(path, tmp_path / "run", valid=0.2)
    whole = read(path)
    known = [n for n, label in enumerate(whole.table.column("label").to_pylist()) if label is not None]
    files = {"a.csv": 7, "b.jsonl": 40, "deeper/c.parquet": 43} if form == "folder" else {"data.csv": 90}
    drawn = [Draw(0, 0.0, 0.2)(name, np.arange(count)) for name, count in files.items()]
    sides = {split: np.concatenate([one[split] for one in drawn]) for split in drawn[0]}
    train = whole.take(np.array([n for n in known if sides["train"][n]]))
    coder = Preprocessor.fit(train, made.roles, preparation_of(made.config, made.roles, whole.kinds, started=False))
    assert coder.to_files() == encoded.measured.task.coder.to_files()
    at_once = coder.encode(train)
    for name, column in at_once.inputs.items():
        assert np.array_equal(column.values, encoded.train.inputs[name].values)
        assert column.values.dtype == encoded.train.inputs[name].values.dtype
    assert at_once.target is not None
    assert encoded.train.target is not None
    assert np.array_equal(at_once.target.values, encoded.train.target.values)
    assert encoded.splits.valid is not None
    assert encoded.splits.valid.table.to_pydict() == {
        name: [cells[n] for n in known if sides["valid"][n]]
        for name, cells in whole.table.to_pydict().items()
        if name != "file"
    }
    held = [n for n in known if sides["valid"][n]]
    places = [encoded.splits.valid.origin.place(encoded.splits.valid.where("text").row(k)) for k in range(len(held))]
    assert places == [whole.origin.place(n + 1) for n in held]


def test_a_pattern_is_prepared_as_a_folder_of_its_files(tmp_path: Path, sized: Callable[[int], None]) -> None:
    folder, table = tmp_path / "data", rows(90)
    as_folder(folder, table)
    (folder / "deeper" / "other.csv").unlink()
    sized(300)
    found = []
    for number, source in enumerate([folder, folder / "**" / "*.*"]):
        made, encoded = prepare(source, tmp_path / f"run{number}", valid=0.2)
        assert made.known is not None and made.known.by_blocks and encoded.splits.valid is not None
        found.append((stored(tmp_path / f"run{number}"), encoded.splits.valid.table.to_pydict()))
    assert found[0] == found[1]


@pytest.mark.parametrize("labels", [[0, 1, 2], [True, False], [1.5, 2.5]])
def test_labels_keep_their_type(labels: list[Any], tmp_path: Path, sized: Callable[[int], None]) -> None:
    table = {
        "x": [round(float(RANDOM.normal()), 3) for _ in range(80)],
        "label": [labels[n % len(labels)] for n in range(80)],
    }
    as_csv(path := tmp_path / "data.csv", table)
    sized(200)
    made, encoded = prepare(path, tmp_path / "run", missing=None, task="classify")
    assert made.known is not None
    assert made.known.by_blocks
    answer = encoded.measured.task.coder.answer
    assert answer.to_config()["labels"] == sorted(read(path).table.column("label").unique().to_pylist())


def test_no_encoding_sees_a_row_that_is_held_out(tmp_path: Path, sized: Callable[[int], None]) -> None:
    table, sides = rows(200), Draw(0, 0.2, 0.2)("data.csv", np.arange(200))
    for n in range(200):
        if not sides["train"][n]:
            table["text"][n], table["score"][n] = "planted", 1e6
    table["label"][int(np.flatnonzero(sides["valid"])[3])] = "planted"
    as_csv(path := tmp_path / "data.csv", table)
    sized(700)
    said: list[str] = []
    _, encoded = prepare(path, tmp_path / "run", said.append, valid=0.2, test=0.2, kinds={"label": "category"})
    files = encoded.measured.task.coder.to_files()
    assert not any(b"planted" in content for content in files.values())
    assert abs(encoded.measured.task.coder.inputs["score"].to_config()["mean"][0]) < 1
    assert "1 held-out rows are left out, as no training row has their answer" in said
    assert encoded.judged.keys() == {"valid", "test"}


def test_a_row_keeps_its_side_when_rows_are_added() -> None:
    few, many = (Draw(3, 0.1, 0.2)("a.csv", np.arange(count)) for count in (1_000, 50_000))
    assert all(np.array_equal(few[name], many[name][:1_000]) for name in few)
    assert abs(many["test"].mean() - 0.1) < 0.01
    assert abs(many["valid"].mean() - 0.18) < 0.01
    assert (sum(many.values()) == 1).all()
    assert not np.array_equal(many["valid"], Draw(3, 0.1, 0.2)("b.csv", np.arange(50_000))["valid"])


@pytest.mark.parametrize(
    ("at", "row", "message"),
    [
        (60, "good day,much,3,yes", r"data.csv, row 61, column 'score': 'much' is not a number"),
        (70, "good day,1.5,3,yes,more", r"data.csv, row 71: has 5 cells, but the header has 4"),
        (80, "good day,inf,3,yes", r"data.csv, row 81, column 'score': .*infinite"),
    ],
)
def test_an_error_names_the_row_of_the_file(
    at: int, row: str, message: str, tmp_path: Path, sized: Callable[[int], None]
) -> None:
    as_csv(path := tmp_path / "data.csv", rows(90))
    lines = path.read_text().splitlines()
    lines[1 + at] = row
    path.write_text("\n".join(lines) + "\n")
    sized(500)
    with pytest.raises(DataError, match=message):
        prepare(path, tmp_path / "run", valid=0)
    assert not [*(tmp_path / "run.cache").glob("*")]


def test_what_cannot_be_prepared_in_blocks_is_read_whole(tmp_path: Path, sized: Callable[[int], None]) -> None:
    lines = [f"{n},{round(float(np.sin(n / 3)), 4)}" for n in range(120)]
    path = tmp_path / "data.csv"
    path.write_text("t,load\n" + "\n".join(lines) + "\n")
    sized(200)
    said: list[str] = []
    options = {"target": ("load",), "order": "t", "horizon": 3}
    made, encoded = prepare(path, tmp_path / "run", said.append, **options)
    assert made.known is not None
    assert not made.known.by_blocks
    assert encoded.train.steps().tolist() == [108]
    assert sum("read" in line for line in said) == 1


@pytest.mark.parametrize(("free", "order"), [(1 << 10, "blocks"), (1 << 30, "rows"), (None, "rows")])
def test_what_memory_does_not_hold_is_read_block_by_block(
    free: int | None, order: str, tmp_path: Path, sized: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_csv(path := tmp_path / "data.csv", rows(90))
    sized(1 << 20)
    monkeypatch.setattr(encoder, "free_memory", lambda: free)
    said: list[str] = []
    _, encoded = prepare(path, tmp_path / "run", said.append, plan="rules")
    assert encoded.config.training.shuffle == order
    line = "plan: shuffle blocks (the encoded data, 0.0 GB, is more than half of the free memory)"
    assert (line in said) == (order == "blocks")


def test_memory_does_not_grow_with_the_file(tmp_path: Path, sized: Callable[[int], None]) -> None:
    table = rows(2_000)
    table["text"] = [" ".join([text] * 8) for text in table["text"]]
    as_csv(path := tmp_path / "data.csv", {name: cells * 12 for name, cells in table.items()})
    assert path.stat().st_size > 3_500_000
    sized(1 << 17)
    before, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        prepare(path, tmp_path / "run", valid=0.01)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert pool.max_memory() < 4_000_000
    assert peak < 12_000_000


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_more_text_than_an_offset_of_32_bits_can_tell(
    tmp_path: Path, times: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """B8: over 2 GiB of text in one column, and over 2³¹ steps, each a character."""
    monkeypatch.setattr(blockwise, "LARGE", 0)
    text, rows_ = "it is raining again today, and so on; " * 1_700, times(40, 34_000)
    path = tmp_path / "data.csv"
    with path.open("w") as file:
        file.write("text,label\n")
        file.writelines(f'"{n % 10}{text}",{"ab"[n % 2]}\n' for n in range(rows_))
    kinds = {"text": "tokens", "label": "category"}
    made, encoded = prepare(path, tmp_path / "run", kinds=kinds, tokens="characters", valid=0.001)
    assert made.known is not None and made.known.by_blocks
    column = encoded.train.inputs["text"]
    assert column.offsets is not None and encoded.splits.train.rows is not None
    assert rows_ == 40 or column.offsets[-1] > 1 << 31
    last = column.values[column.offsets[-2] : column.offsets[-1]]
    expected = f"{encoded.splits.train.rows[-1] % 10}{text}".strip()
    assert encoded.measured.task.coder.inputs["text"].decode(last).strip() == expected  # type: ignore[attr-defined]
    loader = Loader(
        encoded.train, training_plan(encoded.train, encoded.measured.task.batching, made.config.training, 0)
    )
    assert loader[len(loader) - 1].inputs["text"].shape[1] == len(last)
