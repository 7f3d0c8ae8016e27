"""One offline HTML file out of sections: words, tables and pictures, and views that a reader can move through.

A view is drawn in the browser by the JavaScript of its name in ``parts/``; a file holds only those that it needs.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np

__all__ = ["Grid", "Section", "document", "escaped", "markup", "payload"]

_CORE = ("data", "cursor", "marks", "canvas", "quantities")  # what every view stands on, in this order
_NO_VALUE, _LEVELS = 255, 254
_ALIGNED = 8  # bytes: where an array of any type may begin


@dataclass(frozen=True, slots=True)
class Grid:
    """Numbers of which a picture shows the colour: each becomes one of `levels` between ``low`` and ``high``.

    What is not finite becomes "no value", which a view says; what is outside the range is drawn at its end.

    Attributes:
        values: (T, U) of any float type.
        low, high: the range; the least and the greatest finite value where it is not given.
        levels: how many levels there are, at most 255; with fewer the file is smaller.
    """

    values: np.ndarray
    low: float | None = None
    high: float | None = None
    levels: int = 255


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page, under a heading.

    Attributes:
        title: the heading, in plain text.
        body: HTML, made with `escaped` where it holds a user's words.
        view: the name of a view that is drawn below the body; empty for none.
        data: what the view draws: dicts, lists, numbers, strings, NumPy arrays and `Grid`.
        group: sections of one group share their step and unit: to move in one is to move in all.
        folded: closed until the reader opens it.
        wide: it takes the whole width; others stand two beside each other where there is room.
        first: the number of the first step that its view draws.
    """

    title: str
    body: str = ""
    view: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    group: str = ""
    folded: bool = False
    wide: bool = True
    first: int = 0


def escaped(text: object) -> str:
    """Text as HTML."""
    return html.escape(str(text))


def document(
    title: str, subtitle: str, sections: Sequence[Section], *, live: bool = False, later: Iterable[str] = ()
) -> str:
    """The page.

    Args:
        title, subtitle: plain text.
        sections: in the order in which they are read.
        live: the page may talk to the server that it came from, and to nothing else.
        later: the names of views that the page may draw of what the server sends.

    Example:
        >>> page = document("Bach", "one row", [Section("Words", "<p>Nothing is loaded.</p>")])
        >>> "Nothing is loaded" in page, "default-src 'none'" in page, "//" in page.partition("<script>")[0]
        (True, True, False)
    """
    views = dict.fromkeys(each.view for each in sections if each.view)
    numbers = payload(sections)
    return (
        _part("template.html")
        .replace("{{connect}}", "'self'" if live else "'none'")
        .replace("{{ready}}", "" if views else ' data-ready="true"')  # else the last part says so
        .replace("{{title}}", escaped(title))
        .replace("{{subtitle}}", escaped(subtitle))
        .replace("{{style}}", _part("page.css"))
        .replace("{{sections}}", markup(sections))
        .replace("{{page}}", _json({name: each for name, each in numbers.items() if name != "blob"}))
        .replace("{{blob}}", numbers["blob"])
        .replace("{{script}}", _script({**dict.fromkeys(later), **views}) if views else "")
    )


def payload(sections: Sequence[Section]) -> dict[str, Any]:
    """What the views of ``sections`` draw: ``views`` and ``arrays`` say what is where, and ``blob`` is the numbers.

    Args:
        sections: those without a view are left out.
    """
    pack = _Pack()
    views = [
        {
            "view": each.view,
            "group": each.group,
            "first": each.first,
            "title": each.title,
            "data": pack.packed(each.data),
        }
        for each in sections
        if each.view
    ]
    return {"views": views, "arrays": pack.arrays, "blob": pack.blob()}


def _script(views: Iterable[str]) -> str:
    """What all views stand on, then each in a block, so that two may use the same name."""
    parts = [*(_part(f"{name}.js") for name in _CORE), *(f"{{\n{_part(f'{name}.js')}\n}}" for name in views)]
    return "\n".join([*parts, _part("main.js")])


def _part(name: str) -> str:
    return files("unrolled.page").joinpath("parts", name).read_text(encoding="utf-8")


def markup(sections: Sequence[Section], prefix: str = "h") -> str:
    """The sections as HTML; the ids of their headings begin with ``prefix``."""
    lines, number = [], 0
    for at, each in enumerate(sections):
        view = ""
        if each.view:
            view, number = f'<div class="view" data-view="{number}"></div>', number + 1
        heading = f'<h2 id="{prefix}{at}">{escaped(each.title)}</h2>'
        width = "" if each.wide else ' class="half"'
        if each.folded:
            inside = f"<details><summary>{heading}</summary>{each.body}{view}</details>"
        else:
            inside = f"{heading}{each.body}{view}"
        lines.append(f'<section{width} aria-labelledby="{prefix}{at}">{inside}</section>')
    return "\n".join(lines)


def _json(value: Any) -> str:
    """JSON that cannot end the script that it stands in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


class _Pack:
    """Takes the arrays out of nested data and lays them behind each other in one compressed blob."""

    def __init__(self) -> None:
        self.arrays: list[dict[str, Any]] = []
        self._bytes = bytearray()
        self._known: dict[
            int, tuple[Any, int]
        ] = {}  # id -> the array itself, so that the id stays its own, and its number

    def packed(self, value: Any) -> Any:
        """The same, with ``{"$": number}`` in place of each array, and ``None`` for what JSON has no number for."""
        if isinstance(value, dict):
            return {str(name): self.packed(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.packed(one) for one in value]
        if isinstance(value, Grid | np.ndarray):
            if id(value) not in self._known:
                number = self._grid(value) if isinstance(value, Grid) else self._numbers(value)
                self._known[id(value)] = value, number
            return {"$": self._known[id(value)][1]}
        if isinstance(value, np.generic):
            return self.packed(value.item())
        return None if isinstance(value, float) and not np.isfinite(value) else value

    def _numbers(self, values: np.ndarray) -> int:
        kind = "f4" if values.dtype.kind == "f" else "u1" if values.dtype == np.uint8 else "i4"
        return self._array(values.astype(f"<{kind}"), {"type": kind})

    def _grid(self, grid: Grid) -> int:
        values = np.asarray(grid.values, dtype=np.float32)
        known = values[np.isfinite(values)]
        low = float(known.min()) if grid.low is None and known.size else float(grid.low or 0.0)
        high = float(known.max()) if grid.high is None and known.size else float(grid.high or 1.0)
        share = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
        coarse = np.rint(share * (grid.levels - 1)) / (grid.levels - 1)
        levels = np.where(np.isfinite(values), np.rint(coarse * _LEVELS), _NO_VALUE).astype(np.uint8)
        return self._array(levels, {"type": "u1", "low": low, "high": high})

    def _array(self, values: np.ndarray, what: dict[str, Any]) -> int:
        self._bytes += b"\0" * (-len(self._bytes) % _ALIGNED)
        width = int(np.prod(values.shape[1:])) if values.ndim > 1 else 1
        self.arrays.append({**what, "at": len(self._bytes), "length": values.size, "width": width})
        self._bytes += np.ascontiguousarray(values).tobytes()
        return len(self.arrays) - 1

    def blob(self) -> str:
        # mtime: the same numbers are the same file.
        return base64.b64encode(gzip.compress(bytes(self._bytes), 6, mtime=0)).decode()
