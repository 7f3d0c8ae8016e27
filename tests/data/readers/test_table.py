from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import warm

from unrolled.data.config import DataConfig
from unrolled.data.io import unpacking
from unrolled.data.readers.table import MEMBER, read_table
from unrolled.errors import DataError

TABLE = pa.table({"id": [1, 2], "x": [[1.0, 2.0], [3.0]], "name": ["a", None]})


def write(table: pa.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    elif path.suffix == ".feather":
        pa.feather.write_feather(table, path)
    else:
        form = pa.ipc.new_file if path.suffix == ".ipc" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, form(sink, table.schema) as writer:
            writer.write_table(table)


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".ipc", ".arrow"])
def test_what_arrow_writes_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    write(TABLE, path)
    assert read_table(path, DataConfig()) == TABLE


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".ipc", ".arrow"])
def test_a_file_that_is_cut_or_another_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    write(TABLE, path)
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"a,b\n1,2\n", b"\0" * 100):
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"{path}: is not a valid (Parquet|Arrow) file: "):
            read_table(path, DataConfig())


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".ipc"])
def test_mutated_files_never_kill_the_process(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    write(TABLE, path)
    script = tmp_path / "fuzz.py"
    script.write_text(
        "import random, resource, sys\n"
        "from pathlib import Path\n"
        "from unrolled.data.config import DataConfig\n"
        "from unrolled.data.readers.table import read_table\n"
        "from unrolled.errors import DataError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))\n"
        "path = Path(sys.argv[1]); whole = path.read_bytes(); rng = random.Random(0)\n"
        "for _ in range(150):\n"
        "    data = bytearray(whole)\n"
        "    for _ in range(rng.randint(1, 3)):\n"
        "        data[rng.randrange(len(data))] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])\n"
        "    path.write_bytes(data)\n"
        "    try: read_table(path, DataConfig()).to_pylist()\n"
        "    except DataError: pass\n"
        "print('alive')\n"
    )
    done = warm.run(script.read_text("utf-8"), path)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-800:]


def test_a_crafted_offset_is_an_error_not_a_segmentation_fault(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    write(pa.table({"text": ["x" * 100, "y" * 100]}), path)
    honest = np.array([0, 100, 200], np.int32).tobytes()
    data = path.read_bytes()
    assert data.count(honest) == 1
    path.write_bytes(data.replace(honest, np.array([0, 100, 2**30], np.int32).tobytes()))
    program = (
        "import sys; from pathlib import Path; from unrolled.data.config import DataConfig\n"
        "from unrolled.data.readers.table import read_table; read_table(Path(sys.argv[1]), DataConfig()).to_pylist()"
    )
    done = warm.run(program, path)
    assert done.returncode == 1 and "is not a valid Arrow file: " in done.stderr


def test_gzip(tmp_path: Path) -> None:
    for name, data in [("t.csv.gz", b"a\n1\n"), ("t.JSONL.GZ", b'{"a":1}\n')]:
        path = tmp_path / name
        path.write_bytes(gzip.compress(data))
        assert read_table(path, DataConfig()).to_pydict() == {"a": [1]}


def test_a_gzip_bomb_is_refused_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_UNPACKED_FLOOR", 2 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"0" * (64 << 20)))
    with pytest.raises(DataError, match=r"unpacks to more than \d+ MiB, the limit .* unpack it first"):
        read_table(path, DataConfig())


def test_gzip_that_is_cut_or_empty(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    for data, expected in [
        (gzip.compress(b"a\n1\n" * 1000)[:-10], "is not a whole gzip file"),
        (gzip.compress(b""), "is empty"),
    ]:
        path.write_bytes(data)
        with pytest.raises(DataError, match=expected):
            read_table(path, DataConfig())


def test_every_suffix_leads_to_a_typed_error(tmp_path: Path) -> None:
    for suffix in MEMBER.suffixes:
        path = tmp_path / f"t{suffix}"
        with pytest.raises(DataError, match="there is no such file"):
            read_table(path, DataConfig())
        path.write_bytes(b"")
        with pytest.raises(DataError, match="is empty"):
            read_table(path, DataConfig())
