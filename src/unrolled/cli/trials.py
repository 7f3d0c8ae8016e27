"""``unrolled trials``: a run for each combination of options, trained by any number of workers."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from cyclopts import Parameter

from unrolled.cli.flags import Flags, options_of
from unrolled.cli.output import Told, emit, listed, note
from unrolled.cli.settings import split_list, split_pairs
from unrolled.errors import TrainingError

__all__ = ["trials"]


def trials(
    source: str,
    /,
    *,
    tried: Annotated[tuple[str, ...], Parameter(name="--tried")],
    out: str,
    cache: str | None = None,
    options: Flags | None = None,
    told: Told | None = None,
) -> None:
    """Train a model for each combination of options, each in a run directory of the folder --out.

        unrolled trials reviews.csv --target sentiment --tried model=lstm,gru --tried seed=0,1,2 --out runs/search

    Start the same command as often as there are cores or machines to use: each worker trains what no other does,
    resumes what a dead one left, and prints the table when all trials have ended.

    Args:
        source: A file (csv, tsv, jsonl, parquet, arrow, txt, abc) or a folder.
        tried: An option and the values to try, such as lr=0.001,0.01; may be repeated.
        out: The folder of the trials, which all workers share.
        cache: A folder to keep the prepared data in. Default: .prepared in --out, which all trials share.
    """
    told = told or Told()
    from unrolled import api
    from unrolled.metrics.metric import best_first, in_order

    values = {
        name: _values(text) for name, text in split_pairs(tried, "--tried", "option=value, such as seed=0,1,2").items()
    }
    asked = options_of(options or Flags())
    found = api.trials(source, values, out=out, cache=cache, quiet=told.quiet, **asked)
    for name, reason in found.failed.items():
        note(f"failed: {name}: {reason}", quiet=told.quiet)
    if not found.trained:
        raise TrainingError("all trials have failed: try a lower --lr")
    some = next(iter(found.trained.values()))
    split = "test" if "test" in some.metrics else "valid"
    metrics = {name: one.metrics.get(split, {}) for name, one in found.trained.items()}
    ordered = best_first(metrics, some.task.chooses)
    best = next(iter(ordered))
    if told.json:
        emit({"out": out, "split": split, "best": best, "trials": metrics, "failed": found.failed})
        return
    print(f"\n{out}, {split}:\n")
    print(listed(in_order(ordered.pop(best)), ordered, best))
    runs = " ".join(shlex.quote(str(one.folder)) for one in found.trained.values())
    note(f"\nNext:\n  unrolled compare {runs}", quiet=told.quiet or len(metrics) < 2)


def _values(text: str) -> list[Any]:
    """``1,2.5,lstm`` as numbers and names, as a file of options would have them."""
    import yaml

    return [yaml.safe_load(part) for part in split_list(text)]
