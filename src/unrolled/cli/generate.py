"""``unrolled generate``: go on from a prompt."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from unrolled.cli.output import Told, emit, note
from unrolled.errors import UsageError
from unrolled.storage.directories import write_file

__all__ = ["generate"]

_MUSIC = (".abc", ".mid", ".midi")  # the files that a prompt may be


def generate(
    run: str,
    /,
    *,
    prompt: str = "",
    length: int = 1000,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    stop: str | None = None,
    count: int = 1,
    out: str | None = None,
    told: Told | None = None,
) -> None:
    """Print the prompt and what the model thinks comes after it, each piece as soon as it is chosen.

    Args:
        run: The run directory that fit wrote.
        prompt: The beginning, which is printed first; or a file of music (.abc, .mid), of which it is the first piece.
            Default: none.
        length: The most tokens, or the steps of a piano roll. Default: 1000.
        temperature: 0 always takes the likeliest, 1 is the model's own chances, at most 10. Default: 1.
        top_k: Choose among the k likeliest only.
        top_p: Choose among the likeliest that together reach this probability only.
        seed: The same seed gives the same text. Default: 0.
        stop: End before this text.
        count: How many texts, the i-th with the seed --seed + i. Default: 1.
        out: Write the text, a tune in ABC notation, in events or of a piano roll, to this file as well: .abc, .mid,
            .wav, or a picture in .svg.
    """
    told = told or Told()
    _check(count, length, out)
    from unrolled import api
    from unrolled.music.forms import check_form, written

    if out is not None:
        check_form(Path(out).suffix.lower())
    trained = api.load(run)
    if prompt.lower().endswith(_MUSIC) and Path(prompt).is_file():
        prompt = trained.prompt_of(prompt)
    texts = []
    for number in range(count):
        pieces = trained.generate(
            prompt, length=length, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed + number, stop=stop
        )
        if number == 0:
            _warn(trained.unseen(prompt), told)  # of what cannot be gone on from at all, generate has told already
        elif not told.json:
            sys.stdout.write("\n")
        texts.append(prompt + "".join(pieces) if told.json else _print(prompt, pieces))
    if out is not None:
        write_file(Path(out), written(texts[0], Path(out).suffix.lower()))
    if told.json:
        emit({"run": run, "prompt": prompt, "texts": texts})


def _check(count: int, length: int, out: str | None) -> None:
    if count < 1:
        raise UsageError(f"--count {count}: must be at least 1")
    if length < 0:
        raise UsageError(f"--length {length}: must be 0 or more")
    if out is not None and count > 1:
        raise UsageError(f"--out holds one tune, and --count is {count}: leave one of them out")


def _warn(unseen: list[str], told: Told) -> None:
    if unseen:
        listed = ", ".join(repr(token) for token in unseen[:10])
        note(f"warning: the model never saw {listed} in training, and reads it as <unknown>", quiet=told.quiet)


def _print(prompt: str, pieces: Iterable[str]) -> str:
    """Print the text, each piece as soon as it is chosen, and return it."""
    sys.stdout.write(prompt)
    text = prompt
    for piece in pieces:
        text += piece
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    sys.stdout.flush()
    return text
