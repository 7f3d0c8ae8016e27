#!/usr/bin/env python3
"""Answers of an exported model, with NumPy and onnxruntime only.

    python run.py rows.jsonl              one row a line, {"column": cell}; or a .csv file with a header
    python run.py --stream < values       one value a line, answered at once, in constant memory
    python run.py --generate "Once upon"  what the model writes, the likeliest token at each step
    python run.py --check                 the examples in example.json, compared with the model's own answers

``Model`` does the same from Python. Each answer is a line of JSON. README.md says what goes in and what comes out.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from read_columns import column_of
from read_symbols import Column, Refused, Symbolic
from write_answers import Answers, same

_ROWS = 64  # read together


class Model:
    """An exported model.

    Args:
        folder: where its files are.

    Attributes:
        signature: signature.json.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        folder = Path(folder)
        self.signature: dict[str, Any] = json.loads((folder / "signature.json").read_text("utf-8"))
        self.columns: list[Column] = [column_of(one, folder) for one in self.signature["inputs"]]
        if self.signature["cannot_read"]:
            raise Refused(self.signature["cannot_read"])
        target = self.signature["target"]
        self.answers = Answers(self.signature["answer"], self.columns, target and column_of(target, folder))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        graphs = self.signature["graphs"]
        self.graphs = {
            name: onnxruntime.InferenceSession(str(folder / file), options, ["CPUExecutionProvider"])
            for name, file in graphs.items()
        }

    def predict(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The answer to each whole row."""
        waiting: list[dict[str, Any]] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == _ROWS:
                yield from self._batch(waiting)
                waiting = []
        if waiting:  # onnxruntime dies of a batch without rows
            yield from self._batch(waiting)

    def stream(self, values: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """The answer after each value of a stream."""
        live = Stream(self)
        return (live.push(value) for value in values)

    def generate(self, prompt: str = "", steps: int = 200) -> Iterator[str]:
        """What the model writes after ``prompt``, piece by piece: the likeliest token at each step.

        Raises:
            Refused: it is not a model of the next token of texts.
        """
        [column] = self.columns if len(self.columns) == 1 else [None]
        if not isinstance(column, Symbolic) or self.signature["answer"]["how"] != "next":
            raise Refused("only a model of the next token of one column of texts can generate")
        live, ids = Stream(self), column.ids(prompt)
        outputs = live.last
        for id_ in ids:
            outputs = live.take([np.int64(id_)])
        if outputs is None:
            raise Refused("this model needs a prompt of at least one token")
        written = column.text(ids)
        for _ in range(steps):
            best = self.answers.best(outputs)
            if best == column.end:
                return
            ids.append(best)
            text = column.text(ids)
            yield text[len(written) :]
            written, outputs = text, live.take([np.int64(best)])

    def _batch(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        feeds, lengths = {}, None
        lookback = self.signature["lookback"]
        for column in self.columns:
            cells = [column.whole(_cell(column, row)) for row in rows]
            if lookback and column.time:  # a forecast reads the last steps
                cells = [[array[-lookback:] for array in arrays] for arrays in cells]
            for name, arrays in zip(column.graph, zip(*cells, strict=True), strict=True):
                if not column.time:
                    feeds[name] = np.stack(arrays)
                    continue
                found = np.array([len(array) for array in arrays], np.int64)
                lengths = found if lengths is None else lengths
                if not np.array_equal(found, lengths):
                    raise Refused(f"the columns of a row have different numbers of steps: {column.name!r} differs")
                feeds[name] = _padded(arrays)
        if lengths is not None:
            if not lengths.max():
                raise Refused("no row has a step")
            feeds["lengths"] = lengths
        return self.answers.rows(self.run(feeds, len(rows)), lengths, self)

    def run(self, feeds: dict[str, np.ndarray], rows: int, graph: str = "") -> dict[str, np.ndarray]:
        """Run a graph, by default the one that reads; states that are not fed begin at their first values."""
        session = self.graphs[graph or next(iter(self.graphs))]
        feeds = {state["name"]: first_state(state, rows) for state in self.signature["states"]} | feeds
        names = [output.name for output in session.get_outputs()]
        values = session.run(names, {one.name: feeds[one.name] for one in session.get_inputs()})
        return {name.removeprefix("answer."): value for name, value in zip(names, values, strict=True)}


class Stream:
    """One live stream: its state goes from step to step."""

    def __init__(self, model: Model) -> None:
        if model.signature["cannot_stream"]:
            raise Refused(model.signature["cannot_stream"])
        self.model = model
        self.state = {state["name"]: first_state(state, 1) for state in model.signature["states"]}
        self.memory: dict[str, Any] = {}
        self.last: dict[str, np.ndarray] | None = None
        for step in model.signature["opening"]:
            self.take([np.int64(id_) for id_ in step])

    def push(self, value: Any) -> dict[str, Any]:
        """The answer after one value: {column: value}, or the value where the model reads one column.

        Raises:
            Refused: the value does not fit the columns.
        """
        columns = self.model.columns
        row = value if isinstance(value, dict) else {columns[0].name: value}
        if not isinstance(value, dict) and len(columns) > 1:
            raise Refused(f"a step must be {{column: value}} with {', '.join(column.name for column in columns)}")
        found = {c.name: c.step(_cell(c, row), self.memory.get(c.name)) for c in columns}
        count = max(len(steps) for steps, _ in found.values())
        for at in range(count):
            arrays = [array for c in columns for array in found[c.name][0][min(at, len(found[c.name][0]) - 1)]]
            self.take(arrays)
        self.memory = {name: memory for name, (_, memory) in found.items()}
        assert self.last is not None
        return self.model.answers.rows(self.last, np.ones(1, np.int64), self.model)[0]

    def take(self, arrays: list[Any]) -> dict[str, np.ndarray]:
        """Run the graph for one step."""
        feeds = dict(self.state)
        at = 0
        for column in self.model.columns:
            for name in column.graph:
                array = np.asarray(arrays[at])
                feeds[name] = array[None, None] if column.time else array[None]
                at += 1
        feeds["lengths"] = np.ones(1, np.int64)
        self.last = self.model.run(feeds, 1)
        self.state = {state["name"]: self.last[state["after"]] for state in self.model.signature["states"]}
        return self.last


def first_state(state: dict[str, Any], rows: int) -> np.ndarray:
    """The value of a state before the first step."""
    shape = [rows, *(0 if axis is None else axis for axis in state["shape"][1:])]
    return np.full(shape, state["first"], state["dtype"])


def _cell(column: Column, row: dict[str, Any]) -> Any:
    if column.name in row:
        return row[column.name]
    if column.channels and all(channel in row for channel in column.channels):
        cells = [row[channel] for channel in column.channels]
        return [list(step) for step in zip(*cells, strict=True)] if isinstance(cells[0], list) else cells
    raise Refused(f"column {column.name!r} is missing; the row has {', '.join(map(str, row)) or 'no columns'}")


def _padded(arrays: Iterable[np.ndarray]) -> np.ndarray:
    rows = list(arrays)
    padded = np.zeros((len(rows), max(1, *(len(row) for row in rows)), *rows[0].shape[1:]), rows[0].dtype)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded


def check(folder: Path) -> float:
    """The largest relative difference from the answers in example.json; labels and texts must be equal."""
    model, example = Model(folder), json.loads((folder / "example.json").read_text("utf-8"))
    worst = max(
        (same(*pair) for pair in zip(model.predict(example["rows"]), example["answers"], strict=True)), default=0.0
    )
    live = zip(model.stream(example["values"]), example["live"], strict=True) if example["values"] else ()
    return max([worst, *(same(*pair) for pair in live)])


def _read(path: str) -> Iterator[dict[str, Any]]:
    with sys.stdin if path == "-" else Path(path).open(encoding="utf-8", newline="") as file:
        if path.endswith(".csv"):
            yield from csv.DictReader(file)
        else:
            yield from (json.loads(line) for line in file if line.strip())


def _values() -> Iterator[Any]:
    for line in sys.stdin:
        text = line.rstrip("\n")
        try:
            yield json.loads(text)
        except ValueError:
            yield text


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", help="a .jsonl or .csv file, or - for JSON lines from standard input")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--generate", metavar="PROMPT")
    parser.add_argument("--steps", type=int, default=200, help="the most tokens to generate")
    parser.add_argument("--check", action="store_true")
    asked, folder = parser.parse_args(), Path(__file__).parent
    try:
        if asked.check:
            print(f"largest difference from the model's own answers: {check(folder):.1e}")
        elif asked.generate is not None:
            for piece in Model(folder).generate(asked.generate, asked.steps):
                print(piece, end="", flush=True)
            print()
        elif asked.stream or asked.rows:
            model = Model(folder)
            for answer in model.stream(_values()) if asked.stream else model.predict(_read(asked.rows)):
                print(json.dumps(answer, ensure_ascii=False), flush=asked.stream)
        else:
            parser.print_help()
    except (Refused, json.JSONDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
