"""torch: the model as one module of plain torch, for people who go on in code that they wrote.

Axes: B rows, T steps, C channels.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.batch import Continuous
from unrolled.cells.cell import Cell, WrittenCell, is_written
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Channels, Labels, Scaled, Text
from unrolled.errors import DataError, UsageError, named
from unrolled.export.exporter import Exporter, Subject
from unrolled.layers.crf import CRF
from unrolled.layers.embed import Embedded, Embedding, Numbers, OneHot
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.layer import Layer
from unrolled.layers.pooling import Pooling
from unrolled.layers.recurrent import Recurrent
from unrolled.state import walk
from unrolled.storage.tensors import save_tensors
from unrolled.tasks.task import Task

__all__ = ["Torch"]

_LENGTHS = (9, 1, 14)
_ORDERS = {"LSTM": ("i", "f", "g", "o"), "GRU": ("r", "z", "n"), "RNN": ("h",)}  # of the rows of torch.nn's weights
_ACTIVATIONS = ("Tanh", "Relu")


@runtime_checkable
class _Stacked(Protocol):
    """A model of columns, a stack of layers, and a head."""

    columns: InputEmbedding
    layer: Layer
    pooling: Pooling | None
    sides: nn.Module | None
    head: nn.Module
    head_weight: Tensor


class Torch(Exporter):
    """Writes ``model.py``, a module of plain torch with `nn.LSTM`, `nn.GRU` and `nn.RNN`, its weights and a check.

    Rows, steps, lengths and the state are as in ONNX. ``torch.export`` with dynamic rows and steps passes on it.
    """

    def __init__(self, options: Any) -> None:
        self.notes = list[str]()

    def files(self, subject: Subject) -> dict[str, bytes]:
        network = _stacked(subject)
        config, weights = _config(subject, network), _weights(network, subject.task)
        self.notes.append(f"{sum(one.numel() for one in weights.values()):,} numbers in model.safetensors")
        program = files("unrolled.export") / "folder" / "plain_model.py"
        return {
            "model.py": program.read_bytes(),
            "model.safetensors": save_tensors(weights),
            "config.json": _json(config),
            "example.json": _json(_example(subject, config)),
            "README.md": _readme(subject, config).encode(),
        }


def _stacked(subject: Subject) -> _Stacked:
    """The network, if it is made of what torch.nn has.

    Raises:
        UsageError: it is not; says what is missing, and what to do.
    """
    network, coder = subject.network, subject.task.coder
    if not isinstance(network, _Stacked):
        raise _refused(f"{network.title} has more parts than columns, recurrent layers and a head")
    if network.sides is not None or coder.sides:
        raise _refused("this model reads side sequences")
    if coder.strands is not None:
        both = named("both_strands")
        raise UsageError(
            f"a model that reads both strands is the mean of two passes: train it without {both} to export it"
        )
    if coder.by_window:
        scale = named("scale")
        raise UsageError(f"this model scales each window by itself: train it without {scale} window to export it")
    if isinstance(network.head, CRF):
        raise _refused("this model chooses its labels with a CRF")
    if not network.columns.timed:
        raise _refused("this model reads no column that has steps")
    layer = network.layer
    if not isinstance(layer, Recurrent) or (layer.bidirectional and layer.merge != "concat"):
        raise _refused(f"{network.title} is not one of torch's recurrent layers")
    for cells in layer.layers:
        if not _is_torchs(cells[0]):
            raise _refused(f"the cell {type(cells[0]).__name__} is not one of torch's (LSTM, GRU, and RNN)")
    return network


def _is_torchs(cell: Cell) -> bool:
    """Whether a layer of torch.nn computes what ``cell`` does."""
    if not is_written(cell):
        return False
    operator = cell.operator
    same = cell.gates == _ORDERS[operator.name] and all(operator.attributes.values())
    return same and all(one in _ACTIVATIONS for one in operator.activations)


def _refused(what: str) -> UsageError:
    return UsageError(f"{what}, which the export to torch does not have: export it to onnx instead")


def _config(subject: Subject, network: _Stacked) -> dict[str, Any]:
    task, layer = subject.task, cast(Recurrent, network.layer)
    return {
        "model": subject.network.title,
        "task": task.name,
        "columns": [
            _column(task, name, embedding)
            for name, embedding in zip(network.columns.specs, network.columns.embeddings, strict=True)
        ],
        "layers": [_layer(cells) for cells in layer.layers],
        "directions": 2 if layer.bidirectional else 1,
        "pool": None if network.pooling is None else network.pooling.kind,
        "width": layer.output_size,
        "outputs": task.outputs,
        "answer": {"column": task.coder.target, **task.recipe},
    }


def _layer(cells: Any) -> dict[str, Any]:
    cell = cast(WrittenCell, cells[0])
    state: Any = cell.initial_state(1, torch.zeros(()))
    described = {
        "kind": cell.operator.name,
        "inputs": cell.input_size,
        "hidden": cell.hidden_size,
        "directions": len(cells),
        "state": list(state._fields),
    }
    activations = cell.operator.activations
    return described | ({"nonlinearity": activations[0].lower()} if activations else {})


def _column(task: Task, name: str, embedding: Embedded | nn.Module) -> dict[str, Any]:
    spec, encoding = task.coder.specs[name], task.coder.inputs.get(name)
    described = {"name": name, "time": spec.time, "means": "" if encoding is None else encoding.rule}
    if isinstance(embedding, Embedding | OneHot):
        kind = "symbols" if isinstance(embedding, Embedding) else "one_hot"
        names = {"symbols": _names(encoding, embedding.size)}
        return {**described, "kind": kind, "size": embedding.size, "width": embedding.output_size, **names}
    if not isinstance(embedding, Numbers) or not isinstance(spec, Continuous):
        raise _refused(f"{name.partition(chr(0))[0]!r} is read by its letters or by a pretrained encoder")
    if not isinstance(encoding, Scaled):
        return {**described, "kind": "vectors", "channels": spec.width}
    scaling = encoding.scaling
    if scaling.timed and scaling.flagged:
        raise _refused(f"{name!r} says for how many steps its values have been missing")
    return {
        **described,
        "kind": "numbers",
        "channels": len(scaling.mean),
        "names": list(encoding.channels) if isinstance(encoding, Channels) else [name],
        "flagged": list(scaling.flagged),
        "logarithm": encoding.logarithm,
    }


def _names(encoding: Encoding | None, size: int) -> list[str | None]:
    """What each id stands for; ``None`` where it stands for nothing that can be written, such as ``<unknown>``."""
    if isinstance(encoding, Labels):
        labels = [str(label) for label in encoding.labels]
        return [None] * (size - len(labels)) + labels
    if isinstance(encoding, Text):
        special = {*encoding.never, encoding.begin, encoding.end}
        return [None if one in special else str(encoding.decode(np.array([one]))) for one in range(size)]
    return []


def _weights(network: _Stacked, task: Task) -> dict[str, Tensor]:
    """The weights by their names in ``model.py``."""
    found = {"head.weight": network.head_weight, "head.bias": cast(Tensor, network.head.bias)}
    for place, (name, embedding) in enumerate(zip(network.columns.specs, network.columns.embeddings, strict=True)):
        encoding = task.coder.inputs.get(name)
        if isinstance(embedding, Embedding):
            found[f"columns.{place}.weight"] = embedding.gain * embedding.weight
        elif isinstance(encoding, Scaled):
            found[f"columns.{place}.mean"] = torch.from_numpy(np.asarray(encoding.scaling.mean, np.float64))
            found[f"columns.{place}.std"] = torch.from_numpy(np.asarray(encoding.scaling.std, np.float64))
    for k, cells in enumerate(cast(Recurrent, network.layer).layers):
        for d, cell in enumerate(cells):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                found[f"layers.{k}.{d}.{name}_l0"] = getattr(cell, name)
    return found


def _example(subject: Subject, config: dict[str, Any]) -> dict[str, Any]:
    """Made rows, with the outputs and the state that the model itself gives."""
    rng, longest = np.random.default_rng(0), max(_LENGTHS)
    given, read = dict[str, Tensor](), dict[str, Tensor]()
    for column in config["columns"]:
        name = column["name"]
        shape = (len(_LENGTHS), longest) if column["time"] else (len(_LENGTHS),)
        if "size" in column:
            given[name] = read[name] = torch.from_numpy(rng.integers(0, column["size"], shape))
            continue
        drawn = rng.normal(size=(*shape, column["channels"]))
        encoding = subject.task.coder.inputs.get(name)
        if column["kind"] == "numbers" and isinstance(encoding, Scaled):
            shown = drawn * encoding.scaling.std + encoding.scaling.mean
            shown[..., column["flagged"]] = np.where(
                rng.random((*shape, 1)) < 0.2, np.nan, shown[..., column["flagged"]]
            )
            given[name] = torch.from_numpy(np.expm1(shown) if column["logarithm"] else shown)
            flat = shown.reshape(-1, column["channels"])
            scaled = encoding.scaling.apply(flat, np.isnan(flat), _never)
            read[name] = torch.from_numpy(scaled.reshape(*shape, -1))
        else:
            given[name] = read[name] = torch.from_numpy(drawn.astype(np.float32))
    lengths = torch.tensor(_LENGTHS)
    with torch.no_grad():
        outputs, state = subject.network(read, lengths)
    answers = {"outputs": outputs}
    if subject.network.causal:
        answers |= {path.removeprefix("state."): part for path, part, _ in walk(state, "state")}
    return {
        "inputs": {name: _array(value) for name, value in given.items()},
        "lengths": _array(lengths),
        "answers": {name: _array(value) for name, value in answers.items()},
    }


def _never(*given: Any) -> DataError:
    return DataError(f"a made number is out of range: {given}")


def _array(value: Tensor) -> dict[str, Any]:
    numbers = [None if one != one else one for one in value.flatten().tolist()]
    return {"shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch."), "values": numbers}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _shape(column: dict[str, Any]) -> str:
    axes = ["rows", *(["steps"] if column["time"] else []), *([] if "size" in column else [str(column["channels"])])]
    return f"({', '.join(axes)})"


def _readme(subject: Subject, config: dict[str, Any]) -> str:
    """What goes in, what comes out, and how to go on."""
    rows = "\n".join(
        f"| `{one['name']}` | {one['kind'].replace('_', '-')} | {_shape(one)} | {one['means']} |"
        for one in config["columns"]
    )
    outputs = "(rows, outputs)" if config["pool"] else "(rows, steps, outputs), 0 at padding"
    goes_on = (
        "`outputs, state = model(inputs, state=state)` goes on where each row has ended."
        if config["directions"] == 1
        else "This model reads each row in both directions, so it needs whole rows, and its state is empty."
    )
    return f"""# {subject.name}: {config["model"]}, {config["task"]}

Exported by Unrolled as a module of torch. Needs `pip install torch safetensors`, and nothing of Unrolled.

    python model.py --check

compares with the answers of the original to the made rows in `example.json`.

    from model import load
    model = load()
    outputs, state = model(inputs, lengths)

`inputs` holds a tensor for each column; `lengths` (rows,) int64 says how many steps of each row are real, and is left
out where all are. Padding may hold anything. There must be at least one row and one step.

{goes_on}

Call `model.train()` to go on training.

| column | kind | shape | what it holds |
|---|---|---|---|
{rows}

Symbols are ids: `config.json` lists what each stands for. Numbers are given in their own units; NaN is missing.

`outputs`, {outputs}, are what the network gives before answers are made of them; `config.json` says under "answer" how
that is done.

`torch.export.export(model, (inputs, lengths, state), dynamic_shapes=…)` works for any number of rows and steps. The
layers of `torch.nn` would fix the number of steps, so an exported program takes them one by one.
"""


MEMBER = Torch
