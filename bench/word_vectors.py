"""Vectors of words: ours beside gensim's (C, one worker), same text, words and settings, one thread each.

Shown are processor seconds a million running words (all passes; for ours reading included, as the corpus is read anew
each pass; gensim's sentences are lists in memory), and the share of each word's ten nearest that agree, over the 500
most frequent words: of two seeds of ours, of two of gensim's, and of ours with gensim's. The text is Tiny Shakespeare.
"""

import argparse
import time

import common
import gensim
import machine
import numpy as np
import torch
from gensim.models import Word2Vec

from unrolled.word2vec.corpus import Corpus
from unrolled.word2vec.train import Settings, learn

LEAST, SIZE, WINDOW, NEGATIVE, NEAREST, AMONG = 5, 100, 5, 5, 10, 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one pass instead of five; not recorded")
    quick = parser.parse_args().quick
    epochs = 1 if quick else 5
    torch.set_num_threads(1)
    corpus = Corpus.count(common.data("shakespeare", "input.txt"), LEAST)
    sentences = [sentence for piece in corpus.passage() for sentence in as_lists(corpus.words, *piece)]
    print(f"{machine.line()}; gensim {gensim.__version__}; {corpus.running:,} words, {len(corpus.words):,} kept\n")
    print(
        "| model | seconds a million words, ours | gensim | agreement of two seeds, ours | gensim | ours with gensim |"
    )
    print("|---|---|---|---|---|---|")
    for model in ("skipgram", "cbow"):
        ours, our_seconds = zip(*(learned(corpus, model, epochs, seed) for seed in (0, 1)), strict=True)
        theirs, their_seconds = zip(
            *(of_gensim(corpus, sentences, model, epochs, seed) for seed in (1, 2)), strict=True
        )
        million = corpus.counts.sum() * epochs / 1e6
        found = {
            "cpu_seconds_per_million_words": min(our_seconds) / million,
            "gensim_cpu_seconds_per_million_words": min(their_seconds) / million,
            "agreement_of_two_seeds": agreement(*ours),
            "gensim_agreement_of_two_seeds": agreement(*theirs),
            "agreement_with_gensim": float(np.mean([agreement(a, b) for a in ours for b in theirs])),
        }
        print(f"| {model} | " + " | ".join(f"{value:.3g}" for value in found.values()) + " |", flush=True)
        if not quick:
            common.record(
                "word_vectors",
                {"model": model, "epochs": epochs, **found, "machine": machine.line(), "date": machine.today()},
            )


def as_lists(words: list[str], ids: np.ndarray, of: np.ndarray) -> list[list[str]]:
    """The sentences of a piece as gensim takes them."""
    parts = np.split(ids, np.flatnonzero(np.diff(of)) + 1)
    return [[words[n] for n in part] for part in parts]


def learned(corpus: Corpus, model: str, epochs: int, seed: int) -> tuple[np.ndarray, float]:
    started = time.process_time()
    vectors = learn(corpus, Settings(SIZE, model, epochs, WINDOW, NEGATIVE, seed))
    return vectors, time.process_time() - started


def of_gensim(
    corpus: Corpus, sentences: list[list[str]], model: str, epochs: int, seed: int
) -> tuple[np.ndarray, float]:
    kind = {"vector_size": SIZE, "window": WINDOW, "negative": NEGATIVE, "sg": int(model == "skipgram")}
    net = Word2Vec(min_count=LEAST, workers=1, seed=seed, **kind)
    net.build_vocab(sentences)
    started = time.process_time()
    net.train(sentences, total_examples=net.corpus_count, epochs=epochs)
    seconds = time.process_time() - started
    return np.stack([net.wv[word] for word in corpus.words]), seconds


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """The share of the nearest words of a word that are the same, over the most frequent words."""
    a, b = nearest(one), nearest(other)
    return float(np.mean([len(set(x) & set(y)) / NEAREST for x, y in zip(a[:AMONG], b[:AMONG], strict=True)]))


def nearest(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    return np.argsort(-cosines, 1)[:, :NEAREST]


if __name__ == "__main__":
    main()
