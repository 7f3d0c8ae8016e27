"""``unrolled demo``: train on folk tunes and write new ones, in about two minutes."""

from __future__ import annotations

from pathlib import Path

from unrolled.cli.fit import report, what_next
from unrolled.cli.output import Told, emit, note
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress

__all__ = ["demo"]

_SHOWN = 3


def demo(*, minutes: float = 2.0, seed: int = 0, out: str | None = None, told: Told | None = None) -> None:
    """Train a model on folk tunes, compare it with simple baselines, and write new tunes with it.

    Args:
        minutes: How long to train. Default: 2.
        seed: Random seed of training and of the new tunes. Default: 0.
        out: The run directory. Default: the next free `runs/tunes-<n>`.
    """
    told = told or Told()
    if not minutes > 0:
        raise UsageError(f"--minutes must be above 0, got {minutes:g}")
    from unrolled import demo as work

    with Progress(quiet=told.quiet) as progress:
        done = work.run(
            minutes=minutes, seed=seed, out=None if out is None else Path(out), hooks=(progress.hook,), say=progress.say
        )
    trained = done.trained
    if told.json:
        emit(
            {
                "run": str(trained.folder),
                "metrics": trained.metrics,
                "baselines": trained.baselines,
                "tunes": done.tunes,
                "valid": done.valid,
                "copies": done.copies,
            }
        )
        return
    report(trained, as_json=False)
    print(f"\n{_SHOWN} of the {len(done.tunes)} tunes that the model wrote, valid ones first:\n")
    print("\n".join(done.tunes[:_SHOWN]))
    share = f"{done.valid} of {len(done.tunes)} ({done.valid / len(done.tunes):.0%})"
    print(f"{share} are valid ABC: a complete header, and every bar as long as its metre says.")
    print(f"{done.copies} of them are copies from the training data.")
    note(f"{what_next(trained)}\n\nTo hear a tune, paste it into any ABC player.", quiet=told.quiet)
