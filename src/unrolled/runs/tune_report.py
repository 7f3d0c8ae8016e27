"""Evaluates the tunes that a model of music writes: whether they are valid, in metre and new."""

from __future__ import annotations

from pathlib import Path

from unrolled.data.io.fingerprint import fingerprint, origin_of, verify
from unrolled.errors import DataError, UsageError, named
from unrolled.music.abc import check_tune
from unrolled.music.copying import Heard
from unrolled.music.forms import is_abc, tune_in
from unrolled.music.tune import Tune
from unrolled.runs.continuation import as_prompt
from unrolled.runs.trained import Trained

__all__ = ["COPIED", "judge_tunes"]

COPIED = 32  # notes in a row, four bars of quavers, from which on a tune counts as copied

_LONGEST = 2_000  # tokens of a tune


def judge_tunes(trained: Trained, count: int) -> dict[str, float]:
    """Write tunes at temperature 1, the i-th with seed i, and measure them.

    Args:
        trained: a next_step model of tunes: in ABC notation, in events or as a piano roll.
        count: how many tunes, ≥ 1.

    Returns:
        ``tunes_parsed``: the share that can be read. ``tunes_in_metre``, for ABC only: the share in which every bar,
        except the first and last of a part, is as long as the metre says. Of the tunes that can be read, ``tunes_new``:
        the share in which no 32 notes in a row occur in a tune of the training data, in any key; and
        ``longest_copy_notes``: the mean length of the longest run that does occur there.

    Raises:
        UsageError: ``count`` is below 1, or the model writes neither texts nor rolls.
        DataError: its training data is missing, has changed, or holds no tune.
    """
    if count < 1:
        raise UsageError(f"{named('tunes')} must be at least 1, got {count}")
    written = [trained.generate(length=_LONGEST, seed=seed) for seed in range(count)]  # refuses a model that cannot
    known, abc = _known(trained)
    heard, texts = Heard(known), ["".join(pieces) for pieces in written]
    tunes = [tune for text in texts if (tune := _tune(text)) is not None]
    runs = [heard.longest_run(tune) for tune in tunes]
    found = {"tunes_parsed": len(tunes) / count}
    if abc:
        found["tunes_in_metre"] = sum(not check_tune(text) for text in texts) / count
    if runs:
        found["tunes_new"] = sum(run < COPIED for run in runs) / len(runs)
        found["longest_copy_notes"] = sum(runs) / len(runs)
    return found


def _known(trained: Trained) -> tuple[list[Tune], bool]:
    """The tunes of the training file, including those that were held out; and whether it is in ABC."""
    saved = trained.config.files.get("training", {})
    path = str(saved.get("path", ""))
    if not Path(path).exists():
        raise DataError(
            "the training data is missing, so copies cannot be found",
            file=origin_of(saved) if saved else None,
            hint=f"leave {named('tunes')} out",
        )
    verify(saved, fingerprint(path))
    cells = trained.read(path).column(trained.task.coder.target).to_pylist()
    texts = [as_prompt(trained.task.coder.answer, cell) for cell in cells]
    tunes = [tune for text in texts if (tune := _tune(text)) is not None]
    if not tunes:
        raise DataError("holds no tune", file=path, hint=f"leave {named('tunes')} out")
    return tunes, is_abc(texts[0])


def _tune(text: str) -> Tune | None:
    try:
        return tune_in(text)
    except DataError:
        return None
