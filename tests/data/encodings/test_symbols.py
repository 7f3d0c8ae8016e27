"""Symbols: alphabets, bad letters, complements. What holds for every encoding is in tests/contracts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from unrolled.data.encodings import _kmers, _pieces
from unrolled.data.encodings._alphabets import ALPHABETS
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.symbols import Symbols
from unrolled.errors import DataError, ModelError, UsageError

WHERE = Where("reads.fa", "sequence")
# By hand, from the letters that each code stands for.
CODES = {"A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"}
CODES |= {"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT", "-": ""}


def column(*texts: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


def fitted(*texts: str, both_strands: bool = False) -> Symbols:
    return Symbols.fit(column(*texts), Symbols.Options(both_strands=both_strands), Role(), WHERE)


@pytest.mark.parametrize(
    ("text", "alphabet"),
    [
        ("ACGTNNRYACGTACGTACGTAAAAAAAA", "DNA"),
        ("acguacguACGU", "RNA"),
        ("ACACAC", "DNA"),
        ("ACDEFGHIKLMNPQRSTVWY*", "protein"),
        ("MKVLAAGIVGLCAKAYGN", "protein"),
        ("-" * 50 + "ACGU", "RNA"),
    ],
)
def test_the_letters_tell_the_alphabet(text: str, alphabet: str) -> None:
    assert fitted(text).alphabet == alphabet


@pytest.mark.parametrize("name", ["DNA", "RNA"])
def test_the_complement_of_a_code_stands_for_the_complements_of_its_letters(name: str) -> None:
    letters = ALPHABETS[name]  # type: ignore[index]
    found = {letter: letters[at] for letter, at in zip(letters, Symbols(name, "A", True).complement, strict=True)}  # type: ignore[arg-type]
    opposite = dict(zip("ACGT", "TGCA", strict=True))
    for code, stands_for in CODES.items():
        wanted = {opposite[letter] for letter in stands_for}
        other = next(c for c, s in CODES.items() if set(s) == wanted)
        assert found[code if name == "DNA" else code.replace("T", "U")] == (
            other if name == "DNA" else other.replace("T", "U")
        )


def test_small_letters_come_back_as_capitals() -> None:
    dna = fitted("ACGTacgtN")
    assert dna.decode(dna.encode(column("acgtN"), WHERE).values) == "ACGTN"


@pytest.mark.parametrize(
    ("texts", "row", "place", "letter"),
    [(["ACGT", "ACGU"], 2, 4, "U"), ([None, "", "E"], 3, 1, "E"), (["ACä"], 1, 3, "ä")],
)
def test_a_bad_letter_is_named(texts: list[str | None], row: int, place: int, letter: str) -> None:
    with pytest.raises(DataError) as caught:
        fitted("ACGT").encode(column(*texts), WHERE)
    assert str(caught.value) == (
        f"reads.fa, row {row}, column 'sequence': letter {place} is {letter!r}, which is not DNA "
        "(its letters are ACGTRYSWKMBDHVN-; correct it, or give kinds sequence=tokens)"
    )


@pytest.mark.parametrize(("text", "what"), [("AC T", "a blank"), ("AC1T", "the digit 1")])
def test_a_blank_or_a_digit_is_called_so(text: str, what: str) -> None:
    with pytest.raises(DataError, match=rf"letter 3 is {what}, which is not DNA \(remove the blanks and numbers"):
        fitted("ACGT").encode(column(text), WHERE)


def test_the_place_in_a_sequence_longer_than_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pieces.pieces, "__defaults__", (64,))
    dna, text = fitted("ACGT"), "ACGT" * 100
    assert dna.decode(dna.encode(column(text), WHERE).values) == text
    with pytest.raises(DataError, match="row 2, column 'sequence': letter 351 is 'X'"):
        dna.encode(column("AC", text[:350] + "X" + text[351:]), WHERE)


def test_one_bad_letter_does_not_make_a_protein_of_dna() -> None:
    with pytest.raises(DataError, match="letter 81 is 'E', which is not DNA"):
        fitted("ACGT" * 20 + "E")


@pytest.mark.parametrize("value", ["AC", "", "X", "ä", None, 3])
def test_a_live_step_is_one_letter(value: object) -> None:
    with pytest.raises(DataError, match="one step is one letter, not '.*', which is not DNA"):
        fitted("ACGT").encode_live(value, (), WHERE)


def test_a_column_without_letters_and_one_of_numbers() -> None:
    for texts in ((None, None), ("", "")):
        with pytest.raises(DataError, match="has no letters"):
            Symbols.fit(column(*texts), Symbols.Options(), Role(), WHERE)
    with pytest.raises(DataError, match="holds int64, where texts are expected"):
        Symbols.fit(pa.chunked_array([[1, 2]]), Symbols.Options(), Role(), WHERE)


def test_letters_that_training_did_not_hold_are_reported() -> None:
    dna = fitted("ACGT")
    part = column("ACGTNNRT")
    assert dna.notes(part, dna.encode(part, WHERE)) == "37.50% of the letters were not seen in training: R, N"


def test_strands_are_of_dna_and_rna_alone() -> None:
    assert fitted("ACGT", both_strands=True).both
    with pytest.raises(UsageError, match="both_strands only works with DNA or RNA; .* holds protein"):
        fitted("MKVLAAGIVGLCAKAYGN", both_strands=True)
    assert fitted("ACGT", both_strands=True).report() == "DNA, 4 of its 16 letters, both strands"


def test_a_sequence_that_is_continued_stands_between_begin_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pieces.pieces, "__defaults__", (8,))  # the second row is in pieces
    texts = ["ACG", "ACGTACGTACGTN", "", "t"]
    dna = Symbols.fit(column(*texts), Symbols.Options(), Role(framed=True), WHERE)
    assert (dna.spec.size, dna.begin, dna.end) == (18, 16, 17)
    encoded = dna.encode(column(*texts), WHERE)
    for row, text in enumerate(texts):
        own = encoded.values[encoded.offsets[row] : encoded.offsets[row + 1]]  # type: ignore[index]
        assert own.tolist() == [16, *(ALPHABETS["DNA"].index(letter) for letter in text.upper()), 17]
        assert dna.decode(own) == text.upper()
    assert dna.notes(column(*texts), encoded) == ""
    assert dna.encode_text("ac").tolist() == [16, 0, 1]
    assert dna.unseen("aRxNR") == ["R", "X"]
    assert "".join(map(dna.decode_stream(), [16, 0, 14, 17])) == "AN"
    assert dna.never == (*(at for at, letter in enumerate(ALPHABETS["DNA"]) if letter not in "ACGTN"), 16)
    assert Symbols.from_config(dna.to_config()) == dna
    assert dna.complement is None
    assert replace(dna, both=True).complement[[0, 16, 17]].tolist() == [3, 17, 16]  # type: ignore[index]
    plain = fitted("ACGT")
    assert (plain.begin, plain.end, plain.encode_text("ac").tolist()) == (None, None, [0, 1])


def test_a_large_column_goes_to_its_cache(tmp_path: Path) -> None:
    text = "ACGTTGCA" * (9 << 20)
    encoded = fitted("ACGT").encode(column(text), WHERE, tmp_path / "ids")
    assert isinstance(encoded.values, np.memmap)
    assert fitted("ACGT").decode(encoded.values[-8:]) == "ACGTTGCA"


def kmers(*texts: str, size: int = 3, both_strands: bool = False, vocabulary: int = 100) -> Symbols:
    options = Symbols.Options(both_strands=both_strands, kmer=size, vocabulary=vocabulary)
    return Symbols.fit(column(*texts), options, Role(), WHERE)


def words_of(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(len(text) - size + 1)]


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("block", [3, 1 << 22])
def test_a_step_is_a_kmer_from_each_letter_on(size: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kmers, "_BLOCK", block)
    texts = ["ACGTTGCAAC", "", "AC", "GGGGGGGGGGT"]
    dna = kmers(*texts, size=size)
    known = sorted({word for text in texts for word in words_of(text, size)})
    encoded = dna.encode(column(*texts), WHERE)
    assert dna.spec.size == len(known) + 1
    assert encoded.lengths().tolist() == [max(0, len(text) - size + 1) for text in texts]
    wanted = [dna.encode_live(word, (), WHERE)[0][0] for text in texts for word in words_of(text, size)]
    assert encoded.values.tolist() == [int(one) for one in wanted]
    assert sorted(set(encoded.values.tolist())) == list(range(1, len(known) + 1))
    for row, text in enumerate(texts):
        values = encoded.values[encoded.offsets[row] : encoded.offsets[row + 1]]  # type: ignore[index]
        assert dna.decode(values) == (text if len(text) >= size else "")


def test_unknown_kmers_and_sequences_without_one_are_reported() -> None:
    dna, part = kmers("ACGTA"), column("ACGTT", "AC")
    encoded = dna.encode(part, WHERE)
    assert encoded.values[-1] == 0 and (encoded.values[:-1] > 0).all()
    assert dna.decode(encoded.values) == "ACGTN"
    said = "33.33% of the 3-mers were not seen in training; 1 sequences have fewer than 3 letters"
    assert dna.notes(part, encoded) == said
    assert dna.notes(column("ACGTA"), dna.encode(column("ACGTA"), WHERE)) == ""
    assert dna.report() == "DNA, 4 of its 16 letters, 3 3-mers"


def test_the_most_frequent_kmers_are_kept() -> None:
    dna = kmers("ACGTACGTA", "AATTAA", "CCGG", size=2, vocabulary=8)
    assert dna.to_config()["kmers"] == ["AA", "AC", "AT", "CC", "CG", "GG", "GT", "TA"]


def test_the_other_strand_of_a_kmer_is_that_of_its_letters() -> None:
    dna = kmers("GATTACA", size=3, both_strands=True)
    table = dna.complement
    assert table[0] == 0 and (table[1:] > 0).all() and (table[table] == np.arange(len(table))).all()
    opposite = str.maketrans("ACGT", "TGCA")
    for word in words_of("GATTACA", 3):
        other = word.translate(opposite)[::-1]
        assert table[dna.encode_live(word, (), WHERE)[0][0]] == dna.encode_live(other, (), WHERE)[0][0]


def test_kmers_are_stored_and_read_back_and_what_is_not_ours_is_refused() -> None:
    dna = kmers("GATTACA", both_strands=True)
    again = Symbols.from_config(dna.to_config())
    part = column("GATTACANNTGT")
    np.testing.assert_array_equal(again.encode(part, WHERE).values, dna.encode(part, WHERE).values)
    for odd in ([], ["A"], ["AC", "ACG"], ["AE"], ["AC", "AA"], ["Aä"], ["ACGTACGTA"]):
        with pytest.raises(ModelError, match="its k-mers are not of its alphabet"):
            Symbols.from_config({**dna.to_config(), "kmers": odd})


def test_what_has_no_kmer_is_refused() -> None:
    with pytest.raises(DataError, match="no sequence has 3 letters"):
        kmers("AC", "G")
    with pytest.raises(DataError, match="one step is 3 letters, not 'AC', which is not DNA"):
        kmers("ACGT").encode_live("AC", (), WHERE)
    with pytest.raises(DataError, match="letter 81 is 'E', which is not DNA"):
        kmers("ACGT" * 20 + "E")
