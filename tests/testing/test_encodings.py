"""A good encoding passes, and each kind of fault is found and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pytest

from unrolled.batch import Continuous
from unrolled.config import Part
from unrolled.data.encodings.encoding import Encoded, Role, Traits, Where
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.testing import check_member
from unrolled.testing.report import Broken


class Flag:
    """The texts yes and no as 1 and 0, and anything else as 0.5; its variants below are wrong in one way each."""

    kind = "flag"
    traits = Traits(measured=True)
    Options = Part
    spec = Continuous(1, time=False)
    known: ClassVar[dict[str, float]] = {"yes": 1.0, "no": 0.0}

    @staticmethod
    def recognises(array: pa.ChunkedArray) -> int:
        return 99 if pa.types.is_string(array.type) and {*array.to_pylist()} <= {"yes", "no"} else 0

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Part, role: Role, where: Where) -> Self:
        return cls()

    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        if not pa.types.is_string(array.type):
            raise DataError(f"{array.type} is not yes or no", file=where.file, column=where.column)
        values = [self.known.get(value, 0.5) for value in array.to_pylist()]
        return Encoded(np.array(values, np.float32).reshape(-1, 1), None)

    def decode(self, values: np.ndarray) -> Any:
        return "yes" if values[0] > 0.5 else "no"

    def encode_live(self, value: Any, before: Any, where: Where) -> tuple[np.ndarray, list[float]]:
        return np.array([[self.known.get(value, 0.5)]], np.float32), []

    def to_config(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def from_config(cls, config: Any) -> Self:
        if config != {"kind": "flag"}:
            raise ModelError("the flag encoding of this model cannot be read")
        return cls()

    def notes(self, array: pa.ChunkedArray, encoded: Encoded) -> str:
        return ""

    def report(self) -> str:
        return "yes or no"


class Wider(Flag):
    spec = Continuous(2, time=False)


class Backward(Flag):
    def decode(self, values: np.ndarray) -> Any:
        return "no" if values[0] > 0.5 else "yes"


class OtherwiseLive(Flag):
    def encode_live(self, value: Any, before: Any, where: Where) -> tuple[np.ndarray, list[float]]:
        return np.zeros((1, 1), np.float32), []


class Credulous(Flag):
    @classmethod
    def from_config(cls, config: Any) -> Self:
        return cls()


class Silent(Flag):
    def encode(self, array: pa.ChunkedArray, where: Where, cache: Path | None = None) -> Encoded:
        return Encoded(np.zeros((len(array), 1), np.float32), None)


class Peeks(Flag):
    """It looks at the rows behind its own, in the buffer that they share."""

    def __init__(self, count: int) -> None:
        self.count = count

    @classmethod
    def fit(cls, array: pa.ChunkedArray, options: Part, role: Role, where: Where) -> Self:
        return cls(sum(chunk.buffers()[2].size for chunk in array.chunks))

    def to_config(self) -> dict[str, Any]:
        return {"kind": self.kind, "count": self.count}


FLAGS = (pa.array(["yes", "no", "no"]), pa.array(["no", "perhaps"]))


def test_a_good_encoding_passes() -> None:
    assert check_member(Flag, "encoding", example=FLAGS).broken == ()
    report = str(check_member("encoding.calendar"))
    assert {f"[{name}]" for name in ("times", "days", "moments")} <= {
        line.split(" ")[-1] for line in report.split("\n")
    }


@pytest.mark.parametrize(
    ("encoding", "contract", "fault"),
    [
        (Wider, "The encoded column fits", r"the values must be finite float32 of shape \(N, 2\)"),
        (Backward, "The encoded column fits", "decode gives 'no', expected 'yes'"),
        (OtherwiseLive, "C1: encode_live returns", r"encode_live gives array\(\[0"),
        (Credulous, "C8: from_config refuses", "from_config accepts {}"),
        (Silent, "C11: a column of another form", "encode of a column of list.* is not refused with a DataError"),
        (Peeks, "C10: an encoding that is fitted on a slice", "fitted on a slice of a column, it differs"),
    ],
)
def test_a_fault_of_an_encoding_is_found(encoding: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(encoding, "encoding", example=FLAGS)


def test_an_encoding_that_recognises_no_sample_needs_an_example() -> None:
    with pytest.raises(
        UsageError, match=r"recognises no sample column: pass example=\(training column, later column\)"
    ):
        check_member(Flag, "encoding")
