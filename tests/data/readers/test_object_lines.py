"""What is taken for objects without Python's parser is what that parser takes, or what Arrow's refuses."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.readers._jsonlines import _parse
from unrolled.data.readers._object_lines import each_is_an_object

LINES = (
    b'{"a": [1, 2.5, null], "b": "x\\\\", "c": {"d": true}}',
    b'{"a": [], "b": "\\"[{\\u00e9", "c": {"d": NaN}}',
    b'{"b": "In No \xc3\xa9"}',
    b"{}",
)
PIECES = (
    *(bytes([code]) for code in b'{}[],:\n"\\ \r\tNI-0\x00\x0b\xff\xc3'),
    b"Inf",
    b"-NaN",
    b"Infinity",
    b"}{",
    b"} {",
)


def sure(data: bytes) -> bool:
    block = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(block == 10) + 1
    return each_is_an_object(block, ends if data.endswith(b"\n") else np.append(ends, len(data)))


def is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode()), dict)
    except ValueError:
        return False


@pytest.mark.parametrize("line", LINES)
def test_plain_lines_are_sure(line: bytes) -> None:
    assert sure(line) and sure(line + b"\r\n\n" + line + b"\n")


@pytest.mark.parametrize(
    "data",
    [
        b"[1]\n", b"null\n", b'{"a":1} {"a":2}\n', b'{"a":\n1}\n', b'{"a":1}}\n', b'{"a":1} 2\n', b'"{}"\n', b"{}}{{}\n",
        b'{"a":"\n"}\n', b'{"a":"\xff"}\n', b'{"a":\x001}\n', b'{"a":Inf}\n', b'{"a":-NaN}\n', b'{"a":"\\\\\\"}\n',
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}\n", b'{"a":1', b"\xef\xbb\xbf{}\n",
    ],
)  # fmt: skip
def test_others_are_left_to_pythons_parser(data: bytes) -> None:
    assert not sure(data) and not sure(b"{}\n" + data)


@pytest.mark.soak
def test_mutated_lines(times: Callable[[int, int], int]) -> None:
    choice, seen = random.Random(0), [0, 0]
    for _ in range(times(1500, 200_000)):
        data = bytearray(b"\n".join(choice.choices(LINES, k=choice.randint(1, 3))) + b"\n")
        for _ in range(choice.randint(1, 3)):
            place = choice.randrange(len(data))
            data[place : place + choice.randint(0, 2)] = choice.choice(PIECES)
        known = all(is_object(line) for line in bytes(data).split(b"\n") if line.strip())
        surely = sure(bytes(data))
        seen[known] += surely
        if surely and not known:
            with pytest.raises(pa.ArrowInvalid):
                _parse(pa.py_buffer(bytes(data)), 1 << 20)
    assert min(seen) > 50
