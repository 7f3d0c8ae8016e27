"""The recorder: what it keeps, in which order, and from whom."""

from __future__ import annotations

import torch
from recorded import recorded

from unrolled.layers import LSTM
from unrolled.layers.recurrence.recorder import Recorder
from unrolled.layers.recurrence.unroll import unroll
from unrolled.layers.recurrent import Recurrent
from unrolled.layers.transformer import Transformer
from unrolled.watch import watching


def test_only_what_is_wanted_is_kept_and_all_of_it_can_be_changed() -> None:
    layer, asked = Recurrent(3, 4, "gru"), set()

    def change(path: str, value: torch.Tensor) -> torch.Tensor:
        asked.add(path)
        return value

    recorder = Recorder(layer, keep=lambda path: path.endswith(".z"), change=change)
    with watching(recorder):
        layer(torch.randn(2, 5, 3))
    assert list(recorder.values()) == ["layers.0.0.z"]
    assert asked == {"layers.0.0.r", "layers.0.0.z", "layers.0.0.n", "layers.0.0.h"}


def test_a_run_backward_is_kept_in_the_order_of_the_row_also_when_it_is_repeated() -> None:
    layer = Recurrent(3, 4, "rnn", bidirectional=True)
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 3])
    with watching(recorder := Recorder(layer)):
        y, _ = layer(x, lengths)
        again, _ = layer(x)
    backward = recorder.values()["layers.0.1.h"]
    assert torch.equal(backward[0, :5], y[0, :, 4:])
    assert torch.equal(backward[1, :3], y[1, :3, 4:])
    assert torch.equal(backward[:, 5:], again[:, :, 4:])


def test_chunks_and_steps_of_one_row_follow_each_other() -> None:
    layer, x = Transformer(3, 8, heads=2), torch.randn(1, 5, 3)
    _, whole = recorded(layer, x)
    with watching(recorder := Recorder(layer)):
        _, state = layer(x[:, :3])
        for step in x[:, 3:].unbind(1):
            _, state = layer.step(step, state)
    torch.testing.assert_close(recorder.values(), whole, atol=1e-6, rtol=0)


def test_a_cell_alone_and_a_layer_of_torch_s_form_have_paths_too() -> None:
    cell = Recurrent(3, 4, "lstm").layers[0][0]
    with watching(recorder := Recorder(torch.nn.Identity())):
        unroll(cell, torch.randn(1, 2, 3))  # no part of the identity, so it goes by its class
    assert set(recorder.values()) == {f"LSTM.{name}" for name in "ifgoch"}
    layer = torch.nn.ModuleDict({"read": LSTM(3, 4, bidirectional=True)})
    with watching(recorder := Recorder(layer)):
        layer["read"](torch.randn(2, 1, 3))
    assert set(recorder.values()) == {f"read.{place}.{name}" for place in ("l0", "l0_reverse") for name in "ifgoch"}


def test_recurrent_dropout_and_recomputation_are_watched_too() -> None:
    torch.manual_seed(0)
    layer = Recurrent(3, 4, "lstm", recompute=2, recurrent_dropout=0.5, bidirectional=True)
    y, values = recorded(layer, torch.randn(2, 5, 3), torch.tensor([5, 2]))
    assert {tuple(value.shape) for value in values.values()} == {(2, 5, 4)}
    assert torch.equal(values["layers.0.1.h"][0], y[0][0, :, 4:])
    session = LSTM(3, 4).eval().session(2)  # packed: the kernels step, and nothing is shown
    with watching(recorder := Recorder(session.layer)):
        session.push(torch.randn(2, 3))
    assert not recorder.shown
