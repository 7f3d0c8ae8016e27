"""What looking inside a model costs, beside what it may cost: the requirements on time and memory, in one run.

    OMP_NUM_THREADS=1 python bench/insight.py

Protocol: models of 95 symbols after two training steps, whose timings are those of trained ones. Times are seconds of
the processor, on one thread, so that other programs matter less; what is compared runs by turns, and the least of each
counts. Memory is measured in a separate process for each model, above what it holds after a short trace. R6 compares
the cells with the same source without its calls of `show`. R16 trains the example of the README.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import common
import machine
import numpy as np
import torch

import unrolled as ur
from unrolled.batch import Batch
from unrolled.data.batches.loader import Loader
from unrolled.data.plans.windows import Windows
from unrolled.inspection.ablation import ablate_units
from unrolled.inspection.context import context_curve
from unrolled.inspection.cost import highest_resident, resident
from unrolled.inspection.heads import heads_of
from unrolled.inspection.reach import reach_of
from unrolled.inspection.trace import BUDGET, trace
from unrolled.inspection.unit_search import states_of
from unrolled.layers import GRU, LSTM, RNN
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.layers.recurrent import Recurrent
from unrolled.watch import watching

SYMBOLS = [chr(32 + n) for n in range(95)]
MODELS: dict[str, dict[str, Any]] = {
    "lstm 256": {"model": "lstm", "hidden": 256, "layers": 1},
    "deltanet 128 × 2": {"model": "deltanet", "hidden": 128, "layers": 2},
    "transformer 128 × 2": {"model": "transformer", "hidden": 128, "layers": 2},
}
TRACED = {"lstm 256": 0.2, "deltanet 128 × 2": 0.4, "transformer 128 × 2": 0.25}  # seconds
MIB = 2**20
_STEPS = 40  # of a cell, so few that some runs are not disturbed at all


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and its limit, at most or ``least``."""

    requirement: str
    what: str
    measured: float
    limit: float
    unit: str
    beside: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.limit if self.least else self.measured <= self.limit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help=f"requirements, separated by commas: {','.join(MEASURES)}")
    parser.add_argument("--check", action="store_true", help="nothing is recorded")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)  # a model and its steps, in a separate process
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.memory:
        print(json.dumps(memory_of(options.memory[0], int(options.memory[1]))))
        return
    names = [name for name in options.only.split(",") if name] or list(MEASURES)
    if unknown := [name for name in names if name not in MEASURES]:
        parser.error(f"no requirement {unknown[0]} is measured here: choose from {','.join(MEASURES)}")
    print(f"{machine.line()}; load {os.getloadavg()[0]:.1f}\n\n| | what | measured | limit | beside |")
    print("|---" * 5 + "|", flush=True)
    missed = []
    for figure in itertools.chain.from_iterable(MEASURES[name]() for name in names):
        sign = "≥" if figure.least else "≤"
        line = (
            f"| {figure.requirement} | {figure.what} | {figure.measured:.3g} {figure.unit} | {sign} {figure.limit:.3g}"
        )
        print(f"{line} | {figure.beside} |{'' if figure.met else ' missed'}", flush=True)
        missed += [] if figure.met else [f"{figure.requirement} {figure.what}"]
        if not options.check:
            about = {"load": round(os.getloadavg()[0], 1), "machine": machine.line(), "date": machine.today()}
            common.record("insight", {**asdict(figure), **about})
    sys.exit(f"missed: {'; '.join(missed)}" if missed else 0)


def plain_steps() -> Iterator[Figure]:
    """R6: a step of a cell that nobody watches, beside the same source without its calls of `show`."""
    for name in ("lstm", "gru", "rnn"):
        module = importlib.import_module(f"unrolled.cells.{name}")
        torch.manual_seed(0)
        cell = module.MEMBER(32, 32)
        bare_cell = copy.copy(cell)  # with the same weights, at the same place in memory
        bare_cell.__class__ = without_show(module).MEMBER
        shown, bare = least([lambda: steps(cell), lambda: steps(bare_cell)], rounds=1_000)  # noqa: B023 - called here
        beside = f"{shown / _STEPS * 1e6:.1f} µs, without {bare / _STEPS * 1e6:.1f} µs"
        yield Figure("R6", f"a plain step of {name}, 32 units: more", 100 * (shown / bare - 1), 3, "%", beside)


def steps(cell: Any) -> None:
    x, state = torch.ones(1, 32), cell.initial_state(1, torch.zeros(()))
    with torch.no_grad():
        for _ in range(_STEPS):
            cell(x, state)


class _Bare(ast.NodeTransformer):
    """Leave out what shows: ``names = show(owner, names, *values)``, ``look = shows(owner)`` and ``if look: …``."""

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        match node:
            case ast.Assign([ast.Tuple(targets)], ast.Call(ast.Name("show"), [_, _, value])):
                return ast.copy_location(ast.Assign(targets, value), node)
            case ast.Assign([target], ast.Call(ast.Name("show"), [_, _, *values])):
                return ast.copy_location(ast.Assign([target], ast.Tuple(values, ast.Load())), node)
            case ast.Assign(_, ast.Call(ast.Name("shows"))):
                return None
        return node

    def visit_If(self, node: ast.If) -> ast.If | None:
        return None if isinstance(node.test, ast.Name) and node.test.id == "look" else node


def without_show(module: types.ModuleType) -> types.ModuleType:
    """A copy of ``module`` whose source has no call of `show`."""
    assert module.__file__ is not None
    tree = ast.fix_missing_locations(_Bare().visit(ast.parse(Path(module.__file__).read_text("utf-8"))))
    assert not {"show(", "shows(", "look("} & {*re.findall(r"\w+\(", ast.unparse(tree))}, "it shows in another form"
    name = f"{module.__name__}_without_show"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "bare.py"
        source.write_text(ast.unparse(tree), "utf-8")
        spec = importlib.util.spec_from_file_location(name, source)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = bare = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bare)
    return bare


def fast_tier() -> Iterator[Figure]:
    """R7: all gates and states through the kernels, beside the ordinary run."""
    x = torch.randn(1, 1_000, 95)

    def looked(layer: Any, x: torch.Tensor) -> object:
        with watching(recorder := Recorder(layer)):
            layer(x)
        return recorder.take()

    with torch.no_grad():
        for layer in (
            *(kind(95, 256, batch_first=True) for kind in (LSTM, GRU, RNN)),
            *map(_recurrent, ("mingru", "minlstm")),
        ):
            name = getattr(layer, "cell", type(layer).__name__)
            run = layer.trace if hasattr(layer, "trace") else lambda x, layer=layer: looked(layer, x)
            ordinary, traced = least([lambda: layer(x), lambda: run(x)], rounds=9)  # noqa: B023 - called here
            beside = f"ordinary {1e3 * ordinary:.1f} ms"
            limit = 1e3 * (1.5 * ordinary + 0.010)
            yield Figure("R7", f"{name} 256 traced, T = 1,000", 1e3 * traced, limit, "ms", beside)
        layer, x = LSTM(95, 256, batch_first=True), torch.randn(1, 100_000, 95)
        ordinary, traced = least([lambda: layer(x), lambda: layer.trace(x)], rounds=2)
        yield Figure("R7", "LSTM 256 traced, T = 100,000", traced, 5, "s", f"ordinary {ordinary:.2f} s")
    model, batch = model_of("lstm 256"), row_of("lstm 256", 2_500).only(torch.zeros(40, dtype=torch.int64))
    with torch.no_grad():
        ordinary, found = least([lambda: model.network.run(batch), lambda: states_of(model.network, batch)], rounds=2)
    what, limit = "cell states of 40 rows of 2,500 symbols, lstm 256", 1.5 * ordinary + 0.010
    yield Figure("R7", what, found, limit, "s", f"ordinary {ordinary:.2f} s")


def _recurrent(cell: str) -> Recurrent:
    return Recurrent(95, 256, cell)


def traces() -> Iterator[Figure]:
    """R8: a trace of 1 000 steps, what it keeps and what it takes."""
    for name, limit in TRACED.items():
        model, batch = model_of(name), row_of(name, 1_000)
        ordinary, traced = least(
            [lambda: model.network.run(batch), lambda: trace(model.network, model.task, batch)],  # noqa: B023
            rounds=5,
        )
        yield Figure("R8", f"trace of {name}, T = 1,000", traced, limit, "s", f"ordinary {ordinary:.3f} s")
        found = in_own_process(name, 1_000)
        yield Figure("R8", f"{name}: kept", found["kept"], 60, "MiB")
        yield Figure("R8", f"{name}: peak", found["peak"], 150, "MiB")


def long_rows() -> Iterator[Figure]:
    """R9: a row whose attention alone would take many times the budget, and one whose attention just does not fit."""
    for steps in (3_800, 20_000):
        found = in_own_process("transformer 128 × 2", steps)
        limit, what = BUDGET / MIB + 100, f"transformer 128 × 2, T = {steps:,}: peak"
        yield Figure("R9", what, found["peak"], limit, "MiB", f"left out: {', '.join(found['dropped']) or 'nothing'}")


def reaches() -> Iterator[Figure]:
    """R11: the reach of one answer, of all inputs and states."""
    for name, limit in (("lstm 256", 0.5), ("deltanet 128 × 2", 1.5)):
        model, batch = model_of(name), row_of(name, 1_000)
        (taken,) = least([lambda: reach_of(model.network, model.task, batch)], rounds=3)  # noqa: B023
        yield Figure("R11", f"reach of one answer of {name}, T = 1,000", taken, limit, "s")


def context() -> Iterator[Figure]:
    """R13: the context curve."""
    model = model_of("lstm 256")
    examples = model.encode(model.read({"text": [text(4_000)]}), target=True)
    began = time.process_time()
    found = context_curve(model.network, model.task, examples)
    taken = time.process_time() - began
    yield Figure("R13", f"{found.answers} answers × {len(found.given)} lengths, lstm 256", taken, 8, "s")


def heads() -> Iterator[Figure]:
    """R15: each head of a transformer made uniform."""
    model, batch = model_of("transformer 128 × 2"), row_of("transformer 128 × 2", 300)
    (taken,) = least([lambda: heads_of(model.network, model.task, batch)], rounds=3)
    count = len(heads_of(model.network, model.task, batch).heads)
    yield Figure("R15", f"{count} heads made uniform, T = 300", taken, 1, "s")


def units() -> Iterator[Figure]:
    """R17: each unit held at its mean."""
    model, batch = model_of("lstm 256"), row_of("lstm 256", 300)
    (taken,) = least([lambda: ablate_units(model.network, model.task, batch, "layer.layers.0.0.c")], rounds=2)
    yield Figure("R17", "256 units held at their means, 300 steps", taken, 3, "s")


def alignment() -> Iterator[Figure]:
    """R16: where the README's translator looks while it writes three digits backward, by its own answers."""
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    with tempfile.TemporaryDirectory() as folder:
        lines = [
            f"{' '.join(digits)},{' '.join(names[int(digit)] for digit in reversed(digits))}"
            for digits in itertools.product("0123456789", repeat=3)
        ]
        Path(folder, "numbers.csv").write_text("\n".join(["digits,words", *lines, ""]))
        asked = "--target words --task translate --tokens words --model gru --hidden 64 --lr 0.01 --steps 150"
        fit = [sys.executable, "-m", "unrolled", "fit", "numbers.csv", *asked.split(), "--out", "run", "--quiet"]
        subprocess.run(fit, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        model = ur.load(f"{folder}/run")
        rows = [" ".join(f"{number:03d}") for number in random.Random(0).sample(range(1_000), 100)]
        looked = [model.trace({"digits": [row]})["decoder, attention"].argmax(-1)[:3].tolist() for row in rows]
    right = 100 * sum(one == [2, 1, 0] for one in looked) / len(rows)
    yield Figure("R16", "rows whose alignment is reversed, README's digits", right, 95, "%", least=True)


MEASURES: dict[str, Callable[[], Iterator[Figure]]] = {
    "R6": plain_steps,
    "R7": fast_tier,
    "R8": traces,
    "R9": long_rows,
    "R11": reaches,
    "R13": context,
    "R15": heads,
    "R16": alignment,
    "R17": units,
}


def least(programs: list[Callable[[], object]], rounds: int) -> list[float]:
    """The least seconds of the processor that each takes, run by turns."""
    best = [float("inf")] * len(programs)
    for _ in range(rounds):
        for place, program in enumerate(programs):
            began = time.process_time()
            program()
            best[place] = min(best[place], time.process_time() - began)
    return best


def text(steps: int) -> str:
    return "".join(random.Random(steps).choices(SYMBOLS, k=steps))


_made: dict[str, Any] = {}


def model_of(name: str) -> Any:
    """A model of 95 symbols after two training steps."""
    if name not in _made:
        quick = {"start": "none", "blend": "none", "steps": 2, "batch": 4, "quiet": True}
        rows = {"text": ["".join(SYMBOLS), *(text(100 + n) for n in range(20))]}
        with tempfile.TemporaryDirectory() as folder:
            _made[name] = ur.fit(rows, kinds={"text": "tokens"}, out=f"{folder}/run", **quick, **MODELS[name])
    return _made[name]


def row_of(name: str, steps: int) -> Batch:
    model = model_of(name)
    examples = model.encode(model.read({"text": [text(steps)]}), target=True)
    return Loader(examples, Windows(np.array([0]), np.array([steps]), steps, 1))[0]


def in_own_process(name: str, steps: int) -> dict[str, Any]:
    asked = [sys.executable, __file__, "--memory", name, str(steps)]
    said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def memory_of(name: str, steps: int) -> dict[str, Any]:
    """MiB that the values of a trace take, and that the process takes at most beside what it held before."""
    model, batch, short = model_of(name), row_of(name, steps), row_of(name, 10)
    trace(model.network, model.task, short)
    before = resident()
    found = trace(model.network, model.task, batch)
    peak = highest_resident()
    assert before is not None and peak is not None, "memory is measured on Linux"
    kept = sum(value.nbytes for value in found.values.values())
    return {"kept": kept / MIB, "peak": (peak - before) / MIB, "dropped": found.dropped}


if __name__ == "__main__":
    main()
