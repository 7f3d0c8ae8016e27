from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from unrolled.data.config import DataConfig
from unrolled.data.readers import _mat5
from unrolled.data.readers.matlab import read_matlab, read_one
from unrolled.errors import DataError, MissingExtra


def mat(path: Path, **variables: Any) -> Path:
    scipy.io.savemat(path / "a.mat", variables, do_compression=True)
    return path / "a.mat"


def version_73(path: Path, **variables: np.ndarray) -> Path:
    """What MATLAB writes: a block of text, then HDF5 with each matrix column by column."""
    held = io.BytesIO()
    with h5py.File(held, "w", userblock_size=512) as file:
        for name, array in variables.items():
            file[name] = array.T
    data = bytearray(held.getvalue())
    data[:22] = b"MATLAB 7.3 MAT-file, a"
    (path / "b.mat").write_bytes(data)
    return path / "b.mat"


@pytest.mark.parametrize("write", [mat, version_73])
def test_each_variable_is_a_column(write: Any, tmp_path: Path) -> None:
    path = write(tmp_path, x=np.arange(6.0).reshape(3, 2), y=np.array([[1.0, 2, 3]]))
    assert read_matlab(path, DataConfig()).to_pydict() == {"x": [[0, 1], [2, 3], [4, 5]], "y": [1, 2, 3]}


def test_cells_may_differ_in_length(tmp_path: Path) -> None:
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.arange(4.0).reshape(2, 2), np.arange(6.0).reshape(3, 2)
    found = read_matlab(mat(tmp_path, x=cells, y=np.array(["a", "b"], object)), DataConfig()).to_pydict()
    assert found == {"x": [[[0, 1], [2, 3]], [[0, 1], [2, 3], [4, 5]]], "y": ["a", "b"]}


def test_a_file_may_be_one_example(tmp_path: Path) -> None:
    assert read_one(mat(tmp_path, x=np.arange(3.0)), DataConfig()).to_pydict() == {"x": [[0, 1, 2]]}


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"MATLAB 5.0 MAT-file" + b"\0" * 200, "is not a .mat file"), (b"x,y", "is not a .mat file of version 5")],
)
def test_what_is_no_such_file_is_refused(data: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(DataError, match=expected):
        read_matlab(tmp_path / "a.mat", DataConfig())


def test_a_cell_of_one_step_is_no_vector_beside_longer_ones(tmp_path: Path) -> None:
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.array([[1.0, 2.0]]), np.arange(4.0).reshape(2, 2)
    found = read_matlab(mat(tmp_path, x=cells, y=np.arange(2.0)), DataConfig()).to_pydict()
    assert found["x"] == [[[1, 2]], [[0, 1], [2, 3]]]


def test_letters_and_truths(tmp_path: Path) -> None:
    path = mat(
        tmp_path, text=np.array(["so", "goes"]), ok=np.array([[True], [False]]), n=np.array([[1], [2]], np.uint8)
    )
    table = read_matlab(path, DataConfig())
    assert table.to_pydict() == {"text": ["so", "goes"], "ok": [True, False], "n": [1, 2]}
    assert str(table.schema.field("n").type) == "uint8"


@pytest.mark.parametrize(
    ("value", "what"),
    [({"a": 1.0}, "a structure"), (np.array([[1j]]), "complex"), (scipy.sparse.eye(3), "a sparse matrix")],
)
def test_other_classes_are_refused_by_name(value: Any, what: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"column 'x': is {what}, which is not read"):
        read_matlab(mat(tmp_path, x=value), DataConfig())


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mat5, "_UNPACKED_FLOOR", 1 << 20)
    with pytest.raises(DataError, match="unpacks to too much for a file of its size"):
        read_matlab(mat(tmp_path, x=np.zeros((4096, 4096))), DataConfig())


def test_h5py_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, find = version_73(tmp_path, x=np.ones((2, 2))), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "h5py" else find(name, *a))
    with pytest.raises(MissingExtra, match=r"an HDF5 file needs h5py: pip install 'unrolled\[science\]'"):
        read_matlab(path, DataConfig())
