"""``unrolled embed``: learn word vectors from text, convert them, and find the nearest words."""

from __future__ import annotations

from typing import Literal

from unrolled.cli.output import Told, emit, note, table
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress

__all__ = ["embed"]


def embed(
    file: str,
    /,
    *,
    out: str | None = None,
    convert: bool = False,
    size: int = 100,
    model: Literal["skipgram", "cbow"] = "skipgram",
    epochs: int = 5,
    window: int = 5,
    negative: int = 5,
    min_count: int = 5,
    seed: int = 0,
    similar: str | None = None,
    most: int = 10,
    told: Told | None = None,
) -> None:
    """Learn word vectors from text; or, with --similar, list the words nearest to a word.

    Args:
        file: Text to learn from, one sentence per line; with --similar or --convert, a file of vectors.
        out: Output file: .safetensors, .txt or .vec (word2vec text), .bin (word2vec binary).
        convert: Convert the vectors in FILE (word2vec, GloVe, safetensors) to the format of --out.
        size: Vector size. Default: 100.
        model: skipgram or cbow. Default: skipgram.
        epochs: Passes over the text. Default: 5.
        window: Maximum distance between a word and its context words. Default: 5.
        negative: Negative samples for each pair of words. Default: 5.
        min_count: Rarer words get no vector. Default: 5.
        seed: Random seed. Default: 0.
        similar: List the words nearest to this word.
        most: Number of words that --similar lists. Default: 10.
    """
    told = told or Told()
    if (out is None) == (similar is None):
        raise UsageError(
            "embed needs either --out FILE, to learn vectors, or --similar WORD, to search the vectors in FILE"
        )
    if convert and out is None:
        raise UsageError("--convert needs --out FILE, whose ending gives the format")
    from unrolled import api

    if similar is not None:
        found = api.similar(file, similar, most=most)
        if told.json:
            emit({"file": file, "word": similar, "nearest": [{"word": w, "cosine": c} for w, c in found]})
            return
        print(table(["", "cosine"], [[word, f"{cosine:.3f}"] for word, cosine in found]))
        return
    assert out is not None
    with Progress(quiet=told.quiet) as progress:
        if convert:
            words, size = api.convert_vectors(file, out)
        else:
            options = {"size": size, "epochs": epochs, "window": window, "negative": negative}
            learned = api.embed(file, out, model=model, min_count=min_count, seed=seed, say=progress.say, **options)
            words = len(learned)
    if told.json:
        emit({"file": out, "words": words, "size": size})
        return
    print(f"{out}: {words} words, {size} numbers each")
    note(
        f"\nNext:\n  unrolled embed {out} --similar WORD\n  unrolled fit FILE --target COLUMN --vectors {out}",
        quiet=told.quiet,
    )
