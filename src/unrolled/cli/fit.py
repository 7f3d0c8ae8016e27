"""``unrolled fit``: train a model on a file of sequences."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from unrolled.cli.flags import DataFlags, ModelFlags, RunFlags, TaskFlags, TrainingFlags, options_of, settings_of
from unrolled.cli.output import Told, comparison, emit, note, verdict
from unrolled.cli.progress import Progress
from unrolled.cli.settings import read_settings
from unrolled.errors import UsageError

if TYPE_CHECKING:
    from unrolled.api import Trained

__all__ = ["fit", "report", "what_next"]


def fit(
    source: str | None = None,
    /,
    *,
    data: DataFlags | None = None,
    task: TaskFlags | None = None,
    model: ModelFlags | None = None,
    training: TrainingFlags | None = None,
    run: RunFlags | None = None,
    told: Told | None = None,
) -> None:
    """Train a model on a file of sequences; kinds and task are inferred, said, and can be overruled.

    Args:
        source: A file (csv, tsv, jsonl, parquet, arrow, txt, abc), a folder, or - for stdin; with --resume, the run.
    """
    run, told = run or RunFlags(), told or Told()
    options = options_of(data or DataFlags(), task or TaskFlags(), model or ModelFlags(), training or TrainingFlags())
    written = read_settings(run.config) if run.config else {}
    own, settings = settings_of({name: value for name, value in written.items() if value is not None})
    _refuse_two_budgets(options)
    _refuse_two_budgets(settings)
    if options.keys() & _BUDGETS:  # a budget in a flag takes the place of the file's
        settings = {name: value for name, value in settings.items() if name not in _BUDGETS}
    out, resume = run.out or own.get("out"), run.resume or bool(own.get("resume"))
    if resume and out is None:
        source, out = None, source
    if source is None and not resume:
        raise UsageError("fit needs a file to learn from: unrolled fit FILE; see: unrolled fit --help")
    from unrolled import api

    with Progress(quiet=told.quiet) as progress:
        trained = api.fit(
            source,
            out=out,
            resume=resume,
            overwrite=run.overwrite or bool(own.get("overwrite")),
            tensorboard=run.tensorboard or bool(own.get("tensorboard")),
            hooks=(progress.hook,),
            say=progress.say,
            **{**settings, **options},
        )
    report(trained, as_json=told.json)
    note(what_next(trained), quiet=told.quiet or told.json)


_BUDGETS = {"steps", "epochs", "minutes"}


def _refuse_two_budgets(options: dict[str, Any]) -> None:
    budgets = sorted(options.keys() & _BUDGETS)
    if len(budgets) > 1:
        raise UsageError(f"give one budget, not {' and '.join(f'--{name}' for name in budgets)}")


def report(trained: Trained, *, as_json: bool) -> None:
    """Print what training reached, beside the baselines."""
    if as_json:
        emit(
            {
                "run": str(trained.folder),
                "task": trained.config.task.name,
                "model": trained.network.title,
                "metrics": trained.metrics,
                "baselines": trained.baselines,
            }
        )
        return
    for split, metrics in trained.metrics.items():
        baselines = trained.baselines.get(split, {})
        print(f"\n{trained.folder}, {split}:\n")
        print(comparison(metrics, baselines))
        sentence = verdict(metrics, baselines)
        print(f"\n{sentence}" if sentence else "")


def what_next(trained: Trained) -> str:
    """The commands that a user may want to type now."""
    run = shlex.quote(str(trained.folder))
    data = trained.config.data
    files = {str(file["path"]) for file in trained.config.files.values()}
    held = next((str(file) for file in (data.test, data.valid, data.source) if str(file) in files), "")
    held = shlex.quote(held) if held else "FILE"
    lines = [f"unrolled describe {run}", f"unrolled evaluate {run} {held}"]
    if trained.continues_text:
        lines.append(f"unrolled generate {run} --length 300 --temperature 0.8")
    else:
        lines.append(f"unrolled predict {run} {held} > answers.csv")
    if trained.task.name == "fill":
        lines.append(f"unrolled fit FILE --target COLUMN --from {run}")
    stepwise = trained.task.name == "forecast" or data.order
    if trained.network.causal and stepwise and not data.by and data.source.endswith((".csv", ".jsonl")):
        lines.append(f"tail -f {shlex.quote(data.source)} | unrolled stream {run}")
    return "\nNext:\n" + "\n".join(f"  {line}" for line in lines)
