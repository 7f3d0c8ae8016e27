"""Save a picture as a file: SVG, PNG, or a page that works offline."""

from __future__ import annotations

from pathlib import Path

from unrolled.errors import MissingExtra, UnrolledError, UsageError, named
from unrolled.page.document import Section, document
from unrolled.page.svg import as_file, plain
from unrolled.storage.directories import write_file

__all__ = ["check_picture", "save_picture"]

_ENDINGS = (".svg", ".png", ".html")
_ZOOM = 2  # pixels of a PNG for each of the picture's own
_LETTER = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text y="9" font-family="{}">{}</text></svg>'


def check_picture(file: Path) -> None:
    """Check that a picture can be saved as ``file``, before there is one.

    Raises:
        UsageError: its name has no known ending.
        MissingExtra: it is to be a PNG, and the package that makes these is not installed.
    """
    ending = file.suffix.lower()
    if ending not in _ENDINGS:
        raise UsageError(f"{named('plot')} writes .svg, .png and .html files, not {file.name}: choose another name")
    if ending == ".png":
        _check_fonts()


def save_picture(file: Path, svg: str, title: str) -> None:
    """Save a picture of `unrolled.page.chart`, all or nothing, in the form that its name says.

    Args:
        file: its name, which `check_picture` has seen.
        svg: the picture.
        title: the heading, if it becomes a page.

    Raises:
        SpaceError: the disk is full; an existing file is kept.
    """
    ending = file.suffix.lower()
    if ending == ".html":
        write_file(file, document(title, "", [Section("Picture", svg)]).encode())
    else:
        write_file(file, _png(plain(svg), _ZOOM) if ending == ".png" else as_file(svg).encode())


def _png(svg: str, zoom: int = 1) -> bytes:
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise MissingExtra("resvg-py", "plot", "a picture as .png") from None
    return bytes(svg_to_bytes(svg_string=svg, zoom=zoom))


def _check_fonts() -> None:
    """Without any font a PNG would silently have no words."""
    fonts = "Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif"
    if _png(_LETTER.format(fonts, "M")) == _png(_LETTER.format(fonts, "")):
        raise UnrolledError("this machine has no font for a .png: install one, such as DejaVu Sans, or write .svg")
