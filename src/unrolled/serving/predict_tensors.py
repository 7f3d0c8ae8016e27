"""Tensors of the Open Inference Protocol: rows out of them, and predictions as such.

Axes: B rows, T steps, W channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct, field

from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Channels, Items, Scaled, Text
from unrolled.runs.trained import Trained
from unrolled.serving.messages import decoded, encoded
from unrolled.serving.refusals import Refused

__all__ = ["Infer", "answered", "inputs_of", "outputs_of"]

_FLOAT, _TEXT, _COUNT, _LENGTHS = "FP64", "BYTES", "INT64", "lengths"
_NUMBERS = {"FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL"}


class Tensor(Struct):
    """A tensor: its values in order, nested or flat."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Wanted(Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class Infer(Struct):
    """A request for predictions."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Wanted] = field(default_factory=list)
    parameters: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(Infer)


def answered(trained: Trained, body: pa.Buffer, asked: Mapping[str, str]) -> bytes:
    """The answers to rows, as `Trained.predict` gives them.

    Args:
        trained: the model, which opens no files.
        body: a request of the protocol.
        asked: what the answer says of the model: ``name`` and ``version``.

    Raises:
        Refused: there is no such output, or a tensor does not fit.
        DataError: as for `Trained.predict`.
    """
    wanted: Infer = decoded(_decoder, memoryview(body))
    rows = _rows(wanted.inputs, inputs_of(trained))
    table = trained.predict(rows)
    outputs = _outputs({name: table.column(name).to_pylist() for name in table.column_names if name not in rows[0]})
    names = [one.name for one in wanted.outputs] or list(outputs)
    if unknown := [name for name in names if name not in outputs]:
        raise Refused("BadRequest", f"there is no output {unknown[0][:60]!r}; there are {', '.join(outputs)}")
    told = {"model_name": asked["name"], "model_version": asked["version"]}
    told |= {} if wanted.id is None else {"id": wanted.id}
    return encoded({**told, "outputs": [outputs[name] for name in names]})


def outputs_of(trained: Trained) -> list[dict[str, Any]]:
    """The name, type and shape of each tensor that a model gives."""
    columns = trained.task.recipe.get("columns", {f"{trained.task.coder.target}_predicted": None})
    return [
        {"name": name, "datatype": _TEXT if of is None else _FLOAT, "shape": [-1, -1] if of and of[1:] else [-1]}
        for name, of in columns.items()
    ]


def inputs_of(trained: Trained) -> dict[str, tuple[str, list[int]]]:
    """The name, type and shape of each tensor that a model reads."""
    coder = trained.task.coder
    found: dict[str, tuple[str, list[int]]] = {}
    for name, encoding in coder.inputs.items():
        if name == coder.target and coder.joined:
            found |= {channel: (_FLOAT, [-1, -1]) for channel in coder.joined}
        else:
            found[name] = _type(encoding)
    if any(len(shape) > 1 for _, shape in found.values()):
        found[_LENGTHS] = _COUNT, [-1]
    return found


def _type(encoding: Encoding) -> tuple[str, list[int]]:
    if isinstance(encoding, Scaled) and not encoding.traits.clock:
        if isinstance(encoding, Channels) and encoding.traits.channels:
            return _FLOAT, [-1, -1, len(encoding.channels)]
        return _FLOAT, [-1, -1] if encoding.spec.time else [-1]
    whole = isinstance(encoding, Text) and not isinstance(encoding, Items)
    return _TEXT, [-1, -1] if encoding.spec.time and not whole else [-1]


def _rows(tensors: list[Tensor], wanted: dict[str, tuple[str, list[int]]]) -> list[dict[str, Any]]:
    given = {tensor.name: tensor for tensor in tensors}
    if missing := [name for name in wanted if name not in given and name != _LENGTHS]:
        raise Refused("BadRequest", f"the input {missing[0]!r} is missing; the model reads {', '.join(wanted)}")
    cells = {name: _cells(given[name], *wanted[name]) for name in wanted if name in given}
    counts = {len(column) for column in cells.values()}
    if len(counts) != 1 or not next(iter(counts)):
        raise Refused("BadRequest", "the inputs must have the same number of rows, at least one")
    lengths = cells.pop(_LENGTHS, None)
    timed = {name for name in cells if len(wanted[name][1]) > 1}
    if lengths is not None and not all(isinstance(length, int) and length >= 0 for length in lengths):
        raise Refused("BadRequest", f"{_LENGTHS!r} must hold whole numbers from 0 on")
    rows = []
    for place in range(len(next(iter(cells.values())))):
        stop = None if lengths is None else lengths[place]
        rows.append({name: column[place][:stop] if name in timed else column[place] for name, column in cells.items()})
    return rows


def _cells(tensor: Tensor, kind: str, shape: list[int]) -> list[Any]:
    """The cells of a column, one a row."""
    fits = tensor.datatype in _NUMBERS if kind != _TEXT else True
    sizes = zip(tensor.shape, shape, strict=False)
    if not fits or len(tensor.shape) != len(shape) or any(-1 < want != size for size, want in sizes):
        found, expected = f"{tensor.datatype} {tensor.shape}", f"{kind} {shape}, -1 for any size"
        raise Refused("BadRequest", f"the input {tensor.name!r} is {found}, expected {expected}")
    flat = _flat(tensor.data)
    size = 1
    for axis in tensor.shape:
        size *= max(axis, 0)
    if len(flat) != size or min(tensor.shape) < 0:
        raise Refused("BadRequest", f"the input {tensor.name!r} has {len(flat)} values for the shape {tensor.shape}")
    if not size:
        return [[] for _ in range(tensor.shape[0])]
    for axis in reversed(tensor.shape[1:]):
        flat = [flat[at : at + axis] for at in range(0, len(flat), axis)]
    return flat


def _flat(values: list[Any]) -> list[Any]:
    found = values
    while any(isinstance(value, list) for value in found):
        found = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return found


def _outputs(columns: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """The columns of the answers as tensors; rows of lists are padded, and their lengths stand beside them."""
    found: dict[str, dict[str, Any]] = {}
    for name, cells in columns.items():
        if not any(isinstance(cell, list) for cell in cells):
            found[name] = _tensor(name, cells, [len(cells)])
            continue
        lengths = [len(cell) for cell in cells]
        width = max((len(step) for cell in cells for step in cell if isinstance(step, list)), default=None)
        filler: Any = "" if any(isinstance(one, str) for one in _flat(cells)) else 0.0
        padded = [cell + [filler if width is None else [filler] * width] * (max(lengths) - len(cell)) for cell in cells]
        shape = [len(cells), max(lengths), *([] if width is None else [width])]
        found[name] = _tensor(name, _flat(padded), shape)
        found[f"{name}_{_LENGTHS}"] = {
            "name": f"{name}_{_LENGTHS}", "datatype": _COUNT, "shape": [len(cells)], "data": lengths
        }  # fmt: skip
    return found


def _tensor(name: str, values: list[Any], shape: list[int]) -> dict[str, Any]:
    numbers = all(isinstance(value, int | float) for value in values)
    data = [float(value) for value in values] if numbers else ["" if value is None else str(value) for value in values]
    return {"name": name, "datatype": _FLOAT if numbers else _TEXT, "shape": shape, "data": data}
