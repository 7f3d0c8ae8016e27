"""``unrolled predict``: answer each row of a file."""

from __future__ import annotations

import sys
from pathlib import Path

from unrolled.cli.output import Told
from unrolled.cli.progress import Progress
from unrolled.cli.tables import FORMATS, as_written, by_step, format_of, write_table
from unrolled.errors import UsageError

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
    """Answer each row of a file: its columns, then `<target>_predicted` and what is known of it, as CSV for CSV.

    In CSV a forecast is a row for each series and step ahead.

    Args:
        run: The run directory that fit wrote.
        file: The rows to answer; the target may be absent; - for stdin.
        out: Write to this file (csv, jsonl or parquet by its name) instead of stdout.
        beam: Width of the search, where a sequence is written. Default: that of training.
        device: Where it runs: cpu, cuda, or auto, a GPU if there is one. Default: auto.
    """
    told = told or Told()
    form = format_of(out or file, sys.stdin.buffer if file == "-" and out is None else None)
    if out is None and form == "parquet" and not told.json:
        raise UsageError(f"the answers to {file} are as binary as it is: give --out FILE ({', '.join(FORMATS)})")
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
