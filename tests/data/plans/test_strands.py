"""Both strands: in a batch, in the plan of an epoch, and in the answers of a trained model."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import unrolled as ur
from unrolled.batch import Batch, Continuous, Discrete
from unrolled.data.batches.loader import Loader
from unrolled.data.encodings._alphabets import ALPHABETS
from unrolled.data.encodings.encoding import Encoded
from unrolled.data.encodings.symbols import Symbols
from unrolled.data.examples.examples import Examples
from unrolled.data.forms.one import One
from unrolled.data.plans.strands import Strands
from unrolled.data.plans.windows import Rows
from unrolled.errors import UsageError

LETTERS = ALPHABETS["DNA"]
TEXTS = ["AACGT", "GGN", "C", "TTTTAC"]


def opposite(text: str) -> str:
    return "".join({"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}[letter] for letter in reversed(text))


def examples() -> Examples:
    ids = np.array([LETTERS.index(letter) for text in TEXTS for letter in text], np.uint8)
    offsets = np.cumsum([0, *map(len, TEXTS)])
    quality = np.arange(len(ids), dtype=np.float32)[:, None]
    inputs = {"dna": Encoded(ids, offsets), "quality": Encoded(quality, offsets), "age": Encoded(np.arange(4), None)}
    specs = {"dna": Discrete(16), "quality": Continuous(1), "age": Discrete(4, time=False)}
    strands = Strands(("dna", "quality"), {"dna": Symbols("DNA", "ACGT", True).complement})
    return Examples(inputs, specs, Encoded(np.zeros(4, np.int64), None), Discrete(2), One(), strands=strands)


def read_back(batch: Batch) -> list[str]:
    rows = zip(batch.inputs["dna"].tolist(), batch.lengths.tolist(), strict=True)
    return ["".join(LETTERS[id_] for id_ in row[:length]) for row, length in rows]


def test_a_row_is_turned_within_its_length_and_padding_stays() -> None:
    split = examples()
    assert split.strands is not None
    batch = Loader(split, Rows(split.steps(), 4))[0]
    turned = split.strands.turn(batch.inputs, batch.lengths)
    rows, lengths = batch.rows.tolist(), batch.lengths.tolist()
    for at, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        assert "".join(LETTERS[k] for k in turned["dna"][at, :length].tolist()) == opposite(TEXTS[row])
        assert turned["quality"][at, :length, 0].tolist() == batch.inputs["quality"][at, :length, 0].tolist()[::-1]
        assert turned["dna"][at, length:].eq(0).all()
    assert torch.equal(turned["age"], batch.inputs["age"])
    again = split.strands.turn(turned, batch.lengths)
    assert all(torch.equal(again[name], batch.inputs[name]) for name in again)


def test_what_is_turned_is_a_function_of_seed_and_epoch_and_moves_no_row() -> None:
    split = examples()
    seen = set()
    for epoch in range(12):
        plain = Loader(split, Rows(split.steps(), 4, seed=3, epoch=epoch))[0]
        one, two = (
            Loader(split, Rows(split.steps(), 4, seed=3, epoch=epoch, strands=split.strands))[0] for _ in range(2)
        )
        assert torch.equal(plain.rows, one.rows)
        assert read_back(one) == read_back(two)
        for row, text in zip(one.rows.tolist(), read_back(one), strict=True):
            assert text in (TEXTS[row], opposite(TEXTS[row]))
            seen.add((row, text))
    assert seen == {(row, strand) for row, text in enumerate(TEXTS) for strand in (text, opposite(text))}
    assert read_back(Loader(split, Rows(split.steps(), 4, strands=split.strands))[0]) == sorted(TEXTS, key=len)


def data() -> dict[str, list[str]]:
    dice = random.Random(0)
    texts = ["".join(dice.choices("ACGT", k=dice.randrange(20, 40))) for _ in range(40)]
    return {"dna": texts, "label": [dice.choice(["yes", "no"]) for _ in texts]}


def test_an_answer_is_the_same_for_both_strands(tmp_path: Path) -> None:
    rows = data()
    model = ur.fit(rows, target="label", model="gru", both_strands=True, hidden=8, steps=4, out=tmp_path / "both")
    given = model.predict(rows).column("label_p_yes").to_numpy()
    other = model.predict({"dna": [opposite(text) for text in rows["dna"]]}).column("label_p_yes").to_numpy()
    np.testing.assert_allclose(given, other, atol=1e-6)
    again = ur.load(tmp_path / "both")
    np.testing.assert_array_equal(again.predict(rows).column("label_p_yes").to_numpy(), given)
    assert again.evaluate(rows) == model.evaluate(rows)
    with pytest.raises(
        UsageError,
        match=r"a model with both_strands reads each sequence in both directions, so it cannot stream: use predict",
    ):
        model.stream()
    plain = ur.fit(rows, target="label", only="none", hidden=8, steps=4, out=tmp_path / "one")
    given = plain.predict(rows).column("label_p_yes").to_numpy()
    other = plain.predict({"dna": [opposite(text) for text in rows["dna"]]}).column("label_p_yes").to_numpy()
    assert np.abs(given - other).max() > 1e-4


def test_a_model_of_kmers_answers_both_strands_alike(tmp_path: Path) -> None:
    dice = random.Random(2)
    rows = {"dna": ["".join(dice.choices("ACGT", k=20)) for _ in range(24)], "label": ["yes", "no"] * 12}
    model = ur.fit(
        rows, target="label", hidden=8, steps=4, kmer=3, both_strands=True, only="none", out=tmp_path / "run"
    )
    given = model.predict(rows).column("label_p_yes").to_numpy()
    other = model.predict({"dna": [opposite(text) for text in rows["dna"]]}).column("label_p_yes").to_numpy()
    np.testing.assert_allclose(given, other, atol=1e-6)


def test_kmers_are_of_symbols_alone(tmp_path: Path) -> None:
    words = {"text": ["the food was good", "never again"] * 6, "label": ["a", "b"] * 6}
    with pytest.raises(
        UsageError,
        match="kmer only works with columns of kind 'symbols'; this run has columns of kind 'category' or 'tokens'",
    ):
        ur.fit(words, target="label", kinds={"text": "tokens"}, kmer=3, steps=1, out=tmp_path / "a")


def test_a_run_of_one_strand_is_gone_on_from_with_both(tmp_path: Path) -> None:
    rows = data()
    small: dict[str, Any] = {"target": "label", "hidden": 8, "steps": 2}
    ur.fit(rows, out=tmp_path / "one", only="none", **small)
    for number, (start, options) in enumerate((("one", {"both_strands": True}), ("0", {})), 0):
        model = ur.fit(rows, out=tmp_path / str(number), init_from=str(tmp_path / start), **small, **options)
        given = model.predict(rows).column("label_p_yes").to_numpy()
        other = model.predict({"dna": [opposite(text) for text in rows["dna"]]}).column("label_p_yes").to_numpy()
        np.testing.assert_allclose(given, other, atol=1e-6)
    words = {"text": ["the food was good", "never again", "so bad", "lovely"] * 3, "label": ["a", "b", "b", "a"] * 3}
    told: dict[str, Any] = {"target": "label", "kinds": {"text": "tokens"}, "steps": 1}
    ur.fit(words, out=tmp_path / "words", only="none", **told)
    with pytest.raises(
        UsageError, match="both_strands only works with columns of kind 'symbols'; this run has columns"
    ):
        ur.fit(words, init_from=str(tmp_path / "words"), both_strands=True, out=tmp_path / "x", **told)
    rows = {"p": ["MKLV" * 5, "WYFE" * 5] * 6, "label": ["a", "b"] * 6}
    told = {"target": "label", "kinds": {"p": "symbols"}, "hidden": 4, "steps": 1}
    ur.fit(rows, out=tmp_path / "protein", only="none", **told)
    for start in (None, str(tmp_path / "protein")):
        with pytest.raises(UsageError, match="both_strands only works with DNA or RNA; .* protein"):
            ur.fit(rows, init_from=start, both_strands=True, out=tmp_path / "y", **told)


def test_strands_need_dna_and_one_answer_a_row(tmp_path: Path) -> None:
    words = {"text": ["the food was good", "never again", "so bad", "lovely"] * 3, "label": ["a", "b", "b", "a"] * 3}
    with pytest.raises(
        UsageError, match="both_strands only works with columns of kind 'symbols'; this run has columns"
    ):
        ur.fit(words, target="label", kinds={"text": "tokens"}, both_strands=True, steps=1, out=tmp_path / "a")
    with pytest.raises(
        UsageError, match="both_strands only works where a row has one answer; this run's task is 'next_step'"
    ):
        ur.fit({"dna": data()["dna"]}, both_strands=True, steps=1, out=tmp_path / "b")
    with pytest.raises(UsageError, match="both_strands must be true or false, got 'two'"):
        ur.fit(data(), target="label", both_strands="two", steps=1, out=tmp_path / "c")
