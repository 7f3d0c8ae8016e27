"""``unrolled inspect``: what a trained model remembers, which of its gates are stuck, and where it is most wrong."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from unrolled.cli.output import Told, emit, note, number, page_file, table
from unrolled.errors import UsageError
from unrolled.runs.progress import Progress
from unrolled.storage.directories import write_file

if TYPE_CHECKING:
    from unrolled.runs.beside import Beside
    from unrolled.runs.inspecting import Inspection

__all__ = ["inspect"]

_WIDTH, _INDENT, _CELL = 110, 13, 24  # characters


def inspect(
    run: str,
    file: str | None = None,
    /,
    *,
    row: int = 0,
    steps: str | None = None,
    why: int | None = None,
    text: str | None = None,
    out: str | None = None,
    units: int = 0,
    against: str | None = None,
    no_text: bool = False,
    live: bool = False,
    port: int = 0,
    no_open: bool = False,
    told: Told | None = None,
) -> None:
    """Say what a trained model remembers, how much context helps, what its units do, and where it errs.

    Each verdict is a sentence with a number and what to do. The last one proves that the gates that were looked at are
    those of the model.

    Args:
        run: The run directory that fit wrote.
        file: Data with the columns of the training data, best with the target; - for stdin, which may be plain text if
            the model was trained on text files. Default: the validation split of the run.
        row: Row whose steps are looked at one by one, from 0.
        steps: Steps of this row to look at, such as 0:200, from 0 and without the last. Default: the first 1000.
        why: Step of the row whose answer is explained: what it rests on. Default: the one with the highest loss.
        text: A text to inspect in place of a file, for a model that reads texts.
        out: Write a page to this file: HTML that works offline and holds the row itself.
        units: Units of each layer on the page and in --json, those that follow something best. Default: all on a page
            of at most 5000 steps, else 64.
        against: Run of another model that is asked the same, to be set beside this one on the same data.
        live: Open the page in the browser and answer it, until Ctrl-C, or half an hour without a request: type and
            watch, hold units still.
        port: Port of the live page, on this machine only. Default: any free one.
        no_open: Say the address of the live page, and open no browser.
        no_text: Replace the letters and digits of the row by x and 0 on the page.
    """
    told = told or Told()
    from unrolled import api

    wanted = _steps(steps)
    if not 0 <= port <= 65_535:
        raise UsageError(f"--port takes a number up to 65535, not {port}")
    if units < 0:
        raise UsageError(f"--units takes a number of units, not {units}")
    if not live and (port or no_open):
        raise UsageError(f"{'--port' if port else '--no-open'} only works with --live")
    if no_text and out is None and not live:
        raise UsageError("--no-text only works with --out")
    if live and (told.json or no_text):
        raise UsageError(
            f"--live shows the row in a browser, so it does not go with {'--json' if told.json else '--no-text'}"
        )
    page = None if out is None else page_file(out)
    trained, other = api.load(run), None if against is None else api.load(against)
    with Progress(quiet=told.quiet):
        found = api.inspect(trained, file, row=row, steps=wanted, against=other, why=why, text=text)
    if page is not None:
        write_file(page, found.to_html(units=units, hide=no_text).encode())
        held = "with its letters and digits replaced" if no_text else "the page holds it"
        note(f"wrote {page}: it shows row {found.row} of {found.data}; {held}", quiet=told.quiet)
    if told.json:
        emit({"run": run, "file": file, **found.to_json(units=units)})
        return
    for line in found.notes:
        note(f"note: {line}", quiet=told.quiet)
    print(_page(found))
    if live:
        from unrolled.runs.live_inspection import serve

        note("on this machine only, until Ctrl-C or half an hour without a request", quiet=told.quiet)
        serve(trained, found, port=port, browser=not no_open)


def _steps(asked: str | None) -> slice | None:
    """``A:B``, of which either may be left out."""
    if asked is None:
        return None
    found = re.fullmatch(r"([0-9]*):([0-9]*)", asked)
    if found is None:
        raise UsageError(f"--steps takes two numbers of steps, such as 0:200, not {asked!r}")
    start, stop = found.groups()
    return slice(int(start or 0), int(stop) if stop else None)


def _page(found: Inspection) -> str:
    lines = [f"{'on':<{_INDENT}}{found.data}"]
    before = ""
    for about, sentence in found.verdicts:
        about, before = "" if about == before else about, about
        lines += textwrap.wrap(sentence, _WIDTH, initial_indent=f"{about:<{_INDENT}}", subsequent_indent=" " * _INDENT)
    if found.worst:
        head = ["step", "loss", "came", "expected", "p", "after"]
        rows = [
            [
                f"{one.step:,}",
                number(one.loss),
                _cell(one.came),
                _cell(one.expected),
                number(one.chance),
                _cell(one.after) if one.after else "",
            ]
            for one in found.worst
        ]
        shown = [at for at in range(len(head)) if any(row[at] for row in rows)]
        lines += ["", table([head[at] for at in shown], [[row[at] for at in shown] for row in rows])]
    if found.against is not None and found.against.disagreements:
        lines += ["", _differences(found.against)]
    return "\n".join(lines)


def _differences(found: Beside) -> str:
    """Where two runs differ most."""
    head = ["row", found.unit, "this loss", "the other", "came", "this expected", "the other expected"]
    rows = [
        [
            f"{one.row:,}",
            f"{one.begin:,}",
            number(one.ours),
            number(one.theirs),
            _cell(one.came),
            *(["", ""] if one.expected is None else map(_cell, one.expected)),
        ]
        for one in found.disagreements
    ]
    return table(head, rows)


def _cell(value: object) -> str:
    """A value in a few characters; the end of a text is kept, and blanks can be seen."""
    if isinstance(value, float):
        return number(value)
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _CELL else f"…{text[1 - _CELL :]}"
