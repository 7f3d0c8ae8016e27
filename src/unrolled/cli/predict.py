"""``unrolled predict``: predict the target of each row of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.output import Told, emit, note
from unrolled.cli.tables import FORMATS, format_of, write_tables
from unrolled.errors import UsageError, counted
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
    shard: str | None = None,
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
        out: Write to this file (.csv, .tsv, .jsonl, .parquet or, for tags, .conll) instead of stdout; or to a folder: a
            part-NAME.parquet for each file, written whole or not at all. Parts that are there already are kept.
        beam: Beam width, for a model that writes sequences. Default: that of the run.
        fitted: For a forecast, also say for each past step what is forecast from the steps before it.
        digits: Significant digits of the predicted numbers in CSV; other formats have them all. Default: 4.
        plot: Also draw the first predictions to this file: .svg, .png or .html. Forecasts, tags, ranks and labels only.
        truth: The data again with what came later, which --plot draws beside a forecast.
        shard: i/n: only the files of process i, from 0, of n, which write to the same folder --out.
        device: cpu, cuda, or auto: a GPU if there is one. Default: auto.
    """
    told = told or Told()
    if out is not None and (Path(out).is_dir() or not Path(out).suffix):
        _parts(run, file, out, shard, told, beam=beam, fitted=fitted, device=device)
        return
    if shard is not None:
        raise UsageError(f"--shard writes a part for each of its files: give a folder as --out, not {out}")
    form = format_of(out or file, sys.stdin.buffer if file == "-" and out is None else None)
    if out is None and form == "parquet" and not told.json:
        raise UsageError(f"the predictions for {file} would be binary output: give --out FILE ({', '.join(FORMATS)})")
    if not 1 <= digits <= _MOST_DIGITS:
        raise UsageError(f"--digits must be from 1 to {_MOST_DIGITS}, got {digits}")
    if truth is not None and plot is None:
        raise UsageError("--truth is what --plot draws beside a forecast: give --plot FILE too, or leave it out")
    from unrolled import api
    from unrolled.runs.streamed import predicted

    with Progress(quiet=told.quiet):
        trained = api.load(run)
        if form == "conll" and trained.task.layout != "steps":
            if out is not None:
                raise UsageError(f"--out {out} is for tags; this model's task is {trained.task.name!r}: write a .csv")
            form = "csv"
        tables = predicted(trained, file, beam=beam, fitted=fitted, device=device)
        if plot is not None:
            tables = _plotted(tables, trained, run, plot, truth)
        if form in ("csv", "tsv") and not told.json:
            tables = _lines(tables, trained, file, digits)
        rows = write_tables(tables, "json" if told.json else form, sys.stdout.buffer if out is None else Path(out))
    if plot is not None:
        note(f"picture: {plot}", quiet=told.quiet)
    if out is not None:
        note(f"{rows:,} rows written to {out}", quiet=told.quiet)


def _parts(run: str, source: str, out: str, shard: str | None, told: Told, **options: Any) -> None:
    if source == "-":
        raise UsageError(f"--out {out} is a folder, for a part for each file: give a file or a folder, not -")
    from unrolled import api
    from unrolled.runs.parts import predict_parts
    from unrolled.runs.shards import Shard

    mine = Shard.parse(shard or "0/1")
    with Progress(quiet=told.quiet):
        done = predict_parts(api.load(run), source, Path(out), mine, **options)
    if told.json:
        emit({"run": run, "out": out, "rows": done.rows, "written": done.written, "kept": done.kept})
        return
    kept = f"; {counted(done.kept, 'part was', 'parts were')} there already" if done.kept else ""
    note(f"{done.rows:,} rows in {counted(done.written, 'part')} written to {out}{kept}", quiet=told.quiet)


def _plotted(
    tables: Iterator[pa.Table], trained: Trained, run: str, plot: str, truth: str | None
) -> Iterator[pa.Table]:
    """The table, after its first predictions are drawn."""
    import pyarrow as pa

    from unrolled.page.saved import check_picture, save_picture
    from unrolled.runs.pictured import check_pictured, pictured, with_what_came

    check_picture(Path(plot))
    check_pictured(trained.task)
    table, by = pa.concat_tables(tables), trained.config.data.by
    drawn = table if truth is None else with_what_came(trained.task, table, trained.read(truth), by)
    save_picture(Path(plot), pictured(trained.task, drawn, by), f"Predictions of {run}")
    yield table


def _lines(tables: Iterator[pa.Table], trained: Trained, file: str, digits: int) -> Iterator[pa.Table]:
    """The tables with a line for each answer, their numbers rounded, and other cells as they are in the file."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from unrolled.runs.as_written import AsWritten
    from unrolled.runs.layouts import LAYOUTS, by_channel, data_of, rounded

    coder, config, before = trained.task.coder, trained.config.data, 0
    cells = AsWritten(file, config) if file.lower().endswith((".csv", ".tsv")) else None
    for whole in tables:
        data = data_of(whole)
        table = rounded(whole.combine_chunks(), {*whole.column_names} - {*data}, digits)
        if trained.task.layout in LAYOUTS:
            table = LAYOUTS[trained.task.layout](table, data)
            if before and "row" in {*table.column_names} - {*data}:  # it numbers the rows of the whole file
                table = table.set_column(0, "row", pc.add(table.column("row"), before))
        else:
            table = by_channel(table, data, coder.target, coder.joined or (coder.target,))
            if config.by or config.order:  # what was read for each step has no place in a line for all of them
                table = table.drop_columns([name for name in data if pa.types.is_nested(table.field(name).type)])
            elif cells is not None:
                table = cells.beside(table)
        yield table
        before += whole.num_rows
