"""Beginning with vectors from a file: where they go, what is frozen, what a run needs to go on, what is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contracts.runs import same_run

import unrolled as ur
from unrolled.data.encodings._level import SPECIALS
from unrolled.data.vectors.writing import write_vectors
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.training.trainer import Trainer

_dice = random.Random(0)
TEXTS = [
    " ".join(_dice.choices(["the", "a", "cat", "dog", "sat", "Ran", "on", "mat"], k=_dice.randint(2, 7)))
    for _ in range(40)
]
DATA: dict[str, Any] = {"review": TEXTS, "label": ["cat" if "cat" in text else "none" for text in TEXTS]}
SMALL: dict[str, Any] = {
    "steps": 6,
    "batch": 4,
    "hidden": 4,
    "device": "cpu",
    "checkpoint_every": "2",
    "model": "gru",
    "plan": "fixed",
    "target": "label",
    "kinds": {"label": "category", "review": "tokens"},
}
WORDS = ["cat", "the", "Ran", "unheard"]
VALUES = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    write_vectors(tmp_path / "v.txt", WORDS, 5, lambda: [VALUES])
    return tmp_path / "v.txt"


class Stop(Exception):
    """As sudden as a kill: nothing of ours catches it."""


def stop_before(monkeypatch: pytest.MonkeyPatch, step: int) -> list[torch.Tensor]:
    """Whichever run comes next ends before it takes ``step``; the embedding that it had then."""
    take, weights = Trainer._step, []

    def until(self: Trainer, *arguments: Any) -> None:
        if self.progress.step == step:
            weights.append(self.network.state_dict()["columns.embeddings.0.weight"].clone())
            raise Stop
        take(self, *arguments)

    monkeypatch.setattr(Trainer, "_step", until)
    return weights


def embedding(trained: ur.Trained) -> torch.Tensor:
    return trained.network.state_dict()["columns.embeddings.0.weight"]


def test_words_begin_with_their_vectors_and_others_with_their_first(
    vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    firsts = []
    for more in ({"vectors": vectors}, {"embedding": 5}):
        with monkeypatch.context() as patch, pytest.raises(Stop):
            firsts.append(stop_before(patch, 0))
            ur.fit(DATA, out=tmp_path / "run", overwrite=True, say=lines.append, **SMALL, **more)
    (with_,), (without,) = firsts
    words = (
        ur.fit(DATA, **SMALL, out=tmp_path / "run", overwrite=True).task.coder.inputs["review"].to_config()["symbols"]
    )
    for row, word in enumerate(words, SPECIALS):
        known = {"cat": 0, "the": 1, "ran": 2}.get(word)
        assert torch.equal(with_[row], without[row] if known is None else torch.from_numpy(VALUES[known])), word
    assert torch.equal(with_[:SPECIALS], without[:SPECIALS])
    assert len(words) == 8
    (told,) = [line for line in lines if line.startswith("vectors: ")]
    assert told.startswith("vectors: 38 % of 8 words, ")
    assert 25 < int(told.split(", ")[1].split()[0]) < 50


def test_vectors_of_none_of_the_words_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "other.vec"
    path.write_text("1 5\nkatze 1 2 3 4 5\n")
    lines: list[str] = []
    ur.fit(DATA, out=tmp_path / "run", vectors=path, say=lines.append, **{**SMALL, "steps": 1})
    assert "vectors: 0 % of 8 words, 0 % of their occurrences" in lines
    (record,) = caplog.records
    assert record.levelname == "WARNING" and record.getMessage() == (
        f"{path} has none of the words of review, so all of them start from random vectors: is it in another language?"
    )


def test_a_layer_reads_the_vectors_as_the_file_has_them_whatever_its_gain(vectors: Path, tmp_path: Path) -> None:
    told = {**SMALL, "model": "transformer", "vectors": vectors, "freeze": True, "valid": 0, "steps": 1}
    trained = ur.fit(DATA, out=tmp_path / "run", **told)
    words = trained.task.coder.inputs["review"].to_config()["symbols"]
    symbols = trained.network.get_submodule("columns.embeddings.0")
    read = symbols(torch.tensor([SPECIALS + words.index("cat")]))[0].detach()
    torch.testing.assert_close(read, torch.from_numpy(VALUES[0]))


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_vectors_stay_and_others_learn(
    freeze: bool, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        **SMALL,
        "vectors": vectors,
        "freeze": freeze,
        "valid": 0,
    }  # the last weights: all words have moved by then
    with monkeypatch.context() as patch, pytest.raises(Stop):
        firsts = stop_before(patch, 0)
        ur.fit(DATA, out=tmp_path / "run", **given)
    trained = ur.fit(DATA, out=tmp_path / "run", overwrite=True, **given)
    symbols = trained.task.coder.inputs["review"].to_config()["symbols"]
    for row, word in enumerate(symbols, SPECIALS):  # words that the file lacks are trained in any case
        same = torch.equal(embedding(trained)[row], firsts[0][row])
        assert same == (freeze and word in ("cat", "the", "ran")), word
    assert torch.equal(firsts[0][SPECIALS + symbols.index("cat")], torch.from_numpy(VALUES[0]))
    assert trained.config.model.embedding == 5
    card = (tmp_path / "run" / "README.md").read_text("utf-8")
    assert f"Its word vectors come from `{vectors}`{' and were not trained' * freeze}." in card
    vectors.unlink()
    again = ur.load(tmp_path / "run")
    assert again.predict(DATA).equals(trained.predict(DATA))


@pytest.mark.parametrize("freeze", [True, False])
def test_stopped_and_resumed_without_the_file_it_ends_the_same(
    freeze: bool, vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    given = {**SMALL, "vectors": vectors, "freeze": freeze}
    ur.fit(DATA, out=straight, **given)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_before(patch, 4)
        ur.fit(DATA, out=stopped, **given)
    vectors.unlink()
    ur.fit(DATA, out=stopped, resume=True)
    same_run(stopped, straight)


ENGLISH = ["the cat sat", "a dog", "the dog ran", "a cat"] * 4
WRITES: dict[str, Any] = {**SMALL, "task": "translate", "kinds": {"english": "tokens", "echo": "tokens"}}


def writer(
    data: dict[str, Any], lines: list[str], folder: Path, vectors: Path, **options: Any
) -> tuple[list[str], torch.Tensor]:
    """The words that a model writes, and the vectors that it has of them after training."""
    options = {**WRITES, "target": "echo", "vectors": vectors, **options}
    trained = ur.fit(data, out=folder, say=lines.append, **options)
    return trained.task.coder.answer.to_config()["symbols"], trained.network.state_dict()["symbols.weight"]


def test_what_is_written_begins_with_vectors_where_it_is_of_the_same_language(vectors: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    data = {"english": ENGLISH, "echo": [text.upper() for text in ENGLISH]}
    words, weight = writer(data, lines, tmp_path / "a", vectors, shared=True, freeze=True)
    assert torch.equal(weight[SPECIALS + words.index("cat")], torch.from_numpy(VALUES[0]))
    assert [line.split(", ")[0] for line in lines if line.startswith("vectors")] == [
        "vectors: 50 % of 12 words of english",
        "vectors: 50 % of 12 words of echo",
    ]
    lines.clear()
    words, weight = writer(data, lines, tmp_path / "b", vectors, freeze=True)
    assert not torch.equal(weight[SPECIALS + words.index("CAT")], torch.from_numpy(VALUES[0]))
    assert "vectors: none for echo; shared gives inputs and target one vocabulary, and vectors to both" in lines
    lines.clear()
    one = {"number": [float(len(text)) for text in ENGLISH], "echo": ENGLISH}  # nothing is read in words
    words, weight = writer(one, lines, tmp_path / "c", vectors, freeze=True, kinds={"echo": "tokens"})
    assert torch.equal(weight[SPECIALS + words.index("cat")], torch.from_numpy(VALUES[0]))
    assert next(line for line in lines if line.startswith("vectors")).startswith("vectors: 50 % of 6 words, ")


def test_before_the_first_checkpoint_the_same_file_is_needed(
    vectors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    ur.fit(DATA, out=straight, vectors=vectors, **SMALL)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        stop_before(patch, 1)
        ur.fit(DATA, out=stopped, vectors=vectors, **SMALL)
    kept = vectors.read_bytes()
    vectors.write_bytes(kept.replace(b"cat", b"cow"))
    with pytest.raises(
        ModelError, match="has no checkpoint yet, and cannot start again without its vectors: .* changed"
    ):
        ur.fit(DATA, out=stopped, resume=True)
    vectors.write_bytes(kept)
    ur.fit(DATA, out=stopped, resume=True)
    same_run(stopped, straight)


def test_what_comes_next_is_read_as_words_where_vectors_are_given(vectors: Path, tmp_path: Path) -> None:
    trained = ur.fit({"text": TEXTS}, task="next_step", out=tmp_path / "run", vectors=vectors, steps=2, hidden=4)
    assert trained.task.coder.inputs["text"].to_config()["level"] == "words"


@pytest.mark.parametrize(
    ("more", "error", "text"),
    [
        ({"embedding": 7}, UsageError, "embedding = 7, but the vectors of .*v.txt have 5 numbers: leave embedding out"),
        ({"tokens": "characters"}, UsageError, "vectors holds vectors of words, but no column is read as words"),
        ({"init_from": "elsewhere"}, ModelError, "elsewhere"),
        ({"vectors": None, "freeze": True}, UsageError, "freeze only works with vectors: leave it out"),
        ({"vectors": "nowhere.txt"}, DataError, "nowhere.txt: there is no such file"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    more: dict[str, Any], error: type[Exception], text: str, vectors: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=text):
        ur.fit(DATA, out=tmp_path / "run", **{**SMALL, "vectors": vectors, **more})
    assert not (tmp_path / "run").exists()


def test_vectors_and_another_run_are_two_beginnings(vectors: Path, tmp_path: Path) -> None:
    ur.fit(DATA, out=tmp_path / "first", **SMALL)
    with pytest.raises(UsageError, match="vectors and init_from both set the word vectors: leave one out"):
        ur.fit(DATA, out=tmp_path / "run", vectors=vectors, init_from=tmp_path / "first", **SMALL)
