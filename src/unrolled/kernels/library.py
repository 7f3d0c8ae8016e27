"""Find, choose and load the compiled kernels for this processor on first use.

They are shared libraries next to this file, one for each vector width, built at installation if there was a compiler.
``UNROLLED_KERNELS`` overrides the choice: ``plain`` (no kernels), ``baseline``, ``avx2``, ``avx512``.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_int, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch  # before the library is loaded, so that it uses torch's OpenMP runtime and thread pool

from unrolled.errors import UsageError, did_you_mean

__all__ = [
    "CELLS",
    "SUFFIXES",
    "TERMS",
    "VARIABLE",
    "Diagonal",
    "Library",
    "Problem",
    "Series",
    "active",
    "available",
    "loaded",
    "why_plain",
]

VARIABLE = "UNROLLED_KERNELS"
PLAIN = "plain"
WIDTHS = {"baseline": 16, "avx2": 32, "avx512": 64}
CELLS = {"rnn_tanh": 0, "rnn_relu": 1, "gru": 2, "lstm": 3}
TERMS = {"scan": 0, "mingru": 1, "minlstm": 2}
SUFFIXES = {torch.float32: "float", torch.float64: "double"}
_FOLDER = Path(__file__).parent


class Problem(ctypes.Structure):
    """``Problem`` of ``recurrence.h``, field by field."""

    _fields_: ClassVar = [
        *((name, c_int32) for name in ("cell", "reverse", "threads", "time_major")),
        *((name, c_int64) for name in ("rows", "steps", "inputs", "units")),
        *((name, c_void_p) for name in ("lengths", "x", "w_ih", "w_hh", "b_ih", "b_hh")),
        *((name, c_int64) for name in ("x_row", "x_step")),
        *((name, c_void_p) for name in ("h_0", "c_0", "y")),
        *((name, c_int64) for name in ("y_row", "y_step")),
        *((name, c_void_p) for name in ("h_n", "c_n", "saved", "d_y", "d_h_n", "d_c_n")),
        *((name, c_int64) for name in ("d_y_row", "d_y_step")),
        ("d_gates", c_void_p),
        ("d_gates_step", c_int64),
        *((name, c_void_p) for name in ("d_b_ih", "d_b_hh", "d_x", "d_w_ih", "d_w_hh")),
        *((name, c_int64) for name in ("d_x_row", "d_x_step")),
        *((name, c_void_p) for name in ("d_h_0", "d_c_0")),
    ]


class Series(ctypes.Structure):
    """``Series`` of ``diagonal.h``."""

    _fields_: ClassVar = [("first", c_void_p), ("row", c_int64), ("step", c_int64)]


class Diagonal(ctypes.Structure):
    """``Diagonal`` of ``diagonal.h``, field by field."""

    _fields_: ClassVar = [
        *((name, c_int32) for name in ("terms", "reverse", "threads", "packed")),
        *((name, c_int64) for name in ("rows", "steps", "units")),
        ("lengths", c_void_p),
        ("given", Series * 3),  # `in` in the header, a keyword in Python
        ("y", Series),
        *((name, c_void_p) for name in ("h_0", "h_n")),
        ("d_y", Series),
        ("d_given", Series * 3),
        *((name, c_void_p) for name in ("d_h_n", "d_h_0", "d_sums")),
    ]


_VERBS = {"forward": Problem, "backward": Problem, "diagonal_forward": Diagonal, "diagonal_backward": Diagonal}


class Library:
    """A loaded library of kernels.

    Args:
        path: the path of the shared library.
        name: the name of its vector width.

    Raises:
        OSError: it cannot be loaded on this machine.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name, self._c = name, ctypes.CDLL(str(path))
        self.vector_bytes = int(self._c.unrolled_vector_bytes())
        self._passes = {
            (verb, dtype): self.function(verb, dtype, c_int, [POINTER(problem)])
            for verb, problem in _VERBS.items()
            for dtype in SUFFIXES
        }

    def function(self, name: str, dtype: torch.dtype, result: Any, arguments: list[Any]) -> Any:
        """The C function ``unrolled_<name>_<dtype>``, with its result and argument types set."""
        function = getattr(self._c, f"unrolled_{name}_{SUFFIXES[dtype]}")
        function.restype, function.argtypes = result, arguments
        return function

    def widest(self) -> int:
        """The size of the processor's widest vectors, in bytes."""
        return int(self._c.unrolled_widest())

    def padded(self, units: int, dtype: torch.dtype) -> int:
        """P: ``units`` rounded up to a whole vector."""
        lanes = self.vector_bytes // dtype.itemsize
        return (units + lanes - 1) // lanes * lanes

    def run(self, verb: str, dtype: torch.dtype, problem: Problem | Diagonal) -> None:
        """Call ``forward`` or ``backward``, or for a `Diagonal` ``diagonal_forward`` or ``diagonal_backward``.

        Other Python threads can run meanwhile.

        Raises:
            MemoryError: out of memory for scratch space, such as packed weights.
        """
        failed = self._passes[verb, dtype](byref(problem))
        if failed == 1:
            raise MemoryError(f"out of memory in a layer of {problem.units} units")
        assert failed == 0, f"the kernels failed with code {failed}"


def loaded() -> Library | None:
    """The library to use, or ``None`` for the plain path.

    Raises:
        UsageError: the kernels that ``UNROLLED_KERNELS`` names are not available.
    """
    return _chosen(os.environ.get(VARIABLE))


def available() -> list[str]:
    """The names of the vector widths that are built and that this processor supports, the narrowest first."""
    return list(_found())


def active() -> str:
    """The kernels in use: ``plain``, ``baseline``, ``avx2`` or ``avx512``.

    >>> active() in {"plain", *available()}
    True
    """
    library = loaded()
    return PLAIN if library is None else library.name


def why_plain() -> str:
    """The reason why no kernels run, in a few words."""
    if os.environ.get(VARIABLE) == PLAIN:
        return f"{VARIABLE}={PLAIN}"
    return "they were not built: pip install found no C++ compiler with OpenMP"


@cache
def _chosen(wanted: str | None) -> Library | None:
    found = _found()
    if wanted == PLAIN:
        return None
    if not wanted:
        return next(reversed(found.values()), None)
    if wanted in found:
        return found[wanted]
    if wanted in WIDTHS:
        raise UsageError(
            f"{VARIABLE}={wanted}: not built, or not supported by this processor. "
            f"Available: {', '.join((PLAIN, *found))}"
        )
    raise UsageError(f"{VARIABLE}={wanted}: unknown.{did_you_mean(wanted, (PLAIN, *WIDTHS))}")


@cache
def _found() -> dict[str, Library]:
    """Every built library that this processor supports; the baseline library queries the processor."""
    found: dict[str, Library] = {}
    for name, width in WIDTHS.items():
        path = _FOLDER / f"_recurrence_{name}.so"
        if not path.is_file() or (name != "baseline" and ("baseline" not in found or _widest(found) < width)):
            continue
        try:
            found[name] = Library(path, name)
        except OSError:  # built on another machine, against libraries that are missing here
            continue
    return found


def _widest(found: dict[str, Library]) -> int:
    return found["baseline"].widest()
