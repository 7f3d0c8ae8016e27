"""Lines as people and programs divide them: separators, quotes, headers and what stands around a table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from csv_texts import lines, refused, remarks, table

from unrolled.data.config import DataConfig
from unrolled.data.readers.table import read_table, read_written
from unrolled.errors import DataError
from unrolled.testing.dialects import differs, variant


@pytest.mark.parametrize("first", range(0, 240, 60))
def test_what_a_dialect_writes_is_read_back_or_refused(first: int) -> None:
    refusals = 0
    for seed in range(first, first + 60):
        one = variant(seed)
        try:
            found = read_written(pa.py_buffer(one.data), "t", DataConfig.check(one.options), one.suffix)
        except DataError as error:
            assert str(error).startswith("t") and "\n" not in str(error), one.told
            refusals += 1
            continue
        assert differs(one, found.to_pydict()) == "" or "is read with a decimal point" in remarks(found), one.told
    assert refusals <= 6


SEPARATORS = {
    "semicolons around decimal commas": ("a;b\n1,5;2,5\n3,5;4,25\n", {"a": [1.5, 3.5], "b": [2.5, 4.25]}),
    "two colons": ("u::i\n1::1193\n1::661\n", {"u": [1, 1], "i": [1193, 661]}),
    "two colons beside commas": ("u::x,1\n1::2,5\n3::4,5\n", {"u": [1, 3], "x,1": [2.5, 4.5]}),
    "blanks": ("a  b   label\n0   1.5    x\n1   2.5    y\n", {"a": [0, 1], "b": [1.5, 2.5], "label": ["x", "y"]}),
    "what Excel writes first": ("sep=;\na;b\n1;x\n2;y\n", {"a": [1, 2], "b": ["x", "y"]}),
    "comments": ("# made by\n# a program\na,b\n1,2\n3,4\n", {"a": [1, 3], "b": [2, 4]}),
    "a header that starts with #": ("# made by\n# a b\n1.0 2.0\n3.0 4.0\n", {"a": [1, 3], "b": [2, 4]}),
    "hashes in a text": ("text,n\n#one,1\n#two,2\n", {"text": ["#one", "#two"], "n": [1, 2]}),
    "a separator behind each row": ("a,b\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4], "column3": [None, None]}),
    "names of rows, as R writes them": (
        '"mpg" "cyl"\n"Mazda RX4" 21 6\n"Datsun 710" 22.8 4\n',
        {"column1": ["Mazda RX4", "Datsun 710"], "mpg": [21, 22.8], "cyl": [6, 4]},
    ),
    "blanks behind commas": ('a, b\n1, "x, y"\n2, "z"\n', {"a": [1, 2], "b": ["x, y", "z"]}),
    "single quotes": (
        "t,l\n'good, very good',pos\n'bad, sad',neg\n",
        {"t": ["good, very good", "bad, sad"], "l": ["pos", "neg"]},
    ),
    "apostrophes": ("t,l\nit's 'so',pos\ndon't,neg\n", {"t": ["it's 'so'", "don't"], "l": ["pos", "neg"]}),
    "backslashes before quotes": (
        't,l\n"say \\"hi, you\\"",pos\n"so",neg\n',
        {"t": ['say "hi, you"', "so"], "l": ["pos", "neg"]},
    ),
    "old line ends": ("a,b\r1,x\r2,y\r", {"a": [1, 2], "b": ["x", "y"]}),
}


@pytest.mark.parametrize("name", SEPARATORS)
def test_the_lines_show_what_divides_them(name: str) -> None:
    text, expected = SEPARATORS[name]
    assert table(text).to_pydict() == expected


def test_a_separator_that_the_name_of_the_file_does_not_promise() -> None:
    found = table("text,label\ngood,pos\nbad,neg\n", ".tsv")
    assert found.to_pydict() == {"text": ["good", "bad"], "label": ["pos", "neg"]}
    assert remarks(found) == "the separator is ',', not a tab as the name of the file says"


def test_options_say_how_lines_are_divided() -> None:
    text = "Report\nof 2024\na:b\nkg:m\n1:2\n3:4\n"
    assert table(text, separator=":", skip="2,1").to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert table("a\tb\n1\t2\n", separator="tab").to_pydict() == {"a": [1], "b": [2]}
    assert table("1::1193\n2::661\n", ".dat", header=("u", "i")).to_pydict() == {"u": [1, 2], "i": [1193, 661]}
    assert table('a,b\n"x,1\n', quote="none").to_pydict() == {"a": ['"x'], "b": [1]}
    assert table("a\n1\n-999\n2\n", na_values=("-999",)).to_pydict() == {"a": [1, None, 2]}
    assert "has no line behind the 9 that skip leaves out" in refused("a\n1\n", skip="9")


def test_single_quotes_where_the_columns_are_named() -> None:
    text = lines("'11.7%'::'1,680,034'::'a'", "'1.5%'::'902,935'::'b'")
    found = table(text, header=("y", "n", "t")).to_pydict()
    assert found == {"y": [11.7, 1.5], "n": [1680034, 902935], "t": ["a", "b"]}


def test_single_quotes_show_the_separator() -> None:
    texts = "n,x,y\n1,'EUR 2,5','EUR 3,5'\n4,'EUR 5,5','EUR 6,5'\n"  # between blanks, each row has three cells
    named = table(texts.partition("\n")[2], header=("n", "x", "y"))
    assert named.to_pydict() == table(texts).to_pydict() == {"n": [1, 4], "x": [2.5, 5.5], "y": [3.5, 6.5]}
    found = table("'$2 864,8'::'33-'\n'$6 103,7'::'4 798'\n", ".txt", header=("x", "n"), decimal=",")
    assert found.to_pydict() == {"x": [2864.8, 6103.7], "n": [-33, 4798]}
    found = table("'neg'::0042::(732)\r'so so'::5882::2\r", header=("who", "zip", "n"))
    assert found.to_pydict() == {"who": ["neg", "so so"], "zip": ["0042", "5882"], "n": [-732, 2]}
    assert table("2019|'x'\n0042|17,1\n1364|1,0\n").to_pydict() == {"2019": ["0042", "1364"], "x": [17.1, 1.0]}
    assert table("it's,'so\ndon't,say'\n", header=("a", "b")).to_pydict() == {
        "a": ["it's", "don't"],
        "b": ["'so", "say'"],
    }


def test_a_first_cell_that_starts_with_a_hash_is_no_comment() -> None:
    found = table("# made by a program\n#N/A,0042\n5,0043\n", header=("n", "zip"))
    assert found.to_pydict() == {"n": [None, 5], "zip": ["0042", "0043"]}


def test_lines_before_the_header_are_found_out() -> None:
    assert (
        "row 1: has 2 cells, but the header has 1 (the separator is ','; leave out the 1 line above the header with skip 1"
        in refused("Report of 2024\na,b\n1,2\n3,4\n")
    )
    titled = "\nKonto;DE12;;\n;;;\nTag;Wer;Was;Betrag\n01.02.2024;A;x;1,5\n02.02.2024;B;y;2,5\n"
    assert "its first row names 2 of 4 columns: Konto, DE12 (if it is a title, leave out the 3 lines" in refused(titled)
    assert table(titled, skip="3").column_names == ["Tag", "Wer", "Was", "Betrag"]
    wide = "Source,WDI\n\nland,code,1990,1991\nA,a,1.5,2\nB,b,3,4\n"
    assert "leave out the 2 lines above the header with skip 2" in refused(wide)
    assert table(wide, skip="2").column_names == ["land", "code", "1990", "1991"]
    assert "name all columns with header" in refused("Price,Close,Close\nTicker,A,B\n2024-01-02,1,2\n")


def test_a_first_line_that_nothing_divides_is_a_title() -> None:
    scope = "Instrument: X100\n\nRate: 100 Hz\nt\tU\n" + "".join(f"{n}\t{n / 7:.3f}\n" for n in range(9))
    assert "is not divided, but the others are, by a tab (if it is a title, leave out the 3 lines" in refused(scope)
    assert table(scope, skip="3").column_names == ["t", "U"]
    assert table('text\n"one, two"\nthree\nfour\n').column_names == ["text"]


def test_no_header_numbers_the_columns() -> None:
    assert "; header none numbers them" in refused("1\t2.5\n3\t4.5\n", ".tsv")
    assert table("1\t2.5\n3\t4.5\n", ".tsv", header=["none"]).to_pydict() == {"column1": [1, 3], "column2": [2.5, 4.5]}


def test_the_two_rows_of_orange_say_what_the_columns_are() -> None:
    found = table("who\tage\tleft\nstring\tc\tno yes\nmeta\t\tclass\nAnn\t30\tno\nBob\t41\tyes\n", ".tab")
    assert found.to_pydict() == {"who": ["Ann", "Bob"], "age": [30, 41], "left": ["no", "yes"]}
    assert found.schema.field("left").metadata == {b"answer": b"the file marks it as its class"}
    assert found.schema.field("who").metadata == {b"aside": b"is marked as meta in the file"}
    words = table("a\tb\nc\td\nx\ty\nx\ty\n", ".tab")
    assert words.num_rows == 3


def test_empty_rows_at_the_end_are_left_out_and_said() -> None:
    found = table("a;b\n1;x\n;\n2;y\n;\n ; \n;;\n".replace(";;", ";"))
    assert found.to_pydict() == {"a": [1, None, 2], "b": ["x", None, "y"]}
    assert remarks(found) == "3 empty rows at the end are left out"
    assert table("a;b\n1;x\nNA;NA\n").num_rows == 2


def test_a_line_of_dashes_below_the_header_is_no_data() -> None:
    expected = {"a": [1, 2], "b": ["x", "y"]}
    for rule in ("|:---|---:|", "| --- | --- |", "|--|--|"):
        found = table(lines("| a | b |", rule, "| 1 | x |", "| 2 | y |"))
        assert found.select(["a", "b"]).to_pydict() == expected
        assert remarks(found) == "the line of dashes below the header is left out"
    assert table(lines("a  b", "--  ---", "1  x", "2  y")).to_pydict() == expected
    assert table(lines("--|--", "1|x", "2|y"), header=("a", "b")).to_pydict() == expected
    assert table(lines("a,b", "-,-", "1,2")).to_pydict() == {"a": [None, 1], "b": [None, 2]}


HEADERS = [
    "39, State-gov, 77516\n50, ?, 83311\n38, Private, 215646\n",
    "39, State-gov, 77516, 13\n50, ?, 83311, 13\n38, Private, 215646, 9\n",
    "1::1193::5::978300760\n1::661::3::978302109\n",
    "1,2.5\n3,4.5\n",
    "5\n3\n4\n",
    "good food,1\nbad food,0\nbad wine,1\n",
    "8,307.5,ford,18.1\n8,350.5,buick,15.2\n6,200.1,amc,22.3\n6,400.2,amc,14.1\n",  # no number comes again
    'A1,"Autauga, AL",2009,"23,288 ",9.7\nA2,"Baldwin, AL",2009,"81,706 ",9.1\nA3,"Bibb, AL",2009,"8,475 ",12.1\n',
    "Rome,12\nParis,45\n",
    "Rome,12.5\nParis,13.7\n",
    "Rome,1990,1995\nParis,1985,1992\n",
    "NA,1.5\n2,2.5\n",
    "2020-01-01,a\n2020-01-02,b\n",
    "31.12.2024;5,5\n01.01.2025;7,5\n",
    "12:30,a\n12:45,b\n",
    "a,0.7,0.4,0.2\nb,0.9,0.6,0.1\n",
    "a,7.7,5.1,3.4,0.9,0.2\nb,8.9,6.6,4.1,1.9,0.6\nc,6.1,5.9,3.3,2.5,0.4\n",  # all rows fall
]


@pytest.mark.parametrize("text", HEADERS)
def test_a_first_row_of_data_is_no_header(text: str) -> None:
    assert "its first row holds data, not names" in refused(text) and "with header, as in column1" in refused(text)


def test_numbers_may_be_names() -> None:
    assert table("land,1990,1991\nA,1.5,2\nB,3,4\n").column_names == ["land", "1990", "1991"]
    assert table("land,2020\nA,1.5\nB,3\n").column_names == ["land", "2020"]
    assert table("share,5,10,25,50,90\nA,3,1,2,9,4\nB,7,2,3,1,1\n").column_names[1:] == ["5", "10", "25", "50", "90"]
    assert table("name,0\nA,5\nB,7\n").column_names == ["name", "0"]
    assert table("day,1\n2020-01-01,0\n2020-01-02,1\n").column_names == ["day", "1"]  # a word above dates is a name
    assert table("land,2020-01-22,2020-01-23\nA,1,2\nB,3,4\n").column_names == ["land", "2020-01-22", "2020-01-23"]
    assert table("0,1,2,3\n1.5,2,3,4\n").column_names == ["0", "1", "2", "3"]
    assert table("land,400,402.5,405\nA,300,403,500\nB,500,402,300\n").column_names == ["land", "400", "402.5", "405"]
    assert table("land,2023,2022\nA,2500,1500\nB,1500,3000\n").column_names == ["land", "2023", "2022"]
    assert table(",0,1\na,7,8\n").column_names == ["column1", "0", "1"]


def test_words_name_columns_even_those_that_stand_for_missing_values() -> None:
    assert table("text,day,none\ngood,2020-01-01,\nbad,2020-01-02,\n").column_names == ["text", "day", "none"]
    assert table("none,nan,null\n1,2,3\n4,5,6\n").column_names == ["none", "nan", "null"]
    assert table("missing,2019\nA,3\nB,4\n").column_names == ["missing", "2019"]


def test_a_header_below_the_names_that_are_given_is_refused() -> None:
    days = [f"2020-01-0{day},{day}" for day in range(1, 5)]
    for text, skip, again in (
        (lines("day,n", *days), None, "1"),
        (lines("Report", "# made", "", "day,n", *days), "1", "4"),
    ):
        said = refused(text, header=("d", "x"), skip=skip)
        assert "row 1, column 'd': 'day' is not a date, but 4 of the 5 cells are (if it is the header of" in said
        assert f"leave it out with skip {again};" in said
        assert table(text, header=("d", "x"), skip=again)["x"].to_pylist() == [1, 2, 3, 4]
    same = refused("text,label\ngood,pos\nbad,neg\n", header=("Text", "label"))
    assert "its first row holds the names that header gives (if it is the header of the file, leave it out with" in same


@pytest.mark.parametrize("sign", [",", ";", "|", "::", "\t"])
@pytest.mark.parametrize("quote", ['"', "'"])
def test_blanks_around_quotes_are_no_text(sign: str, quote: str) -> None:
    cells = ("say", f'so{sign} "he" said', 'a, "b" ,\nc', "")
    written = [quote + cell.replace(quote, quote * 2) + quote for cell in cells]
    rows = [f"{quote}t{quote}{sign} {quote}n{quote}", *(f"{text} {sign} {quote}7{quote}" for text in written)]
    found = table(lines(*rows), separator="tab" if sign == "\t" else sign)
    assert found.column_names == ["t", "n"] and found["n"].to_pylist() == [7] * 4
    assert found["t"].to_pylist() == [*cells[:3], None]


def test_blanks_around_quotes_of_cells_that_start_with_one_or_are_empty() -> None:
    assert table('t; n\n"""a, b"" so"; 1\nb; 2\n')["t"].to_pylist() == ['"a, b" so', "b"]
    assert table('n; t\n1; """a, b"" so"\n2; b\n')["t"].to_pylist() == ['"a, b" so', "b"]
    assert table('n; t\n1; "a ""so"""\n2; b\n')["t"].to_pylist() == ['a "so"', "b"]
    assert table('n; t\n1; ""\n2; b\n')["t"].to_pylist() == [None, "b"]


def test_blanks_around_quotes_in_a_long_file() -> None:
    rows = [f'{n}, "line {n},\nhe said, ""yes"", and", x' for n in range(60_000)]  # of several pieces
    found = table(lines("n, t, y", *rows))
    assert found["n"].to_pylist() == [*range(60_000)]
    assert all(f'line {n},\nhe said, "yes", and' == text for n, text in enumerate(found["t"].to_pylist()))


def test_a_lone_quote_never_swallows_rows() -> None:
    rows = [f"the cat {n}\tdie Katze {n}" for n in range(40)]
    rows[7] = '"' + rows[7]
    rows[23] = '"' + rows[23]
    found = table(lines("en\tde", *rows), ".tsv")
    assert found["en"].to_pylist()[7] == '"the cat 7' and found.num_rows == 40
    assert "the quotes are read as letters, since none closes a cell" in remarks(found)
    assert "row 2: a cell opens with a quote, and text follows" in refused('a,b\n"x",1\n"y"z,2\n"w",3\n')
    assert "row 2: a quote is opened here but never closed" in refused('a,b\n"x",1\n"y,2\nz,3\n')
    swallowing = lines("a,b", '"x",0', '"5,1', "y,2", "z,3", 'w",4', "v,5")
    assert "row 2, column 'a': a quote takes 4 lines into one cell" in refused(swallowing)
    assert table('a,b\n5" pipe,1\n"so ""said""",2\n').to_pydict() == {"a": ['5" pipe', 'so "said"'], "b": [1, 2]}


def test_encodings_are_told_by_their_marks(tmp_path: Path) -> None:
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        assert table("a,b\ncafé,1\n".encode(encoding)).to_pydict() == {"a": ["café"], "b": [1]}
    assert table(b"\xef\xbb\xbf\xef\xbb\xbfa,b\nx,1\n").column_names == ["a", "b"]
    assert "row 1, column 'a': byte 0x84 is not UTF-8 (try text_encoding cp1252" in refused(b"a,b\n\x84so\x93,1\n")
    (tmp_path / "x.csv").write_bytes("größe;x\n1,5;2\n".encode("utf-16"))
    assert read_table(tmp_path / "x.csv", DataConfig()).to_pydict() == {"größe": [1.5], "x": [2]}
