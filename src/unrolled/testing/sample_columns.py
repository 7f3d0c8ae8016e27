"""Sample columns for testing encodings, and variants with missing or invalid values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

__all__ = ["SAMPLES", "Sample"]

_VECTOR = pa.list_(pa.float64(), 2)


@dataclass(frozen=True, slots=True)
class Sample:
    """A training column without missing values, and a later one of the same form with values not seen in training."""

    train: pa.Array
    later: pa.Array

    def with_nulls(self) -> pa.Array:
        """The training column and a null row; for lists, also a row in which only the second step is not null."""
        values = self.train.to_pylist()
        if pa.types.is_list(self.train.type):
            step = next(row[0] for row in values if row)
            values.append([None, step, None, None])
        return pa.array([*values, None], self.train.type)

    def planted(self, value: float | None) -> pa.Array | None:
        """The training column and a row that ends in ``value``; ``None`` if the column has no floats."""
        match self.train.to_pylist():
            case [float(), *_] as values:
                extra: Any = value
            case [[float(), *_], *_] as values:
                extra = [1.0, value]
            case [[[float(), *_], *_], *_] as values:
                extra = [[1.0, 2.0], [1.0, value]]
            case _:
                return None
        return pa.array([*values, extra], self.train.type)


def _texts(train: list[str], later: list[str]) -> Sample:
    return Sample(pa.array(train), pa.array(later))


SAMPLES: Mapping[str, Sample] = {
    "float": Sample(pa.array([1.5, -2.0, 40.25, 7.0]), pa.array([1e6, -0.5])),
    "int": Sample(pa.array([3, 1, 4, 1, 5], pa.int32()), pa.array([92, -65], pa.int32())),
    "floats": Sample(pa.array([[0.5, 1.5], [], [-3.0]]), pa.array([[100.0], []])),
    "ints": Sample(pa.array([[112, 118, 132], [129]]), pa.array([[-5, 622]])),
    "bool": Sample(pa.array([True, False, True]), pa.array([False, False])),
    "labels": _texts(["spam", "ham", "ham", "spam", "ham"], ["eggs", "ham"]),
    "categorical": Sample(pa.array(["b", "a", "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()),
    "tags": Sample(pa.array([["O", "B"] * 6, [], ["I", "O", "O", "I"]]), pa.array([["X", "O"], []])),
    "clicks": Sample(pa.array([[5, 9] * 30, [7] * 20], pa.list_(pa.int16())), pa.array([[5, 8]], pa.list_(pa.int16()))),
    "texts": _texts(["the food was good", "", "naïve 😀, café"], ["ΩΩ good\x00", ""]),
    "words": Sample(pa.array([["Ann", "saw", "Bo"], [], ["so", "it", "is"]]), pa.array([["saw", "Cy"], []])),
    "DNA": _texts(["GATTACAGATTACAGATTACA", "CCCGGGTTTAAACCCGGGTTTAAA"], ["ACGTN", "", "RYNNA-"]),
    "vectors": Sample(
        pa.array([[[1.0, 10.0], [2.0, 20.0]], [], [[4.0, 0.0]]], pa.list_(_VECTOR)),
        pa.array([[[-1e5, 7.0]], []], pa.list_(_VECTOR)),
    ),
    "times": Sample(
        pa.array([[datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 5), datetime(2026, 1, 3)], [datetime(1969, 1, 1)]]),
        pa.array([[datetime(1900, 1, 1), datetime(2100, 1, 1)], []], pa.list_(pa.timestamp("us"))),
    ),
    "days": Sample(pa.array([date(2024, 1, 31), date(1969, 12, 31), date(2024, 2, 29)]), pa.array([date(2030, 6, 5)])),
    "moments": Sample(
        pa.array([[datetime(1900, 1, 1), datetime(2024, 5, 1, 23, 59, 59)], [], [datetime(2024, 12, 31, 12)]]),
        pa.array([[datetime(2031, 7, 1, 1, 2, 3, 456)], []]),
    ),
    "piano roll": Sample(pa.array([[[0, 1, 1]], [[1, 0, 1], [0, 0, 0]]]), pa.array([[[1, 1, 1]]])),
}
