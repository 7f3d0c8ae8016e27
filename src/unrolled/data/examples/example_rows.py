"""Made rows and live values, to try a model on: what its columns can hold, nothing of the user's data."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Labels, Scaled, Text
from unrolled.data.examples.preprocessor import Preprocessor

__all__ = ["example_rows", "example_values"]

_STEPS = (9, 1, 14)
_START = datetime.datetime(2024, 2, 28, 21, 30)


def example_rows(coder: Preprocessor) -> list[dict[str, Any]] | None:
    """Three rows, or ``None`` where a column holds recordings or pictures."""
    rng, rows = np.random.default_rng(0), []
    for steps in _STEPS:
        cells = {name: _cell(encoding, steps, rng) for name, encoding in coder.inputs.items()}
        if None in cells.values():
            return None
        row: dict[str, Any] = {}
        for name, cell in cells.items():
            joined = coder.joined if name == coder.target else ()
            row |= {channel: [step[k] for step in cell] for k, channel in enumerate(joined)} if joined else {name: cell}
        rows.append(row)
    return rows


def example_values(coder: Preprocessor) -> list[Any]:
    """What to push, one after another; empty where a step needs more than one value of each column."""
    row = {name: _steps(coder.inputs.get(name), cell) for name, cell in (example_rows(coder) or [{}])[0].items()}
    steps = max((len(cell) for cell in row.values() if isinstance(cell, list)), default=0)
    texts = [cell for cell in row.values() if isinstance(cell, str)]
    if len(row) == 1 and texts:
        return texts
    return [{name: cell[t] if isinstance(cell, list) else cell for name, cell in row.items()} for t in range(steps)]


def _steps(encoding: Encoding | None, cell: Any) -> Any:
    """The values of a cell's steps as a list, where a stream takes them one by one: numbers, labels, letters of DNA."""
    if isinstance(cell, str) and isinstance(encoding, Text) and encoding.traits.whole:
        return [encoding.decode(np.array([one])) for one in encoding.encode_text(cell) if one != encoding.begin]
    return cell


def _cell(encoding: Encoding, steps: int, rng: np.random.Generator) -> Any:
    count = steps if encoding.spec.time else 1
    if encoding.traits.clock:
        times = [(_START + datetime.timedelta(minutes=17 * k * k)).isoformat(" ") for k in range(count)]
        return times if encoding.spec.time else times[0]
    if isinstance(encoding, Scaled):
        drawn = rng.normal(size=(count, len(encoding.scaling.mean))) * encoding.scaling.std + encoding.scaling.mean
        rounded = np.round(drawn, 4)
        if isinstance(encoding, Labels) or not encoding.spec.time:
            return rounded[0, 0].item()
        flat = encoding.traits.channels
        return rounded.tolist() if flat else rounded[:, 0].tolist()
    size = encoding.spec.size if hasattr(encoding.spec, "size") else 0
    if isinstance(encoding, Text):
        known = [id_ for id_ in range(size) if id_ not in (*encoding.never, encoding.begin, encoding.end)]
        return encoding.decode(rng.choice(known, count)) if known else None
    if isinstance(encoding, Labels) and size:
        first = size - len(encoding.labels)
        return encoding.decode(rng.integers(first, size, count))
    return None
