"""``unrolled evaluate``: evaluate a trained model on a file."""

from __future__ import annotations

from pathlib import Path

from unrolled.cli.output import Told, comparison, emit, listed, note
from unrolled.runs.progress import Progress

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
    """Evaluate a trained model on a file with the target.

    Args:
        run: The run directory that fit wrote.
        file: Data with the columns of the training data, including the target; - for stdin.
        beam: Beam width, for a model that writes sequences. Default: that of the run.
        tunes: Let a model of music write this many tunes, and report how many are valid, in metre and new.
        origins: Forecast from each of this many last steps of every sequence, and show metrics for each step ahead.
        device: cpu, cuda, or auto: a GPU if there is one. Default: auto.
    """
    told = told or Told()
    from unrolled import api
    from unrolled.metrics.scoring import signatures

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
        emit({"run": run, "file": file, "metrics": metrics, "signatures": signatures(metrics)})
        return
    then = {f"{split} split, after training": values for split, values in trained.metrics.items()}
    if Path(file).absolute() == Path(str(trained.config.files.get("training", {}).get("path", ""))).absolute():
        note(
            "note: the model was trained on this file, so these metrics are better than on new data",
            quiet=told.quiet,
        )
    print(comparison(metrics, then, own="this file"))
