"""Read block by block, a table is the one that is read at once: columns, types, cells."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from configs import data_config

from unrolled.data.config import DataConfig
from unrolled.data.readers.table import read_table, scan_table
from unrolled.errors import DataError

N = 60
TEXTS = {
    "plain.csv": "x,text,label\n" + "".join(f"{n},it is {n},{'ab'[n % 2]}\n" for n in range(N)),
    "whole then decimal.csv": "x\n" + "".join(f"{n if n < 40 else n / 8}\n" for n in range(N)),
    "numbers then words.csv": "x,y\n" + "".join(f"{n if n < 20 else f'word {n}'},1\n" for n in range(N)),
    "codes.csv": "x,y\n" + "".join(f"{n + 100 if n < 50 else f'00{n}'},1\n" for n in range(N)),
    "quoted.csv": 'x,text\n' + "".join(f'{n},"a ""b"", c\nd {n}"\n' for n in range(N)),
    "quotes in cells.csv": "x,size\n" + "".join(f'{n},{n} by 3" and\n' for n in range(N)),
    "comma.csv": "x;y\n" + "".join(f"{n},{n % 7}5;{n}\n" for n in range(N)),
    "empty cells.csv": "x,y\n" + "".join("1,2\n,\n\n" for _ in range(N)),
    "one column.csv": "x\n" + "".join("1\n\n\n\n" for _ in range(N)),
    "lists.csv": "x\n" + "".join("1 2 3\n" if n > 40 else "7\n" for n in range(N)),
    "lists later.csv": "x,y\n" + "".join(f"{'1 2 3' if n < 40 else '7'},1\n" for n in range(N)),
    "missing at first.csv": "x,y\n" + "".join(f"{'' if n < 30 else n / 4},1\n" for n in range(N)),
    "title.tsv": "# about\nx\ty\n" + "".join(f"{n}\t{n}\n" for n in range(N)),
    "returns.csv": "x,y\r\n" + "".join(f"{n},1\r\n" for n in range(N)),
    "days.csv": "day,y\n" + "".join(f"2024-01-{n % 28 + 1:02},1\n" if n < 50 else "some day,1\n" for n in range(N)),
    "plain.jsonl": "".join(f'{{"x": {n}, "t": "word {n}"}}\n' for n in range(N)),
    "keys.jsonl": "".join(f'{{"x": {n}}}\n' if n < 40 else f'{{"y": [{n}], "z": {{"a": 1}}}}\n' for n in range(N)),
    "decimals.jsonl": "".join(f'{{"x": {n if n < 40 else n / 8}}}\n' for n in range(N)),
    "days.jsonl": "".join(f'{{"day": "{"2024-01-01" if n < 40 else "some day"}"}}\n' for n in range(N)),
}  # fmt: skip


def blocks(path: Path, size: int, config: DataConfig) -> list[pa.Table]:
    found = list(scan_table(path, config, size))
    assert len({str(table.schema.remove_metadata()) for table in found}) == 1
    return found


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("size", [60, 100, 1000])
def test_texts(name: str, size: int, tmp_path: Path) -> None:
    (tmp_path / name).write_text(TEXTS[name])
    whole = read_table(tmp_path / name, DataConfig())
    found = pa.concat_tables(blocks(tmp_path / name, size, DataConfig()))
    assert found.column_names == whole.column_names
    assert pa.concat_tables(blocks(tmp_path / name, size, DataConfig())).equals(found)  # now its types are known
    for one in whole.column_names:
        assert found.column(one).to_pylist() == whole.column(one).to_pylist()
        assert str(found.schema.field(one).type).removeprefix("large_") == str(
            whole.schema.field(one).type
        ).removeprefix("large_")


def test_most_texts_are_cut(tmp_path: Path) -> None:
    for name in ("plain.csv", "quoted.csv", "codes.csv", "returns.csv", "plain.jsonl", "days.jsonl"):
        (tmp_path / name).write_text(TEXTS[name])
        assert len(blocks(tmp_path / name, 100, DataConfig())) > 3, name


def test_a_header_that_is_given(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("".join(f"{n};{n}\n" for n in range(N)))
    config = data_config(header=("a", "b"))
    found = blocks(tmp_path / "x.csv", 50, config)
    assert len(found) > 3 and pa.concat_tables(found).equals(read_table(tmp_path / "x.csv", config))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", TEXTS["plain.csv"] + "1,2\n"),
        ("b.jsonl", TEXTS["plain.jsonl"] + "[1]\n"),
        ("c.jsonl", TEXTS["plain.jsonl"] + '{"x": "word"}\n'),
    ],
)
def test_errors_are_those_of_the_whole(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as whole:
        read_table(tmp_path / name, DataConfig())
    with pytest.raises(DataError) as found:
        list(scan_table(tmp_path / name, DataConfig(), 100))
    assert str(found.value) == str(whole.value) and f"row {N + 1}" in str(whole.value)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_files_of_columns(form: str, tmp_path: Path) -> None:
    table = pa.table({"x": range(1000), "text": ["some words"] * 1000})
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        pyarrow.parquet.write_table(table, path, row_group_size=300)
    else:
        with pyarrow.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    found = blocks(path, 2000, DataConfig())
    assert len(found) > 3 and pa.concat_tables(found).equals(table)
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    with pytest.raises(DataError, match="is not a valid"):
        list(scan_table(path, DataConfig(), 4000))
