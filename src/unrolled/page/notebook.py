"""Results as short HTML for a cell of a notebook, without scripts: it is still there when the notebook is reopened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from unrolled.page.scales import written
from unrolled.page.svg import words

__all__ = ["cell", "facts", "grid", "metrics_grid", "notebook_output", "sentences"]

_TITLE, _LINE = "font-weight:600;margin:0 0 6px", "margin:4px 0;max-width:80ch"
# The colours of JupyterLab and of Visual Studio Code where there are any, else those of a light page.
_COLOURS = {
    "ink": "var(--jp-content-font-color1, var(--vscode-foreground, #1b1b1b))",
    "soft": "var(--jp-content-font-color2, var(--vscode-descriptionForeground, #555555))",
    "faint": "var(--jp-border-color2, var(--vscode-panel-border, #d5d5d5))",
    "bg": "var(--jp-layout-color0, var(--vscode-editor-background, #ffffff))",
}
_STYLE = ";".join(f"--{name}:{value}" for name, value in _COLOURS.items())


def cell(title: str, *parts: str) -> str:
    """A title and parts, which are HTML, in the colours of the notebook.

    Args:
        title: plain text.
        parts: made by the functions below, or pictures of `unrolled.page.chart`; empty ones are left out.
    """
    inside = "".join(parts)
    look = f"{_STYLE};color:var(--ink);font-family:system-ui,sans-serif;font-size:13px;line-height:1.45"
    return f'<div class="unrolled" style="{look}"><p style="{_TITLE}">{words(title)}</p>{inside}</div>'


def grid(head: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> str:
    """A table; numbers are aligned right, and the first column and those with words left. ``title`` stands above it.

    Example:
        >>> grid(["", "mse"], [["a<b", 0.5]]).count("<td"), "a&lt;b" in grid(["", "mse"], [["a<b", 0.5]])
        (1, True)
    """
    rows = list(rows)
    left = [not place or any(_is_words(row[place]) for row in rows) for place in range(len(head))]
    names = "".join(_box("th", name, first=early, scope="col") for name, early in zip(head, left, strict=True))
    lines = "".join(f"<tr>{_line(row, left)}</tr>" for row in rows)
    above = f'<caption style="text-align:left;padding:2px 0">{words(title)}</caption>' if title else ""
    look = "border-collapse:collapse;margin:6px 0;font-variant-numeric:tabular-nums"
    return f'<table style="{look}">{above}<thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table>'


def metrics_grid(metrics: Mapping[str, float], others: Mapping[str, Mapping[str, float]], own: str, title: str) -> str:
    """A table with a column for each measure: the ``own`` line, and below it the others, in their given order."""
    rows = [(own, metrics), *others.items()]
    return grid(["", *metrics], [[name, *(values.get(one) for one in metrics)] for name, values in rows], title)


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Names and what is to be said of them, in two columns."""
    rows = "".join(
        f"<tr>{_box('th', name, first=True, scope='row')}{_box('td', value, first=True)}</tr>" for name, value in pairs
    )
    return f'<table style="border-collapse:collapse;margin:6px 0"><tbody>{rows}</tbody></table>'


def sentences(lines: Iterable[str]) -> str:
    """Sentences, each on its own line."""
    return "".join(f'<p style="{_LINE}">{words(line)}</p>' for line in lines)


def _is_words(value: Any) -> bool:
    """Whether a cell is read as words: a text without a digit at its beginning."""
    return isinstance(value, str) and bool(value) and not value.lstrip("+-−±")[:1].isdigit()


def _line(row: Sequence[Any], left: Sequence[bool]) -> str:
    return "".join(
        _box("th" if place == 0 else "td", value, first=left[place], scope="row" if place == 0 else "")
        for place, value in enumerate(row)
    )


def _box(tag: str, value: Any, *, first: bool, scope: str = "") -> str:
    text = "" if value is None else written(value) if isinstance(value, float) else str(value)
    weight = ";font-weight:600" if scope == "col" else ";font-weight:400" if scope else ""
    look = f"text-align:{'left' if first else 'right'};padding:2px 10px 2px 0;border-bottom:1px solid var(--faint)"
    return f'<{tag}{f" scope={chr(34)}{scope}{chr(34)}" if scope else ""} style="{look}{weight}">{words(text)}</{tag}>'


def notebook_output() -> Callable[[str], None] | None:
    """What shows HTML in one place of the notebook that runs this program, again and again; ``None`` elsewhere."""
    ipython: Any = sys.modules.get("IPython")  # a notebook has imported it
    shell = None if ipython is None else ipython.get_ipython()
    if not hasattr(shell, "kernel"):
        return None
    place = ipython.display.display(ipython.display.HTML(""), display_id=True)

    def show(html: str) -> None:
        place.update(ipython.display.HTML(html))

    return show
