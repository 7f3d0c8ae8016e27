"""A stack of cells, packed once and stepped many times, for live sessions.

Axes: R rows, I inputs, O outputs, W numbers in a row's state.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from ctypes import POINTER, c_int, c_int32, c_int64, c_void_p
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, get_num_threads

from unrolled.errors import ShapeError
from unrolled.kernels.library import CELLS, SUFFIXES, Library, loaded

__all__ = ["LINEAR", "Lines", "Part", "Stack", "fits", "packed"]

LINEAR = "linear"
_CODES = {**CELLS, LINEAR: 4, "mingru": 5, "minlstm": 6}
_GATES = {LINEAR: 1, "mingru": 2, "minlstm": 3}  # the kinds without recurrent weights


class Part(NamedTuple):
    """One cell of a stack, or the linear map at its end.

    Attributes:
        kind: ``lstm``, ``gru``, ``rnn_tanh``, ``rnn_relu``, ``mingru``, ``minlstm`` or ``linear``.
        weights: as in torch.nn, with or without biases; for a linear map, weight and bias.
    """

    kind: str
    weights: Sequence[Tensor]

    @property
    def inputs(self) -> int:
        """The width of its input."""
        return self.weights[0].shape[1]

    @property
    def units(self) -> int:
        """The width of its output."""
        gates = _GATES.get(self.kind)
        return self.weights[0].shape[0] // gates if gates else self.weights[1].shape[1]


class _Part(ctypes.Structure):
    """``UnrolledPart`` of ``recurrence.h``."""

    _fields_: ClassVar = [
        *((name, c_int32) for name in ("cell", "unused")),
        *((name, c_int64) for name in ("inputs", "units")),
        *((name, c_void_p) for name in ("w_ih", "w_hh", "b_ih", "b_hh")),
    ]


def fits(kind: str | None, weights: Sequence[Tensor]) -> bool:
    """Whether the kernels can step the cell: a known one, without projection, in float32 or float64 on a CPU."""
    return (
        ((kind in CELLS and len(weights) in (2, 4)) or kind in _GATES)
        and all(w.device.type == "cpu" and w.dtype == weights[0].dtype for w in weights)
        and weights[0].dtype in SUFFIXES
        and loaded() is not None
    )


class Stack:
    """Packed parts in sequence: the output of each is the input of the next.

    It copies the weights, so later changes to them have no effect. Any number of threads and streams may share it.

    Args:
        parts: at least one, all with the same dtype.

    Raises:
        MemoryError: out of memory for the packed weights.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        library = loaded()
        assert library is not None, "call `fits` first"
        self.dtype = parts[0].weights[0].dtype
        self.inputs, self.outputs = parts[0].inputs, parts[-1].units
        self._parts = _parts_of(parts, library, self.dtype)
        kept = [[w.detach().contiguous() for w in part.weights] for part in parts]
        described = (_Part * len(parts))(*map(_described, parts, kept))
        pack, discard, width, row, self._step, self._steps = _functions(library, self.dtype)
        self._address = pack(described, len(parts))
        if not self._address:
            raise MemoryError(f"out of memory for the packed weights of {len(parts)} layers")
        weakref.finalize(self, discard, self._address).atexit = False
        self.width: int = width(self._address)
        # One step of a single row: (x, line, y, threads), the first three as addresses -> 0, or 1 if out of memory.
        # Callers use it directly, since a Python wrapper would cost noticeable time, and must keep the tensors alive.
        self.row: Callable[[int, int, int, int], int] = partial(row, self._address)

    def lines(self, rows: int) -> Lines:
        """The states of ``rows`` rows before their first step."""
        with torch.inference_mode(False):  # the states may be written to after inference mode
            return Lines(torch.zeros(rows, self.width, dtype=self.dtype))

    def views(self, numbers: Tensor) -> list[Tensor]:
        """Views of the states in ``numbers`` (R, W): for each cell h (R, H), and for an LSTM then c (R, H)."""
        return [numbers[:, first : first + units] for first, units in self._parts]

    def step(self, x: Tensor, lines: Lines) -> Tensor:
        """One step of the rows of ``lines``: ``x`` (R, I) -> (R, O)."""
        x, rows = x.contiguous(), len(lines.places)
        y = torch.empty(rows, self.outputs, dtype=self.dtype)
        places = x.data_ptr(), self.inputs, lines.places[0], y.data_ptr(), self.outputs
        if self._step(self._address, rows, *places, get_num_threads()):
            raise MemoryError(f"out of memory in a step of {rows} rows")
        return y

    def step_apart(self, x: Tensor, several: Sequence[Lines]) -> Tensor:
        """One step of the rows of ``several``, concatenated: ``x`` (ΣR, I) -> (ΣR, O)."""
        x, rows = x.contiguous(), len(x)
        y = torch.empty(rows, self.outputs, dtype=self.dtype)
        table = c_void_p * rows
        lines = table(*[place for lines in several for place in lines.places])
        if self._steps(self._address, rows, table(*_places(x)), lines, table(*_places(y)), get_num_threads()):
            raise MemoryError(f"out of memory in a step of {rows} rows")
        return y

    def step_lines(self, x: Tensor, numbers: Tensor, places: np.ndarray, rounds: Sequence[np.ndarray]) -> Tensor:
        """Steps of rows that lie anywhere in ``numbers`` (R, W), in rounds: ``x`` (S, I) -> (S, O).

        Args:
            x: the inputs of each step.
            numbers: the states of all rows.
            places: (S,) int64, the row of each step.
            rounds: the numbers of the steps that are taken together, one round after another.
        """
        if len(places) and int(places.view(np.uint64).max()) >= len(numbers):  # a place below 0 is a large one here
            raise ShapeError(f"places are {places.min()} … {places.max()}, expected 0 … {len(numbers) - 1}")
        x, line = x.contiguous(), numbers.data_ptr()
        y = torch.empty(len(x), self.outputs, dtype=self.dtype)
        size, threads = self.dtype.itemsize, get_num_threads()
        at = np.empty((3, len(x)), np.int64)  # the addresses of inputs, states and outputs
        at[::2] = np.arange(len(x))
        at[1] = places
        at *= [[self.inputs * size], [self.width * size], [self.outputs * size]]
        at += [[x.data_ptr()], [line], [y.data_ptr()]]
        for taken in rounds:
            if len(taken) == 1:
                read, state, write = at[:, taken[0]].tolist()
                failed = self.row(read, state, write, threads)
            else:
                kept = at if len(taken) == len(x) else at.take(taken, 1)
                first = kept.__array_interface__["data"][0]  # which costs a tenth of `ctypes.data`
                rows = (first + row * kept.strides[0] for row in range(3))
                failed = self._steps(self._address, len(taken), *rows, threads)
            if failed:
                raise MemoryError(f"out of memory in a step of {len(taken)} rows")
        return y


class Lines:
    """The states of R rows, in memory that the kernels write to; the addresses are valid as long as this object lives.

    Attributes:
        numbers: (R, W).
        places: the address of each row.
    """

    __slots__ = ("numbers", "places")

    def __init__(self, numbers: Tensor) -> None:
        self.numbers, self.places = numbers, list(_places(numbers))


def _places(rows: Tensor) -> range:
    """The address of each row of the contiguous ``rows`` (R, W)."""
    begin = rows.data_ptr()
    return range(begin, begin + rows.nbytes, rows.shape[1] * rows.itemsize)


class _Packed(NamedTuple):
    """A `Stack` with the library and the weights that it was made from."""

    library: Library | None
    bits: list[np.ndarray]
    stack: Stack


_packed: weakref.WeakKeyDictionary[object, _Packed] = weakref.WeakKeyDictionary()


def packed(owner: object, parts: Sequence[Part]) -> Stack:
    """The `Stack` of ``parts``, shared by all calls with the same ``owner`` until its weights change.

    Cost:
        comparing the weights with a copy takes 2 ms for 4 million numbers.
    """
    # Compare the numbers, because torch's version counter misses writes to ``weight.data``.
    bits = [_bits(weight) for part in parts for weight in part.weights]
    kept = _packed.get(owner)
    if kept is None or kept.library is not loaded() or not _same(kept.bits, bits):
        kept = _packed[owner] = _Packed(loaded(), [one.copy() for one in bits], Stack(parts))
    return kept.stack


def _bits(weight: Tensor) -> np.ndarray:
    return weight.detach().contiguous().numpy().view(f"u{weight.element_size()}")


def _same(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    return len(some) == len(others) and all(map(np.array_equal, some, others))


def _parts_of(parts: Sequence[Part], library: Library, dtype: torch.dtype) -> list[tuple[int, int]]:
    """(offset, units) of every part of a row's state."""
    places, first = [], 0
    for part in parts:
        for _ in range({LINEAR: 0, "lstm": 2}.get(part.kind, 1)):
            places.append((first, part.units))
            first += library.padded(part.units, dtype)
    return places


def _described(part: Part, weights: list[Tensor]) -> _Part:
    addresses = [w.data_ptr() for w in weights]
    if part.kind in _GATES:
        return _Part(_CODES[part.kind], 0, part.inputs, part.units, addresses[0], None, addresses[1], None)
    return _Part(_CODES[part.kind], 0, part.inputs, part.units, *addresses, *[None] * (4 - len(addresses)))


def _functions(library: Library, dtype: torch.dtype) -> tuple[Any, ...]:
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "pack": (c_void_p, [POINTER(_Part), c_int32]),
        "discard": (None, [c_void_p]),
        "state": (c_int64, [c_void_p]),
        "row": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p, c_int]),
        "step": (c_int, [c_void_p, c_int64, c_void_p, c_int64, c_void_p, c_void_p, c_int64, c_int]),
        "steps": (c_int, [c_void_p, c_int64, c_void_p, c_void_p, c_void_p, c_int]),
    }
    return tuple(library.function(name, dtype, *signature) for name, signature in signatures.items())
