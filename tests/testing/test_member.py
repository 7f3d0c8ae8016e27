"""Held to its contracts a good member passes, and each kind of fault is found and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pytest
import torch
from own_cells import Delayed, Leaky
from torch import Tensor, nn

from unrolled.batch import Continuous
from unrolled.config import DataConfig, ModelConfig, Part
from unrolled.data.encoded import Encoded, Role, Traits, Where
from unrolled.data.readers.reader import Reader
from unrolled.errors import DataError, ModelError, UsageError
from unrolled.layers.layer import Layer
from unrolled.layers.lengths import zero_padding
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.session import layer_session
from unrolled.testing import check_member
from unrolled.testing.report import Broken


@pytest.mark.parametrize("cell", [Leaky, Delayed])
def test_a_good_cell_passes(cell: Any) -> None:
    report = check_member(cell, "cell")
    assert report.broken == ()
    assert str(report).startswith(f"{cell.__name__}: {len(report.outcomes)} of {len(report.outcomes)} contracts hold\n")
    for contract in ("C1", "C2", "C3", "C4", "C5", "C8"):
        assert f"holds   {contract}: " in str(report)
    assert "[both directions]" in str(report)


class RemembersCalls(Leaky):
    """What it answers depends on the call before."""

    before: Any = 0.0

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, h)
        y, self.before = y + self.before, float(y.detach().sum())
        return y, h


class ChangesItsState(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h.add_(self.linear(x).detach())
        return h.clone(), h


class Wide(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, h)
        return torch.cat([y, y], 1), h


class Grows(Leaky):
    def forward(self, x: Tensor, h: Any) -> tuple[Tensor, Any]:
        y, h = super().forward(x, h[0] if isinstance(h, tuple) else h)
        return y, (h, h)


class OneDtype(Leaky):
    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return torch.zeros(batch, self.hidden_size)


class TimeFirst(Leaky):
    def initial_state(self, batch: int, like: Tensor) -> Tensor:
        return like.new_zeros(1, batch, self.hidden_size)


class SeesTheBatch(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(x - x.mean(0), h)


class Forgets(Leaky):
    """Its weights are no parameters, so that they are not saved."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.scale = torch.randn(hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        y, h = super().forward(x, h)
        return y * self.scale.to(y), h


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient * 3


class WrongGradient(Leaky):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(Doubled.apply(x), h)


class NoState(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size


class Renamed(Leaky):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(hidden, inputs)


@pytest.mark.parametrize(
    ("cell", "contract", "fault"),
    [
        (RemembersCalls, "A cell keeps nothing", "y differs by"),
        (ChangesItsState, "A cell keeps nothing", "state differs by"),
        (Wide, r"A cell made with \(I, H\) has these sizes", r"y has shape \(4, 10\), expected \(4, 5\)"),
        (Grows, r"A cell made with \(I, H\) has these sizes", "the state after a step has the form"),
        (TimeFirst, r"A cell made with \(I, H\) has these sizes", "the batch is not axis 0 of state"),
        (Renamed, r"A cell made with \(I, H\) has these sizes", "Renamed has input_size 5, expected 3"),
        (OneDtype, "The first state has the dtype", "state is torch.float32 for a like of torch.float64"),
        (SeesTheBatch, "C3: a row alone", "y differs by"),
        (SeesTheBatch, "C2: the final state is", "y differs by"),
        (Forgets, "C8: weights that were saved and loaded", "y differs by"),
        (WrongGradient, "C5: the gradients", "Jacobian mismatch"),
        (
            NoState,
            r"A cell made with \(I, H\) has these sizes",
            "UsageError: layer 1: NoState has no initial_state; a cell is a torch.nn.Module with",
        ),
        (lambda inputs: None, "A cell made", "TypeError: .* takes 1 positional argument but 2 were given"),
    ],
)
def test_a_fault_of_a_cell_is_found(cell: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"(?s)BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(cell, "cell")


class Through(nn.Module, Layer):
    """A layer without weights and state; its variants below are wrong in one way each."""

    causal, bidirectional = True, False

    def __init__(self, input_size: int, size: int) -> None:
        super().__init__()
        self.input_size, self.output_size = input_size, size
        self.linear = nn.Linear(input_size, size)

    @classmethod
    def build(cls, config: ModelConfig, input_size: int) -> Self:
        return cls(input_size, config.hidden)

    def forward(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        return zero_padding(self.linear(zero_padding(x, lengths)), lengths), ()

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.linear(x), ()

    def session(self, batch: int | None = None) -> Any:
        return layer_session(self, batch, self.linear.weight, self.step, self.initial_state)

    def initial_state(self, batch: int, like: Tensor) -> Any:
        return ()


class IgnoresLengths(Through):
    def forward(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        return self.linear(x), ()


class SeesAhead(Through):
    def forward(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        x = zero_padding(x, lengths)
        return zero_padding(self.linear(x + x.sum(1, keepdim=True)), lengths), ()


class SeesAheadAndSaysSo(SeesAhead):
    causal = False


class SaysThatItSeesAhead(Through):
    causal = False


class StepsOtherwise(Through):
    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.linear(x) + 0.1, ()


def test_a_good_layer_passes() -> None:
    assert check_member(Through, "layer").broken == ()


@pytest.mark.parametrize(
    ("layer", "contract", "fault"),
    [
        (IgnoresLengths, "C2: what lies beyond", "y differs by"),
        (IgnoresLengths, "C2: a batch of empty rows", "y differs by"),
        (SeesAhead, "C4: later inputs change no earlier output", "outputs up to step 0 depend on later inputs"),
        (SeesAhead, "C1: in chunks", "y differs by"),
        (SeesAheadAndSaysSo, "C1: a layer that reads the future refuses", "step was not refused with a UsageError"),
        (SaysThatItSeesAhead, "C4: a layer that does not call itself causal", "its first output sees no future"),
        (StepsOtherwise, "C1: step by step", r"y differs by 0\.1, and 2\.\de-05 is allowed"),
        (StepsOtherwise, "C1: a live session", "y differs by 0.1"),
        (nn.Linear, "It can be made", "AttributeError: .*has no attribute 'build'"),
    ],
)
def test_a_fault_of_a_layer_is_found(layer: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"(?s)BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(layer, "layer")


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
        (Wider, "What is encoded fits", r"the values must be finite float32 of shape \(N, 2\)"),
        (Backward, "What is encoded fits", "decode gives 'no', expected 'yes'"),
        (OtherwiseLive, "C1: encode_live gives", r"encode_live gives array\(\[0"),
        (Credulous, "C8: from_config refuses", "from_config takes {}"),
        (Silent, "C11: a column of another form", "encode of a column of list.* is not refused with a DataError"),
        (Peeks, "C10: what is learned from a slice", "fitted on a slice, it knows something else"),
    ],
)
def test_a_fault_of_an_encoding_is_found(encoding: Any, contract: str, fault: str) -> None:
    with pytest.raises(Broken, match=rf"BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(encoding, "encoding", example=FLAGS)


def read_pipes(path: Path, config: DataConfig) -> pa.Table:
    try:
        lines = [line.split("|") for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {type(error).__name__}", file=str(path)) from None
    if not lines or any(len(line) != 2 for line in lines):
        raise DataError("must have two cells a line", file=str(path))
    return pa.table({"a": [line[0] for line in lines], "b": [line[1] for line in lines]})


def read_anything(path: Path, config: DataConfig) -> pa.Table:
    return pa.table({"a": [path.stat().st_size if path.exists() else 0]})


def read_as_it_comes(path: Path, config: DataConfig) -> pa.Table:
    return pa.table({"a": path.read_text("utf-8").split("|")})


def refuse_without_a_name(path: Path, config: DataConfig) -> pa.Table:
    if path.name == "good.pipes":
        return read_pipes(path, config)
    raise DataError("cannot be read")


def test_a_good_reader_passes(tmp_path: Path) -> None:
    (tmp_path / "good.pipes").write_text("a|1\nb|2\n")
    assert check_member(Reader((".pipes",), read_pipes), "reader", example=tmp_path / "good.pipes").broken == ()


@pytest.mark.parametrize(
    ("reader", "contract", "fault"),
    [
        (Reader((".Pipes",), read_pipes), "A reader has suffixes in small letters", "suffixes must be like '.abc'"),
        (Reader((".csv",), read_pipes), "A reader has suffixes", "good.pipes has none of its suffixes .csv"),
        (
            Reader((".pipes",), read_anything),
            "C11: a missing file",
            "missing.pipes is read, and there is nothing in it",
        ),
        (
            Reader((".pipes",), read_as_it_comes),
            "C11: a missing file",
            "is refused with FileNotFoundError, expected a Da",
        ),
        (
            Reader((".pipes",), read_as_it_comes),
            "C11: a damaged file",
            "refused with UnicodeDecodeError, expected a Data",
        ),
        (Reader((".pipes",), refuse_without_a_name), "C11: a damaged", "about damaged-0.pipes reads: cannot be read"),
    ],
)
def test_a_fault_of_a_reader_is_found(reader: Reader, contract: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "good.pipes").write_text("a|1\nb|2\n")
    with pytest.raises(Broken, match=rf"BROKEN  {contract}[^\n]*\n[^\n]*{fault}"):
        check_member(reader, "reader", example=tmp_path / "good.pipes")


def test_what_is_not_held_to_anything_says_why() -> None:
    with pytest.raises(UsageError, match=r"there is no cell 'lstn'. Did you mean 'lstm'\?"):
        check_member("cell.lstn")
    with pytest.raises(UsageError, match=r"there are no contracts for members of kind 'cel'. Did you mean 'cell'\?"):
        check_member("cel.lstm")
    with pytest.raises(UsageError, match="give the kind of this member as the second argument, such as 'cell'"):
        check_member(Leaky)
    with pytest.raises(
        UsageError, match=r"recognises no sample column: give example=\(training column, later column\)"
    ):
        check_member(Flag, "encoding")
    with pytest.raises(UsageError, match="a reader is checked by a good file: give example=path"):
        check_member("reader.text")
    with pytest.raises(Broken, match=r"Recurrent: \d+ of \d+ contracts hold"):
        check_member(Recurrent, "cell")
