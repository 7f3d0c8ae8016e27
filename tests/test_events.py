"""Events from a file to an answer: who, what and when; sessions; the time between; live as in a file."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import unrolled as ur
from unrolled.cli.rows import Rows
from unrolled.errors import DataError, UsageError
from unrolled.tasks.next_step import NextStep

SMALL = {"model": "gru", "hidden": 4, "steps": 6, "batch": 8, "device": "cpu", "seed": 1, "plan": "fixed"}
KINDS = {"item": "tokens"}


def clicks(seed: int = 0, users: int = 30) -> list[dict[str, Any]]:
    """Who, what and when, in no order: a visit is some clicks a minute apart, and visits are hours apart."""
    dice = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        minute = 0
        for _ in range(int(dice.integers(3, 9))):
            minute += int(dice.choice([1, 2, 300]))
            time = f"2026-01-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00"
            rows.append({"user": f"u{user}", "item": f"i{dice.integers(12)}", "time": time})
    return [rows[at] for at in dice.permutation(len(rows))]


def as_csv(rows: list[dict[str, Any]], path: Path) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), "utf-8")
    return str(path)


def grouped(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["user"], []).append(row)
    return {user: sorted(events, key=lambda row: str(row["time"])) for user, events in found.items()}


def test_rows_become_visits_and_the_time_between_is_read(tmp_path: Path) -> None:
    source = as_csv(clicks(), tmp_path / "clicks.csv")
    said: list[str] = []
    options = {"by": "user", "order": "time", "gap": "1h", "inputs": ["item", "time"], "kinds": KINDS}
    trained = ur.fit(source, out=tmp_path / "run", say=said.append, **options, **SMALL)
    assert list(trained.task.coder.inputs) == ["item", "time"]
    assert any(line.startswith("input time: time since the previous event, ") for line in said)
    times = [[datetime.fromisoformat(row["time"]) for row in events] for events in grouped(clicks()).values()]
    sessions = sum(1 + sum(b - a > timedelta(hours=1) for a, b in pairwise(visit)) for visit in times)
    table = trained.predict(source)
    assert table.num_rows == sessions > 40
    assert {"item_predicted", "item_top", "item_top_p"} <= {*table.column_names}
    assert {"hit_at_10", "ndcg_at_10", "mrr"} <= trained.metrics["valid"].keys()
    assert {"follower", "unigram"} <= trained.baselines["valid"].keys()
    again = ur.load(tmp_path / "run")
    assert again.predict(source).equals(table)


@pytest.mark.parametrize("inputs", [["item"], ["item", "time"]])
@pytest.mark.parametrize("model", ["gru", "transformer"])
def test_live_is_as_in_the_file(inputs: list[str], model: str, tmp_path: Path) -> None:
    """C1: each event pushed as it comes, as a dict, as a line of CSV, and over a snapshot."""
    source = as_csv(clicks(), tmp_path / "clicks.csv")
    options = {"by": "user", "order": "time", "inputs": inputs, "kinds": KINDS, "tied": inputs == ["item"]}
    trained = ur.fit(source, out=tmp_path / "run", **options, **{**SMALL, "model": model})
    table = trained.predict(source).to_pylist()
    events = grouped(clicks())
    for row in table[:4]:
        live, lines, parsed = trained.stream(), trained.stream(), Rows(trained)
        for event in events[row["user"]]:
            answer = live.push(event)
            cells = ",".join(event.values())
            assert lines.push(parsed.parse(cells.encode())) == answer
            live = trained.stream(live.snapshot())
        assert answer["item_predicted"] == row["item_predicted"]
        assert answer["item_top"] == row["item_top"]
        assert answer["item_top_p"] == pytest.approx(row["item_top_p"], rel=1e-4)


def test_a_stream_whose_clock_goes_back_is_told_and_stays_as_it_was(tmp_path: Path) -> None:
    options = {"by": "user", "order": "time", "inputs": ["item", "time"], "kinds": KINDS}
    trained = ur.fit(as_csv(clicks(), tmp_path / "clicks.csv"), out=tmp_path / "run", **options, **SMALL)
    live, other = trained.stream(), trained.stream()
    live.push({"item": "i1", "time": "2026-01-01T10:00"})
    other.push({"item": "i1", "time": "2026-01-01T10:00"})
    for bad in ("2026-01-01T09:59", "soon"):
        with pytest.raises(DataError, match="the stream, column 'time'"):
            live.push({"item": "i2", "time": bad})
    late = {"item": "i2", "time": "2026-01-01T10:01"}
    assert live.push(late) == other.push(late)


def test_the_protocol_of_the_last_item(tmp_path: Path) -> None:
    """A file without a header, in the order of time; the last is the test, the one before it the validation."""
    rows = sorted(clicks(), key=lambda row: row["time"])
    (tmp_path / "clicks.txt").write_text("".join(f"{row['user'][1:]} {row['item'][1:]}\n" for row in rows), "utf-8")
    source, said = str(tmp_path / "clicks.txt"), []
    options = {
        "header": ["user", "item"],
        "by": "user",
        "kinds": KINDS,
        "valid": "last",
        "test": "last",
        "min_count": 1,
    }
    trained = ur.fit(source, out=tmp_path / "run", say=said.append, **options, **SMALL)
    assert "test: the last step of 30 of 30 sequences" in said
    assert not trained.task.coder.answer.framed
    # The protocol by hand: each history but its last item, answered alone.
    hits = []
    for events in grouped(rows).values():
        live = trained.stream()
        for event in events[:-1]:
            answer = live.push({"item": event["item"][1:]})
        hits.append(events[-1]["item"][1:] in answer["item_top"])
    assert trained.metrics["test"]["hit_at_10"] == pytest.approx(np.mean(hits))
    assert ur.load(tmp_path / "run").metrics == trained.metrics


def test_few_of_many_items_are_compared_with_and_resuming_is_to_the_bit(tmp_path: Path) -> None:
    data = [{"item": row["item"], "user": row["user"], "time": row["time"]} for row in clicks()]
    options = {"by": "user", "order": "time", "kinds": KINDS, "sampled_softmax": 5, "tied": True}
    said: list[str] = []
    one = ur.fit(data, out=tmp_path / "one", say=said.append, **options, **SMALL)
    assert any(line.startswith("sampled softmax: each step samples 5 of 15 items") for line in said)

    def stop(event: dict[str, Any]) -> None:
        if event["kind"] == "valid" and event["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ur.fit(data, out=tmp_path / "two", hooks=(stop,), checkpoint_every="1", **options, **SMALL)
    two = ur.fit(data, out=tmp_path / "two", resume=True)
    assert one.metrics == two.metrics
    for (name, a), b in zip(one.network.state_dict().items(), two.network.state_dict().values(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy()), name


def test_items_that_are_rare_are_unknown_and_it_is_said(tmp_path: Path) -> None:
    rows = [{"user": user, "item": item} for user in range(20) for item in ("a", f"own {user}", "b", f"rare {user}")]
    said: list[str] = []
    options = {"by": "user", "kinds": KINDS, "min_count": 3, "valid": "last"}
    trained = ur.fit(rows, out=tmp_path / "run", say=said.append, **options, **SMALL)
    assert "input item: 2 items" in said
    assert "train, item: 33.33% of the items are rare, or were not seen in training" in said
    assert "valid, item: 50.00% of the items are rare, or were not seen in training" in said
    assert trained.metrics["valid"]["hit_at_10"] == 0  # none of them can be answered


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"gap": "30m", "task": "classify"},
            UsageError,
            "gap needs order, the column that holds the time of each step",
        ),
        ({"gap": "soon", "order": "time"}, UsageError, "gap = 'soon'"),
        ({"gap": "30m", "order": "item"}, DataError, "column 'item': 'i[0-9]+' is no date, time or number"),
        (
            {"order": "time", "sampled_softmax": "some"},
            UsageError,
            "sampled_softmax must be a whole number, got 'some'",
        ),
        ({"order": "time", "softmax": "full"}, UsageError, r"unknown option softmax\. Did you mean sampled_softmax\?"),
        (
            {"target": "item", "task": "tag", "inputs": ["time"], "order": "time", "sampled_softmax": 0},
            UsageError,
            "sampled_softmax only works with the task 'next_step'; this run's task is 'tag'",
        ),
        (
            {"target": "item", "task": "fill", "kinds": KINDS, "order": "time", "tied": True},
            UsageError,
            "tied only works if the target is the next item of a list",
        ),
        (
            {"order": "time", "tied": True, "embedding": 3},
            UsageError,
            "tied needs embeddings as wide as the layer's outputs, 4: leave embedding out",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        ur.fit(clicks(), out=tmp_path / "run", by="user", **{**SMALL, **options})


@pytest.mark.parametrize(
    ("option", "value", "works"),
    [
        ("tied", True, "if the target is the next item of a list"),
        ("sampled_softmax", 9, "with lists of items; 'text' is tokens"),
    ],
)
def test_characters_are_no_items(option: str, value: object, works: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^{option} only works {works}$"):
        ur.fit({"text": ["abab", "baba"] * 9}, out=tmp_path / "run", **SMALL, **{option: value})


def test_a_model_that_never_saw_a_beginning_needs_a_prompt(tmp_path: Path) -> None:
    options = {"by": "user", "order": "time", "kinds": KINDS, "valid": "last"}
    trained = ur.fit(clicks(), out=tmp_path / "run", **options, **SMALL)
    with pytest.raises(
        UsageError, match="this model was not trained on the beginnings of sequences: give it a prompt to continue"
    ):
        trained.generate(" ")
    assert len("".join(trained.generate("i1", length=5)).split()) <= 5


def test_answers_are_tables_of_lists(tmp_path: Path) -> None:
    options = {"by": "user", "order": "time", "kinds": KINDS}
    trained = ur.fit(clicks(), out=tmp_path / "run", **options, **SMALL)
    row = trained.predict(clicks(1, 2)).to_pylist()[0]
    assert len(row["item_top"]) == len(row["item_top_p"]) == 10
    json.dumps(row["item_top"])


@pytest.mark.parametrize(
    ("asked", "items", "drawn"),
    [(None, 50_000, 0), (None, 50_001, 4_096), (0, 10**6, 0), (77, 90, 77)],
)
def test_of_very_many_items_few_are_compared_with_unasked(asked: int | None, items: int, drawn: int) -> None:
    task = NextStep.__new__(NextStep)  # without a vocabulary of so many items
    task.options, task.outputs, task.first_item = NextStep.Options(sampled_softmax=asked), items, 3
    assert task._candidates() == drawn
