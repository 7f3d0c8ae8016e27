"""Predictions and sums of metrics for 10^5 and 10^6 rows: CPU seconds, and memory beyond that of the imports.

Usage: ``python bench/batch.py [ROWS …]``. Each measurement has its own process; its memory is the highest RssAnon,
which leaves out files that are mapped.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

__all__ = ["main"]

_WORDS = ("the", "food", "was", "good", "bad", "never", "again", "wine", "slow", "service")
_FORMS = ("csv", "jsonl", "parquet")


def _write(path: Path, rows: int) -> None:
    """A table of short texts, numbers and labels, about 100 bytes a row."""
    choice = random.Random(0)
    columns = ("id", "text", "size", "mood")
    made = (
        (n, " ".join(choice.choices(_WORDS, k=12)), round(choice.random(), 6), choice.choice("ab")) for n in range(rows)
    )
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(dict(zip(columns, map(list, zip(*made, strict=True)), strict=True))), path)
        return
    with path.open("w", newline="") as file:
        if path.suffix == ".csv":
            csv.writer(file).writerows([columns])
            csv.writer(file).writerows(made)
        else:
            file.writelines(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in made)


def _anonymous() -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) << 10


def _measure(run: str, file: str, verb: str) -> None:
    """Print what one verb takes on one file, as JSON."""
    from unrolled import api
    from unrolled.runs.parts import as_parquet
    from unrolled.runs.streamed import predicted

    trained = api.load(run)
    list(predicted(trained, {"text": ["good food"], "size": [0.5]}))  # everything is imported
    before, peak, done = _anonymous(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], _anonymous())

    thread = threading.Thread(target=watch)
    thread.start()
    start = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    if verb == "predict":
        with Path(os.devnull).open("wb") as out:
            out.writelines(as_parquet(predicted(trained, file)))
    else:
        trained.evaluate(file)
    spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - start
    done.set()
    thread.join()
    print(json.dumps({"seconds": spent, "memory": peak[0] - before}))


def main() -> None:
    """Measure every form of file and both verbs at each number of rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*", type=int, default=[100_000, 1_000_000])
    parser.add_argument("--measure", nargs=3)
    asked = parser.parse_args()
    if asked.measure:
        _measure(*asked.measure)
        return
    from unrolled import api

    print("load", *os.getloadavg(), time.strftime("%F"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "train.csv", 2_000)
        run = folder / "run"
        options = {"target": "mood", "kinds": {"text": "tokens"}, "ignore": ["id"], "plan": "fixed", "model": "gru"}
        api.fit(folder / "train.csv", out=run, hidden=32, steps=50, quiet=True, **options)
        for form in _FORMS:
            for rows in asked.rows:
                file = folder / f"data.{form}"
                _write(file, rows)
                for verb in ("predict", "evaluate"):
                    words = [sys.executable, __file__, "--measure", str(run), str(file), verb]
                    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
                    found = json.loads(said)
                    micros = 1e6 * found["seconds"] / rows
                    print(
                        f"{form:8} {verb:9} {rows:>9,} rows  {found['seconds']:7.1f} CPU s  {micros:5.1f} µs a row  "
                        f"{found['memory'] / 1e6:6.0f} MB",
                        flush=True,
                    )
                file.unlink()


if __name__ == "__main__":
    main()
