"""The transformer against one block of the textbook; its positions, its memory, its state, its first weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from configs import model_config
from recorded import recorded
from torch import Tensor

from unrolled.errors import ModelError, ShapeError, UsageError
from unrolled.layers.attention.cache import KVCache
from unrolled.layers.factory import build_layer
from unrolled.layers.transformer import Transformer, TransformerState
from unrolled.reference.attention import BlockWeights, HeadWeights, block
from unrolled.state import flatten, from_bytes, select, to_bytes, where

B, T, H = 3, 7, 8


def made(**options: Any) -> tuple[Transformer, Tensor]:
    torch.manual_seed(0)
    layer = Transformer(H, H, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape))
    return layer.eval(), torch.randn(B, T, H, dtype=torch.float64)


# --- the textbook ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("positions", ["rotary", "alibi"])
@pytest.mark.parametrize("feedforward", ["swiglu", "gelu"])
def test_one_block_is_the_textbook_s(feedforward: Any, positions: Any, norm_first: bool, causal: bool) -> None:
    norm: Any = "rms" if norm_first else "layer"
    layer, x = made(
        heads=2, positions=positions, causal=causal, norm=norm, norm_first=norm_first, feedforward=feedforward
    )
    for name, parameter in layer.named_parameters():
        if "norm" in name and name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    own, net = layer.blocks[0].own, layer.blocks[0].feedforward
    heads = own.queries_keys_values.weight.T.chunk(3, 1)
    inner = net.inner.weight.T.chunk(2, 1) if feedforward == "swiglu" else (None, net.inner.weight.T)
    plain = [None if part is None else part.detach().numpy() for part in (inner[1], inner[0], net.out.weight.T)]
    gammas = [norm.weight.detach().numpy() for norm in layer.blocks[0].norms]  # type: ignore[union-attr]
    weights = BlockWeights(HeadWeights(*(h.detach().numpy() for h in (*heads, own.out.weight.T))), *plain, *gammas)
    if norm_first:
        layer.norm = torch.nn.Identity()
    with torch.no_grad():
        y, _ = layer(x, torch.tensor([7, 3, 0]))
    for row, length in ((0, 7), (1, 3)):
        visible = np.ones((length, length), bool)
        expected = block(
            x[row, :length].numpy(), weights, 2, np.tril(visible) if causal else visible, positions, norm_first
        )
        np.testing.assert_allclose(y[row, :length].numpy(), expected, atol=1e-9)


# --- positions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("positions", ["rotary", "alibi", "none", "sinusoidal", "learned"])
def test_whether_only_distances_count(positions: Any) -> None:
    """What repeats itself is answered the same each time, if a step cannot tell where it stands."""
    layer, _ = made(num_layers=2, heads=2, attention_window=2, positions=positions)
    period = torch.randn(1, 5, H, dtype=torch.float64)
    y, _ = layer(period.repeat(1, 4, 1))
    alike = torch.allclose(y[:, 5:10], y[:, 15:20], atol=1e-9)  # each sees 4 steps back, through two layers
    assert alike == (positions in ("rotary", "alibi", "none"))


@pytest.mark.parametrize("positions", ["rotary", "alibi", "sinusoidal", "learned"])
def test_the_order_of_steps_counts(positions: Any) -> None:
    layer, x = made(heads=2, positions=positions)
    swapped = x[:, [1, 0, *range(2, T)]]
    assert not torch.allclose(layer(x)[0][:, -1], layer(swapped)[0][:, -1], atol=1e-6)
    blind, _ = made(heads=2, positions="none")
    torch.testing.assert_close(blind(x)[0][:, -1], blind(swapped)[0][:, -1])


def test_positions_go_on_from_chunk_to_chunk_and_a_learned_table_ends() -> None:
    layer, x = made(positions="learned")
    _, state = layer(torch.zeros(1, 4090, H, dtype=torch.float64))
    _, state = layer(x[:1, :6], None, state)
    with pytest.raises(ShapeError, match="a row has 4097 steps, but there are only 4096 learned positions"):
        layer.step(x[:1, 0], state)


# --- a memory ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kv_heads", [None, 1])
@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_s_steps_chunks_and_whole_agree(norm_first: bool, kv_heads: int | None) -> None:
    layer, x = made(num_layers=2, heads=2, kv_heads=kv_heads, memory_size=5, norm_first=norm_first)
    memory, lengths = torch.randn(B, 6, 5, dtype=torch.float64), torch.tensor([6, 2, 0])
    with torch.no_grad():
        whole, end = layer(x, None, None, memory, lengths)
        state, ys = layer.initial_state(B, x, memory, lengths), []
        for t in range(T):
            y, state = layer.step(x[:, t], state)
            ys.append(y)
        torch.testing.assert_close(torch.stack(ys, 1), whole, atol=1e-12, rtol=0)
        first, middle = layer(x[:, :3], torch.tensor([3, 1, 0]), None, memory, lengths)
        rest, last = layer(x[:, 3:], None, middle)
        torch.testing.assert_close(torch.cat([first, rest], 1)[0], whole[0], atol=1e-12, rtol=0)
        # a row in company, and alone with a memory that is no longer than its own
        alone, _ = layer(x[1:2], None, None, memory[1:2, :2])
        torch.testing.assert_close(alone[0], whole[1], atol=1e-12, rtol=0)
        # beams
        order = torch.tensor([1, 1, 0])
        chosen, _ = layer.step(x[order, 0], select(end, order))
        torch.testing.assert_close(chosen, layer.step(x[:, 0], end)[0][order], atol=1e-12, rtol=0)
    for k in range(2):
        assert state.memory[k].lengths.tolist() == [6, 2, 0]
        torch.testing.assert_close(last.layers[k].steps, torch.tensor([7, 5, 4]))
        torch.testing.assert_close(state.layers[k].keys, end.layers[k].keys, atol=1e-12, rtol=0)


def test_the_memory_counts_and_what_lies_in_its_padding_does_not() -> None:
    layer, x = made(memory_size=5)
    memory, lengths = torch.randn(B, 6, 5, dtype=torch.float64), torch.tensor([6, 2, 0])
    y, _ = layer(x, None, None, memory, lengths)
    junk = memory.masked_fill((torch.arange(6) >= lengths[:, None])[..., None], float("nan")).requires_grad_()
    other, state = layer(x, None, None, junk, lengths)
    assert torch.equal(y, other)
    (gradient,) = torch.autograd.grad(other.square().sum() + state.memory[0].keys.sum(), junk)
    assert gradient.isfinite().all()
    assert gradient[1, :2].all()
    assert not gradient[2].any()
    assert not torch.allclose(y[:2], layer(x, None, None, memory + 1, lengths)[0][:2])
    assert torch.equal(y[2], layer(x, None, None, memory + 1, lengths)[0][2])


def test_watching_changes_nothing_and_shows_every_attention() -> None:
    layer, x = made(num_layers=2, heads=2, memory_size=5)
    memory, lengths = torch.randn(B, 6, 5, dtype=torch.float64), torch.tensor([6, 2, 0])
    _, state = layer(x[:, :4], None, None, memory, lengths)
    (y, _), shown = recorded(layer, x[:, 4:], None, state)
    torch.testing.assert_close(y, layer(x[:, 4:], None, state)[0], atol=1e-12, rtol=0)
    own, cross = ([shown[f"blocks.{k}.{of}.attention"] for k in (0, 1)] for of in ("own", "cross"))  # (B, T, H, N)
    assert [tuple(weights.shape) for weights in own] == [(B, 3, 2, 7)] * 2
    assert [tuple(weights.shape) for weights in cross] == [(B, 3, 2, 6)] * 2
    torch.testing.assert_close(cross[1].sum(-1)[:2], torch.ones(2, 3, 2, dtype=torch.float64))
    assert not cross[1][1, :, :, 2:].any()
    assert not cross[1][2].any()
    assert not own[0][:, 0, :, 5:].any()
    assert own[0][:, 0, :, :5].all()
    assert recorded(layer, x, None, None, memory)[1]["blocks.0.cross.attention"][2].all()
    plain, _ = made()
    assert list(recorded(plain, x)[1]) == ["blocks.0.own.attention"]
    encoder, _ = made(causal=False)
    assert recorded(encoder, x)[1]["blocks.0.own.attention"].all()


def test_a_memory_is_given_once_and_to_whom_it_belongs() -> None:
    decoder, x = made(memory_size=5)
    memory = torch.zeros(B, 4, 5, dtype=torch.float64)
    with pytest.raises(UsageError, match="this transformer attends to a memory: give memory"):
        decoder(x)
    with pytest.raises(UsageError, match="this transformer has no memory_size: leave memory out"):
        made()[0](x, None, None, memory)
    _, state = decoder(x, None, None, memory)
    with pytest.raises(UsageError, match="the state already carries the memory: give memory only with the first steps"):
        decoder(x, None, state, memory)
    with pytest.raises(ShapeError, match="Transformer: the memory has 1 rows, expected 3"):
        decoder(x, None, None, memory[:1])
    with pytest.raises(
        ShapeError, match=r"block 0: the memory in the state is \(2, 4, 1, 8\), expected \(3, S, 1, 8\)"
    ):
        decoder(x, None, TransformerState(state.layers, decoder(x[:2], None, None, memory[:2])[1].memory))
    seer, _ = made(causal=False, memory_size=5)
    assert seer(x, None, None, memory)[0].shape == (B, T, H)


# --- the state ---------------------------------------------------------------------------------------------------


def test_a_state_of_another_model_is_refused() -> None:
    layer, x = made(num_layers=2, heads=2)
    _, state = layer(x)
    for other, message in (
        (made(heads=2)[0], "state is of 1 blocks and 0 memories, expected one of 2 blocks and 0 memories"),
        (made(num_layers=2, heads=4)[0], r"block 0: state.keys is \(3, 7, 4, 2\) .* expected \(3, N, 2, 4\)"),
    ):
        with pytest.raises(ShapeError, match=message):
            layer(x, None, other(x)[1])
        with pytest.raises(ModelError, match="this state belongs to another model"):
            from_bytes(to_bytes(other(x)[1]), layer.initial_state(1, x))
    with pytest.raises(ShapeError, match=r"block 0: state.steps is \(3,\) torch.int64 on cpu, expected \(2,\)"):
        layer.step(x[:2, 0], state)
    with pytest.raises(ShapeError, match="state is tuple, expected one of 2 blocks"):
        layer(x, None, tuple(state))
    shorter = state.layers[1]._replace(keys=state.layers[1].keys[:, :3], values=state.layers[1].values[:, :3])
    with pytest.raises(ShapeError, match=r"block 1: state.keys is \(3, 3, 2, 4\) .* N at least 7"):
        layer(x, None, state._replace(layers=(state.layers[0], shorter)))


def test_a_snapshot_of_any_length_goes_on() -> None:
    layer, x = made(num_layers=2)
    _, state = layer(x)
    again, _ = from_bytes(to_bytes(state), layer.initial_state(1, x))
    assert isinstance(again.layers[0], KVCache)
    assert torch.equal(layer.step(x[:, 0], again)[0], layer.step(x[:, 0], state)[0])


def test_rows_of_two_states_mix() -> None:
    layer, x = made(num_layers=2, positions="learned")
    (_, long), (_, short) = layer(x), layer(x[:, :2])
    mixed = where(torch.tensor([True, False, True]), short, long)
    y, after = layer.step(x[:, 3], mixed)
    torch.testing.assert_close(y[1], layer.step(x[:, 3], long)[0][1], atol=1e-12, rtol=0)
    torch.testing.assert_close(y[0], layer.step(x[:, 3], short)[0][0], atol=1e-12, rtol=0)
    assert after.layers[1].steps.tolist() == [3, 8, 3]


def test_with_an_attention_window_a_stream_needs_constant_memory() -> None:
    layer, x = made(num_layers=2, attention_window=4)
    state, sizes = layer.initial_state(B, x), []
    with torch.no_grad():
        for t in range(12):
            _, state = layer.step(x[:, t % T], state)
            sizes.append(sum(part.numel() for _, part in flatten(state)))
    assert sizes[3:] == [sizes[3]] * 9
    assert sizes[:4] == sorted(set(sizes[:4]))


# --- how it is made ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_first", [True, False])
def test_at_first_an_output_is_of_size_one_however_deep(norm_first: bool) -> None:
    torch.manual_seed(0)
    for depth in (1, 24):
        layer = Transformer(64, 64, depth, norm_first=norm_first)
        x = torch.randn(4, 32, 64)
        inside = x
        view = layer.blocks[0].own.view(x, None, None)
        for one in layer.blocks:
            inside, _ = one(inside, view, layer.blocks[0].own.turns(view), None)
        assert 0.8 < inside.std() < 1.6


def test_it_is_built_from_a_config() -> None:
    options: dict[str, Any] = {
        "hidden": 16,
        "layers": 3,
        "heads": 4,
        "kv_heads": 2,
        "attention_window": 5,
        "positions": "alibi",
    }
    for name, causal in (("transformer", True), ("bitransformer", False)):
        layer = build_layer(model_config(name=name, dropout=0.5, **options), 3)
        assert isinstance(layer, Transformer)
        assert (layer.input_size, layer.output_size, layer.causal, layer.bidirectional) == (3, 16, causal, False)
        own = layer.blocks[2].own
        assert (own.heads, own.kv_heads, own.attention_window, own.positions, own.causal) == (4, 2, 5, "alibi", causal)
        assert layer.dropout.p == layer.blocks[0].dropout.p == 0.5


def test_an_encoder_s_last_step_is_pooled_as_such() -> None:
    """It has no second half that was read backward."""
    from unrolled.batch import Continuous
    from unrolled.models.network import Network

    network = Network({"x": Continuous(2)}, model_config(name="bitransformer", hidden=8, pool="last"), 3, True).eval()
    x = torch.randn(1, 5, 2)
    steps, _ = network.layer(x)
    torch.testing.assert_close(network({"x": x}, torch.tensor([5]))[0], network.head(steps[:, -1]))


def test_names_and_numbers_out_of_range() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"positions": "rotatory"}, "unknown positions 'rotatory'. Did you mean 'rotary'"),
        ({"norm": "batch"}, "unknown norm 'batch'."),
        ({"feedforward": "swigloo"}, "unknown feedforward 'swigloo'. Did you mean 'swiglu'"),
        ({"heads": 3}, "heads = 3 does not divide the hidden size 8: choose 2 or 4"),
    ]
    for options, message in wrong:
        with pytest.raises(UsageError, match=message):
            Transformer(H, H, **options)
    with pytest.raises(UsageError, match="input_size must be at least 1, got 0"):
        Transformer(0, H)


def test_dropout_is_for_training_alone() -> None:
    layer, x = made(dropout=0.5)
    assert torch.equal(layer(x)[0], layer(x)[0])
    layer.train()
    assert not torch.equal(layer(x)[0], layer(x)[0])
    with pytest.raises(UsageError, match=r"Transformer is in training mode, with dropout: call eval\(\)"):
        layer.session()
