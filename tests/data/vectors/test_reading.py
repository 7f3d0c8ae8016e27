"""Files of word vectors: each form is read as a script by hand writes it, and what is wrong is named with its place."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from unrolled.data.vectors.reading import OURS, blocks, open_vectors
from unrolled.errors import DataError

WORDS = ["the", "café", "cat"]
VALUES = np.array([[0.5, -1.25, 3e-05], [1.0, 2.0, 3.0], [-0.1, 0.2, 7.0]], np.float32)


def binary(words: list[str], values: np.ndarray, end: bytes = b"\n") -> bytes:
    rows = (
        word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + end for word, row in zip(words, values, strict=True)
    )
    return f"{len(words)} {values.shape[1]}\n".encode() + b"".join(rows)


LINES = b"the 0.5 -1.25 3e-05\ncaf\xc3\xa9 1 2 3\ncat -0.1 0.2 7.0\n"
FORMS = {
    "text": b"3 3\n" + LINES,
    "text with blanks and carriage returns": b"3 3 \r\n" + LINES.replace(b"\n", b" \r\n"),
    "glove": LINES,
    "glove without a last line end": LINES[:-1],
    "binary": binary(WORDS, VALUES),
    "binary without line ends": binary(WORDS, VALUES, b""),
}


def read(path: Path, **options: object) -> tuple[list[str], np.ndarray]:
    found = list(blocks(open_vectors(path), **options))  # type: ignore[arg-type]
    return [word for words, _ in found for word in words], np.concatenate([values for _, values in found])


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_found_out_and_read(form: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(FORMS[form])
    assert open_vectors(path).form == form.split()[0]
    words, values = read(path)
    assert words == WORDS
    assert values.dtype == np.float32
    assert np.array_equal(values, VALUES)
    some, values = read(path, wanted=lambda word: word == "cat")
    assert (some, values.tolist()) == (["cat"], VALUES[2:].tolist())


def test_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "vectors.safetensors"
    words = np.frombuffer("\n".join(WORDS).encode(), np.uint8)
    save_file({"words": words, "vectors": VALUES}, path, {"format": OURS})
    found, values = read(path)
    assert found == WORDS
    assert np.array_equal(values, VALUES)
    assert read(path, wanted=lambda word: word == "cat")[0] == ["cat"]


def test_a_word_of_glove_may_hold_blanks(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_bytes(b"a 1 2\n. . . 3 4\n\xc2\xa0 5 6\n")
    words, values = read(path)
    assert words == ["a", ". . .", "\xa0"]
    assert values.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("width", [1, 700])
def test_many_vectors_come_in_blocks_and_in_order(width: int, tmp_path: Path) -> None:
    values = np.arange(2500 * width, dtype=np.float32).reshape(2500, width)
    path = tmp_path / "many.bin"
    path.write_bytes(binary([f"w{n}" for n in range(2500)], values))
    assert all(len(words) <= 1024 for words, _ in blocks(open_vectors(path)))
    words, found = read(path)
    assert words == [f"w{n}" for n in range(2500)]
    assert np.array_equal(found, values)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"1000000000000 300\n" + LINES, "its header announces 1000000000000 vectors of 300 numbers, which take"),
        (b"9" * 40 + b" 3\n" + LINES, "which is too many"),
        (b"0 3\n" + LINES, "announces 0 vectors of 3 numbers; there must be at least one"),
        (b"3 70000\n" + LINES, "announces 3 vectors of 70000 numbers; there must be"),
        (b"4 3\n" + LINES, "ends after 3 vectors, but its header announces 4"),
        (b"2 3\n" + LINES, "line 4 is one vector more than the 2 in its header"),
        (b"3 3\nthe 1 2 3\ncat 1 2\nx 1 2 3\n", "line 3 has 2 numbers after its word, expected 3"),
        (b"3 3\nthe 1 2 3\n 1 2 3\nx 1 2 3\n", "line 3 has 2 numbers after its word, expected 3"),
        (b"3 3\nthe 1 2 3\ncat 1 x 3\nx 1 2 3\n", "line 3: 'x' is not a number"),
        (b"3 3\nthe 1 2 3\ncat 1 nan 3\nx 1 2 3\n", "line 3: 'nan' is not a finite number"),
        (b"the 1 2 3\ncat 1 1e39 3\n", "line 2: '1e39' is not a finite number"),
        (b"the 1 2 3\ncat 1 2\n", "line 2 has 2 numbers after its word, expected 3"),
        (b"the 1 2\n\xff 1 2\n", "line 2: its word, '\ufffd', is not UTF-8"),
        (b"the 1 2\n" + b"x" * 5000 + b" 1 2\n", "line 2 is too long for a word and 2 numbers"),
        (b"the king is dead\n", "line 1: 'king' is not a number"),
        (b"king\n", "line 1, 'king', is neither a word2vec header"),
        (binary(WORDS, VALUES)[:-9], "vector 3 of 3 is cut short"),
        (binary(WORDS, VALUES) + b"more", "has more data after the 3 vectors in its header"),
        (binary(["a", ""], VALUES[:2]), "vector 2 has no word"),
        (binary(["a", "b\nc"], VALUES[:2]), r"vector 2: its word, 'b\\nc', contains a line break"),
        (binary(["a", "b"], np.array([[1.0], [np.inf]])), "vector 2, of 'b', has a number that is not finite"),
        (b"\x1f\x8b\x08\x00" + LINES, "is compressed with gzip; unpack it first"),
        (b"PK\x03\x04" + LINES, "is an archive; unpack it first"),
        (b"\x80\x04\x95" + LINES, "is a pickle, which could run code"),
        (b"\x93NUMPY\x01\x00" + LINES, "is an array without words"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(content: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=why) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("tensors", "metadata", "why"),
    [
        ({"vectors": VALUES}, {"format": OURS}, "does not have the tensors 'vectors' and 'words'"),
        ({"vectors": VALUES, "words": np.zeros(3, np.uint8)}, {}, "does not have the tensors"),
        ({"vectors": VALUES, "words": np.zeros(3)}, {"format": OURS}, "must be a table of float32"),
        ({"vectors": VALUES, "words": np.frombuffer(b"a\nb", np.uint8)}, {"format": OURS}, "has 3 vectors but 2 words"),
        ({"vectors": VALUES, "words": np.frombuffer(b"a\n\xff\nc", np.uint8)}, {"format": OURS}, "are not UTF-8"),
        (
            {"vectors": VALUES * np.inf, "words": np.frombuffer(b"a\nb\nc", np.uint8)},
            {"format": OURS},
            "vector 1 has",
        ),
        ({"vectors": VALUES[:0], "words": np.zeros(0, np.uint8)}, {"format": OURS}, "has 0 vectors of 3 numbers"),
    ],
)
def test_safetensors_of_others_are_refused(
    tensors: dict[str, np.ndarray], metadata: dict[str, str], why: str, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.safetensors"
    save_file(tensors, path, metadata)
    with pytest.raises(DataError, match=why):
        read(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="is not a safetensors file, or is damaged"):
        open_vectors(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("nowhere.txt", "nowhere.safetensors"):
        with pytest.raises(DataError, match="there is no such file"):
            open_vectors(tmp_path / name)
