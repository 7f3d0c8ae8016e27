"""``unrolled embed``: vectors of words from text alone, and which words are alike."""

from __future__ import annotations

from typing import Literal

from unrolled.cli.output import Told, emit, note, table
from unrolled.cli.progress import Progress
from unrolled.errors import UsageError

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
    """Learn vectors of words from text alone; or, with --similar, name the words that are nearest to one.

    Args:
        file: Text to learn from (a line is a sentence); with --similar or --convert, a file of vectors.
        out: Where the vectors go: .safetensors, .txt or .vec (word2vec's text), .bin (word2vec's binary).
        convert: FILE holds vectors (word2vec, GloVe, safetensors): write them as --out says.
        size: Numbers of a vector. Default: 100.
        model: skipgram or cbow. Default: skipgram.
        epochs: Passes over the text. Default: 5.
        window: Words to each side that count as near. Default: 5.
        negative: Noise words that each pair is told from. Default: 5.
        min_count: How often a word must stand there to have a vector. Default: 5.
        seed: The seed of everything random. Default: 0.
        similar: A word: name those that are nearest to it.
        most: How many to name. Default: 10.
    """
    told = told or Told()
    if (out is None) == (similar is None):
        raise UsageError("embed needs one of --out FILE, to learn vectors, and --similar WORD, to ask those in FILE")
    if convert and out is None:
        raise UsageError("--convert needs --out FILE, which says in which form the vectors are written")
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
