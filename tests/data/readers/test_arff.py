from __future__ import annotations

from pathlib import Path

import pytest

from unrolled.data.config import DataConfig
from unrolled.data.readers.arff import read_arff
from unrolled.data.tables.read import read
from unrolled.errors import DataError

IRIS = """% flowers
@RELATION iris

@ATTRIBUTE 'petal length' NUMERIC
@attribute\tcount integer
@attribute kind {rose, 'wild iris', "o'clock"}
@attribute note string

@DATA
5.1,3,rose,'it''s, red'
?,4,'wild iris',"plain, \\"so\\""
% a remark
4.9, 5, "o'clock", ?
"""


def written(path: Path, text: str) -> Path:
    (path / "a.arff").write_text(text)
    return path / "a.arff"


def test_attributes_are_columns(tmp_path: Path) -> None:
    table = read_arff(written(tmp_path, IRIS), DataConfig())
    assert table.to_pydict() == {
        "petal length": [5.1, None, 4.9],
        "count": [3, 4, 5],
        "kind": ["rose", "wild iris", "o'clock"],
        "note": ["it's, red", 'plain, "so"', None],
    }


def test_listed_labels_are_categories_even_if_they_are_numbers(tmp_path: Path) -> None:
    text = "@relation r\n@attribute x real\n@attribute class {1,2}\n@data\n0.5,1\n0.7,2\n"
    assert read(written(tmp_path, text)).kinds == {"x": "number", "class": "category"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@relation r\n@attribute x real\n@data\n", "has no rows after @data"),
        ("@relation r\n@data\n1\n", "has no @attribute before @data"),
        ("@relation r\n@attribute x real\n@data\n1,2\n", "line 4 has 2 cells, but there are 1 attributes"),
        ("@relation r\n@attribute x real\n@data\none\n", "row 1, column 'x': 'one' is not a number"),
        (
            "@relation r\n@attribute k {a,b}\n@data\na\nc\n",
            r"row 2, column 'k': 'c' is not one of the labels .* \(a, b\)",
        ),
        ("@relation r\n@attribute x real\n@data\n{0 1}\n", "line 4 is sparse, which is not read"),
        ("@relation r\n@attribute b relational\n@data\n1\n", "column 'b': line 2: tables in cells are not read"),
        ("@relation r\n@attribute x\n@data\n1\n", "line 2: an attribute needs a name and a type"),
        ("x,y\n1,2\n", "line 1 is before @data but is neither @relation nor @attribute"),
    ],
)
def test_what_the_format_does_not_allow_is_named(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=expected):
        read_arff(written(tmp_path, text), DataConfig())
