"""Write SVG: elements, paths, text that is always valid XML, and colours that follow the page around them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from html import escape

import numpy as np

__all__ = [
    *("COLOURS", "HALO", "LETTER", "SERIES"),
    *("as_file", "colour", "element", "image", "number", "path", "plain", "shortened", "words"),
]

LETTER = 6.6  # pixels of an average letter at the size of 12
# The variables of parts/page.css: their values on a light page and on a dark one.
COLOURS = {
    "ink": ("#1b1b1b", "#eceff3"),
    "soft": ("#555555", "#b3bac4"),
    "faint": ("#d5d5d5", "#3b424c"),
    "bg": ("#ffffff", "#14161a"),
    "accent": ("#0b5cad", "#7cb7ff"),
    "low": ("#0b3c7d", "#2f7fc1"),
    "high": ("#d6473a", "#ff9e70"),
    "mark1": ("#0072b2", "#56b4e9"),
    "mark2": ("#b34b00", "#e69f00"),
    "mark3": ("#00704f", "#2bc49a"),
    "mark4": ("#9c4a80", "#dd92bd"),
    "mark5": ("#8a6d00", "#f0e442"),
}
# Words that can be read on any mark; a dict for `element`.
HALO: dict[str, float | str] = {
    "stroke": "var(--bg, #ffffff)",
    "stroke_width": 3,
    "stroke_linejoin": "round",
    "paint_order": "stroke",
}
SERIES = ("mark1", "mark2", "mark3", "mark4", "mark5")
_VARIABLE = re.compile(r"var\(--[\w-]+, (#\w+)\)")
_FIRST_CONTROL_PICTURE, _DELETE = 0x2400, 0x7F
_SIGNS = {"\n": "⏎", "\t": "⇥"}  # as the views of a page show them, and as most fonts have them


def colour(name: str) -> str:
    """The colour ``name`` of `COLOURS`: what the page says it is, else that of a light page.

    Example:
        >>> colour("accent")
        'var(--accent, #0b5cad)'
    """
    return f"var(--{name}, {COLOURS[name][0]})"


def words(text: str) -> str:
    r"""``text`` escaped for XML and HTML; a control character becomes its sign, half a surrogate pair ``�``.

    Example:
        >>> words("a<b\n")
        'a&lt;b⏎'
    """
    shown = "".join(_shown(letter) if not letter.isprintable() else letter for letter in text)
    return escape(shown)


def _shown(letter: str) -> str:
    code = ord(letter)
    if letter in _SIGNS:
        return _SIGNS[letter]
    if code < ord(" "):
        return chr(_FIRST_CONTROL_PICTURE + code)
    if code == _DELETE:
        return "␡"
    return "�" if 0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE else letter


def shortened(text: str, pixels: float) -> str:
    """``text``; if it is wider than ``pixels`` at the size of 12, its beginning and ``…``, of a path its end.

    Example:
        >>> shortened("a long name", 40), shortened("/a/long/path", 40)
        ('a lon…', '…/path')
    """
    most = max(2, int(pixels / LETTER))
    if len(text) <= most:
        return text
    return f"…{text[1 - most :]}" if "/" in text else f"{text[: most - 1]}…"


def number(value: float) -> str:
    """A coordinate with one decimal, without a useless ``.0``."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def element(name: str, content: str = "", /, **attributes: float | str) -> str:
    """One element; ``_`` in an attribute's name stands for ``-``, and ``content`` is XML already.

    Example:
        >>> element("text", "loss", x=3.0, text_anchor="end")
        '<text x="3" text-anchor="end">loss</text>'
    """
    written = "".join(
        f' {key.replace("_", "-")}="{number(value) if isinstance(value, float) else value}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def path(xs: np.ndarray, ys: np.ndarray) -> str:
    """The data of a path through points, in pieces: a point that is NaN ends one."""
    known = np.isfinite(xs) & np.isfinite(ys)
    starts = np.flatnonzero(np.diff(known, prepend=False) & known)
    ends = np.flatnonzero(np.diff(known, append=False) & known) + 1
    return "".join(_piece(xs[start:end], ys[start:end]) for start, end in zip(starts, ends, strict=True))


def _piece(xs: np.ndarray, ys: np.ndarray) -> str:
    points = [f"{number(x)} {number(y)}" for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
    # A piece of one point is a dot: a line of no length with round ends.
    return f"M{points[0]}L{' '.join(points[1:])}" if len(points) > 1 else f"M{points[0]}h0"


def image(wide: float, tall: float, title: str, about: str, content: str) -> str:
    """An element ``<svg>`` of so many pixels, which takes the width of the page around it.

    Args:
        wide, tall: its size, as far as its content knows.
        title, about: what is read aloud to those who cannot see it.
        content: elements.
    """
    told = element("title", words(title)) + element("desc", words(about))
    ground = element("rect", width=wide, height=math.ceil(tall), fill=colour("bg"))
    return element(
        "svg",
        told + ground + content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {number(wide)} {math.ceil(tall)}",
        role="img",
        aria_label=words(title),
        font_family="system-ui, Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif",
        font_size=12,
        fill=colour("ink"),
        style=f"max-width: {1.25 * wide:.0f}px",
    )


def plain(svg: str) -> str:
    """``svg`` with the colours of a light page in place of CSS variables, for programs that do not know these."""
    return _VARIABLE.sub(r"\1", svg)


def as_file(svg: str) -> str:
    """``svg`` as a separate file: plain colours, and those of a dark page where the reader prefers these."""
    dark = _rules((of, light, night) for light, night in COLOURS.values() for of in ("fill", "stroke"))
    style = f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>"
    head, start, rest = plain(svg).partition(">")
    return f"{head}{start}{style}{rest}\n"


def _rules(pairs: Iterable[tuple[str, str, str]]) -> str:
    return "".join(f'[{of}="{light}"]{{{of}:{night}}}' for of, light, night in pairs)
