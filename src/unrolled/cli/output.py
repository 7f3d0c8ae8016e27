"""What a command prints: results on stdout, as a table or one JSON object with a version; notes on stderr."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from unrolled.errors import UsageError

if TYPE_CHECKING:
    from unrolled.api import Trained

__all__ = ["SCHEMA", "Told", "comparison", "emit", "listed", "note", "number", "page_file", "table", "verdict"]

SCHEMA = 1

_WIDTH = 110  # characters in a line of prose


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Told:
    """The output flags of every command."""

    json: bool = False
    """Print one JSON object."""
    quiet: bool = False
    """Print only errors to stderr."""


def emit(values: dict[str, Any]) -> None:
    """Print ``values`` as one JSON object, the schema's version first."""
    print(json.dumps({"schema": SCHEMA, **values}, ensure_ascii=False, default=str), flush=True)


def note(text: str, *, quiet: bool = False) -> None:
    """Print ``text`` to stderr, unless ``quiet``."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def page_file(out: str) -> Path:
    """Where ``--out`` writes a page.

    Raises:
        UsageError: its name is not that of a page.
    """
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out writes a page, so its name has to end in .html, not {path.name or out!r}")
    return path


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as columns of text, the first column aligned left, the others right.

    >>> print(table(["", "mse"], [["model", "0.5"], ["last value", "0.75"]]))
                 mse
    model        0.5
    last value  0.75
    """
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, *rows):
        first, *rest = row
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *numbers]).rstrip())
    return "\n".join(lines)


def comparison(metrics: dict[str, float], others: dict[str, dict[str, float]], own: str = "this model") -> str:
    """A table of the ``own`` metrics, and below them the others, the best first.

    The columns begin with what a practitioner reads first, such as an accuracy or an error in units of the data.
    """
    from unrolled.metrics.metric import best_first, in_order

    metrics = in_order(metrics)
    return listed(metrics, best_first(others, next(iter(metrics), "")), own)


def listed(metrics: dict[str, float], others: dict[str, dict[str, float]], own: str) -> str:
    """A table of the ``own`` metrics, and below them the others in their given order."""
    rows = [(own, metrics), *others.items()]
    return table(["", *metrics], [[name, *(number(values.get(m)) for m in metrics)] for name, values in rows])


def verdict(trained: Trained, split: str) -> str:
    """What there is to say below the table of ``split``: the verdict, which weights were kept, and what to try."""
    return "\n".join(wrapped for line in trained.sentences(split) for wrapped in textwrap.wrap(line, _WIDTH))


def number(value: float | None) -> str:
    """Four digits; empty for ``None``."""
    return "" if value is None else f"{value:.4g}"
