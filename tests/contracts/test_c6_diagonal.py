"""C6 for the diagonal recurrence: `scan`, minGRU and minLSTM, fused = plain = by hand, at every width that is here."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from contracts.equations import EQUATIONS
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unrolled.cells.cell import CELLS
from unrolled.errors import ShapeError
from unrolled.kernels import library
from unrolled.kernels.minimal import GATES, minimal, minimal_operator
from unrolled.kernels.scan import scan_operator
from unrolled.layers.recurrence.diagonal_scan import scan
from unrolled.layers.recurrence.unroll import unroll
from unrolled.layers.recurrent import Recurrent

WIDTHS = library.available()
CELL_NAMES = list(GATES)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}
pytestmark = pytest.mark.skipif(not WIDTHS, reason="no kernels are built here")


class Case(NamedTuple):
    """What hypothesis chooses: ``scan`` or a cell, on one batch."""

    name: str
    batch: int
    steps: int
    inputs: int
    hidden: int
    lengths: list[int] | None
    reverse: bool
    memory: str
    dtype: torch.dtype
    threads: int
    width: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    batch, steps = draw(st.integers(1, 9)), draw(st.integers(1, 70))
    lengths = st.none() | st.lists(st.integers(0, steps), min_size=batch, max_size=batch)
    return Case(
        draw(st.sampled_from(["scan", *CELL_NAMES])),
        batch,
        steps,
        draw(st.integers(1, 20)),
        draw(st.integers(1, 300)),
        draw(lengths),
        draw(st.booleans()),
        draw(st.sampled_from(["batch", "time", "wide"])),
        draw(st.sampled_from(list(TOLERANCE))),
        draw(st.sampled_from([1, 2, 3])),
        draw(st.sampled_from(WIDTHS)),
    )


def laid_out(tensor: Tensor, memory: str) -> Tensor:
    """The same numbers, otherwise in memory: batch first, time first, or every other number of a wider row."""
    if memory == "time":
        tensor = tensor.transpose(0, 1).contiguous().transpose(0, 1)
    if memory == "wide":
        tensor = torch.stack([tensor, tensor], 3).flatten(2)[:, :, ::2]
    return tensor.requires_grad_()


class Set(NamedTuple):
    """What `run` takes; the gradients are of ``leaves`` and ``first``."""

    cell: Any
    leaves: list[Tensor]
    first: Tensor
    lengths: Tensor | None
    toward: list[Tensor]


def made(case: Case) -> Set:
    torch.manual_seed(case.batch * 1000 + case.hidden)
    shape = (case.batch, case.steps, case.hidden)
    first = torch.randn(case.batch, case.hidden, dtype=case.dtype).requires_grad_()
    lengths = None if case.lengths is None else torch.tensor(case.lengths)
    toward = [torch.randn(shape, dtype=case.dtype), torch.randn(first.shape, dtype=case.dtype)]
    if case.name == "scan":  # both signs, and on the average shorter than 1, for numbers that can be compared
        a = laid_out(2.4 * torch.rand(shape, dtype=case.dtype) - 1.2, case.memory)
        return Set(None, [a, laid_out(torch.randn(shape, dtype=case.dtype), case.memory)], first, lengths, toward)
    cell = CELLS.get(case.name)(case.inputs, case.hidden).to(case.dtype)
    with torch.no_grad():
        cell.bias_ih.add_(torch.randn(cell.bias_ih.shape))
    x = laid_out(torch.randn(case.batch, case.steps, case.inputs, dtype=case.dtype), case.memory)
    return Set(cell, [x], first, lengths, toward)


def run(case: Case, given: Set, width: str, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Outputs, final state and the gradients of the inputs, the first state and every weight."""
    monkeypatch.setenv(library.VARIABLE, width)
    if given.cell is None:
        a, b = given.leaves
        h, h_n = scan(a, b, given.first, given.lengths, case.reverse)
        parameters = []
    else:
        state = type(given.cell.initial_state(1, given.first))(given.first)
        h, (h_n,) = unroll(given.cell, *given.leaves, given.lengths, state, reverse=case.reverse)
        parameters = list(given.cell.parameters())
    loss = (h * given.toward[0]).sum() + (h_n * given.toward[1]).sum()
    return [h, h_n, *torch.autograd.grad(loss, [*given.leaves, given.first, *parameters])]


def close(found: list[Tensor], expected: list[Any], tolerance: float) -> None:
    for a, b in zip(found, expected, strict=True):
        a, b = a.detach().double().numpy(), np.asarray(b.detach() if isinstance(b, Tensor) else b, dtype=np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, float(np.abs(b).max(initial=0))))


@pytest.fixture(autouse=True)
def _own_threads_and_kernels(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv(library.VARIABLE, raising=False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@settings(max_examples=120, deadline=None)
@given(case=cases())
def test_the_kernels_give_what_the_plain_path_gives(case: Case) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        torch.set_num_threads(case.threads)
        given = made(case)
        close(run(case, given, case.width, monkeypatch), run(case, given, "plain", monkeypatch), TOLERANCE[case.dtype])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CELL_NAMES)
def test_the_kernels_give_what_the_textbook_gives(name: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [6, 2, 0, 4]
    case = Case(name, 4, 6, 3, 5, lengths, False, "batch", torch.float64, 1, width)
    given = made(case)
    given = given._replace(first=torch.zeros_like(given.first).requires_grad_())
    h, h_n, dx, _, *dweights = run(case, given, width, monkeypatch)
    weights = [w.detach().numpy() for w in given.cell.weights()]
    totals: list[Any] = [np.zeros(w.shape) for w in weights]
    for row, length in enumerate(lengths):
        passed = EQUATIONS[name](given.leaves[0][row, :length].detach().numpy(), weights)
        found = passed.back(given.toward[0][row, :length].numpy(), (given.toward[1][row].numpy(),))
        close([h[row, :length], h_n[row], dx[row, :length]], [passed.y, passed.ends[0], found[0]], 1e-9)
        totals = [total + part for total, part in zip(totals, found[1], strict=True)]
    close(dweights, totals, 1e-9)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["scan", *CELL_NAMES])
def test_however_many_threads_the_answer_is_the_same_to_the_bit(
    name: str, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(name, 5, 150, 6, 200, [150, 3, 0, 77, 149], False, "batch", torch.float32, 1, width)
    given, answers = made(case), []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        answers.append(run(case, given, width, monkeypatch))
    for found in answers[1:]:
        if name == "scan":
            assert all(torch.equal(a, b) for a, b in zip(found, answers[0], strict=True))
        close(found, answers[0], 1e-5)  # gates come from torch's products, which may add in another order
    close(answers[0], run(case, given, "plain", monkeypatch), 1e-5)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["scan", *CELL_NAMES])
def test_padding_is_never_read(name: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(name, 4, 8, 5, 21, [8, 3, 0, 1], True, "batch", torch.float32, 1, width)
    given = made(case)
    expected = run(case, given, width, monkeypatch)
    assert given.lengths is not None
    padded = torch.arange(8) >= given.lengths.unsqueeze(1)
    leaves = [leaf.detach().masked_fill(padded.unsqueeze(2), float("nan")).requires_grad_() for leaf in given.leaves]
    for found, wanted in zip(run(case, given._replace(leaves=leaves), width, monkeypatch), expected, strict=True):
        assert torch.equal(found, wanted)
    h, h_n, *gradients = expected
    assert h[padded].abs().sum() == 0
    assert torch.equal(h_n[2], given.first[2])
    assert all(gradient[padded].abs().sum() == 0 for gradient in gradients[: len(leaves)])


@pytest.mark.parametrize("width", ["plain", *WIDTHS])
@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
def test_gates_beyond_all_bounds_share_out_one(dtype: torch.dtype, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """f / (f + i) is e^(f - i) / (1 + e^(f - i)) where both gates underflow, and its gradient is no NaN."""
    monkeypatch.setenv(library.VARIABLE, width)
    sums = torch.tensor([(-2000, -2000), (-2000, -2001), (-3, -4000), (-4000, -3), (4000, 4000), (-900, 5)])
    k = torch.cat([sums.t().flatten(), torch.full((6,), 3.0)]).to(dtype).requires_grad_()
    h, _ = minimal_of(k, torch.ones(1, 6, dtype=dtype))
    f, i = torch.nn.functional.logsigmoid(sums.double()).unbind(1)
    kept = torch.sigmoid(f - i)
    torch.testing.assert_close(h[0, 0].double(), kept + 3 * (1 - kept), atol=1e-6, rtol=0)
    (d_k,) = torch.autograd.grad(h.sum(), k)
    df = -2 * kept * (1 - kept) * torch.sigmoid(-sums[:, 0].double())
    torch.testing.assert_close(d_k[:6].double(), df, atol=1e-6, rtol=0)


def minimal_of(k: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
    """One step of a minLSTM whose sums are ``k``."""
    cell = CELLS.get("minlstm")(1, h_0.shape[1]).to(k.dtype)
    del cell.bias_ih
    cell.bias_ih = k
    return unroll(cell, torch.zeros(1, 1, 1, dtype=k.dtype), None, cell.initial_state(1, k)._replace(h=h_0))


def test_an_expanded_gradient_and_a_graph_that_is_kept() -> None:
    cell, x = CELLS.get("mingru")(3, 4), torch.randn(2, 5, 3, requires_grad=True)
    h, _ = unroll(cell, x)
    first = torch.autograd.grad(h.sum(), [x, *cell.parameters()], retain_graph=True)
    again = torch.autograd.grad(h.sum(), [x, *cell.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].abs().sum() > 0


@pytest.mark.parametrize("name", ["scan", "mingru"])
def test_a_second_derivative_is_that_of_the_plain_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 5, 3, requires_grad=True)
    cell = CELLS.get("mingru")(3, 4)

    def gradient() -> Tensor:
        h = scan(torch.sigmoid(x), x)[0] if name == "scan" else unroll(cell, x)[0]
        return torch.autograd.grad((h**2).sum(), x, create_graph=True)[0]

    (found,) = torch.autograd.grad(gradient().pow(2).sum(), x)
    monkeypatch.setenv(library.VARIABLE, "plain")
    (expected,) = torch.autograd.grad(gradient().pow(2).sum(), x)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, [4, 0, 2]])
def test_torch_itself_finds_no_fault_with_the_operators(lengths: list[int] | None) -> None:
    real = None if lengths is None else torch.tensor(lengths)
    double = {"dtype": torch.float64, "requires_grad": True}
    h_0, (a, b) = torch.randn(3, 5, **double), (torch.randn(3, 4, 5, **double) for _ in range(2))
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(scan_operator, (a, b, real, h_0, False), test_utils=tests)
    for kind, gates in GATES.items():
        weights = [torch.randn(gates * 5, 3, **double), torch.randn(gates * 5, **double)]
        given = (kind, torch.randn(3, 4, 3, **double), real, *weights, h_0, False, True)
        torch.library.opcheck(minimal_operator, given, test_utils=tests)


@pytest.mark.parametrize("lengths", [None, [4, 0, 2]])
def test_a_compiler_sees_one_step(lengths: list[int] | None) -> None:
    real = None if lengths is None else torch.tensor(lengths)
    cell, x = CELLS.get("minlstm")(3, 5).requires_grad_(False), torch.randn(3, 4, 3, requires_grad=True)

    def both(x: Tensor, h_0: Tensor) -> Tensor:
        h, h_n = minimal("minlstm", x, real, *cell.weights(), h_0, False)
        h, end = scan_operator(torch.sigmoid(h), h, real, h_n, True)
        return h.sum() + 2 * end.sum()

    h_0 = torch.zeros(3, 5)
    compiled = torch.compile(both, fullgraph=True, backend="aot_eager")
    (found,) = torch.autograd.grad(compiled(x, h_0), x)
    (expected,) = torch.autograd.grad(both(x, h_0), x)
    torch.testing.assert_close(found, expected)


def test_a_layer_compiles_whole_and_exports() -> None:
    layer, x = Recurrent(3, 5, "mingru", 2), torch.randn(2, 4, 3)
    expected, _ = layer(x)
    found, _ = torch.compile(layer, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(torch.export.export(layer, (x,)).module()(x)[0], expected)
        states = layer.initial_state(2, x)
        exported = torch.export.export(Step(layer), (x[:, 0], states)).module()
        torch.testing.assert_close(exported(x[:, 0], states)[0], expected[:, 0])


class Step(torch.nn.Module):
    """One step as a module, which is what `torch.export` takes."""

    def __init__(self, layer: Recurrent) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.layer.step(x, state)


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (2, torch.tensor([1, 4]), "mingru: lengths are 1 … 4, expected 0 … 3"),
        (2, torch.tensor([1, 2, 3]), r"mingru: lengths is \(3,\) torch.int64, expected \(2,\)"),
        (3, torch.zeros(10, 3), r"mingru: weight_ih is \(10, 3\) .* expected \(10, 4\) torch.float32 on cpu"),
        (4, torch.zeros(6), r"mingru: bias_ih is \(6,\) .* expected \(10,\)"),
        (4, torch.zeros(10).double(), r"mingru: bias_ih is \(10,\) torch.float64"),
        (5, torch.zeros(3, 5), r"mingru: h_0 is \(3, 5\) .* expected \(2, 5\)"),
    ],
)
def test_what_does_not_fit_never_reaches_an_address(place: int, wrong: Tensor, message: str) -> None:
    given: list[Any] = ["mingru", torch.zeros(2, 3, 4), None, torch.zeros(10, 4), torch.zeros(10), torch.zeros(2, 5)]
    given[place] = wrong
    with pytest.raises(ShapeError, match=message):
        minimal(*given, False)
