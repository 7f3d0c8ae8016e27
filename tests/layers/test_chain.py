"""Layers one after another: the same answers in whole rows, in chunks and step by step, with padding that does nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from unrolled.errors import ShapeError, UsageError
from unrolled.layers import GRU, LSTM, RNN, Recurrent, from_torch, to_torch
from unrolled.layers.chain import Chain

LENGTHS = torch.tensor([6, 2, 0])
IDS = torch.randint(0, 9, (3, 6), generator=torch.Generator().manual_seed(0))


def made() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Embedding(9, 3),
        nn.LSTM(3, 5, num_layers=2, proj_size=4),
        nn.Dropout(0.1),
        nn.GRU(4, 6, batch_first=True, bias=False),
        nn.RNN(6, 2, nonlinearity="relu"),
        nn.Linear(2, 3),
    )


def by_hand(model: nn.Sequential, ids: Tensor) -> Tensor:
    """One row through torch's own layers."""
    embed, lstm, _, gru, rnn, linear = model
    x = gru(lstm(embed(ids).unsqueeze(1))[0].transpose(0, 1))[0]
    answer: Tensor = linear(rnn(x.transpose(0, 1))[0])[:, 0]
    return answer


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_sequential_that_torch_cannot_run_runs() -> None:
    theirs, ours = made().eval(), from_torch(made()).eval()
    with pytest.raises((TypeError, AttributeError), match="tuple"):
        theirs(IDS)
    assert type(ours) is Chain and ours.causal
    assert (ours.output_size, ours.bidirectional) == (3, False)
    weights = dict(theirs.state_dict())
    assert all(torch.equal(part, weights[name]) for name, part in ours.state_dict().items())
    ids = IDS.masked_fill(torch.arange(6) >= LENGTHS[:, None], -7)  # padding is never looked up
    y, _ = ours(ids, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        if length:
            torch.testing.assert_close(y[row, :length], by_hand(theirs, IDS[row, :length]), atol=1e-6, rtol=0)
        assert not y[row, length:].any()
    assert type(to_torch(ours)) is nn.Sequential


def test_chunks_and_steps_are_the_whole() -> None:
    chain: Any = from_torch(made()).eval()
    whole, last = chain(IDS, LENGTHS)
    first, state = chain(IDS[:, :1], LENGTHS.clamp(max=1))
    rest, state = chain(IDS[:, 1:], (LENGTHS - 1).clamp(min=0), state)
    torch.testing.assert_close(torch.cat([first, rest], 1), whole, atol=1e-6, rtol=0)
    for mine, other in zip(state, last, strict=True):
        for a, b in zip(mine, other, strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=0)
    state = chain.initial_state(3, whole)
    for step in range(2):
        y, state = chain.step(IDS[:, step], state)
        torch.testing.assert_close(y[0], whole[0, step], atol=1e-6, rtol=0)


def test_sessions_of_vectors() -> None:
    chain = Chain(Recurrent(3, 4, "mingru"), nn.Linear(4, 2), GRU(2, 2, batch_first=True)).eval()
    x = torch.randn(5, 3)
    live = chain.session()
    pushed = torch.stack([live.push(step) for step in x])
    torch.testing.assert_close(pushed, chain(x[None])[0][0], atol=1e-6, rtol=0)
    assert chain.input_size == 3


def test_what_runs_in_torch_stays_as_it_is() -> None:
    for model in (nn.Sequential(nn.Embedding(9, 3), nn.LSTM(3, 2)), nn.Sequential(nn.LSTM(3, 2), nn.Identity())):
        assert type(from_torch(model)) is nn.Sequential
        assert type(model[-1]) in (LSTM, nn.Identity)


def test_misuse_is_refused_in_a_sentence() -> None:
    both = from_torch(nn.Sequential(nn.GRU(3, 4, bidirectional=True), nn.Linear(8, 1)))
    assert isinstance(both, Chain) and both.bidirectional and not both.causal
    with pytest.raises(UsageError, match="sees later steps"):
        both.step(torch.zeros(1, 3), None)
    with pytest.raises(UsageError, match="sees later steps"):
        both.session()
    with pytest.raises(UsageError, match="begins with an embedding: call its step"):
        from_torch(made()).eval().session()  # type: ignore[operator]
    dropping = Chain(RNN(3, 4, num_layers=2, dropout=0.5), nn.Linear(4, 1))
    with pytest.raises(UsageError, match="training mode, with dropout"):
        dropping.session()
    with pytest.raises(ShapeError, match="state has 0 layers, expected 1"):
        dropping(torch.zeros(1, 2, 3), None, ())
