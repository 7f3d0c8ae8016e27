"""``unrolled evaluate``: evaluate a trained model on a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.cli.details import details
from unrolled.cli.output import Told, emit, listed, note
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress

if TYPE_CHECKING:
    from unrolled.api import Trained

__all__ = ["evaluate"]


def evaluate(
    run: str,
    file: str | None = None,
    /,
    *,
    beam: int | None = None,
    worst: int = 0,
    group: str | None = None,
    tunes: int | None = None,
    origins: int | None = None,
    shard: str | None = None,
    out: str | None = None,
    merge: str | None = None,
    device: str = "auto",
    told: Told | None = None,
) -> None:
    """Evaluate a trained model on a file with the target: as a whole, and where it errs.

    Below the metrics and their 95 % intervals stand, where they apply, each label's precision and recall, the labels
    that are confused, how sure the model is, and its metrics by length and by step ahead.

    Args:
        run: The run directory that fit wrote.
        file: Data with the columns of the training data, including the target; - for stdin.
        beam: Beam width, for a model that writes sequences. Default: that of the run.
        worst: List this many of the worst examples.
        group: Column for whose values the metrics are shown too.
        tunes: Let a model of music write this many tunes, and report how many are valid, in metre and new.
        origins: Forecast from each of this many last steps of every sequence, and show metrics for each step ahead.
        shard: i/n: only evaluate the files of process i, from 0, of n, and write the sums of the metrics to --out.
        out: The folder that all shards write to.
        merge: Instead of FILE: the folder to which all shards wrote. Print the metrics on all files together.
        device: cpu, cuda, or auto: a GPU if there is one. Default: auto.
    """
    told = told or Told()
    if (file is None) == (merge is None):
        raise UsageError("give the FILE to evaluate on, or --merge FOLDER, to which shards wrote their sums")
    if (shard is None) != (out is None):
        raise UsageError("--shard i/n and --out FOLDER only work together")
    from unrolled import api
    from unrolled.metrics.metric import in_order
    from unrolled.metrics.scoring import signatures

    trained = api.load(run)
    if file is None or shard is not None:
        _shared(trained, run, (file, shard, out, merge), told, beam=beam, device=device)
        return
    if origins is not None:
        with Progress(quiet=told.quiet):
            tested = trained.backtest(file, origins, device=device)
        if told.json:
            emit({"run": run, "file": file, **tested._asdict()})
            return
        rows = {f"{h} ahead": values for h, values in enumerate(tested.by_step, 1)}
        rows |= {f"origin {k}": values for k, values in enumerate(tested.by_origin, 1)}
        print(listed(tested.metrics, rows, own=f"last {origins} origins"))
        return
    with Progress(quiet=told.quiet):
        found = trained.examine(file, worst=worst, group=group, beam=beam, device=device)
        metrics = found.metrics
        if tunes is not None:
            metrics |= api.judge_tunes(trained, tunes)
    if told.json:
        said = {"metrics": metrics, "signatures": signatures(metrics), "details": found.to_json()}
        emit({"run": run, "file": file, **said})
        return
    then = {f"{split} split, after training": values for split, values in trained.metrics.items()}
    if Path(file).absolute() == Path(str(trained.config.files.get("training", {}).get("path", ""))).absolute():
        note(
            "note: the model was trained on this file, so these metrics are better than on new data",
            quiet=told.quiet,
        )
    ends = {"95 % from": 0, "to": 1}
    rows = {name: {measure: pair[end] for measure, pair in found.intervals.items()} for name, end in ends.items()}
    print(listed(in_order(metrics), rows | then, own="this file"))
    if below := details(found):
        print(f"\n{below}")
    if found.examined < found.units:
        note(
            f"note: intervals and parts are of {found.examined} of {found.units} sequences or stretches",
            quiet=told.quiet,
        )


def _shared(
    trained: Trained, run: str, asked: tuple[str | None, str | None, str | None, str | None], told: Told, **options: Any
) -> None:
    """Write the sums of a shard, or print the metrics of all."""
    from unrolled.metrics.metric import in_order
    from unrolled.runs.merged import merge_sums, write_sums
    from unrolled.runs.shards import Shard

    file, shard, out, merge = asked
    if file is None:
        metrics = merge_sums(trained, Path(str(merge)))
        if told.json:
            emit({"run": run, "merged": merge, "metrics": metrics})
        else:
            print(listed(in_order(metrics), {}, own="all files"))
        return
    with Progress(quiet=told.quiet):
        path = write_sums(trained, file, Path(str(out)), Shard.parse(str(shard)), **options)
    if told.json:
        emit({"run": run, "file": file, "written": str(path)})
    else:
        note(f"sums written to {path}", quiet=told.quiet)
