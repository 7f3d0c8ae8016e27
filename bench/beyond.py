"""Memory and time to the first step of training on data that grows: RssAnon must not grow with it.

    python bench/beyond.py --rows 1e6 4e6 --form csv
    python bench/beyond.py --rows 2e3 2e4 --form audio

The forms: tables as csv, parquet or jsonl; events, clicks of many people in the order of their times, and series,
hourly measures one series after another, as csv; lines, a text file whose lines are documents; audio, a folder of
recordings of half a second.

Each size runs in its own process, which is sampled every 10 ms. The figures are in docs/results.md, under Scale.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.csv import WriteOptions, write_csv

WORDS = np.array([f"word{number}" for number in range(4_000)])
AT_ONCE = 100_000


def write(path: Path, rows: int, form: str) -> None:
    """A text of about ten words, a number, of which some are missing, and one of three labels in each row."""
    random = np.random.default_rng(0)
    writer = None
    with path.open("wb") as file:
        if form == "csv":
            file.write(b"text,score,label\n")
        for begin in range(0, rows, AT_ONCE):
            count = min(AT_ONCE, rows - begin)
            words = WORDS[(len(WORDS) * random.random((count, 10)) ** 3).astype(int)]
            texts = [" ".join(row) for row in words.tolist()]
            scores = [None if n % 50 == 0 else round(float(x), 4) for n, x in enumerate(random.normal(size=count))]
            labels = np.array(["low", "middle", "high"])[random.integers(3, size=count)].tolist()
            if form == "parquet":
                table = pa.table({"text": texts, "score": scores, "label": labels})
                writer = writer or pq.ParquetWriter(file, table.schema)
                writer.write_table(table)
            elif form == "jsonl":
                rows_ = zip(texts, scores, labels, strict=True)
                file.writelines(json.dumps({"text": t, "score": s, "label": k}).encode() + b"\n" for t, s, k in rows_)
            else:
                cells = zip(texts, scores, labels, strict=True)
                file.writelines(f"{t},{'' if s is None else s},{k}\n".encode() for t, s, k in cells)
        if writer is not None:
            writer.close()


def write_lines(path: Path, rows: int) -> None:
    """About ten words in each line."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        for begin in range(0, rows, AT_ONCE):
            words = WORDS[(len(WORDS) * random.random((min(AT_ONCE, rows - begin), 10)) ** 3).astype(int)]
            file.writelines(" ".join(row) + "\n" for row in words.tolist())


def write_events(path: Path, rows: int) -> None:
    """Who saw which page when: some 20 rows of each person, in the order of the times."""
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(b"user,time,page\n")
        for begin in range(0, rows, 10 * AT_ONCE):
            count = min(10 * AT_ONCE, rows - begin)
            time = 1_700_000_000 + np.arange(begin, begin + count) // 4
            page = (5_000 * random.random(count) ** 3).astype(int)
            table = pa.table({"user": random.integers(max(1, rows // 20), size=count), "time": time, "page": page})
            write_csv(table, file, WriteOptions(include_header=False))


def write_series(path: Path, rows: int) -> None:
    """The load of meters in each of 2,000 hours, one meter after another."""
    random = np.random.default_rng(0)
    hours = pa.array(np.datetime64("2024-01-01T00:00:00") + np.arange(2_000).astype("timedelta64[h]"))
    with path.open("wb") as file:
        file.write(b"meter,date,load\n")
        for meter in range(rows // 2_000):
            load = np.sin(np.arange(2_000) * 2 * np.pi / 24) + 0.3 * random.normal(size=2_000)
            table = pa.table({"meter": np.full(2_000, meter), "date": hours, "load": load.round(3)})
            write_csv(table, file, WriteOptions(include_header=False))


def write_recordings(path: Path, rows: int) -> None:
    """Half a second of noise in each file, in two subfolders."""
    random = np.random.default_rng(0)
    for number in range(rows):
        place = path / "ab"[number % 2] / f"{number}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(place), "wb") as file:
            file.setparams((1, 2, 8_000, 0, "NONE", "NONE"))
            file.writeframes(random.integers(-9_000, 9_000, 4_000).astype("<i2").tobytes())


TABLE = {"target": ("label",), "tokens": "words", "vocabulary": 2_000}
OPTIONS = {
    "lines": {"rows_are": "lines", "tokens": "characters"},
    "audio": {},
    "events": {"by": "user", "order": "time", "inputs": ("page",), "task": "next_step", "kinds": {"page": "tokens"}},
    "series": {"by": "meter", "order": "date", "target": ("load",), "horizon": 24},
}
SUFFIXES = {"lines": "txt", "audio": "clips", "events": "events.csv", "series": "series.csv"}
WRITERS = {"lines": write_lines, "audio": write_recordings, "events": write_events, "series": write_series}


def anonymous() -> int:
    """The bytes of this process that are backed by no file."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


def measured(path: Path, folder: Path) -> None:
    """Train one step on ``path``, and print what it took, as JSON; a child runs this."""
    import torch

    from unrolled.data.batches.loader import Loader
    from unrolled.runs.encode import encode
    from unrolled.runs.plan import plan_from_options
    from unrolled.training.plans import training_plan

    torch.set_num_threads(1)
    peak, done, begun = [0], threading.Event(), anonymous()

    def sample() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], anonymous())

    threading.Thread(target=sample, daemon=True).start()
    found = {}
    form = next((form for form, suffix in SUFFIXES.items() if path.name.endswith(f".{suffix}")), "table")
    options = {"plan": "fixed", "hidden": 8, "steps": 1, **OPTIONS.get(form, TABLE)}
    for name in ("first", "again"):
        started, wall = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]), time.perf_counter()
        plan = plan_from_options(path, options, None, lambda _: None, folder / "stores")
        encoded = encode(folder, plan, lambda _: None)
        task = encoded.measured.task
        loader = Loader(encoded.train, training_plan(encoded.train, task.batching, plan.config.training, 0))
        assert len(loader[0].rows) == plan.config.training.batch
        cpu = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - started
        found[name] = {"cpu": round(cpu, 2), "wall": round(time.perf_counter() - wall, 2)}
    done.set()
    store = sum(file.stat().st_size for file in (folder / "stores").rglob("*") if file.is_file())
    print(json.dumps({**found, "peak": peak[0] - begun, "store": store, "rows": len(encoded.train.lengths())}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, nargs="+", default=[1e6, 4e6])
    parser.add_argument("--form", choices=["csv", "parquet", "jsonl", *WRITERS], default="csv")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--child", type=Path, default=None)
    asked = parser.parse_args()
    if asked.child is not None:
        measured(asked.child, asked.folder)
        return
    from unrolled.data.io.folder import bytes_of

    for rows in map(int, asked.rows):
        with tempfile.TemporaryDirectory(dir=asked.folder) as place:
            path = Path(place) / f"data.{SUFFIXES.get(asked.form, asked.form)}"
            if asked.form in WRITERS:
                WRITERS[asked.form](path, rows)
            else:
                write(path, rows, asked.form)
            words = [sys.executable, __file__, "--child", str(path), "--folder", place]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            one, size = json.loads(done.stdout.splitlines()[-1]), bytes_of(path)
            print(
                f"{asked.form} {rows:>11,} rows {size / 1e6:8.0f} MB   peak {one['peak'] / 1e6:7.0f} MB over imports   "
                f"first step {one['first']['cpu']:7.1f} CPU s ({one['first']['cpu'] / rows * 1e6:.2f} us a row)   "
                f"again {one['again']['cpu']:6.2f} CPU s   store {one['store'] / size:.2f} of the file",
                flush=True,
            )


if __name__ == "__main__":
    main()
