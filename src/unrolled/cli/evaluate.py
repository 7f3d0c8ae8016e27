"""``unrolled evaluate``: measure a trained model on a file."""

from __future__ import annotations

from pathlib import Path

from unrolled.cli.output import Told, comparison, emit, listed, note
from unrolled.cli.progress import Progress

__all__ = ["evaluate"]


def evaluate(
    run: str,
    file: str,
    /,
    *,
    beam: int | None = None,
    tunes: int | None = None,
    origins: int | None = None,
    device: str = "auto",
    told: Told | None = None,
) -> None:
    """Measure a trained model on a file that holds the target.

    Args:
        run: The run directory that fit wrote.
        file: What to measure it on, in the format that it was trained on; - for stdin.
        beam: Width of the search, where a sequence is written. Default: that of training.
        tunes: Let a model of music write so many tunes, and tell how many can be read, keep time and are new.
        origins: Judge a forecast from the last so many places of each sequence, and show each step ahead.
        device: Where it runs: cpu, cuda, or auto, a GPU if there is one. Default: auto.
    """
    told = told or Told()
    from unrolled import api

    trained = api.load(run)
    if origins is not None:
        with Progress(quiet=told.quiet):
            found = trained.backtest(file, origins, device=device)
        if told.json:
            emit({"run": run, "file": file, **found._asdict()})
            return
        rows = {f"{h} ahead": values for h, values in enumerate(found.by_step, 1)}
        rows |= {f"origin {k}": values for k, values in enumerate(found.by_origin, 1)}
        print(listed(found.metrics, rows, own=f"last {origins} origins"))
        return
    with Progress(quiet=told.quiet):
        metrics = trained.evaluate(file, beam=beam, device=device)
        if tunes is not None:
            metrics |= api.judge_tunes(trained, tunes)
    if told.json:
        emit({"run": run, "file": file, "metrics": metrics})
        return
    then = {f"{split} split, when it was trained": values for split, values in trained.metrics.items()}
    if Path(file).absolute() == Path(str(trained.config.files.get("training", {}).get("path", ""))).absolute():
        note(
            "this is the file that the model was trained on: it does better here than on what it never saw",
            quiet=told.quiet,
        )
    print(comparison(metrics, then, own="this file"))
