from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pytest
from configs import data_config
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.config import DataConfig
from unrolled.data.readers import _csv_file, _delimited
from unrolled.data.readers.table import read_table, read_written
from unrolled.data.tables.read import read
from unrolled.errors import DataError, UsageError


def table(text: bytes | str, **config: object) -> pa.Table:
    data = text.encode() if isinstance(text, str) else text
    return read_written(pa.py_buffer(data), "t.csv", DataConfig.check(dict(config)), ".csv")


def remarks(found: pa.Table) -> list[str]:
    return (found.schema.metadata or {}).get(b"remark", b"").decode().split("\n")


BAD = {
    "ragged, short": (b"a,b\n1,2\n3\n4,5\n", "t.csv, row 2: has 1 cell, but the header has 2"),
    "ragged, and no UTF-8": (b"a,b\n1,2\n\xff\n4,5\n", "t.csv, row 2: has 1 cell, but the header has 2"),
    "ragged, long": (b'a,b\n"x\ny",2\n\n4,5,6\n', "t.csv, row 2: has 3 cells, but the header has 2 (the sep"),
    "duplicate header": (b"a,b,a\n1,2,3\n", "t.csv, column 'a': appears twice in the header"),
    "latin-1 cell": (
        b"a,b\n1,x\n2,caf\xe9\n",
        "t.csv, row 2, column 'b': byte 0xe9 is not UTF-8 (try text_encoding latin-1",
    ),
    "latin-1 header": (b"a,caf\xe9\n1,x\n", "t.csv: the name of column 2 is not UTF-8 (try text_encoding latin-1"),
    "1e400": (b"a,b\n1,2.5\n3,1e400\n", "t.csv, row 2, column 'b': '1e400' is too large for a number"),
    "header only": (b"a,b\n", "t.csv: has a header but no rows"),
    "blank": (b"\n\n", "t.csv: has no header"),
    "open quote": (b'a,b\n1,2\n3,"x\n4,5\n', "t.csv, row 2: a quote is opened here but never closed"),
    "utf-16, no mark": ("a,b\n1,2\n".encode("utf-16-le"), "t.csv: has a NUL character in its header (if it is UTF-16"),
    "mixed": (
        b"a\n" + b"1\n" * 30 + b"1O\n" + b"2\n" * 30,
        "t.csv, row 31, column 'a': '1O' is not a number, but 60 of the 61 cells are (correct it",
    ),
    "mixed dates": (
        b"a,b\n" + b"2026-01-01 01:30,x\n" * 30 + b"2026-02-30 01:30,x\n",
        "t.csv, row 31, column 'a': '2026-02-30 01:30' is not a date, but 30 of the 31 cells are (correct it, leave the "
        "cell empty, or give kinds a=category)",
    ),
    "late text": (
        b"a,b\n" + b"1,2\n" * 200_000 + b"x,2\n",
        "t.csv, row 200001, column 'a': 'x' is not a number, but 200000 of the 200001 cells are",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_name_the_place_and_the_remedy(name: str) -> None:
    data, expected = BAD[name]
    with pytest.raises(DataError) as caught:
        table(data)
    assert expected in str(caught.value)
    assert caught.value.exit_code == 3


def test_latin_1_in_a_column_that_is_text_by_kind_names_its_row() -> None:
    with pytest.raises(DataError, match=r"row 2, column 'b': byte 0xe9 is not UTF-8"):
        table(b"a,b\n1,x\n2,caf\xe9\n", kinds={"b": "category"})


def test_ragged_far_down_is_counted_right() -> None:
    with pytest.raises(DataError, match=r"row 300001: has 1 cell"):
        table(b"a,b\n" + b"1,2\n" * 300_000 + b"3\n")


def test_empty_cells_and_nan_are_missing() -> None:
    column = table("a,b\n1,NaN\nNA,2\n,nan\nnull,\n")
    assert column["a"].to_pylist() == [1, None, None, None]
    assert column["b"].to_pylist() == [None, 2, None, None]
    assert remarks(column) == ["'b' has 2 of 4 cells that are nan, read as missing"]


def test_written_infinity_is_left_to_the_encoding() -> None:
    assert table("a\n1\n-inf\n")["a"].to_pylist() == [1.0, -math.inf]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_in_the_header(separator: str) -> None:
    text = separator.join(['"x, y; z"', "b"]) + "\n" + separator.join(["1", "2"]) + "\n"
    assert table(text).to_pydict() == {"x, y; z": [1], "b": [2]}


def test_quotes_line_ends_and_marks() -> None:
    text = b'\xef\xbb\xbf a ,b\r\n"x\r\ny","say ""hi"""\r\nz\xe2\x80\xa8w\xc2\x85,2 | 3\r\n'
    assert table(text).to_pydict() == {"a": ["x\r\ny", "z\u2028w\x85"], "b": ['say "hi"', "2 | 3"]}


def test_a_header_with_a_line_break_and_an_empty_name() -> None:
    assert table('\n\n"a\nb",\n1,2\n').to_pydict() == {"a\nb": [1], "column2": [2]}


def test_a_cell_of_8_megabytes() -> None:
    cell = "x" * 8_000_000
    assert table(f"a,b\n1,{cell}\n2,y\n")["b"].to_pylist() == [cell, "y"]


def test_a_cell_larger_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_csv_file, "_BLOCKS", (16, 2**20))
    assert table("a,b\n1,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")["b"].to_pylist() == ["x" * 31]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("latin-1", "a\ncafé\n"), ("utf-16", "a\n\U0001f3b5é\n"), ("cp1252", "a\n„5“ €\n"), ("shift_jis", "a\n日本\n")],
)
def test_other_encodings(encoding: str, text: str) -> None:
    assert table(text.encode(encoding), text_encoding=encoding)["a"].to_pylist() == [text.split("\n")[1]]


def test_an_unknown_encoding_is_a_usage_error() -> None:
    for name in ("klingon", "hex", "../x", "a\0b"):
        with pytest.raises(UsageError, match="unknown text encoding"):
            table("a\n1\n", text_encoding=name)


def test_labels_keep_their_zeros() -> None:
    assert table("zip,x\n007,1\n010,2\n", kinds={"zip": "category"})["zip"].to_pylist() == ["007", "010"]


def test_a_mixed_column_may_be_called_a_category() -> None:
    text = "a\n" + "1\n" * 30 + "3+\n"
    assert table(text, kinds={"a": "category"})["a"][30].as_py() == "3+"


def test_many_texts_among_numbers_are_labels() -> None:
    assert table("a\n1\n2\nx\n")["a"].to_pylist() == ["1", "2", "x"]


def test_cells_that_hold_lists() -> None:
    text = 'a,b,c,d,e\n"[1, 2.5]",1 2,"[""x"", ""y""]","[[1,2],[3,4]]",[sic]\n[],3 4 5,,"[[5,6]]",[sic]\n'
    assert table(text).to_pydict() == {
        "a": [[1.0, 2.5], []],
        "b": [[1, 2], [3, 4, 5]],
        "c": [["x", "y"], None],
        "d": [[[1, 2], [3, 4]], [[5, 6]]],
        "e": ["[sic]", "[sic]"],
    }


def test_cells_that_hold_lists_only_in_the_sample_stay_text() -> None:
    text = "a\n" + "1 2\n" * 150 + "none\n"
    assert table(text)["a"][0].as_py() == "1 2"


def test_a_list_cell_cannot_smuggle_a_key_in() -> None:
    text = 'a\n"[1], ""b"": [2]"\n'
    assert table(text).to_pydict() == {"a": ['[1], "b": [2]']}


def test_deeply_nested_cells_stay_text() -> None:
    assert table("a\n" + "[" * 100_000 + "]" * 100_000 + "\n")["a"].type == pa.string()


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
def test_what_csv_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("first", "second"), *rows])
    kinds = {"first": "category", "second": "category"}
    empty = {"", "NA", "N/A", "null", "NULL"}
    opened = table(out.getvalue(), kinds=kinds).to_pydict()
    for index, name in enumerate(("first", "second")):
        wanted = [None if row[index] in empty else row[index] for row in rows]
        if not all(cell is None or (cell.strip().startswith("[") and cell.strip().endswith("]")) for cell in wanted):
            assert opened[name] == wanted


def test_tsv_takes_commas_as_text(tmp_path: Path) -> None:
    path = tmp_path / "x.TSV"
    path.write_text("a,b\tc\n1,x\t2\n")
    assert read_table(path, DataConfig()).to_pydict() == {"a,b": ["1,x"], "c": [2]}


def test_a_sequence_of_one_number_is_one_among_longer_ones() -> None:
    assert table("x\n1 2 3\n5\n4 6\n")["x"].to_pylist() == [[1, 2, 3], [5], [4, 6]]
    assert table("x\n1 2 3\nfive\n")["x"].type == pa.string()


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("1 6393\n1 13504\n2 7", "user,item", {"user": [1, 1, 2], "item": [6393, 13504, 7]}),
        ("ann,3\nbo,4\n", "user,item", {"user": ["ann", "bo"], "item": [3, 4]}),
        ("a b\tc\nd\te f\n", "x,y", {"x": ["a b", "d"], "y": ["c", "e f"]}),
        ("7\n8\n", "x", {"x": [7, 8]}),
    ],
)
def test_where_the_file_does_not_name_its_columns_a_user_may(text: str, names: str, expected: object) -> None:
    assert table(text, header=names.split(",")).to_pydict() == expected


def test_names_that_do_not_fit_the_rows_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        table("1 2\n3 4\n", header=("user", "item", "time"))
    assert str(caught.value) == (
        "t.csv: header has 3 names, but the first row has 2 cells (give a name for each column, separated by commas)"
    )
    with pytest.raises(DataError, match="t.txt: header has 1 name, but the first row has 2 cells .give a name for"):
        _delimited.read_delimited(pa.py_buffer(b"1 5\n1 6\n"), "t.txt", data_config(header=("user",), by="user"))
    assert table("to be\nor not\n", header=("text",)).to_pydict() == {"text": ["to be", "or not"]}
    with pytest.raises(DataError, match=r"t\.csv, row 3: has 3 cells, but the header has 2"):
        table("1 2\n3 4\n5 6 7\n", header=("user", "item"))
    with pytest.raises(DataError, match=r"t\.csv, row 1, column 'b': byte 0xe9 is not UTF-8"):
        table(b"1 caf\xe9\n", header=("a", "b"))


def test_a_file_of_any_name_is_a_table_where_its_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "clicks.txt").write_text("1 5\n1 6\n2 5\n")
    read_as = data_config(header=("user", "item"), by="user", kinds={"item": "tokens"})
    found = read(tmp_path / "clicks.txt", read_as)
    assert found.table.to_pydict() == {"user": ["1", "2"], "item": [["5", "6"], ["5"]]}
    (tmp_path / "later.jsonl").write_text('{"item": "5", "user": 3}\n')  # it names its columns itself
    assert read(tmp_path / "later.jsonl", read_as).table.to_pydict() == {"item": ["5"], "user": [3]}
    with pytest.raises(UsageError, match="header only works with a file, but .* is a folder"):
        read(tmp_path, read_as)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=80), st.integers(0, 60), st.binary(max_size=6))
def test_a_table_without_a_header_is_read_or_refused_in_a_sentence(data: bytes, at: int, piece: bytes) -> None:
    good = b"1 6393\n1 13504\n2 7\n2 9\n"
    for text in (data, good[:at] + piece + good[at:]):
        try:
            table(text, header=("user", "item"))
        except DataError as error:
            assert str(error).startswith("t.csv") and "\n" not in str(error)


def test_a_blank_line_is_a_row_where_there_is_one_column() -> None:
    assert table("a\nx\n\ny\n\n\n").to_pydict() == {"a": ["x", None, "y"]}
    assert table("a\r\n1\r\n\r\n3\r\n\r\n").to_pydict() == {"a": [1, None, 3]}
    assert table("a,b\n1,2\n\n3,4\n\n").to_pydict() == {"a": [1, 3], "b": [2, 4]}
    with pytest.raises(DataError, match="t.csv, row 23, column 'a': 'x' is not a number"):
        table("a\n" + "1\n" * 21 + "\nx\n" + "1\n" * 30)
