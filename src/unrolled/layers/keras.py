"""Weights of Keras models in our layers. Axes: I inputs, O outputs, H hidden units, G gates."""

from __future__ import annotations

import importlib.util
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unrolled.data.io.unpacking import contents
from unrolled.errors import DataError, MissingExtra, UsageError, did_you_mean, named, reason_of
from unrolled.layers.chain import Chain
from unrolled.layers.recurrent import Recurrent

__all__ = ["from_keras"]

_READ = "LSTM, GRU, SimpleRNN, Bidirectional, Embedding and Dense are read"
_MOST_BYTES = 1 << 33
# Gates in the order of Keras -> in ours: i f c o stays as it is, z r h becomes r z n.
_ORDERS = {1: (0,), 3: (1, 0, 2), 4: (0, 1, 2, 3)}
_CELLS = {1: "rnn", 3: "gru", 4: "lstm"}
# What stands in a path besides the name of the layer.
_INSIDE = re.compile(r"layers?|vars|(forward|backward)_\w+|((lstm|gru|simple_rnn)_)?cell(_\d+)?")
_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


@dataclass(frozen=True, eq=False)
class _Part:
    """A layer of Keras: its ``arrays`` in Keras's order, and those of the backward direction, if it has one."""

    name: str
    arrays: list[np.ndarray]
    backward: list[np.ndarray]
    embeds: bool

    @property
    def recurrent(self) -> bool:
        return len(self.arrays) > 1 and self.arrays[1].ndim == 2

    @property
    def read(self) -> int | None:
        """I; ``None`` for an embedding, which reads symbols."""
        return None if self.embeds else int(self.arrays[0].shape[0])

    @property
    def written(self) -> int:
        """O."""
        if not self.recurrent:
            return int(self.arrays[0].shape[1])
        return sum(len(arrays[1]) for arrays in (self.arrays, self.backward) if arrays)

    @property
    def counted(self) -> tuple[str, int]:
        """The class and the number of a name in a file: ``gru_1`` is the second ``gru``."""
        found = _NUMBERED.fullmatch(self.name)
        return (found[1], int(found[2] or 0)) if found else (self.name, 0)


def from_keras(
    source: str | Path | Mapping[str, Any],
    layers: Sequence[str] | None = None,
    *,
    reset_after: bool | None = None,
) -> Chain:
    """The recurrent layers of a Keras model, with its weights and its answers.

    LSTM, GRU (with ``reset_after`` or without), SimpleRNN, Bidirectional (merged by ``concat``), Embedding and Dense
    are read. Weights hold no settings: the activations are taken to be Keras's defaults, a Dense layer gives its
    numbers before any activation, layers read forward unless they are Bidirectional, and every step has an output. With
    ``return_sequences=False``, the answer of a layer that reads forward is that of each row's last step. ``lengths``
    take the place of a mask, for rows padded behind.

    Args:
        source: a ``.weights.h5`` file, or the arrays by name in the order of the layers:
            ``{w.path: w.numpy() for w in model.weights}``.
        layers: the names of the layers to take, in order. Default: all; of a file, which does not keep the order of
            layers of different classes, in the order in which their sizes fit.
        reset_after: of a GRU without biases, whose weights do not show it.

    Raises:
        DataError: the file is missing or damaged, or holds no weights.
        UsageError: a layer of another kind, sizes that do not fit, or an order that is not clear; the message names
            the layers.
        MissingExtra: h5py is not installed.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> shapes = {"lstm/lstm_cell/kernel": (3, 32), "lstm/lstm_cell/recurrent_kernel": (8, 32)}
        >>> chain = from_keras({name: rng.normal(size=shape) for name, shape in shapes.items()})
        >>> chain(torch.randn(2, 5, 3), torch.tensor([5, 2]))[0].shape
        torch.Size([2, 5, 8])
    """
    given = isinstance(source, Mapping)
    arrays = dict(source) if isinstance(source, Mapping) else _arrays_of(Path(source))
    origin = "the mapping" if given else str(source)
    parts = _grouped(arrays)
    if not parts:
        raise DataError(f"there are no weights of layers in {origin}: {_READ}")
    for name in layers or ():
        if name not in parts:
            raise UsageError(f"{origin} has no layer {name!r}.{did_you_mean(name, parts)}")
    chosen = list(parts.values()) if layers is None else [parts[name] for name in layers]
    for part in chosen:
        _check(part)
    if layers is None and not given:
        chosen = _ordered(chosen)
    for before, after in pairwise(chosen):
        if after.read != before.written:
            raise UsageError(
                f"the layer {before.name!r} has {before.written} outputs and {after.name!r} reads "
                f"{'symbols' if after.read is None else after.read}: name the layers to take, in order, with "
                f"{named('layers')}; directions that are merged otherwise than by 'concat' are not read"
            )
    return Chain(*(_made(part, reset_after) for part in chosen))


def _arrays_of(path: Path) -> dict[str, np.ndarray]:
    """Path -> array, for each data set of a ``.weights.h5`` file; links to other files are not followed."""
    if importlib.util.find_spec("h5py") is None:
        raise MissingExtra("h5py", "science", "an HDF5 file")
    import h5py

    data = contents(path)
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            return dict(_datasets(file, ""))
    except DataError:
        raise
    except Exception as error:  # damage raises many kinds of errors
        raise DataError(f"is not an HDF5 file that can be read: {reason_of(error, 100)}", file=str(path)) from None


def _datasets(group: Any, inside: str) -> Iterator[tuple[str, np.ndarray]]:
    import h5py

    for name in group:
        path = f"{inside}{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink) or path == "optimizer":
            continue
        item = group[name]
        if not isinstance(item, h5py.Dataset):
            yield from _datasets(item, f"{path}/")
        elif item.external or item.size * item.dtype.itemsize > _MOST_BYTES:
            raise DataError("is too large, or in another file", file=str(group.file.filename), column=path)
        else:
            yield path, np.asarray(item[()])


def _grouped(arrays: Mapping[str, Any]) -> dict[str, _Part]:
    """The layers by name, in order, from ``model/lstm/lstm_cell/kernel`` or ``layers/lstm/cell/vars/0``."""
    parts: dict[str, _Part] = {}
    for path, value in arrays.items():
        *places, last = path.removesuffix(":0").split("/")
        if "seed_generator" in path:  # of dropout
            continue
        own = [place for place in places if not _INSIDE.fullmatch(place)]
        name = own[-1] if own else "layer"
        part = parts.setdefault(name, _Part(name, [], [], last == "embeddings" or "embedding" in name))
        (part.backward if any(place.startswith("backward_") for place in places) else part.arrays).append(
            np.asarray(value, np.float32)
        )
    return parts


def _check(part: _Part) -> None:
    """Raise an error unless ``part`` is a layer of a kind that can be read."""
    sizes = [array.shape for array in part.arrays]
    match sizes:
        case [(_, _)] if part.embeds:
            return
        case [(_, outputs)] | [(_, outputs), (_,)] if sizes[-1][-1] == outputs:
            return
        case [(_, wide), (hidden, columns), *biases] if wide == columns and wide in [g * hidden for g in _ORDERS]:
            biased = biases in ([], [(wide,)]) or (biases == [(2, wide)] and wide == 3 * hidden)
            if biased and [array.shape for array in part.backward] in ([], sizes):
                return
    raise UsageError(f"the layer {part.name!r} has arrays of the shapes {sizes}, so it is of another kind: {_READ}")


def _ordered(parts: list[_Part]) -> list[_Part]:
    """The order of the layers of a file in which each reads what the one before it writes.

    A file has them in alphabetical order; those of one class are numbered in the order of the model.
    """
    found = list(islice(_orders(parts), 2))
    if len(found) == 1:
        return found[0]
    names, why = ", ".join(part.name for part in parts), "more than one order" if found else "no order"
    raise UsageError(f"the layers {names} fit together in {why}: name those to take, in order, with {named('layers')}")


def _orders(parts: list[_Part], begun: tuple[_Part, ...] = ()) -> Iterator[list[_Part]]:
    if len(begun) == len(parts):
        yield list(begun)
    for part in parts:
        kind, number = part.counted
        waits = any(one.counted[0] == kind and one.counted[1] < number for one in parts if one not in begun)
        if part not in begun and not waits and (not begun or part.read == begun[-1].written):
            yield from _orders(parts, (*begun, part))


def _made(part: _Part, reset_after: bool | None) -> nn.Module:
    """Our module with the weights of ``part``."""
    if part.embeds:
        return _filled(nn.Embedding(*part.arrays[0].shape), part.arrays)
    if not part.recurrent:
        inputs, outputs = part.arrays[0].shape
        return _filled(nn.Linear(inputs, outputs, bias=len(part.arrays) > 1), [a.T for a in part.arrays])
    hidden, wide = part.arrays[1].shape
    cell = _CELLS[wide // hidden]
    if wide == 3 * hidden:
        after = part.arrays[2].ndim == 2 if len(part.arrays) > 2 else reset_after
        if after is None:
            raise UsageError(
                f"the GRU {part.name!r} has no biases, which would show its form: say {named('reset_after')}"
            )
        cell = "gru" if after else "gru_textbook"
    layer = Recurrent(len(part.arrays[0]), hidden, cell, bidirectional=bool(part.backward))
    for one, arrays in zip(layer.layers[0], (part.arrays, part.backward), strict=False):
        _filled(one, _weights(arrays))
    return layer


def _weights(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The input's weights, the state's, and a bias for each, with rows in our order of the gates."""
    kernel, recurrent, *bias = arrays
    hidden, wide = recurrent.shape
    rows = np.concatenate([np.arange(hidden) + hidden * gate for gate in _ORDERS[wide // hidden]])
    both = np.zeros((2, wide), np.float32)
    if bias:
        both[: 1 if bias[0].ndim == 1 else 2] = bias[0]
    return [kernel.T[rows], recurrent.T[rows], both[0][rows], both[1][rows]]


def _filled(module: Any, arrays: list[np.ndarray]) -> nn.Module:
    with torch.no_grad():
        for weight, array in zip(module.parameters(), arrays, strict=True):
            weight.copy_(torch.from_numpy(np.ascontiguousarray(array)))
    return module
