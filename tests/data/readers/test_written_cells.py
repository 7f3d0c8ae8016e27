"""Cells as people and programs write them: numbers, dates, missing values and codes are read to the true value."""

from __future__ import annotations

import datetime

import pytest
from csv_texts import lines, refused, remarks, table


def test_words_for_missing_values_in_many_columns_are_said_once() -> None:
    names = [f"c{n}" for n in range(8)]
    text = "\n".join([",".join(names), ",".join(["n/a"] * 8), *(",".join([f"{n}.5"] * 8) for n in range(4))]) + "\n"
    said = "8 columns have cells that are 'n/a', read as missing: 'c0' (1), 'c1' (1), 'c2' (1), 'c3' (1), 'c4' (1) and 3 more"
    assert remarks(table(text)) == said


def test_what_is_said_of_many_columns_is_said_once() -> None:
    text = "\n".join([";".join(f"c{n}" for n in range(6)), *(";".join(["7,25"] * 6) for _ in range(3))]) + "\n"
    said = "each of 6 columns is read with a decimal comma: 'c0', 'c1', 'c2', 'c3', 'c4' and 1 more"
    assert remarks(table(text)) == said


def test_letters_for_thousands_and_millions() -> None:
    volumes = table("d;v\na;45.25K\nb;1.5M\nc;950\nd;2B\n")
    assert volumes["v"].to_pylist() == [45250.0, 1.5e6, 950.0, 2e9]
    assert remarks(volumes) == "'v' is read with K for thousands, M for millions and B for billions"
    assert table("flat\n12B\n7K\n3M\n")["flat"].to_pylist() == ["12B", "7K", "3M"]


def test_numbers_with_marks_are_no_words() -> None:
    marked = "\n".join(["v", *(f"{n}.5" for n in range(9)), "9.5 p", "10.5e"]) + "\n"
    assert "row 10, column 'v': '9.5 p' is a number with letters; 2 of the 11 cells are like that" in refused(marked)
    assert table("flat\n12a\n7\n3\n4\n5b\n")["flat"].to_pylist() == ["12a", "7", "3", "4", "5b"]


NUMBERS = {
    "decimal commas": ("x;y\n42,09;a\n7,5;b\n", ";", [42.09, 7.5]),
    "points and commas": ("x;y\n1.234,56;a\n12,5;b\n", ";", [1234.56, 12.5]),
    "euros": ("x;y\n1.234,56 €;a\n-7,00 €;b\n", ";", [1234.56, -7]),
    "dollars": ('x,y\n"$1,234.50",a\n($7.25),b\n', ",", [1234.5, -7.25]),
    "codes": ("x;y\nEUR 12,50;a\nEUR 3,00;b\n", ";", [12.5, 3]),
    "Swiss prices": ("x;y\nCHF 1'234.50;a\nCHF 5.-;b\n", ";", [1234.5, 5]),
    "percent": ("x,y\n12.3%,a\n50 %,b\n", ",", [12.3, 50]),
    "a minus behind": ("x,y\n12.50-,a\n3.25,b\n", ",", [-12.5, 3.25]),
    "a long minus": ("x,y\n−12,a\n3,b\n", ",", [-12, 3]),
    "a plus": ("x,y\n+12,a\n3,b\n", ",", [12, 3]),
    "blanks that do not break": ("x;y\n1\u202f234,5;a\n2\u00a0000;b\n", ";", [1234.5, 2000]),
    "thousands": ('x,y\n"1,234",a\n"12,345,678",b\n', ",", [1234, 12345678]),
    "lakhs": ('x,y\n"1,23,456",a\n"12,34,567",b\n', ",", [123456, 1234567]),
    "a power of ten": ("x;y\n1,5E+03;a\n2,5E-01;b\n", ";", [1500, 0.25]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_written_otherwise_are_numbers(name: str) -> None:
    text, _, expected = NUMBERS[name]
    found = table(text)
    assert found["x"].to_pylist() == pytest.approx(expected)
    assert found["y"].to_pylist() == ["a", "b"]


def test_how_numbers_are_read_is_said() -> None:
    found = table("price;share\n1.234,56 €;12%\n7,00 €;50%\n")
    assert remarks(found).split("\n") == [
        "'price' is read with a decimal comma",
        "'price' is read with thousands in groups, so that 1.234,56 € is 1234.56",
        "'price' is read without €",
        "'share' is read in percent, so that 50% is 50",
    ]
    assert found.schema.metadata[b"decimal"] == b","


def test_a_number_that_can_be_read_in_two_ways_is_asked_about() -> None:
    text = "x\ty\n1,234\ta\n5,678\tb\n"
    assert refused(text) == (
        "t.csv, row 1, column 'x': '1,234' can be read in two ways (give decimal , if ',' is the decimal sign, decimal . "
        "if it divides thousands)"
    )
    assert table(text, decimal=",")["x"].to_pylist() == [1.234, 5.678]
    assert table(text, decimal=".")["x"].to_pylist() == [1234, 5678]
    for other, value in (("7,5", 1.234), ("7.5", 1234), ("1,234.5", 1234)):
        assert table(f"x\ty\n1,234\t{other}\n5,678\t{other}\n")["x"][0].as_py() == value  # the next column shows it
    assert table("x;y\n1,234;a\n5,678;b\n12,345;c\n987;d\n")["x"].to_pylist() == [1234, 5678, 12345, 987]
    assert table("x;y\n0,123;a\n1,234;b\n")["x"].to_pylist() == [0.123, 1.234]


def test_points_between_thousands_beside_decimal_commas() -> None:
    assert table("n;x\n1.234;12,5\n7.890;3,25\n").to_pydict() == {"n": [1234, 7890], "x": [12.5, 3.25]}
    assert table("n;x\nnan;1,5\n1.234;12,5\n")["n"].to_pylist() == [None, 1234]
    assert table("n;x\n1.5;12,5\n7.890;3,25\n")["n"].to_pylist() == [1.5, 7.89]
    assert "if 1.234 means 1234, give decimal ," in remarks(table("n;x\n1.234;a\n7.890;b\n"))
    both = lines("n;y", *("1.234;a", "2.345;b", "3.456;c", "4.567;d", "5.678;e", "678;f"))
    assert "'1.234' can be read in two ways" in refused(both)
    assert table(both, decimal=",")["n"].to_pylist() == [1234, 2345, 3456, 4567, 5678, 678]
    assert table(both, decimal=".")["n"].to_pylist() == [1.234, 2.345, 3.456, 4.567, 5.678, 678]
    assert table("n;x\n1.234;a\n7.890;b\n", decimal=",")["n"].to_pylist() == [1234, 7890]


def test_blanks_divide_thousands_or_lists() -> None:
    numbers = [12_345, 980, 1_200, 55_000, 7_001, 9_999, 10_000]
    text = lines("n;y", *(f"{number:,};a".replace(",", " ") for number in numbers))
    assert table(text)["n"].to_pylist() == numbers
    assert "may be one number or a list of numbers (give kinds n=number" in refused("n\n101 205\n300\n")
    assert table("n\n101 205\n300\n", kinds={"n": "number"})["n"].to_pylist() == [101205, 300]
    assert table("n\n1 2 3\n300 400 500 600\n")["n"].to_pylist() == [[1, 2, 3], [300, 400, 500, 600]]


def test_currencies_and_percentages_are_not_mixed() -> None:
    assert "row 2, column 'x': is in €, but others are in $" in refused("x;y\n$5,50;a\n€6,50;b\n")
    assert "row 3, column 'x': '0.5' has no %, but 2 of 3 cells have" in refused("x,y\n12%,a\n5%,b\n0.5,c\n")


WORDS = ["?", "-", ".", "n/a", "na", "None", "#N/A", "\\N", "<NA>", "Missing", " ", "--", "nan", "NaN", "NULL", ""]
WORDS += ["#DIV/0!", "#REF!", "#VALUE!", "#NUM!", "#NAME?"]


@pytest.mark.parametrize("word", WORDS)
def test_words_among_numbers_and_dates_are_missing(word: str) -> None:
    days = [f"2026-01-{day:02}" for day in range(1, 10)]
    found = table(lines("x,d,t", *(f"{n}.5,{day},{word or 'so'}" for n, day in enumerate(days)), f"{word},{word},a"))
    assert found["x"].to_pylist() == [*(n + 0.5 for n in range(9)), None]
    assert found["d"].to_pylist() == [*map(datetime.date.fromisoformat, days), None]
    if word.strip() and word != "NULL":
        assert "'x' has 1 of 10 cells that are" in remarks(found) and "read as missing" in remarks(found)
    if word in ("?", "None", "Missing"):
        assert found["t"][0].as_py() == word  # in a column of texts it is one


@pytest.mark.parametrize("day", ["31.12.2024", "12/31/2024", "1/3/24", "2024/12/31", "31-12-2024", "31.12.2024 10:30"])
def test_words_among_dates_of_other_forms_are_missing(day: str) -> None:
    found = table(lines("d,t", f"{day},a", f"{day},b", "?,?"))
    assert found.to_pydict() == {"d": [day, day, None], "t": ["a", "b", "?"]}
    assert "'d' has 1 of 3 cells that are '?', read as missing" in remarks(found)


def test_other_words_among_numbers_are_named() -> None:
    cells = [f"{n}.5" for n in range(178)] + ["broken"] * 20 + ["off"] * 2
    assert refused(lines("temp,y", *(f"{cell},1" for cell in cells))) == (
        "t.csv, row 179, column 'temp': 'broken' is not a number, but 178 of the 200 cells are; the others are 'broken' "
        "(20 times), 'off' (2 times) (correct it, leave the cell empty, or give kinds temp=category)"
    )
    units = refused("t,x\ns,mm\n0,1.5\n1,2.5\n2,3.5\n3,4.5\n")
    assert "row 1, column 't': 's' is not a number" in units and "leave it out with skip 0,1" in units
    assert table(lines("kids", *["0", "1", "2", "3+"] * 10))["kids"].to_pylist()[:4] == ["0", "1", "2", "3+"]


def test_a_value_far_from_all_others_is_said_and_kept() -> None:
    found = table(lines("x", *map(str, range(30)), *["-999"] * 4))
    assert found["x"].to_pylist()[-1] == -999
    assert "'x' has -999 in 4 cells, far from all other values" in remarks(found)
    assert remarks(table(lines("x", *map(str, range(-999, 30))))) == ""


def test_codes_keep_their_zeros_and_their_digits() -> None:
    found = table("zip,sku,n\n01730,7,1\n90210,007,2\n10001,07,30\n")
    assert found.to_pydict() == {"zip": ["01730", "90210", "10001"], "sku": ["7", "007", "07"], "n": [1, 2, 30]}
    assert "'zip' has numbers that start with 0" in remarks(found)
    late = table(lines("n,zip", *["1,90210"] * 50_000, "2,01730"))
    assert late["zip"][-1].as_py() == "01730" and late["n"][-1].as_py() == 2
    assert table("x,d\n0.5,01/02/2024\n00.5,02/03/2024\n")["x"].to_pylist() == [0.5, 0.5]
    assert table("zip\n?\n01730\n")["zip"].to_pylist() == ["?", "01730"]
    assert table("n, zip\n1, 90210\n2, 01730\n")["zip"].to_pylist() == ["90210", "01730"]
    long = table("id,x\n12345678901234567890,1.5\n12345678901234567891,2\n")
    assert long["id"].to_pylist() == ["12345678901234567890", "12345678901234567891"]
    assert table("id\n9007199254740993\n")["id"].to_pylist() == [9007199254740993]


def test_cells_are_stripped_unless_they_are_in_quotes() -> None:
    found = table("a , b\n pos , x\npos, y\nPos,z\n")
    assert found.to_pydict() == {"a": ["pos", "pos", "Pos"], "b": ["x", "y", "z"]}
    assert table('a,b\n" pos ",x\n"pos",y\n')["a"].to_pylist() == [" pos ", "pos"]
    said = remarks(table(lines("label", *["pos", "neg"] * 20, "Pos")))
    assert said == "'label' has labels that differ only in case or blanks, and are kept apart: 'pos' (20), 'Pos' (1)"


def test_addresses_telephones_and_versions_are_texts() -> None:
    rows = ("192.168.100.200,0171 123456,1.2.3", "192.168.100.201,030 98765,1.10.0")
    found = table(lines("ip,phone,version", *rows))
    assert [*map(tuple, map(dict.values, found.to_pylist()))] == [tuple(row.split(",")) for row in rows]
