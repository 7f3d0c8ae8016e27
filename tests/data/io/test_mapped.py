from __future__ import annotations

import ast
import io
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from unrolled.data.io.mapped import CHUNK, Spool, copied, map_file, map_stream
from unrolled.errors import DataError

SOURCE = Path(__file__).parents[3] / "src" / "unrolled"
ARROW_READERS = {"csv", "json", "parquet", "ipc"}
PYTHON_OWNED = {"py_buffer", "foreign_buffer", "PythonFile", "mmap"}
READ_ALL = """
import sys
from pathlib import Path
from unrolled.data.config import DataConfig
from unrolled.data.readers.table import read_table

print(sum(read_table(path, DataConfig()).num_rows for path in sorted(Path(sys.argv[1]).iterdir())))
"""


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_a_file_a_pipe_and_a_spool_give_their_bytes(size: int, tmp_path: Path) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    (tmp_path / "a.bin").write_bytes(data)
    with Spool() as spool:
        spool.write(data)
        spooled = spool.buffer()
    for buffer in (spooled, map_file(tmp_path / "a.bin"), map_stream(io.BytesIO(data), "a pipe")):
        assert bytes(buffer) == data


def test_a_map_outlives_the_name_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"a" * 2 * CHUNK)
    buffer = map_file(file)
    file.unlink()
    assert bytes(buffer[-3:]) == b"aaa"


def test_a_copy_is_one() -> None:
    assert bytes(copied(b"abc")) == b"abc"
    assert copied(b"").size == 0


def test_a_pipe_in_which_nothing_comes_is_refused() -> None:
    with pytest.raises(DataError, match="standard input: is empty"):
        map_stream(io.BytesIO(), "standard input")


def names_in(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


def uses_arrow_readers(file: Path) -> bool:
    nodes = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Attribute)]
    return any(
        node.attr in ARROW_READERS and isinstance(node.value, ast.Name) and node.value.id == "pa" for node in nodes
    )


def test_arrows_threads_never_see_memory_that_python_owns() -> None:
    """Whoever drops such memory last needs the interpreter's lock, and a thread that waits for it at exit aborts."""
    readers = [file for file in SOURCE.rglob("*.py") if uses_arrow_readers(file)]
    assert {file.stem.strip("_") for file in readers} >= {"table", "csv_file", "jsonlines"}
    for file in [SOURCE / "data" / "io" / "mapped.py", *readers]:
        assert not names_in(file) & PYTHON_OWNED, f"{file.name} makes a buffer of an object of Python"


def test_a_process_that_read_many_tables_ends_well(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "x": [1.5, 2.5], "steps": [[1, 2], [3]]})
    for number in range(40):
        pa.parquet.write_table(table, tmp_path / f"{number}.parquet")
        (tmp_path / f"{number}.csv").write_text("x,y\n1,a\n2,b\n")
    command = [sys.executable, "-c", READ_ALL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, "160"), done.stderr[-2000:]
