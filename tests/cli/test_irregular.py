"""Series as they come: uneven steps, values that are missing, and what holds for a whole series; live as in a file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cli.support import Done

from unrolled import api

Unrolled = Callable[..., Done]
STEPS = 40


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shops, each in one region, read minutes to hours apart; a third of what is measured is missing."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "sales.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["shop", "region", "date", "sales", "heat"])
        for shop in range(4):
            date = datetime(2026, 1, 1)
            for step in range(STEPS):
                date += timedelta(minutes=int(random.integers(1, 300)))
                known = [round(10 * (shop % 2) + np.sin(step), 3), round(random.normal(), 3)]
                gaps = ["" if random.random() < 0.33 else value for value in known]
                writer.writerow([f"s{shop}", ["south", "north"][shop % 2], date.isoformat(), *gaps])
    return path


@pytest.mark.parametrize(
    ("asked", "inputs"),
    [
        (
            ["--target", "sales", "--horizon", "3", "--lookback", "64", "--kinds", "date=elapsed"],
            ["sales", "region", "date", "heat"],
        ),
        (["--target", "region", "--inputs", "date,sales,heat"], ["date", "sales", "heat"]),
    ],
    ids=["forecast", "classify"],
)
def test_live_is_as_in_the_file(
    asked: list[str], inputs: list[str], sales: Path, unrolled: Unrolled, tmp_path: Path
) -> None:
    """C1: pushed line by line, and over a snapshot, each series ends with the answer that its row of the file has.

    A forecast from a file reads as many steps as ``lookback`` says, a stream all of them.
    """
    run, kept = tmp_path / "run", tmp_path / "session"
    words = ["--by", "shop", "--order", "date", *asked, "--model", "gru", "--hidden", 6, "--steps", 4, "--out", run]
    assert unrolled("fit", sales, *words).code == 0
    coder = api.load(run).task.coder
    assert list(coder.inputs) == inputs
    assert coder.inputs["heat"].spec.width == 3  # the value, whether it is missing, and for how long
    answers = unrolled("predict", run, sales, "--json").json["rows"]
    lines = sales.read_bytes().splitlines(keepends=True)[1:]
    for shop, row in enumerate(answers):
        steps = lines[shop * STEPS : (shop + 1) * STEPS]
        whole = unrolled("stream", run, stdin=b"".join(steps)).lines
        half = unrolled("stream", run, "--snapshot", kept, stdin=b"".join(steps[:11])).lines
        rest = unrolled("stream", run, "--restore", kept, stdin=b"".join(steps[11:])).lines
        assert half + rest == whole
        for name, answer in whole[-1].items():
            assert answer == (row[name] if isinstance(answer, str) else pytest.approx(row[name], rel=1e-5))


def test_what_is_known_ahead_on_a_command_line(unrolled: Unrolled, tmp_path: Path) -> None:
    lines = [f"{day},{'yes' if day % 5 == 0 else 'no'},{10.5 + 5 * (day % 5 == 0)}\n" for day in range(40)]
    past, whole, run = tmp_path / "past.csv", tmp_path / "whole.csv", tmp_path / "run"
    past.write_text("day,offer,sold\n" + "".join(lines))
    whole.write_text(past.read_text() + "40,yes,\n41,no,\n")
    asked = ["--order", "day", "--target", "sold", "--horizon", 2, "--hidden", 4, "--steps", 2, "--out", run]
    done = unrolled("fit", past, *asked, "--known-ahead", "offers")
    assert done.code == 3
    assert "column 'offers': there is no such column (Did you mean 'offer'?" in done.err
    done = unrolled("fit", past, *asked, "--known-ahead", "offer")
    assert "input offer: category, 2 labels, known 2 steps ahead" in done.err
    assert "category, 2 labels, known 2 steps ahead" in (run / "README.md").read_text()
    assert len(unrolled("predict", run, whole, "--json").json["rows"][0]["sold_predicted"]) == 2
    done = unrolled("predict", run, past)
    assert done.code == 3
    assert f"{past}, row 1: ends with 0 steps without sold, but the forecast covers 2 steps" in done.err
    done = unrolled("evaluate", run, past, "--origins", 2)
    assert done.code == 0
