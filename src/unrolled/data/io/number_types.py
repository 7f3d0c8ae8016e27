"""Which of Arrow's types are numbers."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["is_number"]


def is_number(kind: pa.DataType) -> bool:
    """Whether this type is one of integers or floats; decimals and booleans are not.

    Example:
        >>> is_number(pa.int8()), is_number(pa.float64()), is_number(pa.bool_())
        (True, True, False)
    """
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
