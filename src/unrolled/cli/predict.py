"""``unrolled predict``: predict the target of each row of a file."""

from __future__ import annotations

import sys
from pathlib import Path

from unrolled.cli.output import Told
from unrolled.cli.tables import FORMATS, as_written, by_step, format_of, write_table
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress

__all__ = ["predict"]


def predict(
    run: str,
    file: str,
    /,
    *,
    out: str | None = None,
    beam: int | None = None,
    device: str = "auto",
    told: Told | None = None,
) -> None:
    """Predict the target of each row of a file.

    The output has the columns of the file, `<target>_predicted` and, for some tasks, columns such as probabilities or
    quantiles. Its format is that of the input. In CSV a forecast has one row for each series and step ahead.

    Args:
        run: The run directory that fit wrote.
        file: The data; the target may be absent; - for stdin.
        out: Write to this file (.csv, .tsv, .jsonl or .parquet) instead of stdout.
        beam: Beam width, for a model that writes sequences. Default: that of the run.
        device: cpu, cuda, or auto: a GPU if there is one. Default: auto.
    """
    told = told or Told()
    form = format_of(out or file, sys.stdin.buffer if file == "-" and out is None else None)
    if out is None and form == "parquet" and not told.json:
        raise UsageError(f"the predictions for {file} would be binary output: give --out FILE ({', '.join(FORMATS)})")
    from unrolled import api

    with Progress(quiet=told.quiet):
        trained = api.load(run)
        table = trained.predict(file, beam=beam, device=device)
    if form in ("csv", "tsv") and trained.task.coder.horizon and not told.json:
        table = by_step(table, trained.config.columns)
    elif form in ("csv", "tsv") and file.lower().endswith((".csv", ".tsv")):
        table = as_written(table, file, trained.config.data.text_encoding)
    if out is not None:
        write_table(table, form, Path(out))
    else:
        write_table(table, "json" if told.json else form, sys.stdout.buffer)
