from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import warm
from cli.support import Done, Runs

from unrolled import api

Unrolled = Callable[..., Done]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
PROGRAM = "import sys; from unrolled.cli.main import main; sys.exit(main())"


def csv_rows(runs: Runs, count: int) -> list[list[str]]:
    return [line.split(",") for line in runs.file("load.csv").read_text().splitlines()[: count + 1]]


def test_every_form_of_a_row_has_the_same_answer(unrolled: Unrolled, runs: Runs) -> None:
    live = api.load(runs.load).stream()
    _, *rows = csv_rows(runs, 3)
    expected = [live.push({"load": float(row[1]), "temp": float(row[2])}) for row in rows]
    forms = {
        "json": [f'{{"temp": {row[2]}, "load": {row[1]}}}' for row in rows],
        "header": ["day,load,temp", *map(",".join, rows)],
        "header, other order": ["temp,extra,load", *(f"{row[2]},x,{row[1]}" for row in rows)],
        "the training order": [*map(",".join, rows)],
        "the columns that it reads": [",".join(row[1:]) for row in rows],
        "semicolons": [";".join(row) for row in rows],
    }
    for form, lines in forms.items():
        done = unrolled("stream", runs.load, stdin="\n".join(lines).encode())
        assert done.code == 0, form
        assert done.lines == expected, form


def test_a_model_of_one_column_takes_values_as_they_are(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ("--target", "load", "--ignore", "day,temp", "--horizon", 1, "--steps", 2, "--hidden", 4, "--out", run)
    assert unrolled("fit", runs.file("load.csv"), *words).code == 0
    done = unrolled("stream", run, stdin=b'10.5\n\n{"load": 11}\n')
    live = api.load(run).stream()
    assert done.lines == [live.push(10.5), live.push({"load": 11})]
    text = unrolled("stream", runs.text, stdin=b"t\nhe\n \n")
    assert [line["text_predicted"] is not None for line in text.lines] == [True] * 3


def test_a_bad_line_is_answered_and_changes_nothing(unrolled: Unrolled, runs: Runs) -> None:
    good = b'{"load": 9, "temp": 5}\n'
    bad = [
        b'{"load": 9}\n',
        b'{"load": "much", "temp": 5}\n',
        b'{"load": 9, \n',
        b"[1, 2\n",
        b"1,2,3,4\n",
        b"\xff,1\n",
        b"{" * 5000 + b"\n",
        b"9" * (1 << 21) + b"\n",
        b'{"load": NaN, "temp": 5}\n',
        b'{"load": 1e400, "temp": 5}\n',
    ]
    done = unrolled("stream", runs.load, stdin=good + b"".join(bad) + good)
    first, *errors, last = done.lines
    assert done.code == 3
    assert "10 lines could not be read" in done.err
    assert [(error["error"]["line"], error["error"]["exit_code"]) for error in errors] == [(n, 3) for n in range(2, 12)]
    assert errors[0]["error"]["message"].startswith("line 2: ")
    assert errors[0]["error"]["column"] == "temp"
    assert [first, last] == unrolled("stream", runs.load, stdin=good * 2).lines


def test_a_session_goes_on_from_its_snapshot(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    rows = [",".join(row).encode() + b"\n" for row in csv_rows(runs, 6)[1:]]
    whole = unrolled("stream", runs.load, stdin=b"".join(rows)).lines
    file = tmp_path / "session"
    first = unrolled("stream", runs.load, "--snapshot", file, stdin=b"".join(rows[:3]))
    assert f"continue it with --restore {file}" in first.err
    rest = unrolled("stream", runs.load, "--restore", file, stdin=b"".join(rows[3:]))
    assert first.lines + rest.lines == whole


def test_rows_that_are_not_the_next_step_are_named(
    unrolled: Unrolled, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    days = np.arange("2023-01-01", "2023-04-11", dtype="datetime64[D]")
    file, run, kept = tmp_path / "sales.csv", tmp_path / "run", tmp_path / "session"
    lines = [f"{day},{10 + 3 * (n % 7)}" for n, day in enumerate(days)]
    file.write_text("\n".join(["date,units", *lines]) + "\n")
    words = ("--target", "units", "--horizon", 2, "--steps", 2, "--hidden", 4, "--quiet", "--out", run)
    assert unrolled("fit", file, *words).code == 0

    def stream(*rows: str, restore: bool = False) -> Done:
        saved = ("--restore", kept) if restore else ("--snapshot", kept)
        return unrolled("stream", run, *saved, stdin="\n".join(["date,units", *rows]).encode())

    good = stream("2023-04-11,13", "2023-04-12,16")
    assert (good.code, len(good.lines)) == (0, 2)
    assert "step" not in good.err + caplog.text
    later = stream("2023-04-12,16", restore=True)  # the last row once more
    assert (later.code, len(later.lines)) == (0, 1)
    assert "row 3 of the stream, column 'date': '2023-04-12' repeats the time of the snapshot" in caplog.text
    odd = stream("2023-04-13,13", "2023-04-12,16", "2023-04-11,3", "2023-04-20,4")
    assert (odd.code, len(odd.lines)) == (0, 4)
    assert caplog.text.count("'2023-04-12' is before '2023-04-13'") == 1
    assert caplog.text.count("'2023-04-20' is 7 steps after '2023-04-13'") == 1
    assert "2 rows go back in time, 1 row leaves a gap; each was answered as the next step" in odd.err
    json_lines = unrolled(
        "stream", run, stdin=b'{"date": "2023-04-13", "units": 1}\n{"date": "2023-04-12", "units": 2}\n'
    )
    assert "1 row goes back in time" in json_lines.err
    assert "back in time" not in unrolled("stream", run, stdin=b"13\n16\n").err  # no times, nothing to compare


def test_a_snapshot_of_something_else_is_refused(unrolled: Unrolled, runs: Runs, tmp_path: Path) -> None:
    file = tmp_path / "session"
    unrolled("stream", runs.text, "--snapshot", file, stdin=b"t\n")
    other = unrolled("stream", runs.load, "--restore", file, stdin=b"1,2\n")
    assert other.code == 4
    assert "error: " in other.err
    file.write_bytes(b"nonsense")
    assert unrolled("stream", runs.load, "--restore", file).code == 4
    missing = unrolled("stream", runs.load, "--restore", tmp_path / "none")
    assert missing.code == 4
    assert "the snapshot cannot be read" in missing.err


def test_a_model_of_both_directions_says_why_it_cannot_stream(unrolled: Unrolled, runs: Runs) -> None:
    done = unrolled("stream", runs.both, stdin=b"x\n")
    assert done.code == 2
    assert "reads every sequence in both directions" in done.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_answers_are_live_and_a_signal_saves_the_session(runs: Runs, tmp_path: Path, number: int, code: int) -> None:
    file = tmp_path / "session"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with warm.Process(warm.COMMAND_LINE, "stream", runs.load, "--snapshot", file, **pipes) as process:
        for _ in range(3):
            process.stdin.write(b"0,10,5\n")
            process.stdin.flush()
            assert b"load_predicted" in process.stdout.readline()  # it comes before the next line is sent
        process.send_signal(number)
        err = process.stderr.read()
        assert process.wait() == code
    assert b"stopped by SIG" in err
    live = api.load(runs.load).stream()
    for _ in range(3):
        live.push({"load": 10, "temp": 5})
    assert live.snapshot() == file.read_bytes()


def test_without_a_header_the_order_is_that_of_training(unrolled: Unrolled, tmp_path: Path) -> None:
    """Also where the model itself reads its columns in another order, the target first."""
    rows = [f"{n % 7}.5,{n % 3}.25" for n in range(60)]
    (tmp_path / "ab.csv").write_text("a,b\n" + "\n".join(rows) + "\n")
    words = ("--target", "b", "--horizon", 1, "--steps", 2, "--hidden", 3, "--out", tmp_path / "run", "--quiet")
    assert unrolled("fit", tmp_path / "ab.csv", *words).code == 0
    told = unrolled("stream", tmp_path / "run", stdin=f"a,b\n{rows[0]}\n".encode())
    untold = unrolled("stream", tmp_path / "run", stdin=f"{rows[0]}\n".encode())
    assert told.lines == untold.lines


def test_a_stream_is_of_one_sequence(unrolled: Unrolled, tmp_path: Path) -> None:
    rows = [f"{shop},{day},{(day * (1 + (shop == 'B'))) % 5}.5" for shop in "AB" for day in range(40)]
    (tmp_path / "shops.csv").write_text("shop,day,sales\n" + "\n".join(rows) + "\n")
    words = ("--target", "sales", "--by", "shop", "--order", "day", "--horizon", 1, "--steps", 2, "--hidden", 3)
    done = unrolled("fit", tmp_path / "shops.csv", *words, "--out", tmp_path / "run")
    assert done.code == 0
    assert "unrolled stream" not in done.err
    mixed = unrolled(
        "stream", tmp_path / "run", stdin=("\n".join(["shop,day,sales", rows[0], rows[40], rows[1]])).encode()
    )
    assert mixed.code == 3
    good, bad, again = mixed.lines
    assert "sales_predicted" in good and "sales_predicted" in again
    assert "'B' is another sequence than 'A'" in bad["error"]["message"]
    assert unrolled("stream", tmp_path / "run", stdin=b"1.5\n").code == 0
