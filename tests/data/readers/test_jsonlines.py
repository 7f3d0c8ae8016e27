from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
import warm
from configs import data_config
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.config import DataConfig
from unrolled.data.readers._jsonlines import read_json_lines
from unrolled.data.readers.table import read_written
from unrolled.errors import DataError


def rows(text: bytes | str) -> list[dict[str, object]]:
    data = text.encode() if isinstance(text, str) else text
    return read_json_lines(pa.py_buffer(data), "t.jsonl").to_pylist()


DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
BAD = {
    "deep lists": (b'{"a":[]}\n' + DEEP, "t.jsonl, row 2: is nested more than 64 levels deep"),
    "deep objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "t.jsonl, row 1: is nested more than 64 levels deep"),
    "no object": (b'{"a":1}\n[1]\n', "t.jsonl, row 2: has the type list, but must be an object (write {"),
    "null": (b"null\n", "t.jsonl, row 1: has the type NoneType, but must be an object"),
    "cut short": (b'{"a":1}\n\n{"a":\n', "t.jsonl, row 3: is not JSON: Expecting value"),
    "pretty-printed": (b'{\n "a": 1\n}\n', "t.jsonl, row 1: is not JSON"),
    "two objects": (b'{"a":1} {"a":2}\n', "t.jsonl, row 1: is not JSON: Extra data"),
    "latin-1": (b'{"a":"caf\xe9"}\n', "t.jsonl, row 1: byte 10 of the line, 0xe9, is not UTF-8 (try text_encoding"),
    "changed type": (
        b'{"a":1,"b":2}\n' * 1000 + b'{"a":1,"b":"x"}\n' + b'{"a":1,"b":2}\n' * 1000,
        "t.jsonl, row 1001, column 'b': has the type string, but number in earlier lines",
    ),
    "ragged list": (b'{"a":[1,2]}\n{"a":[1,[2]]}\n', "t.jsonl, row 2, column 'a': has the type array, but"),
    "1e400": (b'{"a":1.5}\n{"a":1e400}\n', "t.jsonl, row 2: cannot be read: Number too big"),
    "twice": (b'{"a":1}\n{"a":1,"a":2}\n', "t.jsonl, row 2: cannot be read"),
    "lone surrogate": (b'{"a":"\\ud800"}\n', "t.jsonl, row 1: cannot be read"),
    "blank": (b"\n \n", "t.jsonl: has no lines"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_lines_are_named(name: str) -> None:
    data, expected = BAD[name]
    with pytest.raises(DataError) as caught:
        rows(data)
    assert expected in str(caught.value)


def test_lines_may_differ_in_keys_and_end_as_they_like() -> None:
    assert rows('{"a":1}\r\n\n{"b":[1,2.5]}\n{"a":null,"b":[]}') == [
        {"a": 1, "b": None},
        {"a": None, "b": [1, 2.5]},
        {"a": None, "b": []},
    ]


def test_brackets_within_strings_do_not_nest() -> None:
    text = "[" * 500 + '\\"{'
    assert rows(json.dumps({"a": text}) + "\n") == [{"a": text}]


def test_line_separators_of_unicode_end_no_line() -> None:
    assert rows('{"a":"x\u2028y\x85z"}\n') == [{"a": "x\u2028y\x85z"}]


def test_a_line_of_8_megabytes() -> None:
    text = "x" * 8_000_000
    assert rows(json.dumps({"a": text}) + '\n{"a":"b"}\n') == [{"a": text}, {"a": "b"}]


def test_a_mark_and_other_encodings() -> None:
    config = data_config(text_encoding="utf-16")
    data = pa.py_buffer('{"a":"é"}\n'.encode("utf-16"))
    assert read_written(data, "-", config).to_pylist() == [{"a": "é"}]
    assert read_written(pa.py_buffer(b'\xef\xbb\xbf{"a":1}'), "-", DataConfig()).to_pylist() == [{"a": 1}]


values = st.dictionaries(
    st.sampled_from("abc"), st.one_of(st.lists(st.integers(-(2**40), 2**40), max_size=4)), min_size=1
)


@settings(max_examples=50, deadline=None)
@given(st.lists(values, min_size=1, max_size=6))
def test_what_json_writes_is_read_back(written: list[dict[str, object]]) -> None:
    found = rows("\n".join(json.dumps(row) for row in written))
    assert [{key: value for key, value in row.items() if value is not None} for row in found] == written


def test_mutated_files_never_kill_the_process(tmp_path: Path) -> None:
    """Arrow's own parser dies of some of these: a line that is no object, a list ten thousand deep."""
    script = tmp_path / "fuzz.py"
    script.write_text(
        "import random, pyarrow as pa\n"
        "from unrolled.data.readers._jsonlines import read_json_lines\n"
        "from unrolled.errors import DataError\n"
        'line = b\'{"a": [1, 2.5, null], "b": "x", "c": {"d": true}}\\n\'\n'
        "rng = random.Random(0)\n"
        "for _ in range(300):\n"
        "    data = bytearray(line * 5)\n"
        "    for _ in range(rng.randint(1, 4)):\n"
        "        data[rng.randrange(len(data))] = rng.choice(b'{}[],:\\n\"nullx0 \\\\\\xff')\n"
        "    try: read_json_lines(pa.py_buffer(bytes(data)), 'f').validate(full=True)\n"
        "    except DataError: pass\n"
        "print('alive')\n"
    )
    done = warm.run(script.read_text("utf-8"))
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-500:]


def test_objects_in_cells_become_columns() -> None:
    found = read_json_lines(
        pa.py_buffer(b'{"user": {"name": "a", "n": 1}, "text": "x"}\n{"user": {"name": "b"}}\n'), "t"
    )
    assert found.to_pydict() == {"user.name": ["a", "b"], "user.n": [1, None], "text": ["x", None]}
