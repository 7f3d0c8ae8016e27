"""Weights in fewer bits: rounded in a copy of the model, which is then measured and exported.

Axes: O rows of a weight.
"""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np
import torch

from unrolled.errors import UsageError, named
from unrolled.export.exporter import Subject
from unrolled.metrics.metric import cost
from unrolled.models.model import Model
from unrolled.training.evaluate import evaluate

__all__ = ["Stored", "measured", "rounded", "stored_as"]

Stored = Literal["int8", "float16"]
_MOST = 127  # of an int8
_FEWEST, _NARROWEST = 256, 8  # numbers of a weight, and of one of its rows, from which rounding saves space
_EXACT = 1e-6  # how far float32 may be off
_OPTIONS: dict[Stored, str] = {"int8": "quantise", "float16": "half"}


def rounded(network: Model, stored: Stored, fewest: int = _FEWEST, narrowest: int = _NARROWEST) -> Model:
    """A copy whose weights can be stored so: with ``int8``, each row of a weight has its own scale; biases stay.

    Args:
        network: the model.
        stored: how its weights are to be stored.
        fewest: numbers of a weight from which rounding saves space.
        narrowest: the same of a row.
    """
    found: Model = copy.deepcopy(network)
    with torch.no_grad():
        for weight in found.parameters():
            if weight.dim() < 2 or weight.numel() < fewest or weight[0].numel() < narrowest:
                continue
            if stored == "float16":
                weight.copy_(weight.half())
            else:
                scale = weight.abs().flatten(1).amax(1).clamp(min=torch.finfo(weight.dtype).tiny) / _MOST  # (O,)
                scale = scale.view(-1, *[1] * (weight.dim() - 1))
                weight.copy_((weight / scale).round() * scale)
    return found


def stored_as(array: np.ndarray, stored: Stored) -> tuple[np.ndarray, np.ndarray | None] | None:
    """A constant of a rounded model in fewer bits, and the scale to multiply it with; ``None`` if it stays as it is.

    A row of the weight may lie along any axis of the constant: the scale belongs to the axis along which nothing is
    lost.
    """
    if array.dtype != np.float32 or array.ndim < 2 or array.size < _FEWEST:
        return None
    if stored == "float16":
        half = array.astype(np.float16)
        return (half, None) if np.array_equal(half.astype(np.float32), array) else None
    found = []
    for axis in range(array.ndim):
        others = tuple(other for other in range(array.ndim) if other != axis)
        scale = np.maximum(np.abs(array).max(others, keepdims=True), np.finfo(np.float32).tiny) / np.float32(_MOST)
        whole = np.rint(array / scale)
        found.append((float(np.abs(whole * scale - array).max()), axis, whole.astype(np.int8), scale))
    off, _, whole, scale = min(found, key=lambda one: one[:2])
    return (whole, scale) if off <= _EXACT * np.abs(array).max() else None


def measured(subject: Subject, smaller: Model, stored: Stored, tolerate: float) -> str:
    """A sentence with the measure that chose the weights, before and after, on the validation rows of the run.

    Raises:
        UsageError: it is worse by more than ``tolerate`` of its value.
    """
    task, examples = subject.task, subject.valid(_OPTIONS[stored])
    name = task.chooses
    before, after = (
        evaluate(network, task, examples, subject.training).get(name, float("nan"))
        for network in (subject.network, smaller)
    )
    worse = (cost(name, after) - cost(name, before)) / max(abs(before), 1e-12)
    said = f"with {stored} weights {name} is {after:.6g} on the validation data; it was {before:.6g}"
    if not worse <= tolerate:
        raise UsageError(f"{said}, which is worse by more than {named('tolerate')} = {tolerate:g} of it")
    return f"{said[0].upper()}{said[1:]}."
