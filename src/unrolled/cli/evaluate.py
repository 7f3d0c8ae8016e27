"""``unrolled evaluate``: measure a trained model on a file."""

from __future__ import annotations

from unrolled.cli.output import comparison, emit

__all__ = ["evaluate"]


def evaluate(run: str, file: str, /, *, json: bool = False, quiet: bool = False) -> None:
    """Measure a trained model on a file that holds the target.

    Args:
        run: The run directory that fit wrote.
        file: What to measure it on, in the format that it was trained on; - for stdin.
        json: Print one JSON object instead of a table.
        quiet: Say nothing on stderr.
    """
    from unrolled import api

    trained = api.load(run)
    metrics = trained.evaluate(file)
    if json:
        emit({"run": run, "file": file, "metrics": metrics})
        return
    then = {f"{split} split, when it was trained": values for split, values in trained.metrics.items()}
    print(comparison(metrics, then).replace("this model", "this file ", 1))
