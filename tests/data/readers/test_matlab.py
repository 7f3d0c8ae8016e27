from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from unrolled.data.config import DataConfig
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
    [(b"MATLAB 5.0 MAT-file" + b"\0" * 200, "is not a .mat file that can be read"), (b"x,y", "is not a .mat file")],
)
def test_what_is_no_such_file_is_refused(data: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(DataError, match=expected):
        read_matlab(tmp_path / "a.mat", DataConfig())


def test_scipy_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, find = mat(tmp_path, x=np.arange(3.0)), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "scipy" else find(name, *a))
    with pytest.raises(MissingExtra, match=r"a .mat file needs scipy: pip install 'unrolled\[science\]'"):
        read_matlab(path, DataConfig())
