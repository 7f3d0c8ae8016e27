"""What is written is read back to the bit, in every form; conversion keeps the first of two; nothing is half written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unrolled.data.vectors.alignment import align, nearest
from unrolled.data.vectors.reading import blocks, open_vectors
from unrolled.data.vectors.writing import convert, write_vectors
from unrolled.errors import DataError, UsageError

WORDS = ["the", "Paris", "paris", "café", "Rome"]
VALUES = np.random.default_rng(1).normal(0, 1, (5, 7)).astype(np.float32)


def read(path: Path) -> tuple[list[str], np.ndarray]:
    found = list(blocks(open_vectors(path)))
    return [word for words, _ in found for word in words], np.concatenate([values for _, values in found])


@pytest.mark.parametrize("ending", ["safetensors", "txt", "vec", "bin"])
def test_written_and_read_it_is_the_same_to_the_bit(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"v.{ending}"
    write_vectors(path, WORDS, 7, lambda: [VALUES[:2], VALUES[2:]])
    words, values = read(path)
    assert words == WORDS
    assert values.tobytes() == VALUES.tobytes()
    other = tmp_path / "other.safetensors"
    assert convert(path, other) == (5, 7)
    assert read(other)[1].tobytes() == VALUES.tobytes()


def test_gensim_reads_what_we_write_and_we_what_it_writes(tmp_path: Path) -> None:
    models = pytest.importorskip("gensim.models", reason="gensim is the oracle of this test")
    for ending, is_binary in (("txt", False), ("bin", True)):
        path, back = tmp_path / f"v.{ending}", tmp_path / f"back.{ending}"
        write_vectors(path, WORDS, 7, lambda: [VALUES])
        theirs = models.KeyedVectors.load_word2vec_format(str(path), binary=is_binary)
        assert theirs.index_to_key == WORDS
        assert theirs.vectors.tobytes() == VALUES.tobytes()
        theirs.save_word2vec_format(str(back), binary=is_binary)
        assert read(back)[0] == WORDS
        assert np.allclose(read(back)[1], VALUES, atol=1e-6)


def test_of_a_word_that_stands_there_twice_the_first_is_kept(tmp_path: Path) -> None:
    (tmp_path / "g.txt").write_text("a 1 2\nb 3 4\na 5 6\n")
    assert convert(tmp_path / "g.txt", tmp_path / "g.bin") == (2, 2)
    words, values = read(tmp_path / "g.bin")
    assert (words, values.tolist()) == (["a", "b"], [[1, 2], [3, 4]])


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "g.txt").write_text(". . 1 2\nb 3 x\n".replace(". .", "a"))
    (tmp_path / "v.bin").write_bytes(b"old")
    with pytest.raises(DataError, match="g.txt: line 2: 'x' is not a number"):
        convert(tmp_path / "g.txt", tmp_path / "v.bin")
    with pytest.raises(DataError, match=r"v.bin: the word '\. \.' has a space, which ends a word in this format"):
        write_vectors(tmp_path / "v.bin", [". ."], 1, lambda: [VALUES[:1, :1]])
    with pytest.raises(UsageError, match=r"v.npy: the name of a vectors file must end in \.safetensors, \.txt or"):
        convert(tmp_path / "g.txt", tmp_path / "v.npy")
    with pytest.raises(UsageError, match="is the input file; choose another name"):
        convert(tmp_path / "g.txt", tmp_path / "g.txt")
    assert (tmp_path / "v.bin").read_bytes() == b"old"


def test_words_find_their_vectors(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    write_vectors(path, [*WORDS, "the"], 7, lambda: [np.concatenate([VALUES, VALUES[:1] + 1])])
    places, values = align(path, ["rome", "paris", "cat", "the"], folded=True)
    assert places.tolist() == [0, 1, 3]
    assert values.tolist() == VALUES[[4, 2, 0]].tolist()
    places, values = align(path, ["rome", "Rome"], folded=False)
    assert (places.tolist(), values.tolist()) == ([1], VALUES[4:].tolist())
    assert align(path, ["nothing"], folded=True)[1].shape == (0, 7)


def test_the_nearest_are_those_of_the_highest_cosine(tmp_path: Path) -> None:
    path = tmp_path / "v.vec"
    write_vectors(path, WORDS, 7, lambda: [VALUES])
    cosines = VALUES @ VALUES[0] / np.linalg.norm(VALUES, axis=1) / np.linalg.norm(VALUES[0])
    expected = sorted(zip(cosines[1:].tolist(), WORDS[1:], strict=True), reverse=True)
    found = nearest(path, "the", 3)
    assert [word for word, _ in found] == [word for _, word in expected[:3]]
    assert np.allclose([cosine for _, cosine in found], [cosine for cosine, _ in expected[:3]], atol=1e-6)
    assert len(nearest(path, "the", 100)) == 4
    with pytest.raises(DataError, match=r"v.vec: has no vector for 'pariss' \(did you mean 'paris'\?\)"):
        nearest(path, "pariss", 3)
    with pytest.raises(UsageError, match="^most must be at least 1, got 0"):
        nearest(path, "the", 0)
