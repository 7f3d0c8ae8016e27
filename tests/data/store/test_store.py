from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import SAMPLES, Sample

from unrolled.data.encodings.encoding import Encoded
from unrolled.data.examples.examples import Examples
from unrolled.data.store import arrays, prepared_store
from unrolled.data.store.prepared_store import INDEX, Store, Writer
from unrolled.data.store.sources import Mark, marks_of
from unrolled.errors import DataError, SpaceError


def same(a: Encoded | None, b: Encoded | None) -> bool:
    if a is None or b is None:
        return a is b
    pairs = [(a.values, b.values), (a.offsets, b.offsets)]
    pairs += (
        [(a.missing, b.missing)]
        if a.missing is not None
        else [(b.missing, np.zeros_like(b.missing))] * (b.missing is not None)
    )
    return all((x is None) == (y is None) and (x is None or same_arrays(x, y)) for x, y in pairs)


def same_arrays(x: np.ndarray, y: np.ndarray) -> bool:
    return x.shape == y.shape and x.dtype == y.dtype and np.ascontiguousarray(x).tobytes() == y.tobytes()


def parts(sample: Sample, rows: int) -> Iterator[Any]:
    count = len(sample.data)
    return (sample.data.take(np.arange(at, min(at + rows, count))) for at in range(0, count, rows))


def written(folder: Path, sample: Sample, rows: int = 3) -> tuple[Store, Any, Examples]:
    task = sample.ask()
    with Writer(folder / "store", "key", []) as writer:
        for part in parts(sample, rows):
            writer.append("train", task.coder.encode(part))
            writer.keep("valid", part)
        found = writer.finish({"note": "made"}, task.coder.to_files())
    return found, task.coder, sample.examples(task)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("rows", [1, 3])
def test_rows_that_are_stored_in_parts_are_those_that_are_encoded_at_once(tmp_path: Path, name: str, rows: int) -> None:
    _, coder, whole = written(tmp_path, SAMPLES[name], rows)
    opened = Store.open(tmp_path / "store")
    found = opened.examples("train", coder.examples)
    assert found.inputs.keys() == whole.inputs.keys()
    assert all(same(found.inputs[name], column) for name, column in whole.inputs.items())
    assert same(found.target, whole.target)
    assert found.own == whole.own
    assert found.labels == whole.labels
    for a, b in ((found.first, whole.first), (found.naive, whole.naive)):
        assert (a is None) == (b is None)
        assert a is None or b is None or np.array_equal(a, b, equal_nan=True)
    kept = opened.rows("valid")
    assert kept is not None
    assert kept.table.equals(SAMPLES[name].data.table)
    assert (kept.kinds, str(kept.origin)) == (SAMPLES[name].data.kinds, str(SAMPLES[name].data.origin))
    assert opened.about == {"note": "made"}
    assert opened.encodings() == coder.to_files()


# --- what is not whole -------------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Any]:
    _, coder, _ = written(tmp_path, SAMPLES[next(iter(SAMPLES))])
    return tmp_path / "store", coder


def read_all(folder: Path, coder: Any) -> None:
    opened = Store.open(folder)
    examples = opened.examples("train", coder.examples)
    for column in examples.inputs.values():
        column.values[:].sum()
    opened.rows("valid")
    opened.encodings()


def test_a_file_that_is_cut_or_gone_is_an_error(stored: tuple[Path, Any]) -> None:
    folder, coder = stored
    read_all(folder, coder)
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "encodings"]
    assert len(files) > 3
    for path in files:
        content = path.read_bytes()
        for damage in (content[:-1], content + b"\0", None):
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            with pytest.raises(DataError, match="prepared data is damaged"):
                read_all(folder, coder)
            path.write_bytes(content)
    read_all(folder, coder)


def test_an_index_that_says_something_else_is_an_error(stored: tuple[Path, Any]) -> None:
    folder, coder = stored
    good = json.loads((folder / INDEX).read_text())
    paths = list(leaves(good))
    assert len(paths) > 15
    for path in paths:
        for value in (None, -1, 10**30, "x", [], {}, [2], True):
            (folder / INDEX).write_text(json.dumps(changed(good, path, value)))
            try:
                read_all(folder, coder)
            except DataError as error:
                assert "damaged" in str(error)
    for text in ("", "{", "[]", "null", '{"format": 2}', "[" * 100_000):
        (folder / INDEX).write_text(text)
        with pytest.raises(DataError, match="prepared data is damaged"):
            Store.open(folder)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path and path[0] in ("about", "encodings"):
        return
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        yield (*path, name)
        yield from leaves(one, (*path, name))


def changed(whole: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(whole))
    inside = copy
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    return copy


def test_rows_that_are_not_in_order_are_an_error(stored: tuple[Path, Any]) -> None:
    folder, coder = stored
    path = next(folder.glob("train-*-offsets.bin"))
    offsets = np.fromfile(path, np.int64)
    for place, value in ((0, 1), (1, 10**9), (1, -5), (len(offsets) - 1, 0)):
        wrong = offsets.copy()
        wrong[place] = value
        wrong.tofile(path)
        with pytest.raises(DataError, match="prepared data is damaged: its rows"):
            read_all(folder, coder)


# --- ends of a writer --------------------------------------------------------------------------------------------


def test_a_writer_that_is_killed_leaves_no_store_and_the_next_one_leaves_nothing_of_it(tmp_path: Path) -> None:
    sample = next(iter(SAMPLES.values()))
    sample.ask()
    for point in (1, 2, 3, 4, 5, 7, 9, 11, 13, 15):
        if not (child := os.fork()):
            dies_at(point)
            written(tmp_path, sample)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9, point
        assert not (tmp_path / "store").exists()
        assert any(tmp_path.iterdir())
    _, _, _ = written(tmp_path, sample)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    once = {path.name: path.read_bytes() for path in (tmp_path / "store").iterdir() if path.is_file()}
    written(tmp_path / "other", sample)
    assert once == {path.name: path.read_bytes() for path in (tmp_path / "other" / "store").iterdir() if path.is_file()}


def dies_at(point: int) -> None:
    """Let this process end at a step of a writer as with kill -9: nothing is cleaned up."""
    left, append = iter(range(point - 1)), arrays.ArrayWriter.append

    def step(*_: Any) -> None:
        if next(left, None) is None:
            os._exit(9)

    def stepped(writer: arrays.ArrayWriter, values: np.ndarray) -> None:
        step()
        append(writer, values)

    arrays.ArrayWriter.append = stepped  # type: ignore[method-assign]
    prepared_store.fsync = step


def test_a_full_disk_is_said_and_leaves_the_store_before(tmp_path: Path) -> None:
    sample = next(iter(SAMPLES.values()))
    _, coder, _ = written(tmp_path, sample)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(SpaceError, match="what was saved before is intact"):
            written(tmp_path, sample)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    read_all(tmp_path / "store", coder)


def test_a_file_is_known_by_its_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    (mark,) = marks_of([tmp_path])
    assert mark == Mark.of(path)
    os.utime(path, ns=(0, mark.time + 1))
    assert marks_of([path]) == [mark.model_copy(update={"time": mark.time + 1})]
    path.write_text("x\n12\n")
    assert [one.size for one in marks_of([path])] == [mark.size + 1]
