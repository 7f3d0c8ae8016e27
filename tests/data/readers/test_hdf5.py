from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.hdf5 import read_hdf5
from unrolled.errors import DataError, MissingExtra


def hdf5(path: Path, **arrays: Any) -> Path:
    with h5py.File(path / "a.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path / "a.h5"


def test_each_data_set_is_a_column(tmp_path: Path) -> None:
    path = hdf5(tmp_path, x=np.arange(6).reshape(2, 3), y=["so", "it goes"], z=np.array([b"a", b"b"]))
    assert read_hdf5(path, DataConfig()).to_pydict() == {
        "x": [[0, 1, 2], [3, 4, 5]],
        "y": ["so", "it goes"],
        "z": ["a", "b"],
    }


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["x"] = [1, 2]
    path = hdf5(tmp_path, y=[1.5, 2.5])
    with h5py.File(path, "a") as file:
        file["x"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "x")
    assert read_hdf5(path, DataConfig()).column_names == ["y"]
    with h5py.File(path, "a") as file:
        file.create_dataset("z", (2,), "u1", external=[(str(tmp_path / "secret.h5"), 0, 2)])
    with pytest.raises(DataError, match="column 'z': keeps its values in another file"):
        read_hdf5(path, DataConfig())


def test_groups_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"has only the groups train at its root \(save the arrays of one group as .npz"
    ):
        read_hdf5(hdf5(tmp_path, **{"train/x": [1, 2]}), DataConfig())


def test_references_are_refused(tmp_path: Path) -> None:
    path = hdf5(tmp_path, y=[1.5, 2.5])
    with h5py.File(path, "a") as file:
        file["cells"] = np.array([file["y"].ref], h5py.ref_dtype)
    with pytest.raises(DataError, match="column 'cells': holds references, such as cells of MATLAB"):
        read_hdf5(path, DataConfig())


def test_h5py_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, find = hdf5(tmp_path, x=[1, 2]), importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "h5py" else find(name, *a))
    with pytest.raises(MissingExtra, match=r"an HDF5 file needs h5py: pip install 'unrolled\[science\]'"):
        read_hdf5(path, DataConfig())
