"""Inputs of many numbers a step, such as sound, video or a picture in rows, along the time of the row.

Axes: T steps, W numbers of a step.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np

from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Channels
from unrolled.page.document import Grid, Section, escaped
from unrolled.views.looked import NARROW, ROW, Looked, width_of

__all__ = ["pictures"]

_TALL = 256  # numbers of a step that a map shows
_FRAMES, _BYTES = 64, 2_000_000  # pictures of a row on a page, and how large they are together
_SPREAD = 3.0  # scaled numbers beyond this have the colour of its end


def pictures(looked: Looked) -> Iterator[Section]:
    """A map for each input that is too wide to be read as numbers, with its pictures where it is made of some."""
    if looked.hidden:
        return
    for name, encoding in looked.task.coder.inputs.items():
        values = looked.batch.inputs.get(name)
        if values is None or values.dim() != 3 or values.shape[1] != looked.trace.steps or not looked.trace.steps:
            continue
        read = values[0].cpu().numpy()
        width = width_of(encoding, read)
        drawn = name == looked.task.coder.target and looked.task.mixing == "sigmoid"  # as a roll
        if width > NARROW and not drawn:
            yield _section(name, encoding, read[:, :width])


def _section(name: str, encoding: Encoding, values: np.ndarray) -> Section:
    width = values.shape[1]
    together = -(-width // _TALL)  # neighbours that share a line of the map
    lines = np.add.reduceat(values, np.arange(0, width, together), 1) / np.diff([*range(0, width, together), width])
    named = isinstance(encoding, Channels) and together == 1
    names = [str(one) for one in encoding.channels] if named and isinstance(encoding, Channels) else []
    data: dict[str, Any] = {
        "values": Grid(lines, -_SPREAD, _SPREAD),
        "names": names if len(names) == lines.shape[1] else [str(n + 1) for n in range(lines.shape[1])],
        "together": together,
        **_frames(encoding, values),
    }
    said = "Scaled as the model reads them: 0 is the mean of the training data, 1 a standard deviation."
    most = f" {together} neighbouring numbers share a line." if together > 1 else ""
    whole = f'<p><img alt="{escaped(name)}" src="{data.pop("whole")}"></p>' if "whole" in data else ""
    return Section(f"What is read: {name}", f"<p>{said}{most}</p>{whole}", "picture", data, ROW)


def _frames(encoding: Encoding, values: np.ndarray) -> dict[str, Any]:
    """The pictures of the row: one for all steps, or one for each of some steps; nothing where there are none."""
    places = np.unique(np.linspace(0, len(values) - 1, min(_FRAMES, len(values))).astype(np.int64))
    try:
        first = encoding.decode(values[:1])
        made = encoding.decode(values[places]) if isinstance(first, list) else encoding.decode(values)
    except ValueError:  # a picture of which one step is only a part
        made = encoding.decode(values)
    if isinstance(made, bytes):
        return {"whole": _as_uri(made)}
    if not isinstance(made, list) or not made or not all(isinstance(one, bytes) for one in made):
        return {}
    if sum(map(len, made)) > _BYTES:
        keep = range(0, len(made), -(-sum(map(len, made)) // _BYTES))
        made, places = [made[at] for at in keep], places[[*keep]]
    return {"frames": [_as_uri(one) for one in made], "places": places.astype(np.int32)}


def _as_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
