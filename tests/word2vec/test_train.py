"""Vectors from text: the steps are the gradients of the loss, the same seed gives the same, and alike words are near."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from unrolled import api
from unrolled.errors import DataError, UsageError
from unrolled.word2vec.corpus import Corpus
from unrolled.word2vec.train import Settings, learn
from unrolled.word2vec.update import STEPS, Blocks, Tables

GROUPS = [[f"{kind}{n}" for n in range(6)] for kind in ("animal", "city", "colour", "tool")]


def sentences(count: int, seed: int = 0) -> list[str]:
    """Words of one group stand together, so those of a group are alike and no others are."""
    dice = random.Random(seed)
    return [" ".join(dice.choices(dice.choice(GROUPS), k=8)) for _ in range(count)]


def nearest(vectors: np.ndarray, words: list[str], most: int) -> dict[str, set[str]]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    return {word: {words[n] for n in np.argsort(-cosines[row])[:most]} for row, word in enumerate(words)}


@pytest.mark.parametrize("model", STEPS)
def test_a_step_is_the_gradient_of_the_loss_pair_by_pair(model: str) -> None:
    dice = torch.Generator().manual_seed(0)
    v, u = (torch.randn(40, 3, generator=dice, dtype=torch.float64).requires_grad_() for _ in range(2))
    contexts = torch.randint(0, 40, (2, 8), generator=dice)
    pairs = (torch.rand(2, 4, 8, generator=dice) < 0.4).double()
    pairs[0, 1] = 0  # a centre without a context
    blocks = Blocks(contexts[:, 2:6], contexts, pairs, torch.randint(0, 40, (2, 5), generator=dice), negatives=3)
    loss, asked = torch.zeros((), dtype=torch.float64), []  # (what is held against a centre, the words that learn)
    for p in range(2):
        for q in range(4):
            around = [int(contexts[p, c]) for c in range(8) if pairs[p, q, c]]
            centre = int(blocks.centres[p, q])
            whole = model == "cbow" and around
            some = [(torch.stack([v[word] for word in around]).mean(0), around)] if whole else []
            for one, words in some or [(v[word] * 1, [word]) for word in around]:
                asked.append((one, words))
                loss = loss - logsigmoid(u[centre] @ one)
                for noise in blocks.noise[p].tolist():
                    if noise != centre:
                        loss = loss - 3 / 5 * logsigmoid(-u[noise] @ one)
    du, *of_asked = torch.autograd.grad(loss, [u, *(one for one, _ in asked)])
    expected = v.detach().clone()
    for (_, words), gradient in zip(asked, of_asked, strict=True):
        for word in words:  # in CBOW each takes the whole gradient of the mean
            expected[word] -= 1e-3 * gradient
    tables = Tables(v.detach().clone(), u.detach().clone(), torch.zeros(40, dtype=torch.float64))
    told = STEPS[model](tables, blocks, 1e-3)
    assert torch.allclose(tables.outputs, u.detach() - 1e-3 * du, atol=1e-12)
    assert torch.allclose(tables.inputs, expected, atol=1e-12)
    assert told[0].item() == pytest.approx(loss.item(), rel=1e-9)
    assert not tables.shares.any()


@pytest.mark.parametrize("model", STEPS)
def test_words_of_a_group_are_near_and_the_seed_decides_all(model: str) -> None:
    corpus = Corpus.count({"text": sentences(1500)}, min_count=1)
    settings = Settings(size=16, model=model, epochs=10, window=3)
    vectors, told = learn(corpus, settings), list[str]()
    right = [
        len(found & set(group)) / 5
        for group in GROUPS
        for found in map(nearest(vectors, corpus.words, 5).get, group)
        if found
    ]
    assert np.mean(right) > 0.95
    assert vectors.tobytes() == learn(corpus, settings, told.append).tobytes()
    assert [line.split(":")[0] for line in told] == [f"epoch {n} of 10" for n in range(1, 11)]
    assert vectors.tobytes() != learn(corpus, Settings(size=16, model=model, epochs=10, window=3, seed=1)).tobytes()


@pytest.mark.parametrize(("model", "sg"), [("skipgram", 1), ("cbow", 0)])
def test_the_neighbours_are_those_of_gensim(model: str, sg: int) -> None:
    models = pytest.importorskip("gensim.models", reason="gensim is the oracle of this test")
    texts = sentences(1500)
    corpus = Corpus.count({"text": texts}, min_count=1)
    ours = nearest(learn(corpus, Settings(size=16, model=model, epochs=5, window=3)), corpus.words, 5)
    theirs = models.Word2Vec(
        [text.split() for text in texts], vector_size=16, sg=sg, epochs=5, window=3, min_count=1, workers=1, seed=1
    ).wv
    agreement = [len(ours[word] & {name for name, _ in theirs.most_similar(word, topn=5)}) / 5 for word in corpus.words]
    assert np.mean(agreement) > 0.9


def test_a_handful_of_words_does_not_run_away() -> None:
    corpus = Corpus.count({"text": ["a b c a b c a c b"] * 400}, min_count=1)
    for model in STEPS:
        assert np.abs(learn(corpus, Settings(size=8, model=model, epochs=10))).max() < 20


def test_an_empty_line_and_a_window_longer_than_the_text_are_fine() -> None:
    corpus = Corpus.count({"text": ["a b", "", "b a a"]}, min_count=2)
    assert np.isfinite(learn(corpus, Settings(size=2, window=50, epochs=2))).all()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"size": 0}, UsageError, "size must be from 1 to 65536, got 0"),
        ({"window": 0}, UsageError, "window must be from 1 to 1000, got 0"),
        ({"negative": -1}, UsageError, "negative must be from 1 to 1000, got -1"),
        ({"epochs": 0}, UsageError, "epochs must be from 1 to 10000, got 0"),
        ({"seed": -1}, UsageError, "seed must be from 0 to 2"),
        ({"min_count": 0}, UsageError, "min_count must be at least 1, got 0"),
        ({"model": "skipgrams"}, UsageError, "there is no word vector model 'skipgrams'. Did you mean 'skipgram'?"),
        (
            {"min_count": 9},
            DataError,
            r"only 0 of its 3 words occur 9 times or more \(give more text, or min_count below 9\)",
        ),
        ({"out": "v.npy"}, UsageError, "v.npy: the name of a vectors file must end in"),
        ({"source": {"x": [1.5, 2.0]}}, DataError, "has no text column to learn words from"),
    ],
)
def test_what_cannot_be_learned_is_said(
    options: dict[str, object], error: type[Exception], text: str, tmp_path: Path
) -> None:
    given = {"source": {"text": ["a b c"]}, "out": tmp_path / "v.txt", **options}
    with pytest.raises(error, match=text):
        api.embed(**given)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
