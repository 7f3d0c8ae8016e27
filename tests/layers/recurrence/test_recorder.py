"""The recorder: what it keeps, in which order, and from whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from recorded import recorded

from unrolled.layers import LSTM
from unrolled.layers.deltanet import DeltaNet
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


def test_what_takes_more_than_the_budget_is_dropped_the_largest_first() -> None:
    layer, x = Recurrent(3, 4, "gru_textbook"), torch.randn(1, 10, 3)  # no kernel: step by step
    of_one = 4 * 10 * 4  # bytes of a value
    for budget, dropped in ((4 * of_one, 0), (3 * of_one, 1), (2 * of_one - 1, 3), (0, 4)):
        with torch.no_grad(), watching(recorder := Recorder(layer, budget=budget)):
            layer(x)
        values = recorder.take()
        assert len(recorder.dropped) == dropped
        assert len(values) == 4 - dropped
        assert sum(value.nbytes for value in values.values()) <= budget
        assert not recorder.shown


def test_attention_over_the_budget_is_declined_and_the_rest_is_kept() -> None:
    torch.manual_seed(0)
    layer, x = Transformer(3, 8, 2, heads=2), torch.randn(1, 50, 3)
    weights = 4 * 50 * 50 * 2
    expected = layer(x)[0]
    with torch.no_grad():
        for budget, dropped in (
            (9 * weights, []),
            (3 * weights, ["blocks.1.own.attention"]),
            (weights, ["blocks.0.own.attention", "blocks.1.own.attention"]),
        ):
            with watching(recorder := Recorder(layer, budget=budget)):
                y, _ = layer(x)
            assert recorder.dropped == dropped
            torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)  # C1: attention


def test_what_may_be_changed_is_computed_over_the_budget_too_but_not_kept() -> None:
    layer, x = Transformer(3, 8, heads=2), torch.randn(1, 50, 3)
    recorder = Recorder(layer, change=lambda path, value: torch.full_like(value, 1 / 50), budget=0)
    with torch.no_grad(), watching(recorder):
        changed, _ = layer(x)
    assert not torch.allclose(changed, layer(x)[0])
    assert recorder.take() == {}


@pytest.mark.parametrize("make", [lambda: Transformer(3, 8, heads=2), lambda: DeltaNet(3, 8, heads=2)])
def test_matrices_that_nobody_wants_are_not_computed(make: Callable[[], Any]) -> None:
    layer, x = make(), torch.randn(1, 70, 3)

    class Modest:
        """It wants no matrices, and is shown none."""

        only_looks = True

        def wants(self, owner: torch.nn.Module, name: str, size: int) -> bool:
            return False

        def saw(self, owner: torch.nn.Module, name: str, value: torch.Tensor, steps: bool) -> torch.Tensor:
            assert name in "qkvab"
            return value

    with torch.no_grad():
        y = layer(x)[0]
        with watching(Modest()):  # type: ignore[arg-type]
            assert torch.equal(layer(x)[0], y)


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
