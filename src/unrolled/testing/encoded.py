"""Comparing encoded columns with each other and with the spec of their encoding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from unrolled.batch import Discrete
from unrolled.data.encodings.encoding import Encoded
from unrolled.testing.report import require

__all__ = ["close", "column", "fits_spec", "rows_of", "same_column"]


def column(*chunks: pa.Array) -> pa.ChunkedArray:
    """A column in these chunks."""
    return pa.chunked_array(list(chunks))


def rows_of(encoded: Encoded) -> list[np.ndarray]:
    """The values of each row."""
    if encoded.offsets is None:
        return list(encoded.values)
    return [encoded.values[a:b] for a, b in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]


def same_column(found: Encoded, wanted: Encoded) -> None:
    """Require the same values and rows, bit for bit."""
    alike = found.values.dtype == wanted.values.dtype and np.array_equal(found.values, wanted.values)
    require(alike, f"the values are {found.values!r}, expected {wanted.values!r}")
    ends = [None if one.offsets is None else one.offsets.tolist() for one in (found, wanted)]
    require(ends[0] == ends[1], f"the rows' offsets are {ends[0]}, expected {ends[1]}")


def fits_spec(encoding: Any, encoded: Encoded, count: int) -> None:
    """Require that ``encoded``, of ``count`` rows, fits the spec of ``encoding``."""
    spec, values, offsets = encoding.spec, encoded.values, encoded.offsets
    require((offsets is not None) == spec.time, f"spec has time={spec.time}, but the offsets are {offsets!r}")
    if offsets is None:
        require(len(values) == count, f"there are {len(values)} values for {count} rows")
    else:
        whole = offsets.dtype == np.int64 and len(offsets) == count + 1 and (np.diff(offsets) >= 0).all()
        ends = whole and offsets[0] == 0 and offsets[-1] == len(values)
        require(bool(ends), f"the offsets are {offsets!r} for {count} rows and {len(values)} values")
    if isinstance(spec, Discrete):
        fits = values.ndim == 1 and values.dtype.kind in "iu"
        inside = fits and values.max(initial=0) < spec.size and values.min(initial=0) >= 0
        require(bool(inside), f"the values must be integers from 0 to {spec.size - 1}, got {values!r}")
    else:
        fits = values.shape == (len(values), spec.width) and values.dtype == np.float32
        finite = fits and np.isfinite(values).all()
        require(bool(finite), f"the values must be finite float32 of shape (N, {spec.width}), got {values!r}")


def close(found: Any, wanted: Any) -> bool:
    """Whether both are equal and of the same type; floats up to float32 rounding."""
    if isinstance(wanted, list):
        pairs = isinstance(found, list) and len(found) == len(wanted)
        return pairs and all(close(one, other) for one, other in zip(found, wanted, strict=True))
    if isinstance(found, float) and isinstance(wanted, int | float):
        return math.isclose(found, wanted, rel_tol=1e-5, abs_tol=1e-5)
    return type(found) is type(wanted) and bool(found == wanted)
