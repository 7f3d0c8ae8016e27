"""Compare exported models with the package in environments that have NumPy and one version of onnxruntime only.

``--write FOLDER`` trains and exports a model of each kind of answer, each with its own rows, 1 000 live values, and
what the package answers to them. ``--check FOLDER``, run by the Python of an environment, compares what the programs of
the exports answer there.

Usage: ``make runtimes``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["check", "main", "write"]

_MOST = 1e-5  # relative difference
_VALUES, _SETTLED = 1000, 500  # live values, and after how many of them memory may not grow
_GROWTH = 100_000  # bytes
_FOREIGN = ("torch", "unrolled", "pyarrow", "onnx")


def write(out: Path) -> None:
    """Exports with their rows, values and answers in folders of ``out``."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    cases = importlib.import_module("export_cases")

    import unrolled

    for name, (data, options) in cases.CASES.items():
        trained = unrolled.fit(data, out=out / "runs" / name, **{**cases.PLAIN, **options})
        trained.export(out / "exports" / name)
        table = trained.predict(data)
        asked = trained.task.recipe.get("columns") or [column for column in table.column_names if column not in data]
        rows = [dict(zip(data, cells, strict=True)) for cells in zip(*data.values(), strict=True)]
        found: dict[str, Any] = {"rows": rows, "answers": table.select(list(asked)).to_pylist()}
        if trained.task.coder.horizon:
            names = [column for column in data if column in trained.task.coder.inputs]
            found["values"] = [{column: _value(t, k) for k, column in enumerate(names)} for t in range(_VALUES)]
            live = trained.stream()
            found["live"] = [live.push(value) for value in found["values"]]
        (out / "exports" / name / "rows.json").write_text(json.dumps(found))


def _value(t: int, k: int) -> float | None:
    return None if (t + k) % 17 == 0 and k == 0 else round(math.sin(t / 5 + k), 3)


def check(folder: Path) -> bool:
    """Whether all exports in ``folder`` answer here as the package does; prints a line."""
    exports = [one for one in sorted((folder / "exports").iterdir()) if not [*one.glob("tokenizer-*.json")]]
    sys.path.insert(0, str(exports[0]))
    import onnxruntime  # of this environment

    run: Any = importlib.import_module("run")
    differences = [*(run.check(one) for one in exports), *(_off(run, one) for one in exports)]
    streams = [one for export in exports for one in _live(run, export)]
    foreign = [name for name in _FOREIGN if importlib.util.find_spec(name)]
    worst, growth = max(*differences, *(off for off, _ in streams)), max(grown for _, grown in streams)
    print(
        f"onnxruntime {onnxruntime.__version__}: {len(exports)} exports and {len(streams)} streams of {_VALUES:,} "
        f"values differ by at most {worst:.1e}; memory grows by {growth:,} bytes; "
        f"other packages: {', '.join(foreign) or 'not installed'}"
    )
    return worst <= _MOST and growth <= _GROWTH and not foreign


def _off(run: Any, export: Path) -> float:
    """The largest difference over the rows that the model was trained on."""
    asked = json.loads((export / "rows.json").read_text())
    found = run.Model(export).predict(asked["rows"])
    return max(run.same(*pair) for pair in zip(found, asked["answers"], strict=True))


def _live(run: Any, export: Path) -> Iterator[tuple[float, int]]:
    """The largest difference over a stream, and by how many bytes memory has grown in its second half."""
    asked = json.loads((export / "rows.json").read_text())
    if "values" not in asked:
        return
    live, worst, settled = run.Stream(run.Model(export)), 0.0, 0
    tracemalloc.start()
    for at, (value, wanted) in enumerate(zip(asked["values"], asked["live"], strict=True)):
        worst = max(worst, run.same(live.push(value), wanted))
        settled = tracemalloc.get_traced_memory()[0] if at == _SETTLED else settled
    grown = tracemalloc.get_traced_memory()[0] - settled
    tracemalloc.stop()
    yield worst, grown


def main() -> int:
    """Write, or check; the exit code is 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--check", type=Path)
    asked = parser.parse_args()
    if asked.write:
        write(asked.write)
    return int(bool(asked.check) and not check(asked.check))


if __name__ == "__main__":
    raise SystemExit(main())
