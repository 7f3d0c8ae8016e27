"""``unrolled fit``: train a model on a file of sequences."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from unrolled.cli.flags import Flags, RunFlags, options_of, settings_of
from unrolled.cli.output import Told, comparison, emit, note, verdict
from unrolled.cli.settings import read_settings
from unrolled.errors import UsageError

if TYPE_CHECKING:
    from unrolled.api import Trained

__all__ = ["fit", "report", "what_next"]

_BUDGETS = {"steps", "epochs", "minutes"}


def fit(
    source: str | None = None,
    /,
    *,
    options: Flags | None = None,
    run: RunFlags | None = None,
    told: Told | None = None,
) -> None:
    """Train a model on a file of sequences; kinds and task are inferred and shown, and options override them.

    Most calls need few options:

        unrolled fit reviews.csv --target sentiment
        unrolled fit load.csv --horizon 24 --out runs/load
        unrolled fit clicks.csv --by user --order time --minutes 5
        unrolled fit story.txt --model gru --hidden 256
        torchrun --standalone --nproc-per-node 4 -m unrolled fit clicks.csv --out runs/clicks --go-on

    With torchrun, several processes train one model. A batch is shared by all of them, so --batch counts the rows of
    all, and the result does not depend on how many there are.

    Args:
        source: A file (csv, tsv, jsonl, parquet, arrow, txt, abc), a folder, 'a/pattern-*.csv', or - for stdin; with
            --resume, the run.
    """
    run, told = run or RunFlags(), told or Told()
    asked = options_of(options or Flags())
    written = read_settings(run.config) if run.config else {}
    own, settings = settings_of({name: value for name, value in written.items() if value is not None})
    if asked.keys() & _BUDGETS:  # a budget on the command line replaces the one in the file
        settings = {name: value for name, value in settings.items() if name not in _BUDGETS}
    out, resume = run.out or own.get("out"), run.resume or bool(own.get("resume"))
    if resume and out is None:
        source, out = None, source
    if source is None and not resume:
        raise UsageError("fit needs a file to train on: unrolled fit FILE; see: unrolled fit --help")
    from unrolled import api

    trained = api.fit(
        source,
        out=out,
        resume=resume,
        go_on=run.go_on or bool(own.get("go_on")),
        overwrite=run.overwrite or bool(own.get("overwrite")),
        cache=run.cache or own.get("cache"),
        tensorboard=run.tensorboard or bool(own.get("tensorboard")),
        report=True,
        quiet=told.quiet,
        **{**settings, **asked},
    )
    if not api.leads():
        return
    report(trained, as_json=told.json)
    note(what_next(trained), quiet=told.quiet or told.json)


def report(trained: Trained, *, as_json: bool) -> None:
    """Print the metrics of the trained model beside those of the baselines."""
    if as_json:
        emit(
            {
                "run": str(trained.folder),
                "task": trained.task.name,
                "model": trained.network.title,
                "metrics": trained.metrics,
                "baselines": trained.baselines,
                "findings": trained.findings.to_json(),
            }
        )
        return
    for split, metrics in trained.metrics.items():
        baselines = trained.baselines.get(split, {})
        print(f"\n{trained.folder}, {split}:\n")
        print(comparison(metrics, baselines))
        sentences = verdict(trained, split)
        print(f"\n{sentences}" if sentences else "")


def what_next(trained: Trained) -> str:
    """The commands that a user may want to type now."""
    run = shlex.quote(str(trained.folder))
    data, source = trained.config.data, trained.config.source
    files = {str(file["path"]) for file in trained.config.files.values()}
    held = next((str(file) for file in (data.test, data.valid, source) if str(file) in files), "")
    held = shlex.quote(held) if held else "FILE"
    lines = [f"unrolled describe {run}", f"unrolled evaluate {run} {held}"]
    if trained.continues_text:
        lines.append(f"unrolled generate {run} --length 300 --temperature 0.8")
    elif ahead := trained.task.coder.ahead:
        steps, columns = trained.task.coder.horizon, ", ".join(ahead)
        lines.append(f"unrolled predict {run} FILE > answers.csv  # a FILE with {steps} further rows of {columns}")
    else:
        lines.append(f"unrolled predict {run} {held} > answers.csv")
    if trained.task.pretrains:
        lines.append(f"unrolled fit FILE --target COLUMN --init-from {run}")
    stepwise = trained.task.coder.horizon or data.order
    if stepwise and not data.by and source.endswith((".csv", ".jsonl")) and _can_stream(trained):
        lines.append(f"tail -f {shlex.quote(source)} | unrolled stream {run}")
    return "\nNext:\n" + "\n".join(f"  {line}" for line in lines)


def _can_stream(trained: Trained) -> bool:
    try:
        trained.stream()
    except UsageError:
        return False
    return True
