"""C1 and C8 of live sessions: pushed step by step = the whole sequence; a snapshot goes on to the bit, anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from contracts import networks
from contracts.members import CAUSAL, KERNELS, OTHERS
from torch import Tensor

from unrolled.errors import ModelError, ShapeError, UsageError
from unrolled.kernels import library
from unrolled.layers import torch_compat
from unrolled.layers.recurrence.layer_session import push_together
from unrolled.layers.recurrence.live_steps import PackedSteps
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.window import Window
from unrolled.testing import layers
from unrolled.testing.subject import Subject, everything, same

T = 9
TORCH: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: torch_compat.LSTM(3, 5, num_layers=2),
    "LSTM without bias": lambda: torch_compat.LSTM(3, 5, bias=False, batch_first=True),
    "LSTM with projection": lambda: torch_compat.LSTM(3, 5, proj_size=2),
    "GRU": lambda: torch_compat.GRU(3, 20, num_layers=3, batch_first=True),
    "RNN": lambda: torch_compat.RNN(3, 70, nonlinearity="relu"),
}


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_pushed_step_by_step(member: Subject) -> None:
    layers.pushed(member)


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_a_snapshot_goes_on_to_the_bit(member: Subject) -> None:
    layers.restored(member)


@pytest.mark.parametrize("member", CAUSAL, ids=str)
def test_many_sessions_in_one_call(member: Subject) -> None:
    layers.pushed_together(member)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", TORCH)
def test_sessions_of_torch_s_layers(name: str) -> None:
    torch.manual_seed(0)
    layer = TORCH[name]()
    x = torch.randn(T, 2, 3)
    with torch.no_grad():
        whole = layer(x.transpose(0, 1))[0].transpose(0, 1) if layer.batch_first else layer(x)[0]
    live, one = layer.session(batch=2), layer.session()
    same({"y": torch.stack([live.push(step) for step in x])}, {"y": whole}, 1e-6)
    same({"y": torch.stack([one.push(step[1]) for step in x])}, {"y": whole[:, 1]}, 1e-6)


@pytest.mark.parametrize("width", library.available())
@pytest.mark.parametrize("cell", [name for name, kernel in KERNELS.items() if kernel])
def test_every_vector_width_and_more_threads(cell: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.VARIABLE, width)
    torch.manual_seed(0)
    before = torch.get_num_threads()
    layer, x = Recurrent(30, 300, cell, num_layers=2), torch.randn(4, 6, 30)
    with torch.no_grad():
        whole, _ = layer(x)
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            live = layer.session(batch=4)
            assert isinstance(live.steps, PackedSteps)
            same({"y": torch.stack([live.push(step) for step in x.unbind(1)], 1)}, {"y": whole}, 1e-6)
    finally:
        torch.set_num_threads(before)


def test_sessions_share_packed_weights_until_they_change() -> None:
    layer = Recurrent(3, 4)
    one, two = layer.session(), layer.session()
    if not isinstance(one.steps, PackedSteps) or not isinstance(two.steps, PackedSteps):
        pytest.skip("no kernels are built here")
    assert one.steps.stack is two.steps.stack
    x = torch.randn(3)
    before = one.push(x)
    layer.layers[0][0].weights()[0].data.mul_(2)  # which torch does not count as a change
    later = layer.session()
    assert torch.equal(two.push(x), before)
    assert not torch.equal(later.push(x), before)
    with pytest.raises(UsageError, match="with the same weights: make new sessions"):
        push_together([one, later], torch.randn(2, 3))


def test_answers_serve_in_training_after_inference_mode_is_over() -> None:
    live, x = Recurrent(3, 4).session(), torch.randn(3)
    with torch.inference_mode():
        live.push(x)
        network = networks.Case("lstm", "continuous", "last").network()
        inside = network.session()
    inside.push({"x": torch.zeros(1, 2)})
    inside.state = network.session().state
    y, weight = live.push(x), torch.ones(4, requires_grad=True)
    (y * weight).sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, y)


def test_what_is_pushed_may_lie_anyhow_and_is_checked() -> None:
    layer = Recurrent(3, 4, "gru")
    live, x = layer.session(), torch.randn(6)
    expected = layer.session().push(x[::2].clone())
    assert torch.equal(live.push(x[::2]), expected)
    state = live.snapshot()
    for wrong, message in (
        (torch.randn(4), r"Recurrent: x is \(4,\) torch.float32 on cpu, expected \(3,\) torch.float32 on cpu"),
        (torch.randn(1, 3), r"x is \(1, 3\)"),
        (torch.randn(3).double(), r"\(3,\) torch.float64 on cpu, expected"),
        (torch.randn(3, device="meta"), "on meta, expected"),
    ):
        with pytest.raises(ShapeError, match=message):
            live.push(wrong)
    assert live.snapshot() == state
    with pytest.raises(ShapeError, match=r"x is \(3,\) .* expected \(2, 3\)"):
        layer.session(batch=2).push(torch.randn(3))


def test_what_cannot_be_a_session_says_why() -> None:
    with pytest.raises(UsageError, match="batch must be at least 1, got 0"):
        Recurrent(3, 4).session(batch=0)
    with pytest.raises(UsageError, match=r"training mode, with dropout: call eval\(\)"):
        Recurrent(3, 4, num_layers=2, dropout=0.5).session()
    with pytest.raises(UsageError, match=r"training mode, with dropout: call eval\(\)"):
        torch_compat.LSTM(3, 4, num_layers=2, dropout=0.5).session()
    with pytest.raises(UsageError, match="is bidirectional, so it cannot run step by step"):
        torch_compat.GRU(3, 4, bidirectional=True).session()
    for member in OTHERS:
        with pytest.raises(UsageError, match="sees later steps"):
            member.make().session()
    one = Recurrent(3, 4).session()
    with pytest.raises(UsageError, match="each session only once"):
        push_together([one, one], torch.randn(2, 3))
    with pytest.raises(UsageError, match="each session only once"):
        push_together([], torch.randn(0, 3))
    with pytest.raises(UsageError, match="of the same layer"):
        push_together([one, Recurrent(3, 4).session()], torch.randn(2, 3))
    with pytest.raises(ShapeError, match=r"x is \(2, 3\) .* expected \(1, 3\)"):
        push_together([one], torch.randn(2, 3))


def test_a_snapshot_of_something_else_is_refused() -> None:
    live = Recurrent(3, 4).session()
    with pytest.raises(ModelError, match="the snapshot has 2 rows, expected 1"):
        live.restore(Recurrent(3, 4).session(batch=2).snapshot())
    with pytest.raises(ModelError, match="belongs to another model"):
        live.restore(Recurrent(3, 5).session().snapshot())
    with pytest.raises(ModelError, match="belongs to another model"):
        live.restore(Window(3, 4, 2).session().snapshot())
    with pytest.raises(ModelError, match="not a snapshot"):
        live.restore(b"nothing of the kind")


@pytest.mark.parametrize("case", networks.CAUSAL)
def test_a_network_pushed_step_by_step(case: networks.Case) -> None:
    network = case.network()
    inputs = case.inputs([6, 6])
    outputs, end = networks.whole(network, inputs, [6, 6])
    live = network.session(2)
    one = network.session()
    steps: list[dict[str, Tensor]] = [networks.at(inputs, network, t) for t in range(6)]
    found = [live.push(step) for step in steps]
    single = [one.push({name: value[:1] for name, value in step.items()}) for step in steps]
    if network.pooling is None:
        same({"o": torch.stack(found, 1)}, {"o": outputs}, case.tolerance)
        same({"o": torch.stack(single, 1)}, {"o": outputs[:1]}, case.tolerance)
    else:
        same({"o": found[-1]}, {"o": outputs}, case.tolerance)
        same({"o": single[-1]}, {"o": outputs[:1]}, case.tolerance)
    same(everything(found[0], live.state), everything(found[0], end), case.tolerance)
    again = network.session(2)
    again.state = live.state
    assert torch.equal(again.push(steps[0]), live.push(steps[0]))


def test_a_symbol_out_of_range_is_named_and_changes_nothing() -> None:
    network = networks.Case("lstm", "discrete", "last").network()
    live = network.session()
    before = everything(torch.zeros(0), live.state)
    with pytest.raises(ShapeError, match=r"Embedding: x\[0\] is 7, expected 0 … 6"):
        live.push({"ids": torch.tensor([7])})
    same(everything(torch.zeros(0), live.state), before, 0)
