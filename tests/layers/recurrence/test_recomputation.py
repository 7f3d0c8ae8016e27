"""Recomputed in chunks: the outputs to the bit, the gradients to rounding, and next to nothing kept for the way back."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from unrolled.cells.cell import CELLS
from unrolled.errors import ShapeError, UsageError
from unrolled.kernels import fused, library
from unrolled.kernels.recompute import chunks, within
from unrolled.layers import torch_compat
from unrolled.layers.recurrence.recomputation import Recompute, chunk_steps
from unrolled.layers.recurrence.unroll import unroll
from unrolled.layers.recurrent import Recurrent

NAMES = CELLS.names()
LENGTHS = [11, 4, 0, 1, 8]
needs_kernels = pytest.mark.skipif(not library.available(), reason="no kernels are built here")


class Set:
    """A cell on one batch, with a first state and a loss that every output goes into."""

    def __init__(self, name: str, lengths: list[int] | None, reverse: bool, time_major: bool = False) -> None:
        torch.manual_seed(3)
        self.cell = CELLS.get(name)(6, 21)
        x = torch.randn(11, 5, 6).transpose(0, 1)
        self.x = (x if time_major else x.contiguous()).requires_grad_()
        like = self.cell.initial_state(5, self.x)
        self.first = type(like)(*(torch.randn_like(part).requires_grad_() for part in like))
        self.lengths, self.reverse = None if lengths is None else torch.tensor(lengths), reverse
        self.toward = [torch.randn(5, 11, 21), *(torch.randn(5, 21) for _ in like)]

    def run(self, recompute: Recompute) -> list[Tensor]:
        y, last = unroll(self.cell, self.x, self.lengths, self.first, reverse=self.reverse, recompute=recompute)
        loss = torch.stack([(p * w).sum() for p, w in zip((y, *last), self.toward, strict=True)]).sum()
        return [y, *last, *torch.autograd.grad(loss, [self.x, *self.first, *self.cell.parameters()])]


@pytest.mark.parametrize("time_major", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["even", "uneven"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", ["plain", *library.available()])
def test_nothing_changes_but_the_order_of_the_weights_sums(
    width: str, name: str, lengths: list[int] | None, reverse: bool, time_major: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(library.VARIABLE, width)
    given = Set(name, lengths, reverse, time_major)
    expected, answers = given.run(None), 1 + len(given.first)
    sizes: list[Recompute] = ["sqrt", 1, 3, 10]
    for recompute in sizes:
        found = given.run(recompute)
        for mine, whole in zip(found[:answers], expected[:answers], strict=True):
            if width != "plain" and getattr(given.cell, "kernel", None) in library.CELLS:
                assert torch.equal(mine, whole)
            else:  # torch's products may add in another order where there are fewer steps
                torch.testing.assert_close(mine, whole, atol=1e-6, rtol=0)
        for mine, whole in zip(found[answers:], expected[answers:], strict=True):
            torch.testing.assert_close(mine, whole, atol=1e-5 * max(1.0, float(whole.abs().max())), rtol=0)


@pytest.mark.parametrize("width", ["plain", *library.available()[-1:]])
@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
def test_only_the_states_between_chunks_are_kept(name: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, width)
    cell, x = CELLS.get(name)(4, 16), torch.randn(2, 400, 4)
    own = {x.untyped_storage().data_ptr(), *(w.untyped_storage().data_ptr() for w in cell.parameters())}

    def kept(recompute: Recompute) -> int:
        storages: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // tensor.itemsize
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            y, _ = unroll(cell, x, recompute=recompute)
        assert y.requires_grad
        return sum(numbers for place, numbers in storages.items() if place not in own)

    parts = 2 if name == "lstm" else 1
    assert kept(None) >= 2 * 400 * 16
    assert kept("sqrt") <= parts * 2 * 20 * 16
    assert kept(100) <= parts * 2 * 4 * 16


def test_a_graph_that_is_kept_and_an_output_that_is_written_over() -> None:
    given = Set("lstm", LENGTHS, False)
    y, _ = unroll(given.cell, given.x, given.lengths, recompute=3)
    loss = (y * given.toward[0]).sum()
    first = torch.autograd.grad(loss, given.x, retain_graph=True)[0]
    with torch.no_grad():
        y.zero_()
    assert torch.equal(torch.autograd.grad(loss, given.x)[0], first)
    assert first.abs().sum() > 0


def test_what_needs_no_gradient_gets_none() -> None:
    given = Set("gru", None, False)
    whole, _ = unroll(given.cell, given.x)
    (expected,) = torch.autograd.grad(whole.sum(), given.x)
    given.cell.requires_grad_(False)
    y, _ = unroll(given.cell, given.x, recompute=4)
    torch.testing.assert_close(torch.autograd.grad(y.sum(), given.x)[0], expected)
    y, state = unroll(given.cell.requires_grad_(True), given.x.detach(), recompute=4)
    state.h.sum().backward()  # of y nothing is asked
    assert all(weight.grad is not None for weight in given.cell.parameters())
    with torch.no_grad():
        assert not unroll(given.cell, given.x, recompute=4)[0].requires_grad


@needs_kernels
def test_a_second_derivative_is_that_of_the_plain_path(monkeypatch: pytest.MonkeyPatch) -> None:
    given, found = Set("gru", None, False), []
    for width in ("", "plain"):
        monkeypatch.setenv(library.VARIABLE, width)
        y, _ = unroll(given.cell, given.x, recompute=3)
        (gradient,) = torch.autograd.grad((y**2).sum(), given.x, create_graph=True)
        found.append(torch.autograd.grad((gradient**2).sum(), given.x)[0])
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)


@needs_kernels
def test_a_length_that_does_not_fit_is_seen_before_it_is_cut_into_chunks() -> None:
    weights, first = [torch.zeros(5, 4, requires_grad=True), torch.zeros(5, 5)], (torch.zeros(2, 5),)
    for wrong in ([1, 9], [-1, 2]):
        with pytest.raises(ShapeError, match="lengths are .* expected 0 … 6"):
            fused.recurrence("rnn_tanh", torch.zeros(2, 6, 4), torch.tensor(wrong), weights, first, recompute=2)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_torch_s_layers_in_every_form(name: str) -> None:
    torch.manual_seed(4)
    settings: dict[str, Any] = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    theirs: nn.Module = getattr(nn, name)(4, 7, **settings)
    ours: nn.Module = getattr(torch_compat, name)(4, 7, **settings, recompute="sqrt")
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 9, 4)
    packed = pack_padded_sequence(x, torch.tensor([9, 2, 5]), batch_first=True, enforce_sorted=False)
    for form in (x, x[0], packed):
        answers = []
        for layer in (ours, theirs):
            layer.zero_grad()
            y, _ = layer(form)
            (y.data if form is packed else y).square().sum().backward()
            answers.append([parameter.grad for parameter in layer.parameters()])
        for mine, other in zip(*answers, strict=True):
            torch.testing.assert_close(mine, other, atol=1e-5, rtol=0)


@needs_kernels  # torch's compiler does not see through torch._VF inside a checkpoint
def test_a_compiler_sees_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(library.VARIABLE, raising=False)
    layer, x = torch_compat.GRU(3, 5, batch_first=True, recompute=3), torch.randn(2, 8, 3)
    expected = torch.autograd.grad(layer(x)[0].square().sum(), list(layer.parameters()))
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    found = torch.autograd.grad(compiled(x)[0].square().sum(), list(layer.parameters()))
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other)


def test_chunks_cover_every_step_once_and_know_their_rows() -> None:
    assert [(c.start, c.stop) for c in chunks(7, 3, reverse=False)] == [(0, 3), (3, 6), (6, 7)]
    assert chunks(7, 3, reverse=True) == chunks(7, 3, reverse=False)[::-1]
    lengths = torch.tensor([0, 2, 5, 7])
    parts = [within(lengths, chunk) for chunk in chunks(7, 3, reverse=False)]
    assert torch.stack([part for part in parts if part is not None]).sum(0).tolist() == [0, 2, 5, 7]
    assert within(None, slice(0, 3)) is None
    assert [chunk_steps("sqrt", steps) for steps in (0, 1, 2, 4, 5)] == [None, None, None, 2, 3]


@pytest.mark.parametrize("wrong", [0, -3, True, 2.5, "root"])
def test_what_is_out_of_range_is_refused(wrong: Any) -> None:
    message = f"recompute must be None, 'sqrt' or an integer of at least 1, got {wrong!r}"
    with pytest.raises(UsageError, match=message):
        unroll(CELLS.get("gru")(3, 4), torch.zeros(2, 5, 3), recompute=wrong)
    with pytest.raises(UsageError, match=message):
        Recurrent(3, 4, recompute=wrong)
    with pytest.raises(UsageError, match=message):
        torch_compat.LSTM(3, 4, recompute=wrong)
