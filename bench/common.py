"""What the scripts of this folder share: data, `unrolled fit` as a user runs it, one record a run, one table row.

A run is a subprocess with the flags of a user; its command is printed, and its figures are read from the
``results.json`` that it leaves in its run directory. Commands run inside ``bench/work/<table>`` (ignored by git), so
the paths in them are relative.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import machine

__all__ = [
    "DATA",
    "FEW",
    "ROOT",
    "WORK",
    "Options",
    "Run",
    "arguments",
    "data",
    "fit",
    "header",
    "record",
    "row",
    "run_folder",
    "spread",
    "unrolled",
    "work",
    "write_splits",
]

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("UNROLLED_DATA") or ROOT.parent / "shared" / "data")
WORK = ROOT / "bench" / "work"
RESULTS = ROOT / "bench" / "results"

FEW = 100  # rows of validation and test in a quick look

_BUDGETS = ("--minutes", "--epochs", "--steps")


@dataclass(frozen=True, slots=True)
class Options:
    """What every script takes: see `arguments`."""

    quick: bool
    tune: bool
    resume: bool
    seeds: list[int]
    variants: dict[str, list[str]]
    extra: argparse.Namespace


@dataclass(frozen=True, slots=True)
class Run:
    """One `unrolled fit`, as it stands in ``bench/results/<table>.jsonl``.

    ``seconds`` is the whole command (of one that was resumed, its loop at least), ``training_seconds`` the loop alone
    with its validations; ``gflops`` is the machine's matrix product just before, and ``split`` what the table shows.
    """

    table: str
    variant: str
    seed: int
    command: str
    seconds: float
    training_seconds: float
    steps: int
    weights: int
    metrics: dict[str, dict[str, float]]
    baselines: dict[str, dict[str, dict[str, float]]]
    machine: str
    gflops: float | None
    date: str
    split: str

    def value(self, metric: str) -> float:
        """The metric on the split that is shown."""
        return self.metrics[self.split][metric]


def arguments(
    doc: str | None, variants: dict[str, list[str]], also: Iterable[tuple[str, type, object, str]] = ()
) -> Options:
    """The command line of a table's script; ``also`` adds (flag, type, default, help)."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 steps of each run, to see that it works; not recorded")
    parser.add_argument("--tune", action="store_true", help="show the validation split's figures instead; not recorded")
    parser.add_argument("--resume", action="store_true", help="go on with runs that were stopped; keep finished ones")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", choices=list(variants), help="these variants alone")
    for flag, kind, default, text in also:
        parser.add_argument(flag, type=kind, default=default, help=f"{text} (default {default})")
    found = parser.parse_args()
    chosen = {name: flags for name, flags in variants.items() if name in (found.only or variants)}
    seeds = found.seeds[:1] if found.quick else found.seeds
    return Options(found.quick, found.tune, found.resume, seeds, chosen, found)


def data(*parts: str) -> Path:
    """A file of `DATA`; the script ends with a sentence if it is not there."""
    path = DATA.joinpath(*parts)
    if not path.is_file():
        sys.exit(f"{'/'.join(parts)} is not there: set UNROLLED_DATA to the folder that holds it")
    return path


def work(table: str) -> Path:
    """The folder in which a table's files lie and its commands run."""
    folder = WORK / table
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_splits(folder: Path, splits: dict[str, list[dict[str, object]]], options: Options) -> dict[str, str]:
    """Each split as JSON Lines; its file's name by its own. ``--quick`` cuts all but ``train`` to `FEW` rows.

    A file that holds the same already is left alone: a run that was stopped wants its data as it was.
    """
    files = {}
    for split, rows in splits.items():
        cut = options.quick and split != "train"
        files[split] = f"quick-{split}.jsonl" if cut else f"{split}.jsonl"
        kept = rows[:FEW] if cut else rows
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept).encode()
        path = folder / files[split]
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    return files


def unrolled() -> tuple[list[str], dict[str, str]]:
    """How to start the `unrolled` command of this Python, and its environment."""
    installed = shutil.which("unrolled", path=str(Path(sys.executable).parent))
    if installed:
        return [installed], dict(os.environ)
    start = "from unrolled.cli.main import main; raise SystemExit(main())"
    return [sys.executable, "-c", start], {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def fit(
    table: str,
    variant: str,
    source: str,
    flags: Sequence[str],
    seed: int,
    options: Options,
    part: str = "",
    *,
    recorded: bool = True,
    patient: bool = True,
    limit: float | None = None,
) -> Run:
    """Run `unrolled fit source flags` in the table's folder, and record what it reached.

    Args:
        part: tells apart the runs of one variant and seed, such as the folds.
        recorded: whether the run is a line of the table's records.
        patient: whether a run by the clock waits until the machine is as fast as usual.
        limit: seconds after which the command is stopped and the script ends.
    """
    place = work(table)
    # A quick look never takes the folder of a run that may be gone on with.
    words = ("quick" if options.quick else "", variant, f"seed-{seed}", part)
    out = "runs/" + "-".join(re.sub(r"\W+", "-", word) for word in words if word)
    begun = options.resume and not options.quick and (place / out / "config.json").is_file()
    arguments = ["fit", source, *(_few_steps(flags) if options.quick else flags), "--seed", str(seed), "--out", out]
    arguments += ["--resume" if begun else "--overwrite", "--quiet"]
    command = shlex.join(["unrolled", *arguments])
    clocked = patient and "--minutes" in flags and not options.quick  # other budgets reach the same at any speed
    speed = machine.wait_until_healthy() if clocked else None
    print(f"$ {command}", file=sys.stderr, flush=True)
    program, environment = unrolled()
    started = time.perf_counter()
    try:
        done = subprocess.run(
            [*program, *arguments],
            cwd=place,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"more than {limit:.0f} seconds for: {command}")
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"exit code {done.returncode} from: {command}")
    results = json.loads((place / out / "results.json").read_text("utf-8"))
    last = _last_event(place / out / "metrics.jsonl")
    run = Run(
        table,
        variant,
        seed,
        command,
        round(max(seconds, last["seconds"]), 1),
        last["seconds"],
        int(last["step"]),
        _weights(place / out / "model.safetensors"),
        results["metrics"],
        results["baselines"],
        machine.line(),
        speed,
        machine.today(),
        "valid" if options.tune else "test",
    )
    if recorded and not (options.quick or options.tune or (begun and _is_recorded(run))):
        record(table, asdict(run))
    return run


def record(table: str, values: dict[str, object]) -> None:
    """Append one JSON line to ``bench/results/<table>.jsonl``."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{table}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def header(metrics: Sequence[str]) -> None:
    """Print the machine and the head of the table."""
    print(f"\n{machine.line()}\n")
    print(f"| run | {' | '.join(metrics)} | seeds | best baseline | weights | seconds | command |")
    print("|---" * (len(metrics) + 6) + "|", flush=True)


def row(variant: str, runs: Sequence[Run], metrics: Sequence[str], values: Sequence[float] | None = None) -> None:
    """Print a variant as a row of a Markdown table: mean ± sample deviation over its runs.

    Args:
        values: of the first metric, where a run is only a part of a value (a fold of a seed).
    """
    cells = [spread(values if values and i == 0 else [run.value(m) for run in runs]) for i, m in enumerate(metrics)]
    seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in runs}))
    seconds = statistics.mean(run.seconds for run in runs)
    weights = max(run.weights for run in runs)
    print(
        f"| {variant} | {' | '.join(cells)} | {seeds} | {_best_baseline(runs, metrics[0])} | {weights:,} "
        f"| {seconds:.0f} | `{runs[0].command}` |",
        flush=True,
    )


def spread(values: Sequence[float]) -> str:
    """``1.512 ± 0.004``."""
    deviation = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4g}{deviation}"


def run_folder(command: str) -> str:
    """The ``--out`` of a command."""
    words = shlex.split(command)
    return words[words.index("--out") + 1]


def _is_recorded(run: Run) -> bool:
    """Whether the line of a finished run that was resumed is there already: no two runs take as long to the ms."""
    path = RESULTS / f"{run.table}.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    own = (run.variant, run.seed, run.steps, run.training_seconds)
    return own in [tuple(row.get(name) for name in ("variant", "seed", "steps", "training_seconds")) for row in rows]


def _few_steps(flags: Sequence[str]) -> list[str]:
    kept, rest = [], iter(flags)
    for flag in rest:
        if flag in _BUDGETS:
            next(rest)
        else:
            kept.append(flag)
    return [*kept, "--steps", "20"]


def _last_event(path: Path) -> dict[str, float]:
    """The last event of the loop: those alone have seconds."""
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return next(event for event in reversed(events) if "seconds" in event)


def _weights(path: Path) -> int:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        tensors = json.loads(file.read(size))
    return sum(math.prod(tensor["shape"]) for name, tensor in tensors.items() if name != "__metadata__")


def _best_baseline(runs: Sequence[Run], metric: str) -> str:
    from unrolled.metrics.metric import cost  # not for scripts that measure a process without torch

    names = [name for name, found in runs[0].baselines.get(runs[0].split, {}).items() if metric in found]
    values = {name: statistics.mean(run.baselines[run.split][name][metric] for run in runs) for name in names}
    if not values:
        return "–"
    best = min(values, key=lambda name: cost(metric, values[name]))
    return f"{best} {values[best]:.4g}"
