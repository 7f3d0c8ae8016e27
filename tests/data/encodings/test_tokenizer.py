"""A tokenizer.json that is given, and the ones that a run holds for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import unrolled as ur
from unrolled.data.encodings.encoding import Role, Where
from unrolled.data.encodings.tokens import Tokens
from unrolled.errors import DataError, UsageError

WHERE = Where("plays", "text")
TEXTS = ["The cat sat.", "the cat, the dog", "A dog  sat\n"] * 5


def byte_level(path: Path, **how: bool) -> Path:
    """A tokenizer as GPT-2's, with a special token and one around each text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=how.get("prefix", False))
    if how.get("decodes", True):
        tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    tokenizer.enable_truncation(2)
    tokenizer.save(str(path))
    return path


def word_pieces(path: Path) -> Path:
    """A tokenizer as BERT's, which forgets case and blanks."""
    vocabulary = {word: id_ for id_, word in enumerate(["[UNK]", "the", "cat", "sat", "dog", "##s", ".", ","])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.save(str(path))
    return path


def given(path: Path, texts: list[str] = TEXTS) -> Any:
    return Tokens.fit(pa.chunked_array([texts]), Tokens.Options(tokens=str(path)), Role(), WHERE)


@pytest.mark.parametrize("decodes", [True, False])
def test_the_ids_are_those_of_the_file_after_the_special_ones(decodes: bool, tmp_path: Path) -> None:
    path = byte_level(tmp_path / "tokenizer.json", decodes=decodes)
    tokens, plain = given(path), Tokenizer.from_file(str(path))
    plain.no_truncation()
    for text in (*TEXTS, "unseen Ω 😀 <s> x"):
        ids = tokens.encode_text(text)
        assert [id_ - 3 for id_ in ids.tolist()] == plain.encode(text, add_special_tokens=False).ids
        assert tokens.decode(ids) == text
        add = tokens.decode_stream()
        assert "".join(add(id_) for id_ in ids.tolist()) == text
    assert tokens.spec.size == 3 + plain.get_vocab_size()
    assert tokens.report() == f"{plain.get_vocab_size()} tokens of a given tokenizer (BPE)"


def test_what_does_not_come_back_is_said(tmp_path: Path) -> None:
    tokens, column = given(word_pieces(tmp_path / "bert.json")), pa.chunked_array([TEXTS])
    assert tokens.decode(tokens.encode_text("The cats, sat")) == "the cats, sat"
    assert tokens.encode_text("zebra").tolist() == [0]
    note = tokens.notes(column, tokens.encode(column, WHERE))
    assert note == "10 of 15 texts do not come back exactly from this tokenizer"
    whole = given(byte_level(tmp_path / "tokenizer.json"))
    assert whole.notes(column, whole.encode(column, WHERE)) == ""


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DataError, match="a.json: is not a tokenizer: .* takes a tokenizer.json"):
        given(tmp_path / "a.json")
    with pytest.raises(DataError, match="none.json"):
        given(tmp_path / "none.json")
    with pytest.raises(UsageError, match="'characters', 'words', 'bpe', 'bytes' or the path of a tokenizer.json"):
        ur.fit({"text": TEXTS}, tokens="wrods", out=tmp_path / "run")


def test_a_run_needs_the_file_no_longer_and_writes_one(tmp_path: Path) -> None:
    path = byte_level(tmp_path / "tokenizer.json")
    small: dict[str, Any] = {"steps": 2, "hidden": 4}
    trained = ur.fit({"text": TEXTS}, tokens=str(path), out=tmp_path / "run", **small)
    path.unlink()
    again = ur.load(tmp_path / "run")
    assert "".join(again.generate("The", length=9, seed=1)) == "".join(trained.generate("The", length=9, seed=1))
    learned = ur.fit({"text": TEXTS}, tokens="bpe", out=tmp_path / "bpe", **small)
    file = tmp_path / "bpe" / "encodings" / "column-0-tokenizer.json"
    tokenizer, own = Tokenizer.from_file(str(file)), learned.task.coder.answer
    assert isinstance(own, Tokens)
    for text in (*TEXTS, "new words, Ω 😀!"):
        encoded = own.encode(pa.chunked_array([[text]]), WHERE).values
        assert tokenizer.encode(text).ids == encoded.tolist()  # with <begin> and <end>
        assert tokenizer.decode(encoded.tolist()) == text == own.decode(np.asarray(encoded))
    assert json.loads(file.read_text())["model"]["type"] == "BPE"
