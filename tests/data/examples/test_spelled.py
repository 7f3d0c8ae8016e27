"""The letters of words in examples, batches, live rows and hidden steps: always those of the words beside them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from samples import sequences

from unrolled.batch import Discrete, Side, Spelled, lengths_of, letters_of
from unrolled.data.batches.loader import Loader
from unrolled.data.batches.spec_augment import SpecAugment
from unrolled.data.encodings._gather import Gather
from unrolled.data.encodings.tokens import Tokens
from unrolled.data.examples.live_row import LiveRow
from unrolled.data.examples.portions import cut_steps, take_rows
from unrolled.data.examples.preparation import Preparation
from unrolled.data.examples.preprocessor import Preprocessor
from unrolled.data.examples.roles import Roles
from unrolled.data.forms.fill import FillIn
from unrolled.data.forms.form import BatchSettings
from unrolled.data.forms.one import One
from unrolled.data.plans.masking import Masking, hide_unknown
from unrolled.data.plans.segments import RawBatch, Segments
from unrolled.data.plans.windows import Rows
from unrolled.data.tables.sequences import Sequences

BODY, TITLE = letters_of("body"), letters_of("title")
TABLE = sequences(
    {
        "title": ["Ann", "", "Bob Ann"],
        "body": ["Bob saw Ann there", "Ann saw", "there Ann saw Bob and Ann"],
        "label": ["x", "y", "x"],
    },
    {"title": "tokens", "body": "tokens", "label": "category"},
)
PREPARATION = Preparation({"tokens": Tokens.Options(letters=True)}, tokens="words")


def coder(*inputs: str, table: Sequences = TABLE) -> Preprocessor:
    return Preprocessor.fit(table, Roles(inputs, "label", One()), PREPARATION)


def test_letters_stand_behind_their_words_with_the_same_steps() -> None:
    one = coder("title", "body")
    examples = one.encode(TABLE)
    assert list(examples.inputs) == list(examples.specs) == ["title", TITLE, "body", BODY]
    assert one.specs[TITLE] == Spelled(one.specs[TITLE].size, 3, "title", time=False, side=Side("title"))  # type: ignore[union-attr]
    assert one.specs[BODY] == Spelled(one.specs[BODY].size, 5, "body")  # type: ignore[union-attr]
    assert isinstance(one.specs["body"], Discrete)
    for name in ("title", "body"):
        assert np.array_equal(examples.inputs[name].offsets, examples.inputs[letters_of(name)].offsets)
    again = Preprocessor.from_files(one.to_files())
    assert again.specs == one.specs
    assert np.array_equal(again.encode(TABLE).inputs[BODY].values, examples.inputs[BODY].values)


def test_a_batch_has_the_letters_of_its_words() -> None:
    examples = coder("title", "body").encode(TABLE)
    batch = Loader(examples, Rows(examples.steps(), 3))[0]
    assert batch.inputs[BODY].dtype == torch.int64
    assert batch.inputs[BODY].shape == (*batch.inputs["body"].shape, 5)
    assert batch.inputs[TITLE].shape == (*batch.inputs["title"].shape, 3)
    assert torch.equal(batch.inputs[BODY].any(-1), batch.inputs["body"] > 0)
    assert torch.equal(batch.inputs[TITLE].any(-1).sum(1), batch.inputs[lengths_of("title")])


def test_portions_keep_words_and_letters_together() -> None:
    whole = coder("body").encode(TABLE)
    assert whole.inputs[BODY].offsets is not None
    some = take_rows(whole, np.array([2, 0]))
    assert np.array_equal(some.inputs[BODY].values[:6], whole.inputs[BODY].values[-6:])
    cut = cut_steps(whole, np.array([1, 0, 2]), np.array([3, 1, 4]))
    wanted = np.concatenate([whole.inputs[BODY].values[at : at + n] for at, n in ((1, 2), (4, 1), (8, 2))])
    assert np.array_equal(cut.inputs[BODY].values, wanted)
    assert np.array_equal(cut.inputs["body"].offsets, cut.inputs[BODY].offsets)


def test_large_letters_lie_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.data.encodings.tokens.Gather", partial(Gather, large=20))
    found, small = (coder("body").encode(TABLE, cache=cache).inputs[BODY] for cache in (tmp_path, None))
    assert isinstance(found.values, np.ndarray) and len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(found.values, small.values) and found.values.shape == (12, 5)


def test_a_live_row_has_the_letters_that_a_file_has() -> None:
    one = coder("title", "body")
    whole, live = one.encode(TABLE), LiveRow(one)
    row = {name: TABLE.table.column(name)[2].as_py() for name in ("title", "body")}
    steps, _ = live.encode(row)
    assert whole.inputs[BODY].offsets is not None and whole.inputs[TITLE].offsets is not None
    assert np.array_equal(np.stack([step[BODY] for step in steps]), whole.inputs[BODY].values[-6:])
    assert np.array_equal(steps[0][TITLE], whole.inputs[TITLE].values[-2:])
    assert steps[0][BODY].dtype == np.int64 and TITLE not in steps[1]
    (word,), _ = LiveRow(coder("body")).encode("Ann")
    assert word[BODY].shape == (5,)


def raw(ids: list[int]) -> tuple[RawBatch, Segments]:
    tokens, zero = np.array([ids], np.int64), np.zeros(1, np.int64)
    inputs = {"body": tokens, BODY: np.repeat(tokens[..., None] + 1, 4, -1)}
    segments = Segments(zero, zero, zero + len(ids), zero, np.ones(1, bool))
    return RawBatch(inputs, np.ones_like(tokens, bool), tokens), segments


def test_a_hidden_word_shows_no_letters() -> None:
    batch, segments = raw([7] * 200)
    hidden = Masking(0.5, 1, 0, 9)(batch, segments)
    replaced = hidden.inputs["body"] != 7
    assert 80 < replaced.sum() < 100
    assert not hidden.inputs[BODY][replaced].any()
    assert (hidden.inputs[BODY][~replaced] == 8).all()
    assert (batch.inputs[BODY] == 8).all()


def test_a_word_that_is_to_be_filled_in_shows_no_letters() -> None:
    batch, segments = raw([5, 0, 6])
    assert hide_unknown(batch, segments).inputs[BODY][0, :, 0].tolist() == [6, 0, 7]
    table = sequences({"body": ["Ann saw", "Ann _ saw"]}, {"body": "tokens"})
    filler = Preprocessor.fit(table.take(np.array([0])), Roles(("body",), "body", FillIn()), PREPARATION)
    examples = filler.encode(table)
    plan = FillIn().plans.answering(examples.steps(), BatchSettings(2, 0, None, 1, 0.15))
    batch_ = Loader(examples, plan)[0]
    assert batch_.inputs[BODY].any(-1).tolist() == [[True, True, False], [True, False, True]]


def test_letters_are_not_blotted_out_like_sounds() -> None:
    batch, segments = raw([7] * 50)
    assert SpecAugment(1, 0)(batch, segments).inputs.keys() == batch.inputs.keys()
    assert (SpecAugment(1, 0)(batch, segments).inputs[BODY] == 8).all()
