"""The plain call beside what a user would pick instead: one command for each file, nothing said but the target.

Each row is one file (see `plain_rows.py`): `unrolled fit FILE` with the target, the split, and what only a user can
know, ``--minutes`` of training (three or six times as many where the row says so), three seeds or the folds that the
table has. On the same split stand scikit-learn, fastText, CRFsuite, aeon, hmmlearn and statsforecast, called as their
guides call them, each in an environment of its own (`peers/plain_*.py`; `work/peers/` on first use), and the baselines
that the run itself has measured, such as a 5-gram.

Peers give the same answers at every call, so they are asked once: ``results/plain_peers.jsonl`` keeps their figures
with their versions, and ``--peers`` asks again. A row appends one line to ``results/plain.jsonl``; ``--table`` prints
the table from the last line of each row, and `plot_plain.py` draws it. Rows run one after another. ``--check`` runs the
first part of each row without recording it, to see that every command works:

    python bench/plain.py --only tweets,etth1 --minutes 0.3 --check
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import traceback
from pathlib import Path
from typing import Any

import common
import machine
import plain_judges as judges
from peers import environment
from plain_rows import ROWS, Part, Row

from unrolled.metrics.metric import cost

__all__ = ["last_lines", "peers_of"]

PEERS = "plain_peers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--only", default="", help=f"rows, separated by commas: {','.join(ROWS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", type=int, default=99, help="at most so many folds, speakers or series")
    parser.add_argument("--check", action="store_true", help="the first part of each row; nothing is recorded")
    parser.add_argument("--peers", action="store_true", help="ask the peers again, even those whose figures are kept")
    parser.add_argument("--peers-only", action="store_true", help="train nothing")
    parser.add_argument("--table", action="store_true", help="print the table of what was measured, and stop")
    asked = parser.parse_args()
    names = [name for name in asked.only.split(",") if name] or list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"no row is called {unknown[0]}: choose from {','.join(ROWS)}")
    for name in [] if asked.table else names:
        try:
            measure(name, ROWS[name], asked)
        except (SystemExit, Exception) as error:  # a row that fails must not cost the others
            traceback.print_exc()
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
    if not asked.check:
        table(names)


def measure(name: str, row: Row, asked: argparse.Namespace) -> None:
    """All parts of a row and its peers; one line, unless it is a check."""
    folder = common.work(f"plain/{name}")
    parts = row.write(folder, asked.seeds, asked.folds)
    parts = parts[:1] if asked.check else parts
    ask_peers(name, row, parts, folder, asked)
    if asked.peers_only:
        return
    options = common.Options(False, False, False, asked.seeds, {}, asked)
    runs, found = [], []
    for part in parts:
        flags = [*part.flags, "--minutes", f"{asked.minutes * row.minutes:g}"]
        run = common.fit(
            f"plain/{name}",
            "plain",
            part.source,
            flags,
            part.seed,
            options,
            part.name.replace("seed ", "seed-"),
            recorded=False,
            patient=not asked.check,
            limit=60 * (2 * asked.minutes * row.minutes + 30),
        )
        runs.append(run)
        found.append(row.judge(run, part, folder) if row.judge else {"value": run.value(row.metric)})
    line = {
        "row": name,
        "minutes": asked.minutes * row.minutes,
        "unit": row.unit,
        "parts": {
            part.name: {**each, "seconds": run.seconds, "steps": run.steps, "weights": run.weights}
            for part, run, each in zip(parts, runs, found, strict=True)
        },
        "baselines": baselines(row, runs),
        "lost_on_validation": [part.name for part, run in zip(parts, runs, strict=True) if loses(run, folder)],
        "command": runs[0].command,
        "gflops": runs[0].gflops,
        "machine": machine.line(),
        "date": machine.today(),
    }
    print(json.dumps(line), flush=True)
    if not asked.check:
        common.record("plain", line)


def baselines(row: Row, runs: list[common.Run]) -> dict[str, float]:
    """The metric of each baseline on the test split, averaged over the parts."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for name, values in run.baselines.get("test", {}).items():
            if row.metric in values:
                found.setdefault(name, []).append(values[row.metric])
    return {name: statistics.mean(values) for name, values in found.items() if len(values) == len(runs)}


def loses(run: common.Run, folder: Path) -> bool:
    """Whether a baseline is better on the run's own validation data, in the metric that chooses there."""
    measure = judges.opened(run, folder).task.chooses
    if "valid" not in run.metrics:
        return False
    own = cost(measure, run.metrics["valid"][measure])
    others = [cost(measure, values[measure]) for values in run.baselines["valid"].values() if measure in values]
    return any(other < own - 1e-6 * max(1.0, abs(own)) for other in others)


def ask_peers(name: str, row: Row, parts: list[Part], folder: Path, asked: argparse.Namespace) -> None:
    """Ask each peer about each different split that has no figure yet."""
    known = {} if asked.peers else peers_of(name)
    for peer, kind in row.peers:
        script = f"plain_{peer}.py"
        seen: list[dict[str, Any]] = []
        for part in parts:
            if part.data in seen or any(key[:2] == (part.name, peer) for key in known):
                continue
            seen.append(part.data)
            python = environment(peer, script)
            if python is None:
                return
            answer = judges.run_script(python, script, kind, part.data, folder)
            for called, found in answer["found"].items():
                line = {
                    "row": name,
                    "part": part.name,
                    "peer": peer,
                    "name": called,
                    **figures(row, part, folder, found),
                }
                line |= {"version": answer["version"], "made": f"peers/{script} {kind} {json.dumps(part.data)}"}
                print(json.dumps(line), flush=True)
                if not asked.check:
                    common.record(PEERS, {**line, "machine": machine.line(), "date": machine.today()})


def figures(row: Row, part: Part, folder: Path, found: dict[str, Any]) -> dict[str, float]:
    """The number of a peer's answers, and how long it took."""
    seconds = {"seconds": round(found["seconds"], 1)}
    if "forecasts" in found:
        return {**judges.scaled_errors(judges.series_of(folder, part.data["name"]), found["forecasts"]), **seconds}
    value = found["value"] if "value" in found else judges.judged(row.unit, found["right"], found["answers"])
    return {"value": value, **seconds}


def peers_of(name: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(part, peer, name) -> the last line that is kept of it."""
    path = common.RESULTS / f"{PEERS}.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return {(line["part"], line["peer"], line["name"]): line for line in lines if line["row"] == name}


def last_lines() -> dict[str, dict[str, Any]]:
    """Row -> the last line that is kept of it."""
    path = common.RESULTS / "plain.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return {line["row"]: line for line in lines}


def values_of(name: str, line: dict[str, Any]) -> list[float]:
    """What the plain call reached in each part; for the series, by the best of the three there."""
    row, parts = ROWS[name], line["parts"]
    if name == "series":
        best: dict[str, float] = {}
        for (part, _, _), kept in peers_of(name).items():
            best[part] = min(best.get(part, math.inf), kept["value"])
        return [each["value"] / best[part] for part, each in parts.items() if part in best]
    return [row.scale * each["value"] for each in parts.values()]


def best_peer(name: str, parts: list[str]) -> tuple[str, float] | None:
    """The best of the peers that answered these parts, or all that there are, and of a baseline that is one."""
    row, found = ROWS[name], {}
    for (part, _, called), kept in peers_of(name).items():
        found.setdefault(called, {})[part] = row.scale * kept["value"]
    if name == "series":  # of the mean ratios to the best of the three in each series
        each = {
            part: min(values[part] for values in found.values() if part in values)
            for values in found.values()
            for part in values
        }
        found = {
            called: {part: value / each[part] for part, value in values.items()} for called, values in found.items()
        }
    folded = all(part.startswith("seed") for part in parts)
    means = {
        called: statistics.mean([value for part, value in values.items() if folded or part in parts])
        for called, values in found.items()
        if folded or any(part in parts for part in values)
    }
    baselines = {} if (line := last_lines().get(name)) is None else line["baselines"]
    means |= {called: row.scale * value for called, value in baselines.items() if called == row.simple}
    if not means:
        return None
    called = (min if row.lower else max)(means, key=lambda one: means[one])
    return called, means[called]


def table(names: list[str]) -> None:
    """Print what was measured; a cell that was not measured is empty."""
    head = ("file", "number", "plain before", "tuned before", "plain now", "parts", "best baseline", "best peer")
    print(f"| {' | '.join([*head, 'floor', 'goal', 'reached'])} |")
    print("|---" * 11 + "|")
    lines, reached = last_lines(), 0
    for name in names:
        row, line = ROWS[name], lines.get(name)
        parts = [] if line is None else list(line["parts"])
        peer = best_peer(name, parts)
        values = [] if line is None else values_of(name, line)
        cells = [row.title, row.unit, shown(row.before), shown(row.tuned), common.spread(values) if values else ""]
        cells += [f"{len(values)}" if values else "", best_baseline(row, line)]
        cells += ["" if peer is None else f"{peer[0]} {shown(peer[1])}", shown(row.floor), shown(row.goal)]
        marks = verdict(name, row, values, peer, line)
        reached += "peer" in marks
        print(f"| {' | '.join([*cells, ', '.join(marks)])} |")
    print(f"\nthe best of the peers is reached on {reached} of the rows that have one")


def best_baseline(row: Row, line: dict[str, Any] | None) -> str:
    if line is None or not line["baselines"]:
        return ""
    found = line["baselines"]
    name = (min if row.lower else max)(found, key=lambda one: found[one])
    return f"{name} {shown(row.scale * found[name])}"


def verdict(
    name: str, row: Row, values: list[float], peer: tuple[str, float] | None, line: dict[str, Any] | None
) -> list[str]:
    """Which of floor, goal and best peer are reached, and where the plain call lost on its own validation data."""
    if line is None or not values:
        return []
    sign, own = (1 if row.lower else -1), statistics.mean(values)
    wanted = {"floor": row.floor, "goal": row.goal, "peer": None if peer is None else peer[1]}
    marks = [what for what, value in wanted.items() if value is not None and sign * own <= sign * value]
    marks += [f"lost on validation: {len(line['lost_on_validation'])}"] if line["lost_on_validation"] else []
    if name == "series":
        covered = [each["coverage"] for each in line["parts"].values() if "coverage" in each]
        inside = f"{100 * statistics.mean(covered):.0f} % of 80 % intervals" if covered else "no intervals"
        marks += [f"worst ratio {max(values):.2f}", inside]
    return marks


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    main()
