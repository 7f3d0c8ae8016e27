"""``unrolled predict``: predict the target of each row of a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.cli.output import Told, note
from unrolled.cli.tables import FORMATS, format_of, write_table
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from unrolled.api import Trained

__all__ = ["predict"]

_MOST_DIGITS = 17


def predict(
    run: str,
    file: str,
    /,
    *,
    out: str | None = None,
    beam: int | None = None,
    fitted: bool = False,
    digits: int = 4,
    plot: str | None = None,
    truth: str | None = None,
    device: str = "auto",
    told: Told | None = None,
) -> None:
    """Predict the target of each row of a file.

    The output has the columns of the file, `<target>_predicted` and, for some tasks, columns such as probabilities or
    quantiles. Its format is that of the input. In CSV a forecast has one line for each series and step ahead with its
    time and the last observed value, tags one for each step, and next events one for each of the likeliest ones.

    Args:
        run: The run directory that fit wrote.
        file: The data; the target may be absent; - for stdin.
        out: Write to this file (.csv, .tsv, .jsonl, .parquet or, for tags, .conll) instead of stdout.
        beam: Beam width, for a model that writes sequences. Default: that of the run.
        fitted: For a forecast, also say for each past step what is forecast from the steps before it.
        digits: Significant digits of the predicted numbers in CSV; other formats have them all. Default: 4.
        plot: Also draw the first predictions to this file: .svg, .png or .html. Forecasts, tags, ranks and labels only.
        truth: The data again with what came later, which --plot draws beside a forecast.
        device: cpu, cuda, or auto: a GPU if there is one. Default: auto.
    """
    told = told or Told()
    form = format_of(out or file, sys.stdin.buffer if file == "-" and out is None else None)
    if out is None and form == "parquet" and not told.json:
        raise UsageError(f"the predictions for {file} would be binary output: give --out FILE ({', '.join(FORMATS)})")
    if not 1 <= digits <= _MOST_DIGITS:
        raise UsageError(f"--digits must be from 1 to {_MOST_DIGITS}, got {digits}")
    if truth is not None and plot is None:
        raise UsageError("--truth is what --plot draws beside a forecast: give --plot FILE too, or leave it out")
    from unrolled import api
    from unrolled.page.saved import check_picture, save_picture
    from unrolled.runs.pictured import check_pictured, pictured, with_what_came

    if plot is not None:
        check_picture(Path(plot))
    with Progress(quiet=told.quiet):
        trained = api.load(run)
        layout = trained.task.layout
        if plot is not None:
            check_pictured(trained.task)
        if form == "conll" and layout != "steps":
            if out is not None:
                raise UsageError(f"--out {out} is for tags; this model's task is {trained.task.name!r}: write a .csv")
            form = "csv"
        table = trained.predict(file, beam=beam, fitted=fitted, device=device)
    if plot is not None:
        task, by = trained.task, trained.config.data.by
        drawn = table if truth is None else with_what_came(task, table, trained.read(truth), by)
        save_picture(Path(plot), pictured(task, drawn, by), f"Predictions of {run}")
        note(f"picture: {plot}", quiet=told.quiet)
    if form in ("csv", "tsv") and not told.json:
        table = _lines(table, trained, file, digits)
    if out is None:
        write_table(table, "json" if told.json else form, sys.stdout.buffer)
        return
    write_table(table, form, Path(out))
    note(f"{table.num_rows:,} rows written to {out}", quiet=told.quiet)


def _lines(table: pa.Table, trained: Trained, file: str, digits: int) -> pa.Table:
    """The table with a line for each answer, its numbers rounded."""
    from unrolled.runs.as_written import as_written
    from unrolled.runs.layouts import LAYOUTS, by_channel, data_of, rounded

    data = data_of(table)
    table = rounded(table.combine_chunks(), {*table.column_names} - {*data}, digits)
    if trained.task.layout in LAYOUTS:
        return LAYOUTS[trained.task.layout](table, data)
    coder, config = trained.task.coder, trained.config.data
    table = by_channel(table, data, coder.target, coder.joined or (coder.target,))
    if config.by or config.order:  # what was read for each step has no place in a line for all of them
        import pyarrow as pa

        return table.drop_columns([name for name in data if pa.types.is_nested(table.field(name).type)])
    if file.lower().endswith((".csv", ".tsv")):
        return as_written(table, Path(file), config)
    return table
