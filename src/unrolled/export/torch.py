"""torch: the model as one module of plain torch, for people who go on in code that they wrote.

Axes: B rows, T steps, C channels.
"""

from __future__ import annotations

import json
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.batch import Continuous
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Channels, Labels, Scaled, Text
from unrolled.errors import DataError, UsageError, named
from unrolled.export._graphs import gaps_name
from unrolled.export._plain_program import program_of
from unrolled.export.exporter import Exporter, Subject
from unrolled.layers.crf import CRF
from unrolled.layers.embed import Embedded, Embedding, Numbers, OneHot
from unrolled.layers.inputs import InputEmbedding
from unrolled.layers.layer import Layer
from unrolled.layers.plain_torch import Plain
from unrolled.layers.pooling import Pooling
from unrolled.state import walk
from unrolled.storage.tensors import save_tensors
from unrolled.tasks.task import Task

__all__ = ["Torch"]

_LENGTHS = (9, 1, 14)


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
    """Writes ``model.py``, a module of plain torch, its weights and a check.

    Its layers are those of torch.nn where these compute the same: `nn.LSTM`, `nn.GRU`, `nn.RNN`, and linear maps.

    Rows, steps, lengths and the state are as in ONNX. ``torch.export`` with dynamic rows and steps passes on it.
    """

    def __init__(self, options: Any) -> None:
        self.notes = list[str]()

    def files(self, subject: Subject) -> dict[str, bytes]:
        network = _stacked(subject)
        layer = network.layer.plain()
        config, weights = _config(subject, network, layer), _weights(network, layer, subject.task)
        self.notes.append(f"{sum(one.numel() for one in weights.values()):,} numbers in model.safetensors")
        return {
            "model.py": program_of(layer.program).encode(),
            "model.safetensors": save_tensors(weights),
            "config.json": _json(config),
            "example.json": _json(_example(subject, config)),
            "README.md": _readme(subject, config).encode(),
        }


def _stacked(subject: Subject) -> _Stacked:
    """The network, if it is made of columns, one layer over time, and a linear head.

    Raises:
        UsageError: it is not; says what is missing, and what to do.
    """
    network, coder = subject.network, subject.task.coder
    if not isinstance(network, _Stacked):
        raise _refused(f"{network.title} has more parts than columns, a layer and a head")
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
    return network


def _refused(what: str) -> UsageError:
    return UsageError(f"{what}, which the export to torch does not have: export it to onnx instead")


def _config(subject: Subject, network: _Stacked, layer: Plain) -> dict[str, Any]:
    task = subject.task
    return {
        "model": subject.network.title,
        "task": task.name,
        "columns": [
            _column(task, name, embedding)
            for name, embedding in zip(network.columns.specs, network.columns.embeddings, strict=True)
        ],
        "layer": dict(layer.settings),
        "causal": network.layer.causal,
        "both_ways": network.layer.bidirectional,
        "pool": None if network.pooling is None else network.pooling.kind,
        "width": network.layer.output_size,
        "outputs": task.outputs,
        "answer": {"column": task.coder.target, **task.recipe},
    }


def _column(task: Task, name: str, embedding: Embedded | nn.Module) -> dict[str, Any]:
    spec, encoding = task.coder.specs[name], task.coder.inputs.get(name)
    rule = "" if encoding is None else encoding.rule
    described: dict[str, Any] = {"name": name, "beside": [], "time": spec.time, "means": rule}
    if isinstance(embedding, Embedding | OneHot):
        kind = "symbols" if isinstance(embedding, Embedding) else "one_hot"
        names = {"symbols": _names(encoding, embedding.size)}
        return {**described, "kind": kind, "size": embedding.size, "width": embedding.output_size, **names}
    if not isinstance(embedding, Numbers) or not isinstance(spec, Continuous):
        raise _refused(f"{name.partition(chr(0))[0]!r} is read by its letters or by a pretrained encoder")
    if not isinstance(encoding, Scaled):
        return {**described, "kind": "vectors", "channels": spec.width}
    scaling = encoding.scaling
    return {
        **described,
        "beside": [gaps_name(name)] if scaling.timed and scaling.flagged else [],
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


def _weights(network: _Stacked, layer: Plain, task: Task) -> dict[str, Tensor]:
    """The weights by their names in ``model.py``."""
    found = {"head.weight": network.head_weight, "head.bias": cast(Tensor, network.head.bias)}
    for place, (name, embedding) in enumerate(zip(network.columns.specs, network.columns.embeddings, strict=True)):
        encoding = task.coder.inputs.get(name)
        if isinstance(embedding, Embedding):
            found[f"columns.{place}.weight"] = embedding.gain * embedding.weight
        elif isinstance(encoding, Scaled):
            found[f"columns.{place}.mean"] = torch.from_numpy(np.asarray(encoding.scaling.mean, np.float64))
            found[f"columns.{place}.std"] = torch.from_numpy(np.asarray(encoding.scaling.std, np.float64))
    found |= {f"layer.{name}": weight for name, weight in layer.weights.items()}
    return found


def _example(subject: Subject, config: dict[str, Any]) -> dict[str, Any]:
    """Made rows, with the outputs and the state that the model itself gives."""
    rng, given, read = np.random.default_rng(0), dict[str, Tensor](), dict[str, Tensor]()
    for column in config["columns"]:
        _made(column, subject.task.coder.inputs.get(column["name"]), rng, given, read)
    timed = any(column["time"] for column in config["columns"])
    lengths = torch.tensor(_LENGTHS if timed else [1] * len(_LENGTHS))
    with torch.no_grad():
        outputs, state = subject.network(read, lengths)
    answers = {"outputs": outputs}
    if subject.network.causal:
        answers |= {path.removeprefix("state."): part for path, part, _ in walk(state, "state")}
    return {
        "inputs": {name: _array(value) for name, value in given.items()},
        **({"lengths": _array(lengths)} if timed else {}),
        "answers": {name: _array(value) for name, value in answers.items()},
    }


def _made(
    column: dict[str, Any],
    encoding: Encoding | None,
    rng: np.random.Generator,
    given: dict[str, Tensor],
    read: dict[str, Tensor],
) -> None:
    """A made column of some rows, as the exported model gets it, and as the network reads it."""
    name, longest = column["name"], max(_LENGTHS)
    shape = (len(_LENGTHS), longest) if column["time"] else (len(_LENGTHS),)
    if "size" in column:
        given[name] = read[name] = torch.from_numpy(rng.integers(0, column["size"], shape))
        return
    drawn = rng.normal(size=(*shape, column["channels"]))
    if column["kind"] != "numbers" or not isinstance(encoding, Scaled):
        given[name] = read[name] = torch.from_numpy(drawn.astype(np.float32))
        return
    shown, flagged = drawn * encoding.scaling.std + encoding.scaling.mean, column["flagged"]
    shown[..., flagged] = np.where(rng.random((*shape, 1)) < 0.2, np.nan, shown[..., flagged])
    given[name] = torch.from_numpy(np.expm1(shown) if column["logarithm"] else shown)
    for other in column["beside"]:
        gone = np.isnan(shown[..., flagged])
        gaps = np.zeros(gone.shape, np.int64)
        for t in range(1, longest):
            gaps[:, t] = np.where(gone[:, t], gaps[:, t - 1] + 1, 0)
        given[other] = torch.from_numpy(gaps)
    flat = shown.reshape(-1, column["channels"])
    scaled = encoding.scaling.apply(flat, np.isnan(flat), _never, np.arange(0, len(flat) + 1, longest))
    read[name] = torch.from_numpy(scaled.reshape(*shape, -1))


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
        f"| {', '.join(f'`{name}`' for name in (one['name'], *one['beside']))} | {one['kind'].replace('_', '-')} "
        f"| {_shape(one)} | {one['means']} |"
        for one in config["columns"]
    )
    outputs = "(rows, outputs)" if config["pool"] else "(rows, steps, outputs), 0 at padding"
    goes_on = (
        "`outputs, state = model(inputs, state=state)` goes on where each row has ended."
        if config["causal"]
        else "This model reads ahead, so it needs whole rows, and its state is empty."
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

Symbols are ids: `config.json` lists what each stands for. Numbers are given in their own units; NaN is missing. An
input whose name ends in `.gaps` (rows, steps, flagged numbers) says for how many steps each has been missing, 0 at the
first step of a row.

`outputs`, {outputs}, are what the network gives before answers are made of them; `config.json` says under "answer" how
that is done.

`torch.export.export(model, (inputs, lengths, state), dynamic_shapes=…)` works for any number of rows and steps. The
recurrent layers of `torch.nn` would fix the number of steps, so an exported program takes them one by one.
"""


MEMBER = Torch
