"""``unrolled generate``: continue a prompt."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from unrolled.cli.output import Told, emit, note
from unrolled.errors import UsageError
from unrolled.storage.directories import write_file

__all__ = ["generate"]

_MUSIC = (".abc", ".mid", ".midi")  # files that can be a prompt


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
    """Print the prompt and the model's continuation, each piece as soon as it is generated.

    Args:
        run: The run directory that fit wrote.
        prompt: Text to continue, which is printed first; or a music file (.abc, .mid), whose first piece is the prompt.
            Default: none.
        length: Maximum number of tokens, or number of steps of a piano roll. Default: 1000.
        temperature: 0 always takes the likeliest token, 1 samples from the model's probabilities, at most 10.
            Default: 1.
        top_k: Sample from the k likeliest tokens only.
        top_p: Sample from the fewest likeliest tokens whose probabilities add up to this.
        seed: Random seed; the same seed gives the same text. Default: 0.
        stop: End before this text.
        count: Number of texts; the i-th has the seed --seed + i. Default: 1.
        out: Write the tune to this file too: .abc, .mid, .wav, or .svg for a picture.
    """
    told = told or Told()
    _check(count, length, out)
    from unrolled import api
    from unrolled.music.forms import check_form, written
    from unrolled.runs.writer import Asked

    if out is not None:
        check_form(Path(out).suffix.lower())
    trained = api.load(run)
    if prompt.lower().endswith(_MUSIC) and Path(prompt).is_file():
        prompt = trained.prompt_of(prompt)
    writer, settings = trained.writer(), {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    stops = [stop] if stop else []
    asked = [Asked(prompt, length, stops, {**settings, "seed": seed + number}) for number in range(count)]
    # one text is quickest by itself; many are written together
    pieces = ((0, piece) for piece in writer.alone(asked[0])) if count == 1 else writer.together(asked)
    _warn(writer.unseen(prompt), told)  # a prompt that cannot be continued was refused above
    texts = _texts(prompt, pieces, count, shown=not told.json)
    if out is not None:
        write_file(Path(out), written(texts[0], Path(out).suffix.lower()))
    if told.json:
        emit({"run": run, "prompt": prompt, "texts": texts})


def _check(count: int, length: int, out: str | None) -> None:
    if count < 1:
        raise UsageError(f"--count must be at least 1, got {count}")
    if length < 0:
        raise UsageError(f"--length must be at least 0, got {length}")
    if out is not None and count > 1:
        raise UsageError(f"--out holds a single tune, but --count is {count}: leave one of them out")


def _warn(unseen: list[str], told: Told) -> None:
    if unseen:
        listed = ", ".join(repr(token) for token in unseen[:10])
        note(f"warning: the model never saw {listed} in training, and reads it as <unknown>", quiet=told.quiet)


def _texts(prompt: str, pieces: Iterable[tuple[int, str]], count: int, *, shown: bool) -> list[str]:
    """The texts; if they are ``shown``, the first is printed as it is written, and the others after it."""
    texts = [prompt] * count
    _show(prompt, shown=shown)
    for number, piece in pieces:
        texts[number] += piece
        _show(piece, shown=shown and number == 0)
    for text in texts[1:]:
        _show(f"\n\n{text}", shown=shown)
    _show("\n", shown=shown)
    return texts


def _show(text: str, *, shown: bool) -> None:
    if shown:
        sys.stdout.write(text)
        sys.stdout.flush()
