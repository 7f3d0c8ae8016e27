"""What a program needs to know to use an exported graph, as JSON: inputs, states, answers, and a sentence on limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Encoding
from unrolled.data.encodings.facets import Channels, Portable, Text
from unrolled.data.examples.live_row import LiveRow
from unrolled.errors import named
from unrolled.export._file import OPSET
from unrolled.export._graphs import AFTER, inputs_of
from unrolled.export.exporter import Subject
from unrolled.models.model import Writer
from unrolled.state import State, walk

__all__ = ["FORMAT", "signature_of", "states_of", "tokenizers_of"]

FORMAT = 1


def signature_of(subject: Subject, graphs: Mapping[str, str], fingerprint: str) -> dict[str, Any]:
    """``signature.json``.

    Args:
        subject: what is exported.
        graphs: name of a graph -> its file.
        fingerprint: of the weights.
    """
    task, network = subject.task, subject.network
    coder = task.coder
    written = not coder.continues and isinstance(coder.answer, Text)
    longest = {"longest": max(1, int(network.longest))} if isinstance(network, Writer) else {}
    return {
        "format": FORMAT,
        "model": network.title,
        "task": task.name,
        "fingerprint": fingerprint,
        "opset": OPSET,
        "graphs": dict(graphs),
        "limits": ["at least one row", "at least one step", "lengths from 0 to the steps of the longest row"],
        "inputs": [_column(subject, name, encoding) for name, encoding in coder.inputs.items()],
        "target": _described(coder.target, coder.answer) if written else None,
        "lookback": task.batching.lookback if coder.horizon else None,
        "states": states_of(network.initial_state(1), "state") if network.causal else [],
        "opening": [[int(step) for step in steps.values()] for steps in LiveRow(coder).opening()],
        "answer": {"column": coder.target, **task.recipe, **longest},
        "cannot_stream": network.cannot_stream,
        "cannot_read": _cannot_read(subject),
    }


def states_of(state: State, prefix: str) -> list[dict[str, Any]]:
    """Each state of a graph: its name, that of the value after, its shape, and the value before the first step."""
    return [
        {
            "name": path,
            "after": path + AFTER,
            "dtype": str(part.dtype).removeprefix("torch."),
            "shape": [None, *([None] if ragged else []), *part.shape[1 + ragged :]],
            "first": _first(part),
        }
        for path, part, ragged in walk(state, prefix)
    ]


def tokenizers_of(subject: Subject) -> Iterator[tuple[str, str]]:
    """The files of the tokenizers of byte-pair tokens: name -> contents."""
    coder = subject.task.coder
    for name, encoding in {**coder.inputs, coder.target: coder.answer}.items():
        if isinstance(encoding, Portable) and (contents := encoding.tokenizer()) is not None:
            yield _tokenizer(name), contents


def _column(subject: Subject, name: str, encoding: Encoding) -> dict[str, Any]:
    channels = list(encoding.channels) if isinstance(encoding, Channels) else []
    return {
        **_described(name, encoding),
        "graph": inputs_of(subject.task, name),
        "channels": channels,
        "open": _goes_on(subject),
    }


def _goes_on(subject: Subject) -> bool:
    """Whether the model predicts what follows a row, whose end it then does not read."""
    return subject.task.coder.form.predicts_next


def _described(name: str, encoding: Encoding) -> dict[str, Any]:
    described = {"column": name, "kind": encoding.kind, "time": encoding.spec.time, "rule": encoding.rule}
    if isinstance(encoding, Portable) and encoding.tokenizer() is not None:
        described["tokenizer"] = _tokenizer(name)
    return {**described, "config": encoding.to_config()}


def _tokenizer(column: str) -> str:
    return f"tokenizer-{column.encode().hex()[:32]}.json"


def _first(part: torch.Tensor) -> Any:
    """One number where all are equal, else the values of one row."""
    values = np.unique(part.numpy())
    return values.item() if len(values) == 1 else 0 if not len(values) else part[0].tolist()


def _cannot_read(subject: Subject) -> str | None:
    """Why run.py cannot read rows of this model, as a sentence; ``None`` if it can."""
    coder, graph = subject.task.coder, "give the graph its arrays instead"
    if coder.sides:
        return f"this model reads side sequences, which this program does not: {graph}"
    if coder.ahead:
        return f"this model reads known covariates ahead of time ({named('known_ahead')}): {graph}"
    if coder.strands is not None:
        return f"this model reads both strands ({named('both_strands')}): {graph}"
    foreign = [
        name for name, encoding in coder.inputs.items() if isinstance(encoding.spec, Discrete) and encoding.spec.encoder
    ]
    return f"the column {foreign[0]!r} is read by a pretrained encoder: {graph}" if foreign else None
