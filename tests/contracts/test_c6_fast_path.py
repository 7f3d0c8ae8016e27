"""C6: the fast path = the plain path: outputs, final state and all gradients, at every vector width that is here."""

from __future__ import annotations

import copy
import threading
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from contracts.equations import EQUATIONS
from contracts.members import KERNELS
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unrolled.cells.cell import CELLS
from unrolled.cells.gru import GRU
from unrolled.errors import ShapeError, UsageError
from unrolled.kernels import fused, library, operators
from unrolled.kernels import scratch as memory
from unrolled.layers import torch_compat
from unrolled.layers.recurrence.unroll import unroll

WIDTHS = library.available()
NAMES = [name for name, kernel in KERNELS.items() if kernel in library.CELLS]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-9}
pytestmark = pytest.mark.skipif(not WIDTHS, reason="no kernels are built here")


class Case(NamedTuple):
    """What hypothesis chooses: one cell on one batch."""

    name: str
    batch: int
    steps: int
    inputs: int
    hidden: int
    lengths: list[int] | None
    reverse: bool
    time_major: bool
    dtype: torch.dtype
    threads: int
    width: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    batch, steps = draw(st.integers(1, 20)), draw(st.integers(1, 14))
    lengths = st.none() | st.lists(st.integers(0, steps), min_size=batch, max_size=batch)
    return Case(
        draw(st.sampled_from(NAMES)),
        batch,
        steps,
        draw(st.integers(1, 40)),
        draw(st.integers(1, 80)),
        draw(lengths),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from(list(TOLERANCE))),
        draw(st.sampled_from([1, 2, 3])),
        draw(st.sampled_from(WIDTHS)),
    )


class Set(NamedTuple):
    """A cell, its input and first state, and the weights of a loss that every output goes into."""

    cell: Any
    x: Tensor
    first: Any
    lengths: Tensor | None
    toward: list[Tensor]


def made(case: Case) -> Set:
    torch.manual_seed(case.batch * 1000 + case.hidden)
    cell = CELLS.get(case.name)(case.inputs, case.hidden).to(case.dtype)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(torch.randn(parameter.shape) / max(1, parameter.shape[-1]) ** 0.5)
    x = torch.randn(case.steps, case.batch, case.inputs, dtype=case.dtype).transpose(0, 1)
    x = (x if case.time_major else x.contiguous()).requires_grad_()
    like = cell.initial_state(case.batch, x)
    first = type(like)(*(torch.randn_like(part).requires_grad_() for part in like))
    lengths = None if case.lengths is None else torch.tensor(case.lengths)
    shapes = [(case.batch, case.steps, case.hidden), *(part.shape for part in like)]
    return Set(cell, x, first, lengths, [torch.randn(shape, dtype=case.dtype) for shape in shapes])


def exact(given: Set) -> Set:
    """The same in float64: sums that cancel leave the plain path in float32 further off than the kernels."""
    first = type(given.first)(*(part.detach().double().requires_grad_() for part in given.first))
    x, toward = given.x.detach().double().requires_grad_(), [part.double() for part in given.toward]
    return Set(copy.deepcopy(given.cell).double(), x, first, given.lengths, toward)


def run(case: Case, given: Set, width: str, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Outputs, final state and the gradients of x, the first state and every weight."""
    monkeypatch.setenv(library.VARIABLE, width)
    y, last = unroll(given.cell, given.x, given.lengths, given.first, reverse=case.reverse)
    loss = torch.stack([(p * w).sum() for p, w in zip((y, *last), given.toward, strict=True)]).sum()
    return [y, *last, *torch.autograd.grad(loss, [given.x, *given.first, *given.cell.parameters()])]


def close(found: list[Tensor], expected: list[Any], tolerance: float) -> None:
    for a, b in zip(found, expected, strict=True):
        a, b = a.detach().double().numpy(), np.asarray(b.detach() if isinstance(b, Tensor) else b, dtype=np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, float(np.abs(b).max(initial=0))))


@pytest.fixture(autouse=True)
def _own_threads_and_kernels(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whatever the rest of the run uses, these tests choose."""
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
        expected = run(case, exact(given), "plain", monkeypatch)
        close(run(case, given, case.width, monkeypatch), expected, TOLERANCE[case.dtype])


# Enough work for several threads: by rows, by units (few rows), by units (weights beyond a cache).
LARGE = [(16, 40, 30, 70), (3, 40, 64, 100), (9, 2, 100, 500)]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shape", LARGE, ids=str)
@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
def test_however_many_threads_the_answer_is_the_same_to_the_bit(
    name: str, shape: tuple[int, ...], width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = [(7 * row) % (shape[1] + 1) for row in range(shape[0])]
    case = Case(name, *shape, lengths, False, False, torch.float32, 1, width)
    given, answers = made(case), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        answers.append(run(case, given, width, monkeypatch))
    for found in answers[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found, answers[0], strict=True))
    close(answers[0], run(case, given, "plain", monkeypatch), 1e-5)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_the_kernels_give_what_the_textbook_gives(name: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(name, 4, 6, 3, 5, [6, 2, 0, 4], False, False, torch.float64, 1, width)
    given = made(case)
    given = given._replace(first=type(given.first)(*(torch.zeros_like(p).requires_grad_() for p in given.first)))
    parts = len(given.first)
    y, *rest = run(case, given, width, monkeypatch)
    weights = [w.detach().numpy() for w in given.cell.weights()]
    totals: list[Any] = [np.zeros(w.shape) for w in weights]
    for row, length in enumerate([6, 2, 0, 4]):
        passed = EQUATIONS[name](given.x[row, :length].detach().numpy(), weights)
        ends = tuple(part[row].numpy() for part in given.toward[1:])
        dx, dweights = passed.back(given.toward[0][row, :length].numpy(), ends)
        close([y[row, :length], *(part[row] for part in rest[:parts])], [passed.y, *passed.ends], 1e-9)
        close([rest[parts][row, :length]], [dx], 1e-9)
        totals = [total + part for total, part in zip(totals, dweights, strict=True)]
    close(rest[1 + 2 * parts :], totals, 1e-9)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NAMES)
def test_padding_is_never_read_and_rows_know_nothing_of_each_other(
    name: str, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(name, 9, 8, 5, 21, [8, 3, 0, 1, 5, 5, 7, 2, 8], False, False, torch.float32, 1, width)
    given = made(case)
    expected = run(case, given, width, monkeypatch)
    assert given.lengths is not None
    padded = torch.arange(8) >= given.lengths.unsqueeze(1)
    spoiled = given.x.detach().masked_fill(padded.unsqueeze(2), float("nan")).requires_grad_()
    for found, wanted in zip(run(case, given._replace(x=spoiled), width, monkeypatch), expected, strict=True):
        assert torch.equal(found, wanted)
    y = expected[0]
    assert y[padded].abs().sum() == 0
    for row, length in enumerate(given.lengths.tolist()):
        if length:
            first = type(given.first)(*(part[row : row + 1] for part in given.first))
            alone, _ = unroll(given.cell, given.x[row : row + 1, :length], None, first)
            assert torch.equal(alone[0], y[row, :length])


def test_odd_inputs_give_what_ordinary_ones_give() -> None:
    cell, x = GRU(6, 10), torch.randn(5, 7, 6)
    expected, last = unroll(cell, x)
    wide = torch.randn(5, 7, 12)
    wide[:, :, ::2] = x
    for same in (wide[:, :, ::2], x.flip(0).flip(0), x.transpose(1, 2).contiguous().transpose(1, 2)):
        y, end = unroll(cell, same)
        assert torch.equal(y, expected)
        assert torch.equal(end.h, last.h)
    repeated, _ = unroll(cell, x[:1, :1].expand(5, 7, 6))
    close([repeated], [unroll(cell, x[:1, :1].repeat(5, 7, 1))[0]], 0)
    y, end = unroll(cell, torch.zeros(0, 7, 6))
    assert (y.shape, end.h.shape) == ((0, 7, 10), (0, 10))


def test_an_expanded_gradient_and_a_graph_that_is_kept() -> None:
    cell, x = GRU(3, 4), torch.randn(2, 5, 3, requires_grad=True)
    y, _ = unroll(cell, x)
    first = torch.autograd.grad(y.sum(), x, retain_graph=True)[0]
    again = torch.autograd.grad(y.sum(), x)[0]
    assert torch.equal(first, again)
    assert first.abs().sum() > 0


@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
@pytest.mark.parametrize("reverse", [False, True])
def test_second_derivatives_are_those_of_the_plain_path(
    reverse: bool, lengths: list[int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, x = GRU(3, 4), torch.randn(3, 5, 3, requires_grad=True)
    real = None if lengths is None else torch.tensor(lengths)

    def second() -> tuple[Tensor, ...]:
        y, state = unroll(cell, x, real, reverse=reverse)
        (gradient,) = torch.autograd.grad((y**2).sum() + state.h.sum(), x, create_graph=True)
        return torch.autograd.grad((gradient**2).sum(), [x, *cell.parameters()])

    found = second()
    monkeypatch.setenv(library.VARIABLE, "plain")
    for mine, expected in zip(found, second(), strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("lengths", [None, [4, 0, 2]])
@pytest.mark.parametrize(("kind", "gates"), [("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)])
def test_torch_itself_finds_no_fault_with_the_operators(kind: str, gates: int, lengths: list[int] | None) -> None:
    weights = [torch.randn(gates * 5, 3), torch.randn(gates * 5, 5), *torch.randn(2, gates * 5)]
    given = [w.double().requires_grad_() for w in weights]
    x = torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)
    h, c = (torch.randn(3, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    real = None if lengths is None else torch.tensor(lengths)
    arguments = (kind, x, real, *given, h, c if kind == "lstm" else None, False, True)
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(operators.recurrence, arguments, test_utils=tests)


@pytest.mark.parametrize("lengths", [None, [4, 0, 2]])
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_compiler_sees_one_step(name: str, lengths: list[int] | None) -> None:
    cell, x = CELLS.get(name)(3, 5), torch.randn(3, 4, 3, requires_grad=True)
    cell.requires_grad_(False)
    real = None if lengths is None else torch.tensor(lengths)
    weights = cell.weights()

    def run(x: Tensor, *state: Tensor) -> Tensor:
        y, (h, *_) = fused.recurrence(name, x, real, weights, state)
        return y.sum() + 2 * h.sum()

    state = tuple(cell.initial_state(3, x))
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    (found,) = torch.autograd.grad(compiled(x, *state), x)
    (expected,) = torch.autograd.grad(run(x, *state), x)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_a_layer_compiles_whole_and_exports(name: str) -> None:
    layer, x = getattr(torch_compat, name)(3, 5, num_layers=2, batch_first=True), torch.randn(2, 4, 3)
    expected, _ = layer(x)
    found, _ = torch.compile(layer, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(found, expected)
    with torch.no_grad():
        exported = torch.export.export(layer, (x,)).module()
        torch.testing.assert_close(exported(x)[0], expected)


def test_a_buffer_comes_back_once_its_tensor_is_gone() -> None:
    memory._kept.clear()
    first = memory.reused((3000, 1000), torch.float32)
    part, place = first[5:], first.data_ptr()
    assert place % 64 == 0
    del first
    assert memory._kept == []
    del part
    assert memory.reused((2900, 1000), torch.float32).data_ptr() == place
    assert memory.reused((10, 10), torch.float64).shape == (10, 10)
    for _ in range(5):
        many = [memory.reused((60_000, 1000), torch.float32) for _ in range(4)]
        del many
    assert sum(len(kept) for kept in memory._kept) <= memory._MOST
    memory._kept.clear()


def test_several_python_threads_at_once() -> None:
    torch.manual_seed(0)
    cells = [CELLS.get(name)(7, 20) for name in ("lstm", "gru", "rnn")]
    inputs = [torch.randn(3 + k, 11, 7) for k in range(3)]
    expected = [[unroll(cell, x)[0].detach() for x in inputs] for cell in cells]
    wrong: list[str] = []

    def work(k: int) -> None:
        for turn in range(30):
            cell, x = (k + turn) % 3, turn % 3
            y, _ = unroll(cells[cell], inputs[x].clone().requires_grad_())
            y.sum().backward()
            if not torch.equal(y.detach(), expected[cell][x]):
                wrong.append(f"thread {k}, turn {turn}")

    for parameter in (p for cell in cells for p in cell.parameters()):
        parameter.requires_grad_(False)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_the_kernels_do_not_run_takes_the_plain_path() -> None:
    x, weights = torch.randn(2, 3, 4), [torch.randn(5, 4), torch.randn(5, 5)]
    assert fused.fits("rnn_tanh", x, weights)
    assert not fused.fits(None, x, weights)
    assert not fused.fits("rnn_tanh", x.half(), [w.half() for w in weights])
    assert not fused.fits("rnn_tanh", x.to("meta"), weights)
    assert not fused.fits("lstm", x, [*weights, weights[0]])  # a projection
    with torch.autocast("cpu"):
        assert not fused.fits("rnn_tanh", x, weights)


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (0, torch.zeros(5, 3), r"rnn_tanh: weight_ih is \(5, 3\) torch.float32 on cpu, expected \(5, 4\)"),
        (1, torch.zeros(4, 5), r"weight_hh is \(4, 5\) .* expected \(5, 5\)"),
        (1, torch.zeros(5, 5).double(), r"weight_hh is \(5, 5\) torch.float64 on cpu, expected \(5, 5\) torch.float32"),
        (3, torch.zeros(6), r"bias_hh is \(6,\)"),
        (3, torch.zeros(5, device="meta"), r"bias_hh is \(5,\) torch.float32 on meta"),
        (4, torch.zeros(3, 5), r"h_0 is \(3, 5\) .* expected \(2, 5\) .* for x with shape \(2, 3, 4\)"),
        (5, torch.tensor([1, 4]), "lengths are 1 … 4, expected 0 … 3"),
        (5, torch.tensor([1, 2, 3]), r"lengths is \(3,\) torch.int64, expected \(2,\)"),
    ],
)
def test_what_does_not_fit_never_reaches_an_address(place: int, wrong: Tensor, message: str) -> None:
    given: list[Any] = [torch.zeros(5, 4), torch.zeros(5, 5), torch.zeros(5), torch.zeros(5), torch.zeros(2, 5), None]
    given[place] = wrong
    *weights, first, lengths = given
    with pytest.raises(ShapeError, match=message):
        fused.recurrence("rnn_tanh", torch.zeros(2, 3, 4), lengths, weights, (first,))


def test_the_choice_may_be_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)
    assert library.active() == WIDTHS[-1]
    for width in ("plain", *WIDTHS):
        monkeypatch.setenv(library.VARIABLE, width)
        assert library.active() == width
    monkeypatch.setenv(library.VARIABLE, "avx215")
    with pytest.raises(UsageError, match=r"UNROLLED_KERNELS=avx215: unknown\. Did you mean 'avx2'\?"):
        library.active()
