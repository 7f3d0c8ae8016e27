"""Run the programs of ``docs/batch.md`` in Ray Data, Spark and Dask, and compare their rows with those of `predict`.

Usage: ``make engines``, from its own environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import unrolled as ur

__all__ = ["check", "main"]

_DOCUMENT = Path(__file__).parent.parent / "docs" / "batch.md"
_PROGRAM = re.compile(r"^(\w[\w ]*)[^\n]*:\n\n```python\n(.*?)```", re.MULTILINE | re.DOTALL)
_WORDS = ("good food", "bad food", "good wine", "so bad", "never again", "very good")
_FILES, _ROWS = 40, 500


def check(engine: str, program: str, folder: Path) -> None:
    """Run a program in ``folder``, which holds a run and files, and compare what it wrote.

    Raises:
        AssertionError: its rows are not those of `predict`.
    """
    out, start = folder / "answers", time.monotonic()
    script = folder / "program.py"
    script.write_text(program.replace('"answers/"', f'"{out}/"').replace('"new/"', f'"{folder}/new/"'))
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "RAY_USAGE_STATS_ENABLED": "0"}
    subprocess.run([sys.executable, script], cwd=folder, check=True, env=environment, timeout=1200)
    parts = [pq.read_table(path) for path in sorted(out.rglob("*.parquet")) if path.stat().st_size]
    found = {row["id"]: row for part in parts for row in part.to_pylist()}
    wanted = {row["id"]: row for row in ur.load(str(folder / "runs/reviews")).predict(str(folder / "new")).to_pylist()}
    assert sum(part.num_rows for part in parts) == len(wanted), "a row is missing, or is there twice"
    for key, row in wanted.items():
        assert found[key]["mood_predicted"] == row["mood_predicted"], key
        assert abs(found[key]["mood_p_happy"] - row["mood_p_happy"]) < 1e-6, key
    print(f"{engine}: {len(wanted)} rows of {_FILES} files as predict has them, {time.monotonic() - start:.0f} s")


def main() -> None:
    """Check every program of the document, or those of the engines that are named on the command line."""
    programs = dict(_PROGRAM.findall(_DOCUMENT.read_text("utf-8")))
    assert len(programs) == 3, [*programs]
    for engine, program in programs.items():
        if len(sys.argv) > 1 and engine.split()[0].lower() not in sys.argv[1:]:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            moods = ["happy" if "good" in text else "sad" for text in _WORDS]
            table = {"text": [*_WORDS] * 8, "mood": moods * 8}
            options: dict[str, Any] = {"target": "mood", "kinds": {"text": "tokens"}, "hidden": 8, "steps": 20}
            ur.fit(table, out=folder / "runs/reviews", quiet=True, **options)
            (folder / "new").mkdir()
            for number in range(_FILES):
                texts = [_WORDS[(number + row) % len(_WORDS)] for row in range(_ROWS)]
                ids = [f"{number}-{row}" for row in range(_ROWS)]
                pq.write_table(pa.table({"id": ids, "text": texts}), folder / "new" / f"{number}.parquet")
            check(engine, program, folder)


if __name__ == "__main__":
    main()
