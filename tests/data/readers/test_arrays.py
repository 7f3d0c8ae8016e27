from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.arrays import read_arrays, read_one
from unrolled.data.readers.reader import REMARK
from unrolled.data.tables.read import read
from unrolled.errors import DataError


def npy(path: Path, array: Any, **options: Any) -> Path:
    np.save(path, array, **options)
    return path


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.arange(3), [[0, 1, 2]]),  # one long series
        (np.arange(6.0).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]),
        (np.arange(8).reshape(2, 2, 2), [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]),
        (np.arange(6.0).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),  # in Fortran's order
        (np.array([[1.5, 2]], ">f4"), [[1.5, 2]]),  # another order of bytes
        (np.array([[1.5, 2]], np.float16), [[1.5, 2]]),
        (np.array([[1.5, 2]], np.longdouble), [[1.5, 2]]),
        (np.array(["so", "it goes"]), ["so", "it goes"]),
        (np.array([b"so", b"it"]), ["so", "it"]),
        (np.array([[True, False]]), [[True, False]]),
    ],
)
def test_the_first_axis_counts_rows(array: np.ndarray, wanted: list[Any], tmp_path: Path) -> None:
    assert read_arrays(npy(tmp_path / "a.npy", array), DataConfig())["sequence"].to_pylist() == wanted


def test_each_array_of_several_is_a_column(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x=np.arange(6).reshape(2, 3), y=np.array(["a", "b"]), rate=np.int64(16))
    table = read_arrays(path, DataConfig())
    assert table.to_pydict() == {"x": [[0, 1, 2], [3, 4, 5]], "y": ["a", "b"]}
    assert table.schema.metadata == {REMARK: b"single values are left out: rate"}
    assert read(path).remarks == ("single values are left out: rate",)


def test_the_fields_of_a_structured_array_are_columns(tmp_path: Path) -> None:
    array = np.array([(1, 2.5), (3, 4.5)], [("n", "i4"), ("x", "f8")])
    assert read_arrays(npy(tmp_path / "a.npy", array), DataConfig()).to_pydict() == {"n": [1, 3], "x": [2.5, 4.5]}


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "pwned",)

    held = np.array([Evil(), 1], object)
    for path in (npy(tmp_path / "a.npy", held), npz(tmp_path / "a.npz", x=held)):
        with pytest.raises(
            DataError, match=rf"{path}.*: holds pickled objects, which could run a program \(save arrays"
        ):
            read_arrays(path, DataConfig())
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        (
            {"x_train": np.zeros((4, 2)), "x_test": np.zeros((3, 2))},
            r"differ in length: x_train 4×2, x_test 3×2 \(save",
        ),
        (
            {"x": np.zeros((2, 2, 2, 2))},
            "column 'x': has the shape 2×2×2×2, but at most rows, steps and channels count",
        ),
        ({"x": np.zeros(2, complex), "y": np.zeros(2)}, "column 'x': holds complex128, which is neither number"),
        ({"x": np.float64(1)}, "holds no array"),
    ],
)
def test_arrays_that_are_no_table_are_refused(arrays: dict[str, Any], expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=expected):
        read_arrays(npz(tmp_path / "a.npz", **arrays), DataConfig())


def test_a_header_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(held, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    (tmp_path / "a.npy").write_bytes(held.getvalue() + b"\0" * 80)
    with pytest.raises(DataError, match="is not a whole NumPy array"):
        read_arrays(tmp_path / "a.npy", DataConfig())


def test_a_file_that_is_one_example_has_its_steps_on_the_first_axis(tmp_path: Path) -> None:
    table = read_one(npy(tmp_path / "a.npy", np.arange(6).reshape(3, 2)), DataConfig())
    assert table["sequence"].to_pylist() == [[[0, 1], [2, 3], [4, 5]]]


def test_a_folder_of_arrays_is_labelled_by_its_subfolders(tmp_path: Path) -> None:
    for name, length in (("run/1", 4), ("run/2", 5), ("walk/1", 6)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        npy(tmp_path / f"{name}.npy", np.ones((length, 3)))
    found = read(tmp_path)
    assert [len(cell) for cell in found.table["sequence"].to_pylist()] == [4, 5, 6]
    assert found.labelled == "label" and found.table["label"].to_pylist() == ["run", "run", "walk"]
