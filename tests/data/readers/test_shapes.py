from __future__ import annotations

import pytest

from unrolled.data.io.unpacking import Beginning
from unrolled.data.readers._column_parts import like_sentences
from unrolled.data.readers._shapes import first_lines, like_table

TABLES = {
    "numbers": "day,load\nMon,3.5\nTue,4.0\n",
    "labels": "text,label\ngood food,pos\nbad food,neg\nold wine,pos\nno wine,neg\n",
    "semicolons and a decimal comma": "a;b\n1,5;2\n2,5;3\n",
    "tabs": "name\tage\nAnn Lee\t31\nBob\t40\n",
    "quoted": 'text,stars\n"good, cheap",5\n"bad",1\n',
}
PERHAPS = {
    "numbers without names": "5.1,3.5,setosa\n4.9,3.0,setosa\n".replace("setosa", "0"),
    "tabs without names": "Hi.\tHallo!\nGo.\tGeh.\nRun!\tLauf!\n",
    "numbers and a label without names": "5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.5,other\n",
    "blanks after commas": "39, Private, 13, <=50K\n50, State, 9, >50K\n38, Private, 7, <=50K\n",
    "two colons": "1::1193::5\n1::661::3\n2::55::4\n",
    "numbers apart": "".join(f"{n} {n / 2}\n" for n in range(8)),
    "names of rows, as R writes": '"a" "b"\n' + "".join(f'"{n}" {n / 2} "x"\n' for n in range(8)),
    "words and their vectors": "".join(f"word{'s' * n} {n / 2} {n / 3:.3f}\n" for n in range(8)),
    "below titles": "Instrument: X\nRate: 100 Hz\nt\tU\n" + "".join(f"{n}\t{n / 2}\n" for n in range(8)),
    "a number on each line": "".join(f"{n / 2}\n" for n in range(8)),
}
TEXTS = {
    "one line": "Call me Ishmael.\n",
    "as many commas": "Hello, world.\nGoodbye, moon.\nGood night, stars.\n",
    "verse": "I came, I saw, I won\nI sat, I ate, I slept\nI woke, I rose, I went\n",
    "a semicolon": "To be; or not\nTo see; or not\nTo go; or stay\n",
    "names": "Smith,John\nMiller,Ann\nBaker,Tom\nCook,Sue\n",
    "prose": "It was the best of times,\nit was the worst of times.\n",
    "a list": "- apples\n- pears\n- plums\n",
    "more code": "import os, sys\nx = 1, 2\ny = 3, 4\n",
    "numbered lines": "1 I saw him\n2 You saw him there\n3 He came\n4 We all went home\n5 It rained\n6 No one left\n",
    "numbers in prose": "I saw 1,000 men\nYou saw 2,000 men\nWe saw 3,000 men\n",
    "code": "def f(x, y):\n    return x, y\n\nprint(f(1, 2))\n",
    "a dialogue": "Ann: Where, then?\nBob: Here, now.\nAnn: Why, fine.\n",
    "dates of a diary": "Monday, rain\nTuesday, sun\nWednesday, rain\nThursday, sun\nFriday, rain\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_one(name: str) -> None:
    assert like_table(TABLES[name].splitlines()) == 70


@pytest.mark.parametrize("name", PERHAPS)
def test_a_table_without_names_is_asked_about(name: str) -> None:
    assert like_table(PERHAPS[name].splitlines()) == 30


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_never_becomes_a_table_by_accident(name: str) -> None:
    assert like_table(TEXTS[name].splitlines()) == 0
    assert like_sentences(TEXTS[name].splitlines()) == 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\n", 100),
        ("Ann\tB-PER\nruns\tO\n\nSo\tO\n", 100),
        ("Ann B-PER\nruns O\n", 60),
        ("1\tA\ta\tX\t_\t_\t0\troot\t_\t_\n2\tB\tb\tX\t_\t_\t1\tdep\t_\t_\n\n", 100),
        ("It O\nis O\n", 0),  # a column of one letter
        ("text,label\na,b\n", 0),
    ],
)
def test_sentences_in_columns(text: str, wanted: int) -> None:
    assert like_sentences(text.splitlines()) == wanted


def test_lines_are_whole_and_not_binary() -> None:
    assert first_lines(Beginning("a", b"one\ntw", whole=False)) == ["one"]
    assert first_lines(Beginning("a", "ä\nb".encode("utf-16"))) == ["ä", "b"]
    assert first_lines(Beginning("a", b"PK\3\4\0\n\n")) == []
