"""Files that are nearly right are read, or refused in one sentence that names them; the process survives in any case."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from mutations import survive_each

from unrolled.testing.damage import mutated

ROWS = [
    {"text": f'naïve, "{"so " * (n % 4)}" good', "x": n / 3, "steps": [n, n + 1, 2], "y": "ab"[n % 2]} for n in range(9)
]
TABLE = pa.Table.from_pylist(ROWS)


def _csv(separator: str) -> bytes:
    lines = [["text", "x", "steps", "y"]]
    lines += [[f'"naïve{separator} ""so"" {n}\nand on"', str(n / 3), f"{n} {n + 1}", "ab"[n % 2]] for n in range(9)]
    return "".join(separator.join(line) + "\r\n" for line in lines).encode()


def _arrow(write: Callable[[pa.BufferOutputStream, pa.Schema], pa.ipc.RecordBatchWriter]) -> bytes:
    sink = pa.BufferOutputStream()
    with write(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return sink.getvalue().to_pybytes()


def _parquet() -> bytes:
    file = io.BytesIO()
    pa.parquet.write_table(TABLE, file)
    return file.getvalue()


JSON = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
WORDS = "-DOCSTART- -X- O\n\nJürgen B-PER x\nlives O y\n\nin O z\nRome B-LOC z\n".encode()
FIELDS = "# text = a b\n1-2\tab" + "\t_" * 8 + "\n1\ta" + "\t_" * 8 + "\n2\tb" + "\t_" * 8 + "\n\n"
TUNE = '% airs\nX:1\nT:Für é\nM:6/8\nL:1/8\nK:D\n|:A2B (3cde|[CEG]2 z:|"Am"a4-|a4|]\n\nX:2\nK:C\nCDE|\n'

# A name's ending -> its reader, and a good file.
FILES: dict[str, tuple[str, bytes]] = {
    "txt": ("text", "Naïve text.\r\nOf “several” lines 😀,\n\nand more.\n".encode()),
    "csv": ("table", _csv(",")),
    "tsv": ("table", _csv("\t")),
    "csv.gz": ("table", gzip.compress(_csv(","), mtime=0)),
    "jsonl": ("table", JSON),
    "parquet": ("table", _parquet()),
    "arrow": ("table", _arrow(pa.ipc.new_file)),
    "ipc": ("table", _arrow(pa.ipc.new_stream)),
    "conll": ("columns", WORDS),
    "conllu": ("columns", FIELDS.encode() * 3),
    "abc": ("abc", TUNE.encode()),
}


@pytest.mark.soak
def test_mutated_files_are_read_or_refused_in_a_sentence(tmp_path: Path, times: Callable[[int, int], int]) -> None:
    count = times(200, 10_000)
    for ending, (_, good) in FILES.items():
        (tmp_path / ending).mkdir()
        dice = random.Random(ending)
        for number in range(count):
            (tmp_path / ending / f"{number}.{ending}").write_bytes(mutated(good, dice))
    found = survive_each({tmp_path / ending: reader for ending, (reader, _) in FILES.items()})
    for folder, (read, refused) in found.items():
        print(f"{folder.name}: {read} read, {refused} refused")
        assert read + refused == count, folder.name
        assert min(read, refused) >= count // 200, folder.name  # hardly a change of a packed file is not seen
