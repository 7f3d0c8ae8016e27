"""Draw a tune as an SVG piano roll: time to the right, pitch upwards, a rectangle per note and a line per bar."""

from __future__ import annotations

from html import escape

from unrolled.music.tune import Tune

__all__ = ["to_svg"]

_WHOLE, _KEY = 160, 6  # pixels per whole note and per semitone
_LEFT, _TOP = 36, 24
_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
_BLACK = (1, 3, 6, 8, 10)


def to_svg(tune: Tune) -> str:
    r"""Draw the piano roll of a tune, without playing its repeats; each octave is labelled.

    Example:
        >>> from unrolled.music.abc import parse_abc
        >>> to_svg(parse_abc("T:Air\nL:1/4\nK:C\nCDE")).count('class="note"')
        3
    """
    low = min(note.pitch for note in tune.notes) - 2
    high = max(note.pitch for note in tune.notes) + 2
    ends = max(note.onset + note.duration for note in tune.notes)
    right, bottom = _LEFT + float(ends) * _WHOLE, _TOP + (high - low + 1) * _KEY
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right + 12:.0f}" height="{bottom + 12}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{_LEFT}" y="15">{escape(tune.title)}</text>',
    ]
    for pitch in range(low, high + 1):
        y = _TOP + (high - pitch) * _KEY
        if pitch % 12 in _BLACK:
            parts.append(_rectangle(_LEFT, y, right - _LEFT, _KEY, 'fill="#eee"'))
        if pitch % 12 == 0:
            parts.append(f'<text x="4" y="{y + _KEY}">{_NAMES[0]}{pitch // 12 - 1}</text>')
    for bar in tune.bars:
        x = _LEFT + float(bar.onset + bar.length) * _WHOLE
        parts.append(f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#bbb"/>')
    for note in tune.notes:
        x, y = _LEFT + float(note.onset) * _WHOLE, _TOP + (high - note.pitch) * _KEY
        width = max(float(note.duration) * _WHOLE - 1, 1)
        name = f"{_NAMES[note.pitch % 12]}{note.pitch // 12 - 1}"
        box = _rectangle(x, y, width, _KEY, 'class="note" fill="#36c" rx="2"')
        parts.append(f"{box[:-2]}><title>{name}</title></rect>")
    return "\n".join([*parts, "</svg>", ""])


def _rectangle(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" {style}/>'
